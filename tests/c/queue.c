/* Events that are pulled: their order, their bounds, and queues that are freed while connections use them. */

#include "support.h"

#include <pthread.h>

enum { EVENTS = 16, PAYLOAD = 16384 };

/* A doorbell that wakes the thread that pulls. */
struct bell {
    pthread_mutex_t lock;
    pthread_cond_t rung;
    bool is_rung;
    size_t rings;
};

static void ring(void *user_data) {
    struct bell *bell = user_data;
    CHECK(pthread_mutex_lock(&bell->lock) == 0);
    bell->is_rung = true;
    bell->rings++;
    CHECK(pthread_cond_signal(&bell->rung) == 0);
    CHECK(pthread_mutex_unlock(&bell->lock) == 0);
}

/* On the heap, so that a ring after the end of its queue is seen. */
static struct bell *new_bell(void) {
    struct bell *bell = calloc(1, sizeof *bell);
    CHECK(bell && pthread_mutex_init(&bell->lock, NULL) == 0 && pthread_cond_init(&bell->rung, NULL) == 0);
    return bell;
}

static void free_bell(struct bell *bell) {
    CHECK(pthread_cond_destroy(&bell->rung) == 0 && pthread_mutex_destroy(&bell->lock) == 0);
    free(bell);
}

static sockline_queue *new_queue(uint64_t max_events, uint64_t max_bytes, struct bell *bell) {
    sockline_queue *queue = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_queue_new(max_events, max_bytes, bell ? ring : NULL, bell, &queue));
    return queue;
}

/* The next event; the bell says when there is one. */
static const sockline_queued_event *pull(sockline_queue *queue, struct bell *bell) {
    const sockline_queued_event *event = NULL;
    sockline_status status;
    while ((status = sockline_queue_pop(queue, &event)) == SOCKLINE_EMPTY) {
        CHECK(event == NULL);
        CHECK(pthread_mutex_lock(&bell->lock) == 0);
        while (!bell->is_rung) CHECK(pthread_cond_wait(&bell->rung, &bell->lock) == 0);
        bell->is_rung = false;
        CHECK(pthread_mutex_unlock(&bell->lock) == 0);
    }
    CHECK_STATUS(SOCKLINE_OK, status);
    CHECK(event->size == sizeof *event && (event->ws != 0) == (event->kind != SOCKLINE_EVENT_SERVER_CLOSED));
    return event;
}

static const sockline_queued_event *pull_kind(sockline_queue *queue, struct bell *bell, int32_t kind) {
    const sockline_queued_event *event = pull(queue, bell);
    CHECK(event->kind == kind);
    return event;
}

static sockline_server listen_with_queue(sockline_loop *loop, sockline_queue *queue, void *user_data) {
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    options.queue = queue;
    sockline_server server = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &options, NULL, user_data, &server));
    return server;
}

static sockline_ws connect_with_queue(sockline_loop *loop, sockline_server server, sockline_queue *queue,
                                      void *user_data) {
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.queue = queue;
    sockline_ws ws = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(server, "/"), &options, NULL, user_data, &ws));
    return ws;
}

static void check_close(const sockline_queued_event *event, int32_t code, const char *reason) {
    CHECK(event->code == code && event->was_clean == 1);
    CHECK(event->reason.len == strlen(reason) && strcmp(event->reason.data, reason) == 0);
    CHECK(event->data == NULL && event->len == 0 && event->status == 0 && event->text.data == NULL);
}

