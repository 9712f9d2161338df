/* Socket.IO and WebSockets in a server that has its port already, one of libmicrohttpd: embedded_server PORT.
 *
 * "/" is a page of libmicrohttpd's own. Socket.IO's event "msg" is acknowledged with its arguments; a WebSocket at /ws gets each message back. */

#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mhd_requests.h"

static void on_event(sockline_io_socket socket, const sockline_io_event *event, void *user_data) {
    (void)socket, (void)user_data;
    if (event->ack) sockline_io_ack_send(event->ack, event->args, event->attachments, event->attachment_count);
}

static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)user_data;
    sockline_send(ws, type, data, len);
}

/* A server that listens nowhere: its requests come from libmicrohttpd. */
static sockline_status open_server(sockline_loop *loop, sockline_server *server) {
    sockline_io_handlers io_handlers = SOCKLINE_IO_HANDLERS_INIT;
    io_handlers.on_event = on_event;
    sockline_io_server io;
    sockline_status status = sockline_io_server_new(loop, NULL, &io_handlers, NULL, &io);
    if (status < 0) return status;

    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_message = on_message;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.nowhere = 1;
    options.path = sockline_str("/ws");
    options.io = &io;
    options.io_count = 1;
    return sockline_listen(loop, &options, &handlers, NULL, server);
}

static enum MHD_Result on_request(void *user_data, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request) {
    static const char page[] = "<!doctype html><title>embedded</title>This page is libmicrohttpd's.\n";
    (void)version;
    if (strcmp(path, "/") != 0)
        return give_request(*(sockline_server *)user_data, connection, method, upload, upload_size, *request);
    struct MHD_Response *response = MHD_create_response_from_buffer(sizeof page - 1, (void *)(uintptr_t)page, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", "text/html");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static struct MHD_Daemon *start(uint16_t port, sockline_server *server) {
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE;
    return MHD_start_daemon(flags, port, NULL, NULL, on_request, server, MHD_OPTION_URI_LOG_CALLBACK, begin_request, NULL,
                            MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL, MHD_OPTION_END);
}

int main(int argc, char **argv) {
    char *end = NULL;
    unsigned long port = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    if (argc != 2 || end == argv[1] || *end || port > 65535) {
        fprintf(stderr, "usage: embedded_server PORT\n");
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    sockline_loop *loop = NULL;
    sockline_server server = 0;
    sockline_status status = sockline_loop_new(NULL, &loop);
    if (status >= 0) status = open_server(loop, &server);
    if (status >= 0) status = sockline_loop_start(loop);
    if (status < 0) fprintf(stderr, "embedded_server: %s\n", sockline_last_error_text());
    struct MHD_Daemon *daemon = status < 0 ? NULL : start((uint16_t)port, &server);
    if (daemon) {
        printf("embedded at http://localhost:%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
        fflush(stdout);
        int signal;
        sigwait(&signals, &signal);
    }
    /* All requests have their answers when the loop is freed, and libmicrohttpd needs them to stop. */
    sockline_loop_shutdown(loop, 2000);
    sockline_loop_free(loop);
    if (daemon) MHD_stop_daemon(daemon);
    return daemon ? 0 : 1;
}
