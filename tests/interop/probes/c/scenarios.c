/* The probe as a client: the scenarios. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

enum { CONNECTIONS = 1000, LISTENERS = 3, SOON = 200 /* ms */ };

static const char *at; /* the URL */
static struct peer peer;

static void text(const char *said) {
    expect_echo(&peer, SOCKLINE_TEXT, said, strlen(said));
}

static void echo(void) {
    open_peer(&peer, at);
    text("hello");
    text("");
    expect_echo(&peer, SOCKLINE_TEXT, "κόσμε €😀\0", sizeof "κόσμε €😀\0" - 1);
    expect_echo(&peer, SOCKLINE_BINARY, pattern, 64);
    expect_echo(&peer, SOCKLINE_BINARY, NULL, 0);
    finish(&peer);
}

static void connection(void) {
    open_peer(&peer, at);
    say(&peer, SOCKLINE_TEXT, padding, PADDING);
    struct message *reply = next(&peer);
    struct state state = state_of(peer.ws);
    finish(&peer);
    printf("{\"probe\":\"c\",\"scenario\":\"connection\",\"extensions\":\"%s\",\"tls\":\"%s\",\"server\":%.*s}\n",
           state.extensions, state.tls, (int)reply->len, (const char *)reply->data);
    free(reply);
}

static void sizes(void) {
    char *xs = malloc(LARGEST);
    if (xs == NULL) fail("no memory");
    memset(xs, 'x', LARGEST);
    open_peer(&peer, at);
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        expect_echo(&peer, SOCKLINE_BINARY, pattern, SIZES[i]);
        expect_echo(&peer, SOCKLINE_TEXT, xs, SIZES[i]);
    }
    finish(&peer);
    free(xs);
}

static void receive(void) {
    open_peer(&peer, at);
    for (size_t i = 0; i < SIZE_COUNT; i++) expect_message(&peer, SOCKLINE_BINARY, pattern, SIZES[i]);
    finish(&peer);
}

static void fragments(void) {
    static const char words[] = "κόσμε €😀 ";
    enum { LEN = sizeof words - 1, TIMES = 1000 };
    static char long_text[LEN * TIMES];
    for (int i = 0; i < TIMES; i++) memcpy(long_text + LEN * i, words, LEN);
    open_peer(&peer, at);
    expect_message(&peer, SOCKLINE_TEXT, long_text, sizeof long_text);
    expect_message(&peer, SOCKLINE_BINARY, pattern, 100000);
    finish(&peer);
}

static void ping(void) {
    char longest[126] = {0};
    memset(longest, 'x', sizeof longest - 1);
    open_peer(&peer, at);
    expect_pong(&peer, "");
    expect_pong(&peer, "are you there");
    expect_pong(&peer, longest);
    if (sockline_latency(peer.ws) < 0) fail("no latency after three pongs");
    finish(&peer);
}

static void pinged(void) {
    open_peer(&peer, at);
    expect_message(&peer, SOCKLINE_TEXT, "pong ok", strlen("pong ok"));
    if (strcmp(peer.ping, "are you there") != 0) fail("on_ping got '%s'", peer.ping);
    finish(&peer);
}

static void greet(void) {
    open_peer(&peer, at);
    expect_message(&peer, SOCKLINE_TEXT, "hello before you asked", strlen("hello before you asked"));
    text("hello yourself");
    finish(&peer);
}

static void close_with_code(void) {
    static const char reason[] = "the client is done";
    open_peer(&peer, at);
    must(sockline_close(peer.ws, 4001, reason, sizeof reason - 1), "closing");
    expect_end(&peer, 4001, true, SOCKLINE_OK);
}

static void server_close(void) {
    open_peer(&peer, at);
    expect_end(&peer, 4321, true, SOCKLINE_OK);
    if (strcmp(peer.reason, "enough") != 0) fail("the reason is '%s'", peer.reason);
}

static void refuse(void) {
    start(&peer, at, NULL);
    expect_end(&peer, 1006, false, SOCKLINE_ERR_REFUSED);
}

static void subprotocol(void) {
    start(&peer, at, NULL);
    expect_end(&peer, 1006, false, SOCKLINE_ERR_HANDSHAKE_FAILED);
}

static void subprotocol_ok(void) {
    char chosen[16];
    open_peer(&peer, at);
    sockline_protocol(peer.ws, chosen, sizeof chosen);
    if (strcmp(chosen, "chat.v3") != 0) fail("the subprotocol is '%s'", chosen);
    finish(&peer);
}

static void stall(void) {
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.ping_interval_ms = settings.ping_timeout_ms = SOON;
    start(&peer, at, &settings);
    expect_end(&peer, 1006, false, SOCKLINE_ERR_PEER_DEAD);
}

static void half(void) {
    open_peer(&peer, at);
    expect_end(&peer, 1006, false, SOCKLINE_OK);
}

static void silent_close(void) {
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.close_timeout_ms = SOON;
    start(&peer, at, &settings);
    await_open(&peer);
    must(sockline_close(peer.ws, 1000, NULL, 0), "closing");
    expect_end(&peer, 1006, false, SOCKLINE_ERR_CLOSE_TIMEOUT);
}

static void connections(void) {
    static struct peer peers[CONNECTIONS];
    char words[32];
    for (int i = 0; i < CONNECTIONS; i++) start(&peers[i], at, NULL);
    for (int i = 0; i < CONNECTIONS; i++) {
        await_open(&peers[i]);
        say(&peers[i], SOCKLINE_TEXT, words, (size_t)snprintf(words, sizeof words, "connection %d", i));
    }
    for (int i = 0; i < CONNECTIONS; i++)
        expect_message(&peers[i], SOCKLINE_TEXT, words, (size_t)snprintf(words, sizeof words, "connection %d", i));
    for (int i = 0; i < CONNECTIONS; i++) finish(&peers[i]);
}

static void broadcast(void) {
    static struct peer peers[LISTENERS];
    char words[32];
    for (int i = 0; i < LISTENERS; i++) open_peer(&peers[i], at);
    for (int i = 0; i < LISTENERS; i++) {
        size_t len = (size_t)snprintf(words, sizeof words, "to all from %d", i);
        say(&peers[i], SOCKLINE_TEXT, words, len);
        for (int j = 0; j < LISTENERS; j++) expect_message(&peers[j], SOCKLINE_TEXT, words, len);
    }
    for (int i = 0; i < LISTENERS; i++) finish(&peers[i]);
}

static const struct {
    const char *name;
    void (*run)(void);
} SCENARIOS[] = {
    {"echo", echo},         {"sizes", sizes},
    {"receive", receive},   {"fragments", fragments},
    {"ping", ping},         {"pinged", pinged},
    {"greet", greet},       {"close", close_with_code},
    {"refuse", refuse},     {"server-close", server_close},
    {"stall", stall},       {"subprotocol", subprotocol},
    {"half", half},         {"subprotocol-ok", subprotocol_ok},
    {"kill", half},         {"silent-close", silent_close},
    {"broadcast", broadcast}, {"connections", connections},
    {"connection", connection},
};

int run_scenario(const char *url, const char *name) {
    at = url;
    for (size_t i = 0; i < sizeof SCENARIOS / sizeof *SCENARIOS; i++) {
        if (strcmp(SCENARIOS[i].name, name) != 0) continue;
        SCENARIOS[i].run();
        if (SCENARIOS[i].run == connection) return 0; /* which has said more */
        printf("{\"probe\":\"c\",\"scenario\":\"%s\",\"status\":%d}\n", name, peer.http_status);
        return 0;
    }
    fail("there is no such scenario");
}
