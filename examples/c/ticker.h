/* News of a price, now and then: what the page "three ways" shows. */

#ifndef TICKER_H
#define TICKER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum { TICKER_JSON = 160 }; /* room enough for what is written below */

struct ticker {
    pthread_mutex_t lock;
    uint64_t number; /* of the latest news */
    double price;
    uint64_t at_ms; /* when it was made, since 1970 */
};

void ticker_begin(struct ticker *ticker);

/* Makes news. */
void ticker_advance(struct ticker *ticker);

/* How long until the next news, in milliseconds: 500 to 3000. */
unsigned ticker_wait_ms(void);

/* {"number","price","at"}, and with_now {"number","price","at","now"}; returns the length. */
size_t ticker_write(struct ticker *ticker, int with_now, char json[TICKER_JSON]);

#endif
