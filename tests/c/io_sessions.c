/* Sessions of Engine.IO below Socket.IO: ids of the application's, refusals and answers in place of the engine's, also to who goes over to
 * a WebSocket, single packets, and messages of one's own, both ways. */

#include "support.h"

#include <pthread.h>

enum { LONGEST = 512 };

#define STR(string) (int)(string).len, (string).data

/* A client that speaks the protocol by hand, over a WebSocket. */
struct client {
    sockline_ws ws;
    char frame[LONGEST]; /* the latest one: "b" and its length if it is binary */
    bool is_open, is_closed;
    int http_status;
    char answer[LONGEST]; /* what came in place of a WebSocket: header and body */
};

struct site {
    sockline_loop *loop;
    sockline_io_server io;
    sockline_server server;
    sockline_io_question question; /* the latest one that nobody has answered */
    bool is_upgrade; /* what it is about */
    sockline_io_socket socket; /* the latest one */
    int questions, connections, errors;
    char error[LONGEST];
    char events[LONGEST]; /* those of sockets: name and arguments */
    char packets[8 * LONGEST];
};

static void on_open(sockline_ws ws, void *user_data) {
    ((struct client *)user_data)->ws = ws;
    ((struct client *)user_data)->is_open = true;
}

static void on_frame(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    struct client *client = user_data;
    (void)ws;
    if (type == SOCKLINE_BINARY)
        snprintf(client->frame, LONGEST, "b%zu", len);
    else
        snprintf(client->frame, LONGEST, "%.*s", (int)len, (const char *)data);
}

static void note_answer(char *answer, const sockline_error_event *error) {
    for (size_t i = 0; i < error->response_header_count; i++) {
        const sockline_header *header = &error->response_headers[i];
        if (header->name.len == 11 && memcmp(header->name.data, "retry-after", 11) == 0)
            snprintf(answer, LONGEST, "%d %.*s %.*s", (int)error->http_status, STR(header->value), (int)error->response_body.len,
                     (const char *)error->response_body.data);
    }
}

static void on_error(sockline_ws ws, const sockline_error_event *error, void *user_data) {
    struct client *client = user_data;
    (void)ws;
    client->http_status = error->http_status;
    note_answer(client->answer, error);
}

static void on_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    (void)ws, (void)event;
    ((struct client *)user_data)->is_closed = true;
}

/* more: of the query. */
static void enter_by(struct site *site, struct client *client, const char *more) {
    memset(client, 0, sizeof *client);
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = on_open;
    handlers.on_message = on_frame;
    handlers.on_error = on_error;
    handlers.on_close = on_close;
    char url[160];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/socket.io/?EIO=4&transport=websocket%s",
             (unsigned)sockline_server_port(site->server), more);
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(site->loop, url, NULL, &handlers, client, NULL));
}

static void enter(struct site *site, struct client *client) { enter_by(site, client, ""); }

static void say(const struct client *client, const char *text) { CHECK_STATUS(SOCKLINE_OK, send_text(client->ws, text)); }

static bool got(const struct client *client, const char *text) { return strncmp(client->frame, text, strlen(text)) == 0; }

/* The session's id, as the client's first frame has it. */
static sockline_string id_in(const char *frame) {
    const char *id = strstr(frame, "\"sid\":\"") + 7;
    sockline_string out = {id, (size_t)(strchr(id, '"') - id)};
    return out;
}

static void on_connection(sockline_io_socket socket, void *user_data) {
    struct site *site = user_data;
    site->socket = socket;
    site->connections++;
}

static void on_event(sockline_io_socket socket, const sockline_io_event *event, void *user_data) {
    struct site *site = user_data;
    (void)socket;
    size_t used = strlen(site->events);
    snprintf(site->events + used, sizeof site->events - used, "%.*s:%.*s:%zu ", STR(event->name), STR(event->args),
             event->attachment_count);
}

static void on_request(sockline_io_question question, const sockline_io_request *request, void *user_data) {
    struct site *site = user_data;
    CHECK(request->size == sizeof *request);
    site->question = question;
    site->is_upgrade = request->is_upgrade == 1;
    site->questions++;
}

static void on_connection_error(const sockline_io_connection_error *error, void *user_data) {
    struct site *site = user_data;
    sockline_string more = error->context_count == 2 ? error->context[1].value : sockline_str("");
    CHECK(error->context_count == 1 || error->context_count == 2);
    snprintf(site->error, LONGEST, "%d %.*s %.*s", (int)error->code, STR(error->context[0].value), STR(more));
    site->errors++;
}

