/* Sentinels that want to know who asks. */

#define _POSIX_C_SOURCE 200809L

#include "redis.h"
#include "support.h"

#include <pthread.h>

/* What a connection tells, on a thread of its own. */
struct events {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned connected, told, freed;
    char why[256];
};

#define EVENTS_INIT {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

static void count(struct events *events, unsigned *counter, const sockline_string *text) {
    pthread_mutex_lock(&events->lock);
    ++*counter;
    if (text) snprintf(events->why, sizeof events->why, "%.*s", (int)text->len, text->data);
    pthread_cond_broadcast(&events->changed);
    pthread_mutex_unlock(&events->lock);
}

static void on_connected(void *user_data) { count(user_data, &((struct events *)user_data)->connected, NULL); }
static void on_freed(void *user_data) { count(user_data, &((struct events *)user_data)->freed, NULL); }

static void on_trouble(sockline_string text, void *user_data) {
    count(user_data, &((struct events *)user_data)->told, &text);
}

/* Connects, and waits until the connection is up; with a refusal, until a reason is told in which that stands. */
static void reach(const sockline_redis_options *options, const char *refusal) {
    struct events events = EVENTS_INIT;
    sockline_redis *redis = NULL;
    sockline_redis_handlers handlers = SOCKLINE_REDIS_HANDLERS_INIT;
    handlers.on_connected = on_connected;
    handlers.on_disconnected = on_trouble;
    handlers.on_error = on_trouble;
    handlers.on_freed = on_freed;
    CHECK_STATUS(SOCKLINE_OK, sockline_redis_new(options, &handlers, &events, &redis));
    pthread_mutex_lock(&events.lock);
    while (refusal ? !strstr(events.why, refusal) : events.connected == 0) pthread_cond_wait(&events.changed, &events.lock);
    CHECK(refusal == NULL || events.connected == 0);
    CHECK(strstr(events.why, "geheim") == NULL);
    pthread_mutex_unlock(&events.lock);
    sockline_redis_free(redis);
    pthread_mutex_lock(&events.lock);
    while (events.freed == 0) pthread_cond_wait(&events.changed, &events.lock);
    pthread_mutex_unlock(&events.lock);
}

static void sentinels_are_told_who_asks(void) {
    struct sentinel sentinel;
    char url[128];
    sockline_redis *none = NULL;
    start_sentinel(&sentinel, "geheim");
    sockline_redis_options options = SOCKLINE_REDIS_OPTIONS_INIT;
    options.url = sockline_str(sentinel.url);
    reach(&options, "wants a password");
    options.sentinel_password = sockline_str("geheim");
    reach(&options, NULL);
    options.sentinel_user = sockline_str("default");
    reach(&options, NULL);
    options.sentinel_user = sockline_str("nobody");
    reach(&options, "refused user and password");
    snprintf(url, sizeof url, "%s?sentinel_password=geheim", sentinel.url); /* goes first */
    options.url = sockline_str(url);
    reach(&options, NULL);
    options.sentinel_tls = 2;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_redis_new(&options, NULL, NULL, &none));
    options.sentinel_tls = 1;
    options.ca_file = sockline_str("/nowhere.pem");
    CHECK_STATUS(SOCKLINE_ERR_TLS, sockline_redis_new(&options, NULL, NULL, &none));
    CHECK(none == NULL);
    stop_sentinel(&sentinel);
}

int main(void) {
    have_redis();
    RUN(sentinels_are_told_who_asks);
    return 0;
}
