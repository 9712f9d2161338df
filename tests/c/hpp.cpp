// The C++ face: callbacks, ownership, and exceptions that must not pass through C.

#include <sockline.hpp>
#include <sockline.hpp>

#include "support.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

sockline::Server listen_here(sockline::Loop &loop, sockline::ServerHandlers handlers) {
    sockline::ServerOptions options;
    options.host = "127.0.0.1";
    return sockline::listen(loop, options, std::move(handlers));
}

std::string url_of(sockline::Server server) {
    return "ws://127.0.0.1:" + std::to_string(server.port()) + "/chat";
}

void messages_go_both_ways() {
    sockline::Loop loop;
    std::string heard, reason;
    int closed = 0;
    sockline::ServerHandlers serving;
    serving.on_close = [&](sockline::WebSocket, const sockline::CloseEvent &event) {
        reason = event.reason;
        closed++;
    };
    serving.on_message = [](sockline::WebSocket ws, sockline::Message message) { ws.send(message.type, message.data); };
    sockline::Handlers handlers;
    handlers.on_open = [](sockline::WebSocket ws) { CHECK(ws.send("hello")); };
    handlers.on_message = [&](sockline::WebSocket ws, sockline::Message message) {
        CHECK(message.is_text());
        heard = message.data;
        ws.close(3000, "bye");
    };
    handlers.on_close = [&](sockline::WebSocket, const sockline::CloseEvent &event) {
        CHECK(event.code == 3000 && event.was_clean);
        closed++;
    };
    sockline::Server server = listen_here(loop, std::move(serving));
    sockline::WebSocket ws = sockline::connect(loop, url_of(server), std::move(handlers));
    CHECK(ws.ready_state() == SOCKLINE_CONNECTING && ws.url() == url_of(server));
    until(loop, [&] { return closed == 2; });
    CHECK(heard == "hello" && reason == "bye" && ws.ready_state() == SOCKLINE_CLOSED && ws.url().empty());
}

void failed_calls_throw() {
    try {
        sockline::connect("ftp://x/", {});
        CHECK(false);
    } catch (const sockline::Error &error) {
        CHECK(error.status() == SOCKLINE_ERR_INVALID_URL && std::string(error.what()).size() > 5);
    }
    try {
        sockline::WebSocket().send("x");
        CHECK(false);
    } catch (const sockline::Error &error) {
        CHECK(error.status() == SOCKLINE_ERR_WRONG_HANDLE);
    }
}

void keep_line(std::int32_t, const char *text, void *user_data) {
    *static_cast<std::string *>(user_data) += text;
}

void an_exception_closes_its_connection_and_is_logged() {
    std::string log;
    CHECK(sockline_set_log(SOCKLINE_LOG_ERROR, keep_line, &log) == SOCKLINE_OK);
    {
        sockline::Loop loop;
        int code = 0;
        sockline::ServerHandlers serving;
        serving.on_message = [](sockline::WebSocket, sockline::Message) { throw std::runtime_error("too much"); };
        sockline::Handlers handlers;
        handlers.on_open = [](sockline::WebSocket ws) { ws.send("x"); };
        handlers.on_close = [&](sockline::WebSocket, const sockline::CloseEvent &event) {
            code = event.code;
            throw 7; // not even a std::exception
        };
        sockline::connect(loop, url_of(listen_here(loop, std::move(serving))), std::move(handlers));
        until(loop, [&] { return code != 0; });
        CHECK(code == 1011);
    }
    CHECK(sockline_set_log(SOCKLINE_LOG_OFF, nullptr, nullptr) == SOCKLINE_OK);
    CHECK(log.find("an exception left on_message: too much") != std::string::npos);
    CHECK(log.find("an exception left on_close: not a std::exception") != std::string::npos);
}

void callbacks_are_freed_with_what_they_belong_to() {
    auto counted = std::make_shared<int>(0);
    {
        sockline::Loop loop;
        sockline::ServerHandlers serving;
        serving.on_upgrade = [counted](sockline::WebSocket ws, const sockline::Request &request) {
            CHECK(request.path() == "/chat" && !request.query() && request.header("HOST"));
            CHECK(request.subprotocols().size() == 1);
            sockline::Handlers own;
            own.on_open = [counted](sockline::WebSocket) { ++*counted; };
            ws.accept(std::move(own), "v1", {{"X-Served-By", "sockline"}});
        };
        serving.on_server_closed = [counted](sockline::Server) { *counted += 10; };
        sockline::Handlers handlers;
        handlers.on_open = [counted](sockline::WebSocket ws) {
            CHECK(ws.protocol() == "v1");
            ++*counted;
        };
        sockline::Options options;
        options.subprotocols = {"v1"};
        sockline::connect(loop, url_of(listen_here(loop, std::move(serving))), std::move(handlers), options);
        until(loop, [&] { return *counted == 2; });
        sockline::Loop moved = std::move(loop);
        moved.wait(0);
        CHECK(loop.raw() == nullptr && moved.poll(0) && !moved.spin(0));
    }
    CHECK(*counted == 12 && counted.use_count() == 1);
}

