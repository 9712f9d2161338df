/* libwebsockets as a client of an echo server: lws_client URL SCENARIO
 *
 * The scenarios are in ../README.md. With $PERMESSAGE_DEFLATE it offers that. */

#define _POSIX_C_SOURCE 200809L

#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT = 120 /* seconds, for a whole scenario */, LARGEST = 16 << 20, FRAGMENT = 999, PADDING = 65536 };

/* As in ../node/fixtures.js. */
static const size_t SIZES[] = {0, 1, 125, 126, 127, 65535, 65536, 1 << 20, LARGEST};

struct text {
    char *bytes;
    size_t len, capacity;
};

static struct lws_context *context;
static struct lws *ws;
static char extensions[128];
static bool open_, writable, closed, closing, ponged, complete, binary;
static int code;            /* of the peer's close frame that came unasked */
static struct text message; /* the latest, as far as it has come */
static struct text pong;    /* the payload of the latest */
static unsigned char *outgoing; /* behind LWS_PRE bytes */

static _Noreturn void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("lws: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void append(struct text *text, const void *bytes, size_t len) {
    if (text->len + len > text->capacity) {
        text->capacity = 2 * (text->len + len);
        text->bytes = realloc(text->bytes, text->capacity);
        if (text->bytes == NULL) fail("no memory");
    }
    if (len > 0) memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
}

static void received(struct lws *from, const void *bytes, size_t len) {
    if (complete) fail("a message more than was asked for");
    binary = lws_frame_is_binary(from);
    append(&message, bytes, len);
    complete = lws_is_final_fragment(from) && lws_remaining_packet_payload(from) == 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
    (void)user;
    switch (reason) {
        case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH:
            if (lws_hdr_copy(wsi, extensions, sizeof extensions, WSI_TOKEN_EXTENSIONS) < 0) fail("long extensions");
            return 0;
        case LWS_CALLBACK_CLIENT_ESTABLISHED: open_ = true; return 0;
        case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: fail("could not connect: %s", in ? (const char *)in : "no reason");
        case LWS_CALLBACK_CLIENT_RECEIVE: received(wsi, in, len); return 0;
        case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
            ponged = true;
            pong.len = 0;
            append(&pong, in, len);
            return 0;
        case LWS_CALLBACK_CLIENT_WRITEABLE: writable = true; return closing ? -1 : 0;
        case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
            code = len < 2 ? 1005 : ((unsigned char *)in)[0] << 8 | ((unsigned char *)in)[1];
            return 0;
        case LWS_CALLBACK_CLIENT_CLOSED: closed = true; return 0;
        default: return 0;
    }
}

/* Serves events until the condition holds. */
#define AWAIT(condition, what) \
    while (!(condition)) { \
        if (closed) fail("closed with %d, not %s", code, what); \
        if (lws_service(context, 0) < 0) fail("lws_service failed"); \
    }

static void await_writable(void) {
    writable = false;
    lws_callback_on_writable(ws);
    AWAIT(writable, "room to write");
}

static void write_frame(const void *bytes, size_t len, int protocol) {
    await_writable();
    if (len > 0) memcpy(outgoing + LWS_PRE, bytes, len);
    if (lws_write(ws, outgoing + LWS_PRE, len, (enum lws_write_protocol)protocol) < (int)len) fail("lws_write failed");
}

static void expect(const void *bytes, size_t len, bool is_binary) {
    AWAIT(complete, "a message");
    if (binary != is_binary || message.len != len || (len > 0 && memcmp(message.bytes, bytes, len) != 0))
        fail("wanted %zu bytes (binary: %d), got %zu (binary: %d), or others", len, is_binary, message.len, binary);
    complete = false;
    message.len = 0;
}

