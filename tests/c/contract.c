/* The contract of the callbacks: their order, their number, and what may be done inside them. */

#define _GNU_SOURCE

#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void events_come_in_order_and_close_is_last(void) {
    sockline_loop *loop = new_loop();
    struct record server_side = {0}, client_side = {0};
    sockline_handlers serving = recording(), handlers = recording();
    serving.on_message = echo;
    sockline_server server = listen_here(loop, &serving, &server_side);
    sockline_ws ws = connect_to(loop, server, &handlers, &client_side);
    UNTIL(loop, has(&client_side, 'o'));
    CHECK(client_side.ws == ws);
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "one"));
    CHECK_STATUS(SOCKLINE_OK, sockline_send(ws, SOCKLINE_BINARY, "\0\1", 2));
    CHECK_STATUS(SOCKLINE_OK, sockline_send(ws, SOCKLINE_TEXT, NULL, 0));
    UNTIL(loop, client_side.messages == 3);
    CHECK(client_side.bytes == 5 && client_side.type == SOCKLINE_TEXT && client_side.len == 0);
    CHECK_STATUS(SOCKLINE_OK, close_with(ws, 3001, "enough"));
    CHECK(sockline_ready_state(ws) == SOCKLINE_CLOSING);
    CHECK_STATUS(SOCKLINE_ERR_NOT_OPEN, send_text(ws, "late"));
    UNTIL(loop, has(&client_side, 'c') && has(&server_side, 'c'));
    CHECK(strcmp(client_side.events, "ommmc") == 0);
    CHECK(strcmp(server_side.events, "ommmc") == 0);
    CHECK(server_side.close_code == 3001 && strcmp(server_side.reason, "enough") == 0);
    CHECK(client_side.close_code == 3001 && client_side.was_clean == 1 && server_side.was_clean == 1);
    CHECK(client_side.state_at_close == SOCKLINE_CLOSED && server_side.state_at_close == SOCKLINE_CLOSED);
    sockline_loop_free(loop);
    CHECK(client_side.count == 5 && server_side.count == 5);
}

static void a_failed_attempt_gives_an_error_and_a_close(void) {
    sockline_loop *loop = new_loop();
    struct record record = {0};
    sockline_handlers handlers = recording();
    sockline_server server = listen_here(loop, NULL, NULL);
    const char *url = url_of(server, "/");
    CHECK_STATUS(SOCKLINE_OK, sockline_server_close(server, 0, NULL, 0));
    UNTIL(loop, sockline_server_port(server) == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url, NULL, &handlers, &record, NULL));
    UNTIL(loop, has(&record, 'c'));
    CHECK(strcmp(record.events, "ec") == 0);
    CHECK(record.error == SOCKLINE_ERR_CONNECT_FAILED && strstr(record.error_text, "127.0.0.1") != NULL);
    CHECK(record.close_code == 1006 && record.was_clean == 0);
    sockline_loop_free(loop);
}

static void a_refused_call_writes_no_handle_and_brings_no_event(void) {
    sockline_loop *loop = new_loop();
    struct record record = {0};
    sockline_handlers handlers = recording();
    sockline_ws ws = 77;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_URL, sockline_connect(loop, "ftp://x/", NULL, &handlers, &record, &ws));
    CHECK(ws == 0);
    CHECK(strlen(sockline_last_error_text()) > 0);
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("192.0.2.1"); /* an address of nobody (RFC 5737) */
    sockline_server server = 77;
    CHECK_STATUS(SOCKLINE_ERR_LISTEN_FAILED, sockline_listen(loop, &options, &handlers, &record, &server));
    CHECK(server == 0);
    CHECK(strstr(sockline_last_error_text(), "192.0.2.1") != NULL);
    sockline_loop_free(loop);
    CHECK(record.count == 0);
}

static void check_all_say_closed(sockline_ws ws) {
    sockline_handlers handlers = recording();
    char buffer[8] = "xxx";
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, send_text(ws, "x"));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_ping(ws, NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_pong(ws, NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_close(ws, 1000, NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_terminate(ws));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_pause(ws));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_resume(ws));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_accept(ws, NULL));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_refuse(ws, NULL));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_set_handlers(ws, &handlers, NULL));
    CHECK(sockline_ready_state(ws) == SOCKLINE_CLOSED);
    CHECK(sockline_buffered_amount(ws) == 0 && sockline_latency(ws) == -1 && sockline_user_data(ws) == NULL);
    CHECK(sockline_url(ws, buffer, sizeof buffer) == 0 && buffer[0] == '\0');
    CHECK(sockline_remote_address(ws, buffer, sizeof buffer) == 0);
}

