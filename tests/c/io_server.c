/* Socket.IO's server: a client that speaks the protocol by hand, over a WebSocket, hears what the application does. */

#include "support.h"

#include <pthread.h>

enum { FRAMES = 32, LONGEST = 256 };

/* A client, and the texts that it got: binary ones as "b" and their length. */
struct client {
    sockline_ws ws;
    char frames[FRAMES][LONGEST];
    size_t count;
    bool is_open, is_closed;
};

/* What the application has heard: a letter for each event, and the last values. */
struct heard {
    char events[64];
    size_t count;
    sockline_io_socket socket;
    sockline_io_ack ack;
    sockline_io_question question;
    char text[LONGEST];
    int32_t outcome, reason;
    size_t expected, responses;
    void *token;
};

struct site {
    sockline_loop *loop;
    sockline_io_server io;
    sockline_server server;
    sockline_io_namespace root;
    struct heard heard;
};

#define TEXT(site, ...) snprintf((site)->heard.text, LONGEST, __VA_ARGS__)
#define STR(string) (int)(string).len, (string).data

static void hear(struct site *site, char event) {
    CHECK(site->heard.count + 1 < sizeof site->heard.events);
    site->heard.events[site->heard.count++] = event;
}

static bool heard(const struct site *site, const char *events) { return strcmp(site->heard.events, events) == 0; }

static void on_frame(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    struct client *client = user_data;
    (void)ws;
    CHECK(client->count < FRAMES && len < LONGEST);
    char *frame = client->frames[client->count++];
    if (type == SOCKLINE_BINARY)
        snprintf(frame, LONGEST, "b%zu", len);
    else
        snprintf(frame, LONGEST, "%.*s", (int)len, (const char *)data);
}

static void on_open(sockline_ws ws, void *user_data) { ((struct client *)user_data)->ws = ws, ((struct client *)user_data)->is_open = true; }

static void on_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    (void)ws, (void)event;
    ((struct client *)user_data)->is_closed = true;
}

static void say(const struct client *client, const char *text) {
    CHECK_STATUS(SOCKLINE_OK, sockline_send(client->ws, SOCKLINE_TEXT, text, strlen(text)));
}

/* Whether the client has got a text that begins so, and is it the latest. */
static bool got(const struct client *client, const char *text) {
    return client->count > 0 && strncmp(client->frames[client->count - 1], text, strlen(text)) == 0;
}

static void join_site(struct site *site, struct client *client, const char *connect) {
    memset(client, 0, sizeof *client);
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = on_open;
    handlers.on_message = on_frame;
    handlers.on_close = on_close;
    char url[96];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/socket.io/?EIO=4&transport=websocket&who=me",
             sockline_server_port(site->server));
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(site->loop, url, NULL, &handlers, client, NULL));
    UNTIL(site->loop, client->is_open && got(client, "0{\"sid\":\""));
    say(client, connect);
}

static void on_connection(sockline_io_socket socket, void *user_data) {
    ((struct site *)user_data)->heard.socket = socket;
    hear(user_data, 'c');
}

static void on_event(sockline_io_socket socket, const sockline_io_event *event, void *user_data) {
    struct site *site = user_data;
    CHECK(event->size == sizeof *event && socket == site->heard.socket);
    site->heard.ack = event->ack;
    TEXT(site, "%.*s|%.*s|%.*s|%zu", STR(event->name), STR(event->args), STR(event->array), event->attachment_count);
    hear(site, 'e');
}

static void on_ack(sockline_io_socket socket, const sockline_io_ack_event *event, void *user_data) {
    struct site *site = user_data;
    (void)socket;
    site->heard.outcome = event->outcome;
    site->heard.token = event->token;
    TEXT(site, "%.*s", STR(event->args));
    hear(site, 'a');
}

static void on_broadcast_ack(sockline_io_namespace nsp, const sockline_io_broadcast_ack_event *event, void *user_data) {
    struct site *site = user_data;
    CHECK(nsp == site->root);
    site->heard.expected = event->expected;
    site->heard.responses = event->response_count;
    site->heard.token = event->token;
    TEXT(site, "%.*s", event->response_count ? (int)event->responses[0].args.len : 0,
         event->response_count ? event->responses[0].args.data : "");
    hear(site, 'b');
}

