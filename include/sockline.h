/*
 * sockline: one native engine for live connections. WebSocket client and server in C.
 *
 * The smallest client:
 *
 *     static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
 *         printf("%.*s\n", (int)len, (const char *)data);
 *     }
 *
 *     sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
 *     handlers.on_message = on_message;
 *     sockline_connect(NULL, "ws://localhost:3000/", NULL, &handlers, NULL, NULL);
 *
 * How to read this header. First come the types, then the functions, object by object in the order of their lives.
 *
 *   Objects     Connections and servers are numbers; a call on one that has ended returns SOCKLINE_ERR_CLOSED and
 *               touches nothing. Loops and queues are pointers and have to be freed.
 *   Statuses    Calls that can fail return a sockline_status: 0 or above is success, below 0 an error, and then
 *               nothing has happened. sockline_last_error_text() says more. What goes wrong later comes in on_error.
 *   Structs     begin with their size. Start from the struct's INIT macro and set what you need; what is left at 0
 *               has its default. So a program goes on working with a newer library, and with an older one unless it
 *               uses what that doesn't have: then it is told so by SOCKLINE_ERR_INVALID_ARGUMENT.
 *   Strings     are UTF-8, given as pointer and length, and not necessarily ended by a NUL. A const char * without a
 *               length is ended by a NUL.
 *   Ownership   owned: yours to free. borrowed until: don't use it after. copied: the library has its own.
 *               consumed: don't use it any more.
 *   NULL        is an error where nothing is said of it, and never a crash.
 *   Threads     Each function's text ends with its rule. Any thread: call it anywhere, at any time; it never blocks
 *               and never runs a callback, unless its text says so. Loop thread: only on the thread that turns the
 *               loop. Calls on the loop's thread act at once; calls from other threads are queued, in order, and wake
 *               the loop.
 *   Forks       Loops don't survive a fork; in the child, calls return SOCKLINE_ERR_FORKED.
 *   Signals     The library raises no SIGPIPE, and its threads take no signals.
 */

#ifndef SOCKLINE_H
#define SOCKLINE_H


#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Version of this header. The library that a program meets may be a newer one: sockline_version tells.
 */

#define SOCKLINE_VERSION_MAJOR 0
#define SOCKLINE_VERSION_MINOR 1
#define SOCKLINE_VERSION_PATCH 0
#define SOCKLINE_VERSION "0.1.0"

/** A version as one number that can be compared, as sockline_version_number returns it. */
#define SOCKLINE_MAKE_VERSION(major, minor, patch) ((major) << 16 | (minor) << 8 | (patch))
#define SOCKLINE_VERSION_NUMBER SOCKLINE_MAKE_VERSION(SOCKLINE_VERSION_MAJOR, SOCKLINE_VERSION_MINOR, SOCKLINE_VERSION_PATCH)

/*
 * Types: objects
 */

/**
 * A loop: one thread's worth of connections and servers. It is a pointer and has to be freed.
 *
 * There are three ways to turn it: sockline_loop_run on a thread of yours, sockline_loop_start on a thread of the
 * library's own, or sockline_loop_fd, _next_timeout and _poll from another event loop. Callbacks run on the thread
 * that turns the loop. Where a loop is asked for, NULL means the library's default loop, which is started at first
 * use, never freed, and does not keep the process from ending.
 */
typedef struct sockline_loop sockline_loop;

/**
 * A connection: a number below 2^53, never 0, never given out twice.
 *
 * Copy it freely, keep it as long as you like, use it on any thread. A call on a connection that has ended returns
 * SOCKLINE_ERR_CLOSED and touches nothing, so there is nothing to free.
 */
typedef uint64_t sockline_ws;

/**
 * A listening server: a number like sockline_ws, with the same rules. The one can't be taken for the other: that is
 * SOCKLINE_ERR_WRONG_HANDLE.
 */
typedef uint64_t sockline_server;

/**
 * A queue: the events of any number of connections, to be pulled by a thread of yours, for programs whose code should
 * not run on the loop's thread. Give it to sockline_connect or sockline_listen in their options, instead of handlers.
 *
 * It is a pointer and has to be freed. When it is full, a connection that brings an event is paused, and resumed once
 * half of the queue has been pulled: nothing is lost, and the peer feels it. Leave sockline_pause and sockline_resume
 * of these connections to the queue.
 */
typedef struct sockline_queue sockline_queue;

/**
 * How connections are secured: made once for clients or for a server, and given to any number of sockline_connect or
 * sockline_listen. Clients that share one resume each other's sessions, which spares a part of the handshake.
 *
 * It is a pointer and has to be freed; connections and servers keep what they need, so that may be done at once.
 */
typedef struct sockline_tls sockline_tls;

/** A Socket.IO server: a number like sockline_ws, with the same rules. */
typedef uint64_t sockline_io_server;

/**
 * A namespace of a Socket.IO server: a number like sockline_ws, with the same rules. It lives as long as its server, or, if
 * clients have made it, as the server's options say.
 */
typedef uint64_t sockline_io_namespace;

/**
 * One client in one namespace, on the server's side: a number like sockline_ws, with the same rules. It ends with
 * on_disconnect, or with on_connect_abandoned.
 */
typedef uint64_t sockline_io_socket;

/**
 * A client's connection, which its sockets share: a number like sockline_ws, with the same rules, until
 * sockline_io_manager_free.
 */
typedef uint64_t sockline_io_manager;

/**
 * A client's socket, one namespace of a manager's connection: a number like sockline_ws, with the same rules, until
 * sockline_io_client_free. It outlives connections that are lost.
 */
typedef uint64_t sockline_io_client;

/**
 * The answer that the other side waits for: a number, to be used once by sockline_io_ack_send, sockline_io_client_ack_send or
 * sockline_io_server_ack_send. It ends by that, and with the connection that it came over; there is nothing to free.
 */
typedef uint64_t sockline_io_ack;

/**
 * A question that waits for its answer: a number, to be used once, now or later, on any thread, by the function that its
 * callback names. It ends by that, and with the client that it is about; calls then return
 * SOCKLINE_ERR_ALREADY_ANSWERED.
 */
typedef uint64_t sockline_io_question;

/**
 * A connection to Redis, over which servers of one cluster reach each other's clients. It is for one Socket.IO server, by
 * sockline_io_server_options.redis, and any number of listeners, by sockline_server_options.redis, and emitters.
 *
 * It is a pointer and has to be freed; servers and emitters keep what they need, so that may be done at once.
 */
typedef struct sockline_redis sockline_redis;

/**
 * Sends events to the clients of a cluster from a process that needs no server, as npm's @socket.io/redis-emitter. The servers
 * have to be in mode SOCKLINE_REDIS_CLASSIC, with the same key. If its sockline_redis is in mode SOCKLINE_REDIS_PYTHON_SOCKETIO it
 * speaks as a write-only manager of python-socketio, to servers in that mode with the same channel. Nobody tells whether a server was
 * there. It publishes to topics, too.
 *
 * It is a pointer and has to be freed.
 */
typedef struct sockline_emitter sockline_emitter;

/**
 * A connection that is wanted of the application: a number, to be used once, now or later, on any thread, by
 * sockline_dial_connected or sockline_dial_failed. It ends by that alone: also what nobody waits for any more, since its client
 * was closed or its time is over, has to be answered, else it is kept for ever.
 */
typedef uint64_t sockline_dialing;

/*
 * Types: values
 */

/** What a call returns: one of enum sockline_status_code. 0 and above: done. Below 0: refused, nothing has happened. */
typedef int32_t sockline_status;

/** The statuses. A number is never reused and never removed; later versions may add some. */
typedef enum sockline_status_code {
    /** Done, or on its way. */
    SOCKLINE_OK = 0,
    /** The message was accepted, but more than the high-water mark waits to be sent: wait for on_drain. */
    SOCKLINE_OVER_MARK = 1,
    /** The loop was stopped, or shut down and done: don't turn it again. */
    SOCKLINE_STOPPED = 2,
    /** Nothing waits in the queue: its doorbell rings for the next event. */
    SOCKLINE_EMPTY = 3,
    /** The call was right, but the policy for slow consumers dropped the message. */
    SOCKLINE_DROPPED = 4,
    /** An argument is out of range, malformed, NULL where it may not be, or contradicts another one. */
    SOCKLINE_ERR_INVALID_ARGUMENT = -1,
    /** The URL can't be parsed, or asks for what WebSocket URLs don't have (RFC 6455 section 3). */
    SOCKLINE_ERR_INVALID_URL = -2,
    /** The connection is not open (it is still connecting, or closing), so the call can't be done now. */
    SOCKLINE_ERR_NOT_OPEN = -3,
    /** The handle's connection or server has ended. */
    SOCKLINE_ERR_CLOSED = -4,
    /** The handle is of another kind: a server's where a connection's is needed, or none at all. */
    SOCKLINE_ERR_WRONG_HANDLE = -5,
    /** A text message, a close reason or another text is not valid UTF-8. */
    SOCKLINE_ERR_INVALID_UTF8 = -6,
    /** The close code may not be sent (RFC 6455 section 7.4). */
    SOCKLINE_ERR_INVALID_CLOSE_CODE = -7,
    /** A ping, a pong or a close reason is longer than a control frame can be (RFC 6455 section 5.5). */
    SOCKLINE_ERR_CONTROL_TOO_LONG = -8,
    /** More than the hard limit already waits to be sent; the message was not queued. */
    SOCKLINE_ERR_OUTBOX_FULL = -9,
    /** The loop is being turned by another thread, or by this call's own caller. */
    SOCKLINE_ERR_LOOP_BUSY = -10,
    /** The system or the handle table has no room for another loop, connection or server. */
    SOCKLINE_ERR_OUT_OF_RESOURCES = -11,
    /** The address can't be listened on. */
    SOCKLINE_ERR_LISTEN_FAILED = -12,
    /** The system refused an operation on a socket or a file. */
    SOCKLINE_ERR_IO = -13,
    /** The host name has no address. Comes in on_error. */
    SOCKLINE_ERR_NAME_NOT_RESOLVED = -14,
    /** No connection could be made to any of the host's addresses. Comes in on_error. */
    SOCKLINE_ERR_CONNECT_FAILED = -15,
    /** Connecting, or the opening handshake, took longer than its timeout. Comes in on_error. */
    SOCKLINE_ERR_HANDSHAKE_TIMEOUT = -16,
    /** The peer's part of the opening handshake breaks RFC 6455 section 4. Comes in on_error. */
    SOCKLINE_ERR_HANDSHAKE_FAILED = -17,
    /** The server answered the opening handshake with another status than 101. Comes in on_error. */
    SOCKLINE_ERR_REFUSED = -18,
    /** The peer broke the protocol after the opening handshake (RFC 6455 section 7.1.7). Comes in on_error. */
    SOCKLINE_ERR_PROTOCOL = -19,
    /** Nothing came from the peer within the ping timeout. Comes in on_error. */
    SOCKLINE_ERR_PEER_DEAD = -20,
    /** The closing handshake took longer than its timeout. Comes in on_error. */
    SOCKLINE_ERR_CLOSE_TIMEOUT = -21,
    /** The process was forked after a loop had been made; loops don't survive a fork. */
    SOCKLINE_ERR_FORKED = -22,
    /** This build or platform doesn't have the feature. */
    SOCKLINE_ERR_UNSUPPORTED = -23,
    /** The upgrade request was already answered. */
    SOCKLINE_ERR_ALREADY_ANSWERED = -24,
    /** The TLS handshake failed, or the peer's certificate could not be trusted. Comes in on_error. */
    SOCKLINE_ERR_TLS = -25,
    /** The proxy could not be reached, or refused to connect to the host. Comes in on_error. */
    SOCKLINE_ERR_PROXY = -26,
    /** A redirect was not followed: there were too many, or it led where it must not. Comes in on_error. */
    SOCKLINE_ERR_REDIRECT = -27,
    /** A message is being sent in parts: its last part has to come before another message. */
    SOCKLINE_ERR_MESSAGE_UNFINISHED = -28,
    /** The process's memory budget for waiting messages is used up; the message was not queued. */
    SOCKLINE_ERR_MEMORY_BUDGET = -29,
    /** A topic or topic filter is not valid (MQTT 3.1.1 section 4.7). */
    SOCKLINE_ERR_TOPIC = -30,
    /** A bug of the library was caught at its border; the connection or call that met it is lost, nothing else. */
    SOCKLINE_ERR_INTERNAL = -99,
} sockline_status_code;

/** What a message is. The numbers are the opcodes of RFC 6455. */
typedef enum sockline_message_type {
    /** UTF-8 text. */
    SOCKLINE_TEXT = 1,
    /** Any bytes. */
    SOCKLINE_BINARY = 2,
} sockline_message_type;

/** Where in its message a part is; bits. */
typedef enum sockline_part_edges {
    /** It begins the message. */
    SOCKLINE_PART_FIRST = 1,
    /** It ends the message. */
    SOCKLINE_PART_LAST = 2,
} sockline_part_edges;

/** How far a connection is. The numbers are those of the browser's WebSocket.readyState. */
typedef enum sockline_state {
    /** The connection is being made, or a client's request waits for its answer. */
    SOCKLINE_CONNECTING = 0,
    /** Messages can be sent. */
    SOCKLINE_OPEN = 1,
    /** One side has begun to close. */
    SOCKLINE_CLOSING = 2,
    /** The connection has ended. */
    SOCKLINE_CLOSED = 3,
} sockline_state;

/** What a queued event tells: the callback of sockline_handlers that would have told it. */
typedef enum sockline_event_kind {
    /** on_open. */
    SOCKLINE_EVENT_OPEN = 1,
    /** on_message; see type, data and len. */
    SOCKLINE_EVENT_MESSAGE = 2,
    /** on_ping; see data and len. */
    SOCKLINE_EVENT_PING = 3,
    /** on_pong; see data and len. */
    SOCKLINE_EVENT_PONG = 4,
    /** on_drain. */
    SOCKLINE_EVENT_DRAIN = 5,
    /** on_error; see status, http_status and text. */
    SOCKLINE_EVENT_ERROR = 6,
    /** on_close; see code, was_clean and reason. The last event of its connection. */
    SOCKLINE_EVENT_CLOSE = 7,
    /** on_upgrade, for servers with queue_upgrades; see request. Answer with sockline_accept or sockline_refuse. */
    SOCKLINE_EVENT_UPGRADE = 8,
    /** on_server_closed; see server. The last event of its server, after those of its connections. */
    SOCKLINE_EVENT_SERVER_CLOSED = 9,
    /** on_sent; see token and outcome. */
    SOCKLINE_EVENT_SENT = 10,
    /** on_reconnecting; see reconnecting. (on_attempt has to be answered at once, so it is not queued.) */
    SOCKLINE_EVENT_RECONNECTING = 11,
    /** on_reconnected. */
    SOCKLINE_EVENT_RECONNECTED = 12,
    /** on_message_part; see type, data, len and edges. */
    SOCKLINE_EVENT_MESSAGE_PART = 13,
} sockline_event_kind;

/** How important a log line is. */
typedef enum sockline_log_level {
    /** No lines at all. */
    SOCKLINE_LOG_OFF = 0,
    /** Something failed that nobody is told otherwise. */
    SOCKLINE_LOG_ERROR = 1,
    /** Something was lost or refused, such as messages that nobody took. */
    SOCKLINE_LOG_WARN = 2,
    /** What an operator may want to know. */
    SOCKLINE_LOG_INFO = 3,
    /** What a developer may want to know. */
    SOCKLINE_LOG_DEBUG = 4,
} sockline_log_level;

/**
 * Text as pointer and length, in UTF-8, not necessarily ended by a NUL. Make one with sockline_str("text").
 *
 * As an argument, an empty string ({NULL, 0}) means: not given. Its bytes are copied before the call returns.
 */
typedef struct sockline_string {
    /** The first byte; may be NULL if len is 0. To print it: printf("%.*s", (int)s.len, s.data). */
    const char *data;
    /** The number of bytes. */
    size_t len;
} sockline_string;

/** One line of an HTTP head. */
typedef struct sockline_header {
    /** The name; in a request from a client it is in lower case. */
    sockline_string name;
    /** The value, without the blanks around it. */
    sockline_string value;
} sockline_header;

/** Any bytes as pointer and length, such as a certificate. They are copied before the call returns. */
typedef struct sockline_bytes {
    /** The first byte; may be NULL if len is 0. */
    const void *data;
    /** The number of bytes. */
    size_t len;
} sockline_bytes;

/** Versions of TLS, by their numbers on the wire. */
typedef enum sockline_tls_version {
    /** RFC 5246. */
    SOCKLINE_TLS_1_2 = 771,
    /** RFC 8446. */
    SOCKLINE_TLS_1_3 = 772,
} sockline_tls_version;

/** What was wrong with TLS, for SOCKLINE_ERR_TLS. Later versions may add some. */
typedef enum sockline_tls_error {
    /** The certificate is not valid any more. */
    SOCKLINE_TLS_EXPIRED = 1,
    /** The certificate is not valid yet. */
    SOCKLINE_TLS_NOT_YET_VALID = 2,
    /** The certificate is for other names. */
    SOCKLINE_TLS_WRONG_NAME = 3,
    /** The certificate was issued by nobody but its owner, and is not trusted by itself. */
    SOCKLINE_TLS_SELF_SIGNED = 4,
    /** What issued the certificate came along, up to a root that is not trusted. */
    SOCKLINE_TLS_UNTRUSTED_ROOT = 5,
    /** Certificates that lead on came along, but they lead to no root that is trusted. */
    SOCKLINE_TLS_INCOMPLETE_CHAIN = 6,
    /** Who issued the certificate is not known, and nothing else came along. */
    SOCKLINE_TLS_UNKNOWN_ISSUER = 7,
    /** The certificate was revoked. */
    SOCKLINE_TLS_REVOKED = 8,
    /** The certificate is malformed, wrongly signed, or for another purpose. */
    SOCKLINE_TLS_BAD_CERTIFICATE = 9,
    /** None of the chain's keys is among the pins. */
    SOCKLINE_TLS_NOT_PINNED = 10,
    /** The peer has ended TLS with an alert; the text says which. */
    SOCKLINE_TLS_ALERT = 11,
    /** What came is not TLS. */
    SOCKLINE_TLS_NOT_TLS = 12,
    /** Something else; the text says what. */
    SOCKLINE_TLS_OTHER = 99,
} sockline_tls_error;

/**
 * What becomes of messages to a peer that doesn't take them fast enough, once more than the hard limit waits already.
 * Control frames are exempt.
 */
typedef enum sockline_slow_consumer {
    /** sockline_send fails with SOCKLINE_ERR_OUTBOX_FULL; a broadcast passes the connection by. */
    SOCKLINE_SLOW_ERROR = 0,
    /** The message is dropped: sockline_send says SOCKLINE_DROPPED. */
    SOCKLINE_SLOW_DROP_NEWEST = 1,
    /**
     * It is taken, and the oldest messages that have not begun to leave are dropped until no more than the limit waits
     * before it: where the latest state is all that counts.
     */
    SOCKLINE_SLOW_DROP_OLDEST = 2,
    /**
     * It is dropped, and so are all that have not begun to leave. The connection is closed with 1008, and on_error says
     * SOCKLINE_ERR_OUTBOX_FULL before on_close.
     */
    SOCKLINE_SLOW_CLOSE = 3,
} sockline_slow_consumer;

/** What has become of a message that was sent with wants_result. */
typedef enum sockline_send_outcome {
    /** The system has taken its last byte. Whether the peer gets it is not known. */
    SOCKLINE_SENT_TAKEN = 0,
    /** The policy for slow consumers has dropped it. */
    SOCKLINE_SENT_DROPPED = 1,
    /** Its deadline has passed before it began to leave. */
    SOCKLINE_SENT_EXPIRED = 2,
    /** The connection has ended before all of it had left. */
    SOCKLINE_SENT_FAILED = 3,
} sockline_send_outcome;

/** A certificate with its key. Copied by the call that takes it. */
typedef struct sockline_identity {
    /** The certificate, and after it those that lead towards a root: PEM, or a single one as DER. */
    sockline_bytes certificates;
    /** The private key of the first certificate, not encrypted: PEM or DER (PKCS #8, PKCS #1 or SEC 1). */
    sockline_bytes private_key;
} sockline_identity;

/*
 * Types: options
 */

/** In sockline_settings and in options: no such limit, or no such timeout. */
#define SOCKLINE_UNLIMITED 18446744073709551615ull

/**
 * Options of a TCP socket; a Unix socket has none of them. Those of a server are its listener's, from which its
 * connections inherit them. Start from SOCKLINE_TCP_OPTIONS_INIT; a field of 0 means its default.
 */
typedef struct sockline_tcp_options {
    /** sizeof(sockline_tcp_options), as the INIT macro sets it. */
    size_t size;
    /**
     * The system probes the peer when nothing has come for so many milliseconds (SO_KEEPALIVE), at least 1,000. Pings
     * do more: they reach through proxies. Default: no probes.
     */
    uint64_t keep_alive_ms;
    /**
     * The connection fails when the peer has acknowledged nothing for so many milliseconds of what was sent
     * (TCP_USER_TIMEOUT; Linux only). Default: the system's own.
     */
    uint64_t user_timeout_ms;
    /**
     * The size of the system's buffer for what is sent, in bytes (SO_SNDBUF). Default: left to the system, which
     * knows better for nearly all.
     */
    uint64_t send_buffer;
    /** The same for what is received (SO_RCVBUF). */
    uint64_t receive_buffer;
    /**
     * Whether small messages go out without waiting for the peer's acknowledgement of the one before (TCP_NODELAY): 1,
     * the default, or -1 for not.
     */
    int64_t no_delay;
} sockline_tcp_options;

/**
 * How messages are compressed where both ends agree on permessage-deflate (RFC 7692). Start from
 * SOCKLINE_COMPRESSION_INIT; a field of 0 means its default.
 *
 * A context is the window of what went before, which a message may refer to. Keeping it between messages makes similar
 * messages much smaller, and costs memory for each connection: a compressor takes 128 KiB, 4 bytes for each of its
 * window's, and 2^(memory_level + 9) times 3.5. An end that keeps none borrows its loop's compressor while it needs
 * one.
 */
