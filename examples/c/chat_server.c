/* The chat's server: chat_server PORT [REDIS]. On one port: Socket.IO for the page, plain WebSockets at /ws, the page's files, and
 * a ticker that the page "three ways" compares polling, long-polling and push with. What is said on one side reaches both; with the
 * URL of a Redis, such as redis://localhost, also those at other servers of this kind. */

#define _XOPEN_SOURCE 700

#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sockline.h>

#include "chat_json.h"
#include "ticker.h"

/* What the handlers get as user_data; it lives as long as the loop. */
struct chat {
    sockline_server server;
    sockline_io_server io;
    sockline_io_namespace everybody, ticker_nsp;
    struct ticker ticker;
};

static void check(sockline_status status) {
    if (status < 0) fprintf(stderr, "a message was not sent on: %s\n", sockline_last_error_text());
}

static void print_line(const struct chat_message *message) {
    printf("%.*s: %.*s\n", (int)message->name_len, message->name, (int)message->text_len, message->text);
    fflush(stdout);
}

/* To those with plain WebSockets. */
static void tell_plain(const struct chat *chat, const struct chat_message *message) {
    size_t len;
    char *json = chat_write(message->name, message->name_len, message->text, message->text_len, &len);
    if (json != NULL) check(sockline_broadcast(chat->server, SOCKLINE_TEXT, json, len));
    free(json);
}

/* To those with plain WebSockets at the other servers. */
static void tell_other_servers(const struct chat *chat, const struct chat_message *message) {
    sockline_string args;
    char *json = chat_write_event(message, "", &args.len);
    args.data = json;
    if (json != NULL) check(sockline_io_server_side_emit(chat->everybody, sockline_str("chat message"), args, NULL, 0));
    free(json);
}

/* Another server says what one of its clients has said; it tells those with Socket.IO itself. */
static void on_server_side_emit(sockline_io_namespace nsp, const sockline_io_event *event, void *user_data) {
    struct chat_message message;
    (void)nsp;
    if (!chat_read_event(event->args.data, event->args.len, &message)) return;
    tell_plain(user_data, &message);
    chat_free(&message);
}

/* To those with Socket.IO, at all servers, but the sender, if there is one; and to the sender alone, so marked. */
static void tell_io(const struct chat *chat, sockline_io_socket sender, const struct chat_message *message) {
    const sockline_string name = sockline_str("chat message");
    sockline_string args;
    char *json = chat_write_event(message, "", &args.len);
    sockline_io_target target = SOCKLINE_IO_TARGET_INIT;
    target.nsp = chat->everybody;
    target.sender = sender;
    args.data = json;
    if (json != NULL) check(sockline_io_broadcast_emit(&target, name, args, NULL, 0));
    free(json);
    if (sender == 0) return;
    args.data = json = chat_write_event(message, " (from server)", &args.len);
    if (json != NULL) check(sockline_io_emit(sender, name, args, NULL, 0, NULL));
    free(json);
}

static void on_plain_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    const struct chat *chat = user_data;
    struct chat_message message;
    (void)ws;
    if (type != SOCKLINE_TEXT || !chat_read(data, len, &message)) {
        fprintf(stderr, "a message that is no chat message was ignored\n");
        return;
    }
    print_line(&message);
    tell_plain(chat, &message);
    tell_other_servers(chat, &message);
    tell_io(chat, 0, &message);
    chat_free(&message);
}

/* Who gives no name with a message has the one that was given when connecting, in auth. */
static bool name_it(sockline_io_socket socket, struct chat_message *message) {
    if (message->name_len > 0) return true;
    free(message->name);
    size_t len = sockline_io_socket_auth(socket, NULL, 0);
    char *auth = malloc(len + 1);
    if (auth != NULL) sockline_io_socket_auth(socket, auth, len + 1);
    message->name = auth ? chat_read_name(auth, len, &message->name_len) : NULL;
    free(auth);
    if (message->name != NULL && message->name_len > 0) return true;
    free(message->name);
    message->name_len = strlen("Anonymous");
    message->name = strdup("Anonymous");
    return message->name != NULL;
}

static void on_event(sockline_io_socket socket, const sockline_io_event *event, void *user_data) {
    const struct chat *chat = user_data;
    const char name[] = "chat message";
    struct chat_message message;
    if (event->name.len != strlen(name) || memcmp(event->name.data, name, strlen(name)) != 0 ||
        !chat_read_event(event->args.data, event->args.len, &message)) {
        fprintf(stderr, "an event that is no chat message was ignored\n");
        return;
    }
    if (name_it(socket, &message)) {
        print_line(&message);
        tell_plain(chat, &message);
        tell_other_servers(chat, &message);
        tell_io(chat, socket, &message);
    }
    chat_free(&message);
}

