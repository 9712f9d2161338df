/* The upgrade hook: what it sees, and its answers, at once and later. */

#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <pthread.h>

/* What a hook is to do, what it saw, and what its connection did. */
struct hook {
    void (*answer)(struct hook *hook, sockline_ws ws);
    struct record record;
    sockline_ws asked;
    int requests;
};

static bool equals(sockline_string string, const char *text) {
    return string.len == strlen(text) && memcmp(string.data, text, string.len) == 0;
}

static void on_upgrade(sockline_ws ws, const sockline_request *request, void *user_data) {
    struct hook *hook = user_data;
    CHECK(request->size == sizeof *request && request->server != 0);
    CHECK(equals(request->path, "/room/7") && equals(request->query, "key=a%20b"));
    CHECK(strncmp(request->remote_address.data, "127.0.0.1:", 10) == 0);
    CHECK(request->subprotocol_count == 2 && equals(request->subprotocols[1], "chat.v1"));
    CHECK(equals(sockline_request_header(request, sockline_str("X-Token")), "secret"));
    CHECK(sockline_request_header(request, sockline_str("x-none")).data == NULL);
    CHECK(request->header_count >= 6);
    CHECK(sockline_ready_state(ws) == SOCKLINE_CONNECTING);
    hook->asked = ws;
    hook->requests++;
    if (hook->answer) hook->answer(hook, ws);
}

static sockline_server listen_with(sockline_loop *loop, struct hook *hook, uint64_t timeout_ms) {
    sockline_handlers handlers = recording();
    handlers.on_upgrade = on_upgrade;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    options.handshake_timeout_ms = timeout_ms;
    sockline_server server = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &options, &handlers, hook, &server));
    return server;
}

static sockline_ws ask(sockline_loop *loop, sockline_server server, struct record *record) {
    const sockline_string subprotocols[] = {sockline_str("chat.v2"), sockline_str("chat.v1")};
    const sockline_header headers[] = {{sockline_str("X-Token"), sockline_str("secret")}};
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.subprotocols = subprotocols;
    options.subprotocol_count = 2;
    options.headers = headers;
    options.header_count = 1;
    sockline_handlers handlers = recording();
    sockline_ws ws = 0;
    const char *url = url_of(server, "/room/7?key=a%20b");
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url, &options, &handlers, record, &ws));
    return ws;
}

static sockline_status accept_with_record(struct hook *hook, sockline_ws ws) {
    sockline_handlers handlers = recording();
    const sockline_header headers[] = {{sockline_str("X-Served-By"), sockline_str("sockline")}};
    sockline_accept_options options = SOCKLINE_ACCEPT_OPTIONS_INIT;
    options.subprotocol = sockline_str("chat.v1");
    options.headers = headers;
    options.header_count = 1;
    options.handlers = &handlers;
    options.user_data = &hook->record;
    return sockline_accept(ws, &options);
}

static void accept_now(struct hook *hook, sockline_ws ws) {
    sockline_accept_options wrong = SOCKLINE_ACCEPT_OPTIONS_INIT;
    wrong.subprotocol = sockline_str("not offered");
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_accept(ws, &wrong));
    CHECK_STATUS(SOCKLINE_OK, accept_with_record(hook, ws));
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_accept(ws, NULL));
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_refuse(ws, NULL));
}

static void an_accepted_connection_has_its_own_user_data(void) {
    sockline_loop *loop = new_loop();
    struct hook hook = {.answer = accept_now};
    struct record record = {0};
    sockline_ws ws = ask(loop, listen_with(loop, &hook, 0), &record);
    UNTIL(loop, has(&record, 'o') && has(&hook.record, 'o'));
    char text[64];
    CHECK(sockline_protocol(ws, text, sizeof text) == 7 && strcmp(text, "chat.v1") == 0);
    CHECK(sockline_url(hook.record.ws, text, sizeof text) == 17 && strcmp(text, "/room/7?key=a%20b") == 0);
    CHECK(sockline_user_data(hook.record.ws) == &hook.record && sockline_user_data(ws) == &record);
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "hello"));
    UNTIL(loop, has(&hook.record, 'm'));
    sockline_loop_free(loop);
    CHECK(strcmp(hook.record.events, "omc") == 0 && strcmp(record.events, "oc") == 0 && hook.requests == 1);
}

static void *accept_later(void *given) {
    struct hook *hook = given;
    CHECK_STATUS(SOCKLINE_OK, accept_with_record(hook, hook->asked));
    return NULL;
}

static void another_thread_may_accept_later(void) {
    sockline_loop *loop = new_loop();
    struct hook hook = {0};
    struct record record = {0};
    ask(loop, listen_with(loop, &hook, 0), &record);
    UNTIL(loop, hook.asked);
    CHECK(record.count == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, accept_later, &hook) == 0);
    UNTIL(loop, has(&record, 'o') && has(&hook.record, 'o'));
    CHECK(pthread_join(thread, NULL) == 0);
    sockline_loop_free(loop);
    CHECK(strcmp(hook.record.events, "oc") == 0);
}

static void *accept_twice(void *given) {
    struct hook *hooks = given;
    CHECK_STATUS(SOCKLINE_OK, accept_with_record(&hooks[0], hooks[0].asked));
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, accept_with_record(&hooks[1], hooks[0].asked));
    return NULL;
}

static void only_the_first_answer_counts(void) {
    sockline_loop *loop = new_loop();
    struct hook hooks[2] = {{0}, {0}};
    struct record record = {0};
    ask(loop, listen_with(loop, &hooks[0], 0), &record);
    UNTIL(loop, hooks[0].asked);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, accept_twice, hooks) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    UNTIL(loop, has(&record, 'o') && has(&hooks[0].record, 'o'));
    sockline_loop_free(loop);
    CHECK(strcmp(hooks[0].record.events, "oc") == 0 && hooks[1].record.count == 0);
}

