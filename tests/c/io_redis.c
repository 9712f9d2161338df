/* A cluster: two servers in this process and an emitter, over a redis-server that the test starts on a free port, kills and starts
 * again. */

#define _POSIX_C_SOURCE 200809L

#include "redis.h"
#include "support.h"

#include <pthread.h>

#define STR(string) (int)(string).len, (string).data

enum { LONGEST = 256 };

/* ── a connection's events ──────────────────────────────────────────────────────────────────────────────────── */

/* They come on a thread of the connection's own. */
struct events {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned connected, disconnected, errors, closed, freed;
    char why[LONGEST];
};

#define EVENTS_INIT {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

static void count(struct events *events, unsigned *counter, const sockline_string *text) {
    pthread_mutex_lock(&events->lock);
    CHECK(events->freed == 0); /* which is the last */
    ++*counter;
    if (text) snprintf(events->why, sizeof events->why, "%.*s", STR(*text));
    pthread_cond_broadcast(&events->changed);
    pthread_mutex_unlock(&events->lock);
}

static void wait_for(struct events *events, const unsigned *counter, unsigned wanted) {
    pthread_mutex_lock(&events->lock);
    while (*counter < wanted) pthread_cond_wait(&events->changed, &events->lock);
    pthread_mutex_unlock(&events->lock);
}

static void on_connected(void *user_data) { count(user_data, &((struct events *)user_data)->connected, NULL); }
static void on_closed(void *user_data) { count(user_data, &((struct events *)user_data)->closed, NULL); }
static void on_freed(void *user_data) { count(user_data, &((struct events *)user_data)->freed, NULL); }

static void on_error(sockline_string text, void *user_data) {
    count(user_data, &((struct events *)user_data)->errors, &text);
}

static void on_disconnected(sockline_string why, void *user_data) {
    count(user_data, &((struct events *)user_data)->disconnected, &why);
}

static sockline_redis *open_redis(int64_t mode, struct events *events) {
    sockline_redis *redis = NULL;
    sockline_redis_options options = SOCKLINE_REDIS_OPTIONS_INIT;
    options.url = sockline_str(redis_url);
    options.mode = mode;
    options.requests_timeout_ms = 60000; /* time enough for whoever is watched in what he does */
    sockline_redis_handlers handlers = SOCKLINE_REDIS_HANDLERS_INIT;
    handlers.on_error = on_error;
    handlers.on_connected = on_connected;
    handlers.on_disconnected = on_disconnected;
    handlers.on_closed = on_closed;
    handlers.on_freed = on_freed;
    CHECK_STATUS(SOCKLINE_OK, sockline_redis_new(&options, &handlers, events, &redis));
    wait_for(events, &events->connected, 1);
    CHECK(sockline_redis_connected(redis) == 1 && sockline_redis_dropped(redis) == 0);
    return redis;
}

/* ── servers, and a client of each ──────────────────────────────────────────────────────────────────────────── */

struct node {
    sockline_loop *loop;
    sockline_io_server io;
    sockline_io_namespace root;
    sockline_io_socket socket;
    sockline_server server;
    sockline_ws client;
    bool is_open, is_gone, is_closed;
    char frame[LONGEST]; /* the client's latest */
    size_t frames, asked;
    char heard[LONGEST]; /* the application's latest */
    sockline_io_ack ack;
};

static void on_frame(sockline_ws ws, int32_t type, const void *data, size_t len, void *user_data) {
    struct node *node = user_data;
    (void)ws;
    node->frames++;
    if (type == SOCKLINE_TEXT)
        snprintf(node->frame, LONGEST, "%.*s", (int)len, (const char *)data);
    else
        snprintf(node->frame, LONGEST, "%zu bytes", len);
}

static void on_open(sockline_ws ws, void *user_data) {
    struct node *node = user_data;
    node->client = ws;
    node->is_open = true;
}

static void on_close(sockline_ws ws, const sockline_close_event *event, void *user_data) {
    (void)ws, (void)event;
    ((struct node *)user_data)->is_gone = true;
}

static void on_connection(sockline_io_socket socket, void *user_data) { ((struct node *)user_data)->socket = socket; }

static void on_server_side_emit(sockline_io_namespace nsp, const sockline_io_event *event, void *user_data) {
    struct node *node = user_data;
    CHECK(event->size == sizeof *event && nsp == node->root);
    node->ack = event->ack;
    node->asked++;
    snprintf(node->heard, LONGEST, "%.*s|%.*s|%.*s|%zu", STR(event->name), STR(event->args), STR(event->array),
             event->attachment_count);
}

