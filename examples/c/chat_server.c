/* Sends every chat message to everybody, and serves the page: chat_server PORT. */

#define _XOPEN_SOURCE 700

#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <sockline.h>

#include "chat_json.h"

/* user_data is where the server's handle is kept. */
static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    const sockline_server *server = user_data;
    struct chat_message message;
    if (type != SOCKLINE_TEXT || !chat_read(data, len, &message)) {
        fprintf(stderr, "a message that is no chat message was ignored\n");
        return;
    }
    chat_free(&message);
    if (sockline_broadcast(*server, SOCKLINE_TEXT, data, len) < 0)
        fprintf(stderr, "a message was not sent on: %s\n", sockline_last_error_text());
    (void)ws;
}

/* The folder of the page: this program is examples/c/build/chat_server, the page examples/web. */
static const char *web_folder(const char *program) {
    static char folder[PATH_MAX];
    char path[PATH_MAX];
    if (realpath("/proc/self/exe", path) == NULL && realpath(program, path) == NULL) return NULL;
    char *parent = dirname(dirname(dirname(path)));
    int length = snprintf(folder, sizeof folder, "%s/web", parent);
    return length > 0 && (size_t)length < sizeof folder ? folder : NULL;
}

static sockline_status serve(sockline_loop *loop, uint32_t port, const char *folder, sockline_server *server) {
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.port = port;
    options.path = sockline_str("/ws");
    options.static_folder = sockline_str(folder);
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_message = on_message;

    sockline_status status = sockline_listen(loop, &options, &handlers, server, server);
    if (status < 0) return status;
    unsigned bound = sockline_server_port(*server);
    printf("chatting at ws://localhost:%u/ws; the page is at http://localhost:%u/\n", bound, bound);
    fflush(stdout);
    return sockline_loop_start(loop);
}

int main(int argc, char **argv) {
    char *end = NULL;
    unsigned long port = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    if (argc != 2 || end == argv[1] || *end || port > 65535) {
        fprintf(stderr, "usage: chat_server PORT\n");
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    sockline_loop *loop = NULL;
    sockline_server server = 0; /* lives as long as the loop, as user_data */
    sockline_status status = sockline_loop_new(NULL, &loop);
    if (status == SOCKLINE_OK) status = serve(loop, (uint32_t)port, web_folder(argv[0]), &server);
    if (status < 0) {
        fprintf(stderr, "chat_server: %s\n", sockline_last_error_text());
    } else {
        int signal;
        sigwait(&signals, &signal); /* on this thread; the loop's own takes no signals */
        sockline_loop_shutdown(loop, 2000);
    }
    sockline_loop_free(loop);
    return status < 0 ? 1 : 0;
}
