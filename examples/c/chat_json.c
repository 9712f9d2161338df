#include "chat_json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* JSON as RFC 8259 has it. The input is valid UTF-8 already: the library has checked it. */

enum { DEEPEST = 64 };

struct reader {
    const char *at, *end;
};

static bool skip_value(struct reader *reader, int depth);

static char peek(const struct reader *reader) {
    return reader->at < reader->end ? *reader->at : '\0';
}

static void skip_blanks(struct reader *reader) {
    while (reader->at < reader->end && memchr(" \t\r\n", *reader->at, 4)) reader->at++;
}

static bool take(struct reader *reader, char wanted) {
    skip_blanks(reader);
    if (peek(reader) != wanted) return false;
    reader->at++;
    return true;
}

static bool read_hex(struct reader *reader, uint32_t *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        char c = peek(reader);
        if (c >= 'A' && c <= 'F') c = (char)(c - 'A' + 'a');
        const char *digit = c ? strchr(digits, c) : NULL;
        if (digit == NULL) return false;
        *unit = *unit * 16 + (uint32_t)(digit - digits);
        reader->at++;
    }
    return true;
}

static size_t put_utf8(char *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t count = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = count - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00 >> count & 0xff) | c);
    return count;
}

/* Behind "\u". Half a surrogate pair stands for no character: U+FFFD takes its place. */
static bool read_escaped_unit(struct reader *reader, char *out, size_t *len) {
    uint32_t c, low;
    if (!read_hex(reader, &c)) return false;
    if (c >= 0xd800 && c <= 0xdbff && reader->end - reader->at >= 6 && memcmp(reader->at, "\\u", 2) == 0) {
        struct reader ahead = {reader->at + 2, reader->end};
        if (!read_hex(&ahead, &low)) return false;
        if (low >= 0xdc00 && low <= 0xdfff) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            *reader = ahead;
        }
    }
    if (c >= 0xd800 && c <= 0xdfff) c = 0xfffd;
    *len += put_utf8(out + *len, c);
    return true;
}

static bool read_escape(struct reader *reader, char *out, size_t *len) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = peek(reader);
    reader->at++;
    if (c == 'u') return read_escaped_unit(reader, out, len);
    const char *name = c ? strchr(names, c) : NULL;
    if (name == NULL) return false;
    out[(*len)++] = values[name - names];
    return true;
}

/* A string becomes no longer by being read, so as much memory as is left of the input is enough. */
static bool read_string(struct reader *reader, char **out, size_t *len) {
    if (!take(reader, '"')) return false;
    char *string = malloc((size_t)(reader->end - reader->at) + 1);
    if (string == NULL) return false;
    size_t count = 0;
    while (reader->at < reader->end) {
        unsigned char c = (unsigned char)*reader->at++;
        if (c == '"') {
            *out = string;
            *len = count;
            return true;
        }
        if (c < 0x20 || (c == '\\' && (reader->at == reader->end || !read_escape(reader, string, &count)))) break;
        if (c != '\\') string[count++] = (char)c;
    }
    free(string);
    return false;
}

static bool skip_string(struct reader *reader) {
    char *string = NULL;
    size_t len;
    bool found = read_string(reader, &string, &len);
    free(string);
    return found;
}

static bool skip_digits(struct reader *reader) {
    const char *start = reader->at;
    while (peek(reader) >= '0' && peek(reader) <= '9') reader->at++;
    return reader->at > start;
}

static bool skip_number(struct reader *reader) {
    if (peek(reader) == '-') reader->at++;
    if (peek(reader) == '0')
        reader->at++;
    else if (!skip_digits(reader))
        return false;
    if (peek(reader) == '.') {
        reader->at++;
        if (!skip_digits(reader)) return false;
    }
    if (peek(reader) == 'e' || peek(reader) == 'E') {
        reader->at++;
        if (peek(reader) == '+' || peek(reader) == '-') reader->at++;
        if (!skip_digits(reader)) return false;
    }
    return true;
}

static bool skip_word(struct reader *reader, const char *word) {
    size_t len = strlen(word);
    if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len) != 0) return false;
    reader->at += len;
    return true;
}

static bool skip_members(struct reader *reader, char closing, int depth) {
    if (take(reader, closing)) return true;
    do {
        if (closing == '}' && !(skip_string(reader) && take(reader, ':'))) return false;
        if (!skip_value(reader, depth + 1)) return false;
    } while (take(reader, ','));
    return take(reader, closing);
}