static void on_server_closed(sockline_io_server server, void *user_data) {
    (void)server;
    ((struct node *)user_data)->is_closed = true;
}

static bool begins(const char *text, const char *head) { return strncmp(text, head, strlen(head)) == 0; }

static void open_node(struct node *node, sockline_loop *loop, sockline_redis *redis, const char *url) {
    memset(node, 0, sizeof *node);
    node->loop = loop;
    sockline_io_server_options options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    options.redis = redis;
    options.adapter = sockline_str(url);
    options.forward_requests = 1;
    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_connection = on_connection;
    handlers.on_server_side_emit = on_server_side_emit;
    handlers.on_server_closed = on_server_closed;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_new(loop, &options, &handlers, node, &node->io));
    CHECK_STATUS(SOCKLINE_OK, sockline_io_of(node->io, sockline_str("/"), &node->root));
    sockline_server_options listener = SOCKLINE_SERVER_OPTIONS_INIT;
    listener.host = sockline_str("127.0.0.1");
    listener.io = &node->io;
    listener.io_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(loop, &listener, NULL, NULL, &node->server));
    sockline_handlers client = SOCKLINE_HANDLERS_INIT;
    client.on_open = on_open;
    client.on_message = on_frame;
    client.on_close = on_close;
    const char *target = "/socket.io/?EIO=4&transport=websocket";
    CHECK_STATUS(SOCKLINE_OK, sockline_connect(loop, url_of(node->server, target), NULL, &client, node, NULL));
    UNTIL(loop, node->is_open && begins(node->frame, "0{\"sid\":\""));
    CHECK_STATUS(SOCKLINE_OK, send_text(node->client, "40"));
    UNTIL(loop, node->socket != 0 && begins(node->frame, "40{\"sid\":\""));
}

static void close_node(struct node *node) {
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_close(node->io));
    UNTIL(node->loop, node->is_closed);
}

static void counted(sockline_status status, size_t servers, void *context) {
    CHECK_STATUS(SOCKLINE_OK, status);
    *(size_t *)context = servers;
}

/* A server counts another one when that hears what Redis has of the cluster. */
static void until_there_are(const struct node *node, size_t wanted) {
    size_t servers = 0;
    while (servers != wanted) {
        servers = 0;
        CHECK_STATUS(SOCKLINE_OK, sockline_io_server_count(node->root, counted, &servers));
        UNTIL(node->loop, servers != 0);
    }
}

/* Two servers with a connection each, on one loop. */
struct cluster {
    sockline_loop *loop;
    struct events events[2];
    sockline_redis *redis[2];
    struct node a, b;
};

static void open_cluster(struct cluster *cluster, int64_t mode) {
    memset(cluster, 0, sizeof *cluster);
    cluster->loop = new_loop();
    for (size_t i = 0; i < 2; i++) {
        cluster->events[i] = (struct events)EVENTS_INIT;
        cluster->redis[i] = open_redis(mode, &cluster->events[i]);
        open_node(i ? &cluster->b : &cluster->a, cluster->loop, cluster->redis[i], NULL);
    }
    until_there_are(&cluster->a, 2);
    until_there_are(&cluster->b, 2);
}

static void close_cluster(struct cluster *cluster) {
    close_node(&cluster->a);
    close_node(&cluster->b);
    for (size_t i = 0; i < 2; i++) {
        CHECK_STATUS(SOCKLINE_OK, sockline_redis_close(cluster->redis[i]));
        wait_for(&cluster->events[i], &cluster->events[i].closed, 1);
        CHECK(sockline_redis_connected(cluster->redis[i]) == 0);
        CHECK_STATUS(SOCKLINE_OK, sockline_redis_close(cluster->redis[i]));
        sockline_redis_free(cluster->redis[i]);
    }
    sockline_loop_free(cluster->loop);
    for (size_t i = 0; i < 2; i++) wait_for(&cluster->events[i], &cluster->events[i].freed, 1);
}

