/* Socket.IO clients whose events are awaited: each call turns the loop until what it waits for has come. */

#ifndef SOCKETIO_WAITING_H
#define SOCKETIO_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "socketio_values.h"

/* An event that came. */
struct heard {
    struct heard *next;
    const char *name;
    struct values values;
};

/* An event that asks for an answer, and what has become of it. */
struct asked {
    bool is_settled;
    int32_t outcome;
    struct values answer;
};

struct client {
    struct client *next;
    sockline_io_client socket;
    struct heard *heard;        /* what nobody has waited for yet, in order */
    const char *answer;         /* what it answers to the event "question", as JSON */
    const char *message, *data; /* of the latest connect_error; message is NULL before */
    int connections, auths;
    int32_t reason; /* of the latest disconnect; -1 before */
    bool is_freed;
};

/* How to connect; what is 0 or NULL is not said. */
struct how {
    const char *auth; /* JSON */
    bool asks_auth;   /* the n-th time it says {"token":"secret","n":n} of itself */
    const char *who;  /* for the query */
    uint64_t retries, ack_timeout_ms;
};

#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        uint64_t end = deadline();                                                                 \
        while (!(condition)) turn(end, #condition);                                                \
    } while (0)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) fail(__FILE__, __LINE__, #condition);                                    \
    } while (0)

/* From now on, clients connect to url by polling, websocket or upgrade, with that parser. */
void set_out(sockline_loop *loop, const char *url, const char *transports, int64_t parser);
void begin_scenario(const char *name);
/* Frees all clients, and all that is kept. */
void end_scenario(void);

_Noreturn void fail(const char *file, int line, const char *what);
void must(sockline_status status);
uint64_t deadline(void);
void turn(uint64_t end, const char *awaited);

/* A client that has begun to connect. */
struct client *open_client(const char *nsp, const struct how *how);
/* The same, connected, and where it has to be, on a WebSocket already. */
struct client *connect_client(const char *nsp, const struct how *how);
/* Another namespace over the same connection, which has begun to connect. */
struct client *join_namespace(const struct client *other, const char *nsp, const struct how *how);
bool is_connected(const struct client *client);

void emit(const struct client *client, const char *name, const char *args);
void emit_bytes(const struct client *client, const char *name, const char *args, const sockline_bytes *attachments, size_t count);
/* timeout_ms: 0 for none. */
struct asked *begin_to_ask(const struct client *client, const char *name, const char *args, const sockline_bytes *attachments,
                           size_t count, uint64_t timeout_ms);
/* What the server acknowledges the event with. */
struct values ask(const struct client *client, const char *name, const char *args);

bool has_heard(const struct client *client, const char *name);
/* What the next event of this name brings; other events wait on. */
struct values next(struct client *client, const char *name);
bool is(struct values values, const char *json);
bool has_bytes(struct values values, size_t index, sockline_bytes wanted);

#endif