static void on_disconnecting(sockline_io_socket socket, int32_t reason, void *user_data) {
    (void)reason;
    CHECK(sockline_io_socket_connected(socket) == 0);
    hear(user_data, '-');
}

static void on_disconnect(sockline_io_socket socket, int32_t reason, sockline_string detail, void *user_data) {
    struct site *site = user_data;
    (void)socket, (void)detail;
    site->heard.reason = reason;
    hear(site, 'd');
}

static void on_server_closed(sockline_io_server server, void *user_data) {
    CHECK(server == ((struct site *)user_data)->io);
    hear(user_data, 'z');
}

static sockline_io_handlers recording_io(void) {
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_connection = on_connection;
    handlers.on_event = on_event;
    handlers.on_ack = on_ack;
    handlers.on_broadcast_ack = on_broadcast_ack;
    handlers.on_disconnecting = on_disconnecting;
    handlers.on_disconnect = on_disconnect;
    handlers.on_server_closed = on_server_closed;
    return handlers;
}

static void open_site(struct site *site, const sockline_io_server_options *options, sockline_io_handlers handlers) {
    memset(site, 0, sizeof *site);
    site->loop = new_loop();
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_new(site->loop, options, &handlers, site, &site->io));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_of(site->io, sockline_str("/"), &site->root));
    sockline_server_options listener = SOCKLINE_SERVER_OPTIONS_INIT;
    listener.host = sockline_str("127.0.0.1");
    listener.io = &site->io;
    listener.io_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(site->loop, &listener, NULL, NULL, &site->server));
}

static void open_with_client(struct site *site, struct client *client) {
    open_site(site, NULL, recording_io());
    join_site(site, client, "40{\"token\":7}");
    UNTIL(site->loop, heard(site, "c") && got(client, "40{\"sid\":\""));
}

static void close_site(struct site *site) {
    site->heard.count = 0;
    memset(site->heard.events, 0, sizeof site->heard.events);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_close(site->io));
    UNTIL(site->loop, strchr(site->heard.events, 'z') != NULL);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_close(site->io)); /* the listener still has it */
    sockline_loop_free(site->loop);
}

static void events_and_answers_go_both_ways(void) {
    struct site site;
    struct client client;
    open_with_client(&site, &client);
    say(&client, "421[\"ask\",1,\"two\"]");
    UNTIL(site.loop, heard(&site, "ce"));
    CHECK(strcmp(site.heard.text, "ask|1,\"two\"|[\"ask\",1,\"two\"]|0") == 0);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_emit(site.heard.socket, sockline_str("connect"), sockline_str(""), NULL, 0, NULL));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_ack_send(site.heard.ack, sockline_str("\"yes\",2"), NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_io_ack_send(site.heard.ack, sockline_str(""), NULL, 0));
    UNTIL(site.loop, got(&client, "431[\"yes\",2]"));

    sockline_io_emit_options options = SOCKLINE_IO_EMIT_OPTIONS_INIT;
    options.wants_ack = 1;
    options.token = &site;
    sockline_bytes binary = {"abc", 3};
    CHECK_STATUS(SOCKLINE_OK, sockline_io_emit(site.heard.socket, sockline_str("give"),
                                               sockline_str("{\"_placeholder\":true,\"num\":0}"), &binary, 1, &options));
    UNTIL(site.loop, got(&client, "b3"));
    CHECK(strcmp(client.frames[client.count - 2], "451-0[\"give\",{\"_placeholder\":true,\"num\":0}]") == 0);
    say(&client, "430[\"got\"]");
    UNTIL(site.loop, heard(&site, "cea"));
    CHECK(site.heard.outcome == SOCKLINE_IO_ANSWERED && site.heard.token == &site && strcmp(site.heard.text, "\"got\"") == 0);

    options.timeout_ms = 20;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_emit(site.heard.socket, sockline_str("late"), sockline_str(""), NULL, 0, &options));
    UNTIL(site.loop, heard(&site, "ceaa"));
    CHECK(site.heard.outcome == SOCKLINE_IO_TIMEOUT && strcmp(site.heard.text, "") == 0);
    close_site(&site);
}