/* A queue of four events between two threads: it is full and empty again all the time. */
static void events_come_in_order_and_close_is_last(void) {
    enum { MESSAGES = 2000 };
    int served, connected;
    sockline_loop *loop = new_loop();
    struct bell *server_bell = new_bell(), *bell = new_bell();
    sockline_queue *server_queue = new_queue(4, 0, server_bell), *queue = new_queue(0, 0, bell);
    sockline_server server = listen_with_queue(loop, server_queue, &served);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(loop));
    sockline_ws ws = connect_with_queue(loop, server, queue, &connected);

    const sockline_queued_event *event = pull_kind(queue, bell, SOCKLINE_EVENT_OPEN);
    CHECK(event->ws == ws && event->user_data == &connected && event->data == NULL && event->reason.data == NULL);
    for (uint32_t number = 0; number < MESSAGES; number++)
        CHECK(sockline_send(ws, SOCKLINE_BINARY, &number, sizeof number) >= 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_ping(ws, "there?", 6));
    event = pull_kind(server_queue, server_bell, SOCKLINE_EVENT_OPEN);
    sockline_ws peer = event->ws;
    CHECK(peer != ws && event->user_data == &served);
    for (uint32_t number = 0; number < MESSAGES; number++) {
        event = pull_kind(server_queue, server_bell, SOCKLINE_EVENT_MESSAGE);
        CHECK(event->ws == peer && event->type == SOCKLINE_BINARY && event->len == sizeof number);
        CHECK(memcmp(event->data, &number, sizeof number) == 0);
    }
    event = pull_kind(server_queue, server_bell, SOCKLINE_EVENT_PING);
    CHECK(event->len == 6 && memcmp(event->data, "there?", 6) == 0);
    event = pull_kind(queue, bell, SOCKLINE_EVENT_PONG);
    CHECK(event->len == 6 && memcmp(event->data, "there?", 6) == 0);

    CHECK_STATUS(SOCKLINE_OK, send_text(peer, "h\303\251"));
    CHECK_STATUS(SOCKLINE_OK, close_with(peer, 3001, "enough"));
    event = pull_kind(queue, bell, SOCKLINE_EVENT_MESSAGE);
    CHECK(event->type == SOCKLINE_TEXT && event->len == 3 && memcmp(event->data, "h\303\251", 3) == 0);
    check_close(pull_kind(queue, bell, SOCKLINE_EVENT_CLOSE), 3001, "enough");
    check_close(pull_kind(server_queue, server_bell, SOCKLINE_EVENT_CLOSE), 3001, "enough");
    CHECK_STATUS(SOCKLINE_EMPTY, sockline_queue_pop(queue, &event));
    CHECK(event == NULL);
    sockline_loop_free(loop);
    sockline_queue_free(queue);
    sockline_queue_free(server_queue);
    free_bell(bell);
    free_bell(server_bell);
}

static void a_failed_attempt_gives_an_error_and_a_close(void) {
    sockline_loop *loop = new_loop();
    struct bell *bell = new_bell();
    sockline_queue *queue = new_queue(0, 0, bell);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(loop));
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    options.path = sockline_str("/elsewhere");
    sockline_server server = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &options, NULL, NULL, &server));
    sockline_ws ws = connect_with_queue(loop, server, queue, NULL);
    const sockline_queued_event *event = pull_kind(queue, bell, SOCKLINE_EVENT_ERROR);
    CHECK(event->ws == ws && event->status == SOCKLINE_ERR_REFUSED && event->http_status == 404);
    CHECK(strstr(event->text.data, "404") != NULL && strlen(event->text.data) == event->text.len);
    event = pull_kind(queue, bell, SOCKLINE_EVENT_CLOSE);
    CHECK(event->code == 1006 && event->was_clean == 0 && event->reason.len == 0 && *event->reason.data == '\0');
    sockline_loop_free(loop);
    sockline_queue_free(queue);
    free_bell(bell);
}

/* Sends numbered messages until nobody takes them any more; returns how many were accepted. */
static uint32_t flood(sockline_loop *loop, sockline_ws ws) {
    static char payload[PAYLOAD];
    for (uint32_t sent = 0;; sent++) {
        CHECK(sent < 100000); /* the peer would have felt it long before */
        memcpy(payload, &sent, sizeof sent);
        sockline_status status = sockline_send(ws, SOCKLINE_BINARY, payload, sizeof payload);
        if (status == SOCKLINE_ERR_OUTBOX_FULL) return sent;
        CHECK(status >= 0);
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, 0));
    }
}

/* Pulls what waits, which are messages from this number on; returns how many there were. */
static uint32_t pull_all(sockline_queue *queue, uint32_t next) {
    const sockline_queued_event *event = NULL;
    uint32_t count = 0;
    for (; sockline_queue_pop(queue, &event) == SOCKLINE_OK; count++, next++) {
        CHECK(event->kind == SOCKLINE_EVENT_MESSAGE && event->len == PAYLOAD);
        CHECK(memcmp(event->data, &next, sizeof next) == 0);
    }
    return count;
}

/* The loop is turned here, so that what waits between two turns can be counted. */
static void flood_a_queue(uint64_t max_events, uint64_t max_bytes, uint32_t messages) {
    sockline_loop *loop = new_loop();
    struct bell *bell = new_bell();
    sockline_queue *queue = new_queue(max_events, max_bytes, bell);
    struct record record = {0};
    sockline_handlers handlers = recording();
    sockline_ws ws = connect_to(loop, listen_with_queue(loop, queue, NULL), &handlers, &record);
    UNTIL(loop, has(&record, 'o') && bell->is_rung);
    pull_kind(queue, bell, SOCKLINE_EVENT_OPEN);

    uint32_t sent = flood(loop, ws);
    CHECK(bell->rings == 2); /* one for the opening, one for all of the flood */
    uint32_t pulled = pull_all(queue, 0);
    CHECK(pulled == messages && pulled < sent);
    while (pulled < sent) {
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, -1));
        uint32_t count = pull_all(queue, pulled);
        CHECK(count <= messages);
        pulled += count;
    }
    CHECK_STATUS(SOCKLINE_OK, close_with(ws, 1000, "done"));
    UNTIL(loop, has(&record, 'c'));
    check_close(pull_kind(queue, bell, SOCKLINE_EVENT_CLOSE), 1000, "done");
    sockline_loop_free(loop);
    sockline_queue_free(queue);
    free_bell(bell);
}

