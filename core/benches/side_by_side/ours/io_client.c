/* A Socket.IO client under test: io_client PORT CONNECTIONS PIPELINE SIZE. On each connection PIPELINE events with a string
 * of SIZE characters are in flight, whose acknowledgements are compared whole. */

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockline.h>

static size_t pipeline;

static void fail(const char *why) {
    fprintf(stderr, "io_client: %s\n", why);
    exit(1);
}

static void emit(sockline_io_client socket, const char *argument) {
    sockline_io_emit_options options = SOCKLINE_IO_EMIT_OPTIONS_INIT;
    options.wants_ack = 1;
    if (sockline_io_client_emit(socket, sockline_str("msg"), sockline_str(argument), NULL, 0, &options) < 0)
        fail(sockline_last_error_text());
}

static void on_connect(sockline_io_client socket, void *argument) {
    for (size_t i = 0; i < pipeline; i++) emit(socket, argument);
}

static void on_ack(sockline_io_client socket, const sockline_io_ack_event *event, void *argument) {
    size_t len = strlen(argument);
    if (event->outcome != SOCKLINE_IO_ANSWERED || event->args.len != len ||
        memcmp(event->args.data, argument, len) != 0)
        fail("an acknowledgement differs from its event");
    emit(socket, argument);
}

static void on_connect_error(sockline_io_client socket, const sockline_io_connect_error *error, void *argument) {
    (void)socket, (void)error, (void)argument;
    fail("not connected");
}

static void on_disconnect(sockline_io_client socket, int32_t reason, sockline_string detail, void *argument) {
    (void)socket, (void)detail, (void)argument;
    fail(sockline_io_client_reason_text(reason));
}

/* A string in JSON, of its own for each connection, so that an answer to another's is noticed. */
static char *argument_of(size_t connection, size_t size) {
    char *argument = malloc(size + 3);
    if (argument == NULL) fail("no memory");
    argument[0] = argument[size + 1] = '"';
    for (size_t i = 0; i < size; i++) argument[i + 1] = (char)('a' + (connection + i) % 26);
    argument[size + 2] = '\0';
    return argument;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: io_client PORT CONNECTIONS PIPELINE SIZE\n");
        return 2;
    }
    size_t connections = strtoul(argv[2], NULL, 10), size = strtoul(argv[4], NULL, 10);
    pipeline = strtoul(argv[3], NULL, 10);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%s/", argv[1]);

    sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    options.reconnection = -1;
    options.transports = SOCKLINE_IO_WEBSOCKET;
    sockline_io_client_handlers handlers = SOCKLINE_IO_CLIENT_HANDLERS_INIT;
    handlers.on_connect = on_connect;
    handlers.on_ack = on_ack;
    handlers.on_connect_error = on_connect_error;
    handlers.on_disconnect = on_disconnect;
    sockline_loop *loop = NULL;
    sockline_status status = sockline_loop_new(NULL, &loop);
    for (size_t i = 0; i < connections && status >= 0; i++) {
        sockline_io_client socket;
        status = sockline_io_connect(loop, url, &options, NULL, &handlers, argument_of(i, size), &socket);
    }
    if (status >= 0) status = sockline_loop_run(loop);
    if (status < 0) fail(sockline_last_error_text());
    return 0;
}
