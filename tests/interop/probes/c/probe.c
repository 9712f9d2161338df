/* sockline's C face on both sides of the interop tests: probe server PORT [PATIENCE_MS], probe client URL SCENARIO.
 *
 * What the paths and the scenarios are is in ../README.md. */

#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "probe.h"

enum { TIMEOUT = 120 }; /* seconds, for a whole scenario */

const size_t SIZES[] = {0, 1, 125, 126, 127, 65535, 65536, 1 << 20, LARGEST};
const size_t SIZE_COUNT = sizeof SIZES / sizeof *SIZES;

unsigned char *pattern;
char padding[PADDING + 1];
const char *role = "probe";

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "c %s: ", role);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void must(sockline_status status, const char *what) {
    if (status < 0) fail("%s: %s: %s", what, sockline_status_name(status), sockline_last_error_text());
}

static void make_fixtures(void) {
    pattern = malloc(LARGEST);
    if (pattern == NULL) fail("no memory");
    for (size_t i = 0; i < LARGEST; i++) pattern[i] = (unsigned char)(i % 251);
    memset(padding, 'x', PADDING);
}

/* The soft limit of open descriptors is often 1,024. */
static void allow_many_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit failed");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit failed");
}

static void timed_out(int signal) {
    static const char text[] = "c: not finished after 120 seconds\n";
    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(1);
}

int main(int argc, char **argv) {
    make_fixtures();
    allow_many_files();
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "server") == 0)
        return serve((unsigned)atoi(argv[2]), argc == 4 ? (unsigned)atoi(argv[3]) : 0);
    if (argc == 4 && strcmp(argv[1], "client") == 0) {
        signal(SIGALRM, timed_out);
        alarm(TIMEOUT);
        return run_scenario(argv[2], role = argv[3]);
    }
    fprintf(stderr, "usage: probe server PORT [PATIENCE_MS] | probe client URL SCENARIO\n");
    return 2;
}
