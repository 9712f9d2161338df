/* Connections that the application makes, again and again, and names that it looks up: answers at once and later, failures, Socket.IO's
 * managers, and when what belongs to them may be freed. */

#define _DEFAULT_SOURCE /* htonl and its like */

#include "support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>

/* Who is asked, on whichever thread, and what for. */
struct asked {
    uint16_t port; /* where connections go to, whatever is asked for */
    int times;
    sockline_dialing dialing; /* the latest */
    char what[128];
    const char *failure;
    pthread_t thread;
    atomic_int freed;
    sem_t is_freed;
};

static void begin(struct asked *asked, uint16_t port) {
    memset(asked, 0, sizeof *asked);
    asked->port = port;
    CHECK(sem_init(&asked->is_freed, 0, 0) == 0);
}

static void on_freed(void *user_data) {
    struct asked *asked = user_data;
    atomic_fetch_add(&asked->freed, 1);
    sem_post(&asked->is_freed);
}

/* Waits for on_freed, which comes on any thread. */
static void end(struct asked *asked) {
    CHECK(sem_wait(&asked->is_freed) == 0 && atomic_load(&asked->freed) == 1);
    sem_destroy(&asked->is_freed);
}

static int connected_to(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(descriptor >= 0 && connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0);
    return descriptor;
}

static void note_dialing(struct asked *asked, sockline_dialing dialing, const sockline_dial_request *request) {
    CHECK(dialing != 0 && request->size == sizeof *request && request->host.data[request->host.len] == '\0');
    snprintf(asked->what, sizeof asked->what, "%s %u %d", request->host.data, (unsigned)request->port, (int)request->is_secure);
    asked->times++;
    asked->dialing = dialing;
}

static void dial_at_once(sockline_dialing dialing, const sockline_dial_request *request, void *user_data) {
    struct asked *asked = user_data;
    note_dialing(asked, dialing, request);
    if (asked->failure)
        CHECK_STATUS(SOCKLINE_OK, sockline_dial_failed(dialing, sockline_str(asked->failure)));
    else
        CHECK_STATUS(SOCKLINE_OK, sockline_dial_connected(dialing, connected_to(asked->port), 0));
}

static void dial_later(sockline_dialing dialing, const sockline_dial_request *request, void *user_data) {
    note_dialing(user_data, dialing, request);
}

static sockline_dial dialing_with(void (*on_dial)(sockline_dialing, const sockline_dial_request *, void *), struct asked *asked) {
    sockline_dial dial = SOCKLINE_DIAL_INIT;
    dial.on_dial = on_dial;
    dial.on_freed = on_freed;
    dial.user_data = asked;
    return dial;
}

static void cut_or_echo(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)user_data;
    if (len == 3 && memcmp(data, "cut", 3) == 0)
        CHECK_STATUS(SOCKLINE_OK, sockline_terminate(ws));
    else
        CHECK_STATUS(SOCKLINE_OK, sockline_send(ws, type, data, len));
}

/* A server, and a client whose connections to it are made by `asked`, or whose names are looked up by it. */
struct scene {
    sockline_loop *loop;
    sockline_server server;
    struct asked asked;
    struct record record;
};

static void open_scene(struct scene *scene) {
    memset(scene, 0, sizeof *scene);
    scene->loop = new_loop();
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_message = cut_or_echo;
    scene->server = listen_here(scene->loop, &handlers, NULL);
    begin(&scene->asked, sockline_server_port(scene->server));
}

static sockline_ws connect_client(struct scene *scene, const char *url, const sockline_options *options) {
    sockline_handlers handlers = recording();
    sockline_ws ws = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(scene->loop, url, options, &handlers, &scene->record, &ws));
    return ws;
}

static void close_scene(struct scene *scene) {
    sockline_loop_free(scene->loop);
    end(&scene->asked);
}