/* GET /ticker: the latest news. */
static void on_ticker(sockline_exchange exchange, const sockline_http_request *request, void *user_data) {
    struct chat *chat = user_data;
    sockline_header headers[] = {
        {sockline_str("Content-Type"), sockline_str("application/json")},
        {sockline_str("Cache-Control"), sockline_str("no-store")},
    };
    char json[TICKER_JSON];
    size_t len = ticker_write(&chat->ticker, 1, json);
    (void)request;
    check(sockline_respond(exchange, 200, headers, 2, json, len));
}

/* Makes news, for this server's own clients, until a signal comes. */
static void tick_until_signal(struct chat *chat, const sigset_t *signals) {
    sockline_io_target here = SOCKLINE_IO_TARGET_INIT;
    here.nsp = chat->ticker_nsp;
    here.is_local = 1;
    for (;;) {
        unsigned wait = ticker_wait_ms();
        struct timespec timeout = {wait / 1000, (long)(wait % 1000) * 1000000};
        if (sigtimedwait(signals, NULL, &timeout) > 0) return;
        ticker_advance(&chat->ticker);
        char json[TICKER_JSON];
        sockline_string args = {json, ticker_write(&chat->ticker, 0, json)};
        check(sockline_io_broadcast_emit(&here, sockline_str("tick"), args, NULL, 0));
    }
}

/* A folder of the examples: this program is examples/c/build/chat_server. */
static const char *examples_folder(const char *program, const char *name, char folder[PATH_MAX]) {
    char path[PATH_MAX];
    if (realpath("/proc/self/exe", path) == NULL && realpath(program, path) == NULL) return NULL;
    int length = snprintf(folder, PATH_MAX, "%s/%s", dirname(dirname(dirname(path))), name);
    return length > 0 && length < PATH_MAX ? folder : NULL;
}

static sockline_status open_io(sockline_loop *loop, const char *client, const char *redis, struct chat *chat) {
    sockline_io_server_options options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    options.client_folder = sockline_str(client);
    options.adapter = sockline_str(redis); /* NULL: alone */
    sockline_io_recovery recovery = SOCKLINE_IO_RECOVERY_INIT;
    options.recovery = &recovery; /* whoever was cut off misses nothing */
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_event = on_event;
    handlers.on_server_side_emit = on_server_side_emit;
    sockline_status status = sockline_io_server_new(loop, &options, &handlers, chat, &chat->io);
    if (status == SOCKLINE_OK) status = sockline_io_of(chat->io, sockline_str("/"), &chat->everybody);
    if (status == SOCKLINE_OK) status = sockline_io_of(chat->io, sockline_str("/ticker"), &chat->ticker_nsp);
    return status;
}

static sockline_status serve(sockline_loop *loop, uint32_t port, const char *program, const char *redis,
                             struct chat *chat) {
    char web[PATH_MAX], client[PATH_MAX];
    sockline_status status =
        open_io(loop, examples_folder(program, "node/node_modules/socket.io-client/dist", client), redis, chat);
    if (status < 0) return status;

    sockline_route ticker = SOCKLINE_ROUTE_INIT;
    ticker.path = sockline_str("/ticker");
    ticker.on_request = on_ticker;
    ticker.user_data = chat;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.port = port;
    options.path = sockline_str("/ws");
    options.static_folder = sockline_str(examples_folder(program, "web", web));
    options.routes = &ticker;
    options.route_count = 1;
    options.io = &chat->io;
    options.io_count = 1;
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_message = on_plain_message;
    status = sockline_listen(loop, &options, &handlers, chat, &chat->server);
    if (status < 0) return status;
    unsigned bound = sockline_server_port(chat->server);
    printf("chatting at http://localhost:%u/ and ws://localhost:%u/ws\n", bound, bound);
    fflush(stdout);
    return sockline_loop_start(loop);
}

int main(int argc, char **argv) {
    char *end = NULL;
    unsigned long port = argc == 2 || argc == 3 ? strtoul(argv[1], &end, 10) : 0;
    int is_url = argc < 3 || strstr(argv[2], "://") != NULL;
    if (argc < 2 || argc > 3 || end == argv[1] || *end || port > 65535 || !is_url) {
        fprintf(stderr, "usage: chat_server PORT [REDIS]\n");
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    struct chat chat = {0};
    ticker_begin(&chat.ticker);
    sockline_loop *loop = NULL;
    sockline_status status = sockline_loop_new(NULL, &loop);
    if (status == SOCKLINE_OK) status = serve(loop, (uint32_t)port, argv[0], argv[2], &chat);
    if (status < 0) {
        fprintf(stderr, "chat_server: %s\n", sockline_last_error_text());
    } else {
        tick_until_signal(&chat, &signals); /* on this thread; the loop's own takes no signals */
        sockline_loop_shutdown(loop, 2000);
    }
    sockline_loop_free(loop);
    return status < 0 ? 1 : 0;
}