typedef struct sockline_compression {
    /** sizeof(sockline_compression), as the INIT macro sets it. */
    size_t size;
    /**
     * Messages of this length in bytes and more are compressed, shorter ones not: they would hardly get shorter.
     * Default: 1,024.
     */
    uint64_t threshold;
    /** zlib's level: 1 is the fastest, 9 the smallest. Default: 2. */
    uint32_t level;
    /** zlib's memory level, 1 to 9. Default: 8. */
    uint32_t memory_level;
    /**
     * Whether the server keeps no context between messages: 1, a server's default, or -1, a client's, which then doesn't
     * ask for it.
     */
    int32_t server_no_context_takeover;
    /**
     * Whether the client keeps no context between messages: 1, a server's default, which then demands it, or -1, a
     * client's.
     */
    int32_t client_no_context_takeover;
    /** The base-2 logarithm of the server's window, 9 to 15. Default: 15. */
    uint32_t server_max_window_bits;
    /** The same of the client's. Default: 15. */
    uint32_t client_max_window_bits;
} sockline_compression;

/**
 * What one connection may take and keep, and how long it may be silent. Start from SOCKLINE_SETTINGS_INIT; a field
 * of 0 means its default, and SOCKLINE_UNLIMITED turns it off.
 */
typedef struct sockline_settings {
    /** sizeof(sockline_settings), as the INIT macro sets it. */
    size_t size;
    /**
     * The longest message to accept, in bytes; a longer one fails the connection with 1009. Default: 16 MiB for
     * clients, 1 MiB for servers.
     */
    uint64_t max_message;
    /** A ping goes out when nothing has come for so many milliseconds. Default: 20,000. */
    uint64_t ping_interval_ms;
    /** The peer is given up when nothing has come for so many milliseconds after that ping. Default: 20,000. */
    uint64_t ping_timeout_ms;
    /** The connection is cut when the closing handshake takes longer, in milliseconds. Default: 5,000. */
    uint64_t close_timeout_ms;
    /**
     * When more than this many bytes wait, sockline_send says SOCKLINE_OVER_MARK, and on_drain follows at half of it.
     * Default: 1 MiB.
     */
    uint64_t high_water_mark;
    /**
     * When more than this many bytes wait already, sockline_send fails with SOCKLINE_ERR_OUTBOX_FULL. Not below
     * high_water_mark. Default: 16 MiB.
     */
    uint64_t hard_limit;
    /** What the system does with the TCP socket; NULL for the defaults. */
    const sockline_tcp_options *tcp;
    /**
     * Compress messages with permessage-deflate (RFC 7692), if the peer agrees. Default: NULL, which neither offers nor
     * accepts it.
     */
    const sockline_compression *compression;
    /**
     * What becomes of messages over the hard limit, as one of enum sockline_slow_consumer. Default:
     * SOCKLINE_SLOW_ERROR.
     */
    int64_t slow_consumer;
    /**
     * 1 has messages come in parts, as soon as they are there: on_message_part instead of on_message. max_message still
     * limits the whole. Default: whole messages.
     */
    int64_t message_parts;
} sockline_settings;

/**
 * How a client secures its connections. Start from SOCKLINE_TLS_CLIENT_OPTIONS_INIT; a field of 0 means its default.
 */
typedef struct sockline_tls_client_options {
    /** sizeof(sockline_tls_client_options), as the INIT macro sets it. */
    size_t size;
    /** Further certification authorities to trust, ca_count of them, each in PEM (also several in one) or DER. */
    const sockline_bytes *ca;
    /** How many those are. */
    size_t ca_count;
    /** Whether to trust what the system trusts: 1, the default, or -1 for not. */
    int64_t platform_roots;
    /** Who we are, for servers that ask for a client's certificate. Default: nobody. */
    const sockline_identity *identity;
    /** The name to ask for (SNI, RFC 6066 section 3) and to expect in the certificate. Default: the URL's host. */
    sockline_string server_name;
    /**
     * The application protocols to offer (ALPN, RFC 7301), alpn_count of them, the preferred one first. Default:
     * "http/1.1"; a single empty string offers none.
     */
    const sockline_string *alpn;
    /** How many those are. */
    size_t alpn_count;
    /**
     * SHA-256 hashes of the public keys (SubjectPublicKeyInfo in DER) to accept, 32 bytes each and pin_count of them. If
     * there are any, one certificate of the verified chain must have one of them: the server's own, one that it sends
     * and that leads to its own, or one of ca. Default: no pins.
     */
    const void *pins;
    /** How many those are. */
    size_t pin_count;
    /** The oldest version to accept, as one of enum sockline_tls_version. Default: SOCKLINE_TLS_1_2. */
    int64_t min_version;
    /**
     * 1 accepts any certificate of anybody, which lets everyone in between read and change everything: for tests only,
     * and logged as a warning. Pins still count. Default: certificates are verified.
     */
    int64_t insecure;
} sockline_tls_client_options;

/**
 * How a server secures its connections. Start from SOCKLINE_TLS_SERVER_OPTIONS_INIT; a field of 0 means its default.
 */
typedef struct sockline_tls_server_options {
    /** sizeof(sockline_tls_server_options), as the INIT macro sets it. */
    size_t size;
    /**
     * Whom to be, identity_count of them and at least one: for the name that a client asks for, the first whose
     * certificate is for that name, wildcards included; the first of all where there is none, or no name is asked for.
     */
    const sockline_identity *identities;
    /** How many those are. */
    size_t identity_count;
    /**
     * Certification authorities whose client certificates are accepted, client_ca_count of them, each in PEM (also
     * several in one) or DER. Default: clients are not asked for a certificate.
     */
    const sockline_bytes *client_ca;
    /** How many those are. */
    size_t client_ca_count;
    /** 1 refuses clients without a certificate. Default: they are welcome too. */
    int64_t require_client_certificate;
    /**
     * The application protocols to choose from (ALPN, RFC 7301), alpn_count of them, the preferred one first. A client
     * that offers only others is refused. Default: "http/1.1"; a single empty string ignores what clients offer.
     */
    const sockline_string *alpn;
    /** How many those are. */
    size_t alpn_count;
    /** The oldest version to accept, as one of enum sockline_tls_version. Default: SOCKLINE_TLS_1_2. */
    int64_t min_version;
} sockline_tls_server_options;

/**
 * Connect again when the connection is lost, or can't be made. Start from SOCKLINE_RECONNECT_INIT; a field of 0 means
 * its default.
 *
 * The handle stays: on_open comes once, then on_reconnecting and on_reconnected with SOCKLINE_CONNECTING between them,
 * and on_close only when it is given up or closed here. What was accepted for sending, and not yet taken by the system,
 * is lost with its connection.
 *
 * The wait before an attempt is a random time up to base_delay_ms * factor^n, at most max_delay_ms, where n counts the
 * attempts since the connection was last open for stable_after_ms. A server that answers 429 or 503 with Retry-After
 * is not asked before that. It is given up after max_attempts, after a close code of no_retry, and when the next attempt
 * could not end otherwise: after status 4xx (but 408, 425 and 429) and a redirect that can't be followed.
 */
typedef struct sockline_reconnect {
    /** sizeof(sockline_reconnect), as the INIT macro sets it. */
    size_t size;
    /** The longest wait before the first attempt, in milliseconds. Default: 1,000. */
    uint64_t base_delay_ms;
    /** By how much it grows with each attempt; at least 1. Default: 2. */
    double factor;
    /** The longest wait of all, in milliseconds. Default: 30,000. */
    uint64_t max_delay_ms;
    /** So many milliseconds a connection has to last before the next loss counts as the first. Default: 10,000. */
    uint64_t stable_after_ms;
    /** How many attempts to make in a row. Default: without end. */
    uint64_t max_attempts;
    /**
     * Close codes, no_retry_count of them, of the peer or of its breach of the protocol, after which coming back is of
     * no use. Default, if this is NULL: 1000 and 1005 (it has finished), 1002, 1003, 1007, 1008, 1009, 1010 (it, or we,
     * would fail the same way again).
     */
    const uint16_t *no_retry;
    /** How many those are. */
    size_t no_retry_count;
    /**
     * How many bytes of messages are kept while there is no connection, also before the first one; they are sent before
     * all others once there is. Default: none, sockline_send says SOCKLINE_ERR_NOT_OPEN then.
     */
    uint64_t outbox;
} sockline_reconnect;

/** How to send one message. Start from SOCKLINE_SEND_OPTIONS_INIT; a field of 0 means its default. */
typedef struct sockline_send_options {
    /** sizeof(sockline_send_options), as the INIT macro sets it. */
    size_t size;
    /** Whether to compress the message, where compression was agreed on: 1, or -1 for not. Default: by its length. */
    int64_t compress;
    /**
     * The message is dropped if it has not begun to leave after so many milliseconds. Default: it waits as long as the
     * connection lives.
     */
    uint64_t deadline_ms;
    /** 1 has on_sent tell what has become of the message, with this token. Default: on_sent is not called. */
    int64_t wants_result;
    /** Yours, given to on_sent; not touched by the library. */
    void *token;
} sockline_send_options;

/** How a loop works. Start from SOCKLINE_LOOP_OPTIONS_INIT; a field of 0 means its default. */
typedef struct sockline_loop_options {
    /** sizeof(sockline_loop_options), as the INIT macro sets it. */
    size_t size;
    /** How many events the system may announce at once. Default: 1024. */
    size_t max_events;
    /**
     * For loops that sockline_loop_poll turns: called, once until it is done, when calls between turns have left
     * something to send. Have sockline_loop_flush called soon then; this spares the loop waking itself through the
     * system. It runs inside such calls, so it must not call the library. NULL: the loop wakes itself.
     */
    void (*flush_hook)(void *flush_hook_data);
    /** Given back to flush_hook. Borrowed until the loop is freed. */
    void *flush_hook_data;
    /**
     * For how many microseconds a turn that has to wait looks again and again before its thread sleeps. What comes in
     * that time is answered without the system having to wake the thread, which is most of the round trip of a
     * connection that has one message on its way; the price is up to a whole core. 50 to 100 are usual. Without
     * connections nothing is looked for. For sockline_loop_run, _start and _poll; those who wait for the descriptor
     * themselves call sockline_loop_spin before. The further threads of a server have it from its loop. Default: 0,
     * not at all.
     */
    uint64_t busy_poll_us;
    /**
     * From how many sockets on the output of a turn leaves by one system call, where the system has io_uring (Linux 5.17 and
     * later) and lets it be used; elsewhere each socket sends by itself, always. SIZE_MAX: never. Default: what the
     * environment's SOCKLINE_SEND_BATCH says, "off" or a number, else 8. sockline_loop_metrics.batched_sends tells whether it
     * is used.
     */
    size_t send_batch;
} sockline_loop_options;

/** Where a connection is wanted to; borrowed until on_dial returns. */
typedef struct sockline_dial_request {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** The URL's host, without an IPv6 address's brackets; ended by a NUL. */
    sockline_string host;
    /** The URL's port, or its scheme's. */
    uint32_t port;
    /** 1 if the URL asks for TLS. */
    int32_t is_secure;
} sockline_dial_request;

/**
 * Makes a client's connections in place of the library: each that it needs, again for each redirect, each return, and, of a
 * Socket.IO manager, each that its requests are sent over. So they can go ways that the library doesn't know: through a
 * tunnel of the program's, to a virtual machine, by another library's TLS. There is no proxy then. Start from
 * SOCKLINE_DIAL_INIT and set on_dial. It is copied by the call that takes it.
 */
typedef struct sockline_dial {
    /** sizeof(sockline_dial), as the INIT macro sets it. */
    size_t size;
    /**
     * A connection is wanted. Answer with sockline_dial_connected or sockline_dial_failed, here or later from any thread;
     * meanwhile the handshake timeout runs. request is borrowed. Not NULL.
     *
     * It is called on the loop's thread, perhaps within the call that needs the connection, and before that has written its
     * handle. It must not block: what takes time is for another thread. No C++ exception and no longjmp may leave it.
     */
    void (*on_dial)(sockline_dialing dialing, const sockline_dial_request *request, void *user_data);
    /**
     * The client needs no further connection: on_dial is called no more, and user_data may be freed. Exactly once for each call
     * that took it, unless that returned an error. On any thread; it must not call the library.
     */
    void (*on_freed)(void *user_data);
    /** Yours, given to both. */
    void *user_data;
} sockline_dial;

/**
 * What is found out about a name, by sockline_lookup_add and sockline_lookup_failed; borrowed until on_lookup returns.
 */
typedef struct sockline_addresses sockline_addresses;

/**
 * Looks names up in place of the system's resolver. Start from SOCKLINE_LOOKUP_INIT and set on_lookup. It is copied by the call
 * that takes it.
 */
typedef struct sockline_lookup {
    /** sizeof(sockline_lookup), as the INIT macro sets it. */
    size_t size;
    /**
     * A host's addresses are wanted: give each to sockline_lookup_add, the best one first, or say why there are none with
     * sockline_lookup_failed. The families are tried in turn (RFC 8305). host: ended by a NUL, borrowed. Hosts that are
     * addresses are not asked for. Not NULL.
     *
     * It is called on a thread of the library's that may block, on several at once, and perhaps for a client that was closed
     * meanwhile. No C++ exception and no longjmp may leave it.
     */
    void (*on_lookup)(sockline_string host, sockline_addresses *addresses, void *user_data);
    /**
     * The client looks up no further name: on_lookup is called no more, and user_data may be freed. Exactly once for each call
     * that took it, unless that returned an error. On any thread; it must not call the library.
     */
    void (*on_freed)(void *user_data);
    /** Yours, given to both. */
    void *user_data;
} sockline_lookup;

/** How to connect. Start from SOCKLINE_OPTIONS_INIT; a field of 0 means its default. */
typedef struct sockline_options {
    /** sizeof(sockline_options), as the INIT macro sets it. */
    size_t size;
    /** The subprotocols to offer, the preferred one first (RFC 6455 section 4.1). */
    const sockline_string *subprotocols;
    /** How many those are. */
    size_t subprotocol_count;
    /** Further request headers, such as Origin, Authorization or Cookie. */
    const sockline_header *headers;
    /** How many those are. */
    size_t header_count;
    /** Milliseconds for name lookup, connecting and the opening handshake together. Default: 10,000. */
    uint64_t handshake_timeout_ms;
    /** What the connection may take and keep; NULL for the defaults. */
    const sockline_settings *settings;
    /** Where the connection's events wait to be pulled, instead of handlers. Default: none. */
    sockline_queue *queue;
    /**
     * The proxy's URL, ended by a NUL: http://, https://, socks5:// (names are looked up here) or socks5h:// (there), with user
     * and password where it asks for them; "" for none. Default: what the environment says, as curl reads it:
     * http_proxy, https_proxy, all_proxy, no_proxy; never for loopback addresses and Unix sockets.
     */
    const char *proxy;
    /**
     * This side's address, such as "192.0.2.1", "192.0.2.1:5000" or "[2001:db8::1]:0". Refused beside a Unix socket's URL.
     * Default: the system's choice.
     */
    sockline_string local_address;
    /**
     * How to secure a wss:// connection; NULL for the defaults of SOCKLINE_TLS_CLIENT_OPTIONS_INIT, shared by the whole
     * process.
     */
    sockline_tls *tls;
    /**
     * How many redirects to follow (RFC 9110 section 15.4). From wss never to ws, and credentials and cookies don't go to
     * another origin. Default: 0, a redirect is a refusal.
     */
    uint64_t max_redirects;
    /** Cookies to send along, as names and values, cookie_count of them; after those of a Cookie header. */
    const sockline_header *cookies;
    /** How many those are. */
    size_t cookie_count;
    /** Connect again when the connection is lost, or can't be made. Default: NULL, which doesn't. */
    const sockline_reconnect *reconnect;
    /** How to secure the way to a proxy with an https:// URL; NULL for the same as for tls. */
    sockline_tls *proxy_tls;
    /**
     * Not 0: keep the request as it was sent, for sockline_sent_header and sockline_sent_headers. Default: 0; it is some
     * hundred bytes.
     */
    int32_t keep_request;
    /**
     * Makes each connection in place of the library. There is no proxy then, and local_address, lookup and a Unix socket's URL
     * are refused beside it, as are connect_to_host and connect_to_port. Default: NULL, the library does.
     */
    const sockline_dial *dial;
    /** Looks names up in place of the system's resolver. Default: NULL, the system's. */
    const sockline_lookup *lookup;
    /**
     * Connect to this host, a name or an address, IPv6 without brackets, in place of the URL's (curl's --connect-to): the Host
     * header, the name in the certificate and the choice of the proxy stay the URL's. Redirects to another origin fail then
     * with SOCKLINE_ERR_REDIRECT. Refused beside a Unix socket's URL. Default: the URL's.
     */
    sockline_string connect_to_host;
    /** The same of the port, with connect_to_host or alone. Default: the URL's. */
    uint32_t connect_to_port;
    /**
     * The descriptor of a connected TCP or Unix socket, on Windows a SOCKET, that is to be used in place of making a connection:
     * the URL says what to ask for, and wss:// that TLS begins on it. It is taken over if the call succeeds: the library
     * closes it. After an error it is yours as before. One that is not connected is told of by on_error.
     *
     * There is no proxy then, redirects are refusals, and reconnect, dial, lookup, local_address, connect_to_host,
     * connect_to_port and a Unix socket's URL are refused beside it, as it is by a Socket.IO manager. Default: 0, none;
     * where 0 is the descriptor, give a dup(2) of it.
     */
    int64_t socket;
} sockline_options;

/**
 * The answer to an HTTP request that is owed: a number, to be used once, by sockline_respond or sockline_pass. It ends by
 * that, and with on_cut.
 */
typedef uint64_t sockline_exchange;

/**
 * An HTTP request, and all that it points to: borrowed until on_request returns. For sockline_server_handle_request you make
 * one: start from SOCKLINE_HTTP_REQUEST_INIT.
 */
typedef struct sockline_http_request {
    /** The size of this struct in the library that is running; sizeof(sockline_http_request) in one that you make. */
    size_t size;
    /** GET, POST and so on. */
    sockline_string method;
    /** The path as it was sent, still percent-encoded. */
    sockline_string path;
    /** What follows "?" in the target, still percent-encoded. Its data is NULL if there is no "?". */
    sockline_string query;
    /** The client's address and port, such as "127.0.0.1:50000" or "[::1]:50000"; empty on a Unix socket. */
    sockline_string remote_address;
    /** All headers in order, names in lower case; a name occurs as often as it was sent. */
    const sockline_header *headers;
    /** How many those are. */
    size_t header_count;
    /** The body; empty if there was none. */
    sockline_bytes body;
    /** 1 if it came over TLS. */
    int64_t is_secure;
} sockline_http_request;

/**
 * The answer to a request that another HTTP server has read, and all that it points to: borrowed until sockline_answered
 * returns.
 */
typedef struct sockline_http_answer {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** The HTTP status. 101 answers an upgrade to WebSocket: send it, and call sockline_upgraded. */
    int32_t status;
    /**
     * The headers to send, header_count of them. Content-Length, Transfer-Encoding and, but for 101, Connection are yours.
     */
    const sockline_header *headers;
    /** How many those are. */
    size_t header_count;
    /** The body; empty if there is none. To HEAD only its length is said. */
    sockline_bytes body;
} sockline_http_answer;

/**
 * Called with the answer to a request that sockline_server_handle_request has taken: exactly once, so what belongs to the
 * request can be freed here, unless the answer is 101. answer: NULL if there is none, because of sockline_cut or because the
 * loop has ended. user_data: as it was given. On the thread that turns the server's loop, in a turn, and never from inside a
 * call of yours; if that loop ends before, on the thread that ends it.
 */
typedef void (*sockline_answered)(sockline_exchange exchange,
                                  const sockline_http_answer *answer,
                                  void *user_data);

/**
 * Paths of a server that the application answers itself, in sockline_server_options.routes. Start from SOCKLINE_ROUTE_INIT.
 */
typedef struct sockline_route {
    /** sizeof(sockline_route), as the INIT macro sets it. */
    size_t size;
    /** The path, which begins with "/". */
    sockline_string path;
    /** 1 takes all paths that begin with it. Default: that path only. */
    int64_t is_prefix;
    /** The longest body to accept, in bytes; a longer one is answered with 413. Default: 1 MiB. */
    uint64_t max_body;
    /**
     * A request has come, whole. Answer with sockline_respond, or leave it to the server with sockline_pass, here or
     * later from any thread; no timeout runs meanwhile. Not NULL.
     */
    void (*on_request)(sockline_exchange exchange,
                       const sockline_http_request *request,
                       void *user_data);
    /** The client went away before the answer, or the server has closed: the exchange ends. */
    void (*on_cut)(sockline_exchange exchange, void *user_data);
    /** Yours, given to both; free it in on_server_closed. */
    void *user_data;
} sockline_route;