static void calls_on_dead_handles_say_closed(void) {
    sockline_loop *loop = new_loop();
    struct record first = {0}, second = {0};
    sockline_handlers handlers = recording();
    sockline_server server = listen_here(loop, NULL, NULL);
    sockline_ws ws = connect_to(loop, server, &handlers, &first);
    UNTIL(loop, has(&first, 'o'));
    CHECK_STATUS(SOCKLINE_OK, sockline_terminate(ws));
    UNTIL(loop, has(&first, 'c'));
    CHECK(strcmp(first.events, "oc") == 0 && first.close_code == 1006);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, 0));
    check_all_say_closed(ws);
    /* The same slot, another life: the old handle doesn't reach it. */
    sockline_ws next = connect_to(loop, server, &handlers, &second);
    UNTIL(loop, has(&second, 'o'));
    check_all_say_closed(ws);
    CHECK(sockline_ready_state(next) == SOCKLINE_OPEN);
    CHECK_STATUS(SOCKLINE_OK, sockline_server_close(server, 1001, NULL, 0));
    UNTIL(loop, has(&second, 'c'));
    sockline_loop_free(loop);
    check_all_say_closed(next);
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_broadcast(server, SOCKLINE_TEXT, "x", 1));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_server_close(server, 0, NULL, 0));
}

static void a_handle_of_the_wrong_kind_is_a_status(void) {
    sockline_loop *loop = new_loop();
    sockline_server server = listen_here(loop, NULL, NULL);
    const sockline_ws wrong[] = {0, 1, server, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_STATUS(SOCKLINE_ERR_WRONG_HANDLE, send_text(wrong[i], "x"));
        CHECK_STATUS(SOCKLINE_ERR_WRONG_HANDLE, sockline_terminate(wrong[i]));
        CHECK_STATUS(SOCKLINE_ERR_WRONG_HANDLE, sockline_accept(wrong[i], NULL));
        CHECK(sockline_ready_state(wrong[i]) == SOCKLINE_CLOSED);
        CHECK(sockline_url(wrong[i], NULL, 0) == 0);
    }
    sockline_ws ws = connect_to(loop, server, NULL, NULL);
    CHECK_STATUS(SOCKLINE_ERR_WRONG_HANDLE, sockline_broadcast(ws, SOCKLINE_TEXT, "x", 1));
    CHECK_STATUS(SOCKLINE_ERR_WRONG_HANDLE, sockline_server_close(ws, 0, NULL, 0));
    CHECK(sockline_server_port(ws) == 0);
    sockline_loop_free(loop);
}

/* Closing in callbacks */

static void terminate_on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    record_message(ws, type, data, len, user_data);
    CHECK_STATUS(SOCKLINE_OK, sockline_terminate(ws));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_terminate(ws));
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, send_text(ws, "x"));
    CHECK(!has(user_data, 'c')); /* not before this callback has returned */
}

static void send_three_on_open(sockline_ws ws, void *user_data) {
    record_open(ws, user_data);
    for (int i = 0; i < 3; i++) CHECK_STATUS(SOCKLINE_OK, send_text(ws, "x"));
}

static void nothing_follows_a_terminate_in_a_callback(void) {
    sockline_loop *loop = new_loop();
    struct record server_side = {0}, client_side = {0};
    sockline_handlers serving = recording(), handlers = recording();
    serving.on_message = terminate_on_message;
    handlers.on_open = send_three_on_open;
    sockline_server server = listen_here(loop, &serving, &server_side);
    connect_to(loop, server, &handlers, &client_side);
    UNTIL(loop, has(&client_side, 'c') && has(&server_side, 'c'));
    CHECK(strcmp(server_side.events, "omc") == 0); /* the other two messages came with the first */
    CHECK(client_side.close_code == 1006 && client_side.was_clean == 0);
    sockline_loop_free(loop);
}

static void close_on_open(sockline_ws ws, void *user_data) {
    record_open(ws, user_data);
    CHECK_STATUS(SOCKLINE_OK, sockline_close(ws, 1000, NULL, 0));
    CHECK_STATUS(SOCKLINE_OK, sockline_close(ws, 1000, NULL, 0)); /* again: harmless */
}

static void a_close_in_on_open_is_clean(void) {
    sockline_loop *loop = new_loop();
    struct record record = {0};
    sockline_handlers handlers = recording();
    handlers.on_open = close_on_open;
    connect_to(loop, listen_here(loop, NULL, NULL), &handlers, &record);
    UNTIL(loop, has(&record, 'c'));
    CHECK(strcmp(record.events, "oc") == 0 && record.close_code == 1000 && record.was_clean == 1);
    sockline_loop_free(loop);
}

