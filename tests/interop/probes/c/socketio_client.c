/* The behaviour of a Socket.IO client, one scenario after the other, in C: socketio_client URL [TRANSPORTS [SCENARIO]]
 *
 * TRANSPORTS: polling, websocket or upgrade, which is the default. $PARSER is msgpack for that parser. It prints `ok NAME`
 * for each scenario, and ends with the first that fails. What the server does is said in ../../peers/README.md. */

#define _POSIX_C_SOURCE 200809L

#include "socketio_waiting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACEHOLDER(number) "{\"_placeholder\":true,\"num\":" #number "}"

static const char *repeated(const char *part, size_t times) {
    size_t len = strlen(part);
    char *out = keep(len * times + 1);
    for (size_t i = 0; i < times; i++) memcpy(out + i * len, part, len);
    return out;
}

static void an_event_is_acknowledged_with_its_arguments(void) {
    struct client *socket = connect_client("/", NULL);
    const char *values[] = {
        "1", "-2.5", "\"κόσμε €😀\\u2028\\u0000\\\"\\\\\"", "null", "true", "[]", "{}", "[1,[2,{\"a\":null}]]", "{\"a b\":[\"x\"]}",
        text("\"%s\"", repeated("x", 20000)), "1,\"two\",[3]", "",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) CHECK(is(ask(socket, "echo", values[i]), values[i]));
}

static void binary_values_go_both_ways(void) {
    struct client *socket = connect_client("/", NULL);
    sockline_bytes sent[] = {pattern(1), pattern(5000), pattern(0), {"\1\2\3", 3}};
    const char *args = "[" PLACEHOLDER(0) ",{\"deep\":[" PLACEHOLDER(1) ",\"text\"," PLACEHOLDER(2) "]}," PLACEHOLDER(3) "]";
    struct asked *asked = begin_to_ask(socket, "echo", args, sent, 4, 0);
    AWAIT(asked->is_settled);
    CHECK(is(asked->answer, args));
    for (size_t i = 0; i < 4; i++) CHECK(has_bytes(asked->answer, i, sent[i]));

    sockline_bytes two[] = {pattern(70000), pattern(3)};
    args = "\"a\"," PLACEHOLDER(0) ",{\"b\":" PLACEHOLDER(1) "}";
    emit_bytes(socket, "bounce", args, two, 2);
    struct values bounced = next(socket, "bounced");
    CHECK(is(bounced, args) && has_bytes(bounced, 0, two[0]) && has_bytes(bounced, 1, two[1]));
}

static void events_keep_their_order(void) {
    struct client *socket = connect_client("/", NULL);
    for (int i = 0; i < 300; i++) {
        sockline_bytes data = pattern((size_t)i);
        emit_bytes(socket, "bounce", i % 7 == 0 ? PLACEHOLDER(0) : text("%d", i), &data, i % 7 == 0);
    }
    for (int i = 0; i < 300; i++) {
        struct values bounced = next(socket, "bounced");
        CHECK(i % 7 == 0 ? has_bytes(bounced, 0, pattern((size_t)i)) : is(bounced, text("%d", i)));
    }
}

static void the_order_holds_over_the_upgrade(void) {
    struct client *socket = open_client("/", NULL);
    for (int i = 0; i < 500; i++) {
        emit(socket, "bounce", text("%d", i));
        if (i % 50 == 49) turn(deadline(), "anything");
    }
    for (int i = 0; i < 500; i++) CHECK(is(next(socket, "bounced"), text("%d", i)));
}

static void the_server_asks_and_the_client_answers(void) {
    struct client *socket = connect_client("/", NULL);
    socket->answer = "\"a-1\"";
    emit(socket, "ask", "\"a\",1");
    CHECK(is(next(socket, "question"), "\"a\",1"));
    CHECK(is(next(socket, "answer"), "\"a-1\""));
}

static void an_answer_that_does_not_come_times_out(void) {
    struct client *socket = connect_client("/", NULL);
    emit(socket, "ask-timeout", "50");
    CHECK(is(next(socket, "answer"), "\"timeout\""));
    struct asked *asked = begin_to_ask(socket, "nobody hears this", "", NULL, 0, 50);
    AWAIT(asked->is_settled);
    CHECK(asked->outcome == SOCKLINE_IO_TIMEOUT);
}