/* ── tests ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void join(const struct node *node, const char *name) {
    sockline_string room = sockline_str(name);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_join(node->socket, &room, 1));
}

struct answers {
    bool are_here;
    size_t count, missing;
    char text[LONGEST];
};

static void found(sockline_status status, const sockline_io_socket_details *sockets, size_t count, size_t missing,
                  void *context) {
    struct answers *answers = context;
    CHECK_STATUS(SOCKLINE_OK, status);
    *answers = (struct answers){true, count, missing, ""};
    for (size_t i = 0; i < count; i++) snprintf(answers->text, LONGEST, "%.*s", STR(sockets[i].data));
}

static void names_found(sockline_status status, const sockline_string *names, size_t count, size_t missing, void *context) {
    struct answers *answers = context;
    CHECK_STATUS(SOCKLINE_OK, status);
    *answers = (struct answers){true, count, missing, ""};
    for (size_t i = 0; i < count; i++)
        if (names[i].len == 4 && memcmp(names[i].data, "blue", 4) == 0) strcat(answers->text, "blue");
}

static void everybody_is_reached_in(int64_t mode) {
    struct cluster cluster;
    struct answers answers = {0};
    open_cluster(&cluster, mode);
    struct node *a = &cluster.a, *b = &cluster.b;
    sockline_string room = sockline_str("blue");
    join(b, "blue");
    CHECK_STATUS(SOCKLINE_OK, sockline_io_socket_set_data(b->socket, sockline_str("[7]")));
    sockline_io_target target = SOCKLINE_IO_TARGET_INIT;
    target.nsp = a->root;
    target.rooms = &room;
    target.room_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_fetch_sockets(&target, found, &answers));
    UNTIL(cluster.loop, answers.are_here);
    CHECK(answers.count == 1 && answers.missing == 0 && strcmp(answers.text, "[7]") == 0);
    size_t before = a->frames;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_broadcast_emit(&target, sockline_str("in"), sockline_str("1"), NULL, 0));
    UNTIL(cluster.loop, strcmp(b->frame, "42[\"in\",1]") == 0);
    CHECK(a->frames == before);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_namespace_emit(b->root, sockline_str("all"), sockline_str("2"), NULL, 0));
    UNTIL(cluster.loop, strcmp(a->frame, "42[\"all\",2]") == 0 && strcmp(b->frame, "42[\"all\",2]") == 0);

    answers.are_here = false;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_all_sockets(a->root, NULL, 0, names_found, &answers));
    UNTIL(cluster.loop, answers.are_here);
    CHECK(answers.count == 2 && answers.missing == 0);
    answers.are_here = false;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_all_rooms(a->root, names_found, &answers));
    UNTIL(cluster.loop, answers.are_here);
    CHECK(answers.count == 3 && strcmp(answers.text, "blue") == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_broadcast_disconnect(&target, 1));
    UNTIL(cluster.loop, b->is_gone);
    CHECK(!a->is_gone);
    close_cluster(&cluster);
}

static void everybody_is_reached(void) { everybody_is_reached_in(SOCKLINE_REDIS_CLASSIC); }
static void everybody_is_reached_by_sharded_channels(void) { everybody_is_reached_in(SOCKLINE_REDIS_SHARDED); }
static void everybody_is_reached_by_a_stream(void) { everybody_is_reached_in(SOCKLINE_REDIS_STREAMS); }

static void answered(sockline_status status, const sockline_io_response *responses, size_t count, size_t missing, void *context) {
    struct answers *answers = context;
    CHECK_STATUS(SOCKLINE_OK, status);
    *answers = (struct answers){true, count, missing, ""};
    if (count > 0) snprintf(answers->text, LONGEST, "%.*s", STR(responses[0].args));
}

static void *answer(void *ack) {
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_ack_send(*(sockline_io_ack *)ack, sockline_str("{\"yes\":1}"), NULL, 0));
    return NULL;
}

/* Whether all of the answer is there; text has room for 1024 characters. */
static bool has_come(int fd, char *text, size_t *len) {
    ssize_t got = recv(fd, text + *len, 1023 - *len, MSG_DONTWAIT);
    if (got > 0) *len += (size_t)got;
    text[*len] = '\0';
    return got == 0;
}

