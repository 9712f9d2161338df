/* The calls one by one: what they take, return and refuse. */

#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <poll.h>

/* A client and a server that are connected, on one loop. */
struct pair {
    sockline_loop *loop;
    sockline_server server;
    sockline_ws client, serving;
    struct record client_side, server_side;
};

static void connect_pair(struct pair *pair, const sockline_settings *settings) {
    memset(pair, 0, sizeof *pair);
    pair->loop = new_loop();
    sockline_handlers handlers = recording();
    pair->server = listen_here(pair->loop, &handlers, &pair->server_side);
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = settings;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(pair->loop, url_of(pair->server, "/path?x=1"), &options, &handlers,
                                               &pair->client_side, &pair->client));
    UNTIL(pair->loop, has(&pair->client_side, 'o') && has(&pair->server_side, 'o'));
    pair->serving = pair->server_side.ws;
}

static void arguments_are_checked(void) {
    struct pair pair;
    connect_pair(&pair, NULL);
    char long_text[126];
    memset(long_text, 'x', sizeof long_text);
    sockline_ws ws = pair.client;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_send(ws, 3, "x", 1));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_send(ws, SOCKLINE_BINARY, NULL, 1));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_send(ws, SOCKLINE_BINARY, "x", SIZE_MAX));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, sockline_send(ws, SOCKLINE_TEXT, "\xc3\x28", 2));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, sockline_broadcast(pair.server, SOCKLINE_TEXT, "\xff", 1));
    CHECK_STATUS(SOCKLINE_ERR_CONTROL_TOO_LONG, sockline_ping(ws, long_text, 126));
    CHECK_STATUS(SOCKLINE_ERR_CONTROL_TOO_LONG, sockline_close(ws, 1000, long_text, 124));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_close(ws, 0, "x", 1));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, sockline_close(ws, 1000, "\xff", 1));
    static const int32_t unsendable[] = {-1, 1, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70000};
    for (size_t i = 0; i < sizeof unsendable / sizeof *unsendable; i++)
        CHECK_STATUS(SOCKLINE_ERR_INVALID_CLOSE_CODE, sockline_close(ws, unsendable[i], NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_set_handlers(ws, NULL, NULL));
    CHECK(sockline_ready_state(ws) == SOCKLINE_OPEN);
    sockline_loop_free(pair.loop);
}

static void null_is_a_status_or_has_a_meaning(void) {
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_loop_new(NULL, NULL));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_loop_run(NULL));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_loop_start(NULL));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_loop_poll(NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_loop_flush(NULL));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_loop_wake(NULL));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_loop_stop(NULL));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_loop_shutdown(NULL, 0));
    CHECK(sockline_loop_fd(NULL) == -1 && sockline_loop_next_timeout(NULL) == -1);
    sockline_loop_free(NULL);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(NULL, NULL, NULL, NULL, NULL, NULL));
    CHECK(sockline_request_header(NULL, sockline_str("x")).data == NULL);
    CHECK(sockline_str(NULL).data == NULL && sockline_str(NULL).len == 0);
    sockline_loop *loop = new_loop();
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.header_count = 1;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(loop, "ws://localhost/", &options, NULL, NULL, NULL));
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, NULL, NULL, NULL, NULL));
    sockline_loop_free(loop);
}

static void a_longer_struct_passes_while_its_tail_is_zero(void) {
    struct {
        sockline_handlers known;
        void *added;
    } handlers = {recording(), NULL};
    handlers.known.size = sizeof handlers;
    sockline_loop *loop = new_loop();
    struct record record = {0};
    sockline_server server = listen_here(loop, NULL, NULL);
    sockline_ws ws = connect_to(loop, server, &handlers.known, &record);
    UNTIL(loop, has(&record, 'o'));
    handlers.added = &record;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_set_handlers(ws, &handlers.known, &record));
    CHECK(strstr(sockline_last_error_text(), "sockline_handlers") != NULL);
    sockline_loop_free(loop);
}

