/* A Socket.IO server: io_echo_server PORT [REDIS]. With the URL of a Redis, such as redis://localhost, it is one of a cluster.
 *
 * Every socket joins the room "room". The event "msg" is acknowledged with its arguments; the event "bc" goes to the room. */

#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockline.h>

static int is(sockline_string name, const char *wanted) {
    return name.len == strlen(wanted) && memcmp(name.data, wanted, name.len) == 0;
}

static void check(sockline_status status) {
    if (status < 0) fprintf(stderr, "an event was not sent: %s\n", sockline_last_error_text());
}

static void on_connection(sockline_io_socket socket, void *user_data) {
    (void)user_data;
    sockline_string room = sockline_str("room");
    sockline_io_join(socket, &room, 1);
}

static void on_event(sockline_io_socket socket, const sockline_io_event *event, void *user_data) {
    (void)user_data;
    if (is(event->name, "msg") && event->ack) {
        check(sockline_io_ack_send(event->ack, event->args, event->attachments, event->attachment_count));
    } else if (is(event->name, "bc")) {
        sockline_string room = sockline_str("room");
        sockline_io_target target = SOCKLINE_IO_TARGET_INIT;
        target.nsp = sockline_io_socket_namespace(socket);
        target.rooms = &room;
        target.room_count = 1;
        check(sockline_io_broadcast_emit(&target, event->name, event->args, event->attachments, event->attachment_count));
    }
}

static sockline_status serve(sockline_loop *loop, uint32_t port, const char *redis) {
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_connection = on_connection;
    handlers.on_event = on_event;
    sockline_io_server_options io_options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    io_options.adapter = sockline_str(redis); /* NULL: alone */
    sockline_io_server io;
    sockline_status status = sockline_io_server_new(loop, &io_options, &handlers, NULL, &io);
    if (status < 0) return status;

    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.port = port;
    options.io = &io;
    options.io_count = 1;
    sockline_server server;
    status = sockline_listen(loop, &options, NULL, NULL, &server);
    if (status < 0) return status;
    printf("echoing at http://localhost:%u\n", sockline_server_port(server));
    fflush(stdout);
    return sockline_loop_start(loop);
}

int main(int argc, char **argv) {
    char *end = NULL;
    unsigned long port = argc == 2 || argc == 3 ? strtoul(argv[1], &end, 10) : 0;
    if (argc < 2 || argc > 3 || end == argv[1] || *end || port > 65535) {
        fprintf(stderr, "usage: io_echo_server PORT [REDIS]\n");
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    sockline_loop *loop = NULL;
    sockline_status status = sockline_loop_new(NULL, &loop);
    if (status == SOCKLINE_OK) status = serve(loop, (uint32_t)port, argv[2]);
    if (status < 0) {
        fprintf(stderr, "io_echo_server: %s\n", sockline_last_error_text());
    } else {
        int signal;
        sigwait(&signals, &signal); /* on this thread; the loop's own takes no signals */
        sockline_loop_shutdown(loop, 2000);
    }
    sockline_loop_free(loop);
    return status < 0 ? 1 : 0;
}
