/* Socket.IO and WebSockets in a server of libmicrohttpd, through the code of the example: our clients come to its port. */

#include "support.h"

#include "mhd_requests.h"

#define STR(string) (int)(string).len, (string).data

struct scene {
    sockline_loop *loop;
    sockline_io_server io;
    sockline_server server;
    struct MHD_Daemon *daemon;
    char address[64]; /* of the client of Socket.IO, as its server has it */
};

static void serve_event(sockline_io_socket socket, const sockline_io_event *event, void *user_data) {
    (void)socket, (void)user_data;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_ack_send(event->ack, event->args, event->attachments, event->attachment_count));
}

static void see_address(const sockline_io_request *request, void *scene) {
    snprintf(((struct scene *)scene)->address, 64, "%.*s", STR(request->address));
}

static void serve_connection(sockline_io_socket socket, void *user_data) {
    CHECK_STATUS(SOCKLINE_OK, sockline_io_socket_request(socket, see_address, user_data));
}

static void echo_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)user_data;
    CHECK(sockline_send(ws, type, data, len) >= 0);
}

static enum MHD_Result on_request(void *scene, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request) {
    (void)path, (void)version;
    return give_request(((struct scene *)scene)->server, connection, method, upload, upload_size, *request);
}

static void open_scene(struct scene *scene) {
    memset(scene, 0, sizeof *scene);
    scene->loop = new_loop();
    sockline_io_handlers io_handlers = SOCKLINE_IO_HANDLERS_INIT;
    io_handlers.on_connection = serve_connection;
    io_handlers.on_event = serve_event;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_new(scene->loop, NULL, &io_handlers, scene, &scene->io));
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_message = echo_message;
    sockline_compression compression = SOCKLINE_COMPRESSION_INIT;
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.compression = &compression;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.nowhere = 1;
    options.path = sockline_str("/ws");
    options.settings = &settings;
    options.io = &scene->io;
    options.io_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(scene->loop, &options, &handlers, NULL, &scene->server));
    scene->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE, 0, NULL, NULL,
        on_request, scene, MHD_OPTION_URI_LOG_CALLBACK, begin_request, NULL, MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL, MHD_OPTION_END);
    CHECK(scene->daemon);
}

static void close_scene(struct scene *scene) {
    sockline_loop_free(scene->loop); /* after this no connection is suspended, as libmicrohttpd wants it */
    MHD_stop_daemon(scene->daemon);
}

static const char *at(const struct scene *scene, const char *scheme, const char *path) {
    static char url[128];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", scheme, MHD_get_daemon_info(scene->daemon, MHD_DAEMON_INFO_BIND_PORT)->port, path);
    return url;
}

/* ── Socket.IO ──────────────────────────────────────────────────────────────────────────────────────────────── */

struct heard {
    int connects, disconnects;
    char text[64];
};

static void on_connect(sockline_io_client socket, void *user_data) {
    (void)socket;
    ((struct heard *)user_data)->connects++;
}

static void on_ack(sockline_io_client socket, const sockline_io_ack_event *event, void *user_data) {
    (void)socket;
    CHECK(event->attachment_count == 1 && event->attachments[0].len == 3);
    snprintf(((struct heard *)user_data)->text, 64, "%.*s", STR(event->args));
}

static void on_disconnect(sockline_io_client socket, int32_t reason, sockline_string detail, void *user_data) {
    (void)socket, (void)detail, (void)reason;
    ((struct heard *)user_data)->disconnects++;
}

static void ask(struct scene *scene, sockline_io_client client, struct heard *heard) {
    sockline_io_emit_options options = SOCKLINE_IO_EMIT_OPTIONS_INIT;
    sockline_bytes attachment = {"abc", 3};
    options.wants_ack = 1;
    heard->text[0] = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_client_emit(client, sockline_str("ask"), sockline_str("1,{\"_placeholder\":true,\"num\":0}"),
                                                      &attachment, 1, &options));
    UNTIL(scene->loop, heard->text[0]);
    CHECK(strcmp(heard->text, "1,{\"_placeholder\":true,\"num\":0}") == 0);
}

/* Bits of enum sockline_io_transport; 0: both. */
static void socket_io_by(uint64_t transports) {
    struct scene scene;
    struct heard heard = {0};
    open_scene(&scene);
    sockline_io_client_handlers handlers = SOCKLINE_IO_CLIENT_HANDLERS_INIT;
    handlers.on_connect = on_connect;
    handlers.on_ack = on_ack;
    handlers.on_disconnect = on_disconnect;
    sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    options.transports = transports;
    sockline_io_client client;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_connect(scene.loop, at(&scene, "http", "/"), &options, NULL, &handlers, &heard, &client));
    UNTIL(scene.loop, heard.connects == 1);
    CHECK(strcmp(scene.address, "127.0.0.1") == 0);
    int32_t last = transports == SOCKLINE_IO_POLLING ? SOCKLINE_IO_POLLING : SOCKLINE_IO_WEBSOCKET;
    sockline_io_manager manager = sockline_io_client_manager(client);
    ask(&scene, client, &heard);
    UNTIL(scene.loop, sockline_io_manager_transport(manager) == last);
    for (int i = 0; i < 20; i++) ask(&scene, client, &heard);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_client_disconnect(client));
    sockline_io_client_free(client);
    close_scene(&scene);
}

static void socket_io_is_polled(void) { socket_io_by(SOCKLINE_IO_POLLING); }

static void socket_io_begins_on_a_websocket(void) { socket_io_by(SOCKLINE_IO_WEBSOCKET); }

static void socket_io_is_upgraded(void) { socket_io_by(0); }

/* ── WebSockets ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_websocket_has_its_messages_back(void) {
    struct scene scene;
    struct record record = {0};
    sockline_handlers handlers = recording();
    sockline_ws ws;
    char extensions[64];
    open_scene(&scene);
    sockline_compression compression = SOCKLINE_COMPRESSION_INIT;
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    settings.compression = &compression;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.settings = &settings;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(scene.loop, at(&scene, "ws", "/ws"), &options, &handlers, &record, &ws));
    UNTIL(scene.loop, has(&record, 'o'));
    sockline_extensions(ws, extensions, sizeof extensions);
    CHECK(strstr(extensions, "permessage-deflate"));
    static char big[300000];
    memset(big, 'x', sizeof big);
    CHECK(sockline_send(ws, SOCKLINE_BINARY, big, sizeof big) >= 0);
    UNTIL(scene.loop, record.messages == 1);
    CHECK(record.bytes == sizeof big);
    CHECK_STATUS(SOCKLINE_OK, close_with(ws, 3000, "bye"));
    UNTIL(scene.loop, has(&record, 'c'));
    CHECK(record.close_code == 3000 && record.was_clean);
    close_scene(&scene);
}

static void what_is_refused_has_its_status(void) {
    struct scene scene;
    struct record record = {0};
    sockline_handlers handlers = recording();
    open_scene(&scene);
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(scene.loop, at(&scene, "ws", "/other"), NULL, &handlers, &record, NULL));
    UNTIL(scene.loop, has(&record, 'c'));
    CHECK(record.http_status == 404);
    close_scene(&scene);
}

int main(void) {
    RUN(socket_io_is_polled);
    RUN(socket_io_begins_on_a_websocket);
    RUN(socket_io_is_upgraded);
    RUN(a_websocket_has_its_messages_back);
    RUN(what_is_refused_has_its_status);
    return 0;
}