static void a_close_while_connecting_gives_up(void) {
    sockline_loop *loop = new_loop();
    struct record record = {0};
    sockline_handlers handlers = recording();
    sockline_ws ws = connect_to(loop, listen_here(loop, NULL, NULL), &handlers, &record);
    CHECK(sockline_ready_state(ws) == SOCKLINE_CONNECTING);
    CHECK_STATUS(SOCKLINE_ERR_NOT_OPEN, send_text(ws, "early"));
    CHECK_STATUS(SOCKLINE_OK, sockline_close(ws, 1000, NULL, 0));
    UNTIL(loop, has(&record, 'c'));
    CHECK(!has(&record, 'o') && record.close_code == 1006);
    sockline_loop_free(loop);
}

/* Freeing */

struct owner {
    sockline_loop *loop;
    int closed;
};

static void free_loop(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    struct owner *owner = user_data;
    (void)ws, (void)type, (void)data, (void)len;
    sockline_loop_free(owner->loop);
    CHECK(owner->closed == 0); /* it comes at the end of the turn */
    owner->loop = NULL;
}

static void count_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    (void)ws;
    CHECK(event->code == 1006);
    ((struct owner *)user_data)->closed++;
}

static void a_loop_may_be_freed_in_its_callback(void) {
    struct owner owner = {new_loop(), 0};
    struct record record = {0};
    sockline_handlers serving = SOCKLINE_HANDLERS_INIT, handlers = recording();
    serving.on_message = free_loop;
    serving.on_close = count_close;
    handlers.on_open = send_three_on_open;
    connect_to(owner.loop, listen_here(owner.loop, &serving, &owner), &handlers, &record);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_run(owner.loop));
    CHECK(owner.loop == NULL && owner.closed == 1);
    CHECK(has(&record, 'c') && record.close_code == 1006);
}

static void count_server_closed(sockline_server server, void *user_data) {
    CHECK(server != 0);
    ++*(int *)user_data;
}

static void count_any_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    (void)ws, (void)event;
    ++*(int *)user_data;
}

static void freeing_a_loop_ends_all_that_is_on_it(void) {
    sockline_loop *loop = new_loop();
    int closed = 0, servers_closed = 0;
    struct record record = {0};
    sockline_handlers serving = SOCKLINE_HANDLERS_INIT, handlers = recording();
    serving.on_server_closed = count_server_closed;
    sockline_server server = listen_here(loop, &serving, &servers_closed);
    connect_to(loop, server, &handlers, &record);
    UNTIL(loop, has(&record, 'o'));
    handlers = (sockline_handlers)SOCKLINE_HANDLERS_INIT;
    handlers.on_close = count_any_close;
    for (int i = 0; i < 10; i++) connect_to(loop, server, &handlers, &closed);
    sockline_loop_free(loop);
    CHECK(strcmp(record.events, "oc") == 0 && record.close_code == 1006);
    CHECK(closed == 10 && servers_closed == 1);
}

static void free_user_data(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    (void)ws, (void)event;
    free(user_data);
}

static void free_server_data(sockline_server server, void *user_data) {
    (void)server;
    **(int **)user_data += 1;
    free(user_data);
}

/* That nothing touches it afterwards is for valgrind and ASan to see. */
static void user_data_may_be_freed_in_the_last_event(void) {
    sockline_loop *loop = new_loop();
    int ended = 0;
    int **server_data = malloc(sizeof *server_data);
    *server_data = &ended;
    sockline_handlers serving = SOCKLINE_HANDLERS_INIT, handlers = SOCKLINE_HANDLERS_INIT;
    serving.on_server_closed = free_server_data;
    handlers.on_open = close_on_open;
    handlers.on_close = free_user_data;
    sockline_server server = listen_here(loop, &serving, server_data);
    for (int i = 0; i < 5; i++) connect_to(loop, server, &handlers, calloc(1, sizeof(struct record)));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, -1));
    CHECK_STATUS(SOCKLINE_OK, sockline_server_close(server, 1001, NULL, 0));
    UNTIL(loop, ended);
    sockline_loop_free(loop);
    CHECK(ended == 1);
}

static void a_shutdown_says_going_away(void) {
    sockline_loop *serving_loop = new_loop(), *loop = new_loop();
    struct record record = {0};
    sockline_handlers handlers = recording();
    sockline_server server = listen_here(serving_loop, NULL, NULL);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(serving_loop));
    connect_to(loop, server, &handlers, &record);
    UNTIL(loop, has(&record, 'o'));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_start(loop));
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_shutdown(serving_loop, 5000)); /* joins */
    sockline_loop_free(serving_loop);
    CHECK_STATUS(SOCKLINE_OK, sockline_loop_shutdown(loop, 5000));
    sockline_loop_free(loop);
    CHECK(strcmp(record.events, "oc") == 0 && record.close_code == 1001 && record.was_clean == 1);
}

