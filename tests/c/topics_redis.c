/* Topics of a cluster: plain servers in this process and an emitter, over a redis-server that the test starts on a free port, kills
 * and starts again. */

#define _POSIX_C_SOURCE 200809L

#include "redis.h"
#include "support.h"

#include <sched.h>

enum { LONGEST = 256 };

struct node {
    sockline_loop *loop;
    sockline_server server;
    sockline_ws peer, client; /* both ends of its client's connection */
    bool is_open, is_closed;
    unsigned messages;
    int32_t type;
    char data[LONGEST]; /* the client's latest */
    size_t len;
};

static void on_server_open(sockline_ws ws, void *user_data) {
    struct node *node = user_data;
    node->peer = ws;
    CHECK_STATUS(SOCKLINE_OK, sockline_subscribe(ws, "news/#", 6));
}

static void on_server_closed(sockline_server server, void *user_data) {
    (void)server;
    ((struct node *)user_data)->is_closed = true;
}

static void on_open(sockline_ws ws, void *user_data) {
    struct node *node = user_data;
    node->client = ws;
    node->is_open = true;
}

static void on_message(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    struct node *node = user_data;
    (void)ws;
    node->messages++;
    node->type = type;
    node->len = len;
    snprintf(node->data, LONGEST, "%.*s", (int)len, (const char *)data);
}

static void open_node(struct node *node, sockline_loop *loop, sockline_redis *redis, const char *url) {
    memset(node, 0, sizeof *node);
    node->loop = loop;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    options.redis = redis;
    options.adapter = sockline_str(url);
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT, client = SOCKLINE_HANDLERS_INIT;
    handlers.on_open = on_server_open;
    handlers.on_server_closed = on_server_closed;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &options, &handlers, node, &node->server));
    client.on_open = on_open;
    client.on_message = on_message;
    connect_to(loop, node->server, &client, node);
    UNTIL(loop, node->is_open && node->peer != 0);
}

static void close_node(struct node *node) {
    CHECK_STATUS(SOCKLINE_OK, sockline_server_close(node->server, 1001, NULL, 0));
    UNTIL(node->loop, node->is_closed);
}

/* How many connections of Redis listen to what is published to topics. */
static unsigned listening(const char *pubsub) {
    char answer[LONGEST] = "";
    size_t len = 0;
    int fd;
    while ((fd = dial_redis()) < 0) sched_yield();
    CHECK(write(fd, pubsub, strlen(pubsub)) == (ssize_t)strlen(pubsub));
    while (strchr(answer, ':') == NULL || answer[len - 1] != '\n') {
        ssize_t got = read(fd, answer + len, sizeof answer - 1 - len);
        CHECK(got > 0);
        len += (size_t)got;
        answer[len] = '\0';
    }
    close(fd);
    return (unsigned)atoi(strchr(answer, ':') + 1);
}

/* A subscription takes its time. */
static void until_so_many_listen(unsigned wanted) {
    while (listening("PUBSUB NUMSUB socket.io-topics\r\n") != wanted) sched_yield();
}

static void publish(const struct node *node, const char *topic, const char *text) {
    CHECK_STATUS(SOCKLINE_OK, sockline_server_publish(node->server, topic, strlen(topic), SOCKLINE_TEXT, text, strlen(text)));
}

static bool got(const struct node *node, unsigned messages, const char *text) {
    return node->messages == messages && node->type == SOCKLINE_TEXT && strcmp(node->data, text) == 0;
}

