/* What is counted: program echo [CERTIFICATE KEY] | topic | io | client PORT PIPELINE.
 *
 * One thread, no clock of its own. A server prints its port. A text message (an event, for Socket.IO) "zero" begins the
 * count, and "dump" ends it and is answered. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockline.h>
#include <valgrind/callgrind.h>

static const char topic[] = "news";
static sockline_compression compression = SOCKLINE_COMPRESSION_INIT;
static sockline_settings settings = SOCKLINE_SETTINGS_INIT;

static void check(sockline_status status, const char *what) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", what, sockline_last_error_text());
    exit(1);
}

static int is(const void *data, size_t len, const char *wanted) {
    return len == strlen(wanted) && memcmp(data, wanted, len) == 0;
}

/* Whether it is one of the two messages of the count. */
static int counts(sockline_ws ws, const void *data, size_t len) {
    if (is(data, len, "zero")) {
        CALLGRIND_ZERO_STATS;
    } else if (is(data, len, "dump")) {
        CALLGRIND_DUMP_STATS;
    } else {
        return 0;
    }
    check(sockline_send(ws, SOCKLINE_TEXT, data, len), "not answered");
    return 1;
}

static void echo(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)user_data;
    if (type == SOCKLINE_TEXT && counts(ws, data, len)) return;
    check(sockline_send(ws, type, data, len), "not echoed");
}

static void subscribe(sockline_ws ws, void *user_data) {
    (void)user_data;
    check(sockline_subscribe(ws, topic, strlen(topic)), "not subscribed");
}

static void publish(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)user_data;
    if (type == SOCKLINE_TEXT && counts(ws, data, len)) return;
    check(sockline_publish(ws, topic, strlen(topic), type, data, len, 1), "not published");
}

static void join(sockline_io_socket socket, void *user_data) {
    (void)user_data;
    sockline_string room = sockline_str("room");
    sockline_io_join(socket, &room, 1);
}

static void on_event(sockline_io_socket socket, const sockline_io_event *event, void *user_data) {
    (void)user_data;
    if (is(event->name.data, event->name.len, "bc")) {
        sockline_string room = sockline_str("room");
        sockline_io_target target = SOCKLINE_IO_TARGET_INIT;
        target.nsp = sockline_io_socket_namespace(socket);
        target.rooms = &room;
        target.room_count = 1;
        check(sockline_io_broadcast_emit(&target, event->name, event->args, NULL, 0), "not broadcast");
        return;
    }
    if (is(event->name.data, event->name.len, "zero")) CALLGRIND_ZERO_STATS;
    if (is(event->name.data, event->name.len, "dump")) CALLGRIND_DUMP_STATS;
    check(sockline_io_ack_send(event->ack, event->args, NULL, 0), "not acknowledged");
}

static sockline_bytes read_file(const char *path, char *room, size_t size) {
    FILE *file = fopen(path, "rb");
    size_t length = file != NULL ? fread(room, 1, size, file) : 0;
    if (file != NULL) fclose(file);
    return (sockline_bytes){.data = room, .len = length};
}

static sockline_tls *tls(const char *certificate, const char *key) {
    static char room[2][16384];
    sockline_identity identity = {.certificates = read_file(certificate, room[0], sizeof room[0]),
                                  .private_key = read_file(key, room[1], sizeof room[1])};
    sockline_tls_server_options options = SOCKLINE_TLS_SERVER_OPTIONS_INIT;
    options.identities = &identity;
    options.identity_count = 1;
    sockline_tls *made = NULL;
    check(sockline_tls_server_new(&options, &made), "no TLS");
    return made;
}

static sockline_io_server io(sockline_loop *loop) {
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_connection = join;
    handlers.on_event = on_event;
    sockline_io_server_options options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    options.ping_interval_ms = 600000; /* none comes between */
    sockline_io_server made;
    check(sockline_io_server_new(loop, &options, &handlers, NULL, &made), "no server");
    return made;
}

static void serve(sockline_loop *loop, int argc, char **argv) {
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    sockline_io_server served;
    handlers.on_message = echo;
    compression.server_no_context_takeover = 1;
    compression.client_no_context_takeover = 1;
    settings.compression = &compression; /* for those who ask for it */
    settings.ping_interval_ms = 600000; /* as above */
    options.settings = &settings;
    if (strcmp(argv[1], "topic") == 0) {
        handlers.on_open = subscribe;
        handlers.on_message = publish;
    } else if (strcmp(argv[1], "io") == 0) {
        served = io(loop);
        options.io = &served;
        options.io_count = 1;
    } else if (argc == 4) {
        options.tls = tls(argv[2], argv[3]);
    }
    sockline_server server;
    check(sockline_listen(loop, &options, &handlers, NULL, &server), "not listening");
    printf("listening at %u\n", sockline_server_port(server));
    fflush(stdout);
}

static unsigned pipeline;

static void send_first(sockline_ws ws, void *user_data) {
    (void)user_data;
    static const char payload[64] = "one of those that go to and fro";
    for (unsigned i = 0; i < pipeline; i++)
        check(sockline_send(ws, SOCKLINE_BINARY, payload, sizeof payload), "not sent");
}

static void connect_to(sockline_loop *loop, const char *port) {
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%s/", port);
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    options.settings = &settings;
    handlers.on_open = send_first;
    handlers.on_message = echo;
    check(sockline_connect(loop, url, &options, &handlers, NULL, NULL), "not connecting");
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    sockline_loop *loop = NULL;
    check(sockline_loop_new(NULL, &loop), "no loop");
    if (strcmp(argv[1], "client") == 0 && argc == 4) {
        pipeline = (unsigned)atoi(argv[3]);
        connect_to(loop, argv[2]);
    } else {
        serve(loop, argc, argv);
    }
    check(sockline_loop_run(loop), "ended");
    return 0;
}
