/* One node of a cluster over Redis, as sockline_cluster.rs: cluster PORT classic|sharded|streams URL */

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sockline.h>

static int is(sockline_string name, const char *wanted) {
    return name.len == strlen(wanted) && memcmp(name.data, wanted, name.len) == 0;
}

static void on_connection(sockline_io_socket socket, void *user_data) {
    (void)user_data;
    sockline_string room = sockline_str("room");
    sockline_io_join(socket, &room, 1);
}

static void on_event(sockline_io_socket socket, const sockline_io_event *event, void *user_data) {
    (void)user_data;
    sockline_string all = sockline_str("room");
    sockline_string nobody[] = {sockline_str("empty"), sockline_str("deserted")};
    int to_all = is(event->name, "bc");
    sockline_io_target target = SOCKLINE_IO_TARGET_INIT;
    target.nsp = sockline_io_socket_namespace(socket);
    target.rooms = to_all ? &all : nobody;
    target.room_count = is(event->name, "nobodies") ? 2 : 1;
    if (sockline_io_broadcast_emit(&target, sockline_str("bc"), event->args, NULL, 0) < 0) {
        fprintf(stderr, "an event was not sent: %s\n", sockline_last_error_text());
    }
}

static int32_t mode_of(const char *name) {
    if (strcmp(name, "sharded") == 0) return SOCKLINE_REDIS_SHARDED;
    return strcmp(name, "streams") == 0 ? SOCKLINE_REDIS_STREAMS : SOCKLINE_REDIS_CLASSIC;
}

static sockline_status serve(sockline_loop *loop, char **argv) {
    sockline_redis_options redis_options = SOCKLINE_REDIS_OPTIONS_INIT;
    redis_options.mode = mode_of(argv[2]);
    redis_options.url = sockline_str(argv[3]);
    sockline_redis *redis;
    sockline_status status = sockline_redis_new(&redis_options, NULL, NULL, &redis);
    if (status < 0) return status;

    sockline_io_handlers handlers = SOCKLINE_IO_HANDLERS_INIT;
    handlers.on_connection = on_connection;
    handlers.on_event = on_event;
    sockline_io_server_options io_options = SOCKLINE_IO_SERVER_OPTIONS_INIT;
    io_options.redis = redis;
    sockline_io_server io;
    if ((status = sockline_io_server_new(loop, &io_options, &handlers, NULL, &io)) < 0) return status;

    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.port = (uint32_t)atoi(argv[1]);
    options.io = &io;
    options.io_count = 1;
    status = sockline_listen(loop, &options, NULL, NULL, NULL);
    return status < 0 ? status : sockline_loop_start(loop);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: cluster PORT classic|sharded|streams URL\n");
        return 2;
    }
    sockline_loop *loop = NULL;
    sockline_status status = sockline_loop_new(NULL, &loop);
    if (status == SOCKLINE_OK) status = serve(loop, argv);
    if (status < 0) {
        fprintf(stderr, "cluster: %s\n", sockline_last_error_text());
        return 1;
    }
    pause(); /* the loop has a thread of its own */
}