/** How to listen. Start from SOCKLINE_SERVER_OPTIONS_INIT; a field of 0, or an empty string, means its default. */
typedef struct sockline_server_options {
    /** sizeof(sockline_server_options), as the INIT macro sets it. */
    size_t size;
    /**
     * The host name or IP address to listen on, or "fd:3" for the socket that descriptor 3 is: one that is bound already, TCP or
     * Unix, as systemd gives it to a service. The descriptor is taken over, also when there is an error later on: the library
     * closes it when the server stops listening. Default: every address, IPv6 and IPv4.
     */
    sockline_string host;
    /** The port, 1 to 65535. Default: one that the system chooses; sockline_server_port tells it. */
    uint32_t port;
    /**
     * On how many loops to listen, each with a thread: the given one, and threads - 1 that the library starts.
     * Callbacks then run on all of these threads, a connection's always on the same one. Default: 1.
     */
    uint32_t threads;
    /**
     * The path of a Unix socket to listen on, instead of host and port. A socket file that nobody listens on is
     * replaced; any other file is left alone.
     */
    sockline_string unix_socket;
    /** Upgrades are taken at this path only; others get status 404. Default: every path. */
    sockline_string path;
    /** A folder whose files are served to GET and HEAD on the same port. Default: none. */
    sockline_string static_folder;
    /** How many connections the system may hold that were not accepted yet. Default: 1024. */
    uint64_t backlog;
    /** Milliseconds for the request head, and again for the answer to an upgrade. Default: 10,000. */
    uint64_t handshake_timeout_ms;
    /** The longest request head to accept, in bytes. Default: 16 KiB. */
    uint64_t max_head;
    /** What each connection may take and keep; NULL for the defaults. */
    const sockline_settings *settings;
    /**
     * Where the events of the server and of its connections wait to be pulled, instead of handlers, also those of a server
     * with several threads. Every upgrade is accepted then, unless queue_upgrades is set. Default: none.
     */
    sockline_queue *queue;
    /** Speak TLS on this port, and nothing else: from sockline_tls_server_new. Default: plain. */
    sockline_tls *tls;
    /**
     * How many connections there may be, over all threads, those that are not upgraded included. The next one gets
     * status 503 with Retry-After; over TLS it is closed. Default: any number.
     */
    uint64_t max_connections;
    /**
     * The same for each client address. A /64 of IPv6 counts as one address; Unix sockets have none. Behind a proxy all
     * clients have the proxy's. Default: any number.
     */
    uint64_t max_connections_per_address;
    /** After so many requests for files, a connection that is kept alive is closed. Default: any number. */
    uint64_t max_requests;
    /**
     * The pages that may connect, origin_count of them, as their browsers name them: "https://example.com",
     * "http://localhost:8080", or "null"; compared whole, without regard to case. Others get status 403. A request
     * without an Origin header is not a browser's, and passes. Default: all pages.
     */
    const sockline_string *origins;
    /** How many those are. */
    size_t origin_count;
    /**
     * 1 has upgrades wait in the queue too, as SOCKLINE_EVENT_UPGRADE: each has to be answered. Default: they are accepted.
     */
    int64_t queue_upgrades;
    /**
     * GET of this path answers what the server has counted, as Prometheus reads it. Whoever can connect can read it.
     * Default: nowhere.
     */
    sockline_string metrics_path;
    /**
     * Paths that the application answers itself, route_count of them; asked in this order, before path, metrics_path and
     * static_folder. They are copied.
     */
    const sockline_route *routes;
    /** How many those are. */
    size_t route_count;
    /** The Socket.IO servers that this listener serves, io_count of them; asked before routes. */
    const sockline_io_server *io;
    /** How many those are. */
    size_t io_count;
    /**
     * The URL of a Redis, as sockline_redis_options.url, with that struct's defaults: makes the server one of a cluster. What is
     * published at any of its servers, or by an emitter, reaches the subscribers of all. Errors of this connection are logged.
     * Default: none.
     */
    sockline_string adapter;
    /**
     * The same with a connection that was made before, in place of adapter; also one that a Socket.IO server or other listeners
     * have. All servers of a cluster need the same key, and SOCKLINE_REDIS_SHARDED either all or none of them. Default: NULL, none.
     */
    sockline_redis *redis;
    /**
     * 1 lets other sockets of this user listen on the same port, of this process or of others (SO_REUSEPORT): the system gives
     * each connection to one of them. Default: they may not.
     */
    int32_t reuse_port;
    /** 1 takes no IPv4 connections where every address, or "::", is listened on. Default: they are taken. */
    int32_t ipv6_only;
    /**
     * 1 listens nowhere, on one thread: requests and connections come from another HTTP server of the process only, by
     * sockline_server_handle_request and sockline_server_adopt. Default: it listens.
     */
    int32_t nowhere;
} sockline_server_options;

/*
 * Types: events and callbacks
 */

/**
 * A client's request for an upgrade, and all that it points to: borrowed until on_upgrade returns, or as long as the
 * sockline_queued_event that brings it.
 */
typedef struct sockline_request {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** The server that it came to. */
    sockline_server server;
    /** The path as it was sent, still percent-encoded. */
    sockline_string path;
    /** What follows "?" in the target, still percent-encoded. Its data is NULL if there is no "?". */
    sockline_string query;
    /** The client's address and port, such as "127.0.0.1:50000" or "[::1]:50000"; empty on a Unix socket. */
    sockline_string remote_address;
    /** The subprotocols that the client offers, its preferred one first. */
    const sockline_string *subprotocols;
    /** How many those are. */
    size_t subprotocol_count;
    /** All headers in order; a name occurs as often as it was sent. See sockline_request_header. */
    const sockline_header *headers;
    /** How many those are. */
    size_t header_count;
} sockline_request;

/** Why a connection failed, or could not be made; borrowed until the callback returns. */
typedef struct sockline_error_event {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** What went wrong, as one of enum sockline_status_code; below 0. */
    int32_t status;
    /** The HTTP status that a server answered instead of 101, for SOCKLINE_ERR_REFUSED; otherwise 0. */
    int32_t http_status;
    /** What failed, with what value, and what to do. Ended by a NUL too. */
    sockline_string text;
    /**
     * The system's number for it (errno), for SOCKLINE_ERR_CONNECT_FAILED (that of the last address tried) and
     * SOCKLINE_ERR_IO, where the system gave one; otherwise 0.
     */
    int32_t os_error;
    /** What was wrong, for SOCKLINE_ERR_TLS, as one of enum sockline_tls_error; otherwise 0. */
    int32_t tls_error;
    /**
     * What a server answered instead of 101, for SOCKLINE_ERR_REFUSED: its headers in their order, names in lower case.
     */
    const sockline_header *response_headers;
    /** How many those are. */
    size_t response_header_count;
    /** The answer's body: its first 64 KiB, as far as they came in time. */
    sockline_bytes response_body;
} sockline_error_event;

/** How a connection ended; borrowed until the callback returns. */
typedef struct sockline_close_event {
    /** The size of this struct in the library that is running. */
    size_t size;
    /**
     * The peer's close code; 1005 if its close frame had none, 1006 if no close frame came (RFC 6455 section 7.1.5).
     */
    int32_t code;
    /** 1 if both close frames were exchanged, otherwise 0. */
    int32_t was_clean;
    /** The peer's reason; empty if there was none. Ended by a NUL too. */
    sockline_string reason;
} sockline_close_event;

/**
 * A connection is lost, and another attempt follows; borrowed until the callback returns, or as long as the
 * sockline_queued_event that brings it.
 */
typedef struct sockline_reconnecting_event {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** Which attempt that will be: 1 for the first since the connection was last stable. */
    uint32_t attempt;
    /** The peer's close code; 1005 and 1006 as in sockline_close_event. */
    int32_t code;
    /** How many milliseconds until then. */
    uint64_t delay_ms;
    /** What went wrong; NULL if the peer closed in good order. */
    const sockline_error_event *error;
    /** The peer's reason; empty if there was none. */
    sockline_string reason;
} sockline_reconnecting_event;

/** What is about to be asked for again, in on_attempt alone; it begins with what sockline_connect was given. */
typedef struct sockline_attempt sockline_attempt;

/**
 * The callbacks of a connection, and those of a server. Start from SOCKLINE_HANDLERS_INIT and set those that you
 * need; NULL ignores the event. The struct is copied by the call that takes it, so one can serve many.
 *
 * All run on the loop's thread, one after the other, and each connection's in this order: on_open once, messages in
 * the order of their arrival, on_error at most once and right before on_close, on_close exactly once, last. A
 * callback may call anything on any handle, and free its loop; none of these calls another callback before the
 * present one has returned. No C++ exception and no longjmp may leave a callback.
 *
 * user_data is what was given with the handlers. It stays yours: free it in on_close, and a server's in
 * on_server_closed, after which the library does not touch it any more.
 */
typedef struct sockline_handlers {
    /** sizeof(sockline_handlers), as the INIT macro sets it. */
    size_t size;
    /** The opening handshake is done; messages can be sent. */
    void (*on_open)(sockline_ws ws, void *user_data);
    /**
     * A whole message came. type: SOCKLINE_TEXT, then data is valid UTF-8, or SOCKLINE_BINARY. data is borrowed until
     * the callback returns, and not ended by a NUL.
     */
    void (*on_message)(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data);
    /** A ping came; its pong is already on its way (RFC 6455 section 5.5.2). data is borrowed as in on_message. */
    void (*on_ping)(sockline_ws ws, const void *data, size_t len, void *user_data);
    /** A pong came (RFC 6455 section 5.5.3). data is borrowed as in on_message. */
    void (*on_pong)(sockline_ws ws, const void *data, size_t len, void *user_data);
    /**
     * What waits to be sent fell to half of the high-water mark, after a send had said SOCKLINE_OVER_MARK: go on
     * sending. Once per crossing.
     */
    void (*on_drain)(sockline_ws ws, void *user_data);
    /** The connection failed, or could not be made; on_close follows at once. */
    void (*on_error)(sockline_ws ws, const sockline_error_event *event, void *user_data);
    /** The connection has ended, or was never made. The last event of this handle. */
    void (*on_close)(sockline_ws ws, const sockline_close_event *event, void *user_data);
    /**
     * Servers only: a client asks for an upgrade. Answer with sockline_accept or sockline_refuse, here or later from
     * any thread; after the handshake timeout the client gets status 503. request is borrowed until the callback
     * returns. user_data is the server's. NULL accepts every request. If the client leaves before it was accepted,
     * no event follows, and the answer gets SOCKLINE_ERR_CLOSED.
     */
    void (*on_upgrade)(sockline_ws ws, const sockline_request *request, void *user_data);
    /**
     * Servers only: the listener is closed and the last of its connections has ended. The last event of this handle.
     */
    void (*on_server_closed)(sockline_server server, void *user_data);
    /**
     * Clients with sockline_options.reconnect only: the connection is lost, or could not be made, and another attempt
     * follows. The state is SOCKLINE_CONNECTING from here on.
     */
    void (*on_reconnecting)(sockline_ws ws, const sockline_reconnecting_event *event, void *user_data);
    /**
     * The same: another attempt begins when this returns, with what sockline_attempt_set_url and
     * sockline_attempt_set_header have changed of it. Not called before the first attempt of all.
     */
    void (*on_attempt)(sockline_ws ws, sockline_attempt *attempt, void *user_data);
    /** The same: there is a connection again; messages can be sent. */
    void (*on_reconnected)(sockline_ws ws, void *user_data);
    /**
     * What has become of a message that was sent with sockline_send_options.wants_result: exactly once for each that was
     * accepted, and before on_close. outcome: one of enum sockline_send_outcome. Messages with the same outcome come in
     * the order in which they were sent.
     */
    void (*on_sent)(sockline_ws ws, void *token, int32_t outcome, void *user_data);
    /**
     * A part of a message came, as soon as it was there; instead of on_message, if sockline_settings.message_parts says
     * so. edges: SOCKLINE_PART_FIRST and SOCKLINE_PART_LAST, or both, or 0. data is borrowed as in on_message; of a text
     * it is whole characters. sockline_pause holds between two parts, too. A connection can end before the last part.
     */
    void (*on_message_part)(sockline_ws ws,
                            int32_t type,
                            const void *data,
                            size_t len,
                            int32_t edges,
                            void *user_data);
} sockline_handlers;

/**
 * An event that was pulled, and all that it points to: borrowed until the next sockline_queue_pop on that queue, or
 * until it is freed. Fields that its kind does not name are 0.
 */
typedef struct sockline_queued_event {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** The connection that it happened to; 0 for what happened to a server. */
    sockline_ws ws;
    /** What was given with the queue, or by sockline_accept. It stays yours: free it after SOCKLINE_EVENT_CLOSE. */
    void *user_data;
    /** What happened, as one of enum sockline_event_kind. Ignore those that you don't know. */
    int32_t kind;
    /** The message's type: SOCKLINE_TEXT, then data is valid UTF-8, or SOCKLINE_BINARY. */
    int32_t type;
    /** The payload of a message, a ping or a pong; not ended by a NUL. */
    const void *data;
    /** The payload's length in bytes. */
    size_t len;
    /** What went wrong, as one of enum sockline_status_code; below 0. */
    int32_t status;
    /** The HTTP status that a server answered instead of 101, for SOCKLINE_ERR_REFUSED; otherwise 0. */
    int32_t http_status;
    /** The peer's close code, as in sockline_close_event. */
    int32_t code;
    /** 1 if both close frames were exchanged, otherwise 0. */
    int32_t was_clean;
    /** What failed, with what value, and what to do. Ended by a NUL too. */
    sockline_string text;
    /** The peer's reason to close; empty if there was none. Ended by a NUL too. */
    sockline_string reason;
    /** The server that has closed, or that was asked for an upgrade. */
    sockline_server server;
    /** All that is known of an error. */
    const sockline_error_event *error;
    /** What a client asks for. */
    const sockline_request *request;
    /** What was lost, and when another attempt follows. */
    const sockline_reconnecting_event *reconnecting;
    /** That of sockline_send_options. */
    void *token;
    /** What has become of the message, as one of enum sockline_send_outcome. */
    int32_t outcome;
    /** Where in its message a part is, as in on_message_part. */
    int32_t edges;
} sockline_queued_event;

/** How to accept an upgrade. Start from SOCKLINE_ACCEPT_OPTIONS_INIT. */
typedef struct sockline_accept_options {
    /** sizeof(sockline_accept_options), as the INIT macro sets it. */
    size_t size;
    /** One of the offered subprotocols; empty for none. */
    sockline_string subprotocol;
    /** Further response headers, header_count of them. */
    const sockline_header *headers;
    /** How many those are. */
    size_t header_count;
    /** The callbacks of this connection; NULL keeps the server's. */
    const sockline_handlers *handlers;
    /** What these callbacks get as user_data; NULL keeps the server's. */
    void *user_data;
} sockline_accept_options;

/** How to refuse an upgrade. Start from SOCKLINE_REFUSAL_INIT. */
typedef struct sockline_refusal {
    /** sizeof(sockline_refusal), as the INIT macro sets it. */
    size_t size;
    /** The HTTP status, 200 to 599. Default: 403. */
    uint64_t status;
    /** Response headers, header_count of them. Content-Length and Connection are added. */
    const sockline_header *headers;
    /** How many those are. */
    size_t header_count;
    /** The response's body, body_len bytes; NULL for none. */
    const void *body;
    /** The body's length in bytes. */
    size_t body_len;
} sockline_refusal;

/**
 * How long each step to an open connection took, in microseconds; -1 for a step that was not needed. Start from
 * SOCKLINE_TIMINGS_INIT.
 */
typedef struct sockline_timings {
    /** sizeof(sockline_timings), as the INIT macro sets it. */
    size_t size;
    /** Looking up the host's name. */
    int64_t dns_us;
    /** Connecting to the host, or to the proxy. */
    int64_t tcp_us;
    /** From there to the tunnel through the proxy. */
    int64_t proxy_us;
    /** The TLS handshake. */
    int64_t tls_us;
    /** The opening handshake (RFC 6455 section 4). */
    int64_t upgrade_us;
} sockline_timings;

/**
 * What was agreed on in a TLS handshake. Start from SOCKLINE_TLS_INFO_INIT. Texts are ended by a NUL, and cut if they
 * are longer than their place, which no registered name is.
 */
typedef struct sockline_tls_info {
    /** sizeof(sockline_tls_info), as the INIT macro sets it. */
    size_t size;
    /**
     * The version in use, as one of enum sockline_tls_version; 0 for a connection without TLS, and before the handshake
     * is done: all else is empty then, too.
     */
    int32_t version;
    /** 1 if an earlier session was resumed: no certificates were exchanged again. Otherwise 0. */
    int32_t resumed;
    /** The cipher suite in use, by its IANA name, such as "TLS_AES_128_GCM_SHA256". */
    char cipher_suite[64];
    /** The application protocol; empty if none was agreed on. */
    char alpn[64];
    /** The name that the client asked for; empty if it asked for none. */
    char server_name[256];
} sockline_tls_info;

/** What was counted, of one connection or of many. Of TLS, what was inside. */
typedef struct sockline_totals {
    /** Bytes that the system has given us to read: frames and HTTP. */
    uint64_t bytes_in;
    /** Bytes that the system has taken from us. */
    uint64_t bytes_out;
    /** Frames that came, control frames and fragments included. */
    uint64_t frames_in;
    /** Frames that were made, control frames included; a frame that was dropped again is not counted. */
    uint64_t frames_out;
    /** Whole messages that came. */
    uint64_t messages_in;
    /** Messages that have left or wait to leave, those to many included. */
    uint64_t messages_out;
    /** Messages that did not leave, because a policy or a deadline dropped them or a message to many passed by. */
    uint64_t dropped;
    /** Bytes that wait to be sent now. */
    uint64_t buffered;
    /** Payload that was compressed, in bytes; what is compressed once for many counts at one of them. */
    uint64_t compressed_from;
    /** What it became. */
    uint64_t compressed_to;
    /** Payload that came compressed, in bytes. */
    uint64_t inflated_from;
    /** What it became. */
    uint64_t inflated_to;
} sockline_totals;

/** The counters of a connection since it was made. Start from SOCKLINE_CONNECTION_METRICS_INIT. */
typedef struct sockline_connection_metrics {
    /** sizeof(sockline_connection_metrics), as the INIT macro sets it. */
    size_t size;
    /** Its own. */
    sockline_totals totals;
    /** The round trip of the last answered ping in microseconds; -1 if there was none. */
    int64_t latency_us;
} sockline_connection_metrics;

/** What a loop has done. Start from SOCKLINE_LOOP_METRICS_INIT. */
typedef struct sockline_loop_metrics {
    /** sizeof(sockline_loop_metrics), as the INIT macro sets it. */
    size_t size;
    /** Connections that have not ended, in whatever state. */
    uint64_t connections;
    /** Turns since the loop was made. */
    uint64_t turns;
    /** Over its connections since it was made. */
    sockline_totals totals;
    /** How often it has looked for events in vain instead of waiting; see sockline_loop_options.busy_poll_us. */
    uint64_t empty_polls;
    /** System calls that each made the sends of many sockets, by io_uring; see sockline_loop_options.send_batch. */
    uint64_t batches;
    /** Sends in them; 0 says that each socket has sent by itself so far. */
    uint64_t batched_sends;
} sockline_loop_metrics;

/** What a server has done, over all its threads. Start from SOCKLINE_SERVER_METRICS_INIT. */
typedef struct sockline_server_metrics {
    /** sizeof(sockline_server_metrics), as the INIT macro sets it. */
    size_t size;
    /** Connections that have not ended, those that are not upgraded included. */
    uint64_t connections;
    /** Connections that were taken in. */
    uint64_t accepted;
    /** Connections that there was no room for, by the server's limits. */
    uint64_t refused;
    /** TLS handshakes that came to nothing. */
    uint64_t failed_handshakes;
    /** Over its connections, HTTP included. */
    sockline_totals totals;
    /** Sends of its loops that left together, by io_uring; see sockline_loop_metrics.batched_sends. */
    uint64_t batched_sends;
} sockline_server_metrics;

/** Takes a log line: a level, and a text that is ended by a NUL and borrowed until this returns. */
typedef void (*sockline_log_function)(int32_t level, const char *text, void *user_data);

/*
 * Types: Socket.IO
 */

/** How packets travel; bits, where several can be meant. */
typedef enum sockline_io_transport {
    /** HTTP long-polling. */
    SOCKLINE_IO_POLLING = 1,
    /** A WebSocket. */
    SOCKLINE_IO_WEBSOCKET = 2,
} sockline_io_transport;

/** How packets are written. Both sides have to use the same. */
typedef enum sockline_io_parser {
    /** JSON, with attachments beside it: socket.io-parser, the default everywhere. */
    SOCKLINE_IO_JSON = 0,
    /** One binary message a packet: socket.io-msgpack-parser. */
    SOCKLINE_IO_MSGPACK = 1,
} sockline_io_parser;

/** What a packet is for. */
typedef enum sockline_io_packet_type {
    /** To join a namespace: the payload is an object or absent. Also the answer that it has been joined. */
    SOCKLINE_IO_PACKET_CONNECT = 0,
    /** To leave a namespace: no payload. */
    SOCKLINE_IO_PACKET_DISCONNECT = 1,
    /** An event: an array that begins with its name. */
    SOCKLINE_IO_PACKET_EVENT = 2,
    /** The answer to an event with an id: an array. */
    SOCKLINE_IO_PACKET_ACK = 3,
    /** A namespace can't be joined: an object or a string. */
    SOCKLINE_IO_PACKET_CONNECT_ERROR = 4,
} sockline_io_packet_type;

/** A packet, which a parser makes messages of, and of messages. */
typedef struct sockline_io_packet {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** One of enum sockline_io_packet_type. */
    int32_t packet_type;
    /** 1 if it has an id. */
    int32_t has_id;
    /** The acknowledgement id: of an event that asks for an answer, or of an answer. */
    uint64_t id;
    /** The namespace, with its "/". */
    sockline_string nsp;
    /**
     * The payload as JSON; its data is NULL if there is none. A binary value is {"_placeholder":true,"num":0} with the number
     * of its attachment.
     */
    sockline_string payload;
    /** The binary values, attachment_count of them. */
    const sockline_bytes *attachments;
    /** How many those are. */
    size_t attachment_count;
} sockline_io_packet;

/** What one packet may cost whoever receives it. */
typedef struct sockline_io_limits {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** The most attachments: max_attachments of the options. */
    size_t max_attachments;
    /** The most bytes, those of the attachments included. */
    size_t max_bytes;
} sockline_io_limits;

/** The messages of one packet, for sockline_io_add_message; borrowed until encode returns. */
typedef struct sockline_io_messages sockline_io_messages;

/**
 * A parser of your own, in place of enum sockline_io_parser's; both sides have to use the same. Start from
 * SOCKLINE_IO_CUSTOM_PARSER_INIT and set at least encode and decode. It is copied by the call that takes it.
 *
 * Its functions run within other calls, and on the threads that turn loops, encode on several at once. They must not block, and may
 * call nothing of this library but sockline_io_add_message. What they get is borrowed until they return. No C++ exception and no
 * longjmp may leave them.
 */
