/* Socket.IO clients whose events are awaited. All is done on one thread, which turns the loop while it waits. */

#define _POSIX_C_SOURCE 200809L

#include "socketio_waiting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const uint64_t PATIENCE = 30000; /* ms, for any single event */

static sockline_loop *loop;
static const char *base_url, *way;
static int64_t parser;
static const char *scenario = "before the first scenario";
static struct client *all_clients;

void set_out(sockline_loop *on_loop, const char *url, const char *transports, int64_t with_parser) {
    loop = on_loop, base_url = url, way = transports, parser = with_parser;
}

void begin_scenario(const char *name) { scenario = name; }

void fail(const char *file, int line, const char *what) {
    fprintf(stderr, "%s: %s:%d: %s\n", scenario, file, line, what);
    exit(1);
}

void must(sockline_status status) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", scenario, sockline_last_error_text());
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

uint64_t deadline(void) { return now() + PATIENCE; }

static void show(const struct client *client) {
    fprintf(stderr, "  connected %d times, %s\n", client->connections, client->message ? client->message : "no error");
    for (const struct heard *one = client->heard; one; one = one->next)
        fprintf(stderr, "  heard %s %.200s\n", one->name, one->values.args);
}

void turn(uint64_t end, const char *awaited) {
    uint64_t time = now();
    if (time >= end) {
        for (const struct client *client = all_clients; client; client = client->next) show(client);
        fail("it did not come", (int)(PATIENCE / 1000), awaited);
    }
    must(sockline_loop_poll(loop, (int64_t)(end - time)));
}

/* ── callbacks ──────────────────────────────────────────────────────────────────────────────────────────────── */

static void on_connect(sockline_io_client socket, void *user_data) {
    (void)socket;
    ((struct client *)user_data)->connections++;
}

static void on_connect_error(sockline_io_client socket, const sockline_io_connect_error *error, void *user_data) {
    struct client *client = user_data;
    (void)socket;
    client->message = text("%.*s", (int)error->message.len, error->message.data);
    client->data = one_form(error->data);
}

static void on_event(sockline_io_client socket, const sockline_io_event *event, void *user_data) {
    struct client *client = user_data;
    struct heard *heard = keep(sizeof *heard), **last = &client->heard;
    (void)socket;
    heard->name = text("%.*s", (int)event->name.len, event->name.data);
    heard->values = keep_values(event->args, event->attachments, event->attachment_count);
    while (*last) last = &(*last)->next;
    *last = heard;
    if (event->ack && client->answer && strcmp(heard->name, "question") == 0)
        must(sockline_io_client_ack_send(event->ack, sockline_str(client->answer), NULL, 0));
}

static void on_ack(sockline_io_client socket, const sockline_io_ack_event *event, void *user_data) {
    struct asked *asked = event->token;
    (void)socket, (void)user_data;
    CHECK(!asked->is_settled);
    asked->is_settled = true;
    asked->outcome = event->outcome;
    asked->answer = keep_values(event->args, event->attachments, event->attachment_count);
}

static void on_disconnect(sockline_io_client socket, int32_t reason, sockline_string detail, void *user_data) {
    (void)socket, (void)detail;
    ((struct client *)user_data)->reason = reason;
}

static void on_auth(sockline_io_client socket, sockline_io_question question, void *user_data) {
    struct client *client = user_data;
    (void)socket;
    must(sockline_io_answer_auth(question, sockline_str(text("{\"token\":\"secret\",\"n\":%d}", ++client->auths))));
}

static void on_freed(sockline_io_client socket, void *user_data) {
    (void)socket;
    ((struct client *)user_data)->is_freed = true;
}

static sockline_io_client_handlers handlers(void) {
    sockline_io_client_handlers out = SOCKLINE_IO_CLIENT_HANDLERS_INIT;
    out.on_connect = on_connect;
    out.on_connect_error = on_connect_error;
    out.on_event = on_event;
    out.on_ack = on_ack;
    out.on_disconnect = on_disconnect;
    out.on_auth = on_auth;
    out.on_freed = on_freed;
    return out;
}