static void a_shorter_struct_has_the_defaults(void) {
    sockline_loop *loop = new_loop();
    struct record record = {0};
    sockline_handlers handlers = recording();
    handlers.size = offsetof(sockline_handlers, on_close); /* as if on_close came in a later version */
    struct record whole = {0};
    sockline_handlers all = recording();
    sockline_server server = listen_here(loop, NULL, NULL);
    sockline_ws ws = connect_to(loop, server, &handlers, &record);
    connect_to(loop, server, &all, &whole);
    UNTIL(loop, has(&record, 'o') && has(&whole, 'o'));
    CHECK_STATUS(SOCKLINE_OK, sockline_terminate(ws));
    CHECK_STATUS(SOCKLINE_OK, sockline_server_close(server, 1001, NULL, 0));
    UNTIL(loop, has(&whole, 'c'));
    CHECK(strcmp(record.events, "o") == 0);
    sockline_options none;
    memset(&none, 0, sizeof none); /* the size was forgotten */
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(loop, "ws://localhost/", &none, NULL, NULL, NULL));
    sockline_loop_free(loop);
}

static void contradicting_settings_are_refused(void) {
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.high_water_mark = 1000;
    settings.hard_limit = 999;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &settings;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(NULL, "ws://localhost/", &options, NULL, NULL, NULL));
    CHECK(strstr(sockline_last_error_text(), "999") != NULL);
}

static void the_marks_of_the_outbox(void) {
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.high_water_mark = 1 << 20;
    settings.hard_limit = 4 << 20;
    struct pair pair;
    connect_pair(&pair, &settings);
    CHECK_STATUS(SOCKLINE_OK, sockline_pause(pair.serving));
    size_t size = 1 << 18, sent = 0;
    char *data = calloc(1, size);
    sockline_status status = SOCKLINE_OK;
    bool over = false;
    while ((status = sockline_send(pair.client, SOCKLINE_BINARY, data, size)) >= 0) {
        over = over || status == SOCKLINE_OVER_MARK;
        sent++;
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(pair.loop, 0));
    }
    CHECK(status == SOCKLINE_ERR_OUTBOX_FULL && over);
    CHECK(sockline_buffered_amount(pair.client) > settings.hard_limit);
    CHECK_STATUS(SOCKLINE_OK, sockline_ping(pair.client, NULL, 0)); /* control frames are exempt */
    CHECK_STATUS(SOCKLINE_OK, sockline_resume(pair.serving));
    sockline_handlers counting = recording();
    counting.on_message = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_set_handlers(pair.serving, &counting, &pair.server_side));
    UNTIL(pair.loop, has(&pair.client_side, 'd') && has(&pair.client_side, 'p'));
    CHECK(strcmp(pair.client_side.events, "odp") == 0); /* one on_drain for one crossing */
    CHECK(sockline_buffered_amount(pair.client) == 0);
    free(data);
    sockline_loop_free(pair.loop);
}

static void a_ping_is_answered_and_measured(void) {
    struct pair pair;
    connect_pair(&pair, NULL);
    CHECK(sockline_latency(pair.client) == -1);
    CHECK_STATUS(SOCKLINE_OK, sockline_ping(pair.client, "abc", 3));
    UNTIL(pair.loop, has(&pair.client_side, 'p'));
    CHECK(pair.client_side.len == 3 && memcmp(pair.client_side.data, "abc", 3) == 0);
    CHECK(strcmp(pair.server_side.events, "oi") == 0 && sockline_latency(pair.client) >= 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_pong(pair.serving, "unasked", 7));
    UNTIL(pair.loop, pair.client_side.len == 7);
    sockline_loop_free(pair.loop);
}