static void a_client_comes_back_over_what_the_application_connects(void) {
    struct scene scene;
    open_scene(&scene);
    sockline_dial dial = dialing_with(dial_at_once, &scene.asked);
    sockline_reconnect reconnect = SOCKLINE_RECONNECT_INIT;
    reconnect.base_delay_ms = 1;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.dial = &dial;
    options.reconnect = &reconnect;
    sockline_ws ws = connect_client(&scene, "ws://no.such.host.invalid:7/", &options);
    memset(&dial, 0xff, sizeof dial); /* it was copied */
    UNTIL(scene.loop, has(&scene.record, 'o'));
    CHECK(scene.asked.times == 1 && strcmp(scene.asked.what, "no.such.host.invalid 7 0") == 0);
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "cut"));
    UNTIL(scene.loop, has(&scene.record, 'R'));
    CHECK(scene.asked.times == 2 && atomic_load(&scene.asked.freed) == 0);
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "hello"));
    UNTIL(scene.loop, has(&scene.record, 'm'));
    CHECK_STATUS(SOCKLINE_OK, close_with(ws, 1000, ""));
    UNTIL(scene.loop, has(&scene.record, 'c'));
    CHECK(strcmp(scene.record.events, "orRmc") == 0);
    close_scene(&scene);
}

/* Somebody else would do TLS. */
static void *answer_elsewhere(void *user_data) {
    struct asked *asked = user_data;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_dial_connected(asked->dialing, 1 << 20, 1));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, sockline_dial_failed(asked->dialing, sockline_str("\xff")));
    CHECK_STATUS(SOCKLINE_OK, sockline_dial_connected(asked->dialing, connected_to(asked->port), 1)); /* still owed */
    int ends[2];
    char byte;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_dial_connected(asked->dialing, ends[1], 1));
    CHECK(recv(ends[0], &byte, 1, 0) == 0 && close(ends[0]) == 0); /* taken over all the same, and closed */
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_dial_failed(asked->dialing, sockline_str("no")));
    return NULL;
}

static void an_answer_may_come_later_from_any_thread_and_be_secured(void) {
    struct scene scene;
    open_scene(&scene);
    sockline_dial dial = dialing_with(dial_later, &scene.asked);
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.dial = &dial;
    connect_client(&scene, "wss://[2001:db8::1]/", &options);
    UNTIL(scene.loop, scene.asked.times == 1);
    CHECK(strcmp(scene.asked.what, "2001:db8::1 443 1") == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, answer_elsewhere, &scene.asked) == 0);
    UNTIL(scene.loop, has(&scene.record, 'o'));
    pthread_join(thread, NULL);
    close_scene(&scene);
}

static void there_may_be_no_connection_and_a_reason(void) {
    struct scene scene;
    open_scene(&scene);
    scene.asked.failure = "not today";
    sockline_dial dial = dialing_with(dial_at_once, &scene.asked);
    sockline_reconnect reconnect = SOCKLINE_RECONNECT_INIT;
    reconnect.base_delay_ms = 1;
    reconnect.max_attempts = 2;
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.dial = &dial;
    options.reconnect = &reconnect;
    connect_client(&scene, url_of(scene.server, "/"), &options);
    UNTIL(scene.loop, has(&scene.record, 'c'));
    CHECK(strcmp(scene.record.events, "rrec") == 0 && scene.asked.times == 3);
    CHECK(scene.record.error == SOCKLINE_ERR_CONNECT_FAILED && strstr(scene.record.error_text, "not today"));
    close_scene(&scene);
}

static void what_nobody_waits_for_any_more_is_closed(void) {
    struct scene scene;
    open_scene(&scene);
    sockline_dial dial = dialing_with(dial_later, &scene.asked);
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.dial = &dial;
    sockline_ws ws = connect_client(&scene, "ws://h/", &options);
    UNTIL(scene.loop, scene.asked.times == 1);
    CHECK_STATUS(SOCKLINE_OK, sockline_terminate(ws));
    UNTIL(scene.loop, has(&scene.record, 'c'));
    int ends[2];
    char byte;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_dial_connected(scene.asked.dialing, ends[1], 0));
    UNTIL(scene.loop, recv(ends[0], &byte, 1, MSG_DONTWAIT) == 0);
    CHECK(strcmp(scene.record.events, "c") == 0 && close(ends[0]) == 0);
    close_scene(&scene);
}

