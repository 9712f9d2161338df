/* Sends each line of its input to the chat, and prints what is said there: chat_client URL NAME.
 *
 * It waits for the terminal and for the connection at once: poll() turns the library's loop. */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sockline.h>

#include "chat_json.h"

struct line {
    struct line *next;
    size_t len;
    char text[];
};

struct chat {
    const char *name;
    sockline_ws ws;
    bool open, ended, failed;
    bool crowded;              /* more than enough waits to be sent */
    bool input_over;
    struct line *first, *last; /* what was sent and has not come back yet */
    char *input;               /* the line that is being read */
    size_t input_len, input_room;
};

static void remember(struct chat *chat, const char *text, size_t len) {
    struct line *line = malloc(sizeof *line + len);
    if (line == NULL) return;
    line->next = NULL;
    line->len = len;
    memcpy(line->text, text, len);
    if (chat->last)
        chat->last->next = line;
    else
        chat->first = line;
    chat->last = line;
}

static void forget_first(struct chat *chat) {
    struct line *line = chat->first;
    chat->first = line->next;
    if (chat->first == NULL) chat->last = NULL;
    free(line);
}

static void send_line(struct chat *chat, const char *text, size_t len) {
    if (len == 0) return;
    size_t json_len;
    char *json = chat_write(chat->name, strlen(chat->name), text, len, &json_len);
    if (json == NULL) return;
    sockline_status status = sockline_send(chat->ws, SOCKLINE_TEXT, json, json_len);
    if (status < 0)
        fprintf(stderr, "chat_client: a line was not sent: %s\n", sockline_last_error_text());
    else
        remember(chat, text, len);
    if (status == SOCKLINE_OVER_MARK) chat->crowded = true;
    free(json);
}

/* Sends the whole lines of what was read, and keeps the rest for later. */
static void send_lines(struct chat *chat) {
    char *start = chat->input, *end = chat->input + chat->input_len, *newline;
    while ((newline = memchr(start, '\n', (size_t)(end - start))) != NULL) {
        send_line(chat, start, (size_t)(newline - start));
        start = newline + 1;
    }
    if (chat->input_over) {
        send_line(chat, start, (size_t)(end - start));
        start = end;
    }
    chat->input_len = (size_t)(end - start);
    memmove(chat->input, start, chat->input_len);
}

static void read_input(struct chat *chat) {
    if (chat->input_room - chat->input_len < BUFSIZ) {
        char *larger = realloc(chat->input, chat->input_room * 2 + BUFSIZ);
        if (larger == NULL) return;
        chat->input = larger;
        chat->input_room = chat->input_room * 2 + BUFSIZ;
    }
    ssize_t count = read(STDIN_FILENO, chat->input + chat->input_len, BUFSIZ);
    if (count < 0 && errno == EINTR) return;
    if (count <= 0) chat->input_over = true;
    if (count > 0) chat->input_len += (size_t)count;
    send_lines(chat);
}

static void on_open(sockline_ws ws, void *user_data) {
    (void)ws;
    ((struct chat *)user_data)->open = true;
}

static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    struct chat *chat = user_data;
    struct chat_message message;
    (void)ws;
    if (type != SOCKLINE_TEXT || !chat_read(data, len, &message)) return;
    printf("%.*s: %.*s\n", (int)message.name_len, message.name, (int)message.text_len, message.text);
    fflush(stdout);
    const struct line *sent = chat->first;
    if (sent && message.name_len == strlen(chat->name) && memcmp(message.name, chat->name, message.name_len) == 0 &&
        message.text_len == sent->len && memcmp(message.text, sent->text, sent->len) == 0)
        forget_first(chat);
    chat_free(&message);
}

static void on_drain(sockline_ws ws, void *user_data) {
    (void)ws;
    ((struct chat *)user_data)->crowded = false;
}

static void on_error(sockline_ws ws, const sockline_error_event *event, void *user_data) {
    (void)ws;
    fprintf(stderr, "chat_client: %s\n", event->text.data);
    ((struct chat *)user_data)->failed = true;
}

static void on_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    struct chat *chat = user_data;
    (void)ws;
    chat->ended = true;
    if (event->was_clean || chat->failed) return;
    fprintf(stderr, "chat_client: the connection was lost\n");
    chat->failed = true;
}

static int next_timeout(sockline_loop *loop) {
    int64_t timeout = sockline_loop_next_timeout(loop);
    return timeout > INT_MAX ? INT_MAX : (int)timeout;
}

/* Turns the loop until the connection has ended. */
static sockline_status talk(struct chat *chat, sockline_loop *loop) {
    bool closing = false;
    while (!chat->ended) {
        if (chat->input_over && chat->first == NULL && !closing) {
            sockline_close(chat->ws, 1000, NULL, 0);
            closing = true;
        }
        bool reads = chat->open && !chat->crowded && !chat->input_over;
        struct pollfd fds[] = {{sockline_loop_fd(loop), POLLIN, 0}, {reads ? STDIN_FILENO : -1, POLLIN, 0}};
        if (poll(fds, 2, next_timeout(loop)) < 0 && errno != EINTR) return SOCKLINE_ERR_IO;
        if (fds[1].revents) read_input(chat);
        sockline_status status = sockline_loop_poll(loop, 0);
        if (status < 0) return status;
    }
    return SOCKLINE_OK;
}

static sockline_status run(struct chat *chat, sockline_loop *loop, const char *url) {
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = on_open;
    handlers.on_message = on_message;
    handlers.on_drain = on_drain;
    handlers.on_error = on_error;
    handlers.on_close = on_close;
    sockline_status status = sockline_connect(loop, url, NULL, &handlers, chat, &chat->ws);
    return status < 0 ? status : talk(chat, loop);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: chat_client URL NAME\n");
        return 2;
    }
    struct chat chat = {.name = argv[2]};
    sockline_loop *loop = NULL;
    sockline_status status = sockline_loop_new(NULL, &loop);
    if (status == SOCKLINE_OK) status = run(&chat, loop, argv[1]);
    if (status < 0) {
        fprintf(stderr, "chat_client: %s\n", sockline_last_error_text());
        chat.failed = true;
    }
    sockline_loop_free(loop);
    while (chat.first) forget_first(&chat);
    free(chat.input);
    return chat.failed ? 1 : 0;
}
