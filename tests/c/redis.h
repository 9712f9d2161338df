/* A redis-server of the test's own, on a free port, for C and C++. */

#ifndef REDIS_H
#define REDIS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned redis_port;
static pid_t redis_process;
static char redis_url[64];

static inline unsigned free_port(void) {
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0) abort();
    close(fd);
    return ntohs(address.sin_port);
}

/* Does not wait until it is ready: connections try again. It ends with this process, however that ends. */
static inline void start_redis(void) {
    char port[16];
    snprintf(port, sizeof port, "%u", redis_port);
    redis_process = fork();
    if (redis_process < 0) abort();
    if (redis_process > 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 1);
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", (char *)NULL);
    perror("redis-server");
    _exit(1);
}

static inline void stop_process(pid_t *process) {
    if (*process <= 0) return;
    kill(*process, SIGKILL);
    waitpid(*process, NULL, 0);
    *process = 0;
}

static inline void stop_redis(void) { stop_process(&redis_process); }

/* A sentinel that calls it main, and wants this password itself. Its file goes with stop_sentinel. */
struct sentinel {
    pid_t process;
    char url[64], file[64];
};

static inline void start_sentinel(struct sentinel *sentinel, const char *password) {
    unsigned port = free_port();
    snprintf(sentinel->url, sizeof sentinel->url, "redis+sentinel://127.0.0.1:%u/main", port);
    snprintf(sentinel->file, sizeof sentinel->file, "/tmp/sockline-sentinel-%d-%u.conf", (int)getpid(), port);
    FILE *file = fopen(sentinel->file, "w");
    if (!file) abort();
    fprintf(file, "port %u\nbind 127.0.0.1\ndir /tmp\nsentinel monitor main 127.0.0.1 %u 1\nrequirepass %s\n", port, redis_port,
            password);
    fclose(file);
    sentinel->process = fork();
    if (sentinel->process < 0) abort();
    if (sentinel->process > 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 1);
    execlp("redis-server", "redis-server", sentinel->file, "--sentinel", (char *)NULL);
    perror("redis-server");
    _exit(1);
}

static inline void stop_sentinel(struct sentinel *sentinel) {
    stop_process(&sentinel->process);
    unlink(sentinel->file);
}

/* A connection to it; below 0 while it does not listen. */
static inline int dial_redis(void) {
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)redis_port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

static inline void have_redis(void) {
    redis_port = free_port();
    snprintf(redis_url, sizeof redis_url, "redis://127.0.0.1:%u", redis_port);
    start_redis();
    atexit(stop_redis);
}

#endif
