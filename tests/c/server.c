/* What a server does for many connections at once: topics, limits, origins; and what clients hear of a refusal. */

#ifdef __linux__
#define _GNU_SOURCE /* for syscall */
#endif

#include "support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <unistd.h>

/* Three clients of one server; each connection's events are recorded on both sides. */
struct crowd {
    sockline_loop *loop;
    sockline_server server;
    struct record clients[3], serving[3];
    size_t served;
};

static void seat(sockline_ws ws, const sockline_request *request, void *user_data) {
    struct crowd *crowd = user_data;
    (void)request;
    sockline_handlers handlers = recording();
    sockline_accept_options options = SOCKLINE_ACCEPT_OPTIONS_INIT;
    options.handlers = &handlers;
    options.user_data = &crowd->serving[crowd->served++];
    CHECK_STATUS(SOCKLINE_OK, sockline_accept(ws, &options));
}

static void gather_on(sockline_loop *loop, struct crowd *crowd) {
    memset(crowd, 0, sizeof *crowd);
    crowd->loop = loop;
    sockline_handlers server_handlers = SOCKLINE_HANDLERS_INIT, handlers = recording();
    server_handlers.on_upgrade = seat;
    crowd->server = listen_here(crowd->loop, &server_handlers, crowd);
    for (size_t i = 0; i < 3; i++) {
        connect_to(crowd->loop, crowd->server, &handlers, &crowd->clients[i]);
        UNTIL(crowd->loop, has(&crowd->clients[i], 'o') && has(&crowd->serving[i], 'o'));
    }
}

static void gather(struct crowd *crowd) { gather_on(new_loop(), crowd); }

static sockline_status subscribe(const struct record *serving, const char *filter) {
    return sockline_subscribe(serving->ws, filter, strlen(filter));
}

static sockline_status publish(const struct record *serving, const char *topic, const char *text, int32_t include_self) {
    return sockline_publish(serving->ws, topic, strlen(topic), SOCKLINE_TEXT, text, strlen(text), include_self);
}

static void topics_reach_their_subscribers(void) {
    struct crowd crowd;
    gather(&crowd);
    CHECK_STATUS(SOCKLINE_OK, subscribe(&crowd.serving[0], "news/+"));
    CHECK_STATUS(SOCKLINE_OK, subscribe(&crowd.serving[0], "#")); /* and still gets each message once */
    CHECK_STATUS(SOCKLINE_OK, subscribe(&crowd.serving[1], "news/sports"));
    CHECK_STATUS(SOCKLINE_OK, publish(&crowd.serving[1], "news/sports", "goal", -1)); /* not to itself */
    CHECK_STATUS(SOCKLINE_OK, publish(&crowd.serving[1], "news/sports", "again", 0));
    CHECK_STATUS(SOCKLINE_OK,
                 sockline_server_publish(crowd.server, "news/local", 10, SOCKLINE_BINARY, "\x01", 1));
    CHECK_STATUS(SOCKLINE_OK, sockline_unsubscribe(crowd.serving[1].ws, "news/sports", 11));
    CHECK_STATUS(SOCKLINE_OK, publish(&crowd.serving[1], "news/sports", "late", 1));
    CHECK_STATUS(SOCKLINE_OK, sockline_broadcast(crowd.server, SOCKLINE_TEXT, "end", 3));
    for (size_t i = 0; i < 3; i++)
        UNTIL(crowd.loop, crowd.clients[i].len == 3 && memcmp(crowd.clients[i].data, "end", 3) == 0);
    CHECK(crowd.clients[0].messages == 5 && crowd.clients[1].messages == 2 && crowd.clients[2].messages == 1);
    sockline_loop_free(crowd.loop);
}

