/* Prints what a feed_server publishes, and comes back when the connection is lost: feed_client URL FILTER [CA].
 *
 * FILTER is a topic, or several of them with + and # as in MQTT; CA a file with the authority to trust for wss://. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockline.h>

enum { FILE_LIMIT = 1 << 20 };

struct feed {
    sockline_loop *loop;
    const char *filter;
    int failed;
};

/* A connection knows nothing of the one before it: the filter is sent again. */
static void subscribe(sockline_ws ws, void *user_data) {
    const struct feed *feed = user_data;
    sockline_send(ws, SOCKLINE_TEXT, feed->filter, strlen(feed->filter));
}

static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)ws, (void)type, (void)user_data;
    printf("%.*s\n", (int)len, (const char *)data);
    fflush(stdout);
}

static void on_reconnecting(sockline_ws ws, const sockline_reconnecting_event *event, void *user_data) {
    (void)ws, (void)user_data;
    fprintf(stderr, "lost (%s); attempt %u in %llu ms\n", event->error ? event->error->text.data : "closed",
            (unsigned)event->attempt, (unsigned long long)event->delay_ms);
}

static void on_error(sockline_ws ws, const sockline_error_event *event, void *user_data) {
    struct feed *feed = user_data;
    (void)ws;
    fprintf(stderr, "feed_client: %s\n", event->text.data);
    feed->failed = 1;
}

static void on_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    struct feed *feed = user_data;
    (void)ws;
    if (event->reason.len > 0) {
        fprintf(stderr, "feed_client: closed with %d: %s\n", (int)event->code, event->reason.data);
        feed->failed = 1;
    }
    sockline_loop_stop(feed->loop);
}

/* A client that trusts the authority in this file, and nobody else. */
static sockline_status trust(const char *path, sockline_tls **tls) {
    char *content = malloc(FILE_LIMIT);
    FILE *file = fopen(path, "rb");
    if (content == NULL || file == NULL) perror(path);
    sockline_bytes ca = {content, file && content ? fread(content, 1, FILE_LIMIT, file) : 0};
    sockline_tls_client_options options = SOCKLINE_TLS_CLIENT_OPTIONS_INIT;
    options.ca = &ca;
    options.ca_count = 1;
    options.platform_roots = -1;
    sockline_status status = sockline_tls_client_new(&options, tls);
    if (file != NULL) fclose(file);
    free(content);
    return status;
}

static sockline_status run(struct feed *feed, const char *url, sockline_tls *tls) {
    sockline_reconnect reconnect = SOCKLINE_RECONNECT_INIT;
    reconnect.base_delay_ms = 500;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.tls = tls;
    options.reconnect = &reconnect;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = subscribe;
    handlers.on_reconnected = subscribe;
    handlers.on_message = on_message;
    handlers.on_reconnecting = on_reconnecting;
    handlers.on_error = on_error;
    handlers.on_close = on_close;
    sockline_status status = sockline_connect(feed->loop, url, &options, &handlers, feed, NULL);
    return status < 0 ? status : sockline_loop_run(feed->loop);
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: feed_client URL FILTER [CA]\n");
        return 2;
    }
    struct feed feed = {NULL, argv[2], 0};
    sockline_tls *tls = NULL;
    sockline_status status = sockline_loop_new(NULL, &feed.loop);
    if (status == SOCKLINE_OK && argc == 4) status = trust(argv[3], &tls);
    if (status == SOCKLINE_OK) status = run(&feed, argv[1], tls);
    if (status < 0) fprintf(stderr, "feed_client: %s\n", sockline_last_error_text());
    sockline_tls_free(tls);
    sockline_loop_free(feed.loop);
    return status < 0 || feed.failed ? 1 : 0;
}
