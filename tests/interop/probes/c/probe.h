/* What both roles of the probe share. */

#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include <sockline.h>

enum { MAX_MESSAGE = 64 << 20 };

/* As in ../../peers/node/fixtures.js. */
extern const size_t SIZES[];
extern const size_t SIZE_COUNT;
enum { LARGEST = 16 << 20 };

/* LARGEST bytes in which a lost, repeated or moved block shows: the first `size` of them are the peers' pattern(size). */
extern unsigned char *pattern;

/* Where the probe is: said before the reason when it fails. */
extern const char *role;

/* A text that gets much shorter when it is compressed. */
enum { PADDING = 65536 };
extern char padding[PADDING + 1];

/* Says why on the standard error, and ends the program with 1. */
_Noreturn void fail(const char *format, ...);

/* Fails if the status says that a call did nothing. */
void must(sockline_status status, const char *what);

/* What the environment asks for: whom to trust, whom to be, whether to compress, by which way, and which Redis makes the server one
 * of a cluster; NULL or "" if not. */
sockline_tls *client_tls(void);
sockline_tls *server_tls(void);
const sockline_compression *compression(void);
const char *proxy(void);
const char *adapter(void);

/* What was agreed on for a connection. */
struct state {
    char extensions[128];
    const char *tls;
};
struct state state_of(sockline_ws ws);

int serve(unsigned port, unsigned patience_ms);
int run_scenario(const char *url, const char *name);

#endif