static void what_is_no_topic_is_refused(void) {
    struct crowd crowd;
    gather(&crowd);
    CHECK_STATUS(SOCKLINE_ERR_TOPIC, subscribe(&crowd.serving[0], "a/#/b"));
    CHECK_STATUS(SOCKLINE_ERR_TOPIC, subscribe(&crowd.serving[0], ""));
    CHECK_STATUS(SOCKLINE_ERR_TOPIC, publish(&crowd.serving[0], "a/+", "x", 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, publish(&crowd.serving[0], "a", "x", 2));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, publish(&crowd.serving[0], "a", "\xff", 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, subscribe(&crowd.clients[0], "a")); /* only a server has topics */
    sockline_loop_free(crowd.loop);
}

static sockline_server listen_with(sockline_loop *loop, sockline_server_options options) {
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    sockline_server server = 0;
    options.host = sockline_str("127.0.0.1");
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &options, &handlers, NULL, &server));
    return server;
}

static sockline_ws connect_from(sockline_loop *loop, sockline_server server, const char *origin, struct record *record) {
    sockline_header header = {sockline_str("Origin"), sockline_str(origin)};
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.headers = &header;
    options.header_count = origin ? 1 : 0;
    sockline_handlers handlers = recording();
    sockline_ws ws = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(server, "/"), &options, &handlers, record, &ws));
    return ws;
}

static void only_the_pages_on_the_list_may_connect(void) {
    sockline_loop *loop = new_loop();
    sockline_string pages[] = {sockline_str("https://example.com"), sockline_str("null")};
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.origins = pages;
    options.origin_count = 2;
    sockline_server server = listen_with(loop, options);
    struct record welcome = {0}, program = {0}, stranger = {0};
    connect_from(loop, server, "https://EXAMPLE.com", &welcome);
    connect_from(loop, server, NULL, &program);
    connect_from(loop, server, "https://example.com.evil.test", &stranger);
    UNTIL(loop, has(&welcome, 'o') && has(&program, 'o') && has(&stranger, 'c'));
    CHECK(stranger.error == SOCKLINE_ERR_REFUSED && stranger.http_status == 403);
    sockline_loop_free(loop);
}

static void one_connection_too_many_is_told_to_wait(void) {
    sockline_loop *loop = new_loop();
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.max_connections = 3;
    options.max_connections_per_address = 1;
    sockline_server server = listen_with(loop, options);
    struct record first = {0}, second = {0};
    connect_from(loop, server, NULL, &first);
    UNTIL(loop, has(&first, 'o'));
    connect_from(loop, server, NULL, &second);
    UNTIL(loop, has(&second, 'c'));
    CHECK(second.error == SOCKLINE_ERR_REFUSED && second.http_status == 503);
    sockline_loop_free(loop);
}

/* What a client is told of a refusal. */
struct told {
    char retry_after[32], body[64];
    bool ended;
};

static void keep(sockline_ws ws, const sockline_error_event *event, void *user_data) {
    struct told *told = user_data;
    (void)ws;
    CHECK(event->http_status == 429 && event->os_error == 0 && event->tls_error == 0);
    for (size_t i = 0; i < event->response_header_count; i++) {
        const sockline_header *header = &event->response_headers[i];
        if (header->name.len == 11 && memcmp(header->name.data, "retry-after", 11) == 0)
            snprintf(told->retry_after, sizeof told->retry_after, "%.*s", (int)header->value.len, header->value.data);
    }
    snprintf(told->body, sizeof told->body, "%.*s", (int)event->response_body.len, (const char *)event->response_body.data);
}

static void ended(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    (void)ws, (void)event;
    ((struct told *)user_data)->ended = true;
}

static void turn_away(sockline_ws ws, const sockline_request *request, void *user_data) {
    (void)request, (void)user_data;
    sockline_header header = {sockline_str("Retry-After"), sockline_str("7")};
    sockline_refusal refusal = SOCKLINE_REFUSAL_INIT;
    refusal.status = 429;
    refusal.headers = &header;
    refusal.header_count = 1;
    refusal.body = "not so fast";
    refusal.body_len = 11;
    CHECK_STATUS(SOCKLINE_OK, sockline_refuse(ws, &refusal));
}