void a_refusal_is_an_error() {
    sockline::Loop loop;
    sockline_status status = SOCKLINE_OK;
    bool closed = false;
    sockline::ServerHandlers serving;
    serving.on_upgrade = [](sockline::WebSocket ws, const sockline::Request &) { ws.refuse(401, "who are you?"); };
    sockline::Handlers handlers;
    handlers.on_error = [&](sockline::WebSocket, const sockline::Error &error) { status = error.status(); };
    handlers.on_close = [&](sockline::WebSocket, const sockline::CloseEvent &) { closed = true; };
    sockline::connect(loop, url_of(listen_here(loop, std::move(serving))), std::move(handlers));
    until(loop, [&] { return closed; });
    CHECK(status == SOCKLINE_ERR_REFUSED);
}

void events_can_be_pulled() {
    sockline::Loop loop;
    int rings = 0;
    std::string heard;
    sockline::Queue server_queue, made([&] {
        rings++;
        throw std::runtime_error("is logged");
    });
    sockline::Queue queue = std::move(made);
    sockline::ServerOptions options;
    options.host = "127.0.0.1";
    sockline::Server server = sockline::listen(loop, options, server_queue);
    sockline::WebSocket ws = sockline::connect(loop, url_of(server), queue);
    until(loop, [&] { return rings == 1; });
    CHECK(queue.pop()->kind == SOCKLINE_EVENT_OPEN && queue.pop() == nullptr);
    ws.send("hello");
    ws.close(3000, "bye");
    const sockline_queued_event *event = nullptr;
    until(loop, [&] {
        while ((event = server_queue.pop()) && event->kind != SOCKLINE_EVENT_CLOSE)
            heard.append(static_cast<const char *>(event->data), event->len);
        return event != nullptr;
    });
    CHECK(heard == "hello" && event->code == 3000 && std::string(event->reason.data) == "bye");
    until(loop, [&] { return rings == 2; });
    event = queue.pop();
    CHECK(event->kind == SOCKLINE_EVENT_CLOSE && sockline::WebSocket(event->ws) == ws && event->was_clean == 1);
}

void a_lost_connection_comes_back() {
    sockline::Loop loop;
    int opened = 0, back = 0;
    bool closed = false;
    std::string path;
    sockline::ServerHandlers serving;
    serving.on_upgrade = [&](sockline::WebSocket ws, const sockline::Request &request) {
        path = request.path();
        ws.accept();
    };
    serving.on_open = [&](sockline::WebSocket ws) {
        if (++opened == 1) ws.terminate();
    };
    sockline::Server server = listen_here(loop, std::move(serving));
    sockline::Handlers handlers;
    handlers.on_reconnecting = [](sockline::WebSocket, const sockline::Reconnecting &lost) {
        CHECK(lost.attempt == 1 && lost.code == 1006);
    };
    handlers.on_attempt = [&](sockline::WebSocket, const sockline::Attempt &attempt) {
        CHECK(attempt.number() == 1);
        attempt.set_url("ws://127.0.0.1:" + std::to_string(server.port()) + "/again");
        attempt.set_header("x-again", "yes");
    };
    handlers.on_reconnected = [&](sockline::WebSocket ws) {
        back++;
        ws.close();
    };
    handlers.on_close = [&](sockline::WebSocket, const sockline::CloseEvent &) { closed = true; };
    sockline::Options options;
    options.reconnect.emplace();
    *options.reconnect = SOCKLINE_RECONNECT_INIT;
    options.reconnect->base_delay_ms = 1;
    sockline::connect(loop, url_of(server), std::move(handlers), options);
    until(loop, [&] { return closed; });
    CHECK(back == 1 && path == "/again");
}