static void a_flood_fills_the_queue_and_no_more(void) {
    flood_a_queue(EVENTS, 0, EVENTS);
}

static void bytes_are_bounded_too(void) {
    flood_a_queue(0, 3 * PAYLOAD - 1, 3);
}

/* The server's queue holds one event, which nobody pulls: its end has to let the connection read on. */
static void a_queue_may_be_freed_before_its_connections(void) {
    sockline_loop *loop = new_loop();
    struct bell *server_bell = new_bell(), *bell = new_bell();
    sockline_queue *server_queue = new_queue(1, 0, server_bell), *queue = new_queue(0, 0, bell);
    sockline_server server = listen_with_queue(loop, server_queue, NULL);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(loop));
    sockline_ws ws = connect_with_queue(loop, server, queue, NULL);
    pull_kind(queue, bell, SOCKLINE_EVENT_OPEN);
    sockline_queue_free(server_queue);
    free_bell(server_bell);

    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "nobody hears this"));
    CHECK_STATUS(SOCKLINE_OK, sockline_ping(ws, NULL, 0));
    pull_kind(queue, bell, SOCKLINE_EVENT_PONG);
    sockline_queue_free(queue);
    free_bell(bell);
    CHECK_STATUS(SOCKLINE_OK, sockline_broadcast(server, SOCKLINE_TEXT, "nor this", 8));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_shutdown(loop, 60000)); /* joins: the doorbells had their chance */
    CHECK(sockline_ready_state(ws) == SOCKLINE_CLOSED);
    sockline_loop_free(loop);
}

static void free_queue(void *user_data) {
    sockline_queue **queue = user_data;
    const sockline_queued_event *event = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_queue_pop(*queue, &event));
    CHECK(event->kind == SOCKLINE_EVENT_OPEN);
    sockline_queue_free(*queue);
    *queue = NULL;
}

static void a_doorbell_may_pull_and_free(void) {
    sockline_loop *loop = new_loop();
    struct record record = {0};
    sockline_handlers serving = recording();
    sockline_queue *queue = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_queue_new(0, 0, free_queue, &queue, &queue));
    sockline_ws ws = connect_with_queue(loop, listen_here(loop, &serving, &record), queue, NULL);
    UNTIL(loop, queue == NULL);
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "still here"));
    CHECK_STATUS(SOCKLINE_OK, sockline_close(ws, 1000, NULL, 0));
    UNTIL(loop, has(&record, 'c'));
    sockline_loop_free(loop);
    CHECK(strcmp(record.events, "omc") == 0 && record.was_clean == 1);
}

static void wrong_arguments_are_a_status(void) {
    sockline_loop *loop = new_loop();
    sockline_queue *queue = new_queue(SOCKLINE_UNLIMITED, SOCKLINE_UNLIMITED, NULL);
    const sockline_queued_event *event = NULL;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_queue_new(0, 0, NULL, NULL, NULL));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_queue_pop(NULL, &event));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_queue_pop(queue, NULL));
    CHECK_STATUS(SOCKLINE_EMPTY, sockline_queue_pop(queue, &event));
    CHECK(SOCKLINE_EMPTY == 3 && strcmp(sockline_status_name(SOCKLINE_EMPTY), "SOCKLINE_EMPTY") == 0);

    sockline_handlers handlers = recording();
    sockline_server_options serving = SOCKLINE_SERVER_OPTIONS_INIT;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    sockline_server server = 77;
    sockline_ws ws = 77;
    serving.queue = options.queue = queue;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_listen(loop, &serving, &handlers, NULL, &server));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(loop, "ws://[::1]/", &options, &handlers, NULL, &ws));
    CHECK(server == 0 && ws == 0 && strstr(sockline_last_error_text(), "queue") != NULL);
    sockline_loop_free(loop);
    sockline_queue_free(queue);
    sockline_queue_free(NULL);
}

