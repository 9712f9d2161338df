/* The header alone: it compiles in every dialect, twice, each INIT macro works, and the structs are laid out as the
 * library takes them. Also compiled as C++. */

#include <sockline.h>
#include <sockline.h>

#if defined(__cplusplus)
#define ASSERT(condition) static_assert(condition, #condition)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define ASSERT(condition) _Static_assert(condition, #condition)
#else
#define ASSERT_NAMED(condition, line) typedef char assertion_##line[(condition) ? 1 : -1]
#define ASSERT_AT(condition, line) ASSERT_NAMED(condition, line)
#define ASSERT(condition) ASSERT_AT(condition, __LINE__)
#endif

/* In words, that is in the size of a pointer; ffi/src/layout.rs has the same numbers for 64 bits. */
#define WORDS(type, words) ASSERT(sizeof(void *) != 8 || sizeof(type) == 8 * (words))
#define AT(type, field, offset) ASSERT(sizeof(void *) != 8 || offsetof(type, field) == (offset))

ASSERT(sizeof(sockline_status) == 4);
ASSERT(sizeof(sockline_ws) == 8 && sizeof(sockline_server) == 8);
WORDS(sockline_string, 2);
WORDS(sockline_header, 4);
WORDS(sockline_bytes, 2);
WORDS(sockline_settings, 11);
AT(sockline_settings, hard_limit, 48);
AT(sockline_settings, compression, 64);
AT(sockline_settings, slow_consumer, 72);
AT(sockline_settings, message_parts, 80);
WORDS(sockline_send_options, 5);
AT(sockline_send_options, token, 32);
WORDS(sockline_tcp_options, 6);
AT(sockline_tcp_options, no_delay, 40);
WORDS(sockline_compression, 5);
AT(sockline_compression, client_max_window_bits, 36);
WORDS(sockline_identity, 4);
WORDS(sockline_tls_client_options, 13);
AT(sockline_tls_client_options, insecure, 96);
WORDS(sockline_tls_server_options, 9);
AT(sockline_tls_server_options, min_version, 64);
WORDS(sockline_tls_info, 50);
AT(sockline_tls_info, server_name, 144);
WORDS(sockline_timings, 6);
AT(sockline_timings, upgrade_us, 40);
WORDS(sockline_loop_options, 6);
AT(sockline_loop_options, flush_hook_data, 24);
AT(sockline_loop_options, busy_poll_us, 32);
AT(sockline_loop_options, send_batch, 40);
WORDS(sockline_options, 18);
AT(sockline_options, settings, 48);
AT(sockline_options, queue, 56);
AT(sockline_options, tls, 88);
AT(sockline_options, reconnect, 120);
AT(sockline_options, proxy_tls, 128);
AT(sockline_options, keep_request, 136);
WORDS(sockline_reconnect, 9);
AT(sockline_reconnect, outbox, 64);
WORDS(sockline_reconnecting_event, 6);
AT(sockline_reconnecting_event, reason, 32);
WORDS(sockline_server_options, 33);
AT(sockline_server_options, port, 24);
AT(sockline_server_options, threads, 28);
AT(sockline_server_options, settings, 104);
AT(sockline_server_options, queue, 112);
AT(sockline_server_options, tls, 120);
AT(sockline_server_options, origins, 152);
AT(sockline_server_options, queue_upgrades, 168);
AT(sockline_server_options, metrics_path, 176);
AT(sockline_server_options, routes, 192);
AT(sockline_server_options, io, 208);
AT(sockline_server_options, adapter, 224);
AT(sockline_server_options, redis, 240);
AT(sockline_server_options, reuse_port, 248);
AT(sockline_server_options, ipv6_only, 252);
AT(sockline_server_options, nowhere, 256);
WORDS(sockline_route, 8);
AT(sockline_route, max_body, 32);
AT(sockline_route, user_data, 56);
WORDS(sockline_http_request, 14);
AT(sockline_http_request, headers, 72);
AT(sockline_http_request, body, 88);
AT(sockline_http_request, is_secure, 104);
WORDS(sockline_http_answer, 6);
AT(sockline_http_answer, status, 8);
AT(sockline_http_answer, headers, 16);
AT(sockline_http_answer, body, 32);
WORDS(sockline_io_manager_options, 26);
AT(sockline_io_manager_options, options, 8);
AT(sockline_io_manager_options, transports, 40);
AT(sockline_io_manager_options, reconnection, 120);
AT(sockline_io_manager_options, timeout_ms, 160);
AT(sockline_io_manager_options, send_buffer, 192);
AT(sockline_io_manager_options, custom_parser, 200);
WORDS(sockline_io_socket_options, 6);
AT(sockline_io_socket_options, auth, 8);
AT(sockline_io_socket_options, ack_timeout_ms, 40);
WORDS(sockline_io_connect_error, 6);
AT(sockline_io_connect_error, message, 8);
AT(sockline_io_connect_error, data, 24);
AT(sockline_io_connect_error, error, 40);
WORDS(sockline_io_client_handlers, 8);
AT(sockline_io_client_handlers, on_connect, 8);
AT(sockline_io_client_handlers, on_event, 24);
AT(sockline_io_client_handlers, on_auth, 48);
AT(sockline_io_client_handlers, on_freed, 56);
WORDS(sockline_io_manager_handlers, 14);
AT(sockline_io_manager_handlers, on_open, 8);
AT(sockline_io_manager_handlers, on_reconnect, 72);
AT(sockline_io_manager_handlers, on_drain, 96);
AT(sockline_io_manager_handlers, on_freed, 104);
WORDS(sockline_io_cors, 11);
AT(sockline_io_cors, origins, 8);
AT(sockline_io_cors, max_age, 80);
WORDS(sockline_io_cookie, 12);
AT(sockline_io_cookie, name, 8);
AT(sockline_io_cookie, same_site, 72);
AT(sockline_io_cookie, max_age, 88);
WORDS(sockline_io_recovery, 4);
AT(sockline_io_recovery, max_bytes, 24);
WORDS(sockline_io_server_options, 27);
AT(sockline_io_server_options, transports, 72);
AT(sockline_io_server_options, cors, 96);
AT(sockline_io_server_options, client_folder, 120);
AT(sockline_io_server_options, recovery, 144);
AT(sockline_io_server_options, max_attachments, 168);
AT(sockline_io_server_options, custom_parser, 176);
AT(sockline_io_server_options, adapter, 184);
AT(sockline_io_server_options, redis, 200);
AT(sockline_io_server_options, forward_requests, 208);
WORDS(sockline_io_packet, 9);
AT(sockline_io_packet, packet_type, 8);
AT(sockline_io_packet, id, 16);
AT(sockline_io_packet, nsp, 24);
AT(sockline_io_packet, attachments, 56);
WORDS(sockline_io_limits, 3);
AT(sockline_io_limits, max_bytes, 16);
WORDS(sockline_io_custom_parser, 7);
AT(sockline_io_custom_parser, encode, 8);
AT(sockline_io_custom_parser, decode, 24);
AT(sockline_io_custom_parser, on_freed, 40);
AT(sockline_io_custom_parser, user_data, 48);
WORDS(sockline_io_admin_options, 12);
AT(sockline_io_admin_options, nsp, 8);
AT(sockline_io_admin_options, no_auth, 56);
AT(sockline_io_admin_options, is_production, 88);
WORDS(sockline_io_metrics, 12);
AT(sockline_io_metrics, recovered, 88);
WORDS(sockline_io_emit_options, 6);
AT(sockline_io_emit_options, compress, 16);
AT(sockline_io_emit_options, token, 32);
AT(sockline_io_emit_options, timeout_ms, 40);
WORDS(sockline_io_target, 11);
AT(sockline_io_target, rooms, 24);
AT(sockline_io_target, except, 40);
AT(sockline_io_target, timeout_ms, 80);
WORDS(sockline_io_socket_details, 10);
AT(sockline_io_socket_details, id, 16);
AT(sockline_io_socket_details, rooms, 64);
WORDS(sockline_io_request, 11);
AT(sockline_io_request, query, 40);
AT(sockline_io_request, headers, 56);
AT(sockline_io_request, issued_ms, 72);
AT(sockline_io_request, is_cross_domain, 84);
WORDS(sockline_io_event, 10);
AT(sockline_io_event, args, 24);
AT(sockline_io_event, attachments, 56);
AT(sockline_io_event, ack, 72);
WORDS(sockline_io_ack_event, 7);
AT(sockline_io_ack_event, token, 16);
AT(sockline_io_ack_event, args, 24);
AT(sockline_io_ack_event, attachments, 40);
WORDS(sockline_io_response, 4);
AT(sockline_io_response, args, 0);
AT(sockline_io_response, attachments, 16);
WORDS(sockline_io_broadcast_ack_event, 6);
AT(sockline_io_broadcast_ack_event, responses, 16);
AT(sockline_io_broadcast_ack_event, timed_out, 40);
WORDS(sockline_io_connection_error, 7);
AT(sockline_io_connection_error, message, 16);
AT(sockline_io_connection_error, context, 32);
AT(sockline_io_connection_error, request, 48);
WORDS(sockline_io_handlers, 20);
AT(sockline_io_handlers, on_connection, 8);
AT(sockline_io_handlers, on_disconnect, 48);
AT(sockline_io_handlers, on_request, 88);
AT(sockline_io_handlers, on_room, 136);
AT(sockline_io_handlers, on_server_closed, 144);
AT(sockline_io_handlers, on_server_side_emit, 152);
WORDS(sockline_redis_options, 33);
AT(sockline_redis_options, url, 8);
AT(sockline_redis_options, mode, 24);
AT(sockline_redis_options, key, 32);
AT(sockline_redis_options, publish_on_specific_response_channel, 56);
AT(sockline_redis_options, stream_name, 72);
AT(sockline_redis_options, session_key_prefix, 112);
AT(sockline_redis_options, ca_file, 128);
AT(sockline_redis_options, insecure, 176);
AT(sockline_redis_options, max_queued, 200);
AT(sockline_redis_options, channel, 208);
AT(sockline_redis_options, sentinel_user, 224);
AT(sockline_redis_options, sentinel_tls, 256);
WORDS(sockline_redis_handlers, 6);
AT(sockline_redis_handlers, on_error, 8);
AT(sockline_redis_handlers, on_closed, 32);
AT(sockline_redis_handlers, on_freed, 40);
WORDS(sockline_emitter_target, 9);
AT(sockline_emitter_target, nsp, 8);
AT(sockline_emitter_target, rooms, 24);
AT(sockline_emitter_target, except, 40);
AT(sockline_emitter_target, compress, 64);
WORDS(sockline_totals, 12);
WORDS(sockline_connection_metrics, 14);
AT(sockline_connection_metrics, latency_us, 104);
WORDS(sockline_loop_metrics, 18);
AT(sockline_loop_metrics, totals, 24);
AT(sockline_loop_metrics, empty_polls, 120);
AT(sockline_loop_metrics, batches, 128);
AT(sockline_loop_metrics, batched_sends, 136);
WORDS(sockline_server_metrics, 18);
AT(sockline_server_metrics, totals, 40);
AT(sockline_server_metrics, batched_sends, 136);
WORDS(sockline_request, 12);
AT(sockline_request, headers, 80);
WORDS(sockline_error_event, 9);
AT(sockline_error_event, text, 16);
AT(sockline_error_event, response_body, 56);
WORDS(sockline_close_event, 4);
AT(sockline_close_event, reason, 16);
WORDS(sockline_queued_event, 18);
AT(sockline_queued_event, kind, 24);
AT(sockline_queued_event, status, 48);
AT(sockline_queued_event, text, 64);
AT(sockline_queued_event, reason, 80);
AT(sockline_queued_event, outcome, 136);
WORDS(sockline_handlers, 15);
AT(sockline_handlers, on_close, 56);
AT(sockline_handlers, on_server_closed, 72);
AT(sockline_handlers, on_reconnected, 96);
AT(sockline_handlers, on_sent, 104);
AT(sockline_handlers, on_message_part, 112);
WORDS(sockline_accept_options, 7);
AT(sockline_accept_options, user_data, 48);
WORDS(sockline_refusal, 6);
AT(sockline_refusal, body_len, 40);