/* Handlers that come late, or not at all */

static void send_two_on_open(sockline_ws ws, void *user_data) {
    (void)user_data;
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "first"));
    CHECK_STATUS(SOCKLINE_OK, send_text(ws, "second"));
    CHECK_STATUS(SOCKLINE_OK, sockline_close(ws, 1000, NULL, 0));
}

static void events_wait_for_handlers(void) {
    sockline_loop *loop = new_loop();
    struct record record = {0};
    sockline_handlers serving = SOCKLINE_HANDLERS_INIT, handlers = recording();
    serving.on_open = send_two_on_open;
    int served = 0;
    serving.on_close = count_any_close;
    sockline_ws ws = connect_to(loop, listen_here(loop, &serving, &served), NULL, NULL);
    UNTIL(loop, served == 1);
    while (sockline_ready_state(ws) != SOCKLINE_CLOSED) CHECK_STATUS(SOCKLINE_OK, sockline_loop_poll(loop, -1));
    CHECK_STATUS(SOCKLINE_OK, sockline_set_handlers(ws, &handlers, &record));
    CHECK(record.count == 0); /* calls don't call back */
    UNTIL(loop, has(&record, 'c'));
    CHECK(strcmp(record.events, "ommc") == 0 && record.close_code == 1000);
    sockline_loop_free(loop);
}

static void messages_without_on_message_are_discarded(void) {
    sockline_loop *loop = new_loop();
    struct record record = {0};
    sockline_handlers serving = SOCKLINE_HANDLERS_INIT, handlers = recording();
    serving.on_open = send_two_on_open;
    handlers.on_message = NULL;
    connect_to(loop, listen_here(loop, &serving, NULL), &handlers, &record);
    UNTIL(loop, has(&record, 'c'));
    CHECK(strcmp(record.events, "oc") == 0);
    sockline_loop_free(loop);
}

/* The system */

static int connect_raw(sockline_server server) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(sockline_server_port(server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    const char *head = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    CHECK(write(fd, head, strlen(head)) == (ssize_t)strlen(head));
    return fd;
}

/* SIGPIPE has its default action here, which would end the process. */
static void a_peer_that_resets_raises_no_signal(void) {
    sockline_loop *loop = new_loop();
    struct record record = {0};
    sockline_handlers serving = recording();
    int fd = connect_raw(listen_here(loop, &serving, &record));
    UNTIL(loop, has(&record, 'o'));
    struct linger reset = {1, 0};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    close(fd);
    for (int i = 0; i < 3; i++) send_text(record.ws, "into the void");
    UNTIL(loop, has(&record, 'c'));
    CHECK(record.close_code == 1006 && strcmp(record.events, "oec") == 0);
    sockline_loop_free(loop);
}

static void a_forked_child_is_told_so(void) {
    static sockline_loop *loop; /* static, so that valgrind finds it when the child ends */
    loop = new_loop();
    pid_t child = fork();
    if (child == 0) {
        sockline_loop *other = NULL;
        bool refused = sockline_loop_new(NULL, &other) == SOCKLINE_ERR_FORKED &&
                       sockline_loop_poll(loop, 0) == SOCKLINE_ERR_FORKED &&
                       sockline_connect(loop, "ws://localhost/", NULL, NULL, NULL, NULL) == SOCKLINE_ERR_FORKED;
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    sockline_loop_free(loop);
}

int main(void) {
    RUN(events_come_in_order_and_close_is_last);
    RUN(a_failed_attempt_gives_an_error_and_a_close);
    RUN(a_refused_call_writes_no_handle_and_brings_no_event);
    RUN(calls_on_dead_handles_say_closed);
    RUN(a_handle_of_the_wrong_kind_is_a_status);
    RUN(nothing_follows_a_terminate_in_a_callback);
    RUN(a_close_in_on_open_is_clean);
    RUN(a_close_while_connecting_gives_up);
    RUN(a_loop_may_be_freed_in_its_callback);
    RUN(freeing_a_loop_ends_all_that_is_on_it);
    RUN(user_data_may_be_freed_in_the_last_event);
    RUN(a_shutdown_says_going_away);
    RUN(events_wait_for_handlers);
    RUN(messages_without_on_message_are_discarded);
    RUN(a_peer_that_resets_raises_no_signal);
    RUN(a_forked_child_is_told_so);
    return 0;
}
