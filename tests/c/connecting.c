/* Where a client's connection goes when that is not what its URL says: another host, another port, or a socket that is connected already,
 * and whose that one is afterwards. */

#define _DEFAULT_SOURCE /* htonl and its like */

#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* A server that notes which host it is asked for, and a client. */
struct scene {
    sockline_loop *loop;
    sockline_server server;
    uint16_t port;
    char host[128];
    struct record record;
};

static void note_host(sockline_ws ws, const sockline_request *request, void *user_data) {
    struct scene *scene = user_data;
    sockline_string host = sockline_request_header(request, sockline_str("host"));
    snprintf(scene->host, sizeof scene->host, "%.*s", (int)host.len, host.data);
    CHECK_STATUS(SOCKLINE_OK, sockline_accept(ws, NULL));
}

static void echo_back(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)user_data;
    CHECK_STATUS(SOCKLINE_OK, sockline_send(ws, type, data, len));
}

static void open_scene(struct scene *scene) {
    memset(scene, 0, sizeof *scene);
    scene->loop = new_loop();
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_upgrade = note_host;
    handlers.on_message = echo_back;
    scene->server = listen_here(scene->loop, &handlers, scene);
    scene->port = sockline_server_port(scene->server);
}

static sockline_status try_client(struct scene *scene, const char *url, const sockline_options *options, sockline_ws *ws) {
    sockline_handlers handlers = recording();
    memset(&scene->record, 0, sizeof scene->record);
    return sockline_connect(scene->loop, url, options, &handlers, &scene->record, ws);
}

static sockline_ws connect_client(struct scene *scene, const char *url, const sockline_options *options) {
    sockline_ws ws = 0;
    CHECK_STATUS(SOCKLINE_OK, try_client(scene, url, options, &ws));
    return ws;
}

static void refuses(struct scene *scene, const char *url, const sockline_options *options, const char *why) {
    sockline_ws ws = 7;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, try_client(scene, url, options, &ws));
    CHECK(ws == 0 && strstr(sockline_last_error_text(), why));
}

static int connected_to(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(descriptor > 0 && connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0);
    return descriptor;
}

/* Which socket has this descriptor: numbers are used again, this is not; 0 for none. */
static ino_t socket_of(int descriptor) {
    struct stat found;
    if (fstat(descriptor, &found) == 0) return found.st_ino;
    CHECK(errno == EBADF);
    return 0;
}

/* ── elsewhere ──────────────────────────────────────────────────────────────────────────────────────────────── */

static void another_host_and_another_port_are_connected_to(void) {
    struct scene scene;
    open_scene(&scene);
    const struct {
        const char *url, *host;
        bool has_port;
        const char *wanted;
    } cases[] = {
        {"ws://no.such.host.invalid:7/", "127.0.0.1", true, "no.such.host.invalid:7"},
        {"ws://no.such.host.invalid:%u/", "127.0.0.1", false, "no.such.host.invalid:%u"},
        {"ws://127.0.0.1/", "", true, "127.0.0.1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[64], wanted[64];
        snprintf(url, sizeof url, cases[i].url, (unsigned)scene.port);
        snprintf(wanted, sizeof wanted, cases[i].wanted, (unsigned)scene.port);
        sockline_options options = SOCKLINE_OPTIONS_INIT;
        options.connect_to_host = sockline_str(cases[i].host);
        options.connect_to_port = cases[i].has_port ? scene.port : 0;
        sockline_ws ws = connect_client(&scene, url, &options);
        UNTIL(scene.loop, has(&scene.record, 'o') || has(&scene.record, 'e'));
        CHECK(has(&scene.record, 'o') && strcmp(scene.host, wanted) == 0);
        CHECK_STATUS(SOCKLINE_OK, close_with(ws, 1000, ""));
        UNTIL(scene.loop, has(&scene.record, 'c'));
    }
    sockline_loop_free(scene.loop);
}

static void a_manager_connects_there_too(void) {
    sockline_loop *loop = new_loop();
    sockline_io_server server = 0;
    sockline_server listener = 0;
    sockline_io_handlers serving = SOCKLINE_IO_HANDLERS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_new(loop, NULL, &serving, NULL, &server));
    sockline_server_options listening = SOCKLINE_SERVER_OPTIONS_INIT;
    listening.host = sockline_str("127.0.0.1");
    listening.io = &server;
    listening.io_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &listening, NULL, NULL, &listener));
    sockline_options connection = SOCKLINE_OPTIONS_INIT;
    connection.connect_to_host = sockline_str("127.0.0.1");
    connection.connect_to_port = sockline_server_port(listener);
    sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    options.options = &connection;
    sockline_io_client_handlers handlers = SOCKLINE_IO_CLIENT_HANDLERS_INIT;
    sockline_io_client socket = 0;
    const char *url = "http://no.such.host.invalid/";
    CHECK_STATUS(SOCKLINE_OK, sockline_io_connect(loop, url, &options, NULL, &handlers, NULL, &socket));
    sockline_io_manager manager = sockline_io_client_manager(socket);
    UNTIL(loop, sockline_io_client_connected(socket) && sockline_io_manager_transport(manager) == SOCKLINE_IO_WEBSOCKET);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_client_free(socket));
    sockline_loop_free(loop);
}

static void what_is_no_place_to_connect_to_is_refused(void) {
    struct scene scene;
    open_scene(&scene);
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.connect_to_port = 65536;
    refuses(&scene, "ws://h/", &options, "connect_to_port must be at most 65535, not 65536");
    options.connect_to_port = 0;
    options.connect_to_host = sockline_str("\xff");
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, try_client(&scene, "ws://h/", &options, NULL));
    sockline_loop_free(scene.loop);
}