void topics_reach_their_subscribers() {
    sockline::Loop loop;
    std::string heard;
    sockline::ServerHandlers serving;
    serving.on_open = [](sockline::WebSocket ws) { ws.subscribe("news/#"); };
    serving.on_message = [](sockline::WebSocket ws, sockline::Message message) { ws.publish("news/local", message.data); };
    sockline::Server server = listen_here(loop, std::move(serving));
    sockline::Handlers handlers;
    handlers.on_open = [](sockline::WebSocket ws) { ws.send("fire"); };
    handlers.on_message = [&](sockline::WebSocket, sockline::Message message) { heard = message.data; };
    sockline::connect(loop, url_of(server), std::move(handlers));
    until(loop, [&] { return !heard.empty(); });
    CHECK(heard == "fire");
    server.publish("news", "all");
    until(loop, [&] { return heard == "all"; });
}

void a_message_comes_in_parts() {
    sockline::Loop loop;
    std::string heard;
    bool whole = false;
    sockline::ServerHandlers serving;
    serving.on_open = [](sockline::WebSocket ws) {
        CHECK(ws.send_part(SOCKLINE_TEXT, "one ", false));
        CHECK(ws.send_part(SOCKLINE_TEXT, "two", true));
    };
    sockline::Server server = listen_here(loop, std::move(serving));
    sockline::Handlers handlers;
    handlers.on_message_part = [&](sockline::WebSocket, sockline::MessagePart part) {
        CHECK(part.is_first == heard.empty());
        heard += part.data;
        whole = part.is_last;
    };
    sockline::Options options;
    options.settings.message_parts = 1;
    sockline::connect(loop, url_of(server), std::move(handlers), options);
    until(loop, [&] { return whole; });
    CHECK(heard == "one two");
}

void a_message_tells_what_has_become_of_it() {
    sockline::Loop loop;
    int token = 0;
    bool taken = false;
    sockline::Server server = listen_here(loop, {});
    sockline::Handlers handlers;
    handlers.on_open = [&](sockline::WebSocket ws) {
        sockline_send_options options = SOCKLINE_SEND_OPTIONS_INIT;
        options.wants_result = 1;
        options.token = &token;
        CHECK(ws.send_with(SOCKLINE_TEXT, "hello", options));
    };
    handlers.on_sent = [&](sockline::WebSocket, void *given, sockline_send_outcome outcome) {
        taken = given == &token && outcome == SOCKLINE_SENT_TAKEN;
    };
    sockline::connect(loop, url_of(server), std::move(handlers));
    until(loop, [&] { return taken; });
}

