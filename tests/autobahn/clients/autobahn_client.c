/* The client under test of Autobahn|Testsuite's fuzzing server: autobahn_client URL.
 * Asks for the number of cases, runs each with every message echoed, and has the reports written. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockline.h>

static const char AGENT[] = "sockline";

struct connection {
    sockline_loop *loop;
    bool echo;
    char answer[32]; /* the last message of one that does not echo */
};

static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    struct connection *connection = user_data;
    if (connection->echo) {
        if (sockline_send(ws, type, data, len) < 0) fprintf(stderr, "not echoed: %s\n", sockline_last_error_text());
    } else {
        snprintf(connection->answer, sizeof connection->answer, "%.*s", (int)len, (const char *)data);
    }
}

static void on_error(sockline_ws ws, const sockline_error_event *event, void *user_data) {
    (void)ws, (void)user_data;
    /* Most cases end with an error on purpose; the suite judges whether it was the right one. */
    fprintf(stderr, "%s\n", event->text.data);
}

static void on_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    struct connection *connection = user_data;
    (void)ws, (void)event;
    sockline_loop_stop(connection->loop);
}

/* Runs one connection to its end. */
static sockline_status run(struct connection *connection, const char *url, bool echo) {
    sockline_compression compression = SOCKLINE_COMPRESSION_INIT;
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.max_message = 64 << 20;
    settings.hard_limit = SOCKLINE_UNLIMITED;
    settings.compression = &compression;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &settings;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_message = on_message;
    handlers.on_error = on_error;
    handlers.on_close = on_close;

    connection->echo = echo;
    sockline_status status = sockline_connect(connection->loop, url, &options, &handlers, connection, NULL);
    return status < 0 ? status : sockline_loop_run(connection->loop);
}

static sockline_status run_all(struct connection *connection, const char *base) {
    char url[512];
    snprintf(url, sizeof url, "%s/getCaseCount", base);
    sockline_status status = run(connection, url, false);
    int count = atoi(connection->answer);
    for (int number = 1; status == SOCKLINE_OK && number <= count; number++) {
        snprintf(url, sizeof url, "%s/runCase?case=%d&agent=%s", base, number, AGENT);
        status = run(connection, url, true);
    }
    snprintf(url, sizeof url, "%s/updateReports?agent=%s", base, AGENT);
    if (status == SOCKLINE_OK) status = run(connection, url, false);
    if (status == SOCKLINE_OK) printf("ran %d cases\n", count);
    return status;
}

int main(int argc, char **argv) {
    struct connection connection = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: autobahn_client URL\n");
        return 2;
    }
    sockline_status status = sockline_loop_new(NULL, &connection.loop);
    if (status == SOCKLINE_OK) status = run_all(&connection, argv[1]);
    if (status < 0) fprintf(stderr, "autobahn_client: %s\n", sockline_last_error_text());
    sockline_loop_free(connection.loop);
    return status < 0 ? 1 : 0;
}