/* ── a socket ───────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_socket_that_is_connected_is_used_and_closed(void) {
    struct scene scene;
    open_scene(&scene);
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    int descriptor = connected_to(scene.port);
    ino_t given = socket_of(descriptor);
    options.socket = descriptor;
    options.proxy = "http://no.such.proxy.invalid/"; /* not asked */
    sockline_ws ws = connect_client(&scene, "ws://no.such.host.invalid:7/", &options);
    UNTIL(scene.loop, has(&scene.record, 'o'));
    CHECK(strcmp(scene.host, "no.such.host.invalid:7") == 0);
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "hello"));
    UNTIL(scene.loop, has(&scene.record, 'm'));
    CHECK_STATUS(SOCKLINE_OK, close_with(ws, 1000, ""));
    UNTIL(scene.loop, has(&scene.record, 'c'));
    CHECK(strcmp(scene.record.events, "omc") == 0 && scene.record.was_clean && socket_of(descriptor) != given);

    /* Also where it comes to nothing. */
    options.socket = descriptor = connected_to(scene.port);
    given = socket_of(descriptor);
    ws = connect_client(&scene, "ws://h/", &options);
    CHECK_STATUS(SOCKLINE_OK, sockline_terminate(ws));
    UNTIL(scene.loop, has(&scene.record, 'c'));
    CHECK(socket_of(descriptor) != given);
    options.socket = descriptor = connected_to(scene.port);
    given = socket_of(descriptor);
    connect_client(&scene, "ws://h/", &options);
    sockline_loop_free(scene.loop);
    CHECK(socket_of(descriptor) != given);
}

static void a_socket_that_is_not_connected_is_told_of(void) {
    struct scene scene;
    open_scene(&scene);
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    ino_t given = socket_of(descriptor);
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.socket = descriptor;
    connect_client(&scene, "ws://h/", &options);
    UNTIL(scene.loop, has(&scene.record, 'c'));
    CHECK(strcmp(scene.record.events, "ec") == 0 && strstr(scene.record.error_text, "the socket that was given"));
    CHECK(socket_of(descriptor) != given);
    sockline_loop_free(scene.loop);
}

static void never_asked(sockline_dialing dialing, const sockline_dial_request *request, void *user_data) {
    (void)dialing, (void)request, (void)user_data;
    CHECK(false);
}

static void never_looked_up(sockline_string host, sockline_addresses *addresses, void *user_data) {
    (void)host, (void)addresses, (void)user_data;
    CHECK(false);
}

static void a_socket_comes_alone(struct scene *scene, int64_t descriptor) {
    sockline_reconnect reconnect = SOCKLINE_RECONNECT_INIT;
    sockline_dial dial = SOCKLINE_DIAL_INIT;
    sockline_lookup lookup = SOCKLINE_LOOKUP_INIT;
    dial.on_dial = never_asked;
    lookup.on_lookup = never_looked_up;
    sockline_options fresh = SOCKLINE_OPTIONS_INIT, options;
    fresh.socket = descriptor;
#define REFUSED_WITH(field, value, why)                                                            \
    options = fresh;                                                                               \
    options.field = value;                                                                         \
    refuses(scene, "ws://h/", &options, why)
    REFUSED_WITH(reconnect, &reconnect, "reconnect");
    REFUSED_WITH(dial, &dial, "dial can't be combined with socket");
    REFUSED_WITH(lookup, &lookup, "lookup");
    REFUSED_WITH(local_address, sockline_str("127.0.0.1"), "local_address");
    REFUSED_WITH(connect_to_host, sockline_str("h"), "connect_to");
    REFUSED_WITH(connect_to_port, 1, "connect_to");
#undef REFUSED_WITH
    refuses(scene, "ws+unix:///tmp/s", &fresh, "a Unix socket's URL");

    sockline_io_manager_options managing = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    managing.options = &fresh;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_manager_new(scene->loop, "http://h/", &managing, NULL, NULL, NULL));
    CHECK(strstr(sockline_last_error_text(), "a manager makes several connections"));
}

/* What failed calls were given is as it was: a call that succeeds can have it. */
static void after_an_error_a_socket_is_the_caller_s(void) {
    struct scene scene;
    open_scene(&scene);
    int descriptor = connected_to(scene.port);
    ino_t given = socket_of(descriptor);
    a_socket_comes_alone(&scene, descriptor);
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.socket = descriptor;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_URL, try_client(&scene, "nonsense", &options, NULL));
    sockline_string protocol = sockline_str("no good");
    options.subprotocols = &protocol;
    options.subprotocol_count = 1;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, try_client(&scene, "ws://h/", &options, NULL));
    options.subprotocol_count = 0;
    CHECK(socket_of(descriptor) == given && (fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0);
    connect_client(&scene, "ws://h/", &options);
    UNTIL(scene.loop, has(&scene.record, 'o'));

    options.socket = 1 << 20;
    refuses(&scene, "ws://h/", &options, "descriptor 1048576 can't be taken over");
    options.socket = -1;
    refuses(&scene, "ws://h/", &options, "descriptor -1 can't be taken over");
    sockline_loop_free(scene.loop);
    CHECK(socket_of(descriptor) != given);
}

int main(void) {
    RUN(another_host_and_another_port_are_connected_to);
    RUN(a_manager_connects_there_too);
    RUN(what_is_no_place_to_connect_to_is_refused);
    RUN(a_socket_that_is_connected_is_used_and_closed);
    RUN(a_socket_that_is_not_connected_is_told_of);
    RUN(after_an_error_a_socket_is_the_caller_s);
    return 0;
}