static void a_refusal_is_told_with_headers_and_body(void) {
    sockline_loop *loop = new_loop();
    sockline_handlers refusing = SOCKLINE_HANDLERS_INIT, handlers = SOCKLINE_HANDLERS_INIT;
    refusing.on_upgrade = turn_away;
    handlers.on_error = keep;
    handlers.on_close = ended;
    struct told told = {0};
    connect_to(loop, listen_here(loop, &refusing, NULL), &handlers, &told);
    UNTIL(loop, told.ended);
    CHECK(strcmp(told.retry_after, "7") == 0 && strcmp(told.body, "not so fast") == 0);
    sockline_loop_free(loop);
}

static void welcome(sockline_ws ws, const sockline_request *request, void *user_data) {
    sockline_header header = {sockline_str("X-Served-By"), sockline_str("me")};
    sockline_accept_options options = SOCKLINE_ACCEPT_OPTIONS_INIT;
    (void)user_data;
    sockline_string cookie = sockline_request_header(request, sockline_str("cookie"));
    CHECK(cookie.len == 3 && memcmp(cookie.data, "a=b", 3) == 0);
    options.headers = &header;
    options.header_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_accept(ws, &options));
}

static void cookies_go_along_and_the_answer_can_be_read(void) {
    sockline_loop *loop = new_loop();
    sockline_handlers welcoming = SOCKLINE_HANDLERS_INIT, handlers = recording();
    welcoming.on_upgrade = welcome;
    sockline_server server = listen_here(loop, &welcoming, NULL);
    sockline_header cookie = {sockline_str("a"), sockline_str("b")};
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.cookies = &cookie;
    options.cookie_count = 1;
    struct record record = {0};
    sockline_ws ws = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(server, "/"), &options, &handlers, &record, &ws));
    UNTIL(loop, has(&record, 'o'));
    char value[16];
    CHECK(sockline_response_header(ws, sockline_str("x-served-by"), value, sizeof value) == 2);
    CHECK(strcmp(value, "me") == 0);
    CHECK(sockline_response_header(ws, sockline_str("x-other"), value, sizeof value) == 0 && value[0] == '\0');
    CHECK(sockline_sent_header(ws, sockline_str("cookie"), value, sizeof value) == 0); /* it is not kept */
    sockline_loop_free(loop);
}

static void the_request_can_be_read_as_it_was_sent(void) {
    sockline_loop *loop = new_loop();
    sockline_handlers welcoming = SOCKLINE_HANDLERS_INIT, handlers = recording();
    welcoming.on_upgrade = welcome;
    sockline_server server = listen_here(loop, &welcoming, NULL);
    sockline_header cookie = {sockline_str("a"), sockline_str("b")};
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.cookies = &cookie;
    options.cookie_count = 1;
    options.keep_request = 1;
    struct record record = {0};
    sockline_ws ws = 0;
    const char *url = url_of(server, "/");
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url, &options, &handlers, &record, &ws));
    char key[64], all[512], expected[512];
    CHECK(sockline_sent_headers(ws, all, sizeof all) == 0); /* nothing was sent yet */
    UNTIL(loop, has(&record, 'o'));
    CHECK(sockline_sent_header(ws, sockline_str("sec-websocket-key"), key, sizeof key) == 24);
    int host = (int)(strlen(url) - strlen("ws:///"));
    int length = snprintf(expected, sizeof expected,
                          "Host: %.*s\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: %s\n"
                          "Sec-WebSocket-Version: 13\nCookie: a=b\n",
                          host, url + strlen("ws://"), key);
    CHECK(sockline_sent_headers(ws, all, sizeof all) == (size_t)length);
    CHECK(strcmp(all, expected) == 0);
    CHECK(sockline_sent_header(ws, sockline_str("x-other"), key, sizeof key) == 0 && key[0] == '\0');
    sockline_loop_free(loop);
}

