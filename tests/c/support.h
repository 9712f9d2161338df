/* What the tests have in common: checks, a record of events, and turning a loop until something has happened.
 *
 * Nothing sleeps: a test waits for its event, and the alarm ends a test whose event never comes. */

#ifndef SUPPORT_H
#define SUPPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sockline.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) failed(__FILE__, __LINE__, #condition);                                  \
    } while (0)

#define CHECK_STATUS(wanted, call) check_status(wanted, call, __FILE__, __LINE__, #call)

/* Turns the loop on this thread until the condition holds. */
#define UNTIL(loop, condition)                                                                     \
    do {                                                                                           \
        while (!(condition)) CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, -1));              \
    } while (0)

#define RUN(test)                                                                                  \
    do {                                                                                           \
        alarm(120);                                                                                \
        test();                                                                                    \
        printf("ok %s\n", #test);                                                                  \
        fflush(stdout);                                                                            \
    } while (0)

static inline void failed(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: %s\n  last error: %s\n", file, line, what, sockline_last_error_text());
    exit(1);
}

static inline void check_status(int32_t wanted, int32_t got, const char *file, int line, const char *call) {
    if (wanted == got) return;
    fprintf(stderr, "%s:%d: %s\n  is %s, not %s: %s\n", file, line, call, sockline_status_name(got),
            sockline_status_name(wanted), sockline_last_error_text());
    exit(1);
}

/* What happened to one connection: a letter for each event, in order, and the last values. */
struct record {
    char events[64];
    size_t count;
    sockline_ws ws;
    size_t messages, bytes;
    int32_t type;
    char data[256];
    size_t len;
    int32_t close_code, was_clean, state_at_close;
    char reason[128];
    int32_t error, http_status;
    char error_text[256];
};

static inline void note(struct record *record, char event) {
    CHECK(record->count + 1 < sizeof record->events);
    record->events[record->count++] = event;
}

static inline bool has(const struct record *record, char event) {
    return strchr(record->events, event) != NULL;
}

static inline void note_data(struct record *record, const void *data, size_t len) {
    record->len = len;
    memcpy(record->data, data, len < sizeof record->data ? len : sizeof record->data);
}

static inline void record_open(sockline_ws ws, void *user_data) {
    struct record *record = user_data;
    record->ws = ws;
    note(record, 'o');
}

static inline void record_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    struct record *record = user_data;
    (void)ws;
    record->messages++;
    record->bytes += len;
    record->type = type;
    note_data(record, data, len);
    note(record, 'm');
}

static inline void record_ping(sockline_ws ws, const void *data, size_t len, void *user_data) {
    (void)ws;
    note_data(user_data, data, len);
    note(user_data, 'i');
}

static inline void record_pong(sockline_ws ws, const void *data, size_t len, void *user_data) {
    (void)ws;
    note_data(user_data, data, len);
    note(user_data, 'p');
}

static inline void record_drain(sockline_ws ws, void *user_data) {
    (void)ws;
    note(user_data, 'd');
}

static inline void record_error(sockline_ws ws, const sockline_error_event *event, void *user_data) {
    struct record *record = user_data;
    (void)ws;
    CHECK(event->size == sizeof *event);
    CHECK(event->status < 0);
    CHECK(event->text.data[event->text.len] == '\0');
    record->error = event->status;
    record->http_status = event->http_status;
    snprintf(record->error_text, sizeof record->error_text, "%s", event->text.data);
    note(record, 'e');
}

static inline void record_reconnecting(sockline_ws ws, const sockline_reconnecting_event *event, void *user_data) {
    (void)ws;
    CHECK(event->size == sizeof *event && event->attempt > 0);
    note(user_data, 'r');
}

static inline void record_reconnected(sockline_ws ws, void *user_data) {
    (void)ws;
    note(user_data, 'R');
}

static inline void record_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    struct record *record = user_data;
    CHECK(event->size == sizeof *event);
    record->state_at_close = sockline_ready_state(ws);
    record->close_code = event->code;
    record->was_clean = event->was_clean;
    snprintf(record->reason, sizeof record->reason, "%s", event->reason.data);
    note(record, 'c');
}

static inline sockline_handlers recording(void) {
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = record_open;
    handlers.on_message = record_message;
    handlers.on_ping = record_ping;
    handlers.on_pong = record_pong;
    handlers.on_drain = record_drain;
    handlers.on_error = record_error;
    handlers.on_close = record_close;
    handlers.on_reconnecting = record_reconnecting;
    handlers.on_reconnected = record_reconnected;
    return handlers;
}

static inline void echo(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    if (user_data) record_message(ws, type, data, len, user_data);
    CHECK_STATUS(SOCKLINE_OK, sockline_send(ws, type, data, len));
}

static inline sockline_loop *new_loop(void) {
    sockline_loop *loop = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_new(NULL, &loop));
    return loop;
}

/* Listens on a free port of the loopback address. */
static inline sockline_server listen_here(sockline_loop *loop, const sockline_handlers *handlers, void *user_data) {
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    sockline_server server = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &options, handlers, user_data, &server));
    CHECK(sockline_server_port(server) != 0);
    return server;
}

static inline const char *url_of(sockline_server server, const char *target) {
    static _Thread_local char url[128];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u%s", (unsigned)sockline_server_port(server), target);
    return url;
}

static inline sockline_ws connect_to(sockline_loop *loop, sockline_server server, const sockline_handlers *handlers,
                                     void *user_data) {
    sockline_ws ws = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(server, "/"), NULL, handlers, user_data, &ws));
    CHECK(ws != 0 && ws < (UINT64_C(1) << 53));
    return ws;
}

static inline sockline_status send_text(sockline_ws ws, const char *text) {
    return sockline_send(ws, SOCKLINE_TEXT, text, strlen(text));
}

static inline sockline_status close_with(sockline_ws ws, int32_t code, const char *reason) {
    return sockline_close(ws, code, reason, strlen(reason));
}

#endif
