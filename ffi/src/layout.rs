//! The layout that programs are compiled against. A number may change only by a field that is appended.
//!
//! `tests/c/header.c` asserts the same numbers from C's side.

use std::mem::offset_of;

use crate::client::{sockline_options, sockline_timings};
use crate::dial::{sockline_dial, sockline_dial_request};
use crate::elsewhere::sockline_http_answer;
use crate::event_loop::sockline_loop_options;
use crate::handlers::{sockline_close_event, sockline_error_event, sockline_handlers};
use crate::io::broadcast::{sockline_io_socket_details, sockline_io_target};
use crate::io::client_handlers::{
    sockline_io_client_handlers, sockline_io_connect_error, sockline_io_manager_handlers,
};
use crate::io::client_options::{sockline_io_manager_options, sockline_io_socket_options};
use crate::io::custom_parser::{sockline_io_custom_parser, sockline_io_limits, sockline_io_packet};
use crate::io::emitter::sockline_emitter_target;
use crate::io::handlers::{
    sockline_io_ack_event, sockline_io_broadcast_ack_event, sockline_io_event, sockline_io_handlers,
    sockline_io_response,
};
use crate::io::options::{
    sockline_io_cookie, sockline_io_cors, sockline_io_recovery, sockline_io_server_options,
};
use crate::io::packets::sockline_io_engine_packet;
use crate::io::redis::{sockline_redis_handlers, sockline_redis_options};
use crate::io::request::{sockline_io_connection_error, sockline_io_request};
use crate::io::server::{sockline_io_admin_options, sockline_io_metrics};
use crate::io::socket::sockline_io_emit_options;
use crate::lookup::sockline_lookup;
use crate::metrics::{
    sockline_connection_metrics, sockline_loop_metrics, sockline_server_metrics, sockline_totals,
};
use crate::queue::sockline_queued_event;
use crate::reconnect::{sockline_reconnect, sockline_reconnecting_event};
use crate::routes::{sockline_http_request, sockline_route};
use crate::server::sockline_server_options;
use crate::settings::{sockline_compression, sockline_settings, sockline_tcp_options};
use crate::tls::{
    sockline_identity, sockline_tls_client_options, sockline_tls_info, sockline_tls_server_options,
};
use crate::types::{sockline_bytes, sockline_header, sockline_string};
use crate::upgrade::{sockline_accept_options, sockline_refusal, sockline_request};
use crate::websocket::sockline_send_options;

/// Asserts a struct's size in words of 8 bytes, and where fields of it are.
macro_rules! layout {
    ($name:ty: $words:literal words $(, $field:ident at $offset:literal)*) => {
        const _: () = assert!(size_of::<$name>() == 8 * $words);
        $(const _: () = assert!(offset_of!($name, $field) == $offset);)*
    };
}

