/* Connections whose events are awaited one by one: each wait turns the loop. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static sockline_loop *loop;
static sockline_tls *tls; /* of all connections */

static void on_open(sockline_ws ws, void *user_data) {
    (void)ws;
    ((struct peer *)user_data)->open = true;
}

static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    struct peer *peer = user_data;
    struct message *message = malloc(sizeof *message + len);
    (void)ws;
    if (message == NULL) fail("no memory");
    *message = (struct message){.type = type, .len = len};
    memcpy(message->data, data, len);
    *peer->last = message;
    peer->last = &message->next;
}

static void on_ping(sockline_ws ws, const void *data, size_t len, void *user_data) {
    struct peer *peer = user_data;
    (void)ws;
    memcpy(peer->ping, data, len);
    peer->ping[len] = '\0';
}

static void on_pong(sockline_ws ws, const void *data, size_t len, void *user_data) {
    struct peer *peer = user_data;
    (void)ws;
    memcpy(peer->pong, data, len);
    peer->pong[len] = '\0';
    peer->pongs++;
}

static void on_error(sockline_ws ws, const sockline_error_event *event, void *user_data) {
    struct peer *peer = user_data;
    (void)ws;
    if (peer->error != 0) fail("a second error: %s", event->text.data);
    peer->error = event->status;
    snprintf(peer->error_text, sizeof peer->error_text, "%s", event->text.data);
    peer->http_status = event->http_status;
}

static void on_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    struct peer *peer = user_data;
    (void)ws;
    if (peer->closed) fail("a second close");
    peer->closed = true;
    peer->code = event->code;
    peer->was_clean = event->was_clean;
    memcpy(peer->reason, event->reason.data, event->reason.len + 1);
}

void start(struct peer *peer, const char *url, const sockline_settings *settings) {
    static const sockline_handlers HANDLERS = {
        sizeof HANDLERS, .on_open = on_open,   .on_message = on_message, .on_ping = on_ping,
        .on_pong = on_pong, .on_error = on_error, .on_close = on_close,
    };
    sockline_settings roomy = SOCKLINE_SETTINGS_INIT;
    if (settings) roomy = *settings;
    roomy.max_message = MAX_MESSAGE;
    roomy.hard_limit = SOCKLINE_UNLIMITED;
    roomy.compression = compression();
    if (loop == NULL) {
        must(sockline_loop_new(NULL, &loop), "making a loop");
        tls = client_tls();
    }
    sockline_string subprotocols[] = {sockline_str("chat.v1"), sockline_str("chat.v3")};
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &roomy;
    options.subprotocols = subprotocols;
    options.subprotocol_count = sizeof subprotocols / sizeof *subprotocols;

    options.proxy = proxy();
    options.tls = tls;

    *peer = (struct peer){.last = &peer->first};
    must(sockline_connect(loop, url, &options, &HANDLERS, peer, &peer->ws), "connecting");
}

static void turn(void) {
    must(sockline_loop_poll(loop, -1), "turning the loop");
}

void await_open(struct peer *peer) {
    while (!peer->open && !peer->closed) turn();
    if (!peer->open) fail("could not connect: %s", peer->error_text);
}

void open_peer(struct peer *peer, const char *url) {
    start(peer, url, NULL);
    await_open(peer);
}

void say(struct peer *peer, int32_t type, const void *data, size_t len) {
    must(sockline_send(peer->ws, type, data, len), "sending");
}

struct message *next(struct peer *peer) {
    while (peer->first == NULL && !peer->closed) turn();
    struct message *message = peer->first;
    if (message == NULL) fail("closed with %d and %s, not a message", peer->code, sockline_status_name(peer->error));
    peer->first = message->next;
    if (peer->first == NULL) peer->last = &peer->first;
    return message;
}

void expect_message(struct peer *peer, int32_t type, const void *data, size_t len) {
    struct message *message = next(peer);
    if (message->type != type || message->len != len || memcmp(message->data, data, len) != 0)
        fail("wanted %zu bytes of type %d, got %zu of type %d, or others", len, type, message->len, message->type);
    free(message);
}

void expect_echo(struct peer *peer, int32_t type, const void *data, size_t len) {
    say(peer, type, data, len);
    expect_message(peer, type, data, len);
}

void expect_pong(struct peer *peer, const char *payload) {
    int before = peer->pongs;
    must(sockline_ping(peer->ws, payload, strlen(payload)), "pinging");
    while (peer->pongs == before && !peer->closed) turn();
    if (peer->pongs == before || strcmp(peer->pong, payload) != 0)
        fail("pinged with '%s', got the pong '%s'", payload, peer->pong);
}

void expect_end(struct peer *peer, int32_t code, bool was_clean, int32_t error) {
    while (!peer->closed) turn();
    if (peer->code != code || peer->was_clean != was_clean || peer->error != error)
        fail("closed with %d, clean: %d, %s; not with %d, clean: %d, %s", peer->code, peer->was_clean,
             sockline_status_name(peer->error), code, was_clean, sockline_status_name(error));
    if (peer->first) fail("a message was left over");
}

void finish(struct peer *peer) {
    must(sockline_close(peer->ws, 1000, "finished", strlen("finished")), "closing");
    expect_end(peer, 1000, true, SOCKLINE_OK);
}
