/* Parsers that are written in C: on both sides, by each transport, with what they refuse, and the ends of what they own. */

#include "support.h"

#include <inttypes.h>

enum { LONGEST = 512, ATTACHMENTS = 4 };

#define STR(string) (int)(string).len, (string).data

/* A parser: a text "TYPE ID NAMESPACE COUNT PAYLOAD", with - for what there is not, and COUNT binary messages. */
struct parser {
    int encoded, decoders, freed_decoders, freed;
    int lie; /* what decode does wrong; see there */
};

/* What one connection waits for. */
struct decoder {
    char head[LONGEST], nsp[64];
    const char *payload;
    int packet_type, has_id;
    uint64_t id;
    size_t wanted, count;
    char data[ATTACHMENTS][LONGEST];
    sockline_bytes attachments[ATTACHMENTS];
};

static bool begins(sockline_string text, const char *prefix) {
    return text.len >= strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0;
}

static int32_t encode(const sockline_io_packet *packet, sockline_io_messages *messages, void *user_data) {
    struct parser *parser = user_data;
    CHECK(packet->size == sizeof *packet);
    parser->encoded++;
    char head[LONGEST], id[24] = "-";
    if (packet->has_id) snprintf(id, sizeof id, "%" PRIu64, packet->id);
    sockline_string payload = packet->payload.data ? packet->payload : sockline_str("-");
    if (begins(payload, "[\"never\"")) return -1;
    if (begins(payload, "[\"nothing\"")) return 0;
    if (begins(payload, "[\"garbage\"")) return sockline_io_add_message(messages, SOCKLINE_TEXT, "?", 1);
    int len = snprintf(head, sizeof head, "%d %s %.*s %zu %.*s", packet->packet_type, id, STR(packet->nsp),
                       packet->attachment_count, STR(payload));
    CHECK(len > 0 && len < LONGEST);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_add_message(messages, 7, "", 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, sockline_io_add_message(messages, SOCKLINE_TEXT, "\xff", 1));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_add_message(messages, SOCKLINE_TEXT, head, (size_t)len));
    for (size_t i = 0; i < packet->attachment_count; i++) {
        sockline_bytes one = packet->attachments[i];
        CHECK_STATUS(SOCKLINE_OK, sockline_io_add_message(messages, SOCKLINE_BINARY, one.data, one.len));
    }
    return 0;
}

static void *new_decoder(void *user_data) {
    ((struct parser *)user_data)->decoders++;
    return calloc(1, sizeof(struct decoder));
}

static void free_decoder(void *decoder, void *user_data) {
    ((struct parser *)user_data)->freed_decoders++;
    free(decoder);
}

static void on_freed(void *user_data) {
    struct parser *parser = user_data;
    CHECK(parser->freed_decoders == parser->decoders);
    parser->freed++;
}

/* 1 if the packet is whole. */
static int32_t finish(const struct decoder *decoder, const struct parser *parser, sockline_io_packet *packet) {
    if (decoder->count < decoder->wanted) return 0;
    packet->packet_type = decoder->packet_type;
    packet->has_id = decoder->has_id;
    packet->id = decoder->id;
    packet->nsp = sockline_str(decoder->nsp);
    if (strcmp(decoder->payload, "-") != 0) packet->payload = sockline_str(decoder->payload);
    packet->attachments = decoder->attachments;
    packet->attachment_count = decoder->count;
    if (decoder->packet_type != SOCKLINE_IO_PACKET_EVENT) return 1;
    switch (parser->lie) {
        case 1: packet->packet_type = 5; break;
        case 2: packet->payload = sockline_str("[\"a\","); break;
        case 3: packet->payload = sockline_str("[\"connect\"]"); break;
        case 4: packet->nsp = (sockline_string){"\xff", 1}; break;
        case 5: packet->attachment_count = 11; break;
        case 6: packet->attachments = NULL, packet->attachment_count = 1; break;
        case 7: packet->payload.data = NULL, packet->payload.len = 0; break;
        case 8: packet->attachment_count = 1, packet->payload = sockline_str("[\"a\",{\"_placeholder\":true,\"num\":1}]"); break;
        default: break;
    }
    return 1;
}

static int32_t decode(void *state, int32_t type, const void *data, size_t len, const sockline_io_limits *limits,
                      sockline_io_packet *packet, void *user_data) {
    struct decoder *decoder = state;
    CHECK(limits->size == sizeof *limits && limits->max_attachments == 10 && limits->max_bytes > 0);
    CHECK(packet->size == sizeof *packet && packet->nsp.len == 0 && packet->attachment_count == 0);
    if (len >= LONGEST) return -1;
    if (type == SOCKLINE_BINARY) {
        if (decoder->count == decoder->wanted) return -1;
        memcpy(decoder->data[decoder->count], data, len);
        decoder->attachments[decoder->count] = (sockline_bytes){decoder->data[decoder->count], len};
        decoder->count++;
        return finish(decoder, user_data, packet);
    }
    char id[24];
    int used = 0;
    memcpy(decoder->head, data, len);
    decoder->head[len] = '\0';
    decoder->count = 0;
    int read = sscanf(decoder->head, "%d %23s %63s %zu %n", &decoder->packet_type, id, decoder->nsp, &decoder->wanted, &used);
    if (read != 4 || decoder->wanted > ATTACHMENTS) return -1;
    decoder->has_id = strcmp(id, "-") != 0;
    decoder->id = strtoull(id, NULL, 10);
    decoder->payload = decoder->head + used;
    return finish(decoder, user_data, packet);
}

