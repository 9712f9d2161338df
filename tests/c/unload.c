/* A program that loads the library, as a plugin does, and unloads it while the library's own threads run. Their code must
 * not go away under them (-z nodelete). The library's path is the argument. */

#include <dlfcn.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sockline.h"

#define CHECK(condition)                                                                        \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);       \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

typedef sockline_status (*connect_function)(
    sockline_loop *, const char *, const sockline_options *, const sockline_handlers *, void *, sockline_ws *);

static void count_close(sockline_ws ws, const sockline_close_event *event, void *closed) {
    (void)ws, (void)event;
    sem_post(closed);
}

/* On the library's own thread: nobody listens on this port, and on_close says so. */
static void fail_to_connect(connect_function connect) {
    sem_t closed;
    CHECK(sem_init(&closed, 0, 0) == 0);
    sockline_handlers handlers = SOCKLINE_HANDLERS_INIT;
    handlers.on_close = count_close;
    CHECK(connect(NULL, "ws://127.0.0.1:1/", NULL, &handlers, &closed, NULL) == SOCKLINE_OK);
    CHECK(sem_wait(&closed) == 0);
    sem_destroy(&closed);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    alarm(60);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    CHECK(library);
    connect_function connect;
    *(void **)&connect = dlsym(library, "sockline_connect");
    CHECK(connect);
    fail_to_connect(connect);
    CHECK(dlclose(library) == 0);
    CHECK(dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD));
    fail_to_connect(connect);
    printf("unload: the library stays while its threads run\n");
    return 0;
}
