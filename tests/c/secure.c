/* TLS: whom clients trust, whom servers are, and what is told of it. secure FOLDER, where run.sh has put certificates. */

#include "support.h"

static const char *folder;

/* A file of the folder, whole; it stays until the process ends. */
static sockline_bytes file(const char *name) {
    static char room[64][16384];
    static size_t used;
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "rb");
    CHECK(stream != NULL);
    CHECK(used < sizeof room / sizeof *room);
    char *content = room[used++];
    sockline_bytes bytes = {content, fread(content, 1, sizeof *room, stream)};
    CHECK(fclose(stream) == 0 && bytes.len > 0 && bytes.len < sizeof *room);
    return bytes;
}

static sockline_identity identity(const char *name) {
    char certificate[64], key[64];
    snprintf(certificate, sizeof certificate, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    sockline_identity who = {file(certificate), file(key)};
    return who;
}

static sockline_tls *server_tls(const char *first, const char *second) {
    sockline_identity who[2] = {identity(first), identity(second)};
    sockline_tls_server_options options = SOCKLINE_TLS_SERVER_OPTIONS_INIT;
    options.identities = who;
    options.identity_count = 2;
    sockline_tls *tls = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_tls_server_new(&options, &tls));
    return tls;
}

/* A client that trusts our authority alone. */
static sockline_tls_client_options trusting(const sockline_bytes *ca) {
    sockline_tls_client_options options = SOCKLINE_TLS_CLIENT_OPTIONS_INIT;
    options.ca = ca;
    options.ca_count = 1;
    options.platform_roots = -1;
    return options;
}

static sockline_tls *client_tls(const sockline_tls_client_options *options) {
    sockline_tls *tls = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_tls_client_new(options, &tls));
    return tls;
}

static sockline_server listen_securely(sockline_loop *loop, sockline_tls *tls) {
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    options.tls = tls;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_message = echo;
    sockline_server server = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &options, &handlers, NULL, &server));
    return server;
}

/* Connects by the name localhost, which the first certificate is for. */
static sockline_ws connect_securely(sockline_loop *loop, sockline_server server, sockline_tls *tls,
                                    struct record *record) {
    char url[64];
    snprintf(url, sizeof url, "wss://localhost:%u/", (unsigned)sockline_server_port(server));
    sockline_options options = SOCKLINE_OPTIONS_INIT;
    options.tls = tls;
    sockline_handlers handlers = recording();
    sockline_ws ws = 0;
    memset(record, 0, sizeof *record);
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url, &options, &handlers, record, &ws));
    return ws;
}

/* Connects until a message has come back, and tells what was agreed on. */
static sockline_tls_info visit(sockline_loop *loop, sockline_server server, sockline_tls *tls, char *certificate,
                               size_t *certificate_len) {
    struct record record;
    sockline_ws ws = connect_securely(loop, server, tls, &record);
    UNTIL(loop, has(&record, 'o') || has(&record, 'c'));
    if (has(&record, 'e')) failed(__FILE__, __LINE__, record.error_text);
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "hush"));
    UNTIL(loop, has(&record, 'm'));
    CHECK(record.len == 4 && memcmp(record.data, "hush", 4) == 0);
    sockline_tls_info info = SOCKLINE_TLS_INFO_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_ws_tls_info(ws, &info));
    *certificate_len = sockline_ws_peer_certificate(ws, certificate, *certificate_len);
    CHECK_STATUS(SOCKLINE_OK, close_with(ws, 1000, ""));
    UNTIL(loop, has(&record, 'c'));
    CHECK(record.was_clean);
    return info;
}

static void messages_travel_and_sessions_are_resumed(void) {
    sockline_loop *loop = new_loop();
    sockline_bytes ca = file("ca.pem");
    sockline_tls_client_options options = trusting(&ca);
    sockline_tls *server_side = server_tls("localhost", "other"), *client_side = client_tls(&options);
    sockline_server server = listen_securely(loop, server_side);
    char certificate[4096];
    size_t len = sizeof certificate;
    sockline_tls_info first = visit(loop, server, client_side, certificate, &len);
    CHECK(first.version == SOCKLINE_TLS_1_3 && first.resumed == 0);
    CHECK(strncmp(first.cipher_suite, "TLS", 3) == 0);
    CHECK(strcmp(first.alpn, "http/1.1") == 0 && strcmp(first.server_name, "localhost") == 0);
    CHECK(len > 100 && certificate[0] == 0x30); /* a sequence in DER */
    len = 10;
    sockline_tls_info second = visit(loop, server, client_side, certificate, &len);
    CHECK(second.resumed == 1 && len > 100);
    sockline_tls_free(server_side); /* the server keeps what it needs */
    sockline_tls_free(client_side);
    sockline_loop_free(loop);
}