/* What a server answers to a client that polls. */
static const char *poll_at(const struct node *node, const char *method, const char *sid, const char *body) {
    static char text[1024];
    size_t len = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(sockline_server_port(node->server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    int size = snprintf(text, sizeof text,
                        "%s /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        method, sid, strlen(body), body);
    CHECK(send(fd, text, (size_t)size, 0) == size);
    UNTIL(node->loop, has_come(fd, text, &len));
    close(fd);
    const char *found = strstr(text, "\r\n\r\n");
    CHECK(found != NULL);
    return found + 4;
}

static void a_client_polls_the_server_that_it_is_not_of(void) {
    struct cluster cluster;
    open_cluster(&cluster, SOCKLINE_REDIS_CLASSIC);
    struct node *a = &cluster.a, *b = &cluster.b;
    char sid[21];
    CHECK(sscanf(poll_at(a, "GET", "", ""), "0{\"sid\":\"%20[^\"]", sid) == 1 && strlen(sid) == 20);
    a->socket = 0;
    CHECK(strcmp(poll_at(b, "POST", sid, "40"), "ok") == 0);
    CHECK(a->socket != 0 && begins(poll_at(b, "GET", sid, ""), "40{\"sid\":\""));
    CHECK(sockline_io_emit(a->socket, sockline_str("e"), sockline_str("1"), NULL, 0, NULL) >= 0);
    CHECK(strcmp(poll_at(b, "GET", sid, ""), "42[\"e\",1]") == 0);
    CHECK(strcmp(poll_at(b, "POST", sid, "1"), "ok") == 0);
    sid[19] ^= 1; /* nobody's */
    CHECK(strcmp(poll_at(b, "GET", sid, ""), "{\"code\":1,\"message\":\"Session ID unknown\"}") == 0);
    close_cluster(&cluster);
}

static void servers_speak_to_each_other(void) {
    struct cluster cluster;
    struct answers answers = {0};
    open_cluster(&cluster, SOCKLINE_REDIS_CLASSIC);
    struct node *a = &cluster.a, *b = &cluster.b;
    sockline_string name = sockline_str("news"), args = sockline_str("1,[\"b\"]");
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_side_emit(a->root, name, args, NULL, 0));
    UNTIL(cluster.loop, b->asked == 1);
    CHECK(strcmp(b->heard, "news|1,[\"b\"]|[\"news\",1,[\"b\"]]|0") == 0);
    CHECK(b->ack == 0 && a->asked == 0);

    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_side_emit_with_ack(a->root, name, args, NULL, 0, answered, &answers));
    UNTIL(cluster.loop, b->asked == 2);
    CHECK(b->ack != 0 && !answers.are_here);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, answer, &b->ack) == 0);
    UNTIL(cluster.loop, answers.are_here);
    pthread_join(thread, NULL);
    CHECK(answers.count == 1 && answers.missing == 0 && strcmp(answers.text, "{\"yes\":1}") == 0);
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_io_server_ack_send(b->ack, sockline_str("1"), NULL, 0));

    sockline_string reserved = sockline_str("connection");
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_side_emit(a->root, reserved, args, NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_side_emit_with_ack(a->root, name, args, NULL, 0, NULL, NULL));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_side_emit(a->root, name, sockline_str("{"), NULL, 0));
    CHECK(sockline_io_server_ack_send(UINT64_C(1) << 52, sockline_str("1"), NULL, 0) < 0);
    close_cluster(&cluster);
}

static void who_is_silent_is_counted(void) {
    struct events events = EVENTS_INIT;
    struct answers answers = {0};
    struct node a, b;
    sockline_loop *loop = new_loop();
    sockline_redis_options options = SOCKLINE_REDIS_OPTIONS_INIT;
    options.url = sockline_str(redis_url);
    options.requests_timeout_ms = 200;
    sockline_redis *redis = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_redis_new(&options, NULL, NULL, &redis));
    open_node(&a, loop, redis, NULL);
    sockline_redis *other = open_redis(SOCKLINE_REDIS_CLASSIC, &events);
    open_node(&b, loop, other, NULL);
    until_there_are(&a, 2);
    sockline_string name = sockline_str("ask"); /* b hears it, and never answers */
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_side_emit_with_ack(a.root, name, sockline_str(""), NULL, 0, answered, &answers));
    UNTIL(loop, answers.are_here);
    CHECK(b.asked == 1 && b.ack != 0 && answers.count == 0 && answers.missing == 1);
    sockline_redis_free(redis); /* the server keeps it */
    sockline_redis_free(other);
    close_node(&a);
    close_node(&b);
    sockline_loop_free(loop);
    wait_for(&events, &events.freed, 1);
}

/* What a question without an answer comes to; its context is freed there. */
struct ending {
    struct node *node;
    sockline_status *status;
    size_t *calls;
};

