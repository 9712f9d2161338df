/* Options of connections, one by one: what they bring about. */

#define _POSIX_C_SOURCE 200809L

#include "support.h"

static sockline_server serve(sockline_loop *loop, const sockline_settings *settings, struct record *record) {
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    options.settings = settings;
    sockline_handlers handlers = recording();
    handlers.on_message = echo;
    sockline_server server = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &options, &handlers, record, &server));
    return server;
}

static sockline_ws connect_with(sockline_loop *loop, sockline_server server, const sockline_options *options,
                                struct record *record) {
    sockline_handlers handlers = recording();
    sockline_ws ws = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(server, "/"), options, &handlers, record, &ws));
    return ws;
}

static void text_of(size_t (*function)(sockline_ws, char *, size_t), sockline_ws ws, char text[128]) {
    CHECK(function(ws, text, 128) < 128);
}

static void compression_is_agreed_on(void) {
    sockline_compression compression = SOCKLINE_COMPRESSION_INIT;
    compression.level = 9;
    compression.client_max_window_bits = 10;
    sockline_settings compressing = SOCKLINE_SETTINGS_INIT;
    compressing.compression = &compression;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &compressing;
    sockline_loop *loop = new_loop();
    struct record served = {0}, client = {0}, plain = {0};
    sockline_server server = serve(loop, &compressing, &served);
    sockline_ws ws = connect_with(loop, server, &options, &client);
    UNTIL(loop, has(&client, 'o'));
    char extensions[128];
    text_of(sockline_extensions, ws, extensions);
    CHECK(strstr(extensions, "permessage-deflate") != NULL && strstr(extensions, "client_max_window_bits=10") != NULL);
    CHECK(strstr(extensions, "server_no_context_takeover") != NULL); /* a server's default */
    char long_text[5000];
    memset(long_text, 'x', sizeof long_text);
    CHECK_STATUS(SOCKLINE_OK, sockline_send(ws, SOCKLINE_TEXT, long_text, sizeof long_text));
    UNTIL(loop, has(&client, 'm'));
    CHECK(client.len == sizeof long_text && memcmp(client.data, long_text, sizeof client.data) == 0);

    ws = connect_with(loop, server, NULL, &plain); /* who does not offer it does not get it */
    UNTIL(loop, has(&plain, 'o'));
    text_of(sockline_extensions, ws, extensions);
    CHECK(extensions[0] == '\0');
    sockline_loop_free(loop);
}

static void options_that_can_not_be_are_refused(void) {
    sockline_compression compression = SOCKLINE_COMPRESSION_INIT;
    sockline_tcp_options tcp = SOCKLINE_TCP_OPTIONS_INIT;
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.compression = &compression;
    settings.tcp = &tcp;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &settings;
    const char *url = "ws://localhost/";
    compression.server_max_window_bits = 16;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(NULL, url, &options, NULL, NULL, NULL));
    compression.server_max_window_bits = 0;
    compression.level = 10;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(NULL, url, &options, NULL, NULL, NULL));
    compression.level = 0;
    compression.client_no_context_takeover = 2;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(NULL, url, &options, NULL, NULL, NULL));
    compression.client_no_context_takeover = 0;
    tcp.no_delay = 7;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(NULL, url, &options, NULL, NULL, NULL));
    CHECK(strstr(sockline_last_error_text(), "no_delay") != NULL);
    tcp.no_delay = 0;
    options.local_address = sockline_str("nowhere");
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(NULL, url, &options, NULL, NULL, NULL));
    options.local_address = sockline_str("");
    options.proxy = "gopher://localhost";
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(NULL, url, &options, NULL, NULL, NULL));
}

static void the_local_address_is_the_one_given(void) {
    sockline_loop *loop = new_loop();
    struct record served = {0}, client = {0};
    sockline_server server = serve(loop, NULL, &served);
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.local_address = sockline_str("127.0.0.7");
    sockline_ws ws = connect_with(loop, server, &options, &client);
    UNTIL(loop, has(&client, 'o'));
    char address[128];
    text_of(sockline_local_address, ws, address);
    CHECK(strncmp(address, "127.0.0.7:", 10) == 0);
    sockline_loop_free(loop);
}