static void a_paused_connection_reads_on_after_resume(void) {
    struct pair pair;
    connect_pair(&pair, NULL);
    CHECK_STATUS(SOCKLINE_OK, sockline_pause(pair.serving));
    CHECK_STATUS(SOCKLINE_OK, send_text(pair.client, "wait"));
    CHECK_STATUS(SOCKLINE_OK, sockline_ping(pair.serving, NULL, 0));
    UNTIL(pair.loop, has(&pair.client_side, 'i')); /* the message has gone out before the pong could */
    CHECK(pair.server_side.messages == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_resume(pair.serving));
    UNTIL(pair.loop, pair.server_side.messages == 1);
    sockline_loop_free(pair.loop);
}

static void a_broadcast_reaches_everybody(void) {
    struct pair pair;
    connect_pair(&pair, NULL);
    struct record other = {0};
    sockline_handlers handlers = recording();
    connect_to(pair.loop, pair.server, &handlers, &other);
    UNTIL(pair.loop, has(&other, 'o') && pair.server_side.count == 2);
    CHECK_STATUS(SOCKLINE_OK, sockline_broadcast(pair.server, SOCKLINE_TEXT, "all", 3));
    UNTIL(pair.loop, other.messages == 1 && pair.client_side.messages == 1);
    CHECK(memcmp(other.data, "all", 3) == 0 && pair.client_side.type == SOCKLINE_TEXT);
    sockline_loop_free(pair.loop);
}

static void texts_are_copied_as_snprintf_does(void) {
    struct pair pair;
    connect_pair(&pair, NULL);
    char whole[128], cut[5];
    size_t length = sockline_url(pair.client, whole, sizeof whole);
    CHECK(length == strlen(whole) && strcmp(whole, url_of(pair.server, "/path?x=1")) == 0);
    CHECK(sockline_url(pair.client, cut, sizeof cut) == length && strcmp(cut, "ws:/") == 0);
    CHECK(sockline_url(pair.client, NULL, 0) == length);
    CHECK(sockline_protocol(pair.client, whole, sizeof whole) == 0 && whole[0] == '\0');
    CHECK(sockline_extensions(pair.client, whole, sizeof whole) == 0);
    char local[64], remote[64], listening[64];
    CHECK(sockline_local_address(pair.client, local, sizeof local) > 10);
    CHECK(sockline_remote_address(pair.serving, remote, sizeof remote) > 10 && strcmp(local, remote) == 0);
    CHECK(sockline_remote_address(pair.client, remote, sizeof remote) > 10);
    CHECK(sockline_server_address(pair.server, listening, sizeof listening) > 10 && strcmp(remote, listening) == 0);
    sockline_loop_free(pair.loop);
}

static void statuses_have_names_and_texts(void) {
    CHECK(strcmp(sockline_status_name(SOCKLINE_OK), "SOCKLINE_OK") == 0);
    CHECK(strcmp(sockline_status_name(SOCKLINE_ERR_CLOSED), "SOCKLINE_ERR_CLOSED") == 0);
    CHECK(strcmp(sockline_status_name(-12345), "SOCKLINE_ERR_UNKNOWN") == 0);
    CHECK(strlen(sockline_status_text(SOCKLINE_ERR_OUTBOX_FULL)) > 10);
    int major = -1, minor = -1, patch = -1;
    CHECK(sscanf(sockline_version(), "%d.%d.%d", &major, &minor, &patch) == 3 && major >= 0);
    CHECK(sockline_version_number() == (uint32_t)SOCKLINE_MAKE_VERSION(major, minor, patch));
    CHECK(strcmp(sockline_version(), SOCKLINE_VERSION) == 0); /* this header was made with this library */
    CHECK(sockline_version_number() == SOCKLINE_VERSION_NUMBER);
}

/* The loop */

static int hook_calls;

static void count_hook(void *user_data) {
    CHECK(user_data == &hook_calls);
    hook_calls++;
}