static struct ending *ending(struct node *node, sockline_status *status, size_t *calls) {
    struct ending *made = malloc(sizeof *made);
    CHECK(made);
    *made = (struct ending){node, status, calls};
    return made;
}

static void ended(sockline_status status, const sockline_io_response *responses, size_t count, size_t missing, void *context) {
    struct ending *end = context;
    (void)responses;
    CHECK(count == 0 && !end->node->is_closed && missing == (status == SOCKLINE_OK ? 1 : 0));
    *end->status = status;
    ++*end->calls;
    free(end);
}

static void questions_end_with_their_server(bool frees_loop) {
    struct events events = EVENTS_INIT;
    struct node a, b;
    sockline_loop *loop = new_loop(), *elsewhere = new_loop();
    sockline_redis *redis = open_redis(SOCKLINE_REDIS_CLASSIC, &events);
    open_node(&a, loop, redis, NULL);
    open_node(&b, elsewhere, NULL, redis_url); /* not turned before its end: it is silent */
    until_there_are(&a, 2);
    size_t calls = 0;
    sockline_status status = SOCKLINE_ERR_INTERNAL;
    sockline_string name = sockline_str("ask"), none = sockline_str("");
    CHECK_STATUS(SOCKLINE_OK,
                 sockline_io_server_side_emit_with_ack(a.root, name, none, NULL, 0, ended, ending(&a, &status, &calls)));
    CHECK(calls == 0);
    if (frees_loop) {
        sockline_loop_free(loop);
        CHECK(calls == 1 && !a.is_closed);
        CHECK_STATUS(SOCKLINE_ERR_CLOSED, status);
    } else {
        close_node(&a);
        CHECK(calls == 1);
        if (status != SOCKLINE_ERR_CLOSED) CHECK_STATUS(SOCKLINE_OK, status); /* OK: it had been counted by then */
    }
    size_t servers = 0;
    CHECK_STATUS(SOCKLINE_ERR_CLOSED, sockline_io_server_count(a.root, counted, &servers));
    if (frees_loop) CHECK_STATUS(SOCKLINE_OK, sockline_io_server_close(a.io));
    CHECK(a.is_closed && calls == 1);
    if (!frees_loop) sockline_loop_free(loop);
    close_node(&b);
    sockline_loop_free(elsewhere);
    sockline_redis_free(redis);
    wait_for(&events, &events.freed, 1);
}

static void questions_end_before_their_server_has_closed(void) { questions_end_with_their_server(false); }
static void questions_end_with_their_loop(void) { questions_end_with_their_server(true); }

static void flushed(sockline_status status, void *context) {
    struct events *events = context;
    CHECK_STATUS(SOCKLINE_OK, status);
    count(events, &events->connected, NULL);
}