static void open_site_with(struct site *site, sockline_io_handlers handlers, const sockline_io_server_options *options) {
    memset(site, 0, sizeof *site);
    site->loop = new_loop();
    handlers.on_connection = on_connection;
    handlers.on_event = on_event;
    handlers.on_connection_error = on_connection_error;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_new(site->loop, options, &handlers, site, &site->io));
    sockline_server_options listener = SOCKLINE_SERVER_OPTIONS_INIT;
    listener.host = sockline_str("127.0.0.1");
    listener.io = &site->io;
    listener.io_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(site->loop, &listener, NULL, NULL, &site->server));
}

static void open_site(struct site *site, sockline_io_handlers handlers, uint64_t ping_interval) {
    sockline_io_server_options options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    options.ping_interval_ms = ping_interval;
    open_site_with(site, handlers, &options);
}

static uint64_t sessions_of(const struct site *site) {
    sockline_io_metrics metrics = SOCKLINE_IO_METRICS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_get_metrics(site->io, &metrics));
    return metrics.sessions;
}

/* ── who wants a session ────────────────────────────────────────────────────────────────────────────────────── */

static void *allow_as(void *question) {
    sockline_io_question *asked = question;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, sockline_io_allow_request_as(*asked, sockline_str("\xff")));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_allow_request_as(*asked, sockline_str("my-id"))); /* still owed */
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_io_allow_request_as(*asked, sockline_str("my-id")));
    return NULL;
}

static void a_session_has_the_application_s_id(void) {
    struct site site;
    struct client first, second;
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_request = on_request;
    open_site(&site, handlers, 0);
    enter(&site, &first);
    UNTIL(site.loop, site.questions == 1);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, allow_as, &site.question) == 0);
    UNTIL(site.loop, got(&first, "0{\"sid\":\"my-id\","));
    pthread_join(thread, NULL);

    /* Another session's, and what can't be one. */
    const char *const bad[] = {"my-id", "", "a b", "a\"b"};
    for (int i = 0; i < 4; i++) {
        enter(&site, &second);
        UNTIL(site.loop, site.questions == 2 + i);
        CHECK_STATUS(SOCKLINE_OK, sockline_io_allow_request_as(site.question, sockline_str(bad[i])));
        UNTIL(site.loop, second.is_closed);
        CHECK(!second.is_open && second.http_status == 400 && site.errors == 1 + i);
        CHECK(strncmp(site.error, "3 ID_GENERATION_ERROR ", 22) == 0);
    }
    CHECK(sessions_of(&site) == 1);
    sockline_loop_free(site.loop);
}

static void on_manager_error(sockline_io_manager manager, const sockline_error_event *error, void *user_data) {
    (void)manager;
    snprintf(user_data, LONGEST, "%d %s", (int)error->http_status, error->text.data);
}

static sockline_io_manager manage(const struct site *site, uint64_t transport, const sockline_io_manager_handlers *handlers,
                                  void *user_data) {
    sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    options.transports = transport;
    options.reconnection = -1;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)sockline_server_port(site->server));
    sockline_io_manager manager = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_new(site->loop, url, &options, handlers, user_data, &manager));
    return manager;
}

static void answer_in_place(const struct site *site) {
    sockline_header header = {sockline_str("Retry-After"), sockline_str("7")};
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_respond(site->question, 199, NULL, 0, NULL, 0));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_respond(site->question, 503, &header, 1, "later", 5)); /* still owed */
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_io_respond(site->question, 503, &header, 1, "later", 5));
}

static void the_application_answers_in_place_of_the_engine(void) {
    struct site site;
    struct client client;
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_request = on_request;
    open_site(&site, handlers, 0);
    enter(&site, &client);
    UNTIL(site.loop, site.questions == 1);
    answer_in_place(&site);
    UNTIL(site.loop, client.is_closed);
    CHECK(!client.is_open && strcmp(client.answer, "503 7 later") == 0);

    char answer[LONGEST] = "";
    sockline_io_manager_handlers managing = SOCKLINE_IO_MANAGER_HANDLERS_INIT;
    managing.on_error = on_manager_error;
    sockline_io_manager manager = manage(&site, SOCKLINE_IO_POLLING, &managing, answer);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_open(manager));
    UNTIL(site.loop, site.questions == 2);
    answer_in_place(&site);
    UNTIL(site.loop, answer[0]);
    CHECK(strncmp(answer, "503 ", 4) == 0 && strstr(answer, "later"));
    CHECK(site.errors == 0 && sessions_of(&site) == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_free(manager));
    sockline_loop_free(site.loop);
}

/* ── who goes over to a WebSocket ───────────────────────────────────────────────────────────────────────────── */

/* A client whose session begins with polling, and is let in. */
static sockline_io_manager begin_by_polling(struct site *site, sockline_io_client *socket) {
    sockline_io_client_handlers handlers = SOCKLINE_IO_CLIENT_HANDLERS_INIT;
    sockline_io_manager manager = manage(site, 0, NULL, NULL);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_socket(manager, sockline_str("/"), NULL, &handlers, NULL, socket));
    UNTIL(site->loop, site->questions == 1);
    CHECK(!site->is_upgrade);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_answer_request(site->question, 1, sockline_str("")));
    return manager;
}