static void a_flush_hook_is_called_once_until_the_flush(void) {
    sockline_loop_options options = SOCKLINE_LOOP_OPTIONS_INIT;
    options.flush_hook = count_hook;
    options.flush_hook_data = &hook_calls;
    sockline_loop *loop = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_new(&options, &loop));
    struct record record = {0}, serving_side = {0};
    sockline_handlers handlers = recording();
    sockline_ws ws = connect_to(loop, listen_here(loop, &handlers, &serving_side), &handlers, &record);
    UNTIL(loop, has(&record, 'o'));
    hook_calls = 0;
    for (int i = 0; i < 5; i++) CHECK_STATUS(SOCKLINE_OK, send_text(ws, "x"));
    CHECK(hook_calls == 1);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_flush(loop));
    CHECK(sockline_buffered_amount(ws) == 0);
    UNTIL(loop, serving_side.messages == 5);
    sockline_loop_free(loop);
}

static uint64_t empty_polls(sockline_loop *loop) {
    sockline_loop_metrics metrics = SOCKLINE_LOOP_METRICS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_get_metrics(loop, &metrics));
    return metrics.empty_polls;
}

static void a_loop_spins_before_it_waits(void) {
    sockline_loop_options options = SOCKLINE_LOOP_OPTIONS_INIT;
    for (options.busy_poll_us = 0; options.busy_poll_us <= 5000; options.busy_poll_us += 5000) {
        int spins = options.busy_poll_us > 0;
        sockline_loop *loop = NULL;
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_new(&options, &loop));
        struct record record = {0}, serving_side = {0};
        sockline_handlers handlers = recording();
        sockline_ws ws = connect_to(loop, listen_here(loop, &handlers, &serving_side), &handlers, &record);
        UNTIL(loop, has(&record, 'o') && has(&serving_side, 'o'));
        while (sockline_loop_spin(loop, 0) == 1) CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, 0));
        uint64_t before = empty_polls(loop);
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_spin(loop, -1)); /* there is nothing */
        CHECK((empty_polls(loop) > before) == spins);
        CHECK_STATUS(SOCKLINE_OK, send_text(ws, "x"));
        CHECK_STATUS(spins, sockline_loop_spin(loop, -1)); /* the loop has rung, to send that */
        UNTIL(loop, serving_side.messages == 1);
        before = empty_polls(loop);
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, 10));
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, 10)); /* at least one of them has found nothing */
        CHECK((empty_polls(loop) > before) == spins);
        sockline_loop_free(loop);
    }
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_loop_spin(NULL, 0));
}

/* As a host does it whose callbacks need a lock that others want while it waits. */
static void a_loop_waits_and_calls_back_in_the_turn(void) {
    sockline_loop *loop = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_new(NULL, &loop));
    struct record record = {0}, serving_side = {0};
    sockline_handlers handlers = recording();
    sockline_ws ws = connect_to(loop, listen_here(loop, &handlers, &serving_side), &handlers, &record);
    while (!has(&record, 'o') || !has(&serving_side, 'o')) {
        size_t before = record.count + serving_side.count;
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_wait(loop, -1));
        CHECK(record.count + serving_side.count == before);
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, 0));
    }
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "x"));
    while (serving_side.messages == 0) {
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_wait(loop, -1));
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, -1)); /* it has waited already */
    }
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_wait(loop, 1)); /* there is nothing, or what the echo has left */
    sockline_loop_free(loop);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_loop_wait(NULL, 0));
}