static void an_emitter_needs_no_server(void) {
    struct cluster cluster;
    open_cluster(&cluster, SOCKLINE_REDIS_CLASSIC);
    struct node *a = &cluster.a, *b = &cluster.b;
    sockline_emitter *shares = NULL, *own = NULL;
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_new(cluster.redis[0], sockline_str(""), &shares));
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_new(NULL, sockline_str(redis_url), &own));
    sockline_string name = sockline_str("e");
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_emit(shares, NULL, name, sockline_str("1"), NULL, 0));
    UNTIL(cluster.loop, strcmp(a->frame, "42[\"e\",1]") == 0 && strcmp(b->frame, "42[\"e\",1]") == 0);

    char id[32];
    sockline_io_socket_id(a->socket, id, sizeof id);
    sockline_string room = sockline_str(id), red = sockline_str("red");
    sockline_emitter_target target = SOCKLINE_EMITTER_TARGET_INIT;
    target.rooms = &room;
    target.room_count = 1;
    target.compress = -1;
    sockline_bytes binary = {"abc", 3};
    sockline_string placeholder = sockline_str("{\"_placeholder\":true,\"num\":0}");
    size_t before = b->frames;
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_emit(own, &target, name, placeholder, &binary, 1));
    UNTIL(cluster.loop, strcmp(a->frame, "3 bytes") == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_join(own, &target, &red, 1));
    sockline_emitter_target in_red = SOCKLINE_EMITTER_TARGET_INIT, not_red = SOCKLINE_EMITTER_TARGET_INIT;
    in_red.rooms = not_red.except = &red;
    in_red.room_count = not_red.except_count = 1;
    in_red.is_volatile = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_emit(own, &in_red, name, sockline_str("2"), NULL, 0));
    UNTIL(cluster.loop, strcmp(a->frame, "42[\"e\",2]") == 0);
    CHECK(b->frames == before);
    before = a->frames;
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_emit(own, &not_red, name, sockline_str("3"), NULL, 0));
    UNTIL(cluster.loop, strcmp(b->frame, "42[\"e\",3]") == 0);
    CHECK(a->frames == before);
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_leave(own, &in_red, &red, 1));
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_emit(own, &not_red, name, sockline_str("4"), NULL, 0));
    UNTIL(cluster.loop, strcmp(a->frame, "42[\"e\",4]") == 0);

    sockline_string none = sockline_str("");
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_server_side_emit(own, none, name, sockline_str("5"), NULL, 0));
    UNTIL(cluster.loop, a->asked == 1 && b->asked == 1);
    CHECK(strcmp(a->heard, "e|5|[\"e\",5]|0") == 0 && a->ack == 0);

    struct events done = EVENTS_INIT;
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_disconnect(own, &target, 1));
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_flush(own, flushed, &done));
    CHECK_STATUS(SOCKLINE_OK, sockline_redis_flush(cluster.redis[1], flushed, &done));
    wait_for(&done, &done.connected, 2);
    UNTIL(cluster.loop, a->is_gone);
    CHECK(!b->is_gone);

    target.compress = 7;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_emitter_emit(own, &target, name, none, NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_emitter_emit(own, NULL, sockline_str("connect"), none, NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_emitter_emit(NULL, NULL, name, none, NULL, 0));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_emitter_flush(own, NULL, NULL));
    sockline_emitter_free(own);
    sockline_emitter_free(shares);
    sockline_emitter_free(NULL);
    close_cluster(&cluster);
}

static void not_asked(sockline_status status, const sockline_io_response *responses, size_t count, size_t missing, void *context) {
    (void)responses;
    CHECK_STATUS(SOCKLINE_ERR_PEER_DEAD, status);
    *(bool *)context = count == 0 && missing == 0;
}

static void servers_speak_as_python_socketio_does(void) {
    struct cluster cluster;
    bool is_told = false;
    open_cluster(&cluster, SOCKLINE_REDIS_PYTHON_SOCKETIO);
    struct node *a = &cluster.a, *b = &cluster.b;
    sockline_emitter *emitter = NULL;
    sockline_string room = sockline_str("blue"), name = sockline_str("e"), none = sockline_str("");
    join(b, "blue");
    sockline_io_target target = SOCKLINE_IO_TARGET_INIT;
    target.nsp = a->root;
    target.rooms = &room;
    target.room_count = 1;
    CHECK_STATUS(SOCKLINE_OK, sockline_io_broadcast_emit(&target, name, sockline_str("1"), NULL, 0));
    UNTIL(cluster.loop, strcmp(b->frame, "42[\"e\",1]") == 0);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_server_side_emit_with_ack(a->root, name, none, NULL, 0, not_asked, &is_told));
    UNTIL(cluster.loop, is_told);
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_new(cluster.redis[0], none, &emitter));
    CHECK_STATUS(SOCKLINE_OK, sockline_emitter_emit(emitter, NULL, name, sockline_str("2"), NULL, 0));
    UNTIL(cluster.loop, strcmp(a->frame, "42[\"e\",2]") == 0 && strcmp(b->frame, "42[\"e\",2]") == 0);
    CHECK_STATUS(SOCKLINE_ERR_UNSUPPORTED, sockline_emitter_server_side_emit(emitter, none, name, none, NULL, 0));
    sockline_emitter_free(emitter);
    close_cluster(&cluster);
}

static void a_url_is_enough(void) {
    sockline_loop *loop = new_loop();
    struct node a, b;
    open_node(&a, loop, NULL, redis_url);
    open_node(&b, loop, NULL, redis_url);
    until_there_are(&a, 2);
    until_there_are(&b, 2);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_namespace_emit(b.root, sockline_str("all"), sockline_str(""), NULL, 0));
    UNTIL(loop, strcmp(a.frame, "42[\"all\"]") == 0);
    close_node(&a);
    close_node(&b);
    sockline_loop_free(loop);
}