/* A server on several threads is pulled whole by one: who asks, what comes, and that it has closed. */
static void upgrades_are_answered_by_who_pulls(void) {
    sockline_loop *loop = new_loop();
    struct bell *server_bell = new_bell(), *bell = new_bell();
    sockline_queue *server_queue = new_queue(0, 0, server_bell), *queue = new_queue(0, 0, bell);
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    options.threads = 3;
    options.queue = server_queue;
    options.queue_upgrades = 1;
    sockline_server server = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &options, NULL, NULL, &server));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(loop));
    for (int number = 0; number < 12; number++) {
        sockline_ws ws = connect_with_queue(loop, server, queue, NULL);
        const sockline_queued_event *event = pull_kind(server_queue, server_bell, SOCKLINE_EVENT_UPGRADE);
        CHECK(event->server == server && event->request->server == server);
        CHECK(event->request->path.len == 1 && event->request->path.data[0] == '/');
        CHECK(sockline_request_header(event->request, sockline_str("upgrade")).len == 9);
        sockline_ws peer = event->ws;
        if (number % 3 == 2) {
            CHECK_STATUS(SOCKLINE_OK, sockline_refuse(peer, NULL));
            event = pull_kind(queue, bell, SOCKLINE_EVENT_ERROR);
            CHECK(event->status == SOCKLINE_ERR_REFUSED && event->http_status == 403);
            CHECK(event->error->status == SOCKLINE_ERR_REFUSED && event->error->response_header_count > 0);
            CHECK(event->text.data == event->error->text.data);
            pull_kind(queue, bell, SOCKLINE_EVENT_CLOSE);
            continue;
        }
        CHECK_STATUS(SOCKLINE_OK, sockline_accept(peer, NULL));
        CHECK(pull_kind(server_queue, server_bell, SOCKLINE_EVENT_OPEN)->ws == peer);
        pull_kind(queue, bell, SOCKLINE_EVENT_OPEN);
        CHECK_STATUS(SOCKLINE_OK, close_with(ws, 1000, ""));
        pull_kind(server_queue, server_bell, SOCKLINE_EVENT_CLOSE);
        pull_kind(queue, bell, SOCKLINE_EVENT_CLOSE);
    }
    CHECK_STATUS(SOCKLINE_OK, sockline_server_close(server, 1001, NULL, 0));
    CHECK(pull_kind(server_queue, server_bell, SOCKLINE_EVENT_SERVER_CLOSED)->server == server);
    sockline_loop_free(loop);
    sockline_queue_free(server_queue);
    sockline_queue_free(queue);
    free_bell(server_bell);
    free_bell(bell);
}

static void a_client_that_comes_back_is_pulled_too(void) {
    sockline_loop *loop = new_loop();
    struct bell *server_bell = new_bell(), *bell = new_bell();
    sockline_queue *server_queue = new_queue(0, 0, server_bell), *queue = new_queue(0, 0, bell);
    sockline_server server = listen_with_queue(loop, server_queue, NULL);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(loop));
    sockline_reconnect reconnect = SOCKLINE_RECONNECT_INIT;
    reconnect.base_delay_ms = 1;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.queue = queue;
    options.reconnect = &reconnect;
    sockline_ws ws = 0;
    int token;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(server, "/"), &options, NULL, NULL, &ws));
    pull_kind(queue, bell, SOCKLINE_EVENT_OPEN);
    CHECK_STATUS(SOCKLINE_OK,
                 sockline_terminate(pull_kind(server_queue, server_bell, SOCKLINE_EVENT_OPEN)->ws));
    const sockline_queued_event *event = pull_kind(queue, bell, SOCKLINE_EVENT_RECONNECTING);
    CHECK(event->ws == ws && event->reconnecting->attempt == 1 && event->reconnecting->code == 1006);
    pull_kind(queue, bell, SOCKLINE_EVENT_RECONNECTED);
    sockline_send_options send = SOCKLINE_SEND_OPTIONS_INIT;
    send.wants_result = 1;
    send.token = &token;
    CHECK_STATUS(SOCKLINE_OK, sockline_send_with(ws, SOCKLINE_TEXT, "x", 1, &send));
    event = pull_kind(queue, bell, SOCKLINE_EVENT_SENT);
    CHECK(event->token == &token && event->outcome == SOCKLINE_SENT_TAKEN);
    sockline_loop_free(loop);
    sockline_queue_free(server_queue);
    sockline_queue_free(queue);
    free_bell(server_bell);
    free_bell(bell);
}

int main(void) {
    RUN(events_come_in_order_and_close_is_last);
    RUN(a_failed_attempt_gives_an_error_and_a_close);
    RUN(a_flood_fills_the_queue_and_no_more);
    RUN(bytes_are_bounded_too);
    RUN(a_queue_may_be_freed_before_its_connections);
    RUN(a_doorbell_may_pull_and_free);
    RUN(upgrades_are_answered_by_who_pulls);
    RUN(a_client_that_comes_back_is_pulled_too);
    RUN(wrong_arguments_are_a_status);
    return 0;
}
