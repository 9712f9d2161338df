/* Socket.IO's client, with our server in the same loop: events, answers, binary values, refusals, coming back, the end. */

#include "support.h"

/* What a socket or its manager has heard: a letter for each event, and the last values. */
struct heard {
    char events[128];
    size_t count;
    char text[256];
    int32_t outcome, reason;
    void *token;
    sockline_io_ack ack;
    sockline_io_question question;
};

struct scene {
    sockline_loop *loop;
    sockline_io_server io;
    sockline_server server;
    sockline_io_socket serving; /* the latest one of the server */
    struct heard client, manager;
    bool deny;
};

#define STR(string) (int)(string).len, (string).data

static void hear(struct heard *heard, char event) {
    CHECK(heard->count + 1 < sizeof heard->events);
    heard->events[heard->count++] = event;
}

static bool has_heard(const struct heard *heard, char event) { return strchr(heard->events, event) != NULL; }

/* ── the server: answers what asks, and asks for "question" ─────────────────────────────────────────────────── */

static void serve_connection(sockline_io_socket socket, void *user_data) { ((struct scene *)user_data)->serving = socket; }

static void serve_connecting(sockline_io_question question, sockline_io_socket socket, void *user_data) {
    (void)socket;
    if (((struct scene *)user_data)->deny)
        CHECK_STATUS(SOCKLINE_OK, sockline_io_deny_connection(question, sockline_str("no"), sockline_str("{\"code\":1}")));
    else
        CHECK_STATUS(SOCKLINE_OK, sockline_io_allow_connection(question));
}

static void serve_event(sockline_io_socket socket, const sockline_io_event *event, void *user_data) {
    (void)user_data;
    if (event->ack) sockline_io_ack_send(event->ack, event->args, event->attachments, event->attachment_count);
    if (event->name.len == 3 && memcmp(event->name.data, "ask", 3) == 0) {
        sockline_io_emit_options options = SOCKLINE_IO_EMIT_OPTIONS_INIT;
        options.wants_ack = 1;
        CHECK_STATUS(SOCKLINE_OK, sockline_io_emit(socket, sockline_str("question"), event->args, NULL, 0, &options));
    }
}

static void serve_ack(sockline_io_socket socket, const sockline_io_ack_event *event, void *user_data) {
    (void)user_data;
    sockline_io_emit(socket, sockline_str("answer"), event->args, NULL, 0, NULL);
}

/* With the time after which a client that joins no namespace is closed; 0 for the default. */
static void open_scene_with(struct scene *scene, uint64_t connect_timeout) {
    memset(scene, 0, sizeof *scene);
    scene->loop = new_loop();
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_connection = serve_connection;
    handlers.on_connecting = serve_connecting;
    handlers.on_event = serve_event;
    handlers.on_ack = serve_ack;
    sockline_io_server_options io_options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    io_options.connect_timeout_ms = connect_timeout;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_new(scene->loop, &io_options, &handlers, scene, &scene->io));
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    options.io = &scene->io;
    options.io_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(scene->loop, &options, NULL, NULL, &scene->server));
}

static void open_scene(struct scene *scene) { open_scene_with(scene, 0); }