typedef struct sockline_io_custom_parser {
    /** sizeof(sockline_io_custom_parser), as the INIT macro sets it. */
    size_t size;
    /**
     * Makes messages of a packet, with sockline_io_add_message, at least one; they are sent with nothing in between. Returns 0, or
     * below 0 if it can't be encoded: the call that sends it returns SOCKLINE_ERR_INVALID_ARGUMENT then.
     */
    int32_t (*encode)(const sockline_io_packet *packet,
                      sockline_io_messages *messages,
                      void *user_data);
    /** Makes what decode keeps between the messages of one connection. Default: decode is given NULL. */
    void *(*new_decoder)(void *user_data);
    /**
     * Takes the next message of a connection: message_type is one of enum sockline_message_type. Returns 1 and fills in packet if
     * that was the last of one, 0 if more have to come, and below 0 if it can't be part of a packet: the connection is closed,
     * by a server with "forced close", by a client with "parse error".
     *
     * packet: all but size is 0; an empty nsp stands for "/". What it is made to point to has to be there until this decoder's
     * next call, and may be in data. It is checked as far as the library relies on it. limits: what packet may be, and what a
     * decoder may keep. For one decoder this is never called by two threads at once.
     */
    int32_t (*decode)(void *decoder,
                      int32_t message_type,
                      const void *data,
                      size_t len,
                      const sockline_io_limits *limits,
                      sockline_io_packet *packet,
                      void *user_data);
    /** Frees what new_decoder has made: the connection has ended. */
    void (*free_decoder)(void *decoder, void *user_data);
    /**
     * The server or manager that was given the parser is gone, and all decoders are freed: none of these functions is called any
     * more, and user_data may be freed. Exactly once for each call that took it, unless that returned an error. On any thread.
     */
    void (*on_freed)(void *user_data);
    /** Yours, given to all of these. */
    void *user_data;
} sockline_io_custom_parser;

/** What has become of an event that asks for an answer. */
typedef enum sockline_io_outcome {
    /** The answer is here. */
    SOCKLINE_IO_ANSWERED = 0,
    /** It did not come in time. */
    SOCKLINE_IO_TIMEOUT = 1,
    /** The socket was disconnected before. */
    SOCKLINE_IO_DISCONNECTED = 2,
} sockline_io_outcome;

/** Why a server's socket was disconnected. sockline_io_reason_text has the official words. */
typedef enum sockline_io_reason {
    /** "transport error": the connection failed, or a request of the session broke the protocol. */
    SOCKLINE_IO_TRANSPORT_ERROR = 0,
    /** "transport close": the client closed the connection. */
    SOCKLINE_IO_TRANSPORT_CLOSE = 1,
    /** "ping timeout": the client did not answer a ping in time. */
    SOCKLINE_IO_PING_TIMEOUT = 2,
    /** "parse error": the client sent what can't be read. */
    SOCKLINE_IO_PARSE_ERROR = 3,
    /** "server namespace disconnect": sockline_io_socket_disconnect or sockline_io_broadcast_disconnect. */
    SOCKLINE_IO_SERVER_NAMESPACE_DISCONNECT = 4,
    /** "client namespace disconnect": the client left the namespace. */
    SOCKLINE_IO_CLIENT_NAMESPACE_DISCONNECT = 5,
    /** "server shutting down": sockline_io_server_close. */
    SOCKLINE_IO_SERVER_SHUTTING_DOWN = 6,
    /** "forced close": the session was closed by this side, for a reason of its own. */
    SOCKLINE_IO_FORCED_CLOSE = 7,
    /** "forced server close": the client broke the protocol, or had joined no namespace in time. */
    SOCKLINE_IO_FORCED_SERVER_CLOSE = 8,
} sockline_io_reason;

/**
 * Why a client's socket, or a manager's connection, has ended. sockline_io_client_reason_text has the official words.
 */
typedef enum sockline_io_client_reason {
    /** "io server disconnect": the server has disconnected the socket; it does not come back by itself. */
    SOCKLINE_IO_SERVER_DISCONNECT = 0,
    /** "io client disconnect": sockline_io_client_disconnect was called. */
    SOCKLINE_IO_CLIENT_DISCONNECT = 1,
    /** "ping timeout": no ping of the server's came in time. */
    SOCKLINE_IO_CLIENT_PING_TIMEOUT = 2,
    /** "transport close": the connection was closed, by the server or on the way. */
    SOCKLINE_IO_CLIENT_TRANSPORT_CLOSE = 3,
    /** "transport error": the connection has failed. */
    SOCKLINE_IO_CLIENT_TRANSPORT_ERROR = 4,
    /** "parse error": the server sent what is not a packet. */
    SOCKLINE_IO_CLIENT_PARSE_ERROR = 5,
    /** "forced close": sockline_io_manager_close was called, or the last active socket was disconnected. */
    SOCKLINE_IO_CLIENT_FORCED_CLOSE = 6,
} sockline_io_client_reason;

/** What happened to a room. */
typedef enum sockline_io_room_event {
    /** "create-room": the first socket is about to join. */
    SOCKLINE_IO_ROOM_CREATED = 0,
    /** "join-room" */
    SOCKLINE_IO_ROOM_JOINED = 1,
    /** "leave-room" */
    SOCKLINE_IO_ROOM_LEFT = 2,
    /** "delete-room": the last socket has left. */
    SOCKLINE_IO_ROOM_DELETED = 3,
} sockline_io_room_event;

/**
 * Which pages of other origins may use the server, and how: the options of npm's cors package. Start from
 * SOCKLINE_IO_CORS_INIT; a field of 0 means its default.
 */
typedef struct sockline_io_cors {
    /** sizeof(sockline_io_cors), as the INIT macro sets it. */
    size_t size;
    /**
     * The origins, origin_count of them, as browsers name them: "https://example.com"; "*" among them stands for any.
     * Default: any.
     */
    const sockline_string *origins;
    /** How many those are. */
    size_t origin_count;
    /** 1 lets requests carry cookies and authentication. Default: not. */
    int64_t credentials;
    /** Which methods preflight requests are told of. Default: GET,HEAD,PUT,PATCH,POST,DELETE. */
    sockline_string methods;
    /** Which headers they are told of, with commas between. Default: what the request asks for. */
    sockline_string allowed_headers;
    /** Which headers of answers pages may read, with commas between. Default: none. */
    sockline_string exposed_headers;
    /** How many seconds browsers may keep the answer to a preflight request. Default: nothing is said. */
    uint64_t max_age;
} sockline_io_cors;

/**
 * A cookie with the session's id, for load balancers. Start from SOCKLINE_IO_COOKIE_INIT; a field of 0 means its default.
 */
typedef struct sockline_io_cookie {
    /** sizeof(sockline_io_cookie), as the INIT macro sets it. */
    size_t size;
    /** Default: io. */
    sockline_string name;
    /** Default: /. */
    sockline_string path;
    /** Default: the server's own host. */
    sockline_string domain;
    /** Whether scripts can't read it: 1, or -1 for not. Default: they can't. */
    int64_t http_only;
    /** 1 sends it over TLS only. Default: not. */
    int64_t secure;
    /** Whether it goes along with what other sites cause: Strict, Lax or None. Default: Lax. */
    sockline_string same_site;
    /** Seconds. Default: until the browser ends. */
    uint64_t max_age;
} sockline_io_cookie;

/**
 * Connection state recovery: a client that comes back in time gets its id, rooms and data back, and what it has missed. Start
 * from SOCKLINE_IO_RECOVERY_INIT; a field of 0 means its default.
 */
typedef struct sockline_io_recovery {
    /** sizeof(sockline_io_recovery), as the INIT macro sets it. */
    size_t size;
    /** How long a client may be away, in milliseconds. Default: 120,000. */
    uint64_t max_disconnection_ms;
    /** Whether on_connecting is left out for clients that come back: 1, or -1 for not. Default: it is left out. */
    int64_t skip_middlewares;
    /** The most bytes of events that a namespace keeps for those who are away. Default: 16 MiB. */
    uint64_t max_bytes;
} sockline_io_recovery;

/** How the servers of a cluster tell each other. All need the same. */
typedef enum sockline_redis_mode {
    /** Channels and patterns: createAdapter of npm's @socket.io/redis-adapter. Emitters need it. */
    SOCKLINE_REDIS_CLASSIC = 0,
    /** Sharded channels: createShardedAdapter of @socket.io/redis-adapter. Needs Redis 7. */
    SOCKLINE_REDIS_SHARDED = 1,
    /**
     * A stream: createAdapter of @socket.io/redis-streams-adapter. Outlasts a short loss of Redis, and with
     * sockline_io_server_options.recovery clients come back on other servers, too.
     */
    SOCKLINE_REDIS_STREAMS = 2,
    /**
     * What the servers of python-socketio (5.14 and newer) say to each other: a bridge to them. Less can be said so: of other
     * servers' clients the first that answers is the only one heard, questions who is there are answered by this server alone
     * (the others are missing), and sockline_io_server_side_emit tells nobody, which is an error. Messages of older
     * ones are pickled and not read, which is told.
     */
    SOCKLINE_REDIS_PYTHON_SOCKETIO = 3,
} sockline_redis_mode;

/** Which rooms have a channel of their own, with SOCKLINE_REDIS_SHARDED. All servers need the same. */
typedef enum sockline_redis_subscription {
    /** Those whose names can't be a socket's id: with other than 20 characters. */
    SOCKLINE_REDIS_DYNAMIC = 0,
    /** None: each broadcast goes to all servers. */
    SOCKLINE_REDIS_STATIC = 1,
    /** All, those that sockets have to themselves included: for many events to single sockets of other servers. */
    SOCKLINE_REDIS_DYNAMIC_PRIVATE = 2,
} sockline_redis_subscription;

/**
 * A cluster over Redis. Start from SOCKLINE_REDIS_OPTIONS_INIT; a field of 0 means its default, which is that of the official
 * packages.
 */
typedef struct sockline_redis_options {
    /** sizeof(sockline_redis_options), as the INIT macro sets it. */
    size_t size;
    /**
     * Where Redis is. Default: redis://127.0.0.1:6379.
     *
     * redis://user:password@host:6379/0, all but the host optional; rediss: is the same over TLS.
     * unix:///run/redis.sock, with ?db=0&user=…&password=… if needed.
     * redis+cluster://host:6379,host:6380: nodes of a Redis Cluster, of which one has to be up; also rediss+cluster:.
     * redis+sentinel://host:26379,host:26380/master/0: sentinels, the name of what they watch, and the database.
     * rediss+sentinel: is TLS to the master, not to the sentinels; user and password are the master's. The sentinels' are in
     * ?sentinel_user=…&sentinel_password=…&sentinel_tls=1, or in the fields of these names.
     */
    sockline_string url;
    /** How the servers tell each other, as one of enum sockline_redis_mode. Default: SOCKLINE_REDIS_CLASSIC. */
    int64_t mode;
    /** What the names of all channels begin with. Default: socket.io. */
    sockline_string key;
    /** How long other servers' answers are waited for, in milliseconds. Default: 5,000. */
    uint64_t requests_timeout_ms;
    /** 1 has answers go to who asked only, with SOCKLINE_REDIS_CLASSIC. Default: to all. */
    int64_t publish_on_specific_response_channel;
    /**
     * Which rooms have a channel of their own, as one of enum sockline_redis_subscription. Default: SOCKLINE_REDIS_DYNAMIC.
     */
    int64_t subscription_mode;
    /** The stream's name, with SOCKLINE_REDIS_STREAMS. Default: socket.io. */
    sockline_string stream_name;
    /** How many streams the namespaces are spread over. Default: 1. */
    uint64_t stream_count;
    /** How many entries a stream keeps, about. Default: 10,000. */
    uint64_t max_len;
    /** How many entries are read at once, at most. Default: 100. */
    uint64_t read_count;
    /** What the keys of saved sessions begin with. Default: sio:session: */
    sockline_string session_key_prefix;
    /** A PEM file with the authorities to trust, for TLS. Default: the system's. */
    sockline_string ca_file;
    /**
     * A PEM file with a certificate and the chain to its authority, if Redis asks for one; with key_file. Default: none.
     */
    sockline_string certificate_file;
    /** A PEM file with the certificate's key. */
    sockline_string key_file;
    /** 1 trusts any server; for tests. Default: certificates are verified. */
    int64_t insecure;
    /** How long Redis has to answer a command, and connecting may take, in milliseconds. Default: 5,000. */
    uint64_t command_timeout_ms;
    /**
     * How often each connection is tried while nothing else happens, in milliseconds; one that doesn't answer within that time
     * again is replaced. Default: 2,000.
     */
    uint64_t ping_interval_ms;
    /** Bytes that may wait for Redis; what would be more is dropped. Default: 64 MiB. */
    uint64_t max_queued;
    /**
     * The channel's name, with SOCKLINE_REDIS_PYTHON_SOCKETIO. Default: socketio; Flask-SocketIO's is flask-socketio.
     */
    sockline_string channel;
    /** As whom sentinels are asked, with sentinel_password. Default: as the default user. */
    sockline_string sentinel_user;
    /** What sentinels want to know. What the URL says of both goes first. Default: nothing. */
    sockline_string sentinel_password;
    /** 1 asks sentinels over TLS, with ca_file and the others. Default: without. */
    int64_t sentinel_tls;
} sockline_redis_options;

/**
 * The callbacks of a connection to Redis. Start from SOCKLINE_REDIS_HANDLERS_INIT and set those that you need; NULL ignores the
 * event. They come on a thread of the connection's own, one after the other, and must not wait; they may call anything. No C++
 * exception and no longjmp may leave them.
 */
typedef struct sockline_redis_handlers {
    /** sizeof(sockline_redis_handlers), as the INIT macro sets it. */
    size_t size;
    /** Something went wrong; text is for people, and borrowed. */
    void (*on_error)(sockline_string text, void *user_data);
    /** Redis is connected, and all that other servers say is heard, for the first time or again. */
    void (*on_connected)(void *user_data);
    /**
     * Redis can't be reached any more; it is tried again until the connection is closed. Meanwhile servers go on with their own
     * clients. why is for people, and borrowed.
     */
    void (*on_disconnected)(sockline_string why, void *user_data);
    /** The connection has ended. */
    void (*on_closed)(void *user_data);
    /** No other callback follows; user_data may be freed. On any thread. */
    void (*on_freed)(void *user_data);
} sockline_redis_handlers;

/**
 * What has become of what was sent before, and the context of the call. status: SOCKLINE_OK if all has arrived at Redis,
 * SOCKLINE_ERR_PEER_DEAD if not.
 */
typedef void (*sockline_redis_flushed)(sockline_status status, void *context);

/**
 * How a Socket.IO server is set up. Start from SOCKLINE_IO_SERVER_OPTIONS_INIT; a field of 0 means its default, which is the
 * official server's.
 */
typedef struct sockline_io_server_options {
    /** sizeof(sockline_io_server_options), as the INIT macro sets it. */
    size_t size;
    /** The path below which it answers. Default: /socket.io. */
    sockline_string path;
    /** Whether the path has to be followed by "/": 1, or -1 for not. Default: it has to. */
    int64_t add_trailing_slash;
    /** How long after the last pong the next ping goes out, in milliseconds. Default: 25,000. */
    uint64_t ping_interval_ms;
    /** How long a client may take to answer a ping, in milliseconds. Default: 20,000. */
    uint64_t ping_timeout_ms;
    /** How long the upgrade to a WebSocket may take, in milliseconds. Default: 10,000. */
    uint64_t upgrade_timeout_ms;
    /** How long a client may take to join its first namespace, in milliseconds. Default: 45,000. */
    uint64_t connect_timeout_ms;
    /** The longest request body and WebSocket message to accept, in bytes. Default: 1,000,000. */
    uint64_t max_http_buffer_size;
    /** Which transports clients may use, as bits of enum sockline_io_transport. Default: both. */
    uint64_t transports;
    /** Whether a client may move from polling to a WebSocket: 1, or -1 for not. Default: it may. */
    int64_t allow_upgrades;
    /** 1 serves clients of Socket.IO 1 and 2 (Engine.IO 3), too. Default: not. */
    int64_t allow_eio3;
    /** Which pages of other origins may use it. Default: NULL, none. */
    const sockline_io_cors *cors;
    /** A cookie with the session's id. Default: NULL, none. */
    const sockline_io_cookie *cookie;
    /**
     * Answers to polling of at least so many bytes are compressed for clients that can read that; SOCKLINE_UNLIMITED for
     * none. Default: 1024.
     */
    uint64_t http_compression;
    /**
     * A folder with the browser's client, npm's socket.io-client/dist, which is served below the path: /socket.io/socket.io.js.
     * Default: none.
     */
    sockline_string client_folder;
    /**
     * What else each client's connection may take and keep: high_water_mark, hard_limit and slow_consumer, where what waits for a
     * polling client counts, too, and compression; NULL for the defaults.
     */
    const sockline_settings *settings;
    /** Keep the state of clients that lose their connection. Default: NULL, not. */
    const sockline_io_recovery *recovery;
    /** 1 drops namespaces that were made for clients when their last socket leaves. Default: they stay. */
    int64_t cleanup_empty_child_namespaces;
    /** How packets are written, as one of enum sockline_io_parser. Default: SOCKLINE_IO_JSON. */
    int64_t parser;
    /** The most binary values that an event may bring. Default: 10. */
    uint64_t max_attachments;
    /** A parser of your own, in place of parser. Default: NULL, none. */
    const sockline_io_custom_parser *custom_parser;
    /**
     * The URL of a Redis, as sockline_redis_options.url, with that struct's defaults: makes the server one of a cluster. Errors of
     * this connection are logged. Default: none.
     */
    sockline_string adapter;
    /**
     * The same with a connection that was made before, and only for this server; in place of adapter. Default: NULL, none.
     */
    sockline_redis *redis;
    /**
     * 1 forwards requests of clients that poll to the server of the cluster that has the client's session: they may reach any, so no
     * load balancer has to keep a client with one server. All servers need it. Needs adapter or redis. The ids of sessions begin
     * with 6 characters that name their server, then; the other 14 are 84 random bits. A WebSocket can't be forwarded: a client that
     * asks another server for one goes on polling. Default: not.
     */
    int64_t forward_requests;
    /**
     * 1 has on_request asked about the WebSockets that sessions which have begun go over to, too; is_upgrade of the request is 1
     * then. Default: not.
     */
    int64_t ask_upgrades;
} sockline_io_server_options;

/**
 * A namespace for the official admin UI (npm @socket.io/admin-ui). Start from SOCKLINE_IO_ADMIN_OPTIONS_INIT; a field of 0 means
 * its default.
 */
typedef struct sockline_io_admin_options {
    /** sizeof(sockline_io_admin_options), as the INIT macro sets it. */
    size_t size;
    /** The namespace. Default: /admin. */
    sockline_string nsp;
    /** The name to log in with; empty only with no_auth. */
    sockline_string username;
    /** The password's bcrypt hash, such as "$2b$10$…". */
    sockline_string password_hash;
    /** 1 lets in whoever can connect. Default: user name and password are needed. */
    int64_t no_auth;
    /** 1 shows all and changes nothing. Default: administrators can emit, join, leave and disconnect. */
    int64_t read_only;
    /** How the server is called. Default: the host's name. */
    sockline_string server_id;
    /** 1 shows sums only (mode "production"), which costs less. Default: every socket, room and event. */
    int64_t is_production;
} sockline_io_admin_options;

/** How to send one event. Start from SOCKLINE_IO_EMIT_OPTIONS_INIT; a field of 0 means its default. */
typedef struct sockline_io_emit_options {
    /** sizeof(sockline_io_emit_options), as the INIT macro sets it. */
    size_t size;
    /** 1 drops the event if the other side can't be written to right now: SOCKLINE_DROPPED. Default: it waits. */
    int64_t is_volatile;
    /** Whether to compress, where compression was agreed on: 1, or -1 for not. Default: by length. */
    int64_t compress;
    /**
     * 1 asks the other side for an answer: on_ack follows, exactly once, with this token. Default: no answer is asked for.
     */
    int64_t wants_ack;
    /** Yours, given to on_ack; not touched by the library. */
    void *token;
    /** Milliseconds to wait for that answer. Default: until the socket is disconnected. */
    uint64_t timeout_ms;
} sockline_io_emit_options;

/**
 * Which sockets a call is for: those in any of the rooms, or all of the namespace if there are none, but not those in any of
 * the rooms in except, and not the sender. Start from SOCKLINE_IO_TARGET_INIT, and set nsp or sender.
 */
typedef struct sockline_io_target {
    /** sizeof(sockline_io_target), as the INIT macro sets it. */
    size_t size;
    /** The namespace; 0 for the sender's. */
    sockline_io_namespace nsp;
    /** A socket that is left out, for what it makes the server tell the others; 0 for none. */
    sockline_io_socket sender;
    /**
     * The rooms, room_count of them. A socket in several of them is reached once. A socket's id is a room with only it.
     */
    const sockline_string *rooms;
    /** How many those are. */
    size_t room_count;
    /** The rooms that are left out, except_count of them. */
    const sockline_string *except;
    /** How many those are. */
    size_t except_count;
    /** 1 drops the event for clients that can't be written to right now. Default: it waits. */
    int64_t is_volatile;
    /** Whether it may be compressed, where compression was agreed on: 1, or -1 for not. Default: it may. */
    int64_t compress;
    /** 1 means the sockets of this process only, not those of a cluster. */
    int64_t is_local;
    /** Milliseconds to wait for answers. Default: until all have answered or been disconnected. */
    uint64_t timeout_ms;
} sockline_io_target;

/**
 * The request that begins a session (socket.handshake), and all that it points to: borrowed until the callback that brings
 * it returns.
 */
typedef struct sockline_io_request {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** Path and query as they were sent. */
    sockline_string url;
    /** The client's address, such as "127.0.0.1" or "::1"; empty on a Unix socket. */
    sockline_string address;
    /** The pairs of the query, decoded, in their order. */
    const sockline_header *query;
    /** How many those are. */
    size_t query_count;
    /** All headers in order, names in lower case; a name occurs as often as it was sent. */
    const sockline_header *headers;
    /** How many those are. */
    size_t header_count;
    /** When it came, in milliseconds since 1970. */
    uint64_t issued_ms;
    /** 1 if it came over TLS. */
    int32_t is_secure;
    /** 1 if it comes from a page of another origin, as its headers say. */
    int32_t is_cross_domain;
    /**
     * 1 if its session has begun, and is to go over to the WebSocket that it asks for: on_request alone is asked about these, with
     * sockline_io_server_options.ask_upgrades.
     */
    int32_t is_upgrade;
} sockline_io_request;