/* A Socket.IO client and its server, in the scene's loop. */
struct io {
    sockline_io_server server;
    sockline_server listener;
    sockline_io_socket serving;
    int connects, frees;
};

static void serve_connection(sockline_io_socket socket, void *user_data) { ((struct io *)user_data)->serving = socket; }

static void on_io_connect(sockline_io_client socket, void *user_data) {
    (void)socket;
    ((struct io *)user_data)->connects++;
}

static void on_io_freed(sockline_io_client socket, void *user_data) {
    (void)socket;
    ((struct io *)user_data)->frees++;
}

static void serve_io(struct scene *scene, struct io *io) {
    memset(io, 0, sizeof *io);
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_connection = serve_connection;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_new(scene->loop, NULL, &handlers, io, &io->server));
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    options.io = &io->server;
    options.io_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(scene->loop, &options, NULL, NULL, &io->listener));
    scene->asked.port = sockline_server_port(io->listener);
}

static void all_connections_of_a_manager_are_the_application_s(void) {
    struct scene scene;
    struct io io;
    open_scene(&scene);
    serve_io(&scene, &io);
    sockline_dial dial = dialing_with(dial_at_once, &scene.asked);
    sockline_options connection = SOCKLINE_OPTIONS_INIT;
    connection.dial = &dial;
    sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    options.options = &connection;
    options.reconnection_delay_ms = 1;
    sockline_io_client_handlers handlers = SOCKLINE_IO_CLIENT_HANDLERS_INIT;
    handlers.on_connect = on_io_connect;
    handlers.on_freed = on_io_freed;
    sockline_io_client socket = 0;
    const char *url = "http://no.such.host.invalid/";
    CHECK_STATUS(SOCKLINE_OK, sockline_io_connect(scene.loop, url, &options, NULL, &handlers, &io, &socket));
    sockline_io_manager manager = sockline_io_client_manager(socket);
    UNTIL(scene.loop, io.connects == 1 && sockline_io_manager_transport(manager) == SOCKLINE_IO_WEBSOCKET);
    int first = scene.asked.times;
    CHECK(first >= 2 && strcmp(scene.asked.what, "no.such.host.invalid 80 0") == 0); /* to poll, and for the WebSocket */

    char session[32];
    CHECK(sockline_io_socket_session_id(io.serving, session, sizeof session) == 20);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_close_session(io.server, sockline_str(session), 0));
    UNTIL(scene.loop, io.connects == 2);
    CHECK(scene.asked.times > first && atomic_load(&scene.asked.freed) == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_client_free(socket));
    UNTIL(scene.loop, io.frees == 1);
    close_scene(&scene);
}

