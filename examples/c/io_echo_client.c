/* Emits "msg" COUNT times, checks what it is acknowledged with, and prints the rate: io_echo_client URL COUNT. */

#define _POSIX_C_SOURCE 200809L

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sockline.h>

enum { IN_FLIGHT = 16 }; /* at most so many events are on their way at once */

struct client {
    sockline_loop *loop;
    unsigned long long count, sent, received;
    double start; /* when it was connected */
    bool failed;
};

static void fail(struct client *client, const char *why, size_t len) {
    fprintf(stderr, "io_echo_client: %.*s\n", (int)len, why);
    client->failed = true;
    sockline_loop_stop(client->loop);
}

/* The event's number is its argument and its token. */
static void emit_more(struct client *client, sockline_io_client socket) {
    while (client->sent < client->count && client->sent < client->received + IN_FLIGHT) {
        char args[24];
        snprintf(args, sizeof args, "%llu", client->sent);
        sockline_io_emit_options options = SOCKLINE_IO_EMIT_OPTIONS_INIT;
        options.wants_ack = 1;
        options.token = (void *)(uintptr_t)client->sent;
        if (sockline_io_client_emit(socket, sockline_str("msg"), sockline_str(args), NULL, 0, &options) < 0) {
            const char *why = sockline_last_error_text();
            fail(client, why, strlen(why));
            return;
        }
        client->sent++;
    }
}

static void stop_when_done(struct client *client, sockline_io_client socket) {
    if (client->received == client->count)
        sockline_io_client_disconnect(socket);
    else
        emit_more(client, socket);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void on_connect(sockline_io_client socket, void *user_data) {
    struct client *client = user_data;
    client->start = seconds();
    stop_when_done(client, socket);
}

static void on_ack(sockline_io_client socket, const sockline_io_ack_event *event, void *user_data) {
    struct client *client = user_data;
    char wanted[24];
    int len = snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)(uintptr_t)event->token);
    if (client->failed) return;
    if (event->outcome != SOCKLINE_IO_ANSWERED || event->args.len != (size_t)len ||
        memcmp(event->args.data, wanted, (size_t)len) != 0) {
        const char why[] = "an event was not acknowledged with its argument";
        fail(client, why, strlen(why));
        return;
    }
    client->received++;
    stop_when_done(client, socket);
}

static void on_connect_error(sockline_io_client socket, const sockline_io_connect_error *error, void *user_data) {
    (void)socket;
    sockline_string why = error->error ? error->error->text : error->message;
    fail(user_data, why.data, why.len);
}

static void on_disconnect(sockline_io_client socket, int32_t reason, sockline_string detail, void *user_data) {
    struct client *client = user_data;
    (void)socket, (void)detail;
    if (client->received < client->count && !client->failed) {
        fprintf(stderr, "io_echo_client: %s after %llu of %llu events\n", sockline_io_client_reason_text(reason),
                client->received, client->count);
        client->failed = true;
    }
    sockline_loop_stop(client->loop);
}

static sockline_status run(struct client *client, const char *url) {
    sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    options.reconnection = -1;
    sockline_io_client_handlers handlers = SOCKLINE_IO_CLIENT_HANDLERS_INIT;
    handlers.on_connect = on_connect;
    handlers.on_ack = on_ack;
    handlers.on_connect_error = on_connect_error;
    handlers.on_disconnect = on_disconnect;
    sockline_io_client socket;
    sockline_status status = sockline_io_connect(client->loop, url, &options, NULL, &handlers, client, &socket);
    if (status < 0) return status;
    status = sockline_loop_run(client->loop);
    sockline_io_client_free(socket);
    return status;
}

int main(int argc, char **argv) {
    struct client client = {0};
    char *end = NULL;
    if (argc == 3) client.count = strtoull(argv[2], &end, 10);
    if (argc != 3 || end == argv[2] || *end || argv[2][0] == '-') {
        fprintf(stderr, "usage: io_echo_client URL COUNT\n");
        return 2;
    }
    sockline_status status = sockline_loop_new(NULL, &client.loop);
    if (status == SOCKLINE_OK) status = run(&client, argv[1]);
    if (status < 0) fprintf(stderr, "io_echo_client: %s\n", sockline_last_error_text());
    sockline_loop_free(client.loop);
    if (status < 0 || client.failed) return 1;
    double taken = seconds() - client.start;
    printf("%llu events in %.3f s: %.0f events/s\n", client.count, taken, (double)client.count / taken);
    return 0;
}