/* As another event loop does it: nothing but the descriptor and the timeout says when to poll. */
static void a_host_turns_the_loop(void) {
    sockline_loop *loop = new_loop();
    struct record record = {0};
    sockline_handlers serving = SOCKLINE_HANDLERS_INIT, handlers = recording();
    serving.on_message = echo;
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.ping_interval_ms = 50; /* a timer that is due while nothing comes */
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &settings;
    sockline_server server = listen_here(loop, &serving, NULL);
    sockline_ws ws = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(server, "/"), &options, &handlers, &record, &ws));
    struct pollfd fd = {sockline_loop_fd(loop), POLLIN, 0};
    bool sent = false;
    while (!has(&record, 'm') || !has(&record, 'p')) {
        int64_t timeout = sockline_loop_next_timeout(loop);
        CHECK(timeout >= -1);
        CHECK(poll(&fd, 1, (int)timeout) >= 0);
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, 0));
        if (has(&record, 'o') && !sent) sent = send_text(ws, "from outside a turn") == SOCKLINE_OK;
    }
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_stop(loop));
    CHECK_STATUS(SOCKLINE_STOPPED, sockline_loop_poll(loop, 0));
    sockline_loop_free(loop);
}

static void turn_again(sockline_ws ws, void *user_data) {
    sockline_loop *loop = *(sockline_loop **)user_data;
    CHECK_STATUS(SOCKLINE_ERR_LOOP_BUSY, sockline_loop_poll(loop, 0));
    CHECK_STATUS(SOCKLINE_ERR_LOOP_BUSY, sockline_loop_run(loop));
    CHECK_STATUS(SOCKLINE_OK, sockline_terminate(ws));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_stop(loop));
}

static void a_loop_is_turned_once_at_a_time(void) {
    sockline_loop *loop = new_loop();
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = turn_again;
    connect_to(loop, listen_here(loop, NULL, NULL), &handlers, &loop);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_run(loop));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(loop));
    CHECK_STATUS(SOCKLINE_ERR_LOOP_BUSY, sockline_loop_start(loop));
    sockline_loop_free(loop);
}

struct lines {
    int errors, others;
};

static void count_lines(int32_t level, const char *text, void *user_data) {
    struct lines *lines = user_data;
    if (level == SOCKLINE_LOG_ERROR && strcmp(text, "from the program") == 0)
        lines->errors++;
    else
        lines->others++;
    CHECK_STATUS(SOCKLINE_OK, sockline_log(SOCKLINE_LOG_ERROR, "from inside", 11)); /* not given to itself */
}

static void the_log_goes_where_it_is_sent(void) {
    struct lines lines = {0};
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_set_log(9, count_lines, &lines));
    CHECK_STATUS(SOCKLINE_OK, sockline_set_log(SOCKLINE_LOG_ERROR, count_lines, &lines));
    CHECK_STATUS(SOCKLINE_OK, sockline_log(SOCKLINE_LOG_ERROR, "from the program", 16));
    CHECK_STATUS(SOCKLINE_OK, sockline_log(SOCKLINE_LOG_WARN, "too fine", 8));
    CHECK_STATUS(SOCKLINE_OK, sockline_set_log(SOCKLINE_LOG_OFF, NULL, NULL));
    CHECK_STATUS(SOCKLINE_OK, sockline_log(SOCKLINE_LOG_ERROR, "from the program", 16));
    CHECK(lines.errors == 1 && lines.others == 0);
}

int main(void) {
    RUN(arguments_are_checked);
    RUN(null_is_a_status_or_has_a_meaning);
    RUN(a_longer_struct_passes_while_its_tail_is_zero);
    RUN(a_shorter_struct_has_the_defaults);
    RUN(contradicting_settings_are_refused);
    RUN(the_marks_of_the_outbox);
    RUN(a_ping_is_answered_and_measured);
    RUN(a_paused_connection_reads_on_after_resume);
    RUN(a_broadcast_reaches_everybody);
    RUN(texts_are_copied_as_snprintf_does);
    RUN(statuses_have_names_and_texts);
    RUN(a_flush_hook_is_called_once_until_the_flush);
    RUN(a_loop_spins_before_it_waits);
    RUN(a_loop_waits_and_calls_back_in_the_turn);
    RUN(a_host_turns_the_loop);
    RUN(a_loop_is_turned_once_at_a_time);
    RUN(the_log_goes_where_it_is_sent);
    return 0;
}