layout!(sockline_string: 2 words, data at 0, len at 8);
layout!(sockline_header: 4 words, name at 0, value at 16);
layout!(sockline_bytes: 2 words, data at 0, len at 8);
layout!(sockline_settings: 11 words, size at 0, hard_limit at 48, tcp at 56, compression at 64, slow_consumer at 72, message_parts at 80);
layout!(sockline_send_options: 5 words, size at 0, compress at 8, token at 32);
layout!(sockline_tcp_options: 6 words, size at 0, no_delay at 40);
layout!(sockline_compression: 5 words, size at 0, level at 16, client_max_window_bits at 36);
layout!(sockline_identity: 4 words, certificates at 0, private_key at 16);
layout!(sockline_tls_client_options: 13 words, size at 0, server_name at 40, insecure at 96);
layout!(sockline_tls_server_options: 9 words, size at 0, alpn at 48, min_version at 64);
layout!(sockline_tls_info: 50 words, size at 0, version at 8, cipher_suite at 16, alpn at 80, server_name at 144);
layout!(sockline_timings: 6 words, size at 0, upgrade_us at 40);
layout!(sockline_loop_options: 6 words, size at 0, flush_hook_data at 24, busy_poll_us at 32, send_batch at 40);
layout!(sockline_dial_request: 4 words, size at 0, host at 8, port at 24, is_secure at 28);
layout!(sockline_dial: 4 words, size at 0, on_dial at 8, on_freed at 16, user_data at 24);
layout!(sockline_lookup: 4 words, size at 0, on_lookup at 8, on_freed at 16, user_data at 24);
layout!(sockline_options: 24 words, size at 0, settings at 48, queue at 56, local_address at 72, tls at 88, reconnect at 120, proxy_tls at 128, keep_request at 136, dial at 144, lookup at 152, connect_to_host at 160, connect_to_port at 176, socket at 184);
layout!(sockline_reconnect: 9 words, size at 0, no_retry at 48, outbox at 64);
layout!(sockline_reconnecting_event: 6 words, size at 0, code at 12, error at 24, reason at 32);
layout!(sockline_server_options: 33 words, size at 0, port at 24, threads at 28, settings at 104, queue at 112, tls at 120, origins at 152, queue_upgrades at 168, metrics_path at 176, routes at 192, io at 208, adapter at 224, redis at 240, reuse_port at 248, ipv6_only at 252, nowhere at 256);
layout!(sockline_route: 8 words, size at 0, max_body at 32, user_data at 56);
layout!(sockline_http_request: 14 words, size at 0, headers at 72, body at 88, is_secure at 104);
layout!(sockline_http_answer: 6 words, size at 0, status at 8, headers at 16, body at 32);
layout!(sockline_totals: 12 words, bytes_in at 0, buffered at 56, inflated_to at 88);
layout!(sockline_connection_metrics: 14 words, size at 0, latency_us at 104);
layout!(sockline_loop_metrics: 18 words, size at 0, totals at 24, empty_polls at 120, batches at 128, batched_sends at 136);
layout!(sockline_server_metrics: 18 words, size at 0, totals at 40, batched_sends at 136);
layout!(sockline_request: 12 words, size at 0, headers at 80);
layout!(sockline_error_event: 9 words, size at 0, text at 16, tls_error at 36, response_body at 56);
layout!(sockline_close_event: 4 words, size at 0, reason at 16);
layout!(sockline_queued_event: 18 words, size at 0, kind at 24, status at 48, text at 64, reason at 80, outcome at 136, edges at 140);
layout!(sockline_handlers: 15 words, size at 0, on_close at 56, on_server_closed at 72, on_reconnected at 96, on_sent at 104, on_message_part at 112);
layout!(sockline_accept_options: 7 words, size at 0, user_data at 48);
layout!(sockline_refusal: 6 words, size at 0, body_len at 40);
layout!(sockline_io_cors: 11 words, size at 0, origins at 8, max_age at 80);
layout!(sockline_io_cookie: 12 words, size at 0, name at 8, same_site at 72, max_age at 88);
layout!(sockline_io_recovery: 4 words, size at 0, max_bytes at 24);
layout!(sockline_io_server_options: 28 words, size at 0, transports at 72, cors at 96, client_folder at 120, recovery at 144, max_attachments at 168, custom_parser at 176, adapter at 184, redis at 200, forward_requests at 208, ask_upgrades at 216);
layout!(sockline_io_packet: 9 words, size at 0, packet_type at 8, has_id at 12, id at 16, nsp at 24, payload at 40, attachments at 56);
layout!(sockline_io_limits: 3 words, size at 0, max_bytes at 16);
layout!(sockline_io_custom_parser: 7 words, size at 0, encode at 8, decode at 24, on_freed at 40, user_data at 48);
layout!(sockline_io_admin_options: 12 words, size at 0, nsp at 8, no_auth at 56, is_production at 88);
layout!(sockline_io_metrics: 12 words, size at 0, recovered at 88);
layout!(sockline_io_emit_options: 6 words, size at 0, compress at 16, token at 32, timeout_ms at 40);
layout!(sockline_io_target: 11 words, size at 0, rooms at 24, except at 40, timeout_ms at 80);
layout!(sockline_io_socket_details: 10 words, size at 0, id at 16, rooms at 64);
layout!(sockline_io_request: 12 words, size at 0, query at 40, headers at 56, issued_ms at 72, is_cross_domain at 84, is_upgrade at 88);
layout!(sockline_io_event: 10 words, size at 0, args at 24, attachments at 56, ack at 72);
layout!(sockline_io_ack_event: 7 words, size at 0, token at 16, args at 24, attachments at 40);
layout!(sockline_io_response: 4 words, args at 0, attachments at 16);
layout!(sockline_io_broadcast_ack_event: 6 words, size at 0, responses at 16, timed_out at 40);
layout!(sockline_io_connection_error: 7 words, size at 0, message at 16, context at 32, request at 48);
layout!(sockline_io_engine_packet: 5 words, size at 0, is_outgoing at 8, packet_type at 12, message_type at 16, compress at 20, data at 24);
layout!(sockline_io_handlers: 21 words, size at 0, on_connection at 8, on_disconnect at 48, on_request at 88, on_room at 136, on_server_closed at 144, on_server_side_emit at 152, on_packet at 160);
layout!(sockline_io_manager_options: 26 words, size at 0, options at 8, transports at 40, reconnection at 120, timeout_ms at 160, send_buffer at 192, custom_parser at 200);
layout!(sockline_io_socket_options: 6 words, size at 0, auth at 8, ack_timeout_ms at 40);
layout!(sockline_io_connect_error: 6 words, size at 0, message at 8, data at 24, error at 40);
layout!(sockline_io_client_handlers: 8 words, size at 0, on_connect at 8, on_event at 24, on_auth at 48, on_freed at 56);
layout!(sockline_io_manager_handlers: 15 words, size at 0, on_open at 8, on_reconnect at 72, on_drain at 96, on_freed at 104, on_packet at 112);
layout!(sockline_redis_options: 33 words, size at 0, url at 8, mode at 24, key at 32, publish_on_specific_response_channel at 56, stream_name at 72, session_key_prefix at 112, ca_file at 128, insecure at 176, max_queued at 200, channel at 208, sentinel_user at 224, sentinel_tls at 256);
layout!(sockline_redis_handlers: 6 words, size at 0, on_error at 8, on_closed at 32, on_freed at 40);
layout!(sockline_emitter_target: 9 words, size at 0, nsp at 8, rooms at 24, except at 40, compress at 64);