/** An event that came; borrowed until the callback returns. */
typedef struct sockline_io_event {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** Its name. */
    sockline_string name;
    /**
     * The arguments: JSON values with commas between them, or empty; as sockline_io_emit takes them. A binary value is
     * {"_placeholder":true,"num":0} with the number of its attachment.
     */
    sockline_string args;
    /** The whole event as one JSON array: the name, then the arguments. */
    sockline_string array;
    /** The binary values, attachment_count of them. */
    const sockline_bytes *attachments;
    /** How many those are. */
    size_t attachment_count;
    /** The answer that the other side waits for, to be sent by sockline_io_ack_send; 0 if it doesn't. */
    sockline_io_ack ack;
} sockline_io_event;

/** What has become of an event that asked for an answer; borrowed until the callback returns. */
typedef struct sockline_io_ack_event {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** What it is, as one of enum sockline_io_outcome; the rest is empty unless it is SOCKLINE_IO_ANSWERED. */
    int32_t outcome;
    /** 0. */
    int32_t reserved;
    /** The token of the event. */
    void *token;
    /** The answer, as in sockline_io_event.args. */
    sockline_string args;
    /** The binary values, attachment_count of them. */
    const sockline_bytes *attachments;
    /** How many those are. */
    size_t attachment_count;
} sockline_io_ack_event;

/** One client's answer to a broadcast. */
typedef struct sockline_io_response {
    /** The answer, as in sockline_io_event.args. */
    sockline_string args;
    /** The binary values, attachment_count of them. */
    const sockline_bytes *attachments;
    /** How many those are. */
    size_t attachment_count;
} sockline_io_response;

/** The answers to a broadcast; borrowed until the callback returns. */
typedef struct sockline_io_broadcast_ack_event {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** The token of the broadcast. */
    void *token;
    /** The answers that came, response_count of them. */
    const sockline_io_response *responses;
    /** How many those are. */
    size_t response_count;
    /** How many sockets had been asked. */
    size_t expected;
    /** 1 if the time was up before all had answered. */
    int64_t timed_out;
} sockline_io_broadcast_ack_event;

/** A request that was refused; borrowed until the callback returns. */
typedef struct sockline_io_connection_error {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** The number of the error in the protocol of Engine.IO, 0 to 5. */
    int64_t code;
    /** Its message, such as "Session ID unknown". */
    sockline_string message;
    /**
     * What exactly was wrong: names and values, with the official names, context_count of them. One called name, such as
     * TRANSPORT_MISMATCH, comes first if there is one.
     */
    const sockline_header *context;
    /** How many those are. */
    size_t context_count;
    /** The request. */
    const sockline_io_request *request;
} sockline_io_connection_error;

/** Response headers that are about to be sent, for sockline_io_add_header; borrowed until on_headers returns. */
typedef struct sockline_io_headers sockline_io_headers;

/** What a packet of Engine.IO is. The numbers are the digits that it has on its way. */
typedef enum sockline_io_engine_packet_type {
    /** The session's id and timings, as JSON. */
    SOCKLINE_IO_ENGINE_OPEN = 0,
    /** The session ends. */
    SOCKLINE_IO_ENGINE_CLOSE = 1,
    /** Asks for a pong. */
    SOCKLINE_IO_ENGINE_PING = 2,
    /** Answers a ping. */
    SOCKLINE_IO_ENGINE_PONG = 3,
    /** A packet of Socket.IO, or an attachment of it, or a message of the application's own. */
    SOCKLINE_IO_ENGINE_MESSAGE = 4,
    /** The client has gone over to a WebSocket. */
    SOCKLINE_IO_ENGINE_UPGRADE = 5,
    /** Nothing; ends a poll. */
    SOCKLINE_IO_ENGINE_NOOP = 6,
} sockline_io_engine_packet_type;

/** A packet of Engine.IO; borrowed until the callback returns. */
typedef struct sockline_io_engine_packet {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** 1 if it is on its way out, 0 if it came. */
    int32_t is_outgoing;
    /** One of enum sockline_io_engine_packet_type. */
    int32_t packet_type;
    /** Whether the data is text or binary: one of enum sockline_message_type. */
    int32_t message_type;
    /** Whether it may be compressed on its way out; 1 for one that came. */
    int32_t compress;
    /** Its data, without base64; empty if it has none. */
    sockline_bytes data;
} sockline_io_engine_packet;

/**
 * The callbacks of a Socket.IO server. Start from SOCKLINE_IO_HANDLERS_INIT and set those that you need; NULL ignores the
 * event, allows what is asked, and denies namespaces that are not there. The struct is copied by the call that takes it.
 *
 * What concerns one socket comes on one thread, the one that turns the loop on which its session began, one after the other:
 * on_connecting, on_connection, events and acks in the order of their arrival, on_disconnecting, what is left of its acks,
 * on_disconnect, last. A callback may call anything; no call runs another callback before the present one has returned. No C++
 * exception and no longjmp may leave a callback.
 *
 * user_data is what was given with the handlers. It stays yours: free it in on_server_closed.
 */
typedef struct sockline_io_handlers {
    /** sizeof(sockline_io_handlers), as the INIT macro sets it. */
    size_t size;
    /** A socket is connected; its client has been told. */
    void (*on_connection)(sockline_io_socket socket, void *user_data);
    /** An event came. event is borrowed until the callback returns. */
    void (*on_event)(sockline_io_socket socket, const sockline_io_event *event, void *user_data);
    /** What has become of an event that was emitted with wants_ack: exactly once for each that was accepted. */
    void (*on_ack)(sockline_io_socket socket, const sockline_io_ack_event *event, void *user_data);
    /**
     * What waits to be sent to the socket's client fell to half of the high-water mark, after an emit had said
     * SOCKLINE_OVER_MARK. Each socket of the client hears it.
     */
    void (*on_drain)(sockline_io_socket socket, void *user_data);
    /**
     * A socket is about to go: it is still in its rooms, but no longer connected. reason: one of enum sockline_io_reason.
     */
    void (*on_disconnecting)(sockline_io_socket socket, int32_t reason, void *user_data);
    /**
     * A socket has gone. The last event of this handle. detail says more of the cause, for people, or is empty; borrowed.
     */
    void (*on_disconnect)(sockline_io_socket socket,
                          int32_t reason,
                          sockline_string detail,
                          void *user_data);
    /**
     * A client wants to be connected to a namespace (use): its socket is there, not connected yet. Answer with
     * sockline_io_allow_connection or sockline_io_deny_connection, here or later from any thread. NULL allows.
     */
    void (*on_connecting)(sockline_io_question question, sockline_io_socket socket, void *user_data);
    /** A socket that was asked about in on_connecting will never be connected. The last event of this handle. */
    void (*on_connect_abandoned)(sockline_io_socket socket, void *user_data);
    /**
     * A client asks for a namespace that is not there; auth is what it says of itself, as JSON. Answer with
     * sockline_io_answer_namespace, here or later from any thread. name, auth and request are borrowed. NULL denies, and the
     * client hears "Invalid namespace".
     */
    void (*on_namespace)(sockline_io_question question,
                         sockline_string name,
                         sockline_string auth,
                         const sockline_io_request *request,
                         void *user_data);
    /** A namespace was made, by sockline_io_of or for a client. Not told of "/". */
    void (*on_new_namespace)(sockline_io_namespace nsp, void *user_data);
    /**
     * A new session is asked for (allowRequest), or, with ask_upgrades, the WebSocket that one goes over to. Answer with
     * sockline_io_answer_request, sockline_io_allow_request_as, sockline_io_deny_bad_request or sockline_io_respond, here or later
     * from any thread. request is borrowed. NULL allows.
     */
    void (*on_request)(sockline_io_question question,
                       const sockline_io_request *request,
                       void *user_data);
    /**
     * The HTTP response to a request is about to be sent: sockline_io_add_header can add to it. is_initial: 1 for the one that
     * begins the session (initial_headers), otherwise 0 (headers). Of request, remote_address, body and is_secure are not set.
     */
    void (*on_headers)(const sockline_http_request *request,
                       int32_t is_initial,
                       sockline_io_headers *headers,
                       void *user_data);
    /** A request was refused (connection_error). */
    void (*on_connection_error)(const sockline_io_connection_error *error, void *user_data);
    /** The answers to a broadcast that was emitted with sockline_io_broadcast_emit_with_ack: exactly once. */
    void (*on_broadcast_ack)(sockline_io_namespace nsp,
                             const sockline_io_broadcast_ack_event *event,
                             void *user_data);
    /**
     * A broadcast has sent an event to this socket, which sockline_io_socket_hear_outgoing was called for (onAnyOutgoing).
     * Only event.array and event.attachments are set.
     */
    void (*on_outgoing)(sockline_io_socket socket, const sockline_io_event *event, void *user_data);
    /** The socket's client has moved from HTTP requests to a WebSocket. Each socket of the client hears it. */
    void (*on_upgrade)(sockline_io_socket socket, void *user_data);
    /**
     * Something happened to a room: event is one of enum sockline_io_room_event; id is the socket's that joined or left, or
     * empty. The rooms that sockets have to themselves count too. Borrowed.
     */
    void (*on_room)(sockline_io_namespace nsp,
                    int32_t event,
                    sockline_string room,
                    sockline_string id,
                    void *user_data);
    /**
     * sockline_io_server_close is done: all sockets and sessions have gone. The last event of this server. If its loop has ended
     * before, it comes on the thread that finds it out.
     */
    void (*on_server_closed)(sockline_io_server server, void *user_data);
    /**
     * Another server of the cluster, or an emitter, has emitted an event (serverSideEmit): sockline_io_server_side_emit. If
     * event.ack is not 0, answer with sockline_io_server_ack_send, here or later from any thread. event is borrowed. NULL answers
     * nothing, and who waits for an answer counts this server as missing.
     */
    void (*on_server_side_emit)(sockline_io_namespace nsp,
                                const sockline_io_event *event,
                                void *user_data);
    /**
     * An Engine.IO packet of a client's session: one that came (packet), or one that is on its way out (packetCreate), which is
     * a message, a ping or a pong. For watching, on the thread of the session's sockets; it costs a copy of each packet that is
     * sent. session_id: as sockline_io_socket_session_id writes it. Borrowed.
     */
    void (*on_packet)(sockline_string session_id,
                      const sockline_io_engine_packet *packet,
                      void *user_data);
} sockline_io_handlers;

/** A socket of a target, here or on another server of the cluster; borrowed until the function that gets it returns. */
typedef struct sockline_io_socket_details {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** Its handle, if it is on this server; otherwise 0. Its id is a room through which it can be reached. */
    sockline_io_socket socket;
    /** Its id. */
    sockline_string id;
    /** The request that began its session, as the JSON object that the official server gives. */
    sockline_string handshake;
    /** What was kept with it (socket.data), as JSON. */
    sockline_string data;
    /** The rooms it is in. */
    const sockline_string *rooms;
    /** How many those are. */
    size_t room_count;
} sockline_io_socket_details;

/** What a Socket.IO server has done. Start from SOCKLINE_IO_METRICS_INIT. */
typedef struct sockline_io_metrics {
    /** sizeof(sockline_io_metrics), as the INIT macro sets it. */
    size_t size;
    /** Clients that have a session now (engine.clientsCount). */
    uint64_t clients;
    /** Those of them that poll. */
    uint64_t polling_clients;
    /** Sessions since the server was made. */
    uint64_t sessions;
    /** Sockets that are connected now, over all namespaces. */
    uint64_t sockets;
    /** Namespaces that there are now. */
    uint64_t namespaces;
    /** Events that came. */
    uint64_t events_in;
    /** Events that were sent, a broadcast once for each socket. */
    uint64_t events_out;
    /** Answers that came. */
    uint64_t acks_in;
    /** Answers that were sent. */
    uint64_t acks_out;
    /** Events that were dropped: volatile ones, and those over a client's hard limit. */
    uint64_t dropped;
    /** Sockets that connection state recovery has brought back. */
    uint64_t recovered;
} sockline_io_metrics;

/** A socket, and what the function that visits sockets was given. */
typedef void (*sockline_io_socket_visitor)(sockline_io_socket socket, void *context);

/** A room, and what sockline_io_namespace_rooms was given. room is borrowed until the function returns. */
typedef void (*sockline_io_room_visitor)(sockline_string room, void *context);

/**
 * What sockline_io_fetch_sockets has found: sockets, count of them, and the context it was given. missing: how many servers of the
 * cluster have not answered in time, so that their sockets are not among these. status: SOCKLINE_OK; SOCKLINE_ERR_CLOSED if the
 * server, or its loop, has ended before the answer; SOCKLINE_ERR_PEER_DEAD if nobody could be asked. All is borrowed until the
 * function returns.
 */
typedef void (*sockline_io_sockets_found)(sockline_status status,
                                          const sockline_io_socket_details *sockets,
                                          size_t count,
                                          size_t missing,
                                          void *context);

/**
 * What sockline_io_all_sockets and sockline_io_all_rooms have found: names, count of them. missing: how many servers of the cluster
 * have not answered in time. status: as for sockline_io_sockets_found. context is that of the call. All is borrowed until the
 * function returns.
 */
typedef void (*sockline_io_names_found)(sockline_status status,
                                        const sockline_string *names,
                                        size_t count,
                                        size_t missing,
                                        void *context);

/**
 * What the other servers have answered: responses, count of them, each of one value. missing: how many servers have not answered
 * in time. status: SOCKLINE_OK, or why there is no answer, as for sockline_io_sockets_found. context is that of the call. All is
 * borrowed until the function returns.
 */
typedef void (*sockline_io_servers_answered)(sockline_status status,
                                             const sockline_io_response *responses,
                                             size_t count,
                                             size_t missing,
                                             void *context);

/**
 * How many servers of the cluster have the namespace, this one included, and the context of the call. status: as for
 * sockline_io_sockets_found.
 */
typedef void (*sockline_io_servers_counted)(sockline_status status, size_t count, void *context);

/**
 * Which sockets of the cluster a call is for: those in any of the rooms, or all of the namespace if there are none, but not those
 * in any of the rooms in except. Start from SOCKLINE_EMITTER_TARGET_INIT.
 */
typedef struct sockline_emitter_target {
    /** sizeof(sockline_emitter_target), as the INIT macro sets it. */
    size_t size;
    /** The namespace's name. Default: /. */
    sockline_string nsp;
    /**
     * The rooms, room_count of them. A socket in several of them is reached once. A socket's id is a room with only it.
     */
    const sockline_string *rooms;
    /** How many those are. */
    size_t room_count;
    /** The rooms that are left out, except_count of them. */
    const sockline_string *except;
    /** How many those are. */
    size_t except_count;
    /** 1 drops the event for clients that can't be written to right now. Default: it waits. */
    int64_t is_volatile;
    /** Whether it may be compressed, where compression was agreed on: 1, or -1 for not. Default: it may. */
    int64_t compress;
} sockline_emitter_target;

/**
 * How a manager connects. Start from SOCKLINE_IO_MANAGER_OPTIONS_INIT; a field of 0 means its default, which is the official
 * client's.
 */
typedef struct sockline_io_manager_options {
    /** sizeof(sockline_io_manager_options), as the INIT macro sets it. */
    size_t size;
    /**
     * How its connections are made, polling's too: headers, cookies, TLS, proxy, this side's address, connect_to_host and
     * connect_to_port, dial, lookup, limits of messages (a polling answer counts as one), compression of WebSocket messages,
     * subprotocols. queue, reconnect and max_redirects of it are not used; socket is refused. Default: NULL.
     */
    const sockline_options *options;
    /** The path that the server answers at. Default: /socket.io. */
    sockline_string path;
    /** Whether a slash follows the path: 1, or -1 for not. Default: it does. */
    int64_t add_trailing_slash;
    /** Which transports are tried, as bits of enum sockline_io_transport. Default: both. */
    uint64_t transports;
    /** 1 tries a WebSocket first. Default: polling is tried first. */
    int64_t websocket_first;
    /**
     * Whether to go over to a WebSocket where the connection began with polling: 1, or -1 for not. Default: it does.
     */
    int64_t upgrade;
    /** 1 begins with a WebSocket if the last connection of this process used one. Default: not. */
    int64_t remember_upgrade;
    /** 1 tries the next transport when one can't connect. Default: not. */
    int64_t try_all_transports;
    /** Names and values for the query of every request, query_count of them, beside those in the URL. */
    const sockline_header *query;
    /** How many those are. */
    size_t query_count;
    /** 1 sends binary data as base64 over a WebSocket, too. Default: not. */
    int64_t force_base64;
    /** Whether cookies that the server sets go along with later requests: 1, or -1 for not. Default: they do. */
    int64_t keep_cookies;
    /** How long one request of polling may take, in milliseconds. Default: as long as the connection lives. */
    uint64_t request_timeout_ms;
    /** Whether to come back when the connection is lost: 1, or -1 for not. Default: it does. */
    int64_t reconnection;
    /** How often that is tried. Default: until it succeeds. */
    uint64_t reconnection_attempts;
    /** The first wait, in milliseconds; each next one is twice as long. Default: 1,000. */
    uint64_t reconnection_delay_ms;
    /** The longest wait, in milliseconds. Default: 5,000. */
    uint64_t reconnection_delay_max_ms;
    /** By how many percent a wait is longer or shorter by chance, 1 to 100; SOCKLINE_UNLIMITED for 0. Default: 50. */
    uint64_t randomization_percent;
    /** How long an attempt to connect may take, in milliseconds; SOCKLINE_UNLIMITED for any time. Default: 20,000. */
    uint64_t timeout_ms;
    /** Whether it connects as soon as it has a socket: 1, or -1 for not. Default: it does. */
    int64_t auto_connect;
    /** How packets are written, as one of enum sockline_io_parser. Default: SOCKLINE_IO_JSON. */
    int64_t parser;
    /** The most binary values that an event may bring. Default: 10. */
    uint64_t max_attachments;
    /**
     * How many bytes of events may wait, in all sockets together, while there is no connection; SOCKLINE_UNLIMITED for any
     * number. Default: 16 MiB.
     */
    uint64_t send_buffer;
    /** A parser of your own, in place of parser. Default: NULL, none. */
    const sockline_io_custom_parser *custom_parser;
} sockline_io_manager_options;

/** How one socket connects and sends. Start from SOCKLINE_IO_SOCKET_OPTIONS_INIT; a field of 0 means its default. */
typedef struct sockline_io_socket_options {
    /** sizeof(sockline_io_socket_options), as the INIT macro sets it. */
    size_t size;
    /** What the socket says of itself each time that it connects: a JSON object. Default: nothing. */
    sockline_string auth;
    /** 1 has on_auth asked for it, anew each time. Default: not. */
    int64_t ask_auth;
    /**
     * How often an event is sent again that the server has not acknowledged. With more than 0, events leave one after the
     * other, each when the one before was acknowledged or given up. Default: 0.
     */
    uint64_t retries;
    /**
     * How long an acknowledgement is waited for where the event does not say, in milliseconds. Default: until the connection is
     * lost.
     */
    uint64_t ack_timeout_ms;
} sockline_io_socket_options;

/** Why a socket could not connect; borrowed until the callback returns. */
typedef struct sockline_io_connect_error {
    /** The size of this struct in the library that is running. */
    size_t size;
    /** What the server said, or what went wrong on the way to it. */
    sockline_string message;
    /** The server's further data, as JSON; empty if there is none. */
    sockline_string data;
    /** What went wrong on the way; NULL if the server has refused. */
    const sockline_error_event *error;
} sockline_io_connect_error;

/**
 * The callbacks of a client's socket, and of its manager. Start from SOCKLINE_IO_CLIENT_HANDLERS_INIT and set those that you
 * need; NULL ignores the event. The struct is copied by the call that takes it.
 *
 * All run on the thread that turns the manager's loop, one after the other. A callback may call anything; no call runs another
 * callback before the present one has returned. No C++ exception and no longjmp may leave a callback.
 *
 * user_data is what was given with the handlers. It stays yours; free it in on_freed.
 */
typedef struct sockline_io_client_handlers {
    /** sizeof(sockline_io_client_handlers), as the INIT macro sets it. */
    size_t size;
    /** The server has taken the socket in, at first or again. What was emitted meanwhile is on its way. */
    void (*on_connect)(sockline_io_client socket, void *user_data);
    /**
     * The server has refused the socket, or could not be reached. Whether it will be tried again says
     * sockline_io_client_active.
     */
    void (*on_connect_error)(sockline_io_client socket,
                             const sockline_io_connect_error *error,
                             void *user_data);
    /** An event came. event is borrowed until the callback returns. */
    void (*on_event)(sockline_io_client socket, const sockline_io_event *event, void *user_data);
    /** What has become of an event that was emitted with wants_ack: exactly once for each that was accepted. */
    void (*on_ack)(sockline_io_client socket, const sockline_io_ack_event *event, void *user_data);
    /**
     * The socket is connected no longer, or the connection has ended before the server had taken it in. reason: one of
     * enum sockline_io_client_reason. Whether it will come back says sockline_io_client_active. detail says more, for
     * people, or is empty; borrowed.
     */
    void (*on_disconnect)(sockline_io_client socket,
                          int32_t reason,
                          sockline_string detail,
                          void *user_data);
    /**
     * The socket is about to connect, and ask_auth is set. Answer with sockline_io_answer_auth, here or later from any thread;
     * the socket waits. NULL sends nothing.
     */
    void (*on_auth)(sockline_io_client socket, sockline_io_question question, void *user_data);
    /**
     * The socket and its manager were freed, and their connection has ended: no other callback of this socket follows.
     * It comes on any thread; user_data may be freed.
     */
    void (*on_freed)(sockline_io_client socket, void *user_data);
} sockline_io_client_handlers;

/**
 * The callbacks of a manager. Start from SOCKLINE_IO_MANAGER_HANDLERS_INIT and set those that you need; NULL ignores the event.
 * The struct is copied by the call that takes it. Threads as for sockline_io_client_handlers.
 */