static sockline_io_custom_parser table(struct parser *parser) {
    sockline_io_custom_parser out = SOCKLINE_IO_CUSTOM_PARSER_INIT;
    out.encode = encode;
    out.new_decoder = new_decoder;
    out.decode = decode;
    out.free_decoder = free_decoder;
    out.on_freed = on_freed;
    out.user_data = parser;
    return out;
}

/* ── a server and its client ────────────────────────────────────────────────────────────────────────────────── */

struct scene {
    sockline_loop *loop;
    sockline_io_server io;
    sockline_server server;
    sockline_io_client socket;
    struct parser serving, asking;
    char events[32], text[LONGEST];
    size_t count;
    int32_t server_reason, client_reason;
    bool is_closed, is_freed;
};

static void hear(struct scene *scene, char event) {
    CHECK(scene->count + 1 < sizeof scene->events);
    scene->events[scene->count++] = event;
}

static void serve_event(sockline_io_socket socket, const sockline_io_event *event, void *user_data) {
    (void)user_data;
    if (event->ack)
        CHECK_STATUS(SOCKLINE_OK, sockline_io_ack_send(event->ack, event->args, event->attachments, event->attachment_count));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_namespace_emit(sockline_io_socket_namespace(socket), sockline_str("all"), event->args,
                                                         event->attachments, event->attachment_count));
}

static void serve_disconnect(sockline_io_socket socket, int32_t reason, sockline_string detail, void *user_data) {
    (void)socket, (void)detail;
    ((struct scene *)user_data)->server_reason = reason;
    hear(user_data, 'D');
}

static void serve_closed(sockline_io_server server, void *user_data) {
    (void)server;
    ((struct scene *)user_data)->is_closed = true;
}

static void on_connect(sockline_io_client socket, void *user_data) {
    (void)socket;
    hear(user_data, 'c');
}

static void keep(struct scene *scene, sockline_string args, const sockline_bytes *attachments, size_t count) {
    sockline_bytes none = {"", 0}, one = count ? attachments[0] : none;
    snprintf(scene->text, sizeof scene->text, "%.*s|%.*s", STR(args), (int)one.len, (const char *)one.data);
}

static void on_event(sockline_io_client socket, const sockline_io_event *event, void *user_data) {
    (void)socket;
    keep(user_data, event->args, event->attachments, event->attachment_count);
    hear(user_data, 'e');
}

static void on_ack(sockline_io_client socket, const sockline_io_ack_event *event, void *user_data) {
    (void)socket;
    CHECK(event->outcome == SOCKLINE_IO_ANSWERED);
    keep(user_data, event->args, event->attachments, event->attachment_count);
    hear(user_data, 'a');
}

static void on_disconnect(sockline_io_client socket, int32_t reason, sockline_string detail, void *user_data) {
    (void)socket, (void)detail;
    ((struct scene *)user_data)->client_reason = reason;
    hear(user_data, 'd');
}

static void on_client_freed(sockline_io_client socket, void *user_data) {
    (void)socket;
    ((struct scene *)user_data)->is_freed = true;
}

static void open_scene(struct scene *scene, uint64_t transports) {
    memset(scene, 0, sizeof *scene);
    scene->loop = new_loop();
    sockline_io_custom_parser serving = table(&scene->serving), asking = table(&scene->asking);
    sockline_io_server_options options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    options.custom_parser = &serving;
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_event = serve_event;
    handlers.on_disconnect = serve_disconnect;
    handlers.on_server_closed = serve_closed;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_new(scene->loop, &options, &handlers, scene, &scene->io));
    sockline_server_options listener = SOCKLINE_SERVER_OPTIONS_INIT;
    listener.host = sockline_str("127.0.0.1");
    listener.io = &scene->io;
    listener.io_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(scene->loop, &listener, NULL, NULL, &scene->server));

    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", sockline_server_port(scene->server));
    sockline_io_manager_options manager = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    manager.transports = transports;
    manager.reconnection = -1;
    manager.custom_parser = &asking;
    sockline_io_client_handlers client = SOCKLINE_IO_CLIENT_HANDLERS_INIT;
    client.on_connect = on_connect;
    client.on_event = on_event;
    client.on_ack = on_ack;
    client.on_disconnect = on_disconnect;
    client.on_freed = on_client_freed;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_connect(scene->loop, url, &manager, NULL, &client, scene, &scene->socket));
    UNTIL(scene->loop, strcmp(scene->events, "c") == 0);
}

