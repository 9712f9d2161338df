/* Values of Socket.IO's events, and memory that lives as long as a scenario. */

#include "socketio_values.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Before each piece of memory that is kept. */
union kept {
    union kept *next;
    max_align_t aligned;
};

static union kept *all_kept;

void *keep(size_t size) {
    union kept *kept = calloc(1, sizeof *kept + size);
    if (kept == NULL) abort();
    kept->next = all_kept;
    all_kept = kept;
    return kept + 1;
}

void forget_all(void) {
    while (all_kept != NULL) {
        union kept *next = all_kept->next;
        free(all_kept);
        all_kept = next;
    }
}

const char *text(const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t len = (size_t)vsnprintf(NULL, 0, format, arguments);
    char *out = keep(len + 1);
    vsnprintf(out, len + 1, format, again);
    va_end(again);
    va_end(arguments);
    return out;
}

/* ── JSON ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint32_t hexadecimal(const char *digits) {
    char four[5] = {0};
    memcpy(four, digits, 4);
    return (uint32_t)strtoul(four, NULL, 16);
}

static char *put_utf8(char *out, uint32_t point) {
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xC0 | point >> 6);
        *out++ = (char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *out++ = (char)(0xE0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (point & 0x3F));
    } else {
        *out++ = (char)(0xF0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 0x3F));
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (point & 0x3F));
    }
    return out;
}

/* Reads an escape, of which *in is behind the backslash. Control characters, quotes and backslashes stay escaped. */
static char *put_escape(char *out, const char **in) {
    static const char names[] = "bfnrt", meant[] = "\b\f\n\r\t";
    uint32_t point = (unsigned char)*(*in)++;
    const char *known = strchr(names, (int)point);
    if (known) point = (unsigned char)meant[known - names];
    if (point == 'u') {
        point = hexadecimal(*in);
        *in += 4;
        if (point >= 0xD800 && point < 0xDC00) { /* the first half of a pair */
            point = 0x10000 + ((point - 0xD800) << 10) + (hexadecimal(*in + 2) - 0xDC00);
            *in += 6;
        }
    }
    if (point == '"' || point == '\\') *out++ = '\\';
    if (point < 0x20) return out + sprintf(out, "\\u%04x", (unsigned)point);
    return put_utf8(out, point);
}

const char *one_form(sockline_string json) {
    char *made = keep(3 * json.len + 1), *out = made; /* "\n" becomes six bytes */
    int in_string = 0;
    for (const char *in = json.data, *end = in + json.len; in < end;) {
        char next = *in++;
        if (in_string && next == '\\') {
            out = put_escape(out, &in);
            continue;
        }
        if (next == '"') in_string = !in_string;
        if (in_string || !strchr(" \t\r\n", next)) *out++ = next;
    }
    *out = '\0';
    return made;
}

/* ── attachments ────────────────────────────────────────────────────────────────────────────────────────────── */

struct values keep_values(sockline_string args, const sockline_bytes *attachments, size_t count) {
    struct values values = {one_form(args), keep(count * sizeof *attachments), count};
    for (size_t i = 0; i < count; i++) {
        void *copy = keep(attachments[i].len);
        if (attachments[i].len > 0) memcpy(copy, attachments[i].data, attachments[i].len);
        values.attachments[i] = (sockline_bytes){copy, attachments[i].len};
    }
    return values;
}

sockline_bytes pattern(size_t len) {
    unsigned char *data = keep(len);
    for (size_t i = 0; i < len; i++) data[i] = (unsigned char)(i * 7);
    return (sockline_bytes){data, len};
}