typedef struct sockline_io_manager_handlers {
    /** sizeof(sockline_io_manager_handlers), as the INIT macro sets it. */
    size_t size;
    /** There is a connection. */
    void (*on_open)(sockline_io_manager manager, void *user_data);
    /** A connection could not be made, or failed. error is borrowed. */
    void (*on_error)(sockline_io_manager manager, const sockline_error_event *error, void *user_data);
    /** The connection has ended. reason: one of enum sockline_io_client_reason. detail is borrowed. */
    void (*on_close)(sockline_io_manager manager,
                     int32_t reason,
                     sockline_string detail,
                     void *user_data);
    /** A ping of the server's came, and was answered. */
    void (*on_ping)(sockline_io_manager manager, void *user_data);
    /** The connection has gone over to a WebSocket. */
    void (*on_upgrade)(sockline_io_manager manager, void *user_data);
    /** It could not, and stays on polling. error is borrowed. */
    void (*on_upgrade_error)(sockline_io_manager manager,
                             const sockline_error_event *error,
                             void *user_data);
    /** The next attempt begins in delay_ms milliseconds. Attempts are numbered from 1. */
    void (*on_reconnect_scheduled)(sockline_io_manager manager,
                                   uint32_t attempt,
                                   uint64_t delay_ms,
                                   void *user_data);
    /** Another attempt to connect begins. */
    void (*on_reconnect_attempt)(sockline_io_manager manager, uint32_t attempt, void *user_data);
    /** It has succeeded, this many attempts after the loss. */
    void (*on_reconnect)(sockline_io_manager manager, uint32_t attempt, void *user_data);
    /** It has failed. error is borrowed. */
    void (*on_reconnect_error)(sockline_io_manager manager,
                               const sockline_error_event *error,
                               void *user_data);
    /** It was the last one that the options allow. */
    void (*on_reconnect_failed)(sockline_io_manager manager, void *user_data);
    /** What waits to be sent fell to half of the high-water mark, after an emit had said SOCKLINE_OVER_MARK. */
    void (*on_drain)(sockline_io_manager manager, void *user_data);
    /**
     * The manager and all its sockets were freed, and their connection has ended: no other callback of this manager follows.
     * It comes on any thread; user_data may be freed.
     */
    void (*on_freed)(sockline_io_manager manager, void *user_data);
    /**
     * An Engine.IO packet of the connection came (packet), or is on its way out (packetCreate): a message, a ping or a pong. For
     * watching; it costs a copy of each. Borrowed.
     */
    void (*on_packet)(sockline_io_manager manager,
                      const sockline_io_engine_packet *packet,
                      void *user_data);
} sockline_io_manager_handlers;

/*
 * Initialisers: sockline_options options = SOCKLINE_OPTIONS_INIT; sets size, and all else to 0.
 */

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

/** A text that is ended by a NUL, as a sockline_string; NULL gives the empty one. Borrowed from text. Any thread. */
static inline sockline_string sockline_str(const char *text) {
    sockline_string string = {text, 0};
    while (text && text[string.len]) string.len++;
    return string;
}

/*
 * Library
 */

/** The library's version, such as "0.1.0". Borrowed for ever. Any thread. */
const char *sockline_version(void);

/** The library's version as one number, to be compared with SOCKLINE_MAKE_VERSION(0, 1, 0). Any thread. */
uint32_t sockline_version_number(void);

/**
 * A status as the name that it has in this header, such as "SOCKLINE_ERR_CLOSED". Borrowed for ever; never NULL.
 * Any thread.
 */
const char *sockline_status_name(sockline_status status);

/** A status as one sentence for people, in general terms. Borrowed for ever; never NULL. Any thread. */
const char *sockline_status_text(sockline_status status);

/**
 * Why the last call of this thread that returned an error did so: what failed, with what value, and what to do.
 * Borrowed until the next failing call of this thread; never NULL, and empty before the first failure. Any thread.
 */
const char *sockline_last_error_text(void);

/**
 * Has log lines up to this level given to log_function; NULL for none, as it is at first.
 *
 * It runs on whatever thread has something to say, but never twice at once, and it is not given what it brings about
 * itself. When this returns, the function before it is not running any more, so its user_data may be freed, unless
 * this is called by that function.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT for a level that is none. Any thread.
 */
sockline_status sockline_set_log(int32_t level, sockline_log_function log_function, void *user_data);

/**
 * Writes len bytes of text where the library's own lines go; for wrappers in other languages that have something to
 * report. level: one of enum sockline_log_level but SOCKLINE_LOG_OFF.
 *
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
 */
sockline_status sockline_log(int32_t level, const char *text, size_t len);

/*
 * Loops
 */

/**
 * Makes a loop that nobody turns yet, and writes it to *made: owned, until sockline_loop_free.
 *
 * options: copied; NULL for the defaults. made: not NULL; left alone after a failure.
 * Errors: SOCKLINE_ERR_OUT_OF_RESOURCES if there are 1024 loops or the system has no descriptor left,
 * SOCKLINE_ERR_FORKED in a child of a process that had loops. Any thread.
 */
sockline_status sockline_loop_new(const sockline_loop_options *options, sockline_loop **made);

/**
 * Turns the loop on this thread until sockline_loop_stop, or until a sockline_loop_shutdown is done.
 *
 * Errors: SOCKLINE_ERR_LOOP_BUSY if it is being turned already. Loop thread: this makes the caller's thread the one.
 */
sockline_status sockline_loop_run(sockline_loop *loop);

/**
 * Turns the loop on a thread of the library's own, which takes no signals; callbacks run there.
 *
 * Errors: SOCKLINE_ERR_LOOP_BUSY if it was started before, SOCKLINE_ERR_OUT_OF_RESOURCES if there is no thread to be
 * had. Any thread.
 */
sockline_status sockline_loop_start(sockline_loop *loop);

/**
 * The descriptor for another event loop to watch for reading: call sockline_loop_poll when it is readable. It belongs
 * to the loop; don't close it. -1 if loop is NULL, and on Windows, where another loop has nothing to watch. Any thread.
 */
int sockline_loop_fd(sockline_loop *loop);

/**
 * In how many milliseconds sockline_loop_poll has to be called though the descriptor is not readable; -1 for never.
 * Ask again after each poll. Loop thread.
 */
int64_t sockline_loop_next_timeout(sockline_loop *loop);

/**
 * Turns the loop once: waits at most timeout_ms (-1: until something happens; 0: not at all) and runs callbacks.
 * Returns SOCKLINE_OK, or SOCKLINE_STOPPED if the loop was stopped or is shut down.
 *
 * Errors: SOCKLINE_ERR_LOOP_BUSY if another thread turns it, or if one of its callbacks calls this. Loop thread: this
 * makes the caller's thread the one.
 */
sockline_status sockline_loop_poll(sockline_loop *loop, int64_t timeout_ms);

/**
 * Waits at most timeout_ms (-1: without end) until there is something to do, for as long as a timer lets it, and keeps what
 * the system has said: the next sockline_loop_poll does not ask again. It runs no callbacks, so a host's thread can wait
 * without a lock that its callbacks need, such as an interpreter's, and take it for the turn. It looks for the loop's
 * busy_poll_us before.
 *
 * Errors: SOCKLINE_ERR_LOOP_BUSY if another thread turns it, or if one of its callbacks calls this. Loop thread: this
 * makes the caller's thread the one.
 */
sockline_status sockline_loop_wait(sockline_loop *loop, int64_t timeout_ms);

/**
 * Looks again and again whether the descriptor is readable, for the loop's busy_poll_us and at most for timeout_ms (-1: no
 * other limit); for hosts that would wait for the descriptor otherwise. Returns 1 if it is readable: then poll, else 0: then
 * wait. It runs no callbacks, and returns at once without busy_poll_us or without connections. Loop thread.
 */
sockline_status sockline_loop_spin(sockline_loop *loop, int64_t timeout_ms);

/**
 * Sends what calls between turns have left, and delivers what they have brought about: it may run callbacks. For
 * loops with a flush_hook. Does nothing on other threads than the one that polls. Loop thread.
 */
sockline_status sockline_loop_flush(sockline_loop *loop);

/** Makes the thread that waits in sockline_loop_run or sockline_loop_poll look around once. Any thread. */
sockline_status sockline_loop_wake(sockline_loop *loop);

/**
 * Ends sockline_loop_run, or the thread of sockline_loop_start, after the present turn. Connections stay as they are.
 * Any thread.
 */
sockline_status sockline_loop_stop(sockline_loop *loop);

/**
 * Ends the loop in good order: no new connections, close code 1001 for the open ones; what has not ended after
 * within_ms is cut. Waits for the thread of sockline_loop_start, unless called on it; sockline_loop_run and _poll
 * return when it is done. Any thread.
 */
sockline_status sockline_loop_shutdown(sockline_loop *loop, uint64_t within_ms);

/**
 * Frees a loop: consumed. Every connection gets its on_close (1006) and every server its on_server_closed, without
 * waiting for peers, before this returns. In a callback of the loop, or while another thread turns it, this comes at
 * the end of the turn instead. Then the loop stops. NULL does nothing. Any thread.
 */
void sockline_loop_free(sockline_loop *loop);

/*
 * TLS
 */

/**
 * Makes what secures a client's connections, and writes it to *tls: owned, until sockline_tls_free.
 *
 * options: copied; NULL for the defaults. tls: not NULL; left alone after a failure. Reads the system's certification
 * authorities if they are wanted, which takes some milliseconds.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT says which option can't be used, and why; SOCKLINE_ERR_UNSUPPORTED in a build
 * without TLS. Any thread.
 */
sockline_status sockline_tls_client_new(const sockline_tls_client_options *options, sockline_tls **tls);

/**
 * Makes what secures a server's connections, and writes it to *tls: owned, until sockline_tls_free.
 *
 * options: copied, not NULL. tls: not NULL; left alone after a failure.
 * Errors: as for sockline_tls_client_new. Any thread.
 */
sockline_status sockline_tls_server_new(const sockline_tls_server_options *options, sockline_tls **tls);

/**
 * Has a server take other certificates and keys from the next handshake on, identity_count of them, copied; connections
 * that are there stay as they are. After an error those that are there stay in use.
 *
 * tls: from sockline_tls_server_new; keep it for this.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
 */
sockline_status sockline_tls_reload(sockline_tls *tls, const sockline_identity *identities, size_t identity_count);

/** Frees it: consumed. Connections and servers that it was given to go on. NULL does nothing. Any thread. */
void sockline_tls_free(sockline_tls *tls);

/*
 * Connections
 */

/**
 * Starts to connect, and writes the handle to *ws at once; on_open follows, or on_error and on_close.
 *
 * loop: NULL for the default loop. url: "ws://host:port/path?query", ended by a NUL. options: NULL for the
 * defaults. handlers: NULL if options has a queue; otherwise NULL has events wait for sockline_set_handlers, and
 * messages beyond 1 MiB are dropped then. user_data: yours, given to every callback. ws: may be NULL; callbacks get
 * the handle too, and may run before this has returned. Everything is copied but what is called user_data, the queue,
 * and options.socket, which is taken over if this succeeds.
 *
 * Errors: SOCKLINE_ERR_INVALID_URL, SOCKLINE_ERR_INVALID_ARGUMENT for a subprotocol, header or setting that can't be
 * and for handlers beside a queue, SOCKLINE_ERR_UNSUPPORTED for wss:// in a build without TLS,
 * SOCKLINE_ERR_OUT_OF_RESOURCES, SOCKLINE_ERR_FORKED. After an error no callback ever comes, and *ws is 0. Any thread.
 */
sockline_status sockline_connect(
    sockline_loop *loop,
    const char *url,
    const sockline_options *options,
    const sockline_handlers *handlers,
    void *user_data,
    sockline_ws *ws);

/**
 * Answers on_dial: here is the connection. If nobody waits for it any more, it is closed.
 *
 * descriptor: a connected TCP or Unix socket; on Windows a SOCKET. It is taken over, also by an error: the library closes it.
 * is_secured: 0 has TLS begin on it if the URL asks for that. 1 says that TLS is yours, and what goes over it here is plain:
 * give one end of a socketpair(2) then, and copy what is decrypted to and from the other.
 *
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT for a descriptor that is none, after which the answer is still owed;
 * SOCKLINE_ERR_ALREADY_ANSWERED. Any thread.
 */
sockline_status sockline_dial_connected(sockline_dialing dialing, int64_t descriptor, int32_t is_secured);

/**
 * Answers on_dial: there is no connection. The client hears of SOCKLINE_ERR_CONNECT_FAILED, with why in its text; one that comes
 * back tries again. why: for people, copied.
 *
 * Errors: SOCKLINE_ERR_ALREADY_ANSWERED; SOCKLINE_ERR_INVALID_UTF8, after which the answer is still owed. Any thread.
 */
sockline_status sockline_dial_failed(sockline_dialing dialing, sockline_string why);

/**
 * Adds an IP address, such as "192.0.2.1" or "2001:db8::1", to those of a name; copied.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Only within on_lookup.
 */
sockline_status sockline_lookup_add(sockline_addresses *addresses, sockline_string address);

/**
 * Says that the name has no addresses, also if some were added, and why, for people; copied. The client hears of
 * SOCKLINE_ERR_NAME_NOT_RESOLVED with that in its text.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Only within on_lookup.
 */
sockline_status sockline_lookup_failed(sockline_addresses *addresses, sockline_string why);

/**
 * Gives the connection other callbacks, copied, and other user_data. Events that waited for handlers come now.
 *
 * handlers: not NULL. From another thread the change is queued, and events that come first go where they went before.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_CLOSED. Any thread.
 */
sockline_status sockline_set_handlers(sockline_ws ws, const sockline_handlers *handlers, void *user_data);

/**
 * Sends a message: type SOCKLINE_TEXT or SOCKLINE_BINARY, len bytes at data, copied. data may be NULL if len is 0.
 *
 * On the loop's thread it is framed at once and leaves at the end of the turn; from another thread it is queued.
 * Returns SOCKLINE_OK, or SOCKLINE_OVER_MARK if it was accepted and the next one should wait for on_drain.
 * Errors: SOCKLINE_ERR_NOT_OPEN before on_open and once it is closing, SOCKLINE_ERR_CLOSED,
 * SOCKLINE_ERR_INVALID_UTF8 for a text, SOCKLINE_ERR_OUTBOX_FULL over the hard limit. Any thread.
 */
sockline_status sockline_send(sockline_ws ws, int32_t type, const void *data, size_t len);

/**
 * Sends a message as sockline_send does, with options; options may be NULL. A message with wants_result that was
 * accepted, SOCKLINE_DROPPED included, gets its on_sent, exactly once and before on_close; never inside this call.
 *
 * Returns and errors: as for sockline_send; after an error no on_sent follows. Any thread.
 */
sockline_status sockline_send_with(
    sockline_ws ws,
    int32_t type,
    const void *data,
    size_t len,
    const sockline_send_options *options);

/**
 * Sends a part of a message whose length need not be known: the first part begins it and says by type what it is, the
 * one with is_last of 1 ends it, and may be empty. The peer can read each part when it comes; to the peer's application
 * it is one message, unless that reads in parts too. A text is cut between characters. Where compression was agreed on,
 * the message is compressed.
 *
 * Until the last part is sent, pings, pongs and closing go between the parts; broadcasts and publications wait for the
 * end; other messages fail with SOCKLINE_ERR_MESSAGE_UNFINISHED. One thread at a time sends the parts.
 * Returns and errors: as for sockline_send, and SOCKLINE_ERR_OUTBOX_FULL whatever the policy for slow consumers is, for
 * a message can't lack a part: send the same part again after on_drain. Any thread.
 */
sockline_status sockline_send_part(sockline_ws ws, int32_t type, const void *data, size_t len, int32_t is_last);

/**
 * Sends a ping of at most 125 bytes, copied (RFC 6455 section 5.5.2); on_pong follows when the peer answers. Pings
 * that keep the connection alive go out without this.
 *
 * Errors: as for sockline_send, and SOCKLINE_ERR_CONTROL_TOO_LONG. Any thread.
 */
sockline_status sockline_ping(sockline_ws ws, const void *data, size_t len);

/**
 * Sends an unasked-for pong of at most 125 bytes, copied (RFC 6455 section 5.5.3). Pings are answered without it.
 *
 * Errors: as for sockline_ping. Any thread.
 */
sockline_status sockline_pong(sockline_ws ws, const void *data, size_t len);

/**
 * Stops reading from the socket until sockline_resume, so that the peer has to wait. Pings still go out; the
 * dead-peer timer stands still.
 *
 * Errors: SOCKLINE_ERR_CLOSED. Any thread.
 */
sockline_status sockline_pause(sockline_ws ws);

/**
 * Reads on after sockline_pause.
 *
 * Errors: SOCKLINE_ERR_CLOSED. Any thread.
 */
sockline_status sockline_resume(sockline_ws ws);

/**
 * The connection's user_data; NULL once it has ended, and on other threads, where on_close could free it meanwhile.
 * Loop thread.
 */
void *sockline_user_data(sockline_ws ws);

/** The connection's state, as one of enum sockline_state; SOCKLINE_CLOSED for a handle that is none. Any thread. */
int32_t sockline_ready_state(sockline_ws ws);

/** The bytes that were accepted for sending and not yet taken by the system, framing included. Any thread. */
uint64_t sockline_buffered_amount(sockline_ws ws);

/** The round trip of the last answered ping in milliseconds; -1 if there was none. Any thread. */
int64_t sockline_latency(sockline_ws ws);

/**
 * Writes the subprotocol in use into the caller's buffer, as snprintf does: at most capacity bytes, always ended by
 * a NUL. Returns the whole length without the NUL, 0 if none was agreed on or the connection has ended. buffer may be
 * NULL if capacity is 0. Any thread.
 */
size_t sockline_protocol(sockline_ws ws, char *buffer, size_t capacity);

/** Writes the extensions in use, as in the response's header, in the way of sockline_protocol. Any thread. */
size_t sockline_extensions(sockline_ws ws, char *buffer, size_t capacity);

/**
 * Writes the URL that was connected to, or on a server the request's path and query, in the way of
 * sockline_protocol. Any thread.
 */
size_t sockline_url(sockline_ws ws, char *buffer, size_t capacity);

/**
 * Writes the peer's address and port, such as "127.0.0.1:50000" or "[::1]:50000", in the way of sockline_protocol;
 * empty for Unix sockets and while there is no connection. Any thread.
 */
size_t sockline_remote_address(sockline_ws ws, char *buffer, size_t capacity);

/** Writes this side's address and port, in the way of sockline_remote_address. Any thread. */
size_t sockline_local_address(sockline_ws ws, char *buffer, size_t capacity);

/**
 * Writes the value of the first header of this name, in whatever case, in the server's 101 response, in the way of
 * sockline_protocol; empty if there is none, before the connection is open, and on a server. Any thread.
 */
size_t sockline_response_header(sockline_ws ws, sockline_string name, char *buffer, size_t capacity);

/**
 * Writes the value of the first header of this name, in whatever case, in the request as it was sent, in the way of
 * sockline_protocol: the latest one, if there were redirects or several attempts. Empty if there is none, without
 * sockline_options.keep_request, before it was sent, and on a server. Any thread.
 */
size_t sockline_sent_header(sockline_ws ws, sockline_string name, char *buffer, size_t capacity);

/**
 * Writes all headers of that request in the same way, in the order in which they were sent: "Name: value" and a line feed for
 * each. Any thread.
 */
size_t sockline_sent_headers(sockline_ws ws, char *buffer, size_t capacity);

/**
 * Writes how long each step to the open connection took to *timings, for a client's connection, from on_open on; all
 * are -1 before that and on a server.
 *
 * timings: not NULL, from its INIT macro.
 * Errors: SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
 */
sockline_status sockline_ws_timings(sockline_ws ws, sockline_timings *timings);

/**
 * Writes what was agreed on in the connection's TLS handshake to *info, which is not NULL and from its INIT macro.
 *
 * Errors: SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
 */
sockline_status sockline_ws_tls_info(sockline_ws ws, sockline_tls_info *info);

/**
 * Writes the peer's own certificate, in DER, to buffer: the server's, or the client's if it has shown one. Writes
 * nothing if capacity is less than what this returns, the certificate's length in bytes; 0 if there is none. Any thread.
 */
size_t sockline_ws_peer_certificate(sockline_ws ws, void *buffer, size_t capacity);

/**
 * Starts the closing handshake (RFC 6455 section 7.1.2), after what was sent before; while connecting, gives the
 * attempt up. on_close follows, at the latest after the close timeout. Doing it again is harmless.
 *
 * code: 1000 to 1014 but 1004 to 1006, or 3000 to 4999; 0 for none. reason: len bytes of UTF-8, at most 123, copied;
 * it needs a code.
 * Errors: SOCKLINE_ERR_INVALID_CLOSE_CODE, SOCKLINE_ERR_CONTROL_TOO_LONG, SOCKLINE_ERR_INVALID_UTF8,
 * SOCKLINE_ERR_INVALID_ARGUMENT for a reason without a code, SOCKLINE_ERR_CLOSED. Any thread.
 */
sockline_status sockline_close(sockline_ws ws, int32_t code, const char *reason, size_t len);

/**
 * Cuts the connection without a closing handshake; on_close follows with 1006.
 *
 * Errors: SOCKLINE_ERR_CLOSED. Any thread.
 */
sockline_status sockline_terminate(sockline_ws ws);

/*
 * Attempts to connect again
 */

/** Which attempt it is, as in sockline_reconnecting_event; 0 if attempt is NULL. Loop thread, in on_attempt. */
uint32_t sockline_attempt_number(const sockline_attempt *attempt);

/**
 * Has the attempt go elsewhere. url: ended by a NUL, copied. One that is not valid ends the handle with that error.
 *
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Loop thread, in on_attempt.
 */
sockline_status sockline_attempt_set_url(sockline_attempt *attempt, const char *url);

/**
 * Gives the attempt another value for a request header, such as a fresh token in Authorization: in place of all of that
 * name, in whatever case. An empty value leaves the header out. Both are copied; what is not valid ends the handle with
 * that error.
 *
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Loop thread, in on_attempt.
 */
sockline_status sockline_attempt_set_header(sockline_attempt *attempt, sockline_string name, sockline_string value);

/*
 * Servers
 */

