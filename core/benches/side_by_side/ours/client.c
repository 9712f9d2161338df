/* A client under test: client PORT CONNECTIONS PIPELINE SIZE. On each connection PIPELINE messages of SIZE bytes are in
 * flight, whose echoes are compared whole. */

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockline.h>

static size_t pipeline, size;

static void fail(const char *why) {
    fprintf(stderr, "client: %s\n", why);
    exit(1);
}

static void send_payload(sockline_ws ws, const unsigned char *payload) {
    if (sockline_send(ws, SOCKLINE_BINARY, payload, size) < 0) fail(sockline_last_error_text());
}

static void on_open(sockline_ws ws, void *payload) {
    for (size_t i = 0; i < pipeline; i++) send_payload(ws, payload);
}

static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *payload) {
    if (type != SOCKLINE_BINARY || len != size || memcmp(data, payload, len) != 0)
        fail("an echo differs from its message");
    send_payload(ws, payload);
}

static void on_close(sockline_ws ws, const sockline_close_event *event, void *payload) {
    (void)ws, (void)event, (void)payload;
    fail("the connection was closed");
}

/* Of its own for each connection, so that an echo of another's is noticed. */
static unsigned char *payload_of(size_t connection) {
    unsigned char *payload = malloc(size);
    if (payload == NULL) fail("no memory");
    for (size_t i = 0; i < size; i++) payload[i] = (unsigned char)(connection + i);
    return payload;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: client PORT CONNECTIONS PIPELINE SIZE\n");
        return 2;
    }
    size_t connections = strtoul(argv[2], NULL, 10);
    pipeline = strtoul(argv[3], NULL, 10);
    size = strtoul(argv[4], NULL, 10);
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%s/", argv[1]);

    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = on_open;
    handlers.on_message = on_message;
    handlers.on_close = on_close;
    sockline_loop *loop = NULL;
    sockline_status status = sockline_loop_new(NULL, &loop);
    for (size_t i = 0; i < connections && status >= 0; i++)
        status = sockline_connect(loop, url, NULL, &handlers, payload_of(i), NULL);
    if (status >= 0) status = sockline_loop_run(loop);
    if (status < 0) fail(sockline_last_error_text());
    return 0;
}
