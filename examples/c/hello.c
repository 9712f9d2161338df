/* The first connection: says hello, prints what comes back, closes. hello URL */

#include <sockline.h>
#include <stdio.h>

static int32_t failed;

static void on_open(sockline_ws ws, void *loop) {
    (void)loop;
    sockline_send(ws, SOCKLINE_TEXT, "hello", 5);
}

static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *loop) {
    (void)type, (void)loop;
    printf("%.*s\n", (int)len, (const char *)data);
    sockline_close(ws, 1000, NULL, 0);
}

static void on_error(sockline_ws ws, const sockline_error_event *event, void *loop) {
    (void)ws, (void)loop;
    fprintf(stderr, "hello: %.*s\n", (int)event->text.len, event->text.data);
    failed = 1;
}

static void on_close(sockline_ws ws, const sockline_close_event *event, void *loop) {
    (void)ws, (void)event;
    sockline_loop_stop(loop);
}

int main(int argc, char **argv) {
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = on_open;
    handlers.on_message = on_message;
    handlers.on_error = on_error;
    handlers.on_close = on_close;

    sockline_loop *loop;
    if (argc != 2 || sockline_loop_new(NULL, &loop) < 0) return 2;
    if (sockline_connect(loop, argv[1], NULL, &handlers, loop, NULL) < 0) {
        fprintf(stderr, "hello: %s\n", sockline_last_error_text());
        failed = 1;
    } else {
        sockline_loop_run(loop);
    }
    sockline_loop_free(loop);
    return failed;
}
