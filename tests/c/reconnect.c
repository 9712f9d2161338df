/* Clients that come back: their handle, their events, and what a callback may change. */

#include "support.h"

/* A server that records one connection after the other, and cuts each when it hears "cut". */
struct site {
    sockline_server server;
    struct record record;
    char path[64], token[64];
};

static void remember(sockline_ws ws, const sockline_request *request, void *user_data) {
    struct site *site = user_data;
    sockline_string token = sockline_request_header(request, sockline_str("authorization"));
    snprintf(site->path, sizeof site->path, "%.*s", (int)request->path.len, request->path.data);
    snprintf(site->token, sizeof site->token, "%.*s", (int)token.len, token.len ? token.data : "");
    CHECK_STATUS(SOCKLINE_OK, sockline_accept(ws, NULL));
}

static void cut_or_echo(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    record_message(ws, type, data, len, &((struct site *)user_data)->record);
    if (len == 3 && memcmp(data, "cut", 3) == 0)
        CHECK_STATUS(SOCKLINE_OK, sockline_terminate(ws));
    else
        CHECK_STATUS(SOCKLINE_OK, sockline_send(ws, type, data, len));
}

static void serve(sockline_loop *loop, struct site *site) {
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_upgrade = remember;
    handlers.on_message = cut_or_echo;
    memset(site, 0, sizeof *site);
    site->server = listen_here(loop, &handlers, site);
}

static sockline_ws connect_for_long(sockline_loop *loop, const struct site *site, sockline_reconnect reconnect,
                                    const sockline_handlers *handlers, struct record *record) {
    sockline_header header = {sockline_str("Authorization"), sockline_str("Bearer old")};
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.headers = &header;
    options.header_count = 1;
    options.reconnect = &reconnect;
    sockline_ws ws = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(site->server, "/first"), &options, handlers, record, &ws));
    return ws;
}

static sockline_reconnect soon(void) {
    sockline_reconnect reconnect = SOCKLINE_RECONNECT_INIT;
    reconnect.base_delay_ms = 1;
    return reconnect;
}

static void go_elsewhere(sockline_ws ws, sockline_attempt *attempt, void *user_data) {
    char url[128];
    (void)user_data;
    CHECK(sockline_attempt_number(attempt) == 1);
    CHECK(sockline_url(ws, url, sizeof url) < sizeof url);
    memcpy(strstr(url, "/first"), "/other", 6);
    CHECK_STATUS(SOCKLINE_OK, sockline_attempt_set_url(attempt, url));
    CHECK_STATUS(SOCKLINE_OK,
                 sockline_attempt_set_header(attempt, sockline_str("authorization"), sockline_str("Bearer new")));
}

static void a_lost_connection_comes_back_under_its_handle(void) {
    sockline_loop *loop = new_loop();
    struct site site;
    struct record record = {0};
    serve(loop, &site);
    sockline_handlers handlers = recording();
    handlers.on_attempt = go_elsewhere;
    sockline_reconnect reconnect = soon();
    reconnect.outbox = 1000;
    sockline_ws ws = connect_for_long(loop, &site, reconnect, &handlers, &record);
    UNTIL(loop, has(&record, 'o'));
    CHECK(strcmp(site.path, "/first") == 0 && strcmp(site.token, "Bearer old") == 0);
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "cut"));
    UNTIL(loop, has(&record, 'r'));
    CHECK(sockline_ready_state(ws) == SOCKLINE_CONNECTING);
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "kept")); /* until there is a connection again */
    UNTIL(loop, has(&record, 'm'));
    CHECK(record.len == 4 && memcmp(record.data, "kept", 4) == 0);
    CHECK(strcmp(site.path, "/other") == 0 && strcmp(site.token, "Bearer new") == 0);
    CHECK_STATUS(SOCKLINE_OK, close_with(ws, 1000, ""));
    UNTIL(loop, has(&record, 'c'));
    CHECK(strcmp(record.events, "orRmc") == 0 && record.was_clean);
    sockline_loop_free(loop);
}

static void it_is_given_up_after_so_many_attempts(void) {
    sockline_loop *loop = new_loop();
    struct site site;
    struct record record = {0};
    serve(loop, &site);
    sockline_handlers handlers = recording();
    sockline_reconnect reconnect = soon();
    reconnect.max_attempts = 2;
    sockline_ws ws = connect_for_long(loop, &site, reconnect, &handlers, &record);
    UNTIL(loop, has(&record, 'o'));
    CHECK_STATUS(SOCKLINE_OK, sockline_server_close(site.server, 0, NULL, 0)); /* nobody listens any more */
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "cut"));
    UNTIL(loop, has(&record, 'c'));
    CHECK(strcmp(record.events, "orrec") == 0 && record.error == SOCKLINE_ERR_CONNECT_FAILED);
    sockline_loop_free(loop);
}

static void closing_ends_the_waiting(void) {
    sockline_loop *loop = new_loop();
    struct site site;
    struct record record = {0};
    serve(loop, &site);
    sockline_handlers handlers = recording();
    sockline_reconnect reconnect = SOCKLINE_RECONNECT_INIT;
    reconnect.base_delay_ms = reconnect.max_delay_ms = 3600 * 1000;
    sockline_ws ws = connect_for_long(loop, &site, reconnect, &handlers, &record);
    UNTIL(loop, has(&record, 'o'));
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "cut"));
    UNTIL(loop, has(&record, 'r'));
    CHECK_STATUS(SOCKLINE_ERR_NOT_OPEN, send_text(ws, "nothing is kept"));
    CHECK_STATUS(SOCKLINE_OK, close_with(ws, 1000, ""));
    UNTIL(loop, has(&record, 'c'));
    CHECK(strcmp(record.events, "orc") == 0);
    sockline_loop_free(loop);
}

static void what_can_not_be_is_refused(void) {
    sockline_reconnect reconnect = SOCKLINE_RECONNECT_INIT;
    reconnect.factor = 0.5;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.reconnect = &reconnect;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(NULL, "ws://localhost/", &options, NULL, NULL, NULL));
    CHECK(strstr(sockline_last_error_text(), "factor") != NULL);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_attempt_set_url(NULL, "ws://localhost/"));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_attempt_set_header(NULL, sockline_str("a"), sockline_str("b")));
    CHECK(sockline_attempt_number(NULL) == 0);
}

int main(void) {
    RUN(a_lost_connection_comes_back_under_its_handle);
    RUN(it_is_given_up_after_so_many_attempts);
    RUN(closing_ends_the_waiting);
    RUN(what_can_not_be_is_refused);
    return 0;
}