static void the_steps_are_timed(void) {
    sockline_loop *loop = new_loop();
    struct record served = {0}, client = {0};
    sockline_ws ws = connect_with(loop, serve(loop, NULL, &served), NULL, &client);
    sockline_timings timings = SOCKLINE_TIMINGS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_ws_timings(ws, &timings));
    CHECK(timings.tcp_us == -1 && timings.upgrade_us == -1);
    UNTIL(loop, has(&client, 'o'));
    CHECK_STATUS(SOCKLINE_OK, sockline_ws_timings(ws, &timings));
    CHECK(timings.tcp_us >= 0 && timings.upgrade_us >= 0);
    CHECK(timings.dns_us == -1 && timings.tls_us == -1 && timings.proxy_us == -1);
    struct {
        size_t size;
        int64_t dns_us, after;
    } older = {offsetof(sockline_timings, tcp_us), 0, 77}; /* compiled when there was one field */
    CHECK_STATUS(SOCKLINE_OK, sockline_ws_timings(ws, (sockline_timings *)(void *)&older));
    CHECK(older.dns_us == -1 && older.after == 77);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_ws_timings(ws, NULL));
    CHECK_STATUS(SOCKLINE_ERR_WRONG_HANDLE, sockline_ws_timings(0, &timings));
    sockline_loop_free(loop);
}

static void a_proxy_that_is_not_there_is_named(void) {
    sockline_loop *loop = new_loop();
    struct record served = {0}, client = {0}, direct = {0};
    sockline_server server = serve(loop, NULL, &served);
    CHECK(setenv("http_proxy", "http://127.0.0.1:1", 1) == 0); /* which loopback addresses are never behind */
    connect_with(loop, server, NULL, &direct);
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.proxy = "http://127.0.0.1:1";
    connect_with(loop, server, &options, &client);
    UNTIL(loop, has(&direct, 'o') && has(&client, 'c'));
    CHECK(client.error == SOCKLINE_ERR_PROXY && strstr(client.error_text, "127.0.0.1:1") != NULL);
    sockline_loop_free(loop);
}

/* The outcomes in the order of their coming, by the first letter of their names. */
struct outcomes {
    char letters[32];
    int tokens[32];
    size_t count;
    bool closed;
};

static void note_outcome(sockline_ws ws, void *token, int32_t outcome, void *user_data) {
    struct outcomes *outcomes = user_data;
    (void)ws;
    CHECK(outcomes->count < 31 && outcome >= 0 && outcome < 4);
    outcomes->tokens[outcomes->count] = *(int *)token;
    outcomes->letters[outcomes->count++] = "tdef"[outcome];
}

static void note_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    (void)ws, (void)event;
    ((struct outcomes *)user_data)->closed = true;
}

enum { LIMIT = 2 << 20 };

static sockline_status send_big(sockline_ws ws, int *token, uint64_t deadline_ms) {
    static char big[1 << 20];
    sockline_send_options options = SOCKLINE_SEND_OPTIONS_INIT;
    options.wants_result = 1;
    options.token = token;
    options.deadline_ms = deadline_ms;
    return sockline_send_with(ws, SOCKLINE_BINARY, big, sizeof big, &options);
}

/* Connects to a server that does not read, and sends until more than `amount` bytes wait. */
static sockline_ws fill(sockline_loop *loop, int64_t policy, uint64_t hard_limit, uint64_t amount,
                        struct record *served, struct outcomes *outcomes, int *tokens, int *count) {
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.slow_consumer = policy;
    settings.hard_limit = hard_limit;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &settings;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT, serving = recording();
    handlers.on_sent = note_outcome;
    handlers.on_close = note_close;
    sockline_ws ws = 0;
    sockline_server server = listen_here(loop, &serving, served);
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(server, "/"), &options, &handlers, outcomes, &ws));
    UNTIL(loop, has(served, 'o') && sockline_ready_state(ws) == SOCKLINE_OPEN);
    CHECK_STATUS(SOCKLINE_OK, sockline_pause(served->ws));
    while (sockline_buffered_amount(ws) <= amount) {
        tokens[*count] = *count;
        CHECK(send_big(ws, &tokens[*count], 0) >= 0);
        CHECK(++*count < 30);
        CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, 0)); /* the system takes what it still has room for */
    }
    return ws;
}