/// A client that has sent a request and hears what comes.
class Asking {
public:
    Asking(sockline::Server server, const std::string &request) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(server.port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
        CHECK(send(fd_, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
    }
    ~Asking() { close(fd_); }
    Asking(const Asking &) = delete;
    Asking &operator=(const Asking &) = delete;

    /// Whether the answer, as far as it has come, has this in it.
    bool has(const std::string &text) {
        char buffer[1024];
        ssize_t got = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
        if (got > 0) heard_.append(buffer, static_cast<std::size_t>(got));
        return heard_.find(text) != std::string::npos;
    }

    /// The loop doesn't wake for what comes to this client.
    void hears(sockline::Loop &loop, const std::string &text) {
        while (!has(text)) CHECK(loop.poll(5));
    }

private:
    int fd_;
    std::string heard_;
};

void requests_are_answered_by_routes() {
    auto owed = std::make_shared<sockline::Exchange>();
    std::weak_ptr<sockline::Exchange> kept = owed;
    sockline::Exchange cut;
    {
        sockline::Loop loop;
        sockline::ServerOptions options;
        options.host = "127.0.0.1";
        sockline::Route now, later;
        now.path = "/now";
        now.max_body = 8;
        now.on_request = [](sockline::Exchange exchange, const sockline::HttpRequest &request) {
            if (request.query() == "throw") throw std::runtime_error("an accident");
            CHECK(request.method() == "POST" && request.path() == "/now" && !request.query() && !request.is_secure());
            CHECK(request.header("X-Test") == "yes" && !request.header("X-Tes") && request.headers().size() == 3);
            CHECK(request.remote_address().substr(0, 10) == "127.0.0.1:");
            exchange.respond(201, std::string(request.body()) + " back", {{"X-Also", "this"}});
        };
        later.path = "/later/";
        later.is_prefix = true;
        later.on_request = [owed](sockline::Exchange exchange, const sockline::HttpRequest &) { *owed = exchange; };
        later.on_cut = [&cut](sockline::Exchange exchange) { cut = exchange; };
        options.routes = {now, later};
        sockline::Server server = sockline::listen(loop, options, sockline::ServerHandlers{});
        options.routes.clear(); // the server has its own
        now = later = {};
        {
            Asking asking(server, "POST /now HTTP/1.1\r\nHost: x\r\nX-Test: yes\r\nContent-Length: 5\r\n\r\nhello");
            asking.hears(loop, "hello back");
            CHECK(asking.has("HTTP/1.1 201 ") && asking.has("X-Also: this"));
        }
        Asking failing(server, "GET /now?throw HTTP/1.1\r\nHost: x\r\n\r\n");
        failing.hears(loop, "HTTP/1.1 500 ");
        {
            Asking left(server, "GET /later/x HTTP/1.1\r\nHost: x\r\n\r\n");
            until(loop, [&] { return owed->raw() != 0; });
            owed->pass();
            left.hears(loop, "HTTP/1.1 4"); // nothing else is there
            *owed = sockline::Exchange();
        }
        {
            Asking gone(server, "GET /later/x HTTP/1.1\r\nHost: x\r\n\r\n");
            until(loop, [&] { return owed->raw() != 0; });
        }
        until(loop, [&] { return cut == *owed; });
        try {
            owed->respond(200);
            CHECK(false);
        } catch (const sockline::Error &error) {
            CHECK(error.status() == SOCKLINE_ERR_ALREADY_ANSWERED);
        }
        owed.reset();
        CHECK(!kept.expired());
        sockline::Route none;
        none.path = "/none";
        options.routes = {none};
        try {
            sockline::listen(loop, options, sockline::ServerHandlers{});
            CHECK(false);
        } catch (const sockline::Error &error) {
            CHECK(error.status() == SOCKLINE_ERR_INVALID_ARGUMENT);
        }
    }
    CHECK(kept.expired()); // with the server
}

int connected_to(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(descriptor, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
    return descriptor;
}

void connections_are_made_by_the_application() {
    auto counted = std::make_shared<int>(0);
    {
        sockline::Loop loop;
        std::string failure;
        std::optional<sockline::Dialing> owed;
        bool is_open = false;
        sockline::Server server = listen_here(loop, {});
        sockline::Options options;
        options.dial = [&, counted](const sockline::Dialing &dialing) {
            CHECK(dialing.host() == "no.such.host.invalid" && dialing.is_secure());
            if (dialing.port() == 1) throw std::runtime_error("an accident");
            if (dialing.port() == 2) return dialing.failed("not today");
            owed = dialing;
        };
        auto connect = [&](int port) {
            sockline::Handlers handlers;
            handlers.on_open = [&](sockline::WebSocket) { is_open = true; };
            handlers.on_error = [&](sockline::WebSocket, const sockline::Error &error) { failure = error.what(); };
            return sockline::connect(loop, "wss://no.such.host.invalid:" + std::to_string(port), std::move(handlers), options);
        };
        connect(1);
        until(loop, [&] { return failure.find("an exception left dial") != std::string::npos; });
        connect(2);
        until(loop, [&] { return failure.find("not today") != std::string::npos; });
        connect(3);
        until(loop, [&] { return owed.has_value(); });
        owed->secured(connected_to(server.port()));
        until(loop, [&] { return is_open; });
        try {
            owed->connected(connected_to(server.port()));
            CHECK(false);
        } catch (const sockline::Error &error) {
            CHECK(error.status() == SOCKLINE_ERR_ALREADY_ANSWERED);
        }
        options.lookup = [counted](const std::string &) { return std::vector<std::string>(); };
        try {
            connect(4);
            CHECK(false);
        } catch (const sockline::Error &error) {
            CHECK(error.status() == SOCKLINE_ERR_INVALID_ARGUMENT);
        }
    }
    CHECK(counted.use_count() == 1);
}

void a_connection_may_go_elsewhere_or_over_a_socket_that_is_there() {
    sockline::Loop loop;
    int opened = 0;
    sockline::Server server = listen_here(loop, {});
    auto connect = [&](const std::string &url, const sockline::Options &options) {
        sockline::Handlers handlers;
        handlers.on_open = [&](sockline::WebSocket) { opened++; };
        return sockline::connect(loop, url, std::move(handlers), options);
    };
    sockline::Options elsewhere;
    elsewhere.connect_to_host = "127.0.0.1";
    elsewhere.connect_to_port = server.port();
    connect("ws://no.such.host.invalid:7/", elsewhere);
    until(loop, [&] { return opened == 1; });

    sockline::Options given;
    int descriptor = connected_to(server.port());
    struct stat before, after;
    CHECK(fstat(descriptor, &before) == 0);
    given.socket = descriptor;
    given.connect_to_port = 7;
    try {
        connect("ws://no.such.host.invalid/", given);
        CHECK(false);
    } catch (const sockline::Error &error) {
        CHECK(error.status() == SOCKLINE_ERR_INVALID_ARGUMENT);
    }
    given.connect_to_port = 0;
    sockline::WebSocket ws = connect("ws://no.such.host.invalid/", given); // it is still ours to give
    until(loop, [&] { return opened == 2; });
    ws.terminate();
    until(loop, [&] { return ws.ready_state() == SOCKLINE_CLOSED; });
    CHECK(fstat(descriptor, &after) != 0 || after.st_ino != before.st_ino); // closed; the number may be another's by now
}

void names_are_looked_up_by_the_application() {
    sockline::Loop loop;
    std::string failure;
    bool is_open = false;
    sockline::Server server = listen_here(loop, {});
    sockline::Options options;
    options.lookup = [](const std::string &host) -> std::vector<std::string> {
        if (host == "throws.test") throw std::runtime_error("never heard of it");
        return {host == "wrong.test" ? "nowhere" : "127.0.0.1"};
    };
    auto connect = [&](const std::string &host) {
        sockline::Handlers handlers;
        handlers.on_open = [&](sockline::WebSocket) { is_open = true; };
        handlers.on_error = [&](sockline::WebSocket, const sockline::Error &error) { failure = error.what(); };
        sockline::connect(loop, "ws://" + host + ":" + std::to_string(server.port()), std::move(handlers), options);
    };
    connect("right.test");
    until(loop, [&] { return is_open; });
    connect("throws.test");
    until(loop, [&] { return failure.find("never heard of it") != std::string::npos; });
    connect("wrong.test");
    until(loop, [&] { return failure.find("\"nowhere\" is not an IP address") != std::string::npos; });
}

void requests_of_another_server_are_answered() {
    auto counted = std::make_shared<int>(0);
    {
        sockline::Loop loop;
        std::string heard, status;
        sockline::ServerHandlers serving;
        serving.on_message = [&](sockline::WebSocket, sockline::Message message) { heard = message.data; };
        sockline::ServerOptions options;
        options.nowhere = true;
        options.path = "/ws";
        sockline::Server server = sockline::listen(loop, options, std::move(serving));
        auto note = [&, counted](sockline::Exchange, const sockline::HttpAnswer *answer) {
            status += answer ? std::to_string(answer->status()) + "/" + std::to_string(answer->headers().size()) + " " : "none ";
        };
        sockline::GivenRequest request;
        request.method = "GET";
        request.target = "/elsewhere?a=1";
        sockline::handle_request(server, request, note);
        until(loop, [&] { return status == "404/1 "; });

        request.target = "/ws";
        request.headers = {{"Host", "x"}, {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Version", "13"},
                           {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
        sockline::Exchange exchange = sockline::handle_request(server, request, note);
        until(loop, [&] { return status == "404/1 101/3 "; });
        int ends[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        const std::string hello("\x81\x85\0\0\0\0hello", 11);
        sockline::upgraded(exchange, ends[1], hello);
        until(loop, [&] { return heard == "hello"; });
        close(ends[0]);
        CHECK(!sockline::cut(exchange));

        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        sockline::adopt(server, ends[1], request, std::string(hello).replace(6, 5, "again"));
        until(loop, [&] { return heard == "again"; });
        close(ends[0]);
        CHECK(sockline::cut(sockline::handle_request(server, request, note)));
        until(loop, [&] { return status == "404/1 101/3 none "; });
        try {
            sockline::handle_request(sockline::Server(), request, note);
            CHECK(false);
        } catch (const sockline::Error &error) {
            CHECK(error.status() == SOCKLINE_ERR_WRONG_HANDLE);
        }
    }
    CHECK(counted.use_count() == 1);
}

} // namespace

int main() {
    RUN(messages_go_both_ways);
    RUN(failed_calls_throw);
    RUN(an_exception_closes_its_connection_and_is_logged);
    RUN(callbacks_are_freed_with_what_they_belong_to);
    RUN(a_refusal_is_an_error);
    RUN(events_can_be_pulled);
    RUN(a_lost_connection_comes_back);
    RUN(topics_reach_their_subscribers);
    RUN(a_message_comes_in_parts);
    RUN(a_message_tells_what_has_become_of_it);
    RUN(requests_are_answered_by_routes);
    RUN(requests_of_another_server_are_answered);
    RUN(connections_are_made_by_the_application);
    RUN(a_connection_may_go_elsewhere_or_over_a_socket_that_is_there);
    RUN(names_are_looked_up_by_the_application);
}