static void end_site(struct site *site, sockline_io_manager manager, sockline_io_client socket) {
    CHECK_STATUS(SOCKLINE_OK, sockline_io_client_free(socket));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_free(manager));
    sockline_loop_free(site->loop);
}

static void *deny_bad_request(void *question) {
    sockline_io_question *asked = question;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, sockline_io_deny_bad_request(*asked, sockline_str("\xff")));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_deny_bad_request(*asked, sockline_str("BECAUSE"))); /* still owed */
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_io_deny_bad_request(*asked, sockline_str("BECAUSE")));
    return NULL;
}

static void who_goes_over_to_a_websocket_is_asked_about(void) {
    struct site site;
    struct client other, last;
    sockline_io_client socket = 0;
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_request = on_request;
    sockline_io_server_options options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    options.ask_upgrades = 1;
    open_site_with(&site, handlers, &options);
    sockline_io_manager manager = begin_by_polling(&site, &socket);
    UNTIL(site.loop, site.questions == 2 && site.connections == 1);
    CHECK(site.is_upgrade);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, deny_bad_request, &site.question) == 0);
    UNTIL(site.loop, site.errors == 1);
    pthread_join(thread, NULL);
    CHECK(strcmp(site.error, "3 BECAUSE ") == 0 && sockline_io_manager_transport(manager) == SOCKLINE_IO_POLLING);

    /* Another try at the same session, which is let through. */
    char more[64] = "&sid=";
    CHECK(sockline_io_socket_session_id(site.socket, more + 5, sizeof more - 5) == 20);
    enter_by(&site, &other, more);
    UNTIL(site.loop, site.questions == 3);
    CHECK(site.is_upgrade && !other.is_open);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_answer_request(site.question, 1, sockline_str("")));
    UNTIL(site.loop, other.is_open);
    say(&other, "2probe");
    UNTIL(site.loop, got(&other, "3probe"));
    CHECK(sessions_of(&site) == 1 && site.errors == 1);

    /* And one who wants a session of its own. */
    enter(&site, &last);
    UNTIL(site.loop, site.questions == 4);
    CHECK(!site.is_upgrade);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_deny_bad_request(site.question, sockline_str("NO")));
    UNTIL(site.loop, last.is_closed);
    CHECK(!last.is_open && last.http_status == 400 && strcmp(site.error, "3 NO ") == 0);
    end_site(&site, manager, socket);
}

static void nobody_is_asked_about_them_otherwise(void) {
    struct site site;
    sockline_io_client socket = 0;
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_request = on_request;
    open_site(&site, handlers, 0);
    sockline_io_manager manager = begin_by_polling(&site, &socket);
    UNTIL(site.loop, sockline_io_manager_transport(manager) == SOCKLINE_IO_WEBSOCKET);
    CHECK(site.questions == 1 && site.errors == 0);
    sockline_io_server_options options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    options.ask_upgrades = 7;
    sockline_io_server none = 7;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_new(site.loop, &options, &handlers, NULL, &none));
    CHECK(none == 0 && strstr(sockline_last_error_text(), "ask_upgrades"));
    end_site(&site, manager, socket);
}

/* ── packets and messages ───────────────────────────────────────────────────────────────────────────────────── */

static void note_packet(char *packets, const sockline_io_engine_packet *packet) {
    CHECK(packet->size == sizeof *packet && (packet->is_outgoing | 1) == 1 && (packet->compress | 1) == 1);
    size_t used = strlen(packets);
    bool is_text = packet->message_type == SOCKLINE_TEXT;
    CHECK(is_text || packet->message_type == SOCKLINE_BINARY);
    snprintf(packets + used, 8 * LONGEST - used, "%s%d%s%.*s%s ", packet->is_outgoing ? "out" : "in", (int)packet->packet_type,
             is_text ? ":" : "#", (int)packet->data.len, (const char *)packet->data.data, packet->compress ? "" : "!");
}

static void on_packet(sockline_string session_id, const sockline_io_engine_packet *packet, void *user_data) {
    CHECK(session_id.len == 20);
    note_packet(((struct site *)user_data)->packets, packet);
}

static void on_manager_packet(sockline_io_manager manager, const sockline_io_engine_packet *packet, void *user_data) {
    CHECK(manager != 0);
    note_packet(user_data, packet);
}

