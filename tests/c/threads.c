/* Calls from other threads: nothing is lost, order is kept for each thread, a close comes once.
 * threads COUNT: so many messages from each of 8 threads; 100,000 if not given. */

#include "support.h"

#include <pthread.h>

enum { THREADS = 8 };

static uint32_t count = 100000;

struct numbered {
    uint32_t thread, number;
};

struct receiver {
    uint32_t next[THREADS];
    uint64_t total;
    bool closed;
};

struct sender {
    pthread_t thread;
    sockline_ws ws;
    uint32_t index;
};

static void take_in_order(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    struct receiver *receiver = user_data;
    struct numbered message;
    (void)ws;
    CHECK(type == SOCKLINE_BINARY && len == sizeof message);
    memcpy(&message, data, sizeof message);
    CHECK(message.thread < THREADS);
    CHECK(message.number == receiver->next[message.thread]);
    receiver->next[message.thread]++;
    receiver->total++;
}

static void note_closed(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    struct receiver *receiver = user_data;
    (void)ws, (void)event;
    CHECK(!receiver->closed);
    receiver->closed = true;
}

static void *send_all(void *given) {
    const struct sender *sender = given;
    for (uint32_t number = 0; number < count; number++) {
        struct numbered message = {sender->index, number};
        CHECK(sockline_send(sender->ws, SOCKLINE_BINARY, &message, sizeof message) >= 0);
    }
    return NULL;
}

static void *close_now(void *given) {
    const struct sender *sender = given;
    sockline_status status = sender->index % 2 ? sockline_close(sender->ws, 1000, NULL, 0) : sockline_terminate(sender->ws);
    CHECK(status == SOCKLINE_OK || status == SOCKLINE_ERR_CLOSED);
    return NULL;
}

static void with_threads(sockline_ws ws, void *(*body)(void *)) {
    struct sender senders[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.ws = ws, .index = i};
        CHECK(pthread_create(&senders[i].thread, NULL, body, &senders[i]) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) CHECK(pthread_join(senders[i].thread, NULL) == 0);
}

/* A client that is open, on a loop of the library's own thread. */
static sockline_ws open_on(sockline_loop *loop, sockline_server server, const sockline_handlers *handlers, void *user_data) {
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.hard_limit = SOCKLINE_UNLIMITED;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &settings;
    sockline_ws ws = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(server, "/"), &options, handlers, user_data, &ws));
    return ws;
}

static void nothing_is_lost_and_order_is_kept(void) {
    sockline_loop *serving_loop = new_loop(), *loop = new_loop();
    struct receiver receiver = {0};
    sockline_handlers serving = SOCKLINE_HANDLERS_INIT;
    serving.on_message = take_in_order;
    serving.on_close = note_closed;
    sockline_server server = listen_here(serving_loop, &serving, &receiver);
    struct record record = {0};
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = record_open;
    sockline_ws ws = open_on(loop, server, &handlers, &record);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(serving_loop));
    UNTIL(loop, has(&record, 'o'));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(loop));

    with_threads(ws, send_all);
    CHECK_STATUS(SOCKLINE_OK, sockline_close(ws, 1000, NULL, 0)); /* after all that was sent before */
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_shutdown(loop, 60000));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_shutdown(serving_loop, 60000));
    sockline_loop_free(loop);
    sockline_loop_free(serving_loop);
    CHECK(receiver.closed && receiver.total == (uint64_t)THREADS * count);
}

static void many_closes_give_one_on_close(void) {
    sockline_loop *loop = new_loop();
    sockline_server server = listen_here(loop, NULL, NULL);
    struct record record = {0};
    sockline_handlers handlers = recording();
    sockline_ws ws = open_on(loop, server, &handlers, &record);
    UNTIL(loop, has(&record, 'o'));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(loop));
    with_threads(ws, close_now);
    sockline_loop_free(loop); /* joins */
    CHECK(strcmp(record.events, "oc") == 0);
}

static void *connect_and_leave(void *given) {
    struct sender *sender = given;
    struct record record = {0};
    sockline_loop *loop = new_loop();
    sockline_handlers handlers = recording();
    sockline_ws ws = connect_to(loop, sender->ws, &handlers, &record); /* ws: the server's number */
    UNTIL(loop, has(&record, 'o'));
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "hello"));
    UNTIL(loop, has(&record, 'm'));
    CHECK_STATUS(SOCKLINE_OK, sockline_close(ws, 1000, NULL, 0));
    UNTIL(loop, has(&record, 'c'));
    CHECK(record.was_clean == 1);
    sockline_loop_free(loop);
    return NULL;
}

static void a_server_of_several_threads_serves_several_loops(void) {
    sockline_loop *loop = new_loop();
    sockline_handlers serving = SOCKLINE_HANDLERS_INIT;
    serving.on_message = echo;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    options.threads = 3;
    sockline_server server = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &options, &serving, NULL, &server));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(loop));
    with_threads(server, connect_and_leave);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_shutdown(loop, 5000));
    sockline_loop_free(loop);
}

static void *stop_loop(void *given) {
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_stop(given));
    return NULL;
}

static void another_thread_stops_a_run(void) {
    sockline_loop *loop = new_loop();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, stop_loop, loop) == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_run(loop));
    CHECK(pthread_join(thread, NULL) == 0);
    sockline_loop_free(loop);
}

int main(int argc, char **argv) {
    if (argc > 1) count = (uint32_t)strtoul(argv[1], NULL, 10);
    RUN(nothing_is_lost_and_order_is_kept);
    RUN(many_closes_give_one_on_close);
    RUN(a_server_of_several_threads_serves_several_loops);
    RUN(another_thread_stops_a_run);
    return 0;
}