static void an_answer_is_not_waited_for_longer_than_the_connection(void) {
    struct client *socket = connect_client("/", NULL);
    struct asked *asked = begin_to_ask(socket, "nobody hears this", "", NULL, 0, 0);
    must(sockline_io_client_disconnect(socket->socket));
    AWAIT(asked->is_settled && socket->reason != -1);
    CHECK(asked->outcome == SOCKLINE_IO_DISCONNECTED && socket->reason == SOCKLINE_IO_CLIENT_DISCONNECT);
}

static void events_are_sent_again_until_they_are_given_up(void) {
    struct client *socket = connect_client("/", &(struct how){.retries = 2, .ack_timeout_ms = 30});
    struct asked *lost = begin_to_ask(socket, "nobody hears this", "", NULL, 0, 0);
    struct asked *found = begin_to_ask(socket, "echo", "1", NULL, 0, 20000);
    AWAIT(lost->is_settled);
    CHECK(lost->outcome == SOCKLINE_IO_TIMEOUT && !found->is_settled);
    AWAIT(found->is_settled);
    CHECK(is(found->answer, "1"));
}

static void what_is_volatile_is_dropped_without_a_connection(void) {
    struct client *socket = open_client("/", NULL);
    sockline_io_emit_options options = SOCKLINE_IO_EMIT_OPTIONS_INIT;
    options.is_volatile = 1;
    sockline_string name = sockline_str("bounce");
    CHECK(sockline_io_client_emit(socket->socket, name, sockline_str("1"), NULL, 0, &options) == SOCKLINE_DROPPED);
    emit(socket, "bounce", "2");
    CHECK(is(next(socket, "bounced"), "2"));
    struct client *idle = connect_client("/", NULL);
    ask(idle, "echo", "");
    AWAIT(sockline_io_client_emit(idle->socket, name, sockline_str("3"), NULL, 0, &options) == SOCKLINE_OK);
    CHECK(is(next(idle, "bounced"), "3"));
}

static void rooms_are_joined_reached_and_left(void) {
    struct client *one = connect_client("/", NULL), *two = connect_client("/", NULL), *three = connect_client("/", NULL);
    ask(one, "join", "\"blue\"");
    ask(two, "join", "\"blue\"");
    CHECK(is(ask(one, "rooms", ""), "[\"blue\"]"));
    emit(one, "say", "\"blue\",\"hello\"");
    CHECK(is(next(two, "said"), "\"hello\""));
    emit(one, "say-except", "\"blue\",\"others\"");
    CHECK(is(next(three, "said"), "\"others\""));
    CHECK(is(ask(two, "members", "\"blue\""), "2"));
    ask(two, "leave", "\"blue\"");
    CHECK(is(ask(two, "rooms", ""), "[]"));
    emit(one, "say", "\"blue\",\"nobody\"");
    sockline_bytes data = pattern(3);
    emit_bytes(one, "all", "\"end\"," PLACEHOLDER(0), &data, 1);
    struct client *everybody[] = {one, two, three};
    for (size_t i = 0; i < 3; i++) {
        struct values all = next(everybody[i], "all");
        CHECK(is(all, "\"end\"," PLACEHOLDER(0)) && has_bytes(all, 0, data));
        CHECK(!has_heard(everybody[i], "said"));
    }
}

static void a_room_is_asked_and_all_of_it_answers(void) {
    struct client *sockets[3];
    for (int i = 0; i < 3; i++) {
        sockets[i] = connect_client("/", NULL);
        sockets[i]->answer = text("\"all %d\"", i);
        if (i < 2) ask(sockets[i], "join", "\"asked\"");
    }
    CHECK(is(ask(sockets[2], "ask-room", "\"asked\""), "[\"all 0\",\"all 1\"]"));
}

static void what_the_client_says_of_itself_is_known(void) {
    struct client *socket = connect_client("/", &(struct how){.auth = "{\"token\":\"abc\",\"deep\":[1]}", .who = "me & you"});
    CHECK(is(ask(socket, "who", ""), "{\"auth\":{\"token\":\"abc\",\"deep\":[1]},\"who\":\"me & you\"}"));
}