static void a_slow_consumer_is_treated_by_the_policy(void) {
    static const int64_t policies[] = {SOCKLINE_SLOW_ERROR, SOCKLINE_SLOW_DROP_NEWEST, SOCKLINE_SLOW_DROP_OLDEST};
    static const int32_t statuses[] = {SOCKLINE_ERR_OUTBOX_FULL, SOCKLINE_DROPPED, SOCKLINE_OVER_MARK};
    for (size_t i = 0; i < 3; i++) {
        sockline_loop *loop = new_loop();
        struct record served = {0};
        struct outcomes outcomes = {0};
        int tokens[32] = {0}, count = 0;
        sockline_ws ws = fill(loop, policies[i], LIMIT, LIMIT, &served, &outcomes, tokens, &count);
        tokens[count] = count;
        CHECK_STATUS(statuses[i], send_big(ws, &tokens[count], 0));
        CHECK_STATUS(SOCKLINE_OK, sockline_resume(served.ws));
        size_t expected = (size_t)count + (policies[i] != SOCKLINE_SLOW_ERROR);
        UNTIL(loop, outcomes.count == expected);
        size_t taken = 0, dropped = 0;
        for (size_t k = 0; k < outcomes.count; k++) {
            taken += outcomes.letters[k] == 't';
            dropped += outcomes.letters[k] == 'd';
        }
        CHECK(taken + dropped == expected && (dropped > 0) == (policies[i] != SOCKLINE_SLOW_ERROR));
        UNTIL(loop, served.messages == taken); /* what was said to be taken has come */
        sockline_loop_free(loop);
    }
}

static void what_has_not_left_fails_with_its_connection(void) {
    sockline_loop *loop = new_loop();
    struct record served = {0};
    struct outcomes outcomes = {0};
    int tokens[32] = {0}, count = 0;
    sockline_ws ws = fill(loop, SOCKLINE_SLOW_ERROR, LIMIT, LIMIT, &served, &outcomes, tokens, &count);
    CHECK_STATUS(SOCKLINE_OK, sockline_terminate(ws));
    UNTIL(loop, outcomes.closed);
    CHECK(outcomes.count == (size_t)count && outcomes.letters[outcomes.count - 1] == 'f'); /* all before on_close */
    sockline_loop_free(loop);
}

static void a_message_past_its_deadline_is_not_sent(void) {
    sockline_loop *loop = new_loop();
    struct record served = {0};
    struct outcomes outcomes = {0};
    int tokens[32] = {0}, count = 0, late = 77;
    /* So much before it that it can't begin to leave, whatever the system has room for. */
    sockline_ws ws = fill(loop, 0, SOCKLINE_UNLIMITED, 16 << 20, &served, &outcomes, tokens, &count);
    CHECK(send_big(ws, &late, 1) >= 0);
    UNTIL(loop, outcomes.count > 0 && outcomes.letters[outcomes.count - 1] == 'e');
    CHECK(outcomes.tokens[outcomes.count - 1] == 77);
    sockline_loop_free(loop);
}

/* A message in parts as it comes. */
struct parts {
    char text[64];
    size_t len, count, firsts, lasts;
    int32_t type;
    bool opened;
};

static void note_part(sockline_ws ws, int32_t type, const void *data, size_t len, int32_t edges, void *user_data) {
    struct parts *parts = user_data;
    (void)ws;
    CHECK(parts->len + len < sizeof parts->text);
    memcpy(parts->text + parts->len, data, len);
    parts->len += len;
    parts->type = type;
    parts->count++;
    parts->firsts += (edges & SOCKLINE_PART_FIRST) != 0;
    parts->lasts += (edges & SOCKLINE_PART_LAST) != 0;
}

static void note_opened(sockline_ws ws, void *user_data) {
    (void)ws;
    ((struct parts *)user_data)->opened = true;
}

static sockline_status send_part(sockline_ws ws, const char *text, int32_t is_last) {
    return sockline_send_part(ws, SOCKLINE_TEXT, text, strlen(text), is_last);
}