static void a_redis_that_is_killed_is_told_of(void) {
    struct cluster cluster;
    open_cluster(&cluster, SOCKLINE_REDIS_CLASSIC);
    struct node *a = &cluster.a, *b = &cluster.b;
    struct events *events = &cluster.events[0];
    stop_redis();
    wait_for(events, &events->disconnected, 1);
    CHECK(strlen(events->why) > 0 && sockline_redis_connected(cluster.redis[0]) == 0);
    /* What is local goes on. */
    CHECK_STATUS(SOCKLINE_OK, sockline_io_namespace_emit(a->root, sockline_str("here"), sockline_str(""), NULL, 0));
    UNTIL(cluster.loop, strcmp(a->frame, "42[\"here\"]") == 0);
    wait_for(events, &events->errors, 1);
    CHECK(sockline_redis_dropped(cluster.redis[0]) > 0);

    start_redis();
    wait_for(events, &events->connected, 2);
    wait_for(&cluster.events[1], &cluster.events[1].connected, 2);
    CHECK(sockline_redis_connected(cluster.redis[0]) == 1);
    CHECK_STATUS(SOCKLINE_OK, sockline_io_namespace_emit(a->root, sockline_str("again"), sockline_str(""), NULL, 0));
    UNTIL(cluster.loop, strcmp(b->frame, "42[\"again\"]") == 0);
    close_cluster(&cluster);
}

static void what_can_t_be_is_refused(void) {
    struct events events = EVENTS_INIT;
    sockline_loop *loop = new_loop();
    sockline_redis *redis = NULL, *none = NULL;
    sockline_redis_options options = SOCKLINE_REDIS_OPTIONS_INIT;
    sockline_redis_handlers handlers = SOCKLINE_REDIS_HANDLERS_INIT;
    handlers.on_freed = on_freed;
    options.url = sockline_str("http://localhost");
    CHECK_STATUS(SOCKLINE_ERR_INVALID_URL, sockline_redis_new(&options, &handlers, &events, &none));
    options.url = sockline_str(redis_url);
    options.mode = 4;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_redis_new(&options, &handlers, &events, &none));
    options.mode = 0;
    options.subscription_mode = 3;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_redis_new(&options, &handlers, &events, &none));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_redis_new(NULL, NULL, NULL, NULL));
    CHECK(none == NULL && events.freed == 0);
    CHECK(sockline_redis_connected(NULL) == 0 && sockline_redis_dropped(NULL) == 0);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_redis_close(NULL));
    sockline_redis_free(NULL);

    options.subscription_mode = 0;
    CHECK_STATUS(SOCKLINE_OK, sockline_redis_new(&options, &handlers, &events, &redis));
    struct node a;
    sockline_io_server io = 7;
    sockline_io_handlers io_handlers = SOCKLINE_IO_HANDLERS_INIT;
    sockline_io_server_options io_options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    io_options.redis = redis;
    io_options.adapter = options.url;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_new(loop, &io_options, &io_handlers, NULL, &io));
    io_options.adapter = sockline_str("");
    io_options.redis = NULL;
    io_options.forward_requests = 1;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_new(loop, &io_options, &io_handlers, NULL, &io)); /* to whom? */
    io_options.redis = redis;
    open_node(&a, loop, redis, NULL);
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_io_server_new(loop, &io_options, &io_handlers, NULL, &io)); /* a's */
    CHECK(io == 0);
    sockline_emitter *emitter = NULL;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_emitter_new(redis, options.url, &emitter));
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_emitter_new(NULL, sockline_str(""), &emitter));
    CHECK(emitter == NULL);
    close_node(&a);
    sockline_redis_free(redis);
    sockline_loop_free(loop);
    wait_for(&events, &events.freed, 1);
}

int main(void) {
    have_redis();
    RUN(everybody_is_reached);
    RUN(everybody_is_reached_by_sharded_channels);
    RUN(everybody_is_reached_by_a_stream);
    RUN(a_client_polls_the_server_that_it_is_not_of);
    RUN(servers_speak_to_each_other);
    RUN(who_is_silent_is_counted);
    RUN(questions_end_before_their_server_has_closed);
    RUN(questions_end_with_their_loop);
    RUN(an_emitter_needs_no_server);
    RUN(servers_speak_as_python_socketio_does);
    RUN(a_url_is_enough);
    RUN(a_redis_that_is_killed_is_told_of);
    RUN(what_can_t_be_is_refused);
    return 0;
}