static void what_it_says_is_asked_for_each_time(void) {
    struct client *socket = connect_client("/admin", &(struct how){.asks_auth = true});
    CHECK(is(ask(socket, "who", ""), "{\"auth\":{\"token\":\"secret\",\"n\":1},\"who\":null}"));
    must(sockline_io_client_disconnect(socket->socket));
    must(sockline_io_client_connect(socket->socket));
    AWAIT(socket->connections == 2);
    CHECK(is(ask(socket, "who", ""), "{\"auth\":{\"token\":\"secret\",\"n\":2},\"who\":null}"));
}

static const char *id_of(const struct client *client) {
    char *id = keep(64);
    sockline_io_client_id(client->socket, id, 64);
    return id;
}

static void namespaces_share_a_connection_and_nothing_else(void) {
    struct client *one = connect_client("/", NULL);
    struct client *admin = join_namespace(one, "/admin", &(struct how){.auth = "{\"token\":\"secret\"}"});
    struct client *dynamic = join_namespace(one, "/dynamic-42", NULL);
    AWAIT(is_connected(admin) && is_connected(dynamic));
    CHECK(strcmp(id_of(one), id_of(admin)) != 0 && strcmp(id_of(one), id_of(dynamic)) != 0);
    CHECK(sockline_io_client_manager(admin->socket) == sockline_io_client_manager(one->socket));
    ask(one, "join", "\"same\"");
    ask(admin, "join", "\"same\"");
    ask(dynamic, "join", "\"same\"");
    CHECK(is(ask(admin, "members", "\"same\""), "1"));
    emit(admin, "all", "1");
    CHECK(is(next(admin, "all"), "1"));
    must(sockline_io_client_disconnect(admin->socket));
    CHECK(is(ask(dynamic, "echo", "\"still here\""), "\"still here\""));
    CHECK(!has_heard(dynamic, "all") && !has_heard(one, "all"));
}

static void a_middleware_refuses_with_its_data(void) {
    struct client *socket = open_client("/admin", &(struct how){.auth = "{\"token\":\"wrong\"}"});
    AWAIT(socket->message);
    CHECK(strcmp(socket->message, "not allowed") == 0 && strcmp(socket->data, "{\"code\":7}") == 0);
    CHECK(sockline_io_client_active(socket->socket) == 0);
    must(sockline_io_client_set_auth(socket->socket, sockline_str("{\"token\":\"secret\"}")));
    must(sockline_io_client_connect(socket->socket));
    AWAIT(is_connected(socket));
}

static void a_namespace_that_is_not_there_is_refused(void) {
    struct client *socket = open_client("/dynamic-x", NULL);
    AWAIT(socket->message);
    CHECK(strcmp(socket->message, "Invalid namespace") == 0);
}

static void the_server_disconnects_a_socket(void) {
    struct client *socket = connect_client("/dynamic-1", NULL);
    emit(socket, "kick", "false");
    AWAIT(socket->reason != -1);
    CHECK(socket->reason == SOCKLINE_IO_SERVER_DISCONNECT && sockline_io_client_active(socket->socket) == 0);
    must(sockline_io_client_connect(socket->socket));
    AWAIT(socket->connections == 2);
    CHECK(is(ask(socket, "echo", "\"again\""), "\"again\""));
}

static void the_server_disconnects_the_whole_client(void) {
    struct client *socket = connect_client("/", NULL);
    emit(socket, "kick", "true");
    AWAIT(socket->reason != -1);
    CHECK(socket->reason == SOCKLINE_IO_SERVER_DISCONNECT);
}

static void a_manager_is_closed_and_opened_again(void) {
    struct client *socket = connect_client("/", NULL);
    must(sockline_io_manager_close(sockline_io_client_manager(socket->socket)));
    AWAIT(socket->reason != -1);
    CHECK(socket->reason == SOCKLINE_IO_CLIENT_FORCED_CLOSE && !is_connected(socket));
    emit(socket, "bounce", "\"kept\"");
    CHECK(sockline_io_client_send_buffer_len(socket->socket) == 1);
    must(sockline_io_client_connect(socket->socket));
    CHECK(is(next(socket, "bounced"), "\"kept\""));
    CHECK(socket->connections == 2 && sockline_io_client_recovered(socket->socket) == 0);
}

static void a_client_leaves_and_its_rooms_with_it(void) {
    struct client *stays = connect_client("/", NULL), *goes = connect_client("/", NULL);
    ask(stays, "join", "\"leaving\"");
    ask(goes, "join", "\"leaving\"");
    must(sockline_io_client_disconnect(goes->socket));
    uint64_t end = deadline();
    while (strcmp(ask(stays, "members", "\"leaving\"").args, "1") != 0) turn(end, "the end of the membership");
}

