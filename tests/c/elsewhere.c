/* Requests that another HTTP server has read, which is this test: their answers, WebSockets whose sockets are handed over behind a 101,
 * connections that are given away before it, and who goes meanwhile. */

#define _DEFAULT_SOURCE /* socketpair's flags */

#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

struct scene {
    sockline_loop *loop;
    sockline_server server;
    sockline_exchange owed, cut; /* of the route */
    struct record record;        /* of the WebSocket */
};

/* What was told of one answer. */
struct told {
    sockline_exchange exchange;
    int calls, status;
    char headers[512], body[64];
    pthread_t thread;
};

#define STR(string) (int)(string).len, (string).data

static void answered(sockline_exchange exchange, const sockline_http_answer *answer, void *user_data) {
    struct told *told = user_data;
    told->calls++;
    told->exchange = exchange;
    told->thread = pthread_self();
    told->status = answer ? answer->status : -1;
    if (!answer) return;
    CHECK(answer->size == sizeof *answer);
    snprintf(told->body, sizeof told->body, "%.*s", (int)answer->body.len, (const char *)answer->body.data);
    for (size_t i = 0, used = 0; i < answer->header_count; i++)
        used += (size_t)snprintf(told->headers + used, sizeof told->headers - used, "%.*s: %.*s\n",
                                 STR(answer->headers[i].name), STR(answer->headers[i].value));
}

static void answer_or_owe(sockline_exchange exchange, const sockline_http_request *request, void *user_data) {
    struct scene *scene = user_data;
    char body[128];
    scene->owed = exchange;
    if (request->query.data) return;
    CHECK(request->is_secure == 1);
    int len = snprintf(body, sizeof body, "%.*s %.*s %.*s", STR(request->method), STR(request->remote_address),
                       (int)request->body.len, (const char *)request->body.data);
    sockline_header type = {sockline_str("Content-Type"), sockline_str("text/plain")};
    CHECK_STATUS(SOCKLINE_OK, sockline_respond(exchange, 201, &type, 1, body, (size_t)len));
}

static void cut(sockline_exchange exchange, void *user_data) { ((struct scene *)user_data)->cut = exchange; }

static void open_scene(struct scene *scene) {
    memset(scene, 0, sizeof *scene);
    scene->loop = new_loop();
    sockline_route route = SOCKLINE_ROUTE_INIT;
    route.path = sockline_str("/route");
    route.on_request = answer_or_owe;
    route.on_cut = cut;
    route.user_data = scene;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.nowhere = 1;
    options.path = sockline_str("/ws");
    options.routes = &route;
    options.route_count = 1;
    options.handshake_timeout_ms = 60000;
    sockline_handlers handlers = recording();
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(scene->loop, &options, &handlers, &scene->record, &scene->server));
    CHECK(sockline_server_port(scene->server) == 0);
}

static sockline_http_request request_of(const char *method, const char *path) {
    sockline_http_request request = SOCKLINE_HTTP_REQUEST_INIT;
    request.method = sockline_str(method);
    request.path = sockline_str(path);
    return request;
}

static sockline_http_request upgrade_of(const char *path) {
    static sockline_header headers[6];
    static const char *const lines[][2] = {{"Host", "x"}, {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Version", "13"},
                                           {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, {"not a name", "is left out"}};
    sockline_http_request request = request_of("GET", path);
    for (size_t i = 0; i < 6; i++) headers[i] = (sockline_header){sockline_str(lines[i][0]), sockline_str(lines[i][1])};
    request.headers = headers;
    request.header_count = 6;
    return request;
}

static sockline_exchange give(struct scene *scene, const sockline_http_request *request, struct told *told) {
    sockline_exchange exchange = 0;
    memset(told, 0, sizeof *told);
    CHECK_STATUS(SOCKLINE_OK, sockline_server_handle_request(scene->server, request, answered, told, &exchange));
    CHECK(exchange != 0 && told->calls == 0);
    return exchange;
}

/* A connection, as the other server and its client have it. */
static void connection(int ends[2]) { CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); }

/* Reads until the text ends so; returns its length. */
static size_t read_until(struct scene *scene, int fd, char *text, size_t size, const char *end, size_t end_len) {
    size_t len = 0;
    while (len < end_len || memcmp(text + len - end_len, end, end_len) != 0) {
        ssize_t got = recv(fd, text + len, size - 1 - len, MSG_DONTWAIT);
        if (got > 0) len += (size_t)got;
        text[len] = 0;
        if (got <= 0) CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(scene->loop, 10));
    }
    return len;
}

static bool is_closed(int fd) { return fcntl(fd, F_GETFD) < 0; }