static void a_text(sockline_string room, void *context) {
    strncat(context, " ", LONGEST - 1);
    strncat(context, room.data, room.len);
}

static void see_request(const sockline_io_request *request, void *context) {
    CHECK(request->size == sizeof *request && request->header_count > 0 && request->issued_ms > 0);
    CHECK(strncmp(request->address.data, "127.0.0.1", request->address.len) == 0);
    for (size_t i = 0; i < request->query_count; i++)
        if (request->query[i].name.len == 3 && memcmp(request->query[i].name.data, "who", 3) == 0)
            snprintf(context, LONGEST, "%.*s", STR(request->query[i].value));
}

static void a_socket_can_be_asked(void) {
    struct site site;
    struct client client;
    open_with_client(&site, &client);
    char text[LONGEST], id[32];
    sockline_io_socket socket = site.heard.socket, found;
    CHECK(sockline_io_socket_id(socket, id, sizeof id) == 20);
    CHECK(strncmp(client.frames[client.count - 1] + 10, id, 20) == 0);
    CHECK(sockline_io_socket_session_id(socket, text, sizeof text) == 20 && strcmp(text, id) != 0);
    sockline_io_socket_auth(socket, text, sizeof text);
    CHECK(strcmp(text, "{\"token\":7}") == 0);
    CHECK(sockline_io_socket_connected(socket) == 1 && sockline_io_socket_recovered(socket) == 0);
    CHECK(sockline_io_socket_transport(socket) == SOCKLINE_IO_WEBSOCKET);
    CHECK(sockline_io_socket_namespace(socket) == site.root && sockline_io_namespace_count(site.root) == 1);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_namespace_socket(site.root, sockline_str(id), &found));
    CHECK(found == socket);
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_io_namespace_socket(site.root, sockline_str("nobody"), &found));
    CHECK_STATUS(SOCKLINE_ERR_WRONG_HANDLE, sockline_io_socket_disconnect(socket + 1000000, 0));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_socket_request(socket, see_request, text));
    CHECK(strcmp(text, "me") == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_socket_set_user_data(socket, text));
    CHECK(sockline_io_socket_user_data(socket) == text);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_socket_set_data(socket, sockline_str("{\"a\":1}")));
    sockline_io_socket_data(socket, text, sizeof text);
    CHECK(strcmp(text, "{\"a\":1}") == 0);
    sockline_io_metrics metrics = SOCKLINE_IO_METRICS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_get_metrics(site.io, &metrics));
    CHECK(metrics.clients == 1 && metrics.sockets == 1 && metrics.namespaces == 1);
    close_site(&site);
}

static void found(sockline_status status, const sockline_io_socket_details *sockets, size_t count, size_t missing,
                  void *context) {
    CHECK_STATUS(SOCKLINE_OK, status);
    CHECK(missing == 0 && count == 1 && sockets->size == sizeof *sockets && sockets->id.len == 20 && sockets->room_count == 2);
    snprintf(context, LONGEST, "%.*s", STR(sockets->data));
}

