/* The probe as a server: the path says what it does. */

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

enum { DEFAULT_STATUS = 403, DEFAULT_CODE = 1000, LONGEST_URL = 512 };

static sockline_server server; /* the only one, for its broadcast */

static void echo(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)user_data;
    must(sockline_send(ws, type, data, len), "echoing");
}

static void tell_state(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    static char json[PADDING + 512];
    struct state state = state_of(ws);
    (void)type, (void)data, (void)len, (void)user_data;
    int size = snprintf(json, sizeof json, "{\"extensions\":\"%s\",\"tls\":\"%s\",\"padding\":\"%s\"}",
                        state.extensions, state.tls, padding);
    must(sockline_send(ws, SOCKLINE_TEXT, json, (size_t)size), "telling the state");
}

/* The value of `name=` in a query, up to the next "&", as a text of its own; NULL if it is not there. */
static char *query_value(const char *query, const char *name) {
    size_t len = strlen(name);
    for (const char *at = query; at != NULL; at = strchr(at, '&')) {
        at += *at == '&';
        if (strncmp(at, name, len) == 0 && at[len] == '=') return strndup(at + len + 1, strcspn(at + len + 1, "&"));
        if (*at == '\0') break;
    }
    return NULL;
}

static void close_at_once(sockline_ws ws, void *user_data) {
    char url[LONGEST_URL];
    (void)user_data;
    sockline_url(ws, url, sizeof url);
    const char *mark = strchr(url, '?');
    char *code = mark ? query_value(mark + 1, "code") : NULL;
    char *reason = mark ? query_value(mark + 1, "reason") : NULL;
    must(sockline_close(ws, code ? atoi(code) : DEFAULT_CODE, reason, reason ? strlen(reason) : 0), "closing");
    free(code);
    free(reason);
}

static void ping_at_once(sockline_ws ws, void *user_data) {
    (void)user_data;
    must(sockline_ping(ws, "are you there", strlen("are you there")), "pinging");
}

static void say_pong_ok(sockline_ws ws, const void *data, size_t len, void *user_data) {
    (void)user_data;
    if (len != strlen("are you there") || memcmp(data, "are you there", len) != 0) return;
    must(sockline_send(ws, SOCKLINE_TEXT, "pong ok", strlen("pong ok")), "answering");
}

static void send_sizes(sockline_ws ws, void *user_data) {
    (void)user_data;
    for (size_t i = 0; i < SIZE_COUNT; i++) must(sockline_send(ws, SOCKLINE_BINARY, pattern, SIZES[i]), "sending");
}

static void greet(sockline_ws ws, void *user_data) {
    static const char text[] = "hello before you asked";
    (void)user_data;
    must(sockline_send(ws, SOCKLINE_TEXT, text, sizeof text - 1), "greeting");
}

static void stop_reading(sockline_ws ws, void *user_data) {
    (void)user_data;
    must(sockline_pause(ws), "pausing");
}

static void cut(sockline_ws ws, void *user_data) {
    (void)user_data;
    must(sockline_terminate(ws), "cutting");
}

static void tell_all(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)ws, (void)user_data;
    must(sockline_broadcast(server, type, data, len), "broadcasting");
}

static void subscribe(sockline_ws ws, void *user_data) {
    (void)user_data;
    must(sockline_subscribe(ws, "news/#", strlen("news/#")), "subscribing");
    must(sockline_send(ws, SOCKLINE_TEXT, "subscribed", strlen("subscribed")), "answering");
}

static void publish(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    static const char for_all[] = "all ";
    (void)user_data;
    if (len > strlen(for_all) && memcmp(data, for_all, strlen(for_all)) == 0)
        must(sockline_server_publish(server, "news/all", strlen("news/all"), type, data, len), "publishing");
    else
        must(sockline_publish(ws, "news/said", strlen("news/said"), type, data, len, -1), "publishing");
}

#define SIZED .size = sizeof(sockline_handlers)
static const struct {
    const char *path;
    sockline_handlers handlers;
} ROUTES[] = {
    {"/echo", {SIZED, .on_message = echo}},
    {"/connection", {SIZED, .on_message = tell_state}},
    {"/close", {SIZED, .on_open = close_at_once}},
    {"/ping", {SIZED, .on_open = ping_at_once, .on_pong = say_pong_ok}},
    {"/sizes", {SIZED, .on_open = send_sizes}},
    {"/greet", {SIZED, .on_open = greet, .on_message = echo}},
    {"/subprotocol-ok", {SIZED, .on_message = echo}},
    {"/stall", {SIZED, .on_open = stop_reading}},
    {"/kill", {SIZED, .on_open = cut}},
    {"/broadcast", {SIZED, .on_message = tell_all}},
    {"/topics", {SIZED, .on_open = subscribe, .on_message = publish}},
};

static const sockline_handlers *handlers_of(sockline_string path) {
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++)
        if (path.len == strlen(ROUTES[i].path) && memcmp(path.data, ROUTES[i].path, path.len) == 0)
            return &ROUTES[i].handlers;
    return NULL;
}

static void refuse(sockline_ws ws, int status) {
    char body[64];
    int len = snprintf(body, sizeof body, "refused with %d\n", status);
    sockline_header headers[] = {
        {sockline_str("X-Reason"), sockline_str("interop")},
        {sockline_str("Content-Type"), sockline_str("text/plain; charset=utf-8")},
    };
    sockline_refusal refusal = SOCKLINE_REFUSAL_INIT;
    refusal.status = (uint64_t)status;
    refusal.headers = headers;
    refusal.header_count = sizeof headers / sizeof *headers;
    refusal.body = body;
    refusal.body_len = (size_t)len;
    must(sockline_refuse(ws, &refusal), "refusing");
}

/* A copy of text that is not ended by a NUL. */
static char *copy(sockline_string text) {
    return text.data ? strndup(text.data, text.len) : NULL;
}

static void on_upgrade(sockline_ws ws, const sockline_request *request, void *user_data) {
    (void)user_data;
    const sockline_handlers *handlers = handlers_of(request->path);
    if (handlers == NULL) {
        char *path = copy(request->path), *query = copy(request->query);
        char *status = query ? query_value(query, "status") : NULL;
        refuse(ws, strcmp(path, "/refuse") != 0 ? 404 : status ? atoi(status) : DEFAULT_STATUS);
        free(path);
        free(query);
        free(status);
        return;
    }
    sockline_accept_options options = SOCKLINE_ACCEPT_OPTIONS_INIT;
    options.handlers = handlers;
    bool chooses = memcmp(request->path.data, "/subprotocol-ok", request->path.len) == 0;
    if (chooses && request->subprotocol_count > 0)
        options.subprotocol = request->subprotocols[request->subprotocol_count - 1];
    must(sockline_accept(ws, &options), "accepting");
}

int serve(unsigned port, unsigned patience_ms) {
    role = "server";
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.max_message = MAX_MESSAGE;
    settings.hard_limit = SOCKLINE_UNLIMITED;
    settings.compression = compression();
    settings.ping_interval_ms = settings.ping_timeout_ms = settings.close_timeout_ms = patience_ms;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.port = port;
    options.settings = &settings;
    options.tls = server_tls();
    options.adapter = sockline_str(adapter());
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_upgrade = on_upgrade;

    sockline_loop *loop;
    must(sockline_loop_new(NULL, &loop), "making a loop");
    must(sockline_listen(loop, &options, &handlers, NULL, &server), "listening");
    printf("listening %u\n", sockline_server_port(server));
    fflush(stdout);
    must(sockline_loop_run(loop), "running");
    return 0;
}
