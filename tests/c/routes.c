/* HTTP requests that the application answers itself or leaves to the server, at once and later, from another thread, and those that
 * are cut. */

#define _DEFAULT_SOURCE /* mkdtemp */

#include "support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

struct site {
    sockline_loop *loop;
    sockline_server server;
    sockline_exchange owed, cut;
    char seen[256]; /* method, path, query, the header X-Test, body */
    int requests;
    char folder[32]; /* with the file page.html, in which is "a file" */
};

static void see(struct site *site, const sockline_http_request *request) {
    sockline_string header = {NULL, 0};
    for (size_t i = 0; i < request->header_count; i++)
        if (request->headers[i].name.len == 6 && memcmp(request->headers[i].name.data, "x-test", 6) == 0)
            header = request->headers[i].value;
    snprintf(site->seen, sizeof site->seen, "%.*s %.*s?%.*s %.*s %.*s", (int)request->method.len, request->method.data,
             (int)request->path.len, request->path.data, (int)request->query.len, request->query.data, (int)header.len,
             header.data, (int)request->body.len, (const char *)request->body.data);
    site->requests++;
}

static void answer(sockline_exchange exchange, const sockline_http_request *request, void *user_data) {
    see(user_data, request);
    sockline_header type = {sockline_str("Content-Type"), sockline_str("text/plain")};
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_respond(exchange, 99, NULL, 0, NULL, 0));
    CHECK_STATUS(SOCKLINE_OK, sockline_respond(exchange, 201, &type, 1, "made", 4));
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_respond(exchange, 200, NULL, 0, NULL, 0));
}

static void owe(sockline_exchange exchange, const sockline_http_request *request, void *user_data) {
    struct site *site = user_data;
    see(site, request);
    site->owed = exchange;
}

static void leave(sockline_exchange exchange, const sockline_http_request *request, void *user_data) {
    see(user_data, request);
    CHECK_STATUS(SOCKLINE_OK, sockline_pass(exchange));
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_pass(exchange));
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_respond(exchange, 200, NULL, 0, NULL, 0));
}

static void cut(sockline_exchange exchange, void *user_data) { ((struct site *)user_data)->cut = exchange; }

static void in_folder(const struct site *site, const char *name, char *path) {
    snprintf(path, 64, "%s/%s", site->folder, name);
}

static void make_folder(struct site *site) {
    char path[64];
    strcpy(site->folder, "/tmp/sockline-routes-XXXXXX");
    CHECK(mkdtemp(site->folder));
    in_folder(site, "page.html", path);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs("a file", file) >= 0 && fclose(file) == 0);
}

static void close_site(struct site *site) {
    char path[64];
    sockline_loop_free(site->loop);
    in_folder(site, "page.html", path);
    CHECK(unlink(path) == 0 && rmdir(site->folder) == 0);
}

static void open_site(struct site *site) {
    memset(site, 0, sizeof *site);
    site->loop = new_loop();
    make_folder(site);
    sockline_route routes[3] = {SOCKLINE_ROUTE_INIT, SOCKLINE_ROUTE_INIT, SOCKLINE_ROUTE_INIT};
    routes[0].path = sockline_str("/now");
    routes[0].on_request = answer;
    routes[0].max_body = 8;
    routes[1].path = sockline_str("/later/");
    routes[1].is_prefix = 1;
    routes[1].on_request = owe;
    routes[1].on_cut = cut;
    routes[2].path = sockline_str("/p");
    routes[2].is_prefix = 1;
    routes[2].on_request = leave;
    routes[0].user_data = routes[1].user_data = routes[2].user_data = site;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.host = sockline_str("127.0.0.1");
    options.routes = routes;
    options.route_count = 3;
    options.static_folder = sockline_str(site->folder);
    CHECK_STATUS(SOCKLINE_OK, sockline_listen(site->loop, &options, NULL, NULL, &site->server));
}

