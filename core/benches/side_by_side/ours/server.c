/* sockline's servers for the cases that its example does not serve:
 * server PORT deflate | takeover | topic | loops COUNT | busy MICROSECONDS | tls CERTIFICATE KEY */

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sockline.h>

#define TOPIC "news"

static void check(sockline_status status, const char *what) {
    if (status < 0) fprintf(stderr, "%s: %s\n", what, sockline_last_error_text());
}

static void echo(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)user_data;
    check(sockline_send(ws, type, data, len), "not echoed");
}

static void subscribe(sockline_ws ws, void *user_data) {
    (void)user_data;
    check(sockline_subscribe(ws, TOPIC, strlen(TOPIC)), "not subscribed");
}

static void publish(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)user_data;
    check(sockline_publish(ws, TOPIC, strlen(TOPIC), type, data, len, 1), "not published");
}

static sockline_bytes read_file(const char *path) {
    static char room[2][16384];
    static int taken;
    char *bytes = room[taken++];
    FILE *file = fopen(path, "rb");
    size_t length = file != NULL ? fread(bytes, 1, sizeof room[0], file) : 0;
    if (file != NULL) fclose(file);
    return (sockline_bytes){.data = bytes, .len = length};
}

static sockline_tls *tls(const char *certificate, const char *key) {
    sockline_identity identity = {.certificates = read_file(certificate), .private_key = read_file(key)};
    sockline_tls_server_options options = SOCKLINE_TLS_SERVER_OPTIONS_INIT;
    options.identities = &identity;
    options.identity_count = 1;
    sockline_tls *made = NULL;
    check(sockline_tls_server_new(&options, &made), "no TLS");
    return made;
}

static sockline_status serve(sockline_loop *loop, int argc, char **argv) {
    const char *mode = argv[2];
    sockline_compression compression = SOCKLINE_COMPRESSION_INIT;
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    options.port = (uint32_t)atoi(argv[1]);
    options.settings = &settings;
    handlers.on_message = echo;
    if (strcmp(mode, "topic") == 0) {
        handlers.on_open = subscribe;
        handlers.on_message = publish;
    } else if (strcmp(mode, "loops") == 0 && argc == 4) {
        options.threads = (uint32_t)atoi(argv[3]);
    } else if (strcmp(mode, "busy") == 0) {
        /* an option of the loop */
    } else if (strcmp(mode, "tls") == 0 && argc == 5) {
        if ((options.tls = tls(argv[3], argv[4])) == NULL) return SOCKLINE_ERR_TLS;
    } else {
        int32_t takeover = strcmp(mode, "takeover") == 0;
        compression.server_no_context_takeover = takeover ? -1 : 1;
        compression.client_no_context_takeover = takeover ? -1 : 1;
        settings.compression = &compression;
    }
    sockline_status status = sockline_listen(loop, &options, &handlers, NULL, NULL);
    return status < 0 ? status : sockline_loop_start(loop);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: server PORT deflate|takeover|topic|loops COUNT|busy MICROSECONDS|tls CERTIFICATE KEY\n");
        return 2;
    }
    sockline_loop *loop = NULL;
    sockline_loop_options options = SOCKLINE_LOOP_OPTIONS_INIT;
    if (strcmp(argv[2], "busy") == 0 && argc == 4) options.busy_poll_us = strtoull(argv[3], NULL, 10);
    sockline_status status = sockline_loop_new(&options, &loop);
    if (status == SOCKLINE_OK) status = serve(loop, argc, argv);
    if (status < 0) {
        fprintf(stderr, "server: %s\n", sockline_last_error_text());
        return 1;
    }
    pause(); /* the loop has a thread of its own */
}