/* "hello" as a client sends it, masked with zeroes. */
static const char hello[] = "\x81\x85\0\0\0\0hello";
enum { HELLO = sizeof hello - 1 };

static void requests_are_answered(void) {
    struct scene scene;
    struct told told;
    open_scene(&scene);
    sockline_http_request request = request_of("POST", "/route");
    request.remote_address = sockline_str("192.0.2.7:4711");
    request.body = (sockline_bytes){"the body", 8};
    request.is_secure = 1;
    sockline_exchange exchange = give(&scene, &request, &told);
    UNTIL(scene.loop, told.calls > 0);
    CHECK(told.exchange == exchange && told.status == 201 && strcmp(told.body, "POST 192.0.2.7:4711 the body") == 0);
    CHECK(strcmp(told.headers, "Content-Type: text/plain\n") == 0);
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_cut(exchange));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_upgraded(exchange, dup(1), NULL, 0));

    request = request_of("GET", "/nothing?x=1");
    give(&scene, &request, &told);
    UNTIL(scene.loop, told.calls > 0);
    CHECK(told.status == 404);
    request = request_of("GET", "/ws");
    give(&scene, &request, &told);
    UNTIL(scene.loop, told.calls > 0);
    CHECK(told.status == 426 && strstr(told.headers, "Upgrade: websocket\n"));
    sockline_loop_free(scene.loop);
}

static void a_websocket_is_handed_over(void) {
    struct scene scene;
    struct told told;
    int ends[2];
    char text[256];
    open_scene(&scene);
    sockline_http_request request = upgrade_of("/ws");
    sockline_exchange exchange = give(&scene, &request, &told);
    UNTIL(scene.loop, told.calls > 0);
    CHECK(told.status == 101 && strstr(told.headers, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n"));
    CHECK(scene.record.count == 0);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_upgraded(exchange, -1, NULL, 0));
    int null = open("/dev/null", O_RDONLY);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_upgraded(exchange, null, NULL, 0));
    CHECK(is_closed(null));

    connection(ends); /* half of a message was read by the other server */
    CHECK(send(ends[0], hello + 4, HELLO - 4, 0) == HELLO - 4);
    CHECK_STATUS(SOCKLINE_OK, sockline_upgraded(exchange, ends[1], hello, 4));
    UNTIL(scene.loop, has(&scene.record, 'm'));
    CHECK(strncmp(scene.record.data, "hello", 5) == 0 && strcmp(scene.record.events, "om") == 0);
    CHECK_STATUS(SOCKLINE_OK, send_text(scene.record.ws, "back"));
    CHECK(read_until(&scene, ends[0], text, sizeof text, "\x81\x04" "back", 6) == 6); /* and no head before it */
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_upgraded(exchange, ends[0], NULL, 0));
    UNTIL(scene.loop, has(&scene.record, 'c')); /* for that has closed the client's end */
    CHECK(told.calls == 1);
    sockline_loop_free(scene.loop);
}

static void a_connection_is_adopted_before_its_answer(void) {
    struct scene scene;
    int ends[2];
    char text[1024];
    open_scene(&scene);
    sockline_http_request request = upgrade_of("/ws");
    connection(ends);
    CHECK_STATUS(SOCKLINE_OK, sockline_server_adopt(scene.server, ends[1], &request, hello, HELLO));
    read_until(&scene, ends[0], text, sizeof text, "\r\n\r\n", 4);
    CHECK(strncmp(text, "HTTP/1.1 101 ", 13) == 0);
    UNTIL(scene.loop, has(&scene.record, 'm'));
    close(ends[0]);
    UNTIL(scene.loop, has(&scene.record, 'c'));

    connection(ends);
    request.method = sockline_str("no method");
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_server_adopt(scene.server, ends[1], &request, NULL, 0));
    CHECK(is_closed(ends[1]));
    CHECK(recv(ends[0], text, 1, 0) == 0);
    close(ends[0]);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_server_adopt(scene.server, 1L << 40, &request, NULL, 0));
    sockline_loop_free(scene.loop);
}

static void who_goes_is_answered_no_more(void) {
    struct scene scene;
    struct told told;
    open_scene(&scene);
    sockline_http_request request = request_of("GET", "/route?later");
    sockline_exchange exchange = give(&scene, &request, &told);
    UNTIL(scene.loop, scene.owed != 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_cut(exchange));
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_cut(exchange));
    CHECK(told.calls == 0);
    UNTIL(scene.loop, told.calls > 0);
    CHECK(told.status == -1 && told.exchange == exchange && scene.cut == scene.owed);
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_respond(scene.owed, 200, NULL, 0, NULL, 0));

    request = upgrade_of("/ws");
    exchange = give(&scene, &request, &told);
    UNTIL(scene.loop, told.calls > 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_cut(exchange));
    UNTIL(scene.loop, has(&scene.record, 'c'));
    CHECK(strcmp(scene.record.events, "c") == 0 && told.calls == 1);
    sockline_loop_free(scene.loop);
}