static void a_stranger_is_not_trusted(void) {
    sockline_loop *loop = new_loop();
    sockline_tls *server_side = server_tls("localhost", "other");
    sockline_server server = listen_securely(loop, server_side);
    struct record record;
    connect_securely(loop, server, NULL, &record); /* the system does not know our authority */
    UNTIL(loop, has(&record, 'c'));
    CHECK(strcmp(record.events, "ec") == 0 && record.error == SOCKLINE_ERR_TLS);
    CHECK(strstr(record.error_text, "localhost") != NULL && strstr(record.error_text, "authority") != NULL);
    sockline_tls_free(server_side);
    sockline_loop_free(loop);
}

static void the_name_asked_for_chooses_the_certificate(void) {
    sockline_loop *loop = new_loop();
    sockline_bytes ca = file("ca.pem");
    sockline_tls_client_options options = trusting(&ca);
    sockline_tls *server_side = server_tls("localhost", "other"), *usual = client_tls(&options);
    options.server_name = sockline_str("other.test");
    options.min_version = SOCKLINE_TLS_1_3;
    sockline_tls *other = client_tls(&options);
    sockline_server server = listen_securely(loop, server_side);
    char certificates[2][4096];
    size_t lens[2] = {4096, 4096};
    visit(loop, server, usual, certificates[0], &lens[0]);
    CHECK(strcmp(visit(loop, server, other, certificates[1], &lens[1]).server_name, "other.test") == 0);
    CHECK(lens[0] != lens[1] || memcmp(certificates[0], certificates[1], lens[0]) != 0);

    /* From now on the first one is for other.test alone. */
    sockline_identity changed = identity("other");
    CHECK_STATUS(SOCKLINE_OK, sockline_tls_reload(server_side, &changed, 1));
    sockline_tls_client_options fresh = trusting(&ca);
    sockline_tls *unacquainted = client_tls(&fresh);
    struct record record;
    connect_securely(loop, server, unacquainted, &record);
    UNTIL(loop, has(&record, 'c'));
    CHECK(record.error == SOCKLINE_ERR_TLS && strstr(record.error_text, "other.test") != NULL);
    sockline_tls *all[] = {server_side, usual, other, unacquainted};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sockline_tls_free(all[i]);
    sockline_loop_free(loop);
}

static void another_key_is_not_the_pinned_one(void) {
    sockline_loop *loop = new_loop();
    sockline_bytes ca = file("ca.pem");
    sockline_tls_client_options options = trusting(&ca);
    unsigned char pins[2][32] = {{1}, {2}};
    options.pins = pins;
    options.pin_count = 2;
    sockline_tls *server_side = server_tls("localhost", "other"), *client_side = client_tls(&options);
    sockline_server server = listen_securely(loop, server_side);
    struct record record;
    connect_securely(loop, server, client_side, &record);
    UNTIL(loop, has(&record, 'c'));
    CHECK(record.error == SOCKLINE_ERR_TLS && strstr(record.error_text, "pin") != NULL);
    sockline_tls_free(server_side);
    sockline_tls_free(client_side);
    sockline_loop_free(loop);
}

static void what_can_not_be_is_refused(void) {
    sockline_tls *tls = NULL;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_tls_client_new(NULL, NULL));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_tls_server_new(NULL, &tls));
    sockline_tls_server_options nobody = SOCKLINE_TLS_SERVER_OPTIONS_INIT;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_tls_server_new(&nobody, &tls));
    sockline_tls_client_options options = SOCKLINE_TLS_CLIENT_OPTIONS_INIT;
    options.min_version = 2;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_tls_client_new(&options, &tls));
    options.min_version = 0;
    sockline_bytes no_certificate = {"junk", 4};
    options.ca = &no_certificate;
    options.ca_count = 1;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_tls_client_new(&options, &tls));
    CHECK(tls == NULL);
    sockline_tls_free(NULL);

    sockline_tls *server_side = server_tls("localhost", "other"), *client_side = client_tls(NULL);
    sockline_options as_client = SOCKLINE_OPTIONS_INIT;
    as_client.tls = server_side;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_connect(NULL, "wss://localhost/", &as_client, NULL, NULL, NULL));
    sockline_server_options as_server = SOCKLINE_SERVER_OPTIONS_INIT;
    as_server.tls = client_side;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_listen(NULL, &as_server, NULL, NULL, NULL));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_tls_reload(client_side, NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_tls_reload(server_side, NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_tls_reload(NULL, NULL, 0));
    sockline_tls_free(server_side);
    sockline_tls_free(client_side);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: secure FOLDER\n");
        return 2;
    }
    folder = argv[1];
    RUN(messages_travel_and_sessions_are_resumed);
    RUN(a_stranger_is_not_trusted);
    RUN(the_name_asked_for_chooses_the_certificate);
    RUN(another_key_is_not_the_pinned_one);
    RUN(what_can_not_be_is_refused);
    return 0;
}
