/* The Socket.IO server of the interop tests as one of a cluster: what its environment and its events say is said in
 * ../../peers/README.md. Words and names have no escapes, and clients answer with one value. */

#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "socketio_server.h"

enum { WORDS = 16 };

static sockline_emitter *emitter;
static const char *node_name;

/* ── texts ──────────────────────────────────────────────────────────────────────────────────────────────────── */

struct text {
    char *data;
    size_t len;
};

static void add(struct text *text, const char *data, size_t len) {
    text->data = realloc(text->data, text->len + len + 1);
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = 0;
}

static void add_word(struct text *text, const char *word) { add(text, word, strlen(word)); }

static sockline_string whole(const struct text *text) { return (sockline_string){text->data, text->len}; }

static void add_name(struct text *text, sockline_string name) {
    add_word(text, "\"");
    add(text, name.data, name.len);
    add_word(text, "\"");
}

struct words {
    sockline_string words[WORDS];
    size_t count;
};

/* The words of a string; they stay where they are. */
static struct words split(sockline_string string) {
    struct words words = {.count = 0};
    while (string.len > 0 && words.count < WORDS) {
        const char *space = memchr(string.data, ' ', string.len);
        size_t len = space ? (size_t)(space - string.data) : string.len;
        if (len > 0) words.words[words.count++] = (sockline_string){string.data, len};
        if (space) len++;
        string = (sockline_string){string.data + len, string.len - len};
    }
    return words;
}

/* Answers of several, as one list with the attachments of all. */
struct list {
    struct text text;
    sockline_bytes *attachments;
    size_t attachment_count;
};

/* A value whose placeholders count from the attachments that the list has. */
static void add_renumbered(struct list *list, sockline_string value) {
    static const char mark[] = "{\"_placeholder\":true,\"num\":";
    char *copy = strndup(value.data, value.len), *from = copy, *found;
    while ((found = strstr(from, mark))) {
        char number[32], *end;
        found += sizeof mark - 1;
        size_t num = strtoull(found, &end, 10) + list->attachment_count;
        add(&list->text, from, (size_t)(found - from));
        snprintf(number, sizeof number, "%zu", num);
        add_word(&list->text, number);
        from = end;
    }
    add_word(&list->text, from);
    free(copy);
}

/* Acknowledges with the list and a note. */
static void answer_with_list(sockline_io_ack ack, const sockline_io_response *responses, size_t count, const char *note) {
    struct list list = {.attachment_count = 0};
    add_word(&list.text, "[");
    for (size_t i = 0; i < count; i++) {
        size_t more = responses[i].attachment_count;
        if (i > 0) add_word(&list.text, ",");
        add_renumbered(&list, responses[i].args);
        list.attachments = realloc(list.attachments, (list.attachment_count + more + 1) * sizeof *list.attachments);
        for (size_t j = 0; j < more; j++) list.attachments[list.attachment_count++] = responses[i].attachments[j];
    }
    add_word(&list.text, "],");
    add_name(&list.text, sockline_str(note));
    must(sockline_io_ack_send(ack, whole(&list.text), list.attachments, list.attachment_count));
    free(list.text.data);
    free(list.attachments);
}

/* ── what is asked ──────────────────────────────────────────────────────────────────────────────────────────── */

/* A token is an acknowledgement's number, which is below 2^53, with a bit that tells whose it is. */
static const uintptr_t OURS = (uintptr_t)1 << 62;

int answer_in_cluster(const sockline_io_broadcast_ack_event *event) {
    uintptr_t token = (uintptr_t)event->token;
    if (!(token & OURS)) return 0;
    answer_with_list(token & ~OURS, event->responses, event->response_count, event->timed_out ? "partial" : "complete");
    return 1;
}

static void servers_answered(sockline_status status, const sockline_io_response *responses, size_t count, size_t missing,
                             void *context) {
    const char *note = status < 0 ? "failed" : missing > 0 ? "partial" : "complete";
    answer_with_list((uintptr_t)context, responses, count, note);
}

static void add_socket(struct text *json, const sockline_io_socket_details *socket) {
    int is_first = 1;
    add_word(json, "{\"id\":");
    add_name(json, socket->id);
    add_word(json, ",\"data\":");
    add(json, socket->data.data, socket->data.len);
    add_word(json, ",\"rooms\":[");
    for (size_t i = 0; i < socket->room_count; i++) {
        sockline_string room = socket->rooms[i];
        if (room.len == socket->id.len && memcmp(room.data, socket->id.data, room.len) == 0) continue;
        if (!is_first) add_word(json, ",");
        add_name(json, room);
        is_first = 0;
    }
    add_word(json, "]}");
}

