/* Publishes lines to topics, over TLS if it is given a certificate: feed_server PORT [CERTIFICATES KEY].
 *
 * Each line of its input is a topic, a blank and a message. A client sends the filter of the topics that it wants. At the
 * end of the input the server drains: its clients leave one after the other, and nothing is lost. */

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sockline.h>

enum { FILE_LIMIT = 1 << 20 };

/* A filter is answered with "subscribed", or by closing with what is wrong with it. */
static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    (void)type, (void)user_data;
    if (sockline_subscribe(ws, data, len) >= 0) {
        sockline_send(ws, SOCKLINE_TEXT, "subscribed", strlen("subscribed"));
        return;
    }
    const char *why = sockline_last_error_text();
    sockline_close(ws, 1008, why, strlen(why) < 123 ? strlen(why) : 123);
}

static void on_server_closed(sockline_server server, void *loop) {
    (void)server;
    sockline_loop_stop(loop);
}

/* A file, whole; {NULL, 0} if it can't be read. */
static sockline_bytes read_file(const char *path) {
    sockline_bytes content = {NULL, 0};
    char *buffer = malloc(FILE_LIMIT);
    FILE *file = fopen(path, "rb");
    if (file != NULL && buffer != NULL) {
        content.data = buffer;
        content.len = fread(buffer, 1, FILE_LIMIT, file);
    } else {
        perror(path);
        free(buffer);
    }
    if (file != NULL) fclose(file);
    return content;
}

static sockline_status secure(const char *certificates, const char *key, sockline_tls **tls) {
    sockline_identity identity = {read_file(certificates), read_file(key)};
    sockline_tls_server_options options = SOCKLINE_TLS_SERVER_OPTIONS_INIT;
    options.identities = &identity;
    options.identity_count = 1;
    sockline_status status = sockline_tls_server_new(&options, tls);
    free((void *)identity.certificates.data);
    free((void *)identity.private_key.data);
    return status;
}

static sockline_status listen_at(sockline_loop *loop, uint32_t port, sockline_tls *tls, sockline_server *server) {
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.port = port;
    options.tls = tls;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_message = on_message;
    handlers.on_server_closed = on_server_closed;
    sockline_status status = sockline_listen(loop, &options, &handlers, loop, server);
    if (status < 0) return status;
    printf("feeding at %s://localhost:%u\n", tls ? "wss" : "ws", sockline_server_port(*server));
    fflush(stdout);
    return SOCKLINE_OK;
}

/* Publishes what is read until the input ends. */
static void publish_all(sockline_server server) {
    char *line = NULL;
    size_t room = 0;
    for (ssize_t len; (len = getline(&line, &room, stdin)) > 0;) {
        if (line[len - 1] == '\n') line[--len] = '\0';
        char *blank = strchr(line, ' ');
        size_t topic_len = blank ? (size_t)(blank - line) : (size_t)len;
        const char *message = blank ? blank + 1 : "";
        if (sockline_server_publish(server, line, topic_len, SOCKLINE_TEXT, message, strlen(message)) < 0)
            fprintf(stderr, "feed_server: %s\n", sockline_last_error_text());
    }
    free(line);
}

/* The loop has a thread of its own, so that this one can wait for input. */
static sockline_status serve(sockline_loop *loop, uint32_t port, sockline_tls *tls) {
    sockline_server server;
    sockline_status status = listen_at(loop, port, tls, &server);
    if (status == SOCKLINE_OK) status = sockline_loop_start(loop);
    if (status < 0) return status;
    publish_all(server);
    sockline_server_drain(server, 2000);
    sockline_loop_shutdown(loop, 3000); /* waits for the thread, which ends with its server */
    return SOCKLINE_OK;
}

int main(int argc, char **argv) {
    char *end = NULL;
    unsigned long port = argc == 2 || argc == 4 ? strtoul(argv[1], &end, 10) : 0;
    if (end == NULL || end == argv[1] || *end || port > 65535) {
        fprintf(stderr, "usage: feed_server PORT [CERTIFICATES KEY]\n");
        return 2;
    }
    sockline_tls *tls = NULL;
    sockline_loop *loop = NULL;
    sockline_status status = sockline_loop_new(NULL, &loop);
    if (status == SOCKLINE_OK && argc == 4) status = secure(argv[2], argv[3], &tls);
    if (status == SOCKLINE_OK) status = serve(loop, (uint32_t)port, tls);
    if (status < 0) fprintf(stderr, "feed_server: %s\n", sockline_last_error_text());
    sockline_tls_free(tls);
    sockline_loop_free(loop);
    return status < 0 ? 1 : 0;
}