static void what_was_counted_can_be_read(void) {
    struct crowd crowd;
    gather(&crowd);
    CHECK_STATUS(SOCKLINE_OK, send_text(crowd.clients[0].ws, "twelve bytes"));
    UNTIL(crowd.loop, crowd.serving[0].messages == 1);
    sockline_connection_metrics sent = SOCKLINE_CONNECTION_METRICS_INIT, came = SOCKLINE_CONNECTION_METRICS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_ws_metrics(crowd.clients[0].ws, &sent));
    CHECK_STATUS(SOCKLINE_OK, sockline_ws_metrics(crowd.serving[0].ws, &came));
    CHECK(sent.totals.messages_out == 1 && sent.totals.frames_out == 1 && came.totals.messages_in == 1);
    CHECK(sent.totals.bytes_out == came.totals.bytes_in && sent.totals.bytes_in == came.totals.bytes_out);
    CHECK(sent.totals.buffered == 0 && sent.latency_us == -1);

    sockline_server_metrics served = SOCKLINE_SERVER_METRICS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_server_get_metrics(crowd.server, &served));
    CHECK(served.connections == 3 && served.accepted == 3 && served.refused == 0 && served.totals.messages_in == 1);
    sockline_loop_metrics turned = SOCKLINE_LOOP_METRICS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_get_metrics(crowd.loop, &turned));
    CHECK(turned.connections == 6 && turned.turns > 3 && turned.totals.messages_out == 1);
    char text[4096];
    CHECK(sockline_server_metrics_text(crowd.server, text, sizeof text) < sizeof text);
    CHECK(strstr(text, "\nsockline_messages_received_total 1\n") != NULL);

    CHECK_STATUS(SOCKLINE_ERR_WRONG_HANDLE, sockline_ws_metrics(crowd.server, &sent));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_ws_metrics(crowd.clients[0].ws, NULL));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_loop_get_metrics(NULL, &turned));
    sockline_loop_free(crowd.loop);
}

/* Whether the system has what is needed to send to many at once. */
static bool has_io_uring(void) {
#if defined(__linux__) && defined(SYS_io_uring_setup)
    enum { FEATURES = 5, SKIPS_COMPLETIONS = 1 << 11 };
    uint32_t parameters[30] = {0};
    long descriptor = syscall(SYS_io_uring_setup, 1, parameters);
    if (descriptor >= 0) close((int)descriptor);
    return descriptor >= 0 && (parameters[FEATURES] & SKIPS_COMPLETIONS);
#else
    return false;
#endif
}

static void many_are_sent_to_by_one_call(size_t from, uint64_t expected) {
    sockline_loop_options options = SOCKLINE_LOOP_OPTIONS_INIT;
    options.send_batch = from;
    sockline_loop *loop = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_new(&options, &loop));
    struct crowd crowd;
    gather_on(loop, &crowd);
    sockline_loop_metrics before = SOCKLINE_LOOP_METRICS_INIT, turned = SOCKLINE_LOOP_METRICS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_get_metrics(loop, &before));
    CHECK_STATUS(SOCKLINE_OK, sockline_broadcast(crowd.server, SOCKLINE_TEXT, "to all", 6));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_flush(loop));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_get_metrics(loop, &turned));
    CHECK(turned.batched_sends - before.batched_sends == expected);
    CHECK(turned.batches - before.batches == (expected ? 1 : 0));
    CHECK(turned.totals.bytes_out - before.totals.bytes_out == 3 * 8);
    for (size_t i = 0; i < 3; i++)
        UNTIL(loop, crowd.clients[i].len == 6 && memcmp(crowd.clients[i].data, "to all", 6) == 0);
    sockline_server_metrics served = SOCKLINE_SERVER_METRICS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_server_get_metrics(crowd.server, &served));
    CHECK(served.batched_sends == turned.batched_sends);
    sockline_loop_free(loop);
}

static void a_broadcast_leaves_by_one_call_or_by_many(void) {
    many_are_sent_to_by_one_call(3, has_io_uring() ? 3 : 0);
    many_are_sent_to_by_one_call(4, 0);
    many_are_sent_to_by_one_call(SIZE_MAX, 0);
}