static void sockets_found(sockline_status status, const sockline_io_socket_details *sockets, size_t count, size_t missing,
                          void *context) {
    struct text json = {NULL, 0};
    add_word(&json, "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) add_word(&json, ",");
        add_socket(&json, &sockets[i]);
    }
    add_word(&json, status < 0 ? "],\"failed\"" : missing > 0 ? "],\"partial\"" : "],\"complete\"");
    must(sockline_io_ack_send((uintptr_t)context, whole(&json), NULL, 0));
    free(json.data);
}

static void servers_counted(sockline_status status, size_t count, void *context) {
    char number[32];
    snprintf(number, sizeof number, "%zu", status < 0 ? 0 : count);
    must(sockline_io_ack_send((uintptr_t)context, sockline_str(number), NULL, 0));
}

static void tell_node(sockline_io_socket socket, sockline_io_ack ack) {
    char json[256];
    snprintf(json, sizeof json, "{\"name\":\"%s\",\"pid\":%ld,\"recovered\":%s}", node_name, (long)getpid(),
             sockline_io_socket_recovered(socket) ? "true" : "false");
    must(sockline_io_ack_send(ack, sockline_str(json), NULL, 0));
}

/* ── what is ordered ────────────────────────────────────────────────────────────────────────────────────────── */

static void by_server(sockline_string name, const sockline_io_target *whom, sockline_string rest,
                      const sockline_io_event *event) {
    void *ack = (void *)(uintptr_t)event->ack;
    if (is(name, "do-broadcast") || is(name, "do-local")) {
        must(sockline_io_broadcast_emit(whom, sockline_str("said"), rest, event->attachments, event->attachment_count));
    } else if (is(name, "do-ask")) {
        sockline_io_target target = *whom;
        const char *comma = memchr(rest.data, ',', rest.len), *end = rest.data + rest.len;
        const char *values = comma ? comma + 1 : end;
        target.timeout_ms = strtoull(rest.data, NULL, 10);
        must(sockline_io_broadcast_emit_with_ack(&target, sockline_str("question"),
                                                 (sockline_string){values, (size_t)(end - values)}, event->attachments,
                                                 event->attachment_count, (void *)((uintptr_t)event->ack | OURS)));
    } else if (is(name, "do-fetch")) {
        must(sockline_io_fetch_sockets(whom, sockets_found, ack));
    } else if (is(name, "do-disconnect")) {
        must(sockline_io_broadcast_disconnect(whom, is(rest, "true")));
    } else {
        struct words rooms = split(first_string(rest, &rest));
        must(is(name, "do-join") ? sockline_io_broadcast_join(whom, rooms.words, rooms.count)
                                 : sockline_io_broadcast_leave(whom, rooms.words, rooms.count));
    }
}

static void by_emitter(sockline_string name, const sockline_emitter_target *whom, sockline_string rest,
                       const sockline_io_event *event) {
    if (is(name, "emitter-broadcast")) {
        must(sockline_emitter_emit(emitter, whom, sockline_str("said"), rest, event->attachments, event->attachment_count));
    } else if (is(name, "emitter-disconnect")) {
        must(sockline_emitter_disconnect(emitter, whom, is(rest, "true")));
    } else {
        struct words rooms = split(first_string(rest, &rest));
        must(is(name, "emitter-join") ? sockline_emitter_join(emitter, whom, rooms.words, rooms.count)
                                      : sockline_emitter_leave(emitter, whom, rooms.words, rooms.count));
    }
}

/* What begins with whom it is for. */
static void order(sockline_io_socket socket, const sockline_io_event *event) {
    sockline_string rest = event->args, nsp;
    struct words rooms = split(first_string(rest, &rest)), except = split(first_string(rest, &rest));
    char namespace_name[64];
    if (event->name.data[0] == 'd') {
        sockline_io_target whom = SOCKLINE_IO_TARGET_INIT;
        whom.nsp = sockline_io_socket_namespace(socket);
        whom.rooms = rooms.words, whom.room_count = rooms.count;
        whom.except = except.words, whom.except_count = except.count;
        whom.is_local = is(event->name, "do-local");
        by_server(event->name, &whom, rest, event);
        return;
    }
    sockline_io_namespace_name(sockline_io_socket_namespace(socket), namespace_name, sizeof namespace_name);
    nsp = sockline_str(namespace_name);
    sockline_emitter_target whom = SOCKLINE_EMITTER_TARGET_INIT;
    whom.nsp = nsp;
    whom.rooms = rooms.words, whom.room_count = rooms.count;
    whom.except = except.words, whom.except_count = except.count;
    by_emitter(event->name, &whom, rest, event);
}

