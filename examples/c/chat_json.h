/* A chat message on the wire: the JSON text {"name":"…","text":"…"} over a plain WebSocket; the arguments of an event over
 * Socket.IO: "the text","the name". */

#ifndef CHAT_JSON_H
#define CHAT_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* UTF-8, owned; may hold any character, so use the lengths. */
struct chat_message {
    char *name, *text;
    size_t name_len, text_len;
};

/* Reads a message; false if it is not JSON, or no object with both strings. Members that it doesn't know are passed
 * over. Free what it found with chat_free. */
bool chat_read(const char *json, size_t len, struct chat_message *message);

void chat_free(struct chat_message *message);

/* Writes a message; NULL if there is no memory. Free it. */
char *chat_write(const char *name, size_t name_len, const char *text, size_t text_len, size_t *len);

/* Reads the arguments of the event "chat message": a text and, perhaps, a name, which is empty if there is none or it is no
 * string; what follows is passed over. False if there is no text. Free what it found with chat_free. */
bool chat_read_event(const char *args, size_t len, struct chat_message *message);

/* Reads the member "name" of a JSON object; NULL if it has none. Free it. */
char *chat_read_name(const char *json, size_t len, size_t *name_len);

/* Writes those arguments, with a suffix behind the text; NULL if there is no memory. Free it. */
char *chat_write_event(const struct chat_message *message, const char *suffix, size_t *len);

#endif