static void rooms_are_reached_and_left(void) {
    struct site site;
    struct client one, two;
    open_with_client(&site, &one);
    sockline_io_socket first = site.heard.socket;
    join_site(&site, &two, "40");
    UNTIL(site.loop, heard(&site, "cc") && got(&two, "40{"));
    sockline_string room = sockline_str("blue");
    CHECK_STATUS(SOCKLINE_OK, sockline_io_join(first, &room, 1));
    char text[LONGEST] = "";
    CHECK_STATUS(SOCKLINE_OK, sockline_io_socket_rooms(first, a_text, text));
    CHECK(strlen(text) == 1 + 20 + 1 + 4 && strstr(text, " blue"));

    sockline_io_target target = SOCKLINE_IO_TARGET_INIT;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_broadcast_emit(&target, room, sockline_str("1"), NULL, 0));
    target.nsp = site.root;
    target.rooms = &room;
    target.room_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_broadcast_emit(&target, sockline_str("in"), sockline_str("1"), NULL, 0));
    sockline_io_target others = SOCKLINE_IO_TARGET_INIT;
    others.sender = first;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_broadcast_emit(&others, sockline_str("out"), sockline_str("2"), NULL, 0));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_namespace_emit(site.root, sockline_str("all"), sockline_str("3"), NULL, 0));
    UNTIL(site.loop, got(&one, "42[\"all\",3]") && got(&two, "42[\"all\",3]"));
    CHECK(strcmp(one.frames[one.count - 2], "42[\"in\",1]") == 0 && strcmp(two.frames[two.count - 2], "42[\"out\",2]") == 0);

    CHECK_STATUS(SOCKLINE_OK, sockline_io_socket_set_data(first, sockline_str("[9]")));
    text[0] = '\0';
    CHECK_STATUS(SOCKLINE_OK, sockline_io_fetch_sockets(&target, found, text));
    UNTIL(site.loop, strcmp(text, "[9]") == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_broadcast_emit_with_ack(&target, sockline_str("ask"), sockline_str(""), NULL, 0, &two));
    UNTIL(site.loop, got(&one, "421[\"ask\"]") || got(&one, "420[\"ask\"]"));
    char answer[] = "43?[5]";
    answer[2] = one.frames[one.count - 1][2];
    say(&one, answer);
    UNTIL(site.loop, heard(&site, "ccb"));
    CHECK(site.heard.expected == 1 && site.heard.responses == 1 && site.heard.token == &two && strcmp(site.heard.text, "5") == 0);

    sockline_string red = sockline_str("red");
    CHECK_STATUS(SOCKLINE_OK, sockline_io_broadcast_join(&target, &red, 1));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_broadcast_leave(&target, &room, 1));
    text[0] = '\0';
    CHECK_STATUS(SOCKLINE_OK, sockline_io_socket_rooms(first, a_text, text));
    CHECK(strstr(text, " red") && !strstr(text, " blue"));
    target.rooms = &red;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_broadcast_disconnect(&target, 1));
    UNTIL(site.loop, heard(&site, "ccb-d") && one.is_closed);
    CHECK(site.heard.reason == SOCKLINE_IO_SERVER_NAMESPACE_DISCONNECT);
    CHECK(strcmp(sockline_io_reason_text(site.heard.reason), "server namespace disconnect") == 0);
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_io_emit(first, red, red, NULL, 0, NULL));
    close_site(&site);
}

static void on_connecting(sockline_io_question question, sockline_io_socket socket, void *user_data) {
    struct site *site = user_data;
    site->heard.question = question;
    site->heard.socket = socket;
    hear(site, 'q');
}

static void on_abandoned(sockline_io_socket socket, void *user_data) {
    CHECK(socket == ((struct site *)user_data)->heard.socket);
    hear(user_data, 'x');
}

static void on_namespace(sockline_io_question question, sockline_string name, sockline_string auth,
                         const sockline_io_request *request, void *user_data) {
    struct site *site = user_data;
    TEXT(site, "%.*s|%.*s|%zu", STR(name), STR(auth), request->query_count);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_answer_namespace(question, name.len == 2));
    hear(site, 'n');
}

static void *allow(void *question) {
    CHECK_STATUS(SOCKLINE_OK, sockline_io_allow_connection(*(sockline_io_question *)question));
    return NULL;
}

static void who_may_connect_is_asked(void) {
    struct site site;
    struct client client;
    sockline_io_handlers handlers = recording_io();
    handlers.on_connecting = on_connecting;
    handlers.on_connect_abandoned = on_abandoned;
    handlers.on_namespace = on_namespace;
    open_site(&site, NULL, handlers);
    join_site(&site, &client, "40/ab,");
    UNTIL(site.loop, got(&client, "44/ab,{\"message\":\"Invalid namespace\"}"));
    say(&client, "40/a,{\"t\":1}");
    UNTIL(site.loop, heard(&site, "nnq"));
    CHECK(strcmp(site.heard.text, "/a|{\"t\":1}|3") == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_deny_connection(site.heard.question, sockline_str("no"), sockline_str("[1]")));
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_io_allow_connection(site.heard.question));
    UNTIL(site.loop, heard(&site, "nnqx") && got(&client, "44/a,{\"message\":\"no\",\"data\":[1]}"));
    say(&client, "40");
    UNTIL(site.loop, heard(&site, "nnqxq"));
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, allow, &site.heard.question) == 0);
    UNTIL(site.loop, heard(&site, "nnqxqc") && got(&client, "40{\"sid\":"));
    pthread_join(thread, NULL);
    close_site(&site);
}

