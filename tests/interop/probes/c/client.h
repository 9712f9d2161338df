/* Connections whose events are awaited one by one: each wait turns the loop. */

#ifndef CLIENT_H
#define CLIENT_H

#include "probe.h"

struct message {
    struct message *next;
    int32_t type;
    size_t len;
    unsigned char data[];
};

struct peer {
    sockline_ws ws;
    bool open, closed;
    struct message *first, **last; /* messages that nobody has taken yet */
    char ping[126], pong[126];     /* the payload of the last one, ended by a NUL */
    int pongs;
    int32_t error;                 /* the status of on_error, 0 if there was none */
    char error_text[512];
    int32_t http_status;
    int32_t code;
    bool was_clean;
    char reason[124];
};

/* Starts to connect; settings may be NULL. `peer` must not move. */
void start(struct peer *peer, const char *url, const sockline_settings *settings);

/* Awaits the opening handshake, and fails if that fails. */
void await_open(struct peer *peer);

/* The two together. */
void open_peer(struct peer *peer, const char *url);

/* Sends, then wants a message; free what came. */
void say(struct peer *peer, int32_t type, const void *data, size_t len);
struct message *next(struct peer *peer);

void expect_message(struct peer *peer, int32_t type, const void *data, size_t len);
void expect_echo(struct peer *peer, int32_t type, const void *data, size_t len);
void expect_pong(struct peer *peer, const char *payload);

/* Awaits the end, which has to be like this: code, close frames exchanged or not, error of on_error or 0. */
void expect_end(struct peer *peer, int32_t code, bool was_clean, int32_t error);

/* Closes with 1000 and awaits that. */
void finish(struct peer *peer);

#endif