/* Each struct begins with its size, and its INIT macro sets that and no more. */
#define FRESH(type, macro, last)                                                                   \
    do {                                                                                           \
        type fresh = macro;                                                                        \
        if (fresh.size != sizeof(type) || fresh.last != 0 || offsetof(type, size) != 0) return 1;  \
    } while (0)

int main(void) {
    FRESH(sockline_settings, SOCKLINE_SETTINGS_INIT, message_parts);
    FRESH(sockline_tcp_options, SOCKLINE_TCP_OPTIONS_INIT, no_delay);
    FRESH(sockline_compression, SOCKLINE_COMPRESSION_INIT, client_max_window_bits);
    FRESH(sockline_tls_client_options, SOCKLINE_TLS_CLIENT_OPTIONS_INIT, insecure);
    FRESH(sockline_tls_server_options, SOCKLINE_TLS_SERVER_OPTIONS_INIT, min_version);
    FRESH(sockline_tls_info, SOCKLINE_TLS_INFO_INIT, server_name[0]);
    FRESH(sockline_reconnect, SOCKLINE_RECONNECT_INIT, outbox);
    FRESH(sockline_send_options, SOCKLINE_SEND_OPTIONS_INIT, token);
    FRESH(sockline_connection_metrics, SOCKLINE_CONNECTION_METRICS_INIT, latency_us);
    FRESH(sockline_loop_metrics, SOCKLINE_LOOP_METRICS_INIT, batched_sends);
    FRESH(sockline_server_metrics, SOCKLINE_SERVER_METRICS_INIT, batched_sends);
    FRESH(sockline_timings, SOCKLINE_TIMINGS_INIT, upgrade_us);
    FRESH(sockline_loop_options, SOCKLINE_LOOP_OPTIONS_INIT, send_batch);
    FRESH(sockline_options, SOCKLINE_OPTIONS_INIT, proxy_tls);
    FRESH(sockline_server_options, SOCKLINE_SERVER_OPTIONS_INIT, nowhere);
    FRESH(sockline_http_request, SOCKLINE_HTTP_REQUEST_INIT, is_secure);
    FRESH(sockline_io_cors, SOCKLINE_IO_CORS_INIT, max_age);
    FRESH(sockline_io_cookie, SOCKLINE_IO_COOKIE_INIT, max_age);
    FRESH(sockline_io_recovery, SOCKLINE_IO_RECOVERY_INIT, max_bytes);
    FRESH(sockline_io_server_options, SOCKLINE_IO_SERVER_OPTIONS_INIT, forward_requests);
    FRESH(sockline_io_custom_parser, SOCKLINE_IO_CUSTOM_PARSER_INIT, user_data);
    FRESH(sockline_io_admin_options, SOCKLINE_IO_ADMIN_OPTIONS_INIT, is_production);
    FRESH(sockline_io_emit_options, SOCKLINE_IO_EMIT_OPTIONS_INIT, timeout_ms);
    FRESH(sockline_io_target, SOCKLINE_IO_TARGET_INIT, timeout_ms);
    FRESH(sockline_io_metrics, SOCKLINE_IO_METRICS_INIT, recovered);
    FRESH(sockline_io_handlers, SOCKLINE_IO_HANDLERS_INIT, on_server_side_emit);
    FRESH(sockline_redis_options, SOCKLINE_REDIS_OPTIONS_INIT, sentinel_tls);
    FRESH(sockline_redis_handlers, SOCKLINE_REDIS_HANDLERS_INIT, on_freed);
    FRESH(sockline_emitter_target, SOCKLINE_EMITTER_TARGET_INIT, compress);
    FRESH(sockline_io_manager_options, SOCKLINE_IO_MANAGER_OPTIONS_INIT, custom_parser);
    FRESH(sockline_io_socket_options, SOCKLINE_IO_SOCKET_OPTIONS_INIT, ack_timeout_ms);
    FRESH(sockline_io_client_handlers, SOCKLINE_IO_CLIENT_HANDLERS_INIT, on_freed);
    FRESH(sockline_io_manager_handlers, SOCKLINE_IO_MANAGER_HANDLERS_INIT, on_freed);
    FRESH(sockline_route, SOCKLINE_ROUTE_INIT, user_data);
    FRESH(sockline_handlers, SOCKLINE_HANDLERS_INIT, on_message_part);
    FRESH(sockline_accept_options, SOCKLINE_ACCEPT_OPTIONS_INIT, user_data);
    FRESH(sockline_refusal, SOCKLINE_REFUSAL_INIT, body_len);
    return sockline_str("four").len == 4 ? 0 : 1;
}
