/* The Socket.IO server of the interop tests, in C: socketio_server PORT [msgpack] [recovery] [embedded]; its environment makes it
 * one of a cluster. What its events do is said in ../../peers/README.md. Arguments are taken apart as far as the tests need it: rooms
 * are strings without escapes. */

#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "socketio_server.h"

enum { ROOMS = 64 };

void must(sockline_status status) {
    if (status >= 0) return;
    fprintf(stderr, "socketio_server: %s\n", sockline_last_error_text());
    exit(1);
}

int is(sockline_string name, const char *wanted) {
    return name.len == strlen(wanted) && memcmp(name.data, wanted, name.len) == 0;
}

sockline_string first_string(sockline_string args, sockline_string *rest) {
    const char *quote = memchr(args.data + 1, '"', args.len - 1);
    sockline_string string = {args.data + 1, (size_t)(quote - args.data) - 1};
    size_t used = (size_t)(quote - args.data) + 1;
    *rest = (sockline_string){args.data + used, args.len - used};
    if (rest->len > 0) rest->data++, rest->len--;
    return string;
}

static void answer(sockline_io_ack ack, const char *args) { must(sockline_io_ack_send(ack, sockline_str(args), NULL, 0)); }

static sockline_io_target everybody(sockline_io_socket socket) {
    sockline_io_target target = SOCKLINE_IO_TARGET_INIT;
    target.nsp = sockline_io_socket_namespace(socket);
    return target;
}

static void emit(sockline_io_socket socket, const char *name, const sockline_io_event *event) {
    must(sockline_io_emit(socket, sockline_str(name), event->args, event->attachments, event->attachment_count, NULL));
}

/* ── asking ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void ask(sockline_io_socket socket, const char *name, sockline_string args, uint64_t timeout_ms) {
    sockline_io_emit_options options = SOCKLINE_IO_EMIT_OPTIONS_INIT;
    options.wants_ack = 1;
    options.timeout_ms = timeout_ms;
    must(sockline_io_emit(socket, sockline_str(name), args, NULL, 0, &options));
}

static void on_ack(sockline_io_socket socket, const sockline_io_ack_event *event, void *user_data) {
    (void)user_data;
    sockline_string args = event->outcome == SOCKLINE_IO_ANSWERED ? event->args : sockline_str("\"timeout\"");
    if (event->outcome != SOCKLINE_IO_DISCONNECTED)
        must(sockline_io_emit(socket, sockline_str("answer"), args, event->attachments, event->attachment_count, NULL));
}

static void ask_room(sockline_io_socket socket, const sockline_io_event *event) {
    sockline_string rest, room = first_string(event->args, &rest);
    sockline_io_target target = everybody(socket);
    target.rooms = &room;
    target.room_count = 1;
    target.timeout_ms = 5000;
    must(sockline_io_broadcast_emit_with_ack(&target, sockline_str("question"), sockline_str("\"all\""), NULL, 0,
                                             (void *)(uintptr_t)event->ack));
}

static int by_text(const void *one, const void *other) { return strcmp(*(char *const *)one, *(char *const *)other); }

/* Strings with commas between them, in brackets; frees them. */
static void answer_list(sockline_io_ack ack, char **texts, size_t count) {
    char list[4096] = "[";
    qsort(texts, count, sizeof *texts, by_text);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) strcat(list, ",");
        strncat(list, texts[i], 100);
        free(texts[i]);
    }
    answer(ack, strcat(list, "]"));
}

static void on_broadcast_ack(sockline_io_namespace nsp, const sockline_io_broadcast_ack_event *event, void *user_data) {
    (void)nsp, (void)user_data;
    char *texts[ROOMS];
    if (answer_in_cluster(event)) return;
    if (event->timed_out) {
        answer((uintptr_t)event->token, "\"timeout\"");
        return;
    }
    for (size_t i = 0; i < event->response_count && i < ROOMS; i++)
        texts[i] = strndup(event->responses[i].args.data, event->responses[i].args.len);
    answer_list((uintptr_t)event->token, texts, event->response_count);
}

/* ── rooms ──────────────────────────────────────────────────────────────────────────────────────────────────── */