static void close_scene(struct scene *scene) {
    CHECK_STATUS(SOCKLINE_OK, sockline_io_client_free(scene->socket));
    UNTIL(scene->loop, scene->is_freed && scene->asking.freed == 1);
    CHECK(scene->serving.freed == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_close(scene->io));
    UNTIL(scene->loop, scene->is_closed);
    sockline_loop_free(scene->loop);
    CHECK(scene->serving.freed == 1 && scene->asking.freed == 1);
    CHECK(scene->serving.decoders >= 1 && scene->asking.decoders >= 1);
}

static sockline_status emit(const struct scene *scene, const char *name, const char *args, const char *attachment, int wants_ack) {
    sockline_io_emit_options options = SOCKLINE_IO_EMIT_OPTIONS_INIT;
    options.wants_ack = wants_ack;
    sockline_bytes binary = {attachment, attachment ? strlen(attachment) : 0};
    return sockline_io_client_emit(scene->socket, sockline_str(name), sockline_str(args), &binary, attachment != NULL, &options);
}

static void packets_go_both_ways(void) {
    const uint64_t ways[] = {SOCKLINE_IO_POLLING, SOCKLINE_IO_WEBSOCKET, 0};
    for (size_t i = 0; i < 3; i++) {
        struct scene scene;
        open_scene(&scene, ways[i]);
        CHECK_STATUS(SOCKLINE_OK, emit(&scene, "ask", "1,{\"_placeholder\":true,\"num\":0}", "bytes", 1));
        UNTIL(scene.loop, strcmp(scene.events, "cae") == 0);
        CHECK(strcmp(scene.text, "1,{\"_placeholder\":true,\"num\":0}|bytes") == 0);
        CHECK_STATUS(SOCKLINE_OK, emit(&scene, "say", "[2]", NULL, 0));
        UNTIL(scene.loop, strcmp(scene.events, "caee") == 0);
        CHECK(strcmp(scene.text, "[2]|") == 0);
        CHECK(scene.asking.encoded >= 3 && scene.serving.encoded >= 4);
        close_scene(&scene);
    }
}

static void what_can_t_be_encoded_is_not_sent(void) {
    struct scene scene;
    open_scene(&scene, SOCKLINE_IO_WEBSOCKET);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, emit(&scene, "never", "", NULL, 0));
    CHECK(strstr(sockline_last_error_text(), "the application's parser can't encode it"));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, emit(&scene, "nothing", "", NULL, 0));
    CHECK_STATUS(SOCKLINE_OK, emit(&scene, "say", "3", NULL, 0));
    UNTIL(scene.loop, strcmp(scene.events, "ce") == 0);
    close_scene(&scene);
}

static void what_can_t_be_read_ends_the_connection(void) {
    struct scene scene;
    open_scene(&scene, SOCKLINE_IO_WEBSOCKET);
    CHECK_STATUS(SOCKLINE_OK, emit(&scene, "garbage", "", NULL, 0));
    UNTIL(scene.loop, strchr(scene.events, 'D') && strchr(scene.events, 'd'));
    CHECK(scene.server_reason == SOCKLINE_IO_FORCED_CLOSE);
    close_scene(&scene);
}

static void are_not_believed(bool at_client) {
    for (int lie = 1; lie <= 8; lie++) {
        struct scene scene;
        open_scene(&scene, SOCKLINE_IO_WEBSOCKET);
        scene.serving.lie = at_client ? 0 : lie;
        scene.asking.lie = at_client ? lie : 0;
        CHECK_STATUS(SOCKLINE_OK, emit(&scene, "say", "4", NULL, 0));
        UNTIL(scene.loop, strchr(scene.events, 'D') && strchr(scene.events, 'd'));
        CHECK(at_client ? scene.client_reason == SOCKLINE_IO_CLIENT_PARSE_ERROR
                        : scene.server_reason == SOCKLINE_IO_FORCED_CLOSE);
        close_scene(&scene);
    }
}

static void packets_that_can_t_be_are_not_believed(void) {
    are_not_believed(false);
    are_not_believed(true);
}

static void a_parser_is_not_kept_by_a_call_that_fails(void) {
    struct parser parser = {0};
    sockline_io_custom_parser custom = table(&parser);
    sockline_io_manager_options options = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    options.custom_parser = &custom;
    sockline_io_manager manager = 0;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_URL, sockline_io_manager_new(NULL, "ftp://x", &options, NULL, NULL, &manager));
    custom.decode = NULL;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_manager_new(NULL, "http://x", &options, NULL, NULL, &manager));
    CHECK(parser.freed == 0 && parser.decoders == parser.freed_decoders);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_add_message(NULL, SOCKLINE_TEXT, "", 0));
}

int main(void) {
    RUN(packets_go_both_ways);
    RUN(what_can_t_be_encoded_is_not_sent);
    RUN(what_can_t_be_read_ends_the_connection);
    RUN(packets_that_can_t_be_are_not_believed);
    RUN(a_parser_is_not_kept_by_a_call_that_fails);
    return 0;
}