static void a_message_goes_and_comes_in_parts(void) {
    sockline_loop *loop = new_loop();
    struct record served = {0};
    struct parts parts = {0};
    sockline_server server = serve(loop, NULL, &served); /* which sends whole messages back */
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.message_parts = 1;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &settings;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = note_opened;
    handlers.on_message_part = note_part;
    sockline_ws ws = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(server, "/"), &options, &handlers, &parts, &ws));
    UNTIL(loop, parts.opened);
    CHECK_STATUS(SOCKLINE_OK, send_part(ws, "one ", 0));
    CHECK_STATUS(SOCKLINE_ERR_MESSAGE_UNFINISHED, send_text(ws, "another"));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, send_part(ws, "\xc3", 0)); /* half a character */
    CHECK_STATUS(SOCKLINE_OK, send_part(ws, "two ", 0));
    UNTIL(loop, sockline_buffered_amount(ws) == 0);
    CHECK(served.messages == 0);
    CHECK_STATUS(SOCKLINE_OK, send_part(ws, "", 1));
    UNTIL(loop, parts.lasts == 1);
    CHECK(served.messages == 1 && served.len == 8 && memcmp(served.data, "one two ", 8) == 0);
    CHECK(parts.len == 8 && memcmp(parts.text, "one two ", 8) == 0 && parts.type == SOCKLINE_TEXT && parts.firsts == 1);

    /* What the server sends in parts comes part by part, before it is whole. */
    memset(&parts, 0, sizeof parts);
    CHECK_STATUS(SOCKLINE_OK, send_part(served.ws, "begin", 0));
    UNTIL(loop, parts.len == 5);
    CHECK(parts.firsts == 1 && parts.lasts == 0);
    CHECK_STATUS(SOCKLINE_OK, send_part(served.ws, "end", 1));
    UNTIL(loop, parts.lasts == 1);
    CHECK(parts.count >= 2 && memcmp(parts.text, "beginend", 8) == 0);
    sockline_loop_free(loop);
}

/* Bytes that a message of 5,000 equal letters takes on the wire. */
static uint64_t wire_bytes(sockline_loop *loop, sockline_ws ws, struct record *client, int64_t compress) {
    char letters[5000];
    memset(letters, 'x', sizeof letters);
    sockline_connection_metrics before = SOCKLINE_CONNECTION_METRICS_INIT, after = SOCKLINE_CONNECTION_METRICS_INIT;
    sockline_send_options options = SOCKLINE_SEND_OPTIONS_INIT;
    options.compress = compress;
    CHECK_STATUS(SOCKLINE_OK, sockline_ws_metrics(ws, &before));
    CHECK_STATUS(SOCKLINE_OK, sockline_send_with(ws, SOCKLINE_TEXT, letters, sizeof letters, &options));
    size_t messages = client->messages;
    UNTIL(loop, client->messages == messages + 1);
    CHECK_STATUS(SOCKLINE_OK, sockline_ws_metrics(ws, &after));
    return after.totals.bytes_out - before.totals.bytes_out;
}

static void each_message_may_choose_to_be_compressed(void) {
    sockline_compression compression = SOCKLINE_COMPRESSION_INIT;
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.compression = &compression;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &settings;
    sockline_loop *loop = new_loop();
    struct record served = {0}, client = {0};
    sockline_ws ws = connect_with(loop, serve(loop, &settings, &served), &options, &client);
    UNTIL(loop, has(&client, 'o'));
    CHECK(wire_bytes(loop, ws, &client, 0) < 200);
    CHECK(wire_bytes(loop, ws, &client, 1) < 200);
    CHECK(wire_bytes(loop, ws, &client, -1) > 5000);
    sockline_connection_metrics metrics = SOCKLINE_CONNECTION_METRICS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_ws_metrics(ws, &metrics));
    CHECK(metrics.totals.compressed_from == 10000 && metrics.totals.compressed_to < 400);
    CHECK(metrics.totals.inflated_to >= 10000 && metrics.totals.inflated_from < 600);
    sockline_loop_free(loop);
}

int main(void) {
    RUN(compression_is_agreed_on);
    RUN(options_that_can_not_be_are_refused);
    RUN(a_message_goes_and_comes_in_parts);
    RUN(each_message_may_choose_to_be_compressed);
    RUN(the_local_address_is_the_one_given);
    RUN(the_steps_are_timed);
    RUN(a_proxy_that_is_not_there_is_named);
    RUN(a_slow_consumer_is_treated_by_the_policy);
    RUN(what_has_not_left_fails_with_its_connection);
    RUN(a_message_past_its_deadline_is_not_sent);
    return 0;
}