struct rooms {
    char id[32];
    char *names[ROOMS];
    size_t count;
};

static void see_room(sockline_string room, void *context) {
    struct rooms *rooms = context;
    if (is(room, rooms->id) || rooms->count == ROOMS) return;
    char *name = malloc(room.len + 3);
    snprintf(name, room.len + 3, "\"%.*s\"", (int)room.len, room.data);
    rooms->names[rooms->count++] = name;
}

static void list_rooms(sockline_io_socket socket, sockline_io_ack ack) {
    struct rooms rooms = {.count = 0};
    sockline_io_socket_id(socket, rooms.id, sizeof rooms.id);
    must(sockline_io_socket_rooms(socket, see_room, &rooms));
    answer_list(ack, rooms.names, rooms.count);
}

static void members_found(sockline_status status, const sockline_io_socket_details *sockets, size_t count, size_t missing,
                          void *context) {
    char number[32];
    (void)sockets, (void)missing;
    must(status);
    snprintf(number, sizeof number, "%zu", count);
    answer((uintptr_t)context, number);
}

static void say(sockline_io_socket socket, const sockline_io_event *event, int except) {
    sockline_string rest, room = first_string(event->args, &rest);
    sockline_io_target target = everybody(socket);
    if (!except) target.sender = socket;
    *(except ? &target.except : &target.rooms) = &room;
    *(except ? &target.except_count : &target.room_count) = 1;
    must(sockline_io_broadcast_emit(&target, sockline_str("said"), rest, event->attachments, event->attachment_count));
}

/* ── the rest ───────────────────────────────────────────────────────────────────────────────────────────────── */

static void see_who(const sockline_io_request *request, void *context) {
    for (size_t i = 0; i < request->query_count; i++)
        if (is(request->query[i].name, "who"))
            snprintf(context, 64, "\"%.*s\"", (int)request->query[i].value.len, request->query[i].value.data);
}

static void tell_who(sockline_io_socket socket, sockline_io_ack ack) {
    char auth[512], who[64] = "null", json[640];
    sockline_io_socket_auth(socket, auth, sizeof auth);
    must(sockline_io_socket_request(socket, see_who, who));
    snprintf(json, sizeof json, "{\"auth\":%s,\"who\":%s}", auth, who);
    answer(ack, json);
}

static void see_origin(const sockline_io_request *request, void *context) {
    char forwarded[64] = "null", *json = context;
    for (size_t i = 0; i < request->header_count; i++)
        if (is(request->headers[i].name, "x-forwarded-for"))
            snprintf(forwarded, sizeof forwarded, "\"%.*s\"", (int)request->headers[i].value.len, request->headers[i].value.data);
    snprintf(json, 160, "{\"address\":\"%.*s\",\"forwarded\":%s}", (int)request->address.len, request->address.data, forwarded);
}

static void tell_origin(sockline_io_socket socket, sockline_io_ack ack) {
    char json[160];
    must(sockline_io_socket_request(socket, see_origin, json));
    answer(ack, json);
}

static void on_event(sockline_io_socket socket, const sockline_io_event *event, void *user_data) {
    sockline_string name = event->name, rest;
    (void)user_data;
    if (hear_in_cluster(socket, event)) return;
    if (is(name, "echo")) {
        must(sockline_io_ack_send(event->ack, event->args, event->attachments, event->attachment_count));
    } else if (is(name, "bounce")) {
        emit(socket, "bounced", event);
    } else if (is(name, "ask")) {
        ask(socket, "question", event->args, 0);
    } else if (is(name, "ask-timeout")) {
        ask(socket, "unanswered", sockline_str(""), strtoull(event->args.data, NULL, 10));
    } else if (is(name, "join")) {
        sockline_string room = first_string(event->args, &rest);
        must(sockline_io_join(socket, &room, 1));
        answer(event->ack, "");
    } else if (is(name, "leave")) {
        must(sockline_io_leave(socket, first_string(event->args, &rest)));
        answer(event->ack, "");
    } else if (is(name, "rooms")) {
        list_rooms(socket, event->ack);
    } else if (is(name, "say") || is(name, "say-except")) {
        say(socket, event, is(name, "say-except"));
    } else if (is(name, "all")) {
        sockline_io_target target = everybody(socket);
        must(sockline_io_broadcast_emit(&target, name, event->args, event->attachments, event->attachment_count));
    } else if (is(name, "ask-room")) {
        ask_room(socket, event);
    } else if (is(name, "who")) {
        tell_who(socket, event->ack);
    } else if (is(name, "from")) {
        tell_origin(socket, event->ack);
    } else if (is(name, "members")) {
        sockline_string room = first_string(event->args, &rest);
        sockline_io_target target = everybody(socket);
        target.rooms = &room;
        target.room_count = 1;
        must(sockline_io_fetch_sockets(&target, members_found, (void *)(uintptr_t)event->ack));
    } else if (is(name, "kick")) {
        must(sockline_io_socket_disconnect(socket, is(event->args, "true")));
    }
}