static bool skip_value(struct reader *reader, int depth) {
    if (depth > DEEPEST) return false;
    skip_blanks(reader);
    switch (peek(reader)) {
    case '"': return skip_string(reader);
    case '{': reader->at++; return skip_members(reader, '}', depth);
    case '[': reader->at++; return skip_members(reader, ']', depth);
    case 't': return skip_word(reader, "true");
    case 'f': return skip_word(reader, "false");
    case 'n': return skip_word(reader, "null");
    default: return skip_number(reader);
    }
}

static bool is(const char *key, size_t len, const char *name) {
    return len == strlen(name) && memcmp(key, name, len) == 0;
}

/* The last member of a name counts, as in JavaScript. */
static bool read_member(struct reader *reader, struct chat_message *message) {
    char *key = NULL;
    size_t len;
    if (!read_string(reader, &key, &len)) return false;
    bool is_name = is(key, len, "name"), is_text = is(key, len, "text");
    free(key);
    if (!take(reader, ':')) return false;
    if (!is_name && !is_text) return skip_value(reader, 1);
    char **value = is_name ? &message->name : &message->text;
    free(*value);
    *value = NULL;
    return read_string(reader, value, is_name ? &message->name_len : &message->text_len);
}

static bool is_at_end(struct reader *reader) {
    skip_blanks(reader);
    return reader->at == reader->end;
}

/* An object with strings called name and text, or not all of them. */
static bool read_object(const char *json, size_t len, struct chat_message *message) {
    struct reader reader = {json, json + len};
    *message = (struct chat_message){0};
    bool good = take(&reader, '{') && peek(&reader) != '\0';
    if (good && !take(&reader, '}')) {
        do good = read_member(&reader, message);
        while (good && take(&reader, ','));
        good = good && take(&reader, '}');
    }
    return good && is_at_end(&reader);
}

bool chat_read(const char *json, size_t len, struct chat_message *message) {
    if (read_object(json, len, message) && message->name && message->text) return true;
    chat_free(message);
    return false;
}

/* Something else in its place is no name. */
static bool read_name(struct reader *reader, struct chat_message *message) {
    skip_blanks(reader);
    if (peek(reader) != '"') return skip_value(reader, 1);
    return read_string(reader, &message->name, &message->name_len);
}

bool chat_read_event(const char *args, size_t len, struct chat_message *message) {
    struct reader reader = {args, args + len};
    *message = (struct chat_message){0};
    bool good = read_string(&reader, &message->text, &message->text_len);
    if (good && take(&reader, ',')) good = read_name(&reader, message);
    while (good && take(&reader, ',')) good = skip_value(&reader, 1);
    if (good && is_at_end(&reader)) return true;
    chat_free(message);
    return false;
}

char *chat_read_name(const char *json, size_t len, size_t *name_len) {
    struct chat_message message;
    bool good = read_object(json, len, &message);
    char *name = good ? message.name : NULL;
    *name_len = message.name_len;
    if (good) message.name = NULL;
    chat_free(&message);
    return name;
}

void chat_free(struct chat_message *message) {
    free(message->name);
    free(message->text);
    *message = (struct chat_message){0};
}

static char *put_string(char *out, const char *string, size_t len) {
    *out++ = '"';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)string[i];
        if (c < 0x20) {
            out += sprintf(out, "\\u%04x", c);
            continue;
        }
        if (c == '"' || c == '\\') *out++ = '\\';
        *out++ = (char)c;
    }
    *out++ = '"';
    return out;
}

char *chat_write(const char *name, size_t name_len, const char *text, size_t text_len, size_t *len) {
    enum { AROUND = sizeof("{\"name\":\"\",\"text\":\"\"}"), LONGEST_ESCAPE = 6 };
    char *json = malloc(AROUND + LONGEST_ESCAPE * (name_len + text_len));
    if (json == NULL) return NULL;
    char *out = json + sprintf(json, "{\"name\":");
    out = put_string(out, name, name_len);
    out += sprintf(out, ",\"text\":");
    out = put_string(out, text, text_len);
    *out++ = '}';
    *len = (size_t)(out - json);
    return json;
}

char *chat_write_event(const struct chat_message *message, const char *suffix, size_t *len) {
    enum { AROUND = sizeof("\"\",\"\""), LONGEST_ESCAPE = 6 };
    size_t text_len = message->text_len + strlen(suffix);
    char *text = malloc(text_len + 1), *args = malloc(AROUND + LONGEST_ESCAPE * (text_len + message->name_len));
    if (text != NULL && args != NULL) {
        memcpy(text, message->text, message->text_len);
        memcpy(text + message->text_len, suffix, strlen(suffix));
        char *out = put_string(args, text, text_len);
        *out++ = ',';
        out = put_string(out, message->name, message->name_len);
        *len = (size_t)(out - args);
        free(text);
        return args;
    }
    free(text);
    free(args);
    return NULL;
}
