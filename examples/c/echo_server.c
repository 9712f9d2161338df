/* Sends every message back: echo_server PORT. */

#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <sockline.h>

static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)user_data;
    if (sockline_send(ws, type, data, len) < 0)
        fprintf(stderr, "a message was not echoed: %s\n", sockline_last_error_text());
}

static sockline_status serve(sockline_loop *loop, uint32_t port) {
    sockline_compression compression = SOCKLINE_COMPRESSION_INIT; /* for those who ask for it */
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.max_message = 64 << 20;
    settings.hard_limit = SOCKLINE_UNLIMITED;
    settings.compression = &compression;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.port = port;
    options.settings = &settings;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_message = on_message;

    sockline_server server;
    sockline_status status = sockline_listen(loop, &options, &handlers, NULL, &server);
    if (status < 0) return status;
    printf("echoing at ws://localhost:%u\n", sockline_server_port(server));
    fflush(stdout);
    return sockline_loop_start(loop);
}

int main(int argc, char **argv) {
    char *end = NULL;
    unsigned long port = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    if (argc != 2 || end == argv[1] || *end || port > 65535) {
        fprintf(stderr, "usage: echo_server PORT\n");
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    sockline_loop *loop = NULL;
    sockline_status status = sockline_loop_new(NULL, &loop);
    if (status == SOCKLINE_OK) status = serve(loop, (uint32_t)port);
    if (status < 0) {
        fprintf(stderr, "echo_server: %s\n", sockline_last_error_text());
    } else {
        int signal;
        sigwait(&signals, &signal); /* on this thread; the loop's own takes no signals */
        sockline_loop_shutdown(loop, 2000);
    }
    sockline_loop_free(loop);
    return status < 0 ? 1 : 0;
}