static void on_connecting(sockline_io_question question, sockline_io_socket socket, void *user_data) {
    char name[64], auth[512];
    (void)user_data;
    sockline_io_namespace_name(sockline_io_socket_namespace(socket), name, sizeof name);
    sockline_io_socket_auth(socket, auth, sizeof auth);
    if (strcmp(name, "/admin") != 0 || strstr(auth, "\"token\":\"secret\""))
        must(sockline_io_allow_connection(question));
    else
        must(sockline_io_deny_connection(question, sockline_str("not allowed"), sockline_str("{\"code\":7}")));
}

static void on_namespace(sockline_io_question question, sockline_string name, sockline_string auth,
                         const sockline_io_request *request, void *user_data) {
    const char *prefix = "/dynamic-";
    size_t digits = 0;
    (void)auth, (void)request, (void)user_data;
    if (name.len > strlen(prefix) && memcmp(name.data, prefix, strlen(prefix)) == 0)
        while (strlen(prefix) + digits < name.len && strchr("0123456789", name.data[strlen(prefix) + digits])) digits++;
    must(sockline_io_answer_namespace(question, digits > 0 && strlen(prefix) + digits == name.len));
}

static void serve(sockline_loop *loop, uint32_t port, int msgpack, int recovers, int embedded) {
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_event = on_event;
    handlers.on_ack = on_ack;
    handlers.on_broadcast_ack = on_broadcast_ack;
    handlers.on_connecting = on_connecting;
    handlers.on_namespace = on_namespace;
    sockline_io_server_options options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    options.parser = msgpack ? SOCKLINE_IO_MSGPACK : SOCKLINE_IO_JSON;
    options.allow_eio3 = 1;
    sockline_io_recovery recovery = SOCKLINE_IO_RECOVERY_INIT;
    if (recovers) options.recovery = &recovery;
    join_cluster(&options, &handlers);
    sockline_io_server io;
    sockline_io_namespace admin;
    must(sockline_io_server_new(loop, &options, &handlers, NULL, &io));
    sockline_redis_free(options.redis); /* the server keeps it */
    must(sockline_io_of(io, sockline_str("/admin"), &admin));

    sockline_server_options listener = SOCKLINE_SERVER_OPTIONS_INIT;
    listener.port = embedded ? 0 : port;
    listener.nowhere = embedded;
    listener.io = &io;
    listener.io_count = 1;
    sockline_server server;
    must(sockline_listen(loop, &listener, NULL, NULL, &server));
    printf("listening %u\n", embedded ? listen_for(server, port) : sockline_server_port(server));
    fflush(stdout);
}

static int says(char **words, const char *wanted) {
    while (*words && strcmp(*words, wanted) != 0) words++;
    return *words != NULL;
}

int main(int argc, char **argv) {
    sockline_loop *loop = NULL;
    if (argc < 2) return 2;
    must(sockline_loop_new(NULL, &loop));
    serve(loop, (uint32_t)strtoul(argv[1], NULL, 10), says(argv + 2, "msgpack"), says(argv + 2, "recovery"),
          says(argv + 2, "embedded"));
    must(sockline_loop_run(loop));
    sockline_loop_free(loop);
    return 0;
}
