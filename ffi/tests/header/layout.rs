//! The order of the header: types first, then functions by object, in the order of their lives.

pub struct Section {
    pub title: &'static str,
    pub names: &'static [&'static str],
}

/// After this section, all types are there, and their initialisers follow.
pub const TYPES_END: &str = "Types: Socket.IO";

pub const LAYOUT: &[Section] = &[
    Section {
        title: "Types: objects",
        names: &[
            "sockline_loop",
            "sockline_ws",
            "sockline_server",
            "sockline_queue",
            "sockline_tls",
            "sockline_io_server",
            "sockline_io_namespace",
            "sockline_io_socket",
            "sockline_io_manager",
            "sockline_io_client",
            "sockline_io_ack",
            "sockline_io_question",
            "sockline_redis",
            "sockline_emitter",
        ],
    },
    Section {
        title: "Types: values",
        names: &[
            "sockline_status",
            "sockline_status_code",
            "sockline_message_type",
            "sockline_part_edges",
            "sockline_state",
            "sockline_event_kind",
            "sockline_log_level",
            "sockline_string",
            "sockline_header",
            "sockline_bytes",
            "sockline_tls_version",
            "sockline_tls_error",
            "sockline_slow_consumer",
            "sockline_send_outcome",
            "sockline_identity",
        ],
    },
    Section {
        title: "Types: options",
        names: &[
            "SOCKLINE_UNLIMITED",
            "sockline_tcp_options",
            "sockline_compression",
            "sockline_settings",
            "sockline_tls_client_options",
            "sockline_tls_server_options",
            "sockline_reconnect",
            "sockline_send_options",
            "sockline_loop_options",
            "sockline_options",
            "sockline_exchange",
            "sockline_http_request",
            "sockline_http_answer",
            "sockline_answered",
            "sockline_route",
            "sockline_server_options",
        ],
    },
    Section {
        title: "Types: events and callbacks",
        names: &[
            "sockline_request",
            "sockline_error_event",
            "sockline_close_event",
            "sockline_reconnecting_event",
            "sockline_attempt",
            "sockline_handlers",
            "sockline_queued_event",
            "sockline_accept_options",
            "sockline_refusal",
            "sockline_timings",
            "sockline_tls_info",
            "sockline_totals",
            "sockline_connection_metrics",
            "sockline_loop_metrics",
            "sockline_server_metrics",
            "sockline_log_function",
        ],
    },
    Section {
        title: TYPES_END,
        names: &[
            "sockline_io_transport",
            "sockline_io_parser",
            "sockline_io_packet_type",
            "sockline_io_packet",
            "sockline_io_limits",
            "sockline_io_messages",
            "sockline_io_custom_parser",
            "sockline_io_outcome",
            "sockline_io_reason",
            "sockline_io_client_reason",
            "sockline_io_room_event",
            "sockline_io_cors",
            "sockline_io_cookie",
            "sockline_io_recovery",
            "sockline_redis_mode",
            "sockline_redis_subscription",
            "sockline_redis_options",
            "sockline_redis_handlers",
            "sockline_redis_flushed",
            "sockline_io_server_options",
            "sockline_io_admin_options",
            "sockline_io_emit_options",
            "sockline_io_target",
            "sockline_io_request",
            "sockline_io_event",
            "sockline_io_ack_event",
            "sockline_io_response",
            "sockline_io_broadcast_ack_event",
            "sockline_io_connection_error",
            "sockline_io_headers",
            "sockline_io_handlers",
            "sockline_io_socket_details",
            "sockline_io_metrics",
            "sockline_io_socket_visitor",
            "sockline_io_room_visitor",
            "sockline_io_sockets_found",
            "sockline_io_names_found",
            "sockline_io_servers_answered",
            "sockline_io_servers_counted",
            "sockline_emitter_target",
            "sockline_io_manager_options",
            "sockline_io_socket_options",
            "sockline_io_connect_error",
            "sockline_io_client_handlers",
            "sockline_io_manager_handlers",
        ],
    },
    Section {
        title: "Library",
        names: &[
            "sockline_version",
            "sockline_version_number",
            "sockline_status_name",
            "sockline_status_text",
            "sockline_last_error_text",
            "sockline_set_log",
            "sockline_log",
        ],
    },
    Section {
        title: "Loops",
        names: &[
            "sockline_loop_new",
            "sockline_loop_run",
            "sockline_loop_start",
            "sockline_loop_fd",
            "sockline_loop_next_timeout",
            "sockline_loop_poll",
            "sockline_loop_spin",
            "sockline_loop_flush",
            "sockline_loop_wake",
            "sockline_loop_stop",
            "sockline_loop_shutdown",
            "sockline_loop_free",
        ],
    },
    Section {
        title: "TLS",
        names: &[
            "sockline_tls_client_new",
            "sockline_tls_server_new",
            "sockline_tls_reload",
            "sockline_tls_free",
        ],
    },
    Section {
        title: "Connections",
        names: &[
            "sockline_connect",
            "sockline_set_handlers",
            "sockline_send",
            "sockline_send_with",
            "sockline_send_part",
            "sockline_ping",
            "sockline_pong",
            "sockline_pause",
            "sockline_resume",
            "sockline_user_data",
            "sockline_ready_state",
            "sockline_buffered_amount",
            "sockline_latency",
            "sockline_protocol",
            "sockline_extensions",
            "sockline_url",
            "sockline_remote_address",
            "sockline_local_address",
            "sockline_response_header",
            "sockline_sent_header",
            "sockline_sent_headers",
            "sockline_ws_timings",
            "sockline_ws_tls_info",
            "sockline_ws_peer_certificate",
            "sockline_close",
            "sockline_terminate",
        ],
    },
    Section {
        title: "Attempts to connect again",
        names: &[
            "sockline_attempt_number",
            "sockline_attempt_set_url",
            "sockline_attempt_set_header",
        ],
    },
    Section {
        title: "Servers",
        names: &[
            "sockline_listen",
            "sockline_server_port",
            "sockline_server_address",
            "sockline_request_header",
            "sockline_accept",
            "sockline_refuse",
            "sockline_broadcast",
            "sockline_respond",
            "sockline_pass",
            "sockline_server_handle_request",
            "sockline_upgraded",
            "sockline_cut",
            "sockline_server_adopt",
            "sockline_server_close",
            "sockline_server_drain",
        ],
    },
    Section {
        title: "Socket.IO: servers",
        names: &[
            "sockline_io_server_new",
            "sockline_io_answer_request",
            "sockline_io_add_header",
            "sockline_io_add_message",
            "sockline_io_enable_admin",
            "sockline_io_server_get_metrics",
            "sockline_io_server_close_session",
            "sockline_io_server_close",
        ],
    },
    Section {
        title: "Socket.IO: namespaces",
        names: &[
            "sockline_io_of",
            "sockline_io_answer_namespace",
            "sockline_io_namespace_name",
            "sockline_io_namespace_emit",
            "sockline_io_namespace_count",
            "sockline_io_namespace_socket",
            "sockline_io_namespace_sockets",
            "sockline_io_namespace_rooms",
        ],
    },
    Section {
        title: "Socket.IO: sockets",
        names: &[
            "sockline_io_allow_connection",
            "sockline_io_deny_connection",
            "sockline_io_emit",
            "sockline_io_ack_send",
            "sockline_io_join",
            "sockline_io_leave",
            "sockline_io_socket_rooms",
            "sockline_io_socket_id",
            "sockline_io_socket_session_id",
            "sockline_io_socket_namespace",
            "sockline_io_socket_request",
            "sockline_io_socket_auth",
            "sockline_io_socket_data",
            "sockline_io_socket_set_data",
            "sockline_io_socket_user_data",
            "sockline_io_socket_set_user_data",
            "sockline_io_socket_connected",
            "sockline_io_socket_recovered",
            "sockline_io_socket_transport",
            "sockline_io_socket_buffered_amount",
            "sockline_io_socket_hear_outgoing",
            "sockline_io_socket_disconnect",
            "sockline_io_reason_text",
        ],
    },
    Section {
        title: "Socket.IO: many sockets",
        names: &[
            "sockline_io_broadcast_emit",
            "sockline_io_broadcast_emit_with_ack",
            "sockline_io_broadcast_join",
            "sockline_io_broadcast_leave",
            "sockline_io_broadcast_disconnect",
            "sockline_io_fetch_sockets",
        ],
    },
    Section {
        title: "Socket.IO: a cluster",
        names: &[
            "sockline_redis_new",
            "sockline_redis_connected",
            "sockline_redis_dropped",
            "sockline_redis_flush",
            "sockline_redis_close",
            "sockline_redis_free",
            "sockline_io_server_side_emit",
            "sockline_io_server_side_emit_with_ack",
            "sockline_io_server_ack_send",
            "sockline_io_all_sockets",
            "sockline_io_all_rooms",
            "sockline_io_server_count",
        ],
    },
    Section {
        title: "Socket.IO: emitters",
        names: &[
            "sockline_emitter_new",
            "sockline_emitter_emit",
            "sockline_emitter_join",
            "sockline_emitter_leave",
            "sockline_emitter_disconnect",
            "sockline_emitter_server_side_emit",
            "sockline_emitter_publish",
            "sockline_emitter_flush",
            "sockline_emitter_free",
        ],
    },
    Section {
        title: "Socket.IO: clients",
        names: &[
            "sockline_io_connect",
            "sockline_io_client_emit",
            "sockline_io_client_ack_send",
            "sockline_io_answer_auth",
            "sockline_io_client_set_auth",
            "sockline_io_client_connect",
            "sockline_io_client_disconnect",
            "sockline_io_client_connected",
            "sockline_io_client_active",
            "sockline_io_client_recovered",
            "sockline_io_client_id",
            "sockline_io_client_send_buffer_len",
            "sockline_io_client_clear_send_buffer",
            "sockline_io_client_manager",
            "sockline_io_client_free",
            "sockline_io_client_reason_text",
        ],
    },
    Section {
        title: "Socket.IO: managers",
        names: &[
            "sockline_io_manager_new",
            "sockline_io_manager_socket",
            "sockline_io_manager_open",
            "sockline_io_manager_close",
            "sockline_io_manager_set_reconnection",
            "sockline_io_manager_transport",
            "sockline_io_manager_buffered_amount",
            "sockline_io_manager_free",
        ],
    },
    Section {
        title: "Topics",
        names: &[
            "sockline_subscribe",
            "sockline_unsubscribe",
            "sockline_publish",
            "sockline_server_publish",
        ],
    },
    Section {
        title: "Counters",
        names: &[
            "sockline_ws_metrics",
            "sockline_loop_get_metrics",
            "sockline_server_get_metrics",
            "sockline_server_metrics_text",
            "sockline_set_memory_budget",
            "sockline_memory_in_use",
        ],
    },
    Section {
        title: "Queues",
        names: &["sockline_queue_new", "sockline_queue_pop", "sockline_queue_free"],
    },
];

