/* include/sockline.h as it was accepted last, for make abi. Not to be included. */
#ifndef SOCKLINE_H
#define SOCKLINE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#define SOCKLINE_VERSION_MAJOR 0
#define SOCKLINE_VERSION_MINOR 1
#define SOCKLINE_VERSION_PATCH 0
#define SOCKLINE_VERSION "0.1.0"
#define SOCKLINE_MAKE_VERSION(major, minor, patch) ((major) << 16 | (minor) << 8 | (patch))
#define SOCKLINE_VERSION_NUMBER SOCKLINE_MAKE_VERSION(SOCKLINE_VERSION_MAJOR, SOCKLINE_VERSION_MINOR, SOCKLINE_VERSION_PATCH)
typedef struct sockline_loop sockline_loop;
typedef uint64_t sockline_ws;
typedef uint64_t sockline_server;
typedef struct sockline_queue sockline_queue;
typedef struct sockline_tls sockline_tls;
typedef uint64_t sockline_io_server;
typedef uint64_t sockline_io_namespace;
typedef uint64_t sockline_io_socket;
typedef uint64_t sockline_io_manager;
typedef uint64_t sockline_io_client;
typedef uint64_t sockline_io_ack;
typedef uint64_t sockline_io_question;
typedef struct sockline_redis sockline_redis;
typedef struct sockline_emitter sockline_emitter;
typedef uint64_t sockline_dialing;
typedef int32_t sockline_status;
typedef enum sockline_status_code {
    SOCKLINE_OK = 0,
    SOCKLINE_OVER_MARK = 1,
    SOCKLINE_STOPPED = 2,
    SOCKLINE_EMPTY = 3,
    SOCKLINE_DROPPED = 4,
    SOCKLINE_ERR_INVALID_ARGUMENT = -1,
    SOCKLINE_ERR_INVALID_URL = -2,
    SOCKLINE_ERR_NOT_OPEN = -3,
    SOCKLINE_ERR_CLOSED = -4,
    SOCKLINE_ERR_WRONG_HANDLE = -5,
    SOCKLINE_ERR_INVALID_UTF8 = -6,
    SOCKLINE_ERR_INVALID_CLOSE_CODE = -7,
    SOCKLINE_ERR_CONTROL_TOO_LONG = -8,
    SOCKLINE_ERR_OUTBOX_FULL = -9,
    SOCKLINE_ERR_LOOP_BUSY = -10,
    SOCKLINE_ERR_OUT_OF_RESOURCES = -11,
    SOCKLINE_ERR_LISTEN_FAILED = -12,
    SOCKLINE_ERR_IO = -13,
    SOCKLINE_ERR_NAME_NOT_RESOLVED = -14,
    SOCKLINE_ERR_CONNECT_FAILED = -15,
    SOCKLINE_ERR_HANDSHAKE_TIMEOUT = -16,
    SOCKLINE_ERR_HANDSHAKE_FAILED = -17,
    SOCKLINE_ERR_REFUSED = -18,
    SOCKLINE_ERR_PROTOCOL = -19,
    SOCKLINE_ERR_PEER_DEAD = -20,
    SOCKLINE_ERR_CLOSE_TIMEOUT = -21,
    SOCKLINE_ERR_FORKED = -22,
    SOCKLINE_ERR_UNSUPPORTED = -23,
    SOCKLINE_ERR_ALREADY_ANSWERED = -24,
    SOCKLINE_ERR_TLS = -25,
    SOCKLINE_ERR_PROXY = -26,
    SOCKLINE_ERR_REDIRECT = -27,
    SOCKLINE_ERR_MESSAGE_UNFINISHED = -28,
    SOCKLINE_ERR_MEMORY_BUDGET = -29,
    SOCKLINE_ERR_TOPIC = -30,
    SOCKLINE_ERR_INTERNAL = -99,
} sockline_status_code;
typedef enum sockline_message_type {
    SOCKLINE_TEXT = 1,
    SOCKLINE_BINARY = 2,
} sockline_message_type;
typedef enum sockline_part_edges {
    SOCKLINE_PART_FIRST = 1,
    SOCKLINE_PART_LAST = 2,
} sockline_part_edges;
typedef enum sockline_state {
    SOCKLINE_CONNECTING = 0,
    SOCKLINE_OPEN = 1,
    SOCKLINE_CLOSING = 2,
    SOCKLINE_CLOSED = 3,
} sockline_state;
typedef enum sockline_event_kind {
    SOCKLINE_EVENT_OPEN = 1,
    SOCKLINE_EVENT_MESSAGE = 2,
    SOCKLINE_EVENT_PING = 3,
    SOCKLINE_EVENT_PONG = 4,
    SOCKLINE_EVENT_DRAIN = 5,
    SOCKLINE_EVENT_ERROR = 6,
    SOCKLINE_EVENT_CLOSE = 7,
    SOCKLINE_EVENT_UPGRADE = 8,
    SOCKLINE_EVENT_SERVER_CLOSED = 9,
    SOCKLINE_EVENT_SENT = 10,
    SOCKLINE_EVENT_RECONNECTING = 11,
    SOCKLINE_EVENT_RECONNECTED = 12,
    SOCKLINE_EVENT_MESSAGE_PART = 13,
} sockline_event_kind;
typedef enum sockline_log_level {
    SOCKLINE_LOG_OFF = 0,
    SOCKLINE_LOG_ERROR = 1,
    SOCKLINE_LOG_WARN = 2,
    SOCKLINE_LOG_INFO = 3,
    SOCKLINE_LOG_DEBUG = 4,
} sockline_log_level;
typedef struct sockline_string {
    const char *data;
    size_t len;
} sockline_string;
typedef struct sockline_header {
    sockline_string name;
    sockline_string value;
} sockline_header;
typedef struct sockline_bytes {
    const void *data;
    size_t len;
} sockline_bytes;
typedef enum sockline_tls_version {
    SOCKLINE_TLS_1_2 = 771,
    SOCKLINE_TLS_1_3 = 772,
} sockline_tls_version;
typedef enum sockline_tls_error {
    SOCKLINE_TLS_EXPIRED = 1,
    SOCKLINE_TLS_NOT_YET_VALID = 2,
    SOCKLINE_TLS_WRONG_NAME = 3,
    SOCKLINE_TLS_SELF_SIGNED = 4,
    SOCKLINE_TLS_UNTRUSTED_ROOT = 5,
    SOCKLINE_TLS_INCOMPLETE_CHAIN = 6,
    SOCKLINE_TLS_UNKNOWN_ISSUER = 7,
    SOCKLINE_TLS_REVOKED = 8,
    SOCKLINE_TLS_BAD_CERTIFICATE = 9,
    SOCKLINE_TLS_NOT_PINNED = 10,
    SOCKLINE_TLS_ALERT = 11,
    SOCKLINE_TLS_NOT_TLS = 12,
    SOCKLINE_TLS_OTHER = 99,
} sockline_tls_error;
typedef enum sockline_slow_consumer {
    SOCKLINE_SLOW_ERROR = 0,
    SOCKLINE_SLOW_DROP_NEWEST = 1,
    SOCKLINE_SLOW_DROP_OLDEST = 2,
    SOCKLINE_SLOW_CLOSE = 3,
} sockline_slow_consumer;
typedef enum sockline_send_outcome {
    SOCKLINE_SENT_TAKEN = 0,
    SOCKLINE_SENT_DROPPED = 1,
    SOCKLINE_SENT_EXPIRED = 2,
    SOCKLINE_SENT_FAILED = 3,
} sockline_send_outcome;
typedef struct sockline_identity {
    sockline_bytes certificates;
    sockline_bytes private_key;
} sockline_identity;
#define SOCKLINE_UNLIMITED 18446744073709551615ull
typedef struct sockline_tcp_options {
    size_t size;
    uint64_t keep_alive_ms;
    uint64_t user_timeout_ms;
    uint64_t send_buffer;
    uint64_t receive_buffer;
    int64_t no_delay;
} sockline_tcp_options;
typedef struct sockline_compression {
    size_t size;
    uint64_t threshold;
    uint32_t level;
    uint32_t memory_level;
    int32_t server_no_context_takeover;
    int32_t client_no_context_takeover;
    uint32_t server_max_window_bits;
    uint32_t client_max_window_bits;
} sockline_compression;
typedef struct sockline_settings {
    size_t size;
    uint64_t max_message;
    uint64_t ping_interval_ms;
    uint64_t ping_timeout_ms;
    uint64_t close_timeout_ms;
    uint64_t high_water_mark;
    uint64_t hard_limit;
    const sockline_tcp_options *tcp;
    const sockline_compression *compression;
    int64_t slow_consumer;
    int64_t message_parts;
} sockline_settings;
typedef struct sockline_tls_client_options {
    size_t size;
    const sockline_bytes *ca;
    size_t ca_count;
    int64_t platform_roots;
    const sockline_identity *identity;
    sockline_string server_name;
    const sockline_string *alpn;
    size_t alpn_count;
    const void *pins;
    size_t pin_count;
    int64_t min_version;
    int64_t insecure;
} sockline_tls_client_options;
typedef struct sockline_tls_server_options {
    size_t size;
    const sockline_identity *identities;
    size_t identity_count;
    const sockline_bytes *client_ca;
    size_t client_ca_count;
    int64_t require_client_certificate;
    const sockline_string *alpn;
    size_t alpn_count;
    int64_t min_version;
} sockline_tls_server_options;
typedef struct sockline_reconnect {
    size_t size;
    uint64_t base_delay_ms;
    double factor;
    uint64_t max_delay_ms;
    uint64_t stable_after_ms;
    uint64_t max_attempts;
    const uint16_t *no_retry;
    size_t no_retry_count;
    uint64_t outbox;
} sockline_reconnect;
typedef struct sockline_send_options {
    size_t size;
    int64_t compress;
    uint64_t deadline_ms;
    int64_t wants_result;
    void *token;
} sockline_send_options;
typedef struct sockline_loop_options {
    size_t size;
    size_t max_events;
    void (*flush_hook)(void *flush_hook_data);
    void *flush_hook_data;
    uint64_t busy_poll_us;
    size_t send_batch;
} sockline_loop_options;
typedef struct sockline_dial_request {
    size_t size;
    sockline_string host;
    uint32_t port;
    int32_t is_secure;
} sockline_dial_request;
typedef struct sockline_dial {
    size_t size;
    void (*on_dial)(sockline_dialing dialing, const sockline_dial_request *request, void *user_data);
    void (*on_freed)(void *user_data);
    void *user_data;
} sockline_dial;
typedef struct sockline_addresses sockline_addresses;
typedef struct sockline_lookup {
    size_t size;
    void (*on_lookup)(sockline_string host, sockline_addresses *addresses, void *user_data);
    void (*on_freed)(void *user_data);
    void *user_data;
} sockline_lookup;
typedef struct sockline_options {
    size_t size;
    const sockline_string *subprotocols;
    size_t subprotocol_count;
    const sockline_header *headers;
    size_t header_count;
    uint64_t handshake_timeout_ms;
    const sockline_settings *settings;
    sockline_queue *queue;
    const char *proxy;
    sockline_string local_address;
    sockline_tls *tls;
    uint64_t max_redirects;
    const sockline_header *cookies;
    size_t cookie_count;
    const sockline_reconnect *reconnect;
    sockline_tls *proxy_tls;
    int32_t keep_request;
    const sockline_dial *dial;
    const sockline_lookup *lookup;
    sockline_string connect_to_host;
    uint32_t connect_to_port;
    int64_t socket;
} sockline_options;
typedef uint64_t sockline_exchange;
typedef struct sockline_http_request {
    size_t size;
    sockline_string method;
    sockline_string path;
    sockline_string query;
    sockline_string remote_address;
    const sockline_header *headers;
    size_t header_count;
    sockline_bytes body;
    int64_t is_secure;
} sockline_http_request;
typedef struct sockline_http_answer {
    size_t size;
    int32_t status;
    const sockline_header *headers;
    size_t header_count;
    sockline_bytes body;
} sockline_http_answer;
typedef void (*sockline_answered)(sockline_exchange exchange,
                                  const sockline_http_answer *answer,
                                  void *user_data);