static void a_session_is_closed(void) {
    struct site site;
    struct client client;
    char id[32];
    sockline_io_handlers handlers = recording_io();
    handlers.on_connecting = on_connecting;
    handlers.on_connect_abandoned = on_abandoned;
    open_site(&site, NULL, handlers);
    join_site(&site, &client, "40");
    UNTIL(site.loop, heard(&site, "q"));
    sockline_io_socket_session_id(site.heard.socket, id, sizeof id);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_close_session(site.io, sockline_str(id), 0));
    UNTIL(site.loop, heard(&site, "qx") && client.is_closed);

    join_site(&site, &client, "40");
    UNTIL(site.loop, heard(&site, "qxq"));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_allow_connection(site.heard.question));
    UNTIL(site.loop, heard(&site, "qxqc") && got(&client, "40{\"sid\":"));
    sockline_io_socket_session_id(site.heard.socket, id, sizeof id);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_close_session(site.io, sockline_str(id), 1));
    UNTIL(site.loop, heard(&site, "qxqc-d") && client.is_closed);
    CHECK(site.heard.reason == SOCKLINE_IO_FORCED_CLOSE && got(&client, "40{\"sid\":"));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_io_server_close_session(site.io, sockline_str(id), 1));
    close_site(&site);
}

static void on_request(sockline_io_question question, const sockline_io_request *request, void *user_data) {
    CHECK(request->size == sizeof *request);
    hear(user_data, 'r');
    CHECK_STATUS(SOCKLINE_OK, sockline_io_answer_request(question, 0, sockline_str("go away")));
}

static void on_connection_error(const sockline_io_connection_error *error, void *user_data) {
    struct site *site = user_data;
    TEXT(site, "%d %.*s", (int)error->code, STR(error->message));
    hear(site, 'E');
}

static void a_session_is_refused(void) {
    struct site site;
    struct record record = {0};
    sockline_io_handlers handlers = recording_io();
    handlers.on_request = on_request;
    handlers.on_connection_error = on_connection_error;
    open_site(&site, NULL, handlers);
    sockline_handlers client = recording();
    char url[96];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/socket.io/?EIO=4&transport=websocket", sockline_server_port(site.server));
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(site.loop, url, NULL, &client, &record, NULL));
    UNTIL(site.loop, has(&record, 'c'));
    CHECK(record.http_status == 400 && heard(&site, "rE"));
    CHECK(strncmp(site.heard.text, "4 ", 2) == 0);
    close_site(&site);
}

static void options_that_can_t_be_are_refused(void) {
    sockline_loop *loop = new_loop();
    sockline_io_server io = 7;
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_new(loop, NULL, NULL, NULL, &io));
    CHECK(io == 0);
    sockline_io_server_options options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    options.transports = 4;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_new(loop, &options, &handlers, NULL, &io));
    options.transports = 0;
    options.client_folder = sockline_str("/nowhere");
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_new(loop, &options, &handlers, NULL, &io));
    sockline_io_namespace nsp = 7;
    CHECK(sockline_io_of(12345, sockline_str("/"), &nsp) < 0 && nsp == 0);
    sockline_loop_free(loop);
}

int main(void) {
    RUN(events_and_answers_go_both_ways);
    RUN(a_socket_can_be_asked);
    RUN(rooms_are_reached_and_left);
    RUN(who_may_connect_is_asked);
    RUN(a_session_is_closed);
    RUN(a_session_is_refused);
    RUN(options_that_can_t_be_are_refused);
    return 0;
}