static int ask(const struct site *site, const char *request) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(sockline_server_port(site->server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(send(fd, request, strlen(request), 0) == (ssize_t)strlen(request));
    return fd;
}

/* Whether the answer, as far as it has come, begins and ends so. */
static int answered(int fd, char *text, size_t *len, const char *begin, const char *end) {
    ssize_t got = recv(fd, text + *len, 1023 - *len, MSG_DONTWAIT);
    if (got > 0) *len += (size_t)got;
    text[*len] = 0;
    size_t tail = strlen(end);
    return *len >= tail && strncmp(text, begin, strlen(begin)) == 0 && strcmp(text + *len - tail, end) == 0;
}

#define EXPECT(site, fd, begin, end)                                                    \
    do {                                                                                \
        char text[1024];                                                                \
        size_t len = 0;                                                                 \
        UNTIL((site)->loop, answered(fd, text, &len, begin, end));                      \
        close(fd);                                                                      \
    } while (0)

static void a_request_is_answered_at_once(void) {
    struct site site;
    open_site(&site);
    int fd = ask(&site, "POST /now?a=1 HTTP/1.1\r\nHost: x\r\nX-Test: yes\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT(&site, fd, "HTTP/1.1 201 ", "\r\n\r\nmade");
    CHECK(strcmp(site.seen, "POST /now?a=1 yes hello") == 0);
    fd = ask(&site, "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
    EXPECT(&site, fd, "HTTP/1.1 413 ", "\r\n\r\n");
    fd = ask(&site, "GET /now/more HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(&site, fd, "HTTP/1.1 4", "");
    CHECK(site.requests == 1);
    close_site(&site);
}

static void *answer_from_another_thread(void *owed) {
    CHECK_STATUS(SOCKLINE_OK, sockline_respond(*(sockline_exchange *)owed, 200, NULL, 0, "late", 4));
    return NULL;
}

static void a_request_is_answered_later_from_another_thread(void) {
    struct site site;
    open_site(&site);
    int fd = ask(&site, "GET /later/x HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(site.loop, site.owed != 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, answer_from_another_thread, &site.owed) == 0);
    EXPECT(&site, fd, "HTTP/1.1 200 ", "\r\n\r\nlate");
    pthread_join(thread, NULL);
    CHECK(site.cut == 0);
    close_site(&site);
}

static void a_client_that_goes_cuts_its_request(void) {
    struct site site;
    open_site(&site);
    int fd = ask(&site, "GET /later/x HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(site.loop, site.owed != 0);
    close(fd);
    UNTIL(site.loop, site.cut == site.owed);
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_respond(site.owed, 200, NULL, 0, NULL, 0));
    close_site(&site);
}

static void a_request_is_left_to_the_server(void) {
    struct site site;
    open_site(&site);
    int fd = ask(&site, "GET /page.html HTTP/1.1\r\nHost: x\r\n\r\nGET /pages HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    char text[1024];
    size_t len = 0;
    UNTIL(site.loop, answered(fd, text, &len, "HTTP/1.1 200 ", "") && strstr(text, "HTTP/1.1 404 "));
    CHECK(strstr(text, "\r\n\r\na file") && site.requests == 2);
    close(fd);
    close_site(&site);
}

static void *leave_on_another_thread(void *owed) {
    CHECK_STATUS(SOCKLINE_OK, sockline_pass(*(sockline_exchange *)owed));
    return NULL;
}

static void a_request_is_left_later_on_another_thread(void) {
    struct site site;
    open_site(&site);
    int fd = ask(&site, "GET /later/x HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(site.loop, site.owed != 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, leave_on_another_thread, &site.owed) == 0);
    EXPECT(&site, fd, "HTTP/1.1 404 ", "");
    pthread_join(thread, NULL);
    CHECK(site.cut == 0);
    CHECK_STATUS(SOCKLINE_ERR_ALREADY_ANSWERED, sockline_pass(site.owed));
    close_site(&site);
}

static void a_route_that_can_t_be_is_refused(void) {
    sockline_loop *loop = new_loop();
    sockline_route route = SOCKLINE_ROUTE_INIT;
    sockline_server_options options = SOCKLINE_SERVER_OPTIONS_INIT;
    options.route_count = 1;
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_listen(loop, &options, NULL, NULL, NULL));
    options.routes = &route;
    route.path = sockline_str("/x");
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_listen(loop, &options, NULL, NULL, NULL));
    route.on_request = owe;
    route.path = sockline_str("x");
    CHECK_STATUS(SOCKLINE_ERR_INVALID_ARGUMENT, sockline_listen(loop, &options, NULL, NULL, NULL));
    sockline_loop_free(loop);
}

int main(void) {
    RUN(a_request_is_answered_at_once);
    RUN(a_request_is_answered_later_from_another_thread);
    RUN(a_client_that_goes_cuts_its_request);
    RUN(a_request_is_left_to_the_server);
    RUN(a_request_is_left_later_on_another_thread);
    RUN(a_route_that_can_t_be_is_refused);
    return 0;
}