typedef struct sockline_route {
    size_t size;
    sockline_string path;
    int64_t is_prefix;
    uint64_t max_body;
    void (*on_request)(sockline_exchange exchange,
                       const sockline_http_request *request,
                       void *user_data);
    void (*on_cut)(sockline_exchange exchange, void *user_data);
    void *user_data;
} sockline_route;
typedef struct sockline_server_options {
    size_t size;
    sockline_string host;
    uint32_t port;
    uint32_t threads;
    sockline_string unix_socket;
    sockline_string path;
    sockline_string static_folder;
    uint64_t backlog;
    uint64_t handshake_timeout_ms;
    uint64_t max_head;
    const sockline_settings *settings;
    sockline_queue *queue;
    sockline_tls *tls;
    uint64_t max_connections;
    uint64_t max_connections_per_address;
    uint64_t max_requests;
    const sockline_string *origins;
    size_t origin_count;
    int64_t queue_upgrades;
    sockline_string metrics_path;
    const sockline_route *routes;
    size_t route_count;
    const sockline_io_server *io;
    size_t io_count;
    sockline_string adapter;
    sockline_redis *redis;
    int32_t reuse_port;
    int32_t ipv6_only;
    int32_t nowhere;
} sockline_server_options;
typedef struct sockline_request {
    size_t size;
    sockline_server server;
    sockline_string path;
    sockline_string query;
    sockline_string remote_address;
    const sockline_string *subprotocols;
    size_t subprotocol_count;
    const sockline_header *headers;
    size_t header_count;
} sockline_request;
typedef struct sockline_error_event {
    size_t size;
    int32_t status;
    int32_t http_status;
    sockline_string text;
    int32_t os_error;
    int32_t tls_error;
    const sockline_header *response_headers;
    size_t response_header_count;
    sockline_bytes response_body;
} sockline_error_event;
typedef struct sockline_close_event {
    size_t size;
    int32_t code;
    int32_t was_clean;
    sockline_string reason;
} sockline_close_event;
typedef struct sockline_reconnecting_event {
    size_t size;
    uint32_t attempt;
    int32_t code;
    uint64_t delay_ms;
    const sockline_error_event *error;
    sockline_string reason;
} sockline_reconnecting_event;
typedef struct sockline_attempt sockline_attempt;
typedef struct sockline_handlers {
    size_t size;
    void (*on_open)(sockline_ws ws, void *user_data);
    void (*on_message)(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data);
    void (*on_ping)(sockline_ws ws, const void *data, size_t len, void *user_data);
    void (*on_pong)(sockline_ws ws, const void *data, size_t len, void *user_data);
    void (*on_drain)(sockline_ws ws, void *user_data);
    void (*on_error)(sockline_ws ws, const sockline_error_event *event, void *user_data);
    void (*on_close)(sockline_ws ws, const sockline_close_event *event, void *user_data);
    void (*on_upgrade)(sockline_ws ws, const sockline_request *request, void *user_data);
    void (*on_server_closed)(sockline_server server, void *user_data);
    void (*on_reconnecting)(sockline_ws ws, const sockline_reconnecting_event *event, void *user_data);
    void (*on_attempt)(sockline_ws ws, sockline_attempt *attempt, void *user_data);
    void (*on_reconnected)(sockline_ws ws, void *user_data);
    void (*on_sent)(sockline_ws ws, void *token, int32_t outcome, void *user_data);
    void (*on_message_part)(sockline_ws ws,
                            int32_t type,
                            const void *data,
                            size_t len,
                            int32_t edges,
                            void *user_data);
} sockline_handlers;
typedef struct sockline_queued_event {
    size_t size;
    sockline_ws ws;
    void *user_data;
    int32_t kind;
    int32_t type;
    const void *data;
    size_t len;
    int32_t status;
    int32_t http_status;
    int32_t code;
    int32_t was_clean;
    sockline_string text;
    sockline_string reason;
    sockline_server server;
    const sockline_error_event *error;
    const sockline_request *request;
    const sockline_reconnecting_event *reconnecting;
    void *token;
    int32_t outcome;
    int32_t edges;
} sockline_queued_event;
typedef struct sockline_accept_options {
    size_t size;
    sockline_string subprotocol;
    const sockline_header *headers;
    size_t header_count;
    const sockline_handlers *handlers;
    void *user_data;
} sockline_accept_options;
typedef struct sockline_refusal {
    size_t size;
    uint64_t status;
    const sockline_header *headers;
    size_t header_count;
    const void *body;
    size_t body_len;
} sockline_refusal;
typedef struct sockline_timings {
    size_t size;
    int64_t dns_us;
    int64_t tcp_us;
    int64_t proxy_us;
    int64_t tls_us;
    int64_t upgrade_us;
} sockline_timings;
typedef struct sockline_tls_info {
    size_t size;
    int32_t version;
    int32_t resumed;
    char cipher_suite[64];
    char alpn[64];
    char server_name[256];
} sockline_tls_info;
typedef struct sockline_totals {
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t frames_in;
    uint64_t frames_out;
    uint64_t messages_in;
    uint64_t messages_out;
    uint64_t dropped;
    uint64_t buffered;
    uint64_t compressed_from;
    uint64_t compressed_to;
    uint64_t inflated_from;
    uint64_t inflated_to;
} sockline_totals;
typedef struct sockline_connection_metrics {
    size_t size;
    sockline_totals totals;
    int64_t latency_us;
} sockline_connection_metrics;
typedef struct sockline_loop_metrics {
    size_t size;
    uint64_t connections;
    uint64_t turns;
    sockline_totals totals;
    uint64_t empty_polls;
    uint64_t batches;
    uint64_t batched_sends;
} sockline_loop_metrics;
typedef struct sockline_server_metrics {
    size_t size;
    uint64_t connections;
    uint64_t accepted;
    uint64_t refused;
    uint64_t failed_handshakes;
    sockline_totals totals;
    uint64_t batched_sends;
} sockline_server_metrics;
typedef void (*sockline_log_function)(int32_t level, const char *text, void *user_data);
typedef enum sockline_io_transport {
    SOCKLINE_IO_POLLING = 1,
    SOCKLINE_IO_WEBSOCKET = 2,
} sockline_io_transport;
typedef enum sockline_io_parser {
    SOCKLINE_IO_JSON = 0,
    SOCKLINE_IO_MSGPACK = 1,
} sockline_io_parser;
typedef enum sockline_io_packet_type {
    SOCKLINE_IO_PACKET_CONNECT = 0,
    SOCKLINE_IO_PACKET_DISCONNECT = 1,
    SOCKLINE_IO_PACKET_EVENT = 2,
    SOCKLINE_IO_PACKET_ACK = 3,
    SOCKLINE_IO_PACKET_CONNECT_ERROR = 4,
} sockline_io_packet_type;
typedef struct sockline_io_packet {
    size_t size;
    int32_t packet_type;
    int32_t has_id;
    uint64_t id;
    sockline_string nsp;
    sockline_string payload;
    const sockline_bytes *attachments;
    size_t attachment_count;
} sockline_io_packet;
typedef struct sockline_io_limits {
    size_t size;
    size_t max_attachments;
    size_t max_bytes;
} sockline_io_limits;
typedef struct sockline_io_messages sockline_io_messages;
typedef struct sockline_io_custom_parser {
    size_t size;
    int32_t (*encode)(const sockline_io_packet *packet,
                      sockline_io_messages *messages,
                      void *user_data);
    void *(*new_decoder)(void *user_data);
    int32_t (*decode)(void *decoder,
                      int32_t message_type,
                      const void *data,
                      size_t len,
                      const sockline_io_limits *limits,
                      sockline_io_packet *packet,
                      void *user_data);
    void (*free_decoder)(void *decoder, void *user_data);
    void (*on_freed)(void *user_data);
    void *user_data;
} sockline_io_custom_parser;
typedef enum sockline_io_outcome {
    SOCKLINE_IO_ANSWERED = 0,
    SOCKLINE_IO_TIMEOUT = 1,
    SOCKLINE_IO_DISCONNECTED = 2,
} sockline_io_outcome;
typedef enum sockline_io_reason {
    SOCKLINE_IO_TRANSPORT_ERROR = 0,
    SOCKLINE_IO_TRANSPORT_CLOSE = 1,
    SOCKLINE_IO_PING_TIMEOUT = 2,
    SOCKLINE_IO_PARSE_ERROR = 3,
    SOCKLINE_IO_SERVER_NAMESPACE_DISCONNECT = 4,
    SOCKLINE_IO_CLIENT_NAMESPACE_DISCONNECT = 5,
    SOCKLINE_IO_SERVER_SHUTTING_DOWN = 6,
    SOCKLINE_IO_FORCED_CLOSE = 7,
    SOCKLINE_IO_FORCED_SERVER_CLOSE = 8,
} sockline_io_reason;
typedef enum sockline_io_client_reason {
    SOCKLINE_IO_SERVER_DISCONNECT = 0,
    SOCKLINE_IO_CLIENT_DISCONNECT = 1,
    SOCKLINE_IO_CLIENT_PING_TIMEOUT = 2,
    SOCKLINE_IO_CLIENT_TRANSPORT_CLOSE = 3,
    SOCKLINE_IO_CLIENT_TRANSPORT_ERROR = 4,
    SOCKLINE_IO_CLIENT_PARSE_ERROR = 5,
    SOCKLINE_IO_CLIENT_FORCED_CLOSE = 6,
} sockline_io_client_reason;
typedef enum sockline_io_room_event {
    SOCKLINE_IO_ROOM_CREATED = 0,
    SOCKLINE_IO_ROOM_JOINED = 1,
    SOCKLINE_IO_ROOM_LEFT = 2,
    SOCKLINE_IO_ROOM_DELETED = 3,
} sockline_io_room_event;
typedef struct sockline_io_cors {
    size_t size;
    const sockline_string *origins;
    size_t origin_count;
    int64_t credentials;
    sockline_string methods;
    sockline_string allowed_headers;
    sockline_string exposed_headers;
    uint64_t max_age;
} sockline_io_cors;
typedef struct sockline_io_cookie {
    size_t size;
    sockline_string name;
    sockline_string path;
    sockline_string domain;
    int64_t http_only;
    int64_t secure;
    sockline_string same_site;
    uint64_t max_age;
} sockline_io_cookie;
typedef struct sockline_io_recovery {
    size_t size;
    uint64_t max_disconnection_ms;
    int64_t skip_middlewares;
    uint64_t max_bytes;
} sockline_io_recovery;
typedef enum sockline_redis_mode {
    SOCKLINE_REDIS_CLASSIC = 0,
    SOCKLINE_REDIS_SHARDED = 1,
    SOCKLINE_REDIS_STREAMS = 2,
    SOCKLINE_REDIS_PYTHON_SOCKETIO = 3,
} sockline_redis_mode;
typedef enum sockline_redis_subscription {
    SOCKLINE_REDIS_DYNAMIC = 0,
    SOCKLINE_REDIS_STATIC = 1,
    SOCKLINE_REDIS_DYNAMIC_PRIVATE = 2,
} sockline_redis_subscription;
typedef struct sockline_redis_options {
    size_t size;
    sockline_string url;
    int64_t mode;
    sockline_string key;
    uint64_t requests_timeout_ms;
    int64_t publish_on_specific_response_channel;
    int64_t subscription_mode;
    sockline_string stream_name;
    uint64_t stream_count;
    uint64_t max_len;
    uint64_t read_count;
    sockline_string session_key_prefix;
    sockline_string ca_file;
    sockline_string certificate_file;
    sockline_string key_file;
    int64_t insecure;
    uint64_t command_timeout_ms;
    uint64_t ping_interval_ms;
    uint64_t max_queued;
    sockline_string channel;
    sockline_string sentinel_user;
    sockline_string sentinel_password;
    int64_t sentinel_tls;
} sockline_redis_options;
typedef struct sockline_redis_handlers {
    size_t size;
    void (*on_error)(sockline_string text, void *user_data);
    void (*on_connected)(void *user_data);
    void (*on_disconnected)(sockline_string why, void *user_data);
    void (*on_closed)(void *user_data);
    void (*on_freed)(void *user_data);
} sockline_redis_handlers;
typedef void (*sockline_redis_flushed)(sockline_status status, void *context);
typedef struct sockline_io_server_options {
    size_t size;
    sockline_string path;
    int64_t add_trailing_slash;
    uint64_t ping_interval_ms;
    uint64_t ping_timeout_ms;
    uint64_t upgrade_timeout_ms;
    uint64_t connect_timeout_ms;
    uint64_t max_http_buffer_size;
    uint64_t transports;
    int64_t allow_upgrades;
    int64_t allow_eio3;
    const sockline_io_cors *cors;
    const sockline_io_cookie *cookie;
    uint64_t http_compression;
    sockline_string client_folder;
    const sockline_settings *settings;
    const sockline_io_recovery *recovery;
    int64_t cleanup_empty_child_namespaces;
    int64_t parser;
    uint64_t max_attachments;
    const sockline_io_custom_parser *custom_parser;
    sockline_string adapter;
    sockline_redis *redis;
    int64_t forward_requests;
    int64_t ask_upgrades;
} sockline_io_server_options;
typedef struct sockline_io_admin_options {
    size_t size;
    sockline_string nsp;
    sockline_string username;
    sockline_string password_hash;
    int64_t no_auth;
    int64_t read_only;
    sockline_string server_id;
    int64_t is_production;
} sockline_io_admin_options;
typedef struct sockline_io_emit_options {
    size_t size;
    int64_t is_volatile;
    int64_t compress;
    int64_t wants_ack;
    void *token;
    uint64_t timeout_ms;
} sockline_io_emit_options;
typedef struct sockline_io_target {
    size_t size;
    sockline_io_namespace nsp;
    sockline_io_socket sender;
    const sockline_string *rooms;
    size_t room_count;
    const sockline_string *except;
    size_t except_count;
    int64_t is_volatile;
    int64_t compress;
    int64_t is_local;
    uint64_t timeout_ms;
} sockline_io_target;
typedef struct sockline_io_request {
    size_t size;
    sockline_string url;
    sockline_string address;
    const sockline_header *query;
    size_t query_count;
    const sockline_header *headers;
    size_t header_count;
    uint64_t issued_ms;
    int32_t is_secure;
    int32_t is_cross_domain;
    int32_t is_upgrade;
} sockline_io_request;
typedef struct sockline_io_event {
    size_t size;
    sockline_string name;
    sockline_string args;
    sockline_string array;
    const sockline_bytes *attachments;
    size_t attachment_count;
    sockline_io_ack ack;
} sockline_io_event;
typedef struct sockline_io_ack_event {
    size_t size;
    int32_t outcome;
    int32_t reserved;
    void *token;
    sockline_string args;
    const sockline_bytes *attachments;
    size_t attachment_count;
} sockline_io_ack_event;
typedef struct sockline_io_response {
    sockline_string args;
    const sockline_bytes *attachments;
    size_t attachment_count;
} sockline_io_response;
typedef struct sockline_io_broadcast_ack_event {
    size_t size;
    void *token;
    const sockline_io_response *responses;
    size_t response_count;
    size_t expected;
    int64_t timed_out;
} sockline_io_broadcast_ack_event;
typedef struct sockline_io_connection_error {
    size_t size;
    int64_t code;
    sockline_string message;
    const sockline_header *context;
    size_t context_count;
    const sockline_io_request *request;
} sockline_io_connection_error;
typedef struct sockline_io_headers sockline_io_headers;
typedef enum sockline_io_engine_packet_type {
    SOCKLINE_IO_ENGINE_OPEN = 0,
    SOCKLINE_IO_ENGINE_CLOSE = 1,
    SOCKLINE_IO_ENGINE_PING = 2,
    SOCKLINE_IO_ENGINE_PONG = 3,
    SOCKLINE_IO_ENGINE_MESSAGE = 4,
    SOCKLINE_IO_ENGINE_UPGRADE = 5,
    SOCKLINE_IO_ENGINE_NOOP = 6,
} sockline_io_engine_packet_type;
typedef struct sockline_io_engine_packet {
    size_t size;
    int32_t is_outgoing;
    int32_t packet_type;
    int32_t message_type;
    int32_t compress;
    sockline_bytes data;
} sockline_io_engine_packet;
typedef struct sockline_io_handlers {
    size_t size;
    void (*on_connection)(sockline_io_socket socket, void *user_data);
    void (*on_event)(sockline_io_socket socket, const sockline_io_event *event, void *user_data);
    void (*on_ack)(sockline_io_socket socket, const sockline_io_ack_event *event, void *user_data);
    void (*on_drain)(sockline_io_socket socket, void *user_data);
    void (*on_disconnecting)(sockline_io_socket socket, int32_t reason, void *user_data);
    void (*on_disconnect)(sockline_io_socket socket,
                          int32_t reason,
                          sockline_string detail,
                          void *user_data);
    void (*on_connecting)(sockline_io_question question, sockline_io_socket socket, void *user_data);
    void (*on_connect_abandoned)(sockline_io_socket socket, void *user_data);
    void (*on_namespace)(sockline_io_question question,
                         sockline_string name,
                         sockline_string auth,
                         const sockline_io_request *request,
                         void *user_data);
    void (*on_new_namespace)(sockline_io_namespace nsp, void *user_data);
    void (*on_request)(sockline_io_question question,
                       const sockline_io_request *request,
                       void *user_data);
    void (*on_headers)(const sockline_http_request *request,
                       int32_t is_initial,
                       sockline_io_headers *headers,
                       void *user_data);
    void (*on_connection_error)(const sockline_io_connection_error *error, void *user_data);
    void (*on_broadcast_ack)(sockline_io_namespace nsp,
                             const sockline_io_broadcast_ack_event *event,
                             void *user_data);
    void (*on_outgoing)(sockline_io_socket socket, const sockline_io_event *event, void *user_data);
    void (*on_upgrade)(sockline_io_socket socket, void *user_data);
    void (*on_room)(sockline_io_namespace nsp,
                    int32_t event,
                    sockline_string room,
                    sockline_string id,
                    void *user_data);
    void (*on_server_closed)(sockline_io_server server, void *user_data);
    void (*on_server_side_emit)(sockline_io_namespace nsp,
                                const sockline_io_event *event,
                                void *user_data);
    void (*on_packet)(sockline_string session_id,
                      const sockline_io_engine_packet *packet,
                      void *user_data);
} sockline_io_handlers;
typedef struct sockline_io_socket_details {
    size_t size;
    sockline_io_socket socket;
    sockline_string id;
    sockline_string handshake;
    sockline_string data;
    const sockline_string *rooms;
    size_t room_count;
} sockline_io_socket_details;
typedef struct sockline_io_metrics {
    size_t size;
    uint64_t clients;
    uint64_t polling_clients;
    uint64_t sessions;
    uint64_t sockets;
    uint64_t namespaces;
    uint64_t events_in;
    uint64_t events_out;
    uint64_t acks_in;
    uint64_t acks_out;
    uint64_t dropped;
    uint64_t recovered;
} sockline_io_metrics;
typedef void (*sockline_io_socket_visitor)(sockline_io_socket socket, void *context);
typedef void (*sockline_io_room_visitor)(sockline_string room, void *context);
typedef void (*sockline_io_sockets_found)(sockline_status status,
                                          const sockline_io_socket_details *sockets,
                                          size_t count,
                                          size_t missing,
                                          void *context);