static void subscribers_of_all_servers_get_it_once(void) {
    sockline_loop *loop = new_loop();
    sockline_redis *redis = NULL;
    sockline_redis_options options = SOCKLINE_REDIS_OPTIONS_INIT;
    options.url = sockline_str(redis_url);
    CHECK_STATUS(SOCKLINE_OK, sockline_redis_new(&options, NULL, NULL, &redis));
    struct node a, b, c;
    open_node(&a, loop, redis, NULL); /* two servers of one connection */
    open_node(&b, loop, redis, NULL);
    open_node(&c, loop, NULL, redis_url);
    until_so_many_listen(2);
    publish(&a, "news/sport", "goal");
    UNTIL(loop, got(&a, 1, "goal") && got(&b, 1, "goal") && got(&c, 1, "goal"));
    publish(&a, "weather", "fine");
    CHECK_STATUS(SOCKLINE_OK, sockline_broadcast(a.server, SOCKLINE_TEXT, "for a", 5));
    UNTIL(loop, got(&a, 2, "for a"));
    CHECK_STATUS(SOCKLINE_OK, sockline_publish(c.peer, "news", 4, SOCKLINE_BINARY, "\xff\0", 2, -1));
    UNTIL(loop, a.type == SOCKLINE_BINARY && b.type == SOCKLINE_BINARY);
    CHECK(a.messages == 3 && b.messages == 2 && c.messages == 1);
    CHECK(b.len == 2 && memcmp(b.data, "\xff", 2) == 0);
    publish(&b, "news/last", "end"); /* whatever else there was has come before */
    UNTIL(loop, got(&a, 4, "end") && got(&b, 3, "end") && got(&c, 2, "end"));

    sockline_emitter *shares = NULL, *own = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_new(redis, sockline_str(""), &shares));
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_new(NULL, sockline_str(redis_url), &own));
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_publish(shares, "news", 4, SOCKLINE_TEXT, "one", 3));
    UNTIL(loop, got(&a, 5, "one") && got(&b, 4, "one") && got(&c, 3, "one"));
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_publish(own, "news/x", 6, SOCKLINE_BINARY, "\0", 1));
    UNTIL(loop, a.messages == 6 && b.messages == 5 && c.messages == 4 && c.type == SOCKLINE_BINARY);
    CHECK_STATUS(SOCKLINE_ERR_TOPIC, sockline_emitter_publish(own, "news/+", 6, SOCKLINE_TEXT, "x", 1));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_UTF8, sockline_emitter_publish(own, "news", 4, SOCKLINE_TEXT, "\xff", 1));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_emitter_publish(own, "news", 4, 7, "x", 1));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_emitter_publish(NULL, "news", 4, SOCKLINE_TEXT, "x", 1));
    sockline_emitter_free(shares);
    sockline_emitter_free(own);

    sockline_redis_free(redis); /* the servers keep it */
    close_node(&a);
    until_so_many_listen(2);
    publish(&c, "news", "less");
    UNTIL(loop, got(&b, 6, "less"));
    close_node(&b);
    until_so_many_listen(1);
    close_node(&c);
    until_so_many_listen(0);
    sockline_loop_free(loop);
}

static void a_listener_has_the_connection_of_its_socket_io_server(void) {
    sockline_loop *loop = new_loop();
    sockline_redis *redis = NULL;
    sockline_redis_options options = SOCKLINE_REDIS_OPTIONS_INIT;
    options.url = sockline_str(redis_url);
    options.mode = SOCKLINE_REDIS_SHARDED;
    CHECK_STATUS(SOCKLINE_OK, sockline_redis_new(&options, NULL, NULL, &redis));
    sockline_io_server io = 0;
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    sockline_io_server_options io_options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    io_options.redis = redis;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_new(loop, &io_options, &handlers, NULL, &io));
    struct node a, b;
    open_node(&a, loop, redis, NULL);
    open_node(&b, loop, redis, NULL);
    while (listening("PUBSUB SHARDNUMSUB socket.io-topics\r\n") != 1) sched_yield();
    publish(&a, "news", "sharded");
    UNTIL(loop, got(&a, 1, "sharded") && got(&b, 1, "sharded"));
    sockline_emitter *emitter = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_new(redis, sockline_str(""), &emitter));
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_publish(emitter, "news", 4, SOCKLINE_TEXT, "too", 3));
    UNTIL(loop, got(&a, 2, "too") && got(&b, 2, "too"));
    sockline_emitter_free(emitter);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_close(io));
    publish(&a, "news", "on");
    UNTIL(loop, got(&b, 3, "on"));
    close_node(&a);
    close_node(&b);
    sockline_redis_free(redis);
    sockline_loop_free(loop);
}

static void servers_go_on_alone_while_redis_is_away(void) {
    sockline_loop *loop = new_loop();
    struct node a, b;
    open_node(&a, loop, NULL, redis_url);
    open_node(&b, loop, NULL, redis_url);
    until_so_many_listen(2);
    stop_redis();
    publish(&a, "news", "alone");
    UNTIL(loop, got(&a, 1, "alone"));
    start_redis();
    until_so_many_listen(2);
    publish(&a, "news", "again");
    UNTIL(loop, got(&a, 2, "again") && got(&b, 1, "again"));
    close_node(&a);
    close_node(&b);
    sockline_loop_free(loop);
}

static void what_can_t_be_is_refused(void) {
    sockline_loop *loop = new_loop();
    sockline_server server = 7;
    sockline_redis *redis = NULL;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.adapter = sockline_str("http://127.0.0.1");
    CHECK_STATUS(SOCKLINE_ERR_INVALID_URL, sockline_listen(loop, &options, NULL, NULL, &server));
    CHECK(server == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_redis_new(NULL, NULL, NULL, &redis));
    options.adapter = sockline_str(redis_url);
    options.redis = redis;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_listen(loop, &options, NULL, NULL, &server));
    sockline_redis_free(redis);
    sockline_loop_free(loop);
}

int main(void) {
    have_redis();
    RUN(subscribers_of_all_servers_get_it_once);
    RUN(a_listener_has_the_connection_of_its_socket_io_server);
    RUN(servers_go_on_alone_while_redis_is_away);
    RUN(what_can_t_be_is_refused);
    return 0;
}
