#define _POSIX_C_SOURCE 200809L

#include "ticker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* From 0 to 1; what is random here is of no consequence. */
static double chance(void) { return rand() / (double)RAND_MAX; }

void ticker_begin(struct ticker *ticker) {
    srand((unsigned)now_ms());
    pthread_mutex_init(&ticker->lock, NULL);
    ticker->number = 1;
    ticker->price = 100;
    ticker->at_ms = now_ms();
}

void ticker_advance(struct ticker *ticker) {
    pthread_mutex_lock(&ticker->lock);
    ticker->number++;
    ticker->price += chance() - 0.5;
    ticker->at_ms = now_ms();
    pthread_mutex_unlock(&ticker->lock);
}

unsigned ticker_wait_ms(void) { return 500 + (unsigned)(chance() * 2500); }

size_t ticker_write(struct ticker *ticker, int with_now, char json[TICKER_JSON]) {
    pthread_mutex_lock(&ticker->lock);
    int len = snprintf(json, TICKER_JSON, "{\"number\":%" PRIu64 ",\"price\":%.2f,\"at\":%" PRIu64, ticker->number,
                       ticker->price, ticker->at_ms);
    pthread_mutex_unlock(&ticker->lock);
    if (with_now) len += snprintf(json + len, TICKER_JSON - (size_t)len, ",\"now\":%" PRIu64, now_ms());
    len += snprintf(json + len, TICKER_JSON - (size_t)len, "}");
    return (size_t)len;
}