/* ── clients ────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct client *new_client(void) {
    struct client *client = keep(sizeof *client);
    client->reason = -1;
    client->next = all_clients;
    all_clients = client;
    return client;
}

void end_scenario(void) {
    for (const struct client *client = all_clients; client; client = client->next) must(sockline_io_client_free(client->socket));
    for (const struct client *client = all_clients; client; client = client->next) AWAIT(client->is_freed);
    all_clients = NULL;
    forget_all();
}

static sockline_io_socket_options socket_options(const struct how *how) {
    sockline_io_socket_options options = SOCKLINE_IO_SOCKET_OPTIONS_INIT;
    if (how == NULL) return options;
    options.auth = sockline_str(how->auth);
    options.ask_auth = how->asks_auth;
    options.retries = how->retries;
    options.ack_timeout_ms = how->ack_timeout_ms;
    return options;
}

struct client *open_client(const char *nsp, const struct how *how) {
    struct client *client = new_client();
    sockline_header who = {sockline_str("who"), sockline_str(how ? how->who : NULL)};
    sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    options.reconnection = -1;
    options.parser = parser;
    options.transports = strcmp(way, "polling") == 0     ? SOCKLINE_IO_POLLING
                         : strcmp(way, "websocket") == 0 ? SOCKLINE_IO_WEBSOCKET
                                                         : 0;
    options.query = &who;
    options.query_count = how && how->who;
    sockline_io_socket_options of_socket = socket_options(how);
    sockline_io_client_handlers called = handlers();
    const char *url = text("%.*s%s", (int)(strlen(base_url) - 1), base_url, nsp);
    must(sockline_io_connect(loop, url, &options, &of_socket, &called, client, &client->socket));
    return client;
}

struct client *join_namespace(const struct client *other, const char *nsp, const struct how *how) {
    struct client *client = new_client();
    sockline_io_socket_options options = socket_options(how);
    sockline_io_client_handlers called = handlers();
    must(sockline_io_manager_socket(sockline_io_client_manager(other->socket), sockline_str(nsp), &options, &called, client,
                                    &client->socket));
    return client;
}

bool is_connected(const struct client *client) { return sockline_io_client_connected(client->socket) == 1; }

struct client *connect_client(const char *nsp, const struct how *how) {
    struct client *client = open_client(nsp, how);
    AWAIT(client->connections > 0);
    if (strcmp(way, "upgrade") == 0) {
        sockline_io_manager manager = sockline_io_client_manager(client->socket);
        AWAIT(sockline_io_manager_transport(manager) == SOCKLINE_IO_WEBSOCKET);
    }
    return client;
}

/* ── events ─────────────────────────────────────────────────────────────────────────────────────────────────── */

void emit_bytes(const struct client *client, const char *name, const char *args, const sockline_bytes *attachments, size_t count) {
    must(sockline_io_client_emit(client->socket, sockline_str(name), sockline_str(args), attachments, count, NULL));
}

void emit(const struct client *client, const char *name, const char *args) { emit_bytes(client, name, args, NULL, 0); }

struct asked *begin_to_ask(const struct client *client, const char *name, const char *args, const sockline_bytes *attachments,
                           size_t count, uint64_t timeout_ms) {
    struct asked *asked = keep(sizeof *asked);
    sockline_io_emit_options options = SOCKLINE_IO_EMIT_OPTIONS_INIT;
    options.wants_ack = 1;
    options.token = asked;
    options.timeout_ms = timeout_ms;
    must(sockline_io_client_emit(client->socket, sockline_str(name), sockline_str(args), attachments, count, &options));
    return asked;
}

struct values ask(const struct client *client, const char *name, const char *args) {
    struct asked *asked = begin_to_ask(client, name, args, NULL, 0, 0);
    AWAIT(asked->is_settled);
    CHECK(asked->outcome == SOCKLINE_IO_ANSWERED);
    return asked->answer;
}

static struct heard **find(struct heard **from, const char *name) {
    while (*from && strcmp((*from)->name, name) != 0) from = &(*from)->next;
    return from;
}

bool has_heard(const struct client *client, const char *name) {
    struct heard *heard = client->heard;
    return *find(&heard, name) != NULL;
}

struct values next(struct client *client, const char *name) {
    AWAIT(has_heard(client, name));
    struct heard **found = find(&client->heard, name);
    struct values values = (*found)->values;
    *found = (*found)->next;
    return values;
}

bool is(struct values values, const char *json) {
    const char *wanted = one_form(sockline_str(json));
    bool same = strcmp(values.args, wanted) == 0;
    if (!same) fprintf(stderr, "%s: %.300s\n  is not %.300s\n", scenario, values.args, wanted);
    return same;
}

bool has_bytes(struct values values, size_t index, sockline_bytes wanted) {
    if (index >= values.attachment_count || values.attachments[index].len != wanted.len) return false;
    return wanted.len == 0 || memcmp(values.attachments[index].data, wanted.data, wanted.len) == 0;
}