/**
 * Listens, and writes the handle to *server. The listener is bound when this returns.
 *
 * loop: NULL for the default loop. options: NULL for the defaults. handlers: for the server, and for each
 * connection that its sockline_accept gives no other ones; NULL accepts every upgrade and, unless options has a queue,
 * ignores what comes, but with io or routes and without a path it refuses upgrades that are not theirs, with status 404. user_data: yours, given to every callback; free it in on_server_closed. server: may be NULL.
 * Everything is copied but user_data and the queue. A host name is looked up here, which can take a moment; addresses
 * are not.
 *
 * Errors: SOCKLINE_ERR_LISTEN_FAILED with the address and the system's reason, SOCKLINE_ERR_INVALID_ARGUMENT, also for
 * handlers beside a queue, SOCKLINE_ERR_INVALID_URL for an adapter that is none, SOCKLINE_ERR_OUT_OF_RESOURCES,
 * SOCKLINE_ERR_FORKED. After an error no callback ever comes,
 * and *server is 0. Any thread.
 */
sockline_status sockline_listen(
    sockline_loop *loop,
    const sockline_server_options *options,
    const sockline_handlers *handlers,
    void *user_data,
    sockline_server *server);

/** The port that the server listens on; 0 for a Unix socket and once it is closed. Any thread. */
uint16_t sockline_server_port(sockline_server server);

/**
 * Writes the address and port that the server listens on, such as "[::]:3000", in the way of sockline_protocol;
 * empty for a Unix socket and once it is closed. Any thread.
 */
size_t sockline_server_address(sockline_server server, char *buffer, size_t capacity);

/**
 * The value of the first header of this name, in whatever case; its data is NULL if there is none. Borrowed until
 * on_upgrade returns. Loop thread.
 */
sockline_string sockline_request_header(const sockline_request *request, sockline_string name);

/**
 * Accepts an upgrade request: answers 101 and opens the connection; on_open follows (RFC 6455 section 4.2.2).
 *
 * options: copied; NULL for none.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT for a header or subprotocol that can't be sent,
 * SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_CLOSED if the client has left or the handshake timeout has passed.
 * From another thread the answer is queued. If it can't be given then, because the client has left or was not offered
 * the subprotocol, on_close follows without on_open: after SOCKLINE_OK, on_close always comes. Any thread.
 */
sockline_status sockline_accept(sockline_ws ws, const sockline_accept_options *options);

/**
 * Refuses an upgrade request: answers an HTTP status, headers and a body. No event follows, and the handle is dead.
 *
 * refusal: copied; NULL for status 403 without a body.
 * Errors: as for sockline_accept; SOCKLINE_ERR_INVALID_ARGUMENT for a status that is none. Any thread.
 */
sockline_status sockline_refuse(sockline_ws ws, const sockline_refusal *refusal);

/**
 * Sends a message to every open connection of the server, framed once; arguments as for sockline_send. Connections
 * over their hard limit miss it, which the log says. Other servers of a cluster are not told; sockline_server_publish tells them.
 *
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
 */
sockline_status sockline_broadcast(sockline_server server, int32_t type, const void *data, size_t len);

/**
 * Answers an HTTP request: status 200 to 999, headers (but Content-Length and Transfer-Encoding, which are written by the
 * library), and a body. All is copied. A client that has gone meanwhile is no error. Errors: SOCKLINE_ERR_ALREADY_ANSWERED
 * also once it was cut, SOCKLINE_ERR_INVALID_ARGUMENT, after which the answer is still owed. Any thread.
 */
sockline_status sockline_respond(
    sockline_exchange exchange,
    int32_t status,
    const sockline_header *headers,
    size_t header_count,
    const void *body,
    size_t body_len);

/**
 * Leaves an HTTP request to the server, which answers as if it had no routes: with its metrics, a file of static_folder, or a
 * refusal. Errors: SOCKLINE_ERR_ALREADY_ANSWERED also once it was cut. Any thread.
 */
sockline_status sockline_pass(sockline_exchange exchange);

/**
 * Serves a request that another HTTP server of this process has read, and whose answer that sends, as if it had come to this
 * server: Socket.IO's (sockline_server_options.io), a route's, or one for a WebSocket. What is none of these is answered
 * with 404: files and metrics are the other server's. A server that is there only for this has
 * sockline_server_options.nowhere.
 *
 * request: all is copied. Set method and path; the path may have "?" and the query in it, then leave query out. Headers that
 * can't be are left out, as if the client had not sent them. The body has to be whole; one that is longer than its route
 * takes is answered with 413. answered: not NULL. user_data: yours, given to it. exchange: written before answered can be
 * called; may be NULL.
 *
 * An answer may take long: a polling client of Socket.IO waits for its next event, no thread does. A request for a WebSocket
 * is decided on by on_upgrade and its like, with the timeout and limits of this server; then see sockline_upgraded.
 *
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT with what is wrong, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_CLOSED,
 * SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_FORKED. After an error answered is never called, and *exchange is 0. Any thread.
 */
sockline_status sockline_server_handle_request(
    sockline_server server,
    const sockline_http_request *request,
    sockline_answered answered,
    void *user_data,
    sockline_exchange *exchange);

/**
 * Hands over the connection of a client that the other HTTP server has sent an answer with status 101 to: the WebSocket is
 * open from now on. If that does not come within the server's handshake timeout, its handlers hear on_close without on_open.
 *
 * descriptor: a connected TCP or Unix socket; on Windows a SOCKET. It is taken over, also by an error: the library closes
 * it. Of one that the other server closes itself give a dup(2), and have it close without shutdown(2). Where TLS is the
 * other server's, give one end of a socketpair(2), and copy what is decrypted to and from the other. rest: the rest_len
 * bytes that were read behind the request, copied.
 *
 * Errors: SOCKLINE_ERR_CLOSED if it was cut, or its time is over, or it has its connection; SOCKLINE_ERR_INVALID_ARGUMENT if
 * it was not answered with 101, and for a descriptor that is none of these. Any thread.
 */
sockline_status sockline_upgraded(sockline_exchange exchange, int64_t descriptor, const void *rest, size_t rest_len);

/**
 * The client of a request that sockline_server_handle_request has taken has gone, before its answer or its WebSocket's
 * connection. answered is called with NULL, if it was not called yet. Other servers say so of every connection that ends:
 * doing it afterwards is harmless. Errors: SOCKLINE_ERR_ALREADY_ANSWERED, also once it has ended. Any thread.
 */
sockline_status sockline_cut(sockline_exchange exchange);

/**
 * Takes over a connection that another HTTP server of this process has accepted, whose first request it has read, and to
 * which it has sent nothing: it goes on, soon, as if this server had accepted it, with all that comes on it. For servers
 * that give a connection away before an answer; those that send the 101 themselves need sockline_server_handle_request.
 *
 * descriptor, rest, rest_len: as for sockline_upgraded; rest has the request's body, too, as it was sent. request: as for
 * sockline_server_handle_request, but for body, remote_address and is_secure, which are not looked at. All but the
 * descriptor is copied.
 *
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT with what is wrong, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_CLOSED,
 * SOCKLINE_ERR_WRONG_HANDLE. Where there is no room for it, the client is told so. Any thread.
 */
sockline_status sockline_server_adopt(
    sockline_server server,
    int64_t descriptor,
    const sockline_http_request *request,
    const void *rest,
    size_t rest_len);

/**
 * Stops listening. With a code, all connections get the closing handshake with that code and reason; with 0 they
 * live on. on_server_closed comes when the last of them has ended. Arguments and errors as for sockline_close.
 * Any thread.
 */
sockline_status sockline_server_close(sockline_server server, int32_t code, const char *reason, size_t len);

/**
 * Goes in good order: stops listening at once, closes connections with 1001, and cuts what is left after deadline_ms
 * milliseconds; on_server_closed comes when the last has ended.
 *
 * Each connection begins to close at a random time of its own, within half of that time, so that clients that connect
 * again at once don't come in step; until then it goes on as ever. What was accepted for sending before is sent before
 * the close frame, to slow readers too, as long as there is time; a file on its way is sent whole. Those who are cut get
 * SOCKLINE_ERR_CLOSE_TIMEOUT. Doing it again can only bring the end forward.
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_server_drain(sockline_server server, uint64_t deadline_ms);

/*
 * Socket.IO: servers
 */

/**
 * Makes a Socket.IO server, and writes its handle to *server. It hears of clients when it is among those of a listener:
 * sockline_server_options.io of sockline_listen. So one port can have raw WebSockets, files and Socket.IO.
 *
 * loop: for its timers; NULL for the default loop. options: NULL for the defaults. handlers: not NULL. user_data: yours, given to
 * every callback. All is copied but user_data. It lives until sockline_io_server_close is done.
 *
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT for options that can't be, such as a folder that is not there,
 * SOCKLINE_ERR_OUT_OF_RESOURCES, SOCKLINE_ERR_FORKED. After an error no callback ever comes, and *server is 0. Any thread.
 */
sockline_status sockline_io_server_new(
    sockline_loop *loop,
    const sockline_io_server_options *options,
    const sockline_io_handlers *handlers,
    void *user_data,
    sockline_io_server *server);

/**
 * Answers on_request: allow is 1 or 0. message: what a client that is refused reads, with status 403 and code 4; empty for
 * "Forbidden". Copied. A WebSocket is refused with status 400 and this message.
 * Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
 */
sockline_status sockline_io_answer_request(sockline_io_question question, int32_t allow, sockline_string message);

/**
 * Answers on_request: begins the session under an id of yours (generateId), in place of a random one: 1 to 255 visible ASCII
 * characters other than '"' and '\', which nobody can guess. Copied. A client that goes over to a WebSocket keeps it.
 *
 * With an id that is none, or another session's, and always with sockline_io_server_options.forward_requests, the client is
 * refused with status 400 and code 3; on_connection_error has ID_GENERATION_ERROR in its context.
 * Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
 */
sockline_status sockline_io_allow_request_as(sockline_io_question question, sockline_string session_id);

/**
 * Answers on_request: refuses with status 400 and code 3, "Bad request", as what a middleware of the official server comes to that
 * fails. name: what on_connection_error has in its context, such as MIDDLEWARE_FAILURE; the client does not see it. Copied.
 * Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE; SOCKLINE_ERR_INVALID_UTF8, after which the answer is still
 * owed. Any thread.
 */
sockline_status sockline_io_deny_bad_request(sockline_io_question question, sockline_string name);

/**
 * Answers on_request with an HTTP answer in place of the engine's, as a middleware that shows a page of its own: no session
 * begins, and on_connection_error is not called. status, headers and body: as for sockline_respond; headers of CORS are added.
 * A WebSocket is refused with it, or with status 400 if it can't be a refusal (sockline_refusal). All is copied.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT, after which the answer is still owed; SOCKLINE_ERR_ALREADY_ANSWERED,
 * SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_respond(
    sockline_io_question question,
    int32_t status,
    const sockline_header *headers,
    size_t header_count,
    const void *body,
    size_t body_len);

/**
 * Adds a header to the response; both are copied. Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Only within
 * on_headers.
 */
sockline_status sockline_io_add_header(sockline_io_headers *headers, sockline_string name, sockline_string value);

/**
 * Adds a message to those of a packet: text or binary, by enum sockline_message_type. Copied.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Only within encode.
 */
sockline_status sockline_io_add_message(
    sockline_io_messages *messages,
    int32_t message_type,
    const void *data,
    size_t len);

/**
 * Adds a namespace that the official admin UI connects to; options not NULL, copied. In a cluster whose servers all have one it
 * shows all of them.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT without user and password unless no_auth is 1, SOCKLINE_ERR_CLOSED,
 * SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_enable_admin(sockline_io_server server, const sockline_io_admin_options *options);

/**
 * Writes what the server has done to *metrics, not NULL, from its INIT macro.
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
 */
sockline_status sockline_io_server_get_metrics(sockline_io_server server, sockline_io_metrics *metrics);

/**
 * Sends a message of Engine.IO to a client as it is (conn.send), by the id that sockline_io_socket_session_id writes: between
 * the packets of Socket.IO, and a client of that takes it for one. message_type: one of enum sockline_message_type. data: len
 * bytes, copied. compress: 1, or -1 for not, or 0 for by its length.
 *
 * Returns SOCKLINE_OK, SOCKLINE_OVER_MARK or SOCKLINE_DROPPED. Errors: SOCKLINE_ERR_CLOSED also if there is no such session,
 * SOCKLINE_ERR_OUTBOX_FULL, SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_server_send_to_session(
    sockline_io_server server,
    sockline_string session_id,
    int32_t message_type,
    const void *data,
    size_t len,
    int32_t compress);

/**
 * Closes one client's session, whatever it has joined or is asked about, by the id that sockline_io_socket_session_id writes: its
 * sockets are disconnected with SOCKLINE_IO_FORCED_CLOSE, the client isn't told so, and one of the official kind comes back. What
 * was sent before goes out first, over polling if the client asks for it within 30 seconds; not if discard is 1.
 * Errors: SOCKLINE_ERR_CLOSED also if there is no such session, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
 */
sockline_status sockline_io_server_close_session(
    sockline_io_server server,
    sockline_string session_id,
    int32_t discard);

/**
 * Disconnects all sockets with "server shutting down" and ends all sessions; new ones end at once. on_server_closed follows. The
 * listeners stay open, and the handle ends with the last of them. Doing it again is harmless. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_server_close(sockline_io_server server);

/*
 * Socket.IO: namespaces
 */

/**
 * Writes the handle of the server's namespace with this name to *nsp; it is made if it is not there. A slash is put
 * before a name that has none; empty is "/".
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
 */
sockline_status sockline_io_of(sockline_io_server server, sockline_string name, sockline_io_namespace *nsp);

/**
 * Answers on_namespace: with allow of 1 the namespace is made; with 0 the client hears "Invalid namespace".
 * Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_answer_namespace(sockline_io_question question, int32_t allow);

/** Writes the namespace's name, such as "/admin", in the way of sockline_protocol; empty if it is gone. Any thread. */
size_t sockline_io_namespace_name(sockline_io_namespace nsp, char *buffer, size_t capacity);

/**
 * Sends an event to all sockets of the namespace: a short form of sockline_io_broadcast_emit.
 *
 * name: not a reserved one. args and attachments: as for sockline_io_emit. All is copied.
 * Errors: as for sockline_io_broadcast_emit. Any thread.
 */
sockline_status sockline_io_namespace_emit(
    sockline_io_namespace nsp,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);

/** How many sockets are connected to the namespace on this server; 0 if it is gone. Any thread. */
size_t sockline_io_namespace_count(sockline_io_namespace nsp);

/**
 * Writes the handle of the namespace's connected socket with this id to *socket.
 * Errors: SOCKLINE_ERR_CLOSED if there is none, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_namespace_socket(sockline_io_namespace nsp, sockline_string id, sockline_io_socket *socket);

/**
 * Calls visit with each socket that is connected to the namespace on this server, before this returns. visit may call
 * anything, and gets context. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT
 * without visit. Any thread.
 */
sockline_status sockline_io_namespace_sockets(
    sockline_io_namespace nsp,
    sockline_io_socket_visitor visit,
    void *context);

/**
 * Calls visit with each room of the namespace in which there is a socket of this server, before this returns; the rooms that
 * sockets have to themselves count too. Errors: as for sockline_io_namespace_sockets. Any thread.
 */
sockline_status sockline_io_namespace_rooms(sockline_io_namespace nsp, sockline_io_room_visitor visit, void *context);

/*
 * Socket.IO: sockets
 */

/**
 * Answers on_connecting: connects the socket, and on_connection follows, unless the client has gone by then.
 * Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_allow_connection(sockline_io_question question);

/**
 * Answers on_connecting: the client's connect_error has this message and, unless data is empty, this data: a JSON value.
 * Copied. The socket's on_connect_abandoned follows.
 * Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
 */
sockline_status sockline_io_deny_connection(
    sockline_io_question question,
    sockline_string message,
    sockline_string data);

/**
 * Sends an event to one client: its name, and args, JSON values with commas between them, or empty. Where a value is to be
 * binary, it is {"_placeholder":true,"num":0} with the number of its attachment. options: NULL for the defaults. All is
 * copied. The names connect, connect_error, disconnect, disconnecting, newListener and removeListener are reserved.
 *
 * Returns SOCKLINE_OK, SOCKLINE_OVER_MARK or SOCKLINE_DROPPED as sockline_send does; in all three cases on_ack follows if
 * that was asked for. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_NOT_OPEN, SOCKLINE_ERR_INVALID_ARGUMENT for a reserved name
 * and for what is not JSON, SOCKLINE_ERR_OUTBOX_FULL over the hard limit; then no on_ack follows. Any thread.
 */
sockline_status sockline_io_emit(
    sockline_io_socket socket,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count,
    const sockline_io_emit_options *options);

/**
 * Answers an event: args are JSON values with commas between them, or empty; where a value is to be binary, it is
 * {"_placeholder":true,"num":0} with the number of its attachment. All is copied. An answer can be sent once.
 *
 * Returns SOCKLINE_OK, SOCKLINE_OVER_MARK or SOCKLINE_DROPPED as sockline_send does.
 * Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_INVALID_ARGUMENT for what is not JSON,
 * SOCKLINE_ERR_OUTBOX_FULL. Any thread.
 */
sockline_status sockline_io_ack_send(
    sockline_io_ack ack,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);

/**
 * Puts the socket into rooms, room_count of them, which are made where they are not there. Copied.
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
 */
sockline_status sockline_io_join(sockline_io_socket socket, const sockline_string *rooms, size_t room_count);

/** Takes the socket out of a room. Errors: as for sockline_io_join. Any thread. */
sockline_status sockline_io_leave(sockline_io_socket socket, sockline_string room);

/**
 * Calls visit with each room that the socket is in, its own among them, before this returns. visit may call anything, and
 * gets context. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT without visit.
 * Any thread.
 */
sockline_status sockline_io_socket_rooms(sockline_io_socket socket, sockline_io_room_visitor visit, void *context);

/** Writes the socket's id, 20 characters, in the way of sockline_protocol; empty if it is gone. Any thread. */
size_t sockline_io_socket_id(sockline_io_socket socket, char *buffer, size_t capacity);

/**
 * Writes the id of the socket's connection (Engine.IO sid), which its sockets in other namespaces share, in the way of
 * sockline_protocol; empty if it is gone. Any thread.
 */
size_t sockline_io_socket_session_id(sockline_io_socket socket, char *buffer, size_t capacity);

/** The socket's namespace; 0 if the socket is gone. Any thread. */
sockline_io_namespace sockline_io_socket_namespace(sockline_io_socket socket);

/**
 * Calls read with the request that began the socket's session, before this returns; request is borrowed until read returns.
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT without read. Any thread.
 */
sockline_status sockline_io_socket_request(
    sockline_io_socket socket,
    void (*read)(const sockline_io_request *request,
    void *context),
    void *context);

/**
 * Writes what the client said of itself when it connected (handshake.auth), as JSON, in the way of sockline_protocol; "{}" if
 * it said nothing, empty if the socket is gone. Any thread.
 */
size_t sockline_io_socket_auth(sockline_io_socket socket, char *buffer, size_t capacity);

/**
 * Writes what sockline_io_socket_set_data has set, in the way of sockline_protocol; "{}" before, empty if the socket is gone.
 * Any thread.
 */
size_t sockline_io_socket_data(sockline_io_socket socket, char *buffer, size_t capacity);

/**
 * Keeps a JSON value with the socket (socket.data): sockline_io_fetch_sockets tells it, on other servers of a cluster too, and
 * connection state recovery brings it back. Copied.
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
 */
sockline_status sockline_io_socket_set_data(sockline_io_socket socket, sockline_string data);

/** What sockline_io_socket_set_user_data has set; NULL before, and if the socket is gone. Any thread. */
void *sockline_io_socket_user_data(sockline_io_socket socket);

/**
 * Keeps a pointer of yours with the socket, which the library does not touch. Free it in on_disconnect, or, if you have set it
 * in on_connecting, in on_connect_abandoned. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_socket_set_user_data(sockline_io_socket socket, void *user_data);

/** 1 if the socket is connected: from before on_connection until on_disconnecting. Any thread. */
int32_t sockline_io_socket_connected(sockline_io_socket socket);

/** 1 if connection state recovery has brought the socket back, with its id, rooms and data. Any thread. */
int32_t sockline_io_socket_recovered(sockline_io_socket socket);

/** How the client's packets travel now, as one of enum sockline_io_transport; 0 if the socket is gone. Any thread. */
int32_t sockline_io_socket_transport(sockline_io_socket socket);

/**
 * The bytes that wait to be sent to the socket's client, those of its sockets in other namespaces included. Any thread.
 */
uint64_t sockline_io_socket_buffered_amount(sockline_io_socket socket);

/**
 * 1 has on_outgoing tell what broadcasts send to this socket. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE.
 * Any thread.
 */
sockline_status sockline_io_socket_hear_outgoing(sockline_io_socket socket, int32_t hear);

/**
 * Disconnects the socket from its namespace; with close of 1 the whole connection, and with it the client's sockets in other
 * namespaces. on_disconnect follows. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_socket_disconnect(sockline_io_socket socket, int32_t close);

/**
 * The official server's words for one of enum sockline_io_reason, ended by a NUL; "" for another number. Static. Any thread.
 */
const char *sockline_io_reason_text(int32_t reason);

/*
 * Socket.IO: many sockets
 */

/**
 * Sends an event to each socket of the target; name, args and attachments as for sockline_io_emit. It is encoded once. Clients
 * over their hard limit miss it. All is copied.
 *
 * target: not NULL. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT for a reserved name, for
 * what is not JSON and for a target without namespace and sender. Any thread.
 */
sockline_status sockline_io_broadcast_emit(
    const sockline_io_target *target,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);

/**
 * The same, and asks for answers: on_broadcast_ack follows, exactly once, with this token, when all have answered or been
 * disconnected, or when the target's timeout is up; as if it were up, if the server or its loop ends before, and never after
 * on_server_closed. Errors: as for sockline_io_broadcast_emit; then nothing follows. Any thread.
 */
sockline_status sockline_io_broadcast_emit_with_ack(
    const sockline_io_target *target,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count,
    void *token);

/** Puts each socket of the target into rooms (socketsJoin). Errors: as for sockline_io_broadcast_emit. Any thread. */
sockline_status sockline_io_broadcast_join(
    const sockline_io_target *target,
    const sockline_string *rooms,
    size_t room_count);

