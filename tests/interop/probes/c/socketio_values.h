/* What events bring, and what is allocated until the scenario ends. */

#ifndef SOCKETIO_VALUES_H
#define SOCKETIO_VALUES_H

#include <stddef.h>

#include <sockline.h>

/* The arguments of an event or an answer: JSON in one form, and attachments. Lives until the scenario ends. */
struct values {
    const char *args;
    sockline_bytes *attachments;
    size_t attachment_count;
};

/* Zeroed memory until forget_all. */
void *keep(size_t size);
void forget_all(void);

/* Text as printf makes it, until forget_all. */
const char *text(const char *format, ...);

/* JSON with no white space and no escapes but those that have to be, so that equal values are equal texts. */
const char *one_form(sockline_string json);

struct values keep_values(sockline_string args, const sockline_bytes *attachments, size_t count);

/* So many bytes, the same each time. */
sockline_bytes pattern(size_t len);

#endif