/// Structs that a program makes.
const MADE: &[(&str, &str)] = &[
    ("SOCKLINE_TCP_OPTIONS_INIT", "sockline_tcp_options"),
    ("SOCKLINE_COMPRESSION_INIT", "sockline_compression"),
    ("SOCKLINE_SETTINGS_INIT", "sockline_settings"),
    ("SOCKLINE_TLS_CLIENT_OPTIONS_INIT", "sockline_tls_client_options"),
    ("SOCKLINE_TLS_SERVER_OPTIONS_INIT", "sockline_tls_server_options"),
    ("SOCKLINE_RECONNECT_INIT", "sockline_reconnect"),
    ("SOCKLINE_SEND_OPTIONS_INIT", "sockline_send_options"),
    ("SOCKLINE_CONNECTION_METRICS_INIT", "sockline_connection_metrics"),
    ("SOCKLINE_LOOP_METRICS_INIT", "sockline_loop_metrics"),
    ("SOCKLINE_SERVER_METRICS_INIT", "sockline_server_metrics"),
    ("SOCKLINE_TIMINGS_INIT", "sockline_timings"),
    ("SOCKLINE_TLS_INFO_INIT", "sockline_tls_info"),
    ("SOCKLINE_LOOP_OPTIONS_INIT", "sockline_loop_options"),
    ("SOCKLINE_OPTIONS_INIT", "sockline_options"),
    ("SOCKLINE_IO_CUSTOM_PARSER_INIT", "sockline_io_custom_parser"),
    ("SOCKLINE_IO_CORS_INIT", "sockline_io_cors"),
    ("SOCKLINE_IO_COOKIE_INIT", "sockline_io_cookie"),
    ("SOCKLINE_IO_RECOVERY_INIT", "sockline_io_recovery"),
    ("SOCKLINE_REDIS_OPTIONS_INIT", "sockline_redis_options"),
    ("SOCKLINE_REDIS_HANDLERS_INIT", "sockline_redis_handlers"),
    ("SOCKLINE_IO_SERVER_OPTIONS_INIT", "sockline_io_server_options"),
    ("SOCKLINE_IO_ADMIN_OPTIONS_INIT", "sockline_io_admin_options"),
    ("SOCKLINE_IO_EMIT_OPTIONS_INIT", "sockline_io_emit_options"),
    ("SOCKLINE_IO_TARGET_INIT", "sockline_io_target"),
    ("SOCKLINE_EMITTER_TARGET_INIT", "sockline_emitter_target"),
    ("SOCKLINE_IO_METRICS_INIT", "sockline_io_metrics"),
    ("SOCKLINE_IO_HANDLERS_INIT", "sockline_io_handlers"),
    ("SOCKLINE_IO_MANAGER_OPTIONS_INIT", "sockline_io_manager_options"),
    ("SOCKLINE_IO_SOCKET_OPTIONS_INIT", "sockline_io_socket_options"),
    ("SOCKLINE_IO_CLIENT_HANDLERS_INIT", "sockline_io_client_handlers"),
    (
        "SOCKLINE_IO_MANAGER_HANDLERS_INIT",
        "sockline_io_manager_handlers",
    ),
    ("SOCKLINE_HTTP_REQUEST_INIT", "sockline_http_request"),
    ("SOCKLINE_ROUTE_INIT", "sockline_route"),
    ("SOCKLINE_SERVER_OPTIONS_INIT", "sockline_server_options"),
    ("SOCKLINE_HANDLERS_INIT", "sockline_handlers"),
    ("SOCKLINE_ACCEPT_OPTIONS_INIT", "sockline_accept_options"),
    ("SOCKLINE_REFUSAL_INIT", "sockline_refusal"),
];