static void *give_from_another_thread(void *given) {
    struct scene *scene = ((void **)given)[0];
    sockline_http_request request = request_of("GET", "/route");
    request.is_secure = 1;
    give(scene, &request, ((void **)given)[1]);
    return NULL;
}

static void answers_come_on_the_loop_s_thread(void) {
    struct scene scene;
    struct told told;
    pthread_t thread;
    open_scene(&scene);
    void *given[] = {&scene, &told};
    CHECK(pthread_create(&thread, NULL, give_from_another_thread, given) == 0);
    pthread_join(thread, NULL);
    UNTIL(scene.loop, told.calls > 0);
    CHECK(told.status == 201 && pthread_equal(told.thread, pthread_self()));
    sockline_loop_free(scene.loop);
}

static void with_the_loop_all_are_told(void) {
    struct scene scene;
    struct told coming, owed, promised;
    open_scene(&scene);
    sockline_http_request request = request_of("GET", "/route?later");
    give(&scene, &request, &owed);
    UNTIL(scene.loop, scene.owed != 0);
    sockline_http_request upgrade = upgrade_of("/ws");
    give(&scene, &upgrade, &promised);
    UNTIL(scene.loop, promised.calls > 0);
    give(&scene, &request, &coming);
    sockline_exchange exchange = scene.owed;
    sockline_loop_free(scene.loop);
    CHECK(coming.calls == 1 && promised.calls == 1);
    CHECK(scene.record.count == 1 && scene.record.events[0] == 'c');
    CHECK(owed.calls == 1 && owed.status == -1 && scene.cut != 0);
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_respond(exchange, 200, NULL, 0, NULL, 0));
}

static void what_can_t_be_is_refused(void) {
    struct scene scene;
    struct told told = {0};
    sockline_exchange exchange = 7;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    open_scene(&scene);
    sockline_http_request request = request_of("GET", "/route");
#define REFUSED(status) CHECK_STATUS(status, sockline_server_handle_request(scene.server, &request, answered, &told, &exchange))
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_server_handle_request(scene.server, NULL, answered, &told, &exchange));
    CHECK(exchange == 0);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_server_handle_request(scene.server, &request, NULL, NULL, NULL));
    CHECK_STATUS(SOCKLINE_ERR_WRONG_HANDLE, sockline_server_handle_request(0, &request, answered, &told, NULL));
    request.size = 1;
    REFUSED(SOCKLINE_ERR_INVALID_ARGUMENT);
    request = request_of("", "/route");
    REFUSED(SOCKLINE_ERR_INVALID_ARGUMENT);
    const char *const paths[] = {"", "route", "/a b", "/\xc3\xa4", "/x\r\ny"};
    for (size_t i = 0; i < 5; i++) {
        request = request_of("GET", paths[i]);
        REFUSED(SOCKLINE_ERR_INVALID_ARGUMENT);
    }
    request = request_of("GET", "/\xff");
    REFUSED(SOCKLINE_ERR_INVALID_UTF8);
    request = request_of("GET", "/route?a=1");
    request.query = sockline_str("b=2");
    REFUSED(SOCKLINE_ERR_INVALID_ARGUMENT);
    request = request_of("GET", "/route");
    request.remote_address = sockline_str("somewhere");
    REFUSED(SOCKLINE_ERR_INVALID_ARGUMENT);
    CHECK(strstr(sockline_last_error_text(), "somewhere"));
    request = request_of("GET", "/route");
    request.header_count = 1;
    REFUSED(SOCKLINE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_cut(12345));

    options.nowhere = 1;
    options.port = 80;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_listen(scene.loop, &options, NULL, NULL, NULL));
    options.port = 0;
    options.threads = 2;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_listen(scene.loop, &options, NULL, NULL, NULL));
    request = request_of("GET", "/route");
    CHECK_STATUS(SOCKLINE_OK, sockline_server_close(scene.server, 0, NULL, 0));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(scene.loop, 0));
    REFUSED(SOCKLINE_ERR_CLOSED);
    CHECK(told.calls == 0);
    sockline_loop_free(scene.loop);
}

int main(void) {
    RUN(requests_are_answered);
    RUN(a_websocket_is_handed_over);
    RUN(a_connection_is_adopted_before_its_answer);
    RUN(who_goes_is_answered_no_more);
    RUN(answers_come_on_the_loop_s_thread);
    RUN(with_the_loop_all_are_told);
    RUN(what_can_t_be_is_refused);
    return 0;
}