int hear_in_cluster(sockline_io_socket socket, const sockline_io_event *event) {
    sockline_io_namespace nsp = sockline_io_socket_namespace(socket);
    sockline_string name = event->name;
    void *ack = (void *)(uintptr_t)event->ack;
    char namespace_name[64];
    if (is(name, "node")) {
        tell_node(socket, event->ack);
    } else if (is(name, "do-count")) {
        must(sockline_io_server_count(nsp, servers_counted, ack));
    } else if (is(name, "do-server-emit")) {
        must(sockline_io_server_side_emit(nsp, sockline_str("hello"), event->args, event->attachments, event->attachment_count));
    } else if (is(name, "do-server-ask")) {
        must(sockline_io_server_side_emit_with_ack(nsp, sockline_str("who"), event->args, event->attachments,
                                                   event->attachment_count, servers_answered, ack));
    } else if (is(name, "emitter-server-emit")) {
        sockline_io_namespace_name(nsp, namespace_name, sizeof namespace_name);
        must(sockline_emitter_server_side_emit(emitter, sockline_str(namespace_name), sockline_str("hello"), event->args,
                                               event->attachments, event->attachment_count));
    } else if (name.len > 3 && (memcmp(name.data, "do-", 3) == 0 || memcmp(name.data, "emi", 3) == 0)) {
        order(socket, event);
    } else {
        return 0;
    }
    return 1;
}

/* ── what others say ────────────────────────────────────────────────────────────────────────────────────────── */

static void on_server_side_emit(sockline_io_namespace nsp, const sockline_io_event *event, void *user_data) {
    struct text args = {NULL, 0};
    int is_question = is(event->name, "who");
    (void)user_data;
    add_word(&args, is_question ? "[" : "");
    add_name(&args, sockline_str(node_name));
    add_word(&args, event->args.len > 0 ? "," : "");
    add(&args, event->args.data, event->args.len);
    add_word(&args, is_question ? "]" : "");
    if (is_question) {
        must(sockline_io_server_ack_send(event->ack, whole(&args), event->attachments, event->attachment_count));
    } else {
        sockline_io_target local = SOCKLINE_IO_TARGET_INIT;
        local.nsp = nsp;
        local.is_local = 1;
        must(sockline_io_broadcast_emit(&local, sockline_str("heard"), whole(&args), event->attachments,
                                        event->attachment_count));
    }
    free(args.data);
}

static void on_connection(sockline_io_socket socket, void *user_data) {
    char auth[512];
    (void)user_data;
    sockline_io_socket_auth(socket, auth, sizeof auth);
    must(sockline_io_socket_set_data(socket, sockline_str(auth)));
}

static int64_t mode_of(const char *name) {
    if (!name || strcmp(name, "classic") == 0) return SOCKLINE_REDIS_CLASSIC;
    if (strcmp(name, "sharded") == 0) return SOCKLINE_REDIS_SHARDED;
    if (strcmp(name, "streams") == 0) return SOCKLINE_REDIS_STREAMS;
    fprintf(stderr, "socketio_server: $MODE is classic, sharded or streams, not %s\n", name);
    exit(2);
}

void join_cluster(sockline_io_server_options *options, sockline_io_handlers *handlers) {
    const char *url = getenv("ADAPTER"), *timeout = getenv("REQUESTS_TIMEOUT");
    sockline_redis_options redis = SOCKLINE_REDIS_OPTIONS_INIT;
    if (!url || !*url) return;
    node_name = getenv("NAME") ? getenv("NAME") : "c";
    redis.url = sockline_str(url);
    redis.mode = mode_of(getenv("MODE"));
    if (timeout) redis.requests_timeout_ms = strtoull(timeout, NULL, 10);
    options->forward_requests = getenv("FORWARD") ? 1 : 0;
    must(sockline_redis_new(&redis, NULL, NULL, &options->redis));
    must(sockline_emitter_new(options->redis, sockline_str(""), &emitter));
    handlers->on_connection = on_connection;
    handlers->on_server_side_emit = on_server_side_emit;
}