/// What cbindgen can't say: functions and macros that are compiled into the program.
pub fn initialisers() -> String {
    let mut out = String::from(
        "/*\n * Initialisers: sockline_options options = SOCKLINE_OPTIONS_INIT; sets size, and all else to 0.\n */\n\n",
    );
    out += "#ifdef __cplusplus\n";
    for (macro_name, name) in MADE {
        let body = format!("{name} fresh = {name}(); fresh.size = sizeof(fresh); return fresh;");
        out += &format!("inline {name} {name}_init() {{\n    {body}\n}}\n");
        out += &format!("#define {macro_name} {name}_init()\n");
    }
    out += "#else\n";
    for (macro_name, name) in MADE {
        out += &format!("#define {macro_name} {{.size = sizeof({name})}}\n");
    }
    out += "#endif\n\n";
    out += "/** A text that is ended by a NUL, as a sockline_string; NULL gives the empty one. Borrowed from text. Any thread. */\n";
    out += "static inline sockline_string sockline_str(const char *text) {\n";
    out += "    sockline_string string = {text, 0};\n";
    out += "    while (text && text[string.len]) string.len++;\n";
    out += "    return string;\n}\n\n";
    out
}

/// The version of the header, which is the package's.
pub fn version() -> String {
    let [major, minor, patch] = ["MAJOR", "MINOR", "PATCH"].map(|part| format!("SOCKLINE_VERSION_{part}"));
    let mut out = String::from(
        "/*\n * Version of this header. The library that a program meets may be a newer one: sockline_version tells.\n */\n\n",
    );
    out += &format!("#define {major} {}\n", env!("CARGO_PKG_VERSION_MAJOR"));
    out += &format!("#define {minor} {}\n", env!("CARGO_PKG_VERSION_MINOR"));
    out += &format!("#define {patch} {}\n", env!("CARGO_PKG_VERSION_PATCH"));
    out += &format!("#define SOCKLINE_VERSION \"{}\"\n\n", env!("CARGO_PKG_VERSION"));
    out += "/** A version as one number that can be compared, as sockline_version_number returns it. */\n";
    out += "#define SOCKLINE_MAKE_VERSION(major, minor, patch) ((major) << 16 | (minor) << 8 | (patch))\n";
    out += &format!("#define SOCKLINE_VERSION_NUMBER SOCKLINE_MAKE_VERSION({major}, {minor}, {patch})\n\n");
    out
}