/**
 * Takes each socket of the target out of rooms (socketsLeave). Errors: as for sockline_io_broadcast_emit. Any thread.
 */
sockline_status sockline_io_broadcast_leave(
    const sockline_io_target *target,
    const sockline_string *rooms,
    size_t room_count);

/**
 * Disconnects each socket of the target (disconnectSockets); close as for sockline_io_socket_disconnect. Errors: as for
 * sockline_io_broadcast_emit. Any thread.
 */
sockline_status sockline_io_broadcast_disconnect(const sockline_io_target *target, int32_t close);

/**
 * Finds the sockets of the target, on all servers of the cluster, and calls found with them exactly once, on the thread that turns
 * the server's loop, or frees it; it may have returned before this does. Never after on_server_closed: what is not answered by then
 * is told right before it, so a context can be freed in found. Errors: as for sockline_io_broadcast_emit, SOCKLINE_ERR_CLOSED also
 * for a server that is closed; then found is not called. Any thread.
 */
sockline_status sockline_io_fetch_sockets(
    const sockline_io_target *target,
    sockline_io_sockets_found found,
    void *context);

/*
 * Socket.IO: a cluster
 */

/**
 * Begins to connect to Redis, and writes the connection to *redis: owned, until sockline_redis_free. Redis needn't be there yet:
 * it is tried until the connection ends, with growing pauses of at most 5 seconds.
 *
 * options: NULL for the defaults. handlers: NULL for none. user_data: yours, given to every callback. All is copied but
 * user_data. redis: not NULL; left alone after an error, and then no callback ever comes, but while this call runs some may.
 * Errors: SOCKLINE_ERR_INVALID_URL, SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_TLS for files that can't be used,
 * SOCKLINE_ERR_UNSUPPORTED in a build without TLS, SOCKLINE_ERR_OUT_OF_RESOURCES, SOCKLINE_ERR_FORKED. Any thread.
 */
sockline_status sockline_redis_new(
    const sockline_redis_options *options,
    const sockline_redis_handlers *handlers,
    void *user_data,
    sockline_redis **redis);

/** Whether Redis can be reached, as far as is known: 1 or 0; 0 for NULL. Any thread. */
int32_t sockline_redis_connected(const sockline_redis *redis);

/**
 * How many messages were dropped, because Redis could not be reached or too much waited for it; 0 for NULL. Any thread.
 */
uint64_t sockline_redis_dropped(const sockline_redis *redis);

/**
 * Calls flushed exactly once, when all that was sent before has arrived at Redis, or it is clear that it has not. On the
 * connection's thread; if that has ended, within this call. Errors: SOCKLINE_ERR_INVALID_ARGUMENT; then it is not called.
 * Any thread.
 */
sockline_status sockline_redis_flush(sockline_redis *redis, sockline_redis_flushed flushed, void *context);

/**
 * Ends the connection when what was sent before has left: a server that has it goes on with its own clients alone. on_closed
 * follows. Doing it again is harmless. Errors: SOCKLINE_ERR_INVALID_ARGUMENT for NULL. Any thread.
 */
sockline_status sockline_redis_close(sockline_redis *redis);

/**
 * Frees it: consumed. The connection ends as by sockline_redis_close, but not before the server and the emitters that have it are
 * gone. NULL does nothing. Any thread.
 */
void sockline_redis_free(sockline_redis *redis);

/**
 * Has the other servers of the cluster hear an event, in their namespaces of this name: on_server_side_emit. Without a cluster
 * it goes nowhere. All is copied.
 *
 * name: not connect, connection or new_namespace. args and attachments: as for sockline_io_emit; with SOCKLINE_REDIS_CLASSIC
 * binary values become {"type":"Buffer","data":[…]} on the way.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
 */
sockline_status sockline_io_server_side_emit(
    sockline_io_namespace nsp,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);

/**
 * The same, and asks for one answer of each server: calls answered with them exactly once, as found of sockline_io_fetch_sockets is
 * called, when all have come or requests_timeout_ms is over. Errors: as for sockline_io_server_side_emit; then answered is not
 * called. Any thread.
 */
sockline_status sockline_io_server_side_emit_with_ack(
    sockline_io_namespace nsp,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count,
    sockline_io_servers_answered answered,
    void *context);

/**
 * Answers the event of on_server_side_emit with one JSON value, here or later; attachments as for sockline_io_emit. All is copied.
 * An answer can be sent once; who has asked waits for requests_timeout_ms.
 * Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT for what is not one JSON value, after
 * which it can't be answered any more. Any thread.
 */
sockline_status sockline_io_server_ack_send(
    sockline_io_ack ack,
    sockline_string value,
    const sockline_bytes *attachments,
    size_t attachment_count);

/**
 * Finds the ids of the namespace's sockets on all servers of the cluster: of those in any of the rooms, room_count of them, or of
 * all without any. found is called as that of sockline_io_fetch_sockets.
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT; then it is not called. Any thread.
 */
sockline_status sockline_io_all_sockets(
    sockline_io_namespace nsp,
    const sockline_string *rooms,
    size_t room_count,
    sockline_io_names_found found,
    void *context);

/**
 * Finds the rooms of the namespace on all servers of the cluster, those that sockets have to themselves included.
 * found is called as that of sockline_io_fetch_sockets. Errors: as for sockline_io_all_sockets. Any thread.
 */
sockline_status sockline_io_all_rooms(sockline_io_namespace nsp, sockline_io_names_found found, void *context);

/**
 * Counts the servers of the cluster that have the namespace; 1 without a cluster. counted is called as found of
 * sockline_io_fetch_sockets. Errors: as for sockline_io_all_sockets. Any thread.
 */
sockline_status sockline_io_server_count(sockline_io_namespace nsp, sockline_io_servers_counted counted, void *context);

/*
 * Socket.IO: emitters
 */

/**
 * Makes an emitter, and writes it to *emitter: owned, until sockline_emitter_free.
 *
 * redis: what it sends over, of whose options only the connection, the key, and that mode with its channel matter here; or NULL for a connection of its own, to
 * url, with the defaults of sockline_redis_options. url: empty with redis. emitter: not NULL; left alone after an error.
 * Errors: as for sockline_redis_new. Any thread.
 */
sockline_status sockline_emitter_new(sockline_redis *redis, sockline_string url, sockline_emitter **emitter);

/**
 * Sends an event to each socket of the target; name, args and attachments as for sockline_io_emit. All is copied.
 *
 * target: NULL for all sockets of "/". Errors: SOCKLINE_ERR_INVALID_ARGUMENT for a reserved name and for what is not JSON,
 * SOCKLINE_ERR_INVALID_UTF8. Any thread.
 */
sockline_status sockline_emitter_emit(
    sockline_emitter *emitter,
    const sockline_emitter_target *target,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);

/** Puts each socket of the target into rooms (socketsJoin). Errors: as for sockline_emitter_emit. Any thread. */
sockline_status sockline_emitter_join(
    sockline_emitter *emitter,
    const sockline_emitter_target *target,
    const sockline_string *rooms,
    size_t room_count);

/** Takes each socket of the target out of rooms (socketsLeave). Errors: as for sockline_emitter_emit. Any thread. */
sockline_status sockline_emitter_leave(
    sockline_emitter *emitter,
    const sockline_emitter_target *target,
    const sockline_string *rooms,
    size_t room_count);

/**
 * Disconnects each socket of the target (disconnectSockets); close as for sockline_io_socket_disconnect. Errors: as for
 * sockline_emitter_emit. Any thread.
 */
sockline_status sockline_emitter_disconnect(
    sockline_emitter *emitter,
    const sockline_emitter_target *target,
    int32_t close);

/**
 * Has all servers hear an event, in their namespaces of this name, empty for "/": on_server_side_emit. The rest as for
 * sockline_io_server_side_emit; SOCKLINE_ERR_UNSUPPORTED with SOCKLINE_REDIS_PYTHON_SOCKETIO. Any thread.
 */
sockline_status sockline_emitter_server_side_emit(
    sockline_emitter *emitter,
    sockline_string nsp,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);

/**
 * Publishes a message to the subscribers of a topic at all listeners of the cluster (sockline_server_options.redis), which may be in
 * any mode: in SOCKLINE_REDIS_SHARDED, the emitter's sockline_redis has to be in it, too. The rest as for sockline_server_publish.
 *
 * Errors: SOCKLINE_ERR_TOPIC, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
 */
sockline_status sockline_emitter_publish(
    sockline_emitter *emitter,
    const char *topic,
    size_t topic_len,
    int32_t type,
    const void *data,
    size_t len);

/**
 * Calls flushed exactly once, when all that was sent before has arrived at Redis, or it is clear that it has not; as
 * sockline_redis_flush. A process that ends earlier may lose it. Any thread.
 */
sockline_status sockline_emitter_flush(sockline_emitter *emitter, sockline_redis_flushed flushed, void *context);

/**
 * Frees it: consumed. What was sent still leaves, and then a connection of its own ends. NULL does nothing. Any thread.
 */
void sockline_emitter_free(sockline_emitter *emitter);

/*
 * Socket.IO: clients
 */

/**
 * A socket with a manager of its own: sockline_io_manager_new and sockline_io_manager_socket in one; the URL's path names the
 * namespace. options and socket_options: NULL for the defaults. handlers: not NULL. Errors: those of both. Any thread.
 */
sockline_status sockline_io_connect(
    sockline_loop *loop,
    const char *url,
    const sockline_io_manager_options *options,
    const sockline_io_socket_options *socket_options,
    const sockline_io_client_handlers *handlers,
    void *user_data,
    sockline_io_client *socket);

/**
 * Sends an event to the server; arguments, attachments and options as for sockline_io_emit. Without a connection it waits for the
 * next one, unless it is volatile. All is copied.
 *
 * Returns SOCKLINE_OK, SOCKLINE_OVER_MARK or SOCKLINE_DROPPED; in all three cases on_ack follows if that was asked for. Errors:
 * SOCKLINE_ERR_INVALID_ARGUMENT for a reserved name and for what is not JSON, SOCKLINE_ERR_OUTBOX_FULL if too much waits,
 * SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE; then no on_ack follows. Any thread.
 */
sockline_status sockline_io_client_emit(
    sockline_io_client socket,
    sockline_string name,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count,
    const sockline_io_emit_options *options);

/**
 * Answers an event of the server's, once; arguments as for sockline_io_ack_send.
 * Errors: SOCKLINE_ERR_ALREADY_ANSWERED also once the connection has ended, SOCKLINE_ERR_INVALID_ARGUMENT for what is not JSON.
 * Any thread.
 */
sockline_status sockline_io_client_ack_send(
    sockline_io_ack ack,
    sockline_string args,
    const sockline_bytes *attachments,
    size_t attachment_count);

/**
 * Answers on_auth with a JSON object; empty for none. Copied.
 * Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_INVALID_ARGUMENT if it is no JSON object: nothing is sent then. Any thread.
 */
sockline_status sockline_io_answer_auth(sockline_io_question question, sockline_string auth);

/**
 * Changes what the socket says of itself when it connects next: a JSON object, or empty for nothing. Copied.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_client_set_auth(sockline_io_client socket, sockline_string auth);

/**
 * Connects the socket, and again when the connection is lost; without effect if it is connected or on its way.
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_client_connect(sockline_io_client socket);

/**
 * Leaves the namespace, and does not come back until sockline_io_client_connect. When no socket of the manager is active any
 * more, its connection is closed. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_client_disconnect(sockline_io_client socket);

/** 1 if the server has taken the socket in. Any thread. */
int32_t sockline_io_client_connected(sockline_io_client socket);

/** 1 if the socket is connected or will be, without a further call. Any thread. */
int32_t sockline_io_client_active(sockline_io_client socket);

/** 1 if the server has kept the socket's session through the latest loss: no event was missed. Any thread. */
int32_t sockline_io_client_recovered(sockline_io_client socket);

/**
 * Writes the id that the server gave the socket, in the way of sockline_protocol; empty if it is not connected. Any thread.
 */
size_t sockline_io_client_id(sockline_io_client socket, char *buffer, size_t capacity);

/** How many events wait for a connection. Any thread. */
size_t sockline_io_client_send_buffer_len(sockline_io_client socket);

/** Drops the events that wait for a connection. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread. */
sockline_status sockline_io_client_clear_send_buffer(sockline_io_client socket);

/** The socket's manager; 0 if it is gone. It needs no sockline_io_manager_free. Any thread. */
sockline_io_manager sockline_io_client_manager(sockline_io_client socket);

/**
 * Disconnects the socket and gives its handle up; on_disconnect, if it was connected, and on_freed follow. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_client_free(sockline_io_client socket);

/**
 * The official client's words for one of enum sockline_io_client_reason, ended by a NUL; "" for another number. Static.
 * Any thread.
 */
const char *sockline_io_client_reason_text(int32_t reason);

/*
 * Socket.IO: managers
 */

/**
 * Makes a manager, one connection for several sockets, and writes its handle to *manager. It connects when it has a socket.
 *
 * loop: NULL for the default loop. url: "http://host:port", or with https, ws or wss, ended by a NUL; its path is of no
 * meaning. options: NULL for the defaults. handlers: NULL for none. user_data: yours, given to these. All is copied but
 * user_data. Free the manager with sockline_io_manager_free.
 *
 * Errors: SOCKLINE_ERR_INVALID_URL, SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_OUT_OF_RESOURCES, SOCKLINE_ERR_FORKED. After an
 * error *manager is 0. Any thread.
 */
sockline_status sockline_io_manager_new(
    sockline_loop *loop,
    const char *url,
    const sockline_io_manager_options *options,
    const sockline_io_manager_handlers *handlers,
    void *user_data,
    sockline_io_manager *manager);

/**
 * Writes the handle of the manager's socket in a namespace to *socket; it connects at once, unless auto_connect is off. There is
 * one for each namespace: asked for again, it is that one, and options and handlers are left unused.
 *
 * name: empty for "/". The manager keeps its sockets as long as it lives, freed ones too: on_freed comes with its end. options: NULL for the defaults. handlers: not NULL. user_data: yours, given to these. All is copied but
 * user_data. Free the socket with sockline_io_client_free.
 *
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. After an error *socket is 0. Any thread.
 */
sockline_status sockline_io_manager_socket(
    sockline_io_manager manager,
    sockline_string name,
    const sockline_io_socket_options *options,
    const sockline_io_client_handlers *handlers,
    void *user_data,
    sockline_io_client *socket);

/**
 * Connects the manager, without effect if it is connected or on its way. Errors: SOCKLINE_ERR_CLOSED,
 * SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_manager_open(sockline_io_manager manager);

/**
 * Closes the manager's connection, and does not come back to one. Its sockets hear on_disconnect.
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_manager_close(sockline_io_manager manager);

/**
 * Sends a message of Engine.IO over the manager's present connection as it is (engine.send): between the packets of Socket.IO,
 * and a server of that takes it for one. message_type: one of enum sockline_message_type. data: len bytes, copied. compress: 1,
 * or -1 for not, or 0 for by its length.
 *
 * Returns SOCKLINE_OK or SOCKLINE_OVER_MARK. Errors: SOCKLINE_ERR_NOT_OPEN without a connection, SOCKLINE_ERR_OUTBOX_FULL,
 * SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_manager_send_message(
    sockline_io_manager manager,
    int32_t message_type,
    const void *data,
    size_t len,
    int32_t compress);

/** Turns coming back on with 1, and off with 0. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread. */
sockline_status sockline_io_manager_set_reconnection(sockline_io_manager manager, int32_t enabled);

/** How the manager's packets travel now, as one of enum sockline_io_transport; 0 if it is not connected. Any thread. */
int32_t sockline_io_manager_transport(sockline_io_manager manager);

/** The bytes that wait to be sent, those that wait for a connection included. Any thread. */
uint64_t sockline_io_manager_buffered_amount(sockline_io_manager manager);

/**
 * Gives the handle up. What the manager's sockets do goes on, until they are freed and disconnected, too.
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
 */
sockline_status sockline_io_manager_free(sockline_io_manager manager);

/*
 * Topics
 */

/**
 * Subscribes a server's connection to all topics of its server that match the filter, len bytes of UTF-8, copied; until
 * it ends or sockline_unsubscribe is given the same filter. Twice is the same as once. It may be done from on_upgrade
 * on; what is published before the connection is open passes it by.
 *
 * Topics and filters are those of MQTT 3.1.1 section 4.7: levels with "/" between them; in a filter "+" stands for one
 * level and "#", at the end, for any number of them.
 * Errors: SOCKLINE_ERR_TOPIC for a filter that isn't one, SOCKLINE_ERR_INVALID_ARGUMENT on a client's connection,
 * SOCKLINE_ERR_CLOSED. Any thread.
 */
sockline_status sockline_subscribe(sockline_ws ws, const char *filter, size_t len);

/** Takes one sockline_subscribe back; without effect if there was none. Errors as there. Any thread. */
sockline_status sockline_unsubscribe(sockline_ws ws, const char *filter, size_t len);

/**
 * Publishes a message to all subscribers of a topic at this connection's server, on all of its threads; it is framed
 * once. Each gets it once, also where several of its filters match; those over their hard limit miss it. With
 * sockline_server_options.adapter the subscribers of the cluster's other servers get it, too, by way of Redis: in the order of
 * this server, once, or not at all while Redis can't be reached, for which nothing here waits.
 *
 * topic: topic_len bytes of UTF-8. include_self: 1, the default of 0 too, to have this connection get it if it is a
 * subscriber; -1 to leave it out. Otherwise as for sockline_send. From another thread it takes the way through this
 * connection's loop.
 * Errors: SOCKLINE_ERR_TOPIC for a topic that is empty or has a wildcard, SOCKLINE_ERR_INVALID_UTF8,
 * SOCKLINE_ERR_INVALID_ARGUMENT also on a client's connection, SOCKLINE_ERR_CLOSED. Any thread.
 */
sockline_status sockline_publish(
    sockline_ws ws,
    const char *topic,
    size_t topic_len,
    int32_t type,
    const void *data,
    size_t len,
    int32_t include_self);

/**
 * Publishes a message to all subscribers of a topic at the server, on all of its threads, as sockline_publish does.
 * What one thread publishes, broadcasts and sends to a connection arrives in that order.
 *
 * Errors: SOCKLINE_ERR_TOPIC, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_CLOSED. Any thread.
 */
sockline_status sockline_server_publish(
    sockline_server server,
    const char *topic,
    size_t topic_len,
    int32_t type,
    const void *data,
    size_t len);

/*
 * Counters
 */

/**
 * Writes the connection's counters to *metrics, which is not NULL and from its INIT macro. In on_close they are the
 * last ones.
 *
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
 */
sockline_status sockline_ws_metrics(sockline_ws ws, sockline_connection_metrics *metrics);

/**
 * Writes what the loop has done so far to *metrics, which is not NULL and from its INIT macro. It looks at every
 * connection, so ask now and then, not for each message.
 *
 * loop: not NULL. Errors: SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
 */
sockline_status sockline_loop_get_metrics(sockline_loop *loop, sockline_loop_metrics *metrics);

/**
 * Writes what the server has done so far, over all its threads, to *metrics, which is not NULL and from its INIT macro.
 * It looks at every connection, so ask now and then, not for each message.
 *
 * Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
 */
sockline_status sockline_server_get_metrics(sockline_server server, sockline_server_metrics *metrics);

/**
 * Writes what the server has done so far as Prometheus reads it (text format 0.0.4), in the way of sockline_protocol;
 * empty once it is closed. sockline_server_options.metrics_path serves the same. Any thread.
 */
size_t sockline_server_metrics_text(sockline_server server, char *buffer, size_t capacity);

/**
 * Limits what the process keeps of messages, over all its loops, in bytes: what waits to be sent, what waits for
 * callbacks or for reading to go on, and what has come of messages that are not complete. 0, the default, sets no limit.
 *
 * A send that finds more than this in use fails with SOCKLINE_ERR_MEMORY_BUDGET, or what slow_consumer says becomes of
 * the message: so one message always goes where nothing else waits, whatever its length. Control frames are exempt. A
 * message to many counts once for each who hasn't taken it. Any thread.
 */
void sockline_set_memory_budget(uint64_t bytes);

/** What sockline_set_memory_budget limits, in bytes, as it is now. Any thread. */
uint64_t sockline_memory_in_use(void);

/*
 * Queues
 */

/**
 * Makes a queue, and writes it to *queue: owned, until sockline_queue_free.
 *
 * max_events, max_bytes: how many events, and how many bytes of their payloads, make it full; 0 for 1,024 and 16 MiB,
 * SOCKLINE_UNLIMITED for no limit. Each of its connections can go beyond by an event or two.
 * doorbell: called on the thread that turns a loop, never twice at once, each time that an event comes into the empty
 * queue: have sockline_queue_pop called until it says SOCKLINE_EMPTY. It must not block; it may call anything. NULL
 * for none, where a program looks by itself, such as once a frame. user_data: yours, given to doorbell; it is not
 * touched any more after sockline_queue_free. queue: not NULL; left alone after a failure.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
 */
sockline_status sockline_queue_new(
    uint64_t max_events,
    uint64_t max_bytes,
    void (*doorbell)(void *user_data),
    void *user_data,
    sockline_queue **queue);

/**
 * Pulls the oldest event, and has *event point to it. Returns SOCKLINE_OK, or SOCKLINE_EMPTY if nothing waits: then
 * *event is NULL, and the doorbell rings for the next.
 *
 * Each call ends the life of the event before it, so use one thread for each queue, or copy what you need under a
 * lock. event: not NULL.
 * Errors: SOCKLINE_ERR_INVALID_ARGUMENT. Any thread, one at a time.
 */
sockline_status sockline_queue_pop(sockline_queue *queue, const sockline_queued_event **event);

/**
 * Frees a queue: consumed, with the events that wait. Its connections and servers go on as they are; what else
 * happens to them is told to nobody. When this returns, the doorbell is not running any more and will not be called
 * again, unless this is called by the doorbell: so hold no lock here that it takes. NULL does nothing. Any thread.
 */
void sockline_queue_free(sockline_queue *queue);

#ifdef __cplusplus
}
#endif

#endif /* SOCKLINE_H */
