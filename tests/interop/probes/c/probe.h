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

/* Says why on the standard error, and ends the program with 1. */
_Noreturn void fail(const char *format, ...);

/* Fails if the status says that a call did nothing. */
void must(sockline_status status, const char *what);

int serve(unsigned port, unsigned patience_ms);
int run_scenario(const char *url, const char *name);

#endif