static void a_server_s_packets_are_told(void) {
    struct site site;
    struct client client;
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_packet = on_packet;
    open_site(&site, handlers, 20);
    enter(&site, &client);
    UNTIL(site.loop, got(&client, "2")); /* a ping */
    say(&client, "3");
    say(&client, "40");
    UNTIL(site.loop, site.connections == 1);
    CHECK(strstr(site.packets, "out2: ") && strstr(site.packets, "in3: ") && strstr(site.packets, "in4:0 "));
    say(&client, "451-[\"e\",{\"_placeholder\":true,\"num\":0}]");
    CHECK_STATUS(SOCKLINE_OK, sockline_send(client.ws, SOCKLINE_BINARY, "abc", 3));
    UNTIL(site.loop, strstr(site.packets, "in4#abc "));
    CHECK(strstr(site.packets, "out4:0{\"sid\":\"") && strstr(site.packets, "in4:51-["));
    sockline_loop_free(site.loop);
}

static void a_server_sends_messages_of_its_own(void) {
    struct site site;
    struct client client;
    char id[32];
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_packet = on_packet;
    open_site(&site, handlers, 0);
    enter(&site, &client);
    UNTIL(site.loop, got(&client, "0{"));
    snprintf(id, sizeof id, "%.*s", STR(id_in(client.frame)));
    sockline_string session = sockline_str(id);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_send_to_session(site.io, session, SOCKLINE_TEXT, "own", 3, 0));
    UNTIL(site.loop, strcmp(client.frame, "4own") == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_send_to_session(site.io, session, SOCKLINE_BINARY, "ab", 2, -1));
    UNTIL(site.loop, strcmp(client.frame, "b2") == 0 && strcmp(site.packets, "out4:own out4#ab! ") == 0);

    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_send_to_session(site.io, session, 3, "own", 3, 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_send_to_session(site.io, session, SOCKLINE_TEXT, "own", 3, 2));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, sockline_io_server_send_to_session(site.io, session, SOCKLINE_TEXT, "\xff", 1, 0));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED,
                 sockline_io_server_send_to_session(site.io, sockline_str("nobody"), SOCKLINE_TEXT, "own", 3, 0));
    CHECK_STATUS(SOCKLINE_ERR_WRONG_HANDLE,
                 sockline_io_server_send_to_session(site.io + 1000000, session, SOCKLINE_TEXT, "own", 3, 0));
    sockline_loop_free(site.loop);
}

static void a_client_sends_messages_of_its_own(void) {
    struct site site;
    char packets[8 * LONGEST] = "";
    open_site(&site, (sockline_io_handlers)SOCKLINE_IO_HANDLERS_INIT, 0);
    sockline_io_manager_handlers managing = SOCKLINE_IO_MANAGER_HANDLERS_INIT;
    managing.on_packet = on_manager_packet;
    sockline_io_manager manager = manage(&site, SOCKLINE_IO_WEBSOCKET, &managing, packets);
    CHECK_STATUS(SOCKLINE_ERR_NOT_OPEN, sockline_io_manager_send_message(manager, SOCKLINE_TEXT, "early", 5, 0));
    sockline_io_client_handlers handlers = SOCKLINE_IO_CLIENT_HANDLERS_INIT;
    sockline_io_client socket = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_socket(manager, sockline_str("/"), NULL, &handlers, NULL, &socket));
    UNTIL(site.loop, sockline_io_client_connected(socket) == 1);
    const char *text = "51-[\"said\",{\"_placeholder\":true,\"num\":0}]";
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_send_message(manager, SOCKLINE_TEXT, text, strlen(text), 1));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_send_message(manager, SOCKLINE_BINARY, "ab", 2, -1));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_client_emit(socket, sockline_str("after"), sockline_str("1"), NULL, 0, NULL));
    UNTIL(site.loop, strcmp(site.events, "said:{\"_placeholder\":true,\"num\":0}:1 after:1:0 ") == 0);
    UNTIL(site.loop, strstr(packets, "out4:2[\"after\",1] "));
    CHECK(strstr(packets, "in4:0{\"sid\":") && strstr(packets, "out4:51-[\"said\",") && strstr(packets, "out4#ab! "));

    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_manager_send_message(manager, 0, "own", 3, 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_manager_send_message(manager, SOCKLINE_TEXT, "own", 3, -2));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, sockline_io_manager_send_message(manager, SOCKLINE_TEXT, "\xff", 1, 0));
    CHECK_STATUS(SOCKLINE_ERR_WRONG_HANDLE, sockline_io_manager_send_message(manager + 1000000, SOCKLINE_TEXT, "own", 3, 0));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_client_free(socket));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_manager_free(manager));
    sockline_loop_free(site.loop);
}

int main(void) {
    RUN(a_session_has_the_application_s_id);
    RUN(the_application_answers_in_place_of_the_engine);
    RUN(who_goes_over_to_a_websocket_is_asked_about);
    RUN(nobody_is_asked_about_them_otherwise);
    RUN(a_server_s_packets_are_told);
    RUN(a_server_sends_messages_of_its_own);
    RUN(a_client_sends_messages_of_its_own);
    return 0;
}
