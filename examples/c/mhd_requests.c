#define _POSIX_C_SOURCE 200809L

#include "mhd_requests.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_BODY = 1 << 20, MAX_HEADERS = 100 };

struct given_request {
    struct MHD_Connection *connection;
    sockline_exchange exchange;
    int is_begun, is_given;
    char *target;
    char *body;
    size_t body_len;
    struct MHD_Response *response; /* NULL until it was answered, or without memory for it */
    unsigned status;
};

void *begin_request(void *unused, const char *target, struct MHD_Connection *connection) {
    struct given_request *request = calloc(1, sizeof *request);
    (void)unused;
    if (request) {
        request->connection = connection;
        request->target = strdup(target);
    }
    return request;
}

void end_request(void *unused, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode code) {
    struct given_request *ended = *request;
    (void)unused, (void)connection, (void)code;
    if (!ended) return;
    if (ended->is_given) sockline_cut(ended->exchange); /* unless it was answered, which is no harm */
    if (ended->response) MHD_destroy_response(ended->response);
    free(ended->target);
    free(ended->body);
    free(ended);
    *request = NULL;
}

/* ── the answer ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* The client has its 101. libmicrohttpd closes its descriptor itself, so sockline gets another one. */
static void hand_over(void *unused, struct MHD_Connection *connection, void *given, const char *extra, size_t extra_size,
                      MHD_socket socket, struct MHD_UpgradeResponseHandle *handle) {
    struct given_request *request = given;
    (void)unused, (void)connection;
    int own = dup(socket);
    if (own < 0)
        perror("dup");
    else if (sockline_upgraded(request->exchange, own, extra, extra_size) < 0)
        fprintf(stderr, "a WebSocket was not handed over: %s\n", sockline_last_error_text());
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

static void add_headers(struct MHD_Response *response, const sockline_http_answer *answer) {
    for (size_t i = 0; i < answer->header_count; i++) {
        const sockline_header *header = &answer->headers[i];
        char *name = strndup(header->name.data, header->name.len), *value = strndup(header->value.data, header->value.len);
        if (name && value && strcmp(name, "Connection") != 0) MHD_add_response_header(response, name, value);
        free(name);
        free(value);
    }
}

static struct MHD_Response *response_of(const sockline_http_answer *answer) {
    if (!answer) return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *response = answer->status == MHD_HTTP_SWITCHING_PROTOCOLS
        ? MHD_create_response_for_upgrade(hand_over, NULL)
        : MHD_create_response_from_buffer(answer->body.len, (void *)(uintptr_t)answer->body.data, MHD_RESPMEM_MUST_COPY);
    if (response) add_headers(response, answer);
    return response;
}

/* On sockline's thread, while the connection sleeps. It only wakes it: libmicrohttpd's own thread may still be about to let it sleep. */
static void answered(sockline_exchange exchange, const sockline_http_answer *answer, void *user_data) {
    struct given_request *request = user_data;
    (void)exchange;
    request->response = response_of(answer);
    request->status = answer ? (unsigned)answer->status : MHD_HTTP_SERVICE_UNAVAILABLE;
    MHD_resume_connection(request->connection);
}

/* ── the request ────────────────────────────────────────────────────────────────────────────────────────────── */

struct headers {
    sockline_header list[MAX_HEADERS];
    size_t count;
};

static enum MHD_Result add_header(void *list, enum MHD_ValueKind kind, const char *name, const char *value) {
    struct headers *headers = list;
    (void)kind;
    if (headers->count == MAX_HEADERS) return MHD_NO;
    sockline_header *header = &headers->list[headers->count++];
    header->name = sockline_str(name);
    header->value = sockline_str(value ? value : "");
    return MHD_YES;
}

static const char *address_of(struct MHD_Connection *connection, char *text, socklen_t size) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    if (address && address->sa_family == AF_INET)
        return inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text, size);
    if (address && address->sa_family == AF_INET6)
        return inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, text, size);
    return NULL;
}

static void give(sockline_server server, const char *method, struct given_request *request) {
    char address[INET6_ADDRSTRLEN];
    struct headers headers = {.count = 0};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, add_header, &headers);
    sockline_http_request given = SOCKLINE_HTTP_REQUEST_INIT;
    given.method = sockline_str(method);
    given.path = sockline_str(request->target); /* with the query */
    given.remote_address = sockline_str(address_of(request->connection, address, sizeof address));
    given.headers = headers.list;
    given.header_count = headers.count;
    given.body.data = request->body;
    given.body.len = request->body_len;
    request->is_given = 1;
    MHD_suspend_connection(request->connection); /* first, for the answer may come at once, on another thread */
    if (sockline_server_handle_request(server, &given, answered, request, &request->exchange) >= 0) return;
    fprintf(stderr, "a request was not served: %s\n", sockline_last_error_text());
    answered(0, NULL, request);
}

static enum MHD_Result keep(struct given_request *request, const char *upload, size_t *upload_size) {
    if (*upload_size > MAX_BODY - request->body_len) return MHD_NO; /* the connection closes */
    char *body = realloc(request->body, request->body_len + *upload_size);
    if (!body) return MHD_NO;
    memcpy(body + request->body_len, upload, *upload_size);
    request->body = body;
    request->body_len += *upload_size;
    *upload_size = 0;
    return MHD_YES;
}

enum MHD_Result give_request(sockline_server server, struct MHD_Connection *connection, const char *method, const char *upload,
                             size_t *upload_size, struct given_request *request) {
    if (!request || !request->target) return MHD_NO;
    if (!request->is_begun) {
        request->is_begun = 1; /* the head is there; the body comes with further calls */
        return MHD_YES;
    }
    if (*upload_size > 0) return keep(request, upload, upload_size);
    if (request->is_given) /* and it was answered, for it is awake again */
        return request->response ? MHD_queue_response(connection, request->status, request->response) : MHD_NO;
    give(server, method, request);
    return MHD_YES;
}