static void big_events_and_many_of_them(void) {
    struct client *socket = connect_client("/", NULL);
    const char *big = repeated("é", 100000), *args[30];
    struct asked *asked[30];
    for (int i = 0; i < 30; i++) {
        args[i] = text("{\"i\":%d,\"big\":\"%s\"}", i, big);
        asked[i] = begin_to_ask(socket, "echo", args[i], NULL, 0, 0);
    }
    for (int i = 0; i < 30; i++) {
        AWAIT(asked[i]->is_settled);
        CHECK(asked[i]->outcome == SOCKLINE_IO_ANSWERED && is(asked[i]->answer, args[i]));
    }
}

/* Where the server keeps the state of clients that have gone. Events end with their offset there. */
static void a_client_comes_back_and_has_missed_nothing(void) {
    struct client *stays = connect_client("/", NULL), *goes = connect_client("/", NULL);
    ask(goes, "join", "\"kept\"");
    emit(stays, "all", "1");
    next(goes, "all");
    const char *id = id_of(goes);
    must(sockline_io_manager_close(sockline_io_client_manager(goes->socket)));
    AWAIT(goes->reason != -1);
    while (strcmp(ask(stays, "members", "\"kept\"").args, "0") != 0) continue;
    emit(stays, "say", "\"kept\",\"missed\"");
    must(sockline_io_client_connect(goes->socket));
    AWAIT(goes->connections == 2);
    CHECK(sockline_io_client_recovered(goes->socket) == 1 && strcmp(id_of(goes), id) == 0);
    CHECK(strncmp(next(goes, "said").args, "\"missed\"", 8) == 0);
    CHECK(is(ask(goes, "rooms", ""), "[\"kept\"]"));
}

#define SCENARIO(function) {#function, function}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    SCENARIO(an_event_is_acknowledged_with_its_arguments),
    SCENARIO(binary_values_go_both_ways),
    SCENARIO(events_keep_their_order),
    SCENARIO(the_order_holds_over_the_upgrade),
    SCENARIO(the_server_asks_and_the_client_answers),
    SCENARIO(an_answer_that_does_not_come_times_out),
    SCENARIO(an_answer_is_not_waited_for_longer_than_the_connection),
    SCENARIO(events_are_sent_again_until_they_are_given_up),
    SCENARIO(what_is_volatile_is_dropped_without_a_connection),
    SCENARIO(rooms_are_joined_reached_and_left),
    SCENARIO(a_room_is_asked_and_all_of_it_answers),
    SCENARIO(what_the_client_says_of_itself_is_known),
    SCENARIO(what_it_says_is_asked_for_each_time),
    SCENARIO(namespaces_share_a_connection_and_nothing_else),
    SCENARIO(a_middleware_refuses_with_its_data),
    SCENARIO(a_namespace_that_is_not_there_is_refused),
    SCENARIO(the_server_disconnects_a_socket),
    SCENARIO(the_server_disconnects_the_whole_client),
    SCENARIO(a_manager_is_closed_and_opened_again),
    SCENARIO(a_client_leaves_and_its_rooms_with_it),
    SCENARIO(big_events_and_many_of_them),
    SCENARIO(a_client_comes_back_and_has_missed_nothing), /* the last: only if it is asked for */
};

int main(int argc, char **argv) {
    const char *parser = getenv("PARSER"), *only = argc > 3 ? argv[3] : NULL;
    const size_t count = sizeof scenarios / sizeof *scenarios;
    sockline_loop *loop = NULL;
    if (argc < 2) return 2;
    must(sockline_loop_new(NULL, &loop));
    set_out(loop, argv[1], argc > 2 ? argv[2] : "upgrade",
            parser && strcmp(parser, "msgpack") == 0 ? SOCKLINE_IO_MSGPACK : SOCKLINE_IO_JSON);
    for (size_t i = 0; i < count; i++) {
        if (only ? strcmp(scenarios[i].name, only) != 0 : i == count - 1) continue;
        begin_scenario(scenarios[i].name);
        scenarios[i].run();
        end_scenario();
        printf("ok %s\n", scenarios[i].name);
        fflush(stdout);
    }
    sockline_loop_free(loop);
    return 0;
}