typedef void (*sockline_io_names_found)(sockline_status status,
                                        const sockline_string *names,
                                        size_t count,
                                        size_t missing,
                                        void *context);
typedef void (*sockline_io_servers_answered)(sockline_status status,
                                             const sockline_io_response *responses,
                                             size_t count,
                                             size_t missing,
                                             void *context);
typedef void (*sockline_io_servers_counted)(sockline_status status, size_t count, void *context);
typedef struct sockline_emitter_target {
    size_t size;
    sockline_string nsp;
    const sockline_string *rooms;
    size_t room_count;
    const sockline_string *except;
    size_t except_count;
    int64_t is_volatile;
    int64_t compress;
} sockline_emitter_target;
typedef struct sockline_io_manager_options {
    size_t size;
    const sockline_options *options;
    sockline_string path;
    int64_t add_trailing_slash;
    uint64_t transports;
    int64_t websocket_first;
    int64_t upgrade;
    int64_t remember_upgrade;
    int64_t try_all_transports;
    const sockline_header *query;
    size_t query_count;
    int64_t force_base64;
    int64_t keep_cookies;
    uint64_t request_timeout_ms;
    int64_t reconnection;
    uint64_t reconnection_attempts;
    uint64_t reconnection_delay_ms;
    uint64_t reconnection_delay_max_ms;
    uint64_t randomization_percent;
    uint64_t timeout_ms;
    int64_t auto_connect;
    int64_t parser;
    uint64_t max_attachments;
    uint64_t send_buffer;
    const sockline_io_custom_parser *custom_parser;
} sockline_io_manager_options;
typedef struct sockline_io_socket_options {
    size_t size;
    sockline_string auth;
    int64_t ask_auth;
    uint64_t retries;
    uint64_t ack_timeout_ms;
} sockline_io_socket_options;
typedef struct sockline_io_connect_error {
    size_t size;
    sockline_string message;
    sockline_string data;
    const sockline_error_event *error;
} sockline_io_connect_error;
typedef struct sockline_io_client_handlers {
    size_t size;
    void (*on_connect)(sockline_io_client socket, void *user_data);
    void (*on_connect_error)(sockline_io_client socket,
                             const sockline_io_connect_error *error,
                             void *user_data);
    void (*on_event)(sockline_io_client socket, const sockline_io_event *event, void *user_data);
    void (*on_ack)(sockline_io_client socket, const sockline_io_ack_event *event, void *user_data);
    void (*on_disconnect)(sockline_io_client socket,
                          int32_t reason,
                          sockline_string detail,
                          void *user_data);
    void (*on_auth)(sockline_io_client socket, sockline_io_question question, void *user_data);
    void (*on_freed)(sockline_io_client socket, void *user_data);
} sockline_io_client_handlers;
typedef struct sockline_io_manager_handlers {
    size_t size;
    void (*on_open)(sockline_io_manager manager, void *user_data);
    void (*on_error)(sockline_io_manager manager, const sockline_error_event *error, void *user_data);
    void (*on_close)(sockline_io_manager manager,
                     int32_t reason,
                     sockline_string detail,
                     void *user_data);
    void (*on_ping)(sockline_io_manager manager, void *user_data);
    void (*on_upgrade)(sockline_io_manager manager, void *user_data);
    void (*on_upgrade_error)(sockline_io_manager manager,
                             const sockline_error_event *error,
                             void *user_data);
    void (*on_reconnect_scheduled)(sockline_io_manager manager,
                                   uint32_t attempt,
                                   uint64_t delay_ms,
                                   void *user_data);
    void (*on_reconnect_attempt)(sockline_io_manager manager, uint32_t attempt, void *user_data);
    void (*on_reconnect)(sockline_io_manager manager, uint32_t attempt, void *user_data);
    void (*on_reconnect_error)(sockline_io_manager manager,
                               const sockline_error_event *error,
                               void *user_data);
    void (*on_reconnect_failed)(sockline_io_manager manager, void *user_data);
    void (*on_drain)(sockline_io_manager manager, void *user_data);
    void (*on_freed)(sockline_io_manager manager, void *user_data);
    void (*on_packet)(sockline_io_manager manager,
                      const sockline_io_engine_packet *packet,
                      void *user_data);
} sockline_io_manager_handlers;
#ifdef __cplusplus
inline sockline_tcp_options sockline_tcp_options_init() {
    sockline_tcp_options fresh = sockline_tcp_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_TCP_OPTIONS_INIT sockline_tcp_options_init()
inline sockline_compression sockline_compression_init() {
    sockline_compression fresh = sockline_compression(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_COMPRESSION_INIT sockline_compression_init()
inline sockline_settings sockline_settings_init() {
    sockline_settings fresh = sockline_settings(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_SETTINGS_INIT sockline_settings_init()
inline sockline_tls_client_options sockline_tls_client_options_init() {
    sockline_tls_client_options fresh = sockline_tls_client_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_TLS_CLIENT_OPTIONS_INIT sockline_tls_client_options_init()
inline sockline_tls_server_options sockline_tls_server_options_init() {
    sockline_tls_server_options fresh = sockline_tls_server_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_TLS_SERVER_OPTIONS_INIT sockline_tls_server_options_init()
inline sockline_reconnect sockline_reconnect_init() {
    sockline_reconnect fresh = sockline_reconnect(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_RECONNECT_INIT sockline_reconnect_init()
inline sockline_send_options sockline_send_options_init() {
    sockline_send_options fresh = sockline_send_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_SEND_OPTIONS_INIT sockline_send_options_init()
inline sockline_connection_metrics sockline_connection_metrics_init() {
    sockline_connection_metrics fresh = sockline_connection_metrics(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_CONNECTION_METRICS_INIT sockline_connection_metrics_init()
inline sockline_loop_metrics sockline_loop_metrics_init() {
    sockline_loop_metrics fresh = sockline_loop_metrics(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_LOOP_METRICS_INIT sockline_loop_metrics_init()
inline sockline_server_metrics sockline_server_metrics_init() {
    sockline_server_metrics fresh = sockline_server_metrics(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_SERVER_METRICS_INIT sockline_server_metrics_init()
inline sockline_timings sockline_timings_init() {
    sockline_timings fresh = sockline_timings(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_TIMINGS_INIT sockline_timings_init()
inline sockline_tls_info sockline_tls_info_init() {
    sockline_tls_info fresh = sockline_tls_info(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_TLS_INFO_INIT sockline_tls_info_init()
inline sockline_loop_options sockline_loop_options_init() {
    sockline_loop_options fresh = sockline_loop_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_LOOP_OPTIONS_INIT sockline_loop_options_init()
inline sockline_dial sockline_dial_init() {
    sockline_dial fresh = sockline_dial(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_DIAL_INIT sockline_dial_init()
inline sockline_lookup sockline_lookup_init() {
    sockline_lookup fresh = sockline_lookup(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_LOOKUP_INIT sockline_lookup_init()
inline sockline_options sockline_options_init() {
    sockline_options fresh = sockline_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_OPTIONS_INIT sockline_options_init()
inline sockline_io_custom_parser sockline_io_custom_parser_init() {
    sockline_io_custom_parser fresh = sockline_io_custom_parser(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_CUSTOM_PARSER_INIT sockline_io_custom_parser_init()
inline sockline_io_cors sockline_io_cors_init() {
    sockline_io_cors fresh = sockline_io_cors(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_CORS_INIT sockline_io_cors_init()
inline sockline_io_cookie sockline_io_cookie_init() {
    sockline_io_cookie fresh = sockline_io_cookie(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_COOKIE_INIT sockline_io_cookie_init()
inline sockline_io_recovery sockline_io_recovery_init() {
    sockline_io_recovery fresh = sockline_io_recovery(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_RECOVERY_INIT sockline_io_recovery_init()
inline sockline_redis_options sockline_redis_options_init() {
    sockline_redis_options fresh = sockline_redis_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_REDIS_OPTIONS_INIT sockline_redis_options_init()
inline sockline_redis_handlers sockline_redis_handlers_init() {
    sockline_redis_handlers fresh = sockline_redis_handlers(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_REDIS_HANDLERS_INIT sockline_redis_handlers_init()
inline sockline_io_server_options sockline_io_server_options_init() {
    sockline_io_server_options fresh = sockline_io_server_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_SERVER_OPTIONS_INIT sockline_io_server_options_init()
inline sockline_io_admin_options sockline_io_admin_options_init() {
    sockline_io_admin_options fresh = sockline_io_admin_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_ADMIN_OPTIONS_INIT sockline_io_admin_options_init()
inline sockline_io_emit_options sockline_io_emit_options_init() {
    sockline_io_emit_options fresh = sockline_io_emit_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_EMIT_OPTIONS_INIT sockline_io_emit_options_init()
inline sockline_io_target sockline_io_target_init() {
    sockline_io_target fresh = sockline_io_target(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_TARGET_INIT sockline_io_target_init()
inline sockline_emitter_target sockline_emitter_target_init() {
    sockline_emitter_target fresh = sockline_emitter_target(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_EMITTER_TARGET_INIT sockline_emitter_target_init()
inline sockline_io_metrics sockline_io_metrics_init() {
    sockline_io_metrics fresh = sockline_io_metrics(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_METRICS_INIT sockline_io_metrics_init()
inline sockline_io_handlers sockline_io_handlers_init() {
    sockline_io_handlers fresh = sockline_io_handlers(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_HANDLERS_INIT sockline_io_handlers_init()
inline sockline_io_manager_options sockline_io_manager_options_init() {
    sockline_io_manager_options fresh = sockline_io_manager_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_MANAGER_OPTIONS_INIT sockline_io_manager_options_init()
inline sockline_io_socket_options sockline_io_socket_options_init() {
    sockline_io_socket_options fresh = sockline_io_socket_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_SOCKET_OPTIONS_INIT sockline_io_socket_options_init()
inline sockline_io_client_handlers sockline_io_client_handlers_init() {
    sockline_io_client_handlers fresh = sockline_io_client_handlers(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_CLIENT_HANDLERS_INIT sockline_io_client_handlers_init()
inline sockline_io_manager_handlers sockline_io_manager_handlers_init() {
    sockline_io_manager_handlers fresh = sockline_io_manager_handlers(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_IO_MANAGER_HANDLERS_INIT sockline_io_manager_handlers_init()
inline sockline_http_request sockline_http_request_init() {
    sockline_http_request fresh = sockline_http_request(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_HTTP_REQUEST_INIT sockline_http_request_init()
inline sockline_route sockline_route_init() {
    sockline_route fresh = sockline_route(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_ROUTE_INIT sockline_route_init()
inline sockline_server_options sockline_server_options_init() {
    sockline_server_options fresh = sockline_server_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_SERVER_OPTIONS_INIT sockline_server_options_init()
inline sockline_handlers sockline_handlers_init() {
    sockline_handlers fresh = sockline_handlers(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_HANDLERS_INIT sockline_handlers_init()
inline sockline_accept_options sockline_accept_options_init() {
    sockline_accept_options fresh = sockline_accept_options(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_ACCEPT_OPTIONS_INIT sockline_accept_options_init()
inline sockline_refusal sockline_refusal_init() {
    sockline_refusal fresh = sockline_refusal(); fresh.size = sizeof(fresh); return fresh;
}
#define SOCKLINE_REFUSAL_INIT sockline_refusal_init()
#else
#define SOCKLINE_TCP_OPTIONS_INIT {.size = sizeof(sockline_tcp_options)}
#define SOCKLINE_COMPRESSION_INIT {.size = sizeof(sockline_compression)}
#define SOCKLINE_SETTINGS_INIT {.size = sizeof(sockline_settings)}
#define SOCKLINE_TLS_CLIENT_OPTIONS_INIT {.size = sizeof(sockline_tls_client_options)}
#define SOCKLINE_TLS_SERVER_OPTIONS_INIT {.size = sizeof(sockline_tls_server_options)}
#define SOCKLINE_RECONNECT_INIT {.size = sizeof(sockline_reconnect)}
#define SOCKLINE_SEND_OPTIONS_INIT {.size = sizeof(sockline_send_options)}
#define SOCKLINE_CONNECTION_METRICS_INIT {.size = sizeof(sockline_connection_metrics)}
#define SOCKLINE_LOOP_METRICS_INIT {.size = sizeof(sockline_loop_metrics)}
#define SOCKLINE_SERVER_METRICS_INIT {.size = sizeof(sockline_server_metrics)}
#define SOCKLINE_TIMINGS_INIT {.size = sizeof(sockline_timings)}
#define SOCKLINE_TLS_INFO_INIT {.size = sizeof(sockline_tls_info)}
#define SOCKLINE_LOOP_OPTIONS_INIT {.size = sizeof(sockline_loop_options)}
#define SOCKLINE_DIAL_INIT {.size = sizeof(sockline_dial)}
#define SOCKLINE_LOOKUP_INIT {.size = sizeof(sockline_lookup)}
#define SOCKLINE_OPTIONS_INIT {.size = sizeof(sockline_options)}
#define SOCKLINE_IO_CUSTOM_PARSER_INIT {.size = sizeof(sockline_io_custom_parser)}
#define SOCKLINE_IO_CORS_INIT {.size = sizeof(sockline_io_cors)}
#define SOCKLINE_IO_COOKIE_INIT {.size = sizeof(sockline_io_cookie)}
#define SOCKLINE_IO_RECOVERY_INIT {.size = sizeof(sockline_io_recovery)}
#define SOCKLINE_REDIS_OPTIONS_INIT {.size = sizeof(sockline_redis_options)}
#define SOCKLINE_REDIS_HANDLERS_INIT {.size = sizeof(sockline_redis_handlers)}
#define SOCKLINE_IO_SERVER_OPTIONS_INIT {.size = sizeof(sockline_io_server_options)}
#define SOCKLINE_IO_ADMIN_OPTIONS_INIT {.size = sizeof(sockline_io_admin_options)}
#define SOCKLINE_IO_EMIT_OPTIONS_INIT {.size = sizeof(sockline_io_emit_options)}
#define SOCKLINE_IO_TARGET_INIT {.size = sizeof(sockline_io_target)}
#define SOCKLINE_EMITTER_TARGET_INIT {.size = sizeof(sockline_emitter_target)}
#define SOCKLINE_IO_METRICS_INIT {.size = sizeof(sockline_io_metrics)}
#define SOCKLINE_IO_HANDLERS_INIT {.size = sizeof(sockline_io_handlers)}
#define SOCKLINE_IO_MANAGER_OPTIONS_INIT {.size = sizeof(sockline_io_manager_options)}
#define SOCKLINE_IO_SOCKET_OPTIONS_INIT {.size = sizeof(sockline_io_socket_options)}
#define SOCKLINE_IO_CLIENT_HANDLERS_INIT {.size = sizeof(sockline_io_client_handlers)}
#define SOCKLINE_IO_MANAGER_HANDLERS_INIT {.size = sizeof(sockline_io_manager_handlers)}
#define SOCKLINE_HTTP_REQUEST_INIT {.size = sizeof(sockline_http_request)}
#define SOCKLINE_ROUTE_INIT {.size = sizeof(sockline_route)}
#define SOCKLINE_SERVER_OPTIONS_INIT {.size = sizeof(sockline_server_options)}
#define SOCKLINE_HANDLERS_INIT {.size = sizeof(sockline_handlers)}
#define SOCKLINE_ACCEPT_OPTIONS_INIT {.size = sizeof(sockline_accept_options)}
#define SOCKLINE_REFUSAL_INIT {.size = sizeof(sockline_refusal)}
#endif
static inline sockline_string sockline_str(const char *text) {
    sockline_string string = {text, 0};
    while (text && text[string.len]) string.len++;
    return string;
}
const char *sockline_version(void);
uint32_t sockline_version_number(void);
const char *sockline_status_name(sockline_status status);
const char *sockline_status_text(sockline_status status);
const char *sockline_last_error_text(void);
sockline_status sockline_set_log(int32_t level, sockline_log_function log_function, void *user_data);
sockline_status sockline_log(int32_t level, const char *text, size_t len);
sockline_status sockline_loop_new(const sockline_loop_options *options, sockline_loop **made);
sockline_status sockline_loop_run(sockline_loop *loop);
sockline_status sockline_loop_start(sockline_loop *loop);
int sockline_loop_fd(sockline_loop *loop);
int64_t sockline_loop_next_timeout(sockline_loop *loop);
sockline_status sockline_loop_poll(sockline_loop *loop, int64_t timeout_ms);
sockline_status sockline_loop_wait(sockline_loop *loop, int64_t timeout_ms);
sockline_status sockline_loop_spin(sockline_loop *loop, int64_t timeout_ms);
sockline_status sockline_loop_flush(sockline_loop *loop);
sockline_status sockline_loop_wake(sockline_loop *loop);
sockline_status sockline_loop_stop(sockline_loop *loop);
sockline_status sockline_loop_shutdown(sockline_loop *loop, uint64_t within_ms);
void sockline_loop_free(sockline_loop *loop);
sockline_status sockline_tls_client_new(const sockline_tls_client_options *options, sockline_tls **tls);
sockline_status sockline_tls_server_new(const sockline_tls_server_options *options, sockline_tls **tls);
sockline_status sockline_tls_reload(sockline_tls *tls, const sockline_identity *identities, size_t identity_count);
void sockline_tls_free(sockline_tls *tls);
sockline_status sockline_connect(
    sockline_loop *loop,
    const char *url,
    const sockline_options *options,
    const sockline_handlers *handlers,
    void *user_data,
    sockline_ws *ws);
sockline_status sockline_dial_connected(sockline_dialing dialing, int64_t descriptor, int32_t is_secured);
sockline_status sockline_dial_failed(sockline_dialing dialing, sockline_string why);
sockline_status sockline_lookup_add(sockline_addresses *addresses, sockline_string address);
sockline_status sockline_lookup_failed(sockline_addresses *addresses, sockline_string why);
sockline_status sockline_set_handlers(sockline_ws ws, const sockline_handlers *handlers, void *user_data);
sockline_status sockline_send(sockline_ws ws, int32_t type, const void *data, size_t len);
sockline_status sockline_send_with(
    sockline_ws ws,
    int32_t type,
    const void *data,
    size_t len,
    const sockline_send_options *options);
sockline_status sockline_send_part(sockline_ws ws, int32_t type, const void *data, size_t len, int32_t is_last);
sockline_status sockline_ping(sockline_ws ws, const void *data, size_t len);
sockline_status sockline_pong(sockline_ws ws, const void *data, size_t len);
sockline_status sockline_pause(sockline_ws ws);
sockline_status sockline_resume(sockline_ws ws);
void *sockline_user_data(sockline_ws ws);
int32_t sockline_ready_state(sockline_ws ws);
uint64_t sockline_buffered_amount(sockline_ws ws);
int64_t sockline_latency(sockline_ws ws);
size_t sockline_protocol(sockline_ws ws, char *buffer, size_t capacity);
size_t sockline_extensions(sockline_ws ws, char *buffer, size_t capacity);
size_t sockline_url(sockline_ws ws, char *buffer, size_t capacity);
size_t sockline_remote_address(sockline_ws ws, char *buffer, size_t capacity);
size_t sockline_local_address(sockline_ws ws, char *buffer, size_t capacity);
size_t sockline_response_header(sockline_ws ws, sockline_string name, char *buffer, size_t capacity);
size_t sockline_sent_header(sockline_ws ws, sockline_string name, char *buffer, size_t capacity);
size_t sockline_sent_headers(sockline_ws ws, char *buffer, size_t capacity);
sockline_status sockline_ws_timings(sockline_ws ws, sockline_timings *timings);
sockline_status sockline_ws_tls_info(sockline_ws ws, sockline_tls_info *info);
size_t sockline_ws_peer_certificate(sockline_ws ws, void *buffer, size_t capacity);
sockline_status sockline_close(sockline_ws ws, int32_t code, const char *reason, size_t len);
sockline_status sockline_terminate(sockline_ws ws);
uint32_t sockline_attempt_number(const sockline_attempt *attempt);
sockline_status sockline_attempt_set_url(sockline_attempt *attempt, const char *url);
sockline_status sockline_attempt_set_header(sockline_attempt *attempt, sockline_string name, sockline_string value);
sockline_status sockline_listen(
    sockline_loop *loop,
    const sockline_server_options *options,
    const sockline_handlers *handlers,
    void *user_data,
    sockline_server *server);
uint16_t sockline_server_port(sockline_server server);
size_t sockline_server_address(sockline_server server, char *buffer, size_t capacity);
sockline_string sockline_request_header(const sockline_request *request, sockline_string name);
sockline_status sockline_accept(sockline_ws ws, const sockline_accept_options *options);
sockline_status sockline_refuse(sockline_ws ws, const sockline_refusal *refusal);
sockline_status sockline_broadcast(sockline_server server, int32_t type, const void *data, size_t len);
sockline_status sockline_respond(
    sockline_exchange exchange,
    int32_t status,
    const sockline_header *headers,
    size_t header_count,
    const void *body,
    size_t body_len);
sockline_status sockline_pass(sockline_exchange exchange);
sockline_status sockline_server_handle_request(
    sockline_server server,
    const sockline_http_request *request,
    sockline_answered answered,
    void *user_data,
    sockline_exchange *exchange);
sockline_status sockline_upgraded(sockline_exchange exchange, int64_t descriptor, const void *rest, size_t rest_len);
sockline_status sockline_cut(sockline_exchange exchange);
sockline_status sockline_server_adopt(
    sockline_server server,
    int64_t descriptor,
    const sockline_http_request *request,
    const void *rest,
    size_t rest_len);
sockline_status sockline_server_close(sockline_server server, int32_t code, const char *reason, size_t len);
sockline_status sockline_server_drain(sockline_server server, uint64_t deadline_ms);
sockline_status sockline_io_server_new(
    sockline_loop *loop,
    const sockline_io_server_options *options,
    const sockline_io_handlers *handlers,
    void *user_data,
    sockline_io_server *server);
sockline_status sockline_io_answer_request(sockline_io_question question, int32_t allow, sockline_string message);
sockline_status sockline_io_allow_request_as(sockline_io_question question, sockline_string session_id);
sockline_status sockline_io_deny_bad_request(sockline_io_question question, sockline_string name);
sockline_status sockline_io_respond(
    sockline_io_question question,
    int32_t status,
    const sockline_header *headers,
    size_t header_count,
    const void *body,
    size_t body_len);
sockline_status sockline_io_add_header(sockline_io_headers *headers, sockline_string name, sockline_string value);
sockline_status sockline_io_add_message(
    sockline_io_messages *messages,
    int32_t message_type,
    const void *data,
    size_t len);
sockline_status sockline_io_enable_admin(sockline_io_server server, const sockline_io_admin_options *options);
sockline_status sockline_io_server_get_metrics(sockline_io_server server, sockline_io_metrics *metrics);
sockline_status sockline_io_server_send_to_session(
    sockline_io_server server,
    sockline_string session_id,
    int32_t message_type,
    const void *data,
    size_t len,
    int32_t compress);
sockline_status sockline_io_server_close_session(
    sockline_io_server server,
    sockline_string session_id,
    int32_t discard);
sockline_status sockline_io_server_close(sockline_io_server server);
sockline_status sockline_io_of(sockline_io_server server, sockline_string name, sockline_io_namespace *nsp);
sockline_status sockline_io_answer_namespace(sockline_io_question question, int32_t allow);
size_t sockline_io_namespace_name(sockline_io_namespace nsp, char *buffer, size_t capacity);
sockline_status sockline_io_namespace_emit(
    sockline_io_namespace nsp,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);
size_t sockline_io_namespace_count(sockline_io_namespace nsp);
sockline_status sockline_io_namespace_socket(sockline_io_namespace nsp, sockline_string id, sockline_io_socket *socket);
sockline_status sockline_io_namespace_sockets(
    sockline_io_namespace nsp,
    sockline_io_socket_visitor visit,
    void *context);
sockline_status sockline_io_namespace_rooms(sockline_io_namespace nsp, sockline_io_room_visitor visit, void *context);
sockline_status sockline_io_allow_connection(sockline_io_question question);
sockline_status sockline_io_deny_connection(
    sockline_io_question question,
    sockline_string message,
    sockline_string data);
sockline_status sockline_io_emit(
    sockline_io_socket socket,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count,
    const sockline_io_emit_options *options);
sockline_status sockline_io_ack_send(
    sockline_io_ack ack,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);
sockline_status sockline_io_join(sockline_io_socket socket, const sockline_string *rooms, size_t room_count);
sockline_status sockline_io_leave(sockline_io_socket socket, sockline_string room);
sockline_status sockline_io_socket_rooms(sockline_io_socket socket, sockline_io_room_visitor visit, void *context);
size_t sockline_io_socket_id(sockline_io_socket socket, char *buffer, size_t capacity);
size_t sockline_io_socket_session_id(sockline_io_socket socket, char *buffer, size_t capacity);
sockline_io_namespace sockline_io_socket_namespace(sockline_io_socket socket);
sockline_status sockline_io_socket_request(
    sockline_io_socket socket,
    void (*read)(const sockline_io_request *request,
    void *context),
    void *context);
size_t sockline_io_socket_auth(sockline_io_socket socket, char *buffer, size_t capacity);
size_t sockline_io_socket_data(sockline_io_socket socket, char *buffer, size_t capacity);
sockline_status sockline_io_socket_set_data(sockline_io_socket socket, sockline_string data);
void *sockline_io_socket_user_data(sockline_io_socket socket);
sockline_status sockline_io_socket_set_user_data(sockline_io_socket socket, void *user_data);
int32_t sockline_io_socket_connected(sockline_io_socket socket);
int32_t sockline_io_socket_recovered(sockline_io_socket socket);
int32_t sockline_io_socket_transport(sockline_io_socket socket);
uint64_t sockline_io_socket_buffered_amount(sockline_io_socket socket);
sockline_status sockline_io_socket_hear_outgoing(sockline_io_socket socket, int32_t hear);
sockline_status sockline_io_socket_disconnect(sockline_io_socket socket, int32_t close);
const char *sockline_io_reason_text(int32_t reason);
sockline_status sockline_io_broadcast_emit(
    const sockline_io_target *target,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);
sockline_status sockline_io_broadcast_emit_with_ack(
    const sockline_io_target *target,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count,
    void *token);
sockline_status sockline_io_broadcast_join(
    const sockline_io_target *target,
    const sockline_string *rooms,
    size_t room_count);
sockline_status sockline_io_broadcast_leave(
    const sockline_io_target *target,
    const sockline_string *rooms,
    size_t room_count);
sockline_status sockline_io_broadcast_disconnect(const sockline_io_target *target, int32_t close);
sockline_status sockline_io_fetch_sockets(
    const sockline_io_target *target,
    sockline_io_sockets_found found,
    void *context);
sockline_status sockline_redis_new(
    const sockline_redis_options *options,
    const sockline_redis_handlers *handlers,
    void *user_data,
    sockline_redis **redis);
int32_t sockline_redis_connected(const sockline_redis *redis);
uint64_t sockline_redis_dropped(const sockline_redis *redis);
sockline_status sockline_redis_flush(sockline_redis *redis, sockline_redis_flushed flushed, void *context);
sockline_status sockline_redis_close(sockline_redis *redis);
void sockline_redis_free(sockline_redis *redis);
sockline_status sockline_io_server_side_emit(
    sockline_io_namespace nsp,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);
sockline_status sockline_io_server_side_emit_with_ack(
    sockline_io_namespace nsp,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count,
    sockline_io_servers_answered answered,
    void *context);
sockline_status sockline_io_server_ack_send(
    sockline_io_ack ack,
    sockline_string value,
    const sockline_bytes *attachments,
    size_t attachment_count);
sockline_status sockline_io_all_sockets(
    sockline_io_namespace nsp,
    const sockline_string *rooms,
    size_t room_count,
    sockline_io_names_found found,
    void *context);
sockline_status sockline_io_all_rooms(sockline_io_namespace nsp, sockline_io_names_found found, void *context);
sockline_status sockline_io_server_count(sockline_io_namespace nsp, sockline_io_servers_counted counted, void *context);
sockline_status sockline_emitter_new(sockline_redis *redis, sockline_string url, sockline_emitter **emitter);
sockline_status sockline_emitter_emit(
    sockline_emitter *emitter,
    const sockline_emitter_target *target,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);
sockline_status sockline_emitter_join(
    sockline_emitter *emitter,
    const sockline_emitter_target *target,
    const sockline_string *rooms,
    size_t room_count);
sockline_status sockline_emitter_leave(
    sockline_emitter *emitter,
    const sockline_emitter_target *target,
    const sockline_string *rooms,
    size_t room_count);
sockline_status sockline_emitter_disconnect(
    sockline_emitter *emitter,
    const sockline_emitter_target *target,
    int32_t close);
sockline_status sockline_emitter_server_side_emit(
    sockline_emitter *emitter,
    sockline_string nsp,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);
sockline_status sockline_emitter_publish(
    sockline_emitter *emitter,
    const char *topic,
    size_t topic_len,
    int32_t type,
    const void *data,
    size_t len);
sockline_status sockline_emitter_flush(sockline_emitter *emitter, sockline_redis_flushed flushed, void *context);
void sockline_emitter_free(sockline_emitter *emitter);
sockline_status sockline_io_connect(
    sockline_loop *loop,
    const char *url,
    const sockline_io_manager_options *options,
    const sockline_io_socket_options *socket_options,
    const sockline_io_client_handlers *handlers,
    void *user_data,
    sockline_io_client *socket);
sockline_status sockline_io_client_emit(
    sockline_io_client socket,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count,
    const sockline_io_emit_options *options);
sockline_status sockline_io_client_ack_send(
    sockline_io_ack ack,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);
sockline_status sockline_io_answer_auth(sockline_io_question question, sockline_string auth);
sockline_status sockline_io_client_set_auth(sockline_io_client socket, sockline_string auth);
sockline_status sockline_io_client_connect(sockline_io_client socket);
sockline_status sockline_io_client_disconnect(sockline_io_client socket);
int32_t sockline_io_client_connected(sockline_io_client socket);
int32_t sockline_io_client_active(sockline_io_client socket);
int32_t sockline_io_client_recovered(sockline_io_client socket);
size_t sockline_io_client_id(sockline_io_client socket, char *buffer, size_t capacity);
size_t sockline_io_client_send_buffer_len(sockline_io_client socket);
sockline_status sockline_io_client_clear_send_buffer(sockline_io_client socket);
sockline_io_manager sockline_io_client_manager(sockline_io_client socket);
sockline_status sockline_io_client_free(sockline_io_client socket);
const char *sockline_io_client_reason_text(int32_t reason);
sockline_status sockline_io_manager_new(
    sockline_loop *loop,
    const char *url,
    const sockline_io_manager_options *options,
    const sockline_io_manager_handlers *handlers,
    void *user_data,
    sockline_io_manager *manager);
sockline_status sockline_io_manager_socket(
    sockline_io_manager manager,
    sockline_string name,
    const sockline_io_socket_options *options,
    const sockline_io_client_handlers *handlers,
    void *user_data,
    sockline_io_client *socket);
sockline_status sockline_io_manager_open(sockline_io_manager manager);
sockline_status sockline_io_manager_close(sockline_io_manager manager);
sockline_status sockline_io_manager_send_message(
    sockline_io_manager manager,
    int32_t message_type,
    const void *data,
    size_t len,
    int32_t compress);
sockline_status sockline_io_manager_set_reconnection(sockline_io_manager manager, int32_t enabled);
int32_t sockline_io_manager_transport(sockline_io_manager manager);
uint64_t sockline_io_manager_buffered_amount(sockline_io_manager manager);
sockline_status sockline_io_manager_free(sockline_io_manager manager);
sockline_status sockline_subscribe(sockline_ws ws, const char *filter, size_t len);
sockline_status sockline_unsubscribe(sockline_ws ws, const char *filter, size_t len);
sockline_status sockline_publish(
    sockline_ws ws,
    const char *topic,
    size_t topic_len,
    int32_t type,
    const void *data,
    size_t len,
    int32_t include_self);
sockline_status sockline_server_publish(
    sockline_server server,
    const char *topic,
    size_t topic_len,
    int32_t type,
    const void *data,
    size_t len);
sockline_status sockline_ws_metrics(sockline_ws ws, sockline_connection_metrics *metrics);
sockline_status sockline_loop_get_metrics(sockline_loop *loop, sockline_loop_metrics *metrics);
sockline_status sockline_server_get_metrics(sockline_server server, sockline_server_metrics *metrics);
size_t sockline_server_metrics_text(sockline_server server, char *buffer, size_t capacity);
void sockline_set_memory_budget(uint64_t bytes);
uint64_t sockline_memory_in_use(void);
sockline_status sockline_queue_new(
    uint64_t max_events,
    uint64_t max_bytes,
    void (*doorbell)(void *user_data),
    void *user_data,
    sockline_queue **queue);
sockline_status sockline_queue_pop(sockline_queue *queue, const sockline_queued_event **event);
void sockline_queue_free(sockline_queue *queue);
#ifdef __cplusplus
}
#endif
#endif