/* ── names ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void look_up(sockline_string host, sockline_addresses *addresses, void *user_data) {
    struct asked *asked = user_data;
    CHECK(host.data[host.len] == '\0');
    snprintf(asked->what, sizeof asked->what, "%s", host.data);
    asked->thread = pthread_self();
    asked->times++;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_lookup_add(addresses, sockline_str("127.0.0.1:80")));
    CHECK_STATUS(SOCKLINE_OK, sockline_lookup_add(addresses, sockline_str("127.0.0.1")));
    if (!asked->failure) return;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, sockline_lookup_failed(addresses, sockline_str("\xff")));
    CHECK_STATUS(SOCKLINE_OK, sockline_lookup_failed(addresses, sockline_str(asked->failure)));
}

static void find_nothing(sockline_string host, sockline_addresses *addresses, void *user_data) {
    (void)host, (void)addresses;
    ((struct asked *)user_data)->times++;
}

static sockline_lookup looking_up_with(void (*on_lookup)(sockline_string, sockline_addresses *, void *), struct asked *asked) {
    sockline_lookup lookup = SOCKLINE_LOOKUP_INIT;
    lookup.on_lookup = on_lookup;
    lookup.on_freed = on_freed;
    lookup.user_data = asked;
    return lookup;
}

static void look_up_in(struct scene *scene, const sockline_lookup *lookup) {
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.lookup = lookup;
    char url[64];
    snprintf(url, sizeof url, "ws://name.test:%u/", (unsigned)scene->asked.port);
    connect_client(scene, url, &options);
}

static void a_name_s_addresses_are_the_application_s(void) {
    struct scene scene;
    open_scene(&scene);
    sockline_lookup lookup = looking_up_with(look_up, &scene.asked);
    look_up_in(&scene, &lookup);
    memset(&lookup, 0xff, sizeof lookup); /* it was copied */
    UNTIL(scene.loop, has(&scene.record, 'o'));
    CHECK(scene.asked.times == 1 && strcmp(scene.asked.what, "name.test") == 0);
    CHECK(!pthread_equal(scene.asked.thread, pthread_self()));
    close_scene(&scene);
}

static void a_name_may_have_no_address_and_a_reason(void) {
    const char *const words[] = {"never heard of it", "has no address"};
    for (int i = 0; i < 2; i++) {
        struct scene scene;
        open_scene(&scene);
        scene.asked.failure = i == 0 ? words[0] : NULL;
        sockline_lookup lookup = looking_up_with(i == 0 ? look_up : find_nothing, &scene.asked);
        look_up_in(&scene, &lookup);
        UNTIL(scene.loop, has(&scene.record, 'c'));
        CHECK(strcmp(scene.record.events, "ec") == 0 && scene.record.error == SOCKLINE_ERR_NAME_NOT_RESOLVED);
        CHECK(strstr(scene.record.error_text, "name.test") && strstr(scene.record.error_text, words[i]));
        close_scene(&scene);
    }
}

/* Nothing is kept then, and nothing is told. */
static void what_can_t_be_is_refused(void) {
    struct asked asked;
    begin(&asked, 0);
    sockline_loop *loop = new_loop();
    sockline_dial dial = dialing_with(dial_at_once, &asked);
    sockline_lookup lookup = looking_up_with(look_up, &asked);
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    sockline_ws ws = 7;
    options.dial = &dial;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(loop, "ws+unix:///tmp/s", &options, NULL, NULL, &ws));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_URL, sockline_connect(loop, "nonsense", &options, NULL, NULL, &ws));
    options.lookup = &lookup;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(loop, "ws://h/", &options, NULL, NULL, &ws));
    CHECK(ws == 0 && strstr(sockline_last_error_text(), "lookup"));
    sockline_io_manager_options managing = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    managing.options = &options;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_manager_new(loop, "http://h/", &managing, NULL, NULL, NULL));
    options.dial = NULL;
    lookup.on_lookup = NULL;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(loop, "ws://h/", &options, NULL, NULL, &ws));
    options.lookup = NULL;
    options.dial = &dial;
    dial.on_dial = NULL;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(loop, "ws://h/", &options, NULL, NULL, &ws));
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_dial_failed(0, sockline_str("")));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_lookup_add(NULL, sockline_str("::1")));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_lookup_failed(NULL, sockline_str("no")));
    sockline_loop_free(loop);
    CHECK(asked.times == 0 && atomic_load(&asked.freed) == 0);
    sem_destroy(&asked.is_freed);
}

int main(void) {
    RUN(a_client_comes_back_over_what_the_application_connects);
    RUN(an_answer_may_come_later_from_any_thread_and_be_secured);
    RUN(there_may_be_no_connection_and_a_reason);
    RUN(what_nobody_waits_for_any_more_is_closed);
    RUN(all_connections_of_a_manager_are_the_application_s);
    RUN(a_name_s_addresses_are_the_application_s);
    RUN(a_name_may_have_no_address_and_a_reason);
    RUN(what_can_t_be_is_refused);
    return 0;
}