/* ── the client ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void on_connect(sockline_io_client socket, void *user_data) {
    (void)socket;
    hear(user_data, 'c');
}

static void on_connect_error(sockline_io_client socket, const sockline_io_connect_error *error, void *user_data) {
    struct heard *heard = user_data;
    (void)socket;
    CHECK(error->size == sizeof *error);
    snprintf(heard->text, sizeof heard->text, "%.*s|%.*s|%d", STR(error->message), STR(error->data), error->error != NULL);
    hear(heard, 'x');
}

static void on_event(sockline_io_client socket, const sockline_io_event *event, void *user_data) {
    struct heard *heard = user_data;
    (void)socket;
    snprintf(heard->text, sizeof heard->text, "%.*s|%.*s|%zu", STR(event->name), STR(event->args), event->attachment_count);
    heard->ack = event->ack;
    hear(heard, 'e');
}

static void on_ack(sockline_io_client socket, const sockline_io_ack_event *event, void *user_data) {
    struct heard *heard = user_data;
    (void)socket;
    CHECK(event->size == sizeof *event);
    snprintf(heard->text, sizeof heard->text, "%.*s|%.*s", STR(event->args),
             event->attachment_count ? (int)event->attachments[0].len : 0,
             event->attachment_count ? (const char *)event->attachments[0].data : "");
    heard->outcome = event->outcome;
    heard->token = event->token;
    hear(heard, 'a');
}

static void on_disconnect(sockline_io_client socket, int32_t reason, sockline_string detail, void *user_data) {
    (void)socket, (void)detail;
    ((struct heard *)user_data)->reason = reason;
    hear(user_data, 'd');
}

static void on_auth(sockline_io_client socket, sockline_io_question question, void *user_data) {
    (void)socket;
    ((struct heard *)user_data)->question = question;
    hear(user_data, 'q');
}

static void on_freed(sockline_io_client socket, void *user_data) {
    CHECK(socket != 0);
    hear(user_data, 'f');
}

static sockline_io_client_handlers recording_client(void) {
    sockline_io_client_handlers handlers = SOCKLINE_IO_CLIENT_HANDLERS_INIT;
    handlers.on_connect = on_connect;
    handlers.on_connect_error = on_connect_error;
    handlers.on_event = on_event;
    handlers.on_ack = on_ack;
    handlers.on_disconnect = on_disconnect;
    handlers.on_auth = on_auth;
    handlers.on_freed = on_freed;
    return handlers;
}

static const char *io_url(const struct scene *scene, const char *path) {
    static char url[96];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", sockline_server_port(scene->server), path);
    return url;
}

static sockline_io_client connect_client(struct scene *scene, const char *path, const sockline_io_manager_options *options) {
    sockline_io_client_handlers handlers = recording_client();
    sockline_io_client socket = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_connect(scene->loop, io_url(scene, path), options, NULL, &handlers, &scene->client, &socket));
    return socket;
}

static void ends_here(struct scene *scene, sockline_io_client socket) {
    CHECK_STATUS(SOCKLINE_OK, sockline_io_client_free(socket));
    UNTIL(scene->loop, has_heard(&scene->client, 'f'));
    CHECK(scene->client.events[scene->client.count - 1] == 'f');
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_io_client_free(socket));
    sockline_loop_free(scene->loop);
}

static void events_and_answers_go_both_ways(void) {
    const uint64_t ways[] = {SOCKLINE_IO_POLLING, SOCKLINE_IO_WEBSOCKET, 0};
    for (size_t i = 0; i < 3; i++) {
        struct scene scene;
        open_scene(&scene);
        sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
        options.transports = ways[i];
        sockline_io_client socket = connect_client(&scene, "/", &options);
        CHECK(sockline_io_client_connected(socket) == 0 && sockline_io_client_active(socket) == 1);
        sockline_io_emit_options asking = SOCKLINE_IO_EMIT_OPTIONS_INIT;
        asking.wants_ack = 1;
        asking.token = &scene;
        sockline_bytes binary = {"abc", 3};
        /* Before there is a connection: it waits. */
        CHECK_STATUS(SOCKLINE_OK, sockline_io_client_emit(socket, sockline_str("msg"), sockline_str("1,{\"_placeholder\":true,\"num\":0}"),
                                                          &binary, 1, &asking));
        CHECK(sockline_io_client_send_buffer_len(socket) == 1);
        UNTIL(scene.loop, has_heard(&scene.client, 'a'));
        CHECK(strcmp(scene.client.events, "ca") == 0 && scene.client.outcome == SOCKLINE_IO_ANSWERED);
        CHECK(scene.client.token == &scene && strcmp(scene.client.text, "1,{\"_placeholder\":true,\"num\":0}|abc") == 0);
        char id[32];
        CHECK(sockline_io_client_id(socket, id, sizeof id) == 20 && sockline_io_client_connected(socket) == 1);

        CHECK_STATUS(SOCKLINE_OK, sockline_io_client_emit(socket, sockline_str("ask"), sockline_str("7"), NULL, 0, NULL));
        UNTIL(scene.loop, has_heard(&scene.client, 'e'));
        CHECK(strcmp(scene.client.text, "question|7|0") == 0);
        CHECK_STATUS(SOCKLINE_OK, sockline_io_client_ack_send(scene.client.ack, sockline_str("\"seven\""), NULL, 0));
        CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_io_client_ack_send(scene.client.ack, sockline_str(""), NULL, 0));
        UNTIL(scene.loop, strcmp(scene.client.text, "answer|\"seven\"|0") == 0);
        CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT,
                     sockline_io_client_emit(socket, sockline_str("disconnect"), sockline_str(""), NULL, 0, NULL));
        sockline_io_manager manager = sockline_io_client_manager(socket);
        if (ways[i] == SOCKLINE_IO_POLLING)
            CHECK(sockline_io_manager_transport(manager) == SOCKLINE_IO_POLLING);
        else
            UNTIL(scene.loop, sockline_io_manager_transport(manager) == SOCKLINE_IO_WEBSOCKET);
        ends_here(&scene, socket);
    }
}