static void expect_echo(const void *bytes, size_t len, bool is_binary) {
    write_frame(bytes, len, is_binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
    expect(bytes, len, is_binary);
}

static void finish(void) {
    unsigned char reason[] = "finished";
    await_writable();
    lws_close_reason(ws, LWS_CLOSE_STATUS_NORMAL, reason, sizeof reason - 1);
    closing = true;
    lws_callback_on_writable(ws);
    while (!closed)
        if (lws_service(context, 0) < 0) fail("lws_service failed");
}

static unsigned char *pattern(void) {
    unsigned char *bytes = malloc(LARGEST);
    if (bytes == NULL) fail("no memory");
    for (size_t i = 0; i < LARGEST; i++) bytes[i] = (unsigned char)(i % 251);
    return bytes;
}

static char *xs(size_t len) {
    char *text = malloc(len);
    if (text == NULL) fail("no memory");
    return memset(text, 'x', len);
}

static void connection(void) {
    write_frame(xs(PADDING), PADDING, LWS_WRITE_TEXT);
    AWAIT(complete, "the server's view");
    SSL *tls = lws_get_ssl(ws);
    printf("{\"peer\":\"lws\",\"scenario\":\"connection\",\"extensions\":\"%s\",\"tls\":\"%s\",\"server\":%.*s}\n",
           extensions, tls ? SSL_get_version(tls) : "", (int)message.len, message.bytes);
    finish();
}

static void echo(void) {
    static const char greek[] = "κόσμε €😀\0";
    expect_echo("hello", strlen("hello"), false);
    expect_echo("", 0, false);
    expect_echo(greek, sizeof greek - 1, false);
    expect_echo(pattern(), 64, true);
    expect_echo("", 0, true);
    finish();
}

/* Once permessage-deflate is agreed on, the library takes messages that are not compressed for something else: it gives
 * them twice or not at all (warmcat/libwebsockets#2794); so only those sizes that servers compress are tried then. */
static void sizes(void) {
    unsigned char *bytes = pattern();
    char *text = xs(LARGEST);
    for (size_t i = getenv("PERMESSAGE_DEFLATE") ? 5 : 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        expect_echo(bytes, SIZES[i], true);
        expect_echo(text, SIZES[i], false);
    }
    finish();
}

/* One message in fragments, with a ping between. */
static void send_fragments(const unsigned char *bytes, size_t len, enum lws_write_protocol type) {
    for (size_t start = 0; start < len; start += FRAGMENT) {
        size_t size = len - start < FRAGMENT ? len - start : FRAGMENT;
        write_frame(bytes + start, size, lws_write_ws_flags(type, start == 0, start + size == len));
        if (start == 5 * FRAGMENT) write_frame("between", strlen("between"), LWS_WRITE_PING);
    }
}

static void fragments(void) {
    static const char words[] = "κόσμε €😀 ";
    struct text text = {0};
    for (int i = 0; i < 1000; i++) append(&text, words, sizeof words - 1);
    send_fragments((unsigned char *)text.bytes, text.len, LWS_WRITE_TEXT);
    AWAIT(ponged, "a pong");
    expect(text.bytes, text.len, false);
    finish();
}

static void ping(void) {
    const struct text payloads[] = {{"", 0, 0}, {"are you there", 13, 0}, {xs(125), 125, 0}};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        ponged = false;
        write_frame(payloads[i].bytes, payloads[i].len, LWS_WRITE_PING);
        AWAIT(ponged, "a pong");
        if (pong.len != payloads[i].len || (pong.len > 0 && memcmp(pong.bytes, payloads[i].bytes, pong.len) != 0))
            fail("pinged with %zu bytes, got a pong of %zu", payloads[i].len, pong.len);
    }
    finish();
}

static void server_close(void) {
    while (!closed)
        if (lws_service(context, 0) < 0) fail("lws_service failed");
    if (code != 1000) fail("closed with %d, not 1000", code);
}

static const struct lws_protocols PROTOCOLS[] = {
    {.name = "interop", .callback = on_event, .rx_buffer_size = 65536},
    {.name = NULL},
};
static const struct lws_extension EXTENSIONS[] = {
    {"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate; client_max_window_bits"},
    {NULL, NULL, NULL},
};

static void make_context(void) {
    struct lws_context_creation_info info = {0};
    unsetenv("http_proxy"); /* nothing stands between a test and its peer */
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = PROTOCOLS;
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.client_ssl_ca_filepath = getenv("TLS_AUTHORITY");
    if (getenv("PERMESSAGE_DEFLATE")) info.extensions = EXTENSIONS;
    lws_set_log_level(LLL_ERR, NULL);
    context = lws_create_context(&info);
    if (context == NULL) fail("lws_create_context failed");
}

static void connect_to(const char *url) {
    char *copy = strdup(url), path[256], authority[128];
    const char *scheme, *host, *rest;
    struct lws_client_connect_info info = {0};
    if (lws_parse_uri(copy, &scheme, &host, &info.port, &rest) != 0) fail("this is no URL: %s", url);
    snprintf(path, sizeof path, "/%s", rest);
    snprintf(authority, sizeof authority, "%s:%d", host, info.port);
    info.context = context;
    info.address = host;
    info.host = authority;
    info.path = path;
    info.alpn = "http/1.1";
    info.ssl_connection = strcmp(scheme, "wss") == 0 ? LCCSCF_USE_SSL : 0;
    info.local_protocol_name = PROTOCOLS[0].name;
    info.pwsi = &ws;
    if (lws_client_connect_via_info(&info) == NULL) fail("could not begin to connect");
    AWAIT(open_, "a connection");
    free(copy);
}

static const struct {
    const char *name;
    void (*run)(void);
} SCENARIOS[] = {
    {"connection", connection}, {"echo", echo},   {"sizes", sizes},
    {"fragments", fragments},   {"ping", ping},   {"server-close", server_close},
};

int main(int argc, char **argv) {
    outgoing = malloc(LWS_PRE + LARGEST);
    if (outgoing == NULL) fail("no memory");
    alarm(TIMEOUT);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc == 3 && i < sizeof SCENARIOS / sizeof *SCENARIOS; i++) {
        if (strcmp(SCENARIOS[i].name, argv[2]) != 0) continue;
        make_context();
        connect_to(argv[1]);
        SCENARIOS[i].run();
        if (SCENARIOS[i].run != connection) printf("{\"peer\":\"lws\",\"scenario\":\"%s\"}\n", argv[2]);
        return 0;
    }
    fprintf(stderr, "usage: lws_client URL SCENARIO\n");
    return 2;
}
