/* Sends COUNT messages of SIZE bytes, checks the echoes and prints the rate: echo_client URL COUNT SIZE. */

#define _POSIX_C_SOURCE 200809L

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sockline.h>

enum { IN_FLIGHT = 64 }; /* at most so many messages are on their way at once */

struct client {
    sockline_loop *loop;
    unsigned char *payload;
    size_t size;
    unsigned long long count, sent, received;
    bool failed;
};

static void fail(struct client *client, const char *why) {
    fprintf(stderr, "echo_client: %s\n", why);
    client->failed = true;
    sockline_loop_stop(client->loop);
}

static void send_more(struct client *client, sockline_ws ws) {
    while (client->sent < client->count && client->sent < client->received + IN_FLIGHT) {
        if (sockline_send(ws, SOCKLINE_BINARY, client->payload, client->size) < 0) {
            fail(client, sockline_last_error_text());
            return;
        }
        client->sent++;
    }
}

static void close_when_done(struct client *client, sockline_ws ws) {
    if (client->received == client->count)
        sockline_close(ws, 1000, "done", strlen("done"));
    else
        send_more(client, ws);
}

static void on_open(sockline_ws ws, void *user_data) {
    close_when_done(user_data, ws);
}

static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    struct client *client = user_data;
    if (client->failed) return;
    if (type != SOCKLINE_BINARY || len != client->size || memcmp(data, client->payload, len) != 0) {
        fail(client, "an echo differs from what was sent");
        return;
    }
    client->received++;
    close_when_done(client, ws);
}

static void on_error(sockline_ws ws, const sockline_error_event *event, void *user_data) {
    (void)ws;
    fail(user_data, event->text.data);
}

static void on_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    struct client *client = user_data;
    (void)ws;
    if (client->received < client->count && !client->failed) {
        fprintf(stderr, "echo_client: closed with %d after %llu of %llu echoes\n", (int)event->code, client->received,
                client->count);
        client->failed = true;
    }
    sockline_loop_stop(client->loop);
}

static sockline_status run(struct client *client, const char *url) {
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.max_message = 64 << 20;
    settings.hard_limit = SOCKLINE_UNLIMITED;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &settings;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = on_open;
    handlers.on_message = on_message;
    handlers.on_error = on_error;
    handlers.on_close = on_close;

    sockline_status status = sockline_connect(client->loop, url, &options, &handlers, client, NULL);
    if (status < 0) return status;
    return sockline_loop_run(client->loop);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool parse(const char *text, unsigned long long *number) {
    char *end;
    *number = strtoull(text, &end, 10);
    return end != text && *end == '\0' && text[0] != '-';
}

int main(int argc, char **argv) {
    struct client client = {0};
    unsigned long long size;
    if (argc != 4 || !parse(argv[2], &client.count) || !parse(argv[3], &size)) {
        fprintf(stderr, "usage: echo_client URL COUNT SIZE\n");
        return 2;
    }
    client.size = (size_t)size;
    client.payload = malloc(client.size + 1); /* malloc(0) may be NULL */
    if (client.payload == NULL) {
        fprintf(stderr, "echo_client: no memory for %llu bytes\n", size);
        return 1;
    }
    for (size_t i = 0; i < client.size; i++) client.payload[i] = (unsigned char)i;

    double start = seconds();
    sockline_status status = sockline_loop_new(NULL, &client.loop);
    if (status == SOCKLINE_OK) status = run(&client, argv[1]);
    double taken = seconds() - start;
    if (status < 0) fail(&client, sockline_last_error_text());
    sockline_loop_free(client.loop);
    free(client.payload);
    if (client.failed) return 1;
    printf("%llu messages of %llu bytes in %.3f s: %.0f messages/s\n", client.count, size, taken,
           (double)client.count / taken);
    return 0;
}
