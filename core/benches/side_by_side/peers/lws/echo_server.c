/* Echo on libwebsockets: what a message brings is collected, then sent from the writable callback, as the
 * library demands. One message leaves in each writable callback, since only one lws_write is allowed there.
 * echo_server PORT [deflate] */
#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message {
    struct message *next;
    size_t length, capacity;
    int binary;
    unsigned char *bytes; /* behind LWS_PRE bytes for the header */
};

struct session {
    struct message *incoming;           /* until its last fragment is there */
    struct message *first, **last_link; /* complete, to be sent */
};

static struct message *message_new(struct lws *wsi, size_t capacity)
{
    struct message *message = malloc(sizeof *message + LWS_PRE + capacity);
    if (message == NULL)
        return NULL;
    message->next = NULL;
    message->length = 0;
    message->capacity = capacity;
    message->binary = lws_frame_is_binary(wsi);
    message->bytes = (unsigned char *)(message + 1) + LWS_PRE;
    return message;
}

static struct message *message_append(struct lws *wsi, struct message *message, const void *bytes, size_t length)
{
    size_t rest = length + lws_remaining_packet_payload(wsi);
    if (message == NULL)
        message = message_new(wsi, rest);
    if (message != NULL && message->length + rest > message->capacity) {
        struct message *bigger = message_new(wsi, message->length + rest);
        if (bigger != NULL) {
            bigger->binary = message->binary;
            bigger->length = message->length;
            memcpy(bigger->bytes, message->bytes, message->length);
        }
        free(message);
        message = bigger;
    }
    if (message != NULL) {
        memcpy(message->bytes + message->length, bytes, length);
        message->length += length;
    }
    return message;
}

static int on_receive(struct lws *wsi, struct session *session, const void *bytes, size_t length)
{
    session->incoming = message_append(wsi, session->incoming, bytes, length);
    if (session->incoming == NULL)
        return -1;
    if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0) {
        *session->last_link = session->incoming;
        session->last_link = &session->incoming->next;
        session->incoming = NULL;
        lws_callback_on_writable(wsi);
    }
    return 0;
}

static int on_writable(struct lws *wsi, struct session *session)
{
    struct message *message = session->first;
    if (message == NULL)
        return 0;
    int sent = lws_write(wsi, message->bytes, message->length, message->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
    session->first = message->next;
    if (session->first == NULL)
        session->last_link = &session->first;
    else
        lws_callback_on_writable(wsi);
    free(message);
    return sent < 0 ? -1 : 0;
}

static void on_closed(struct session *session)
{
    while (session->first != NULL) {
        struct message *next = session->first->next;
        free(session->first);
        session->first = next;
    }
    free(session->incoming);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length)
{
    struct session *session = user;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        session->incoming = session->first = NULL;
        session->last_link = &session->first;
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return on_receive(wsi, session, in, length);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return on_writable(wsi, session);
    case LWS_CALLBACK_CLOSED:
        on_closed(session);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "echo", .callback = on_event, .per_session_data_size = sizeof(struct session), .rx_buffer_size = 65536},
    {.name = NULL},
};

static const struct lws_extension extensions[] = {
    {"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate"},
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    struct lws_context_creation_info info = {0};
    info.port = argc > 1 ? atoi(argv[1]) : 0;
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.pt_serv_buf_size = 65536;
    if (argc > 2)
        info.extensions = extensions;
    if (info.port <= 0) {
        fprintf(stderr, "usage: echo_server PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = lws_create_context(&info);
    if (context == NULL)
        return 1;
    printf("listening on 127.0.0.1:%d\n", info.port);
    fflush(stdout);
    while (lws_service(context, 0) >= 0)
        ;
    lws_context_destroy(context);
    return 0;
}