static void the_server_disconnects_and_the_client_comes_again(void) {
    struct scene scene;
    open_scene(&scene);
    sockline_io_client socket = connect_client(&scene, "/", NULL);
    UNTIL(scene.loop, strcmp(scene.client.events, "c") == 0 && scene.serving);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_socket_disconnect(scene.serving, 0));
    UNTIL(scene.loop, strcmp(scene.client.events, "cd") == 0);
    CHECK(scene.client.reason == SOCKLINE_IO_SERVER_DISCONNECT && sockline_io_client_active(socket) == 0);
    CHECK(strcmp(sockline_io_client_reason_text(scene.client.reason), "io server disconnect") == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_client_connect(socket));
    UNTIL(scene.loop, strcmp(scene.client.events, "cdc") == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_client_disconnect(socket));
    UNTIL(scene.loop, strcmp(scene.client.events, "cdcd") == 0);
    CHECK(scene.client.reason == SOCKLINE_IO_CLIENT_DISCONNECT);
    ends_here(&scene, socket);
}

static void a_refusal_is_told_with_its_data(void) {
    struct scene scene;
    open_scene(&scene);
    scene.deny = true;
    sockline_io_client socket = connect_client(&scene, "/", NULL);
    UNTIL(scene.loop, has_heard(&scene.client, 'x'));
    CHECK(strcmp(scene.client.text, "no|{\"code\":1}|0") == 0 && sockline_io_client_active(socket) == 0);
    ends_here(&scene, socket);
}

/* The question is never answered, so that CONNECT is never sent; the server waits for it so long and then closes. */
static void a_socket_on_its_way_hears_of_the_connection_s_end(void) {
    struct scene scene;
    open_scene_with(&scene, 20);
    sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    options.reconnection = -1;
    sockline_io_socket_options asking = SOCKLINE_IO_SOCKET_OPTIONS_INIT;
    asking.ask_auth = 1;
    sockline_io_client_handlers handlers = recording_client();
    sockline_io_client socket = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_connect(scene.loop, io_url(&scene, "/"), &options, &asking, &handlers, &scene.client, &socket));
    UNTIL(scene.loop, strcmp(scene.client.events, "qd") == 0);
    CHECK(scene.client.reason == SOCKLINE_IO_CLIENT_TRANSPORT_CLOSE && sockline_io_client_active(socket) == 1);
    ends_here(&scene, socket);
}

static void on_refused(sockline_ws ws, const sockline_error_event *error, void *user_data) {
    (void)ws;
    ((struct heard *)user_data)->reason = error->http_status;
}

/* The server has no handlers for other WebSockets than Socket.IO's. */
static void other_websockets_are_refused(void) {
    struct scene scene;
    open_scene(&scene);
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_error = on_refused;
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/other", sockline_server_port(scene.server));
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(scene.loop, url, NULL, &handlers, &scene.client, NULL));
    UNTIL(scene.loop, scene.client.reason == 404);
    sockline_loop_free(scene.loop);
}

static void on_open(sockline_io_manager manager, void *user_data) {
    (void)manager;
    hear(user_data, 'o');
}

static void on_error(sockline_io_manager manager, const sockline_error_event *error, void *user_data) {
    (void)manager;
    CHECK(error->status < 0);
    hear(user_data, 'x');
}