static void the_memory_of_the_process_is_limited(void) {
    struct crowd crowd;
    gather(&crowd);
    static char big[1 << 20];
    CHECK_STATUS(SOCKLINE_OK, sockline_pause(crowd.clients[0].ws));
    sockline_set_memory_budget(1 << 20);
    int count = 0;
    sockline_status status;
    while ((status = sockline_send(crowd.serving[0].ws, SOCKLINE_BINARY, big, sizeof big)) >= 0) {
        CHECK(++count < 100);
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(crowd.loop, 0));
    }
    CHECK_STATUS(SOCKLINE_ERR_MEMORY_BUDGET, status);
    CHECK(sockline_memory_in_use() > 1 << 20);
    CHECK_STATUS(SOCKLINE_ERR_MEMORY_BUDGET, send_text(crowd.serving[1].ws, "the others feel it, too"));
    CHECK_STATUS(SOCKLINE_OK, sockline_ping(crowd.serving[1].ws, NULL, 0)); /* control frames are exempt */
    sockline_set_memory_budget(0);
    CHECK(send_text(crowd.serving[1].ws, "no limit") >= 0);
    sockline_loop_free(crowd.loop);
    CHECK(sockline_memory_in_use() == 0);
}

static void a_server_drains(void) {
    struct crowd crowd;
    gather(&crowd);
    CHECK_STATUS(SOCKLINE_OK, send_text(crowd.serving[1].ws, "before the end"));
    CHECK_STATUS(SOCKLINE_OK, sockline_server_drain(crowd.server, 2000));
    for (size_t i = 0; i < 3; i++) {
        UNTIL(crowd.loop, has(&crowd.clients[i], 'c'));
        CHECK(crowd.clients[i].close_code == 1001 && crowd.clients[i].was_clean);
    }
    CHECK(strcmp(crowd.clients[1].events, "omc") == 0);
    sockline_loop_free(crowd.loop);
}

/* A socket as a service gets it from systemd. */
static int bound_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {0};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static void a_server_listens_on_a_descriptor(void) {
    sockline_loop *loop = new_loop();
    char host[16];
    int fd = bound_socket();
    snprintf(host, sizeof host, "fd:%d", fd);
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    sockline_server server = 0;
    options.host = sockline_str(host);
    options.port = 1; /* it has one already */
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_listen(loop, &options, &handlers, NULL, &server));
    CHECK(fcntl(fd, F_GETFD) >= 0);
    options.port = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &options, &handlers, NULL, &server));
    struct record client = {0};
    connect_from(loop, server, NULL, &client);
    UNTIL(loop, has(&client, 'o'));
    CHECK_STATUS(SOCKLINE_OK, sockline_server_close(server, 1001, NULL, 0));
    UNTIL(loop, has(&client, 'c'));
    CHECK(fcntl(fd, F_GETFD) < 0); /* it was taken over */
    for (size_t i = 0; i < 3; i++) {
        static const char *const wrong[] = {"fd:", "fd:-1", "fd:4000"};
        options.host = sockline_str(wrong[i]);
        CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_listen(loop, &options, &handlers, NULL, &server));
    }
    sockline_loop_free(loop);
}

static void two_servers_share_a_port(void) {
    sockline_loop *loop = new_loop();
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.reuse_port = 1;
    sockline_server server = listen_with(loop, options);
    options.port = sockline_server_port(server);
    CHECK(sockline_server_port(listen_with(loop, options)) == options.port);
    options.reuse_port = 0;
    options.host = sockline_str("127.0.0.1");
    CHECK_STATUS(SOCKLINE_ERR_LISTEN_FAILED, sockline_listen(loop, &options, NULL, NULL, NULL));
    options.reuse_port = 2;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_listen(loop, &options, NULL, NULL, NULL));
    sockline_loop_free(loop);
}

int main(void) {
    RUN(a_server_listens_on_a_descriptor);
    RUN(two_servers_share_a_port);
    RUN(topics_reach_their_subscribers);
    RUN(what_is_no_topic_is_refused);
    RUN(only_the_pages_on_the_list_may_connect);
    RUN(one_connection_too_many_is_told_to_wait);
    RUN(a_refusal_is_told_with_headers_and_body);
    RUN(cookies_go_along_and_the_answer_can_be_read);
    RUN(the_request_can_be_read_as_it_was_sent);
    RUN(what_was_counted_can_be_read);
    RUN(a_broadcast_leaves_by_one_call_or_by_many);
    RUN(the_memory_of_the_process_is_limited);
    RUN(a_server_drains);
    return 0;
}