static void *accept_what_was_not_offered(void *given) {
    struct hook *hook = given;
    sockline_handlers handlers = recording();
    sockline_accept_options options = SOCKLINE_ACCEPT_OPTIONS_INIT;
    options.subprotocol = sockline_str("never-offered");
    options.handlers = &handlers;
    options.user_data = &hook->record;
    CHECK_STATUS(SOCKLINE_OK, sockline_accept(hook->asked, &options));
    return NULL;
}

/* It was queued, so the thread was told that the answer is on its way: on_close has to come for its user_data. */
static void an_answer_that_cannot_be_given_gets_its_on_close(void) {
    sockline_loop *loop = new_loop();
    struct hook hook = {0};
    struct record record = {0};
    ask(loop, listen_with(loop, &hook, 0), &record);
    UNTIL(loop, hook.asked);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, accept_what_was_not_offered, &hook) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    UNTIL(loop, has(&hook.record, 'c') && has(&record, 'c'));
    sockline_loop_free(loop);
    CHECK(strcmp(hook.record.events, "ec") == 0 && hook.record.error == SOCKLINE_ERR_INVALID_ARGUMENT);
    CHECK(strcmp(record.events, "ec") == 0 && record.http_status == 500);
}

static sockline_status refuse_with(sockline_ws ws, uint64_t status, const char *body) {
    const sockline_header headers[] = {{sockline_str("X-Reason"), sockline_str("teapot")}};
    sockline_refusal refusal = SOCKLINE_REFUSAL_INIT;
    refusal.status = status;
    refusal.headers = headers;
    refusal.header_count = 1;
    refusal.body = body;
    refusal.body_len = strlen(body);
    return sockline_refuse(ws, &refusal);
}

static void refuse_now(struct hook *hook, sockline_ws ws) {
    (void)hook;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, refuse_with(ws, 101, "not a refusal"));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, refuse_with(ws, 70000, "not a status"));
    CHECK_STATUS(SOCKLINE_OK, refuse_with(ws, 418, "short and stout"));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_accept(ws, NULL));
}

static void a_refusal_reaches_the_client(void) {
    sockline_loop *loop = new_loop();
    struct hook hook = {.answer = refuse_now};
    struct record record = {0};
    ask(loop, listen_with(loop, &hook, 0), &record);
    UNTIL(loop, has(&record, 'c'));
    CHECK(strcmp(record.events, "ec") == 0);
    CHECK(record.error == SOCKLINE_ERR_REFUSED && record.http_status == 418 && record.close_code == 1006);
    sockline_loop_free(loop);
    CHECK(hook.record.count == 0); /* the handle was never a connection's */
}

/* Asks in the plain way of HTTP, on a socket of its own, and returns the whole answer. */
static void *ask_plainly(void *given) {
    const sockline_server *server = given;
    char command[512];
    static char answer[4096];
    snprintf(command, sizeof command,
             "curl -s -i --max-time 20 --http1.1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' "
             "-H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "
             "-H 'Sec-WebSocket-Protocol: chat.v2, chat.v1' -H 'X-Token: secret' "
             "'http://127.0.0.1:%u/room/7?key=a%%20b'", (unsigned)sockline_server_port(*server));
    FILE *curl = popen(command, "r");
    CHECK(curl != NULL);
    answer[fread(answer, 1, sizeof answer - 1, curl)] = '\0';
    pclose(curl);
    return answer;
}

static void a_refusal_carries_status_headers_and_body(void) {
    sockline_loop *loop = new_loop();
    struct hook hook = {.answer = refuse_now};
    sockline_server server = listen_with(loop, &hook, 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(loop));
    const char *answer = ask_plainly(&server);
    CHECK(strncmp(answer, "HTTP/1.1 418 ", 13) == 0);
    CHECK(strstr(answer, "X-Reason: teapot\r\n") != NULL);
    CHECK(strstr(answer, "\r\n\r\nshort and stout") != NULL);
    sockline_loop_free(loop);
}

static void no_answer_in_time_is_a_503(void) {
    sockline_loop *loop = new_loop();
    struct hook hook = {0};
    struct record record = {0};
    ask(loop, listen_with(loop, &hook, 100), &record);
    UNTIL(loop, has(&record, 'c'));
    CHECK(record.error == SOCKLINE_ERR_REFUSED && record.http_status == 503);
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_accept(hook.asked, NULL));
    sockline_loop_free(loop);
    CHECK(hook.record.count == 0);
}

static void a_client_that_leaves_makes_the_answer_too_late(void) {
    sockline_loop *loop = new_loop();
    struct hook hook = {0};
    struct record record = {0};
    sockline_ws ws = ask(loop, listen_with(loop, &hook, 0), &record);
    UNTIL(loop, hook.asked);
    CHECK_STATUS(SOCKLINE_OK, sockline_terminate(ws));
    UNTIL(loop, has(&record, 'c') && sockline_ready_state(hook.asked) == SOCKLINE_CLOSED);
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, accept_with_record(&hook, hook.asked));
    sockline_loop_free(loop);
    CHECK(hook.record.count == 0);
}

int main(void) {
    RUN(an_accepted_connection_has_its_own_user_data);
    RUN(another_thread_may_accept_later);
    RUN(only_the_first_answer_counts);
    RUN(an_answer_that_cannot_be_given_gets_its_on_close);
    RUN(a_refusal_reaches_the_client);
    RUN(a_refusal_carries_status_headers_and_body);
    RUN(no_answer_in_time_is_a_503);
    RUN(a_client_that_leaves_makes_the_answer_too_late);
    return 0;
}