static void on_number(sockline_io_manager manager, uint32_t attempt, void *user_data) {
    (void)manager;
    hear(user_data, (char)('0' + attempt));
}

static void on_failed(sockline_io_manager manager, void *user_data) {
    (void)manager;
    hear(user_data, '!');
}

static void on_manager_freed(sockline_io_manager manager, void *user_data) {
    CHECK(manager != 0);
    hear(user_data, 'f');
}

static void a_manager_tries_as_often_as_it_is_told(void) {
    struct scene scene;
    open_scene(&scene);
    uint16_t port = sockline_server_port(scene.server);
    CHECK_STATUS(SOCKLINE_OK, sockline_server_close(scene.server, 0, NULL, 0));
    sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    options.reconnection_attempts = 2;
    options.reconnection_delay_ms = 1;
    sockline_io_manager_handlers handlers = SOCKLINE_IO_MANAGER_HANDLERS_INIT;
    handlers.on_open = on_open;
    handlers.on_error = on_error;
    handlers.on_reconnect_attempt = on_number;
    handlers.on_reconnect_failed = on_failed;
    handlers.on_freed = on_manager_freed;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    sockline_io_manager manager = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_new(scene.loop, url, &options, &handlers, &scene.manager, &manager));
    sockline_io_client_handlers client = recording_client();
    sockline_io_client socket = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_socket(manager, sockline_str("/a"), NULL, &client, &scene.client, &socket));
    UNTIL(scene.loop, has_heard(&scene.manager, '!'));
    CHECK(strcmp(scene.manager.events, "x1x2x!") == 0);
    CHECK(strcmp(scene.client.events, "xxx") == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_free(manager));
    CHECK(!has_heard(&scene.manager, 'f'));
    ends_here(&scene, socket);
    CHECK(strcmp(scene.manager.events, "x1x2x!f") == 0);
}

static void what_it_says_of_itself_is_asked_for(void) {
    struct scene scene;
    open_scene(&scene);
    sockline_io_socket_options options = SOCKLINE_IO_SOCKET_OPTIONS_INIT;
    options.ask_auth = 1;
    sockline_io_client_handlers handlers = recording_client();
    sockline_io_client socket = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_connect(scene.loop, io_url(&scene, "/"), NULL, &options, &handlers, &scene.client, &socket));
    UNTIL(scene.loop, has_heard(&scene.client, 'q'));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_answer_auth(scene.client.question, sockline_str("{\"me\":1}")));
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_io_answer_auth(scene.client.question, sockline_str("{}")));
    UNTIL(scene.loop, has_heard(&scene.client, 'c') && scene.serving);
    char auth[32];
    sockline_io_socket_auth(scene.serving, auth, sizeof auth);
    CHECK(strcmp(auth, "{\"me\":1}") == 0);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_client_set_auth(socket, sockline_str("[1]")));
    ends_here(&scene, socket);
}

static void what_can_t_be_is_refused(void) {
    sockline_loop *loop = new_loop();
    sockline_io_client socket = 7;
    sockline_io_manager manager = 7;
    sockline_io_client_handlers handlers = recording_client();
    CHECK_STATUS(SOCKLINE_ERR_INVALID_URL, sockline_io_connect(loop, "ftp://x", NULL, NULL, &handlers, NULL, &socket));
    CHECK(socket == 0);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_connect(loop, "http://x", NULL, NULL, NULL, NULL, &socket));
    sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    options.randomization_percent = 101;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_manager_new(loop, "http://x", &options, NULL, NULL, &manager));
    CHECK(manager == 0);
    CHECK(sockline_io_client_emit(99999999, sockline_str("x"), sockline_str(""), NULL, 0, NULL) == SOCKLINE_ERR_WRONG_HANDLE);
    sockline_loop_free(loop);
}

int main(void) {
    RUN(events_and_answers_go_both_ways);
    RUN(the_server_disconnects_and_the_client_comes_again);
    RUN(a_refusal_is_told_with_its_data);
    RUN(a_socket_on_its_way_hears_of_the_connection_s_end);
    RUN(other_websockets_are_refused);
    RUN(a_manager_tries_as_often_as_it_is_told);
    RUN(what_it_says_of_itself_is_asked_for);
    RUN(what_can_t_be_is_refused);
    return 0;
}
