// The C++ face of clusters over Redis: two servers and an emitter, over a redis-server of the test's own.

#include "support.hpp"

#include "redis.h"

#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace io = sockline::io;

// What the applications and clients of both servers have heard.
struct Heard {
    std::vector<std::string> events;

    bool has(const std::string &event) const {
        for (const std::string &one : events)
            if (one == event) return true;
        return false;
    }
};

// A server of the cluster on a port of its own, with a client that is in the room of the node's name.
struct Node {
    Node(sockline::Loop &loop, const std::string &name, Heard &heard, const io::ServerOptions &options)
        : server(loop, handlers(name, heard), options) {
        sockline::ServerOptions listening;
        listening.host = "127.0.0.1";
        listening.io = {&server};
        listener = sockline::listen(loop, listening, {});
        io::ClientHandlers hearing;
        hearing.on_event = [&heard, name](io::ClientSocket, const io::Event &event) {
            heard.events.push_back(name + " " + std::string(event.array));
        };
        client = std::make_unique<io::Client>(loop, "http://127.0.0.1:" + std::to_string(listener.port()), std::move(hearing));
        until(loop, [&] { return heard.has(name + " joined") && client->connected(); });
        for (std::size_t servers = 0; servers != 2 && name == "b";) {
            servers = 0;
            server.of().server_count([&](sockline_status status, std::size_t count) {
                CHECK(status == SOCKLINE_OK);
                servers = count;
            });
            until(loop, [&] { return servers != 0; });
        }
    }

    static io::ServerHandlers handlers(const std::string &name, Heard &heard) {
        io::ServerHandlers out;
        out.on_connection = [&heard, name](io::Socket socket) {
            socket.join(name);
            heard.events.push_back(name + " joined");
        };
        out.on_server_side_emit = [&heard, name](io::Namespace nsp, const io::Event &event) {
            CHECK(nsp.name() == "/");
            heard.events.push_back(name + " server " + std::string(event.array));
            if (event.ack) event.ack("[\"" + name + "\"]");
            throw std::runtime_error("is logged, and harms nobody");
        };
        return out;
    }

    io::Server server;
    sockline::Server listener;
    std::unique_ptr<io::Client> client;
};

void servers_and_emitters_reach_each_other() {
    Heard heard;
    std::string answers;
    std::vector<std::size_t> found;
    std::promise<void> connected, flushed, closed;
    sockline::Loop loop;
    io::RedisOptions options;
    options.url = redis_url;
    options.requests_timeout_ms = 60000; // time enough for whoever is watched in what he does
    io::RedisHandlers handlers;
    handlers.on_connected = [&] { connected.set_value(); };
    handlers.on_closed = [&] { closed.set_value(); };
    auto redis = std::make_unique<io::Redis>(options, std::move(handlers));
    connected.get_future().wait();
    CHECK(redis->connected() && redis->dropped() == 0);
    io::ServerOptions with_handle, with_url;
    with_handle.redis = redis.get();
    with_url.adapter = redis_url;
    Node a(loop, "a", heard, with_handle), b(loop, "b", heard, with_url);

    a.server.of().to("b").emit("one", "1");
    until(loop, [&] { return heard.has("b [\"one\",1]"); });
    a.server.of().all().fetch_sockets([&](sockline_status status, const std::vector<io::SocketDetails> &all, std::size_t missing) {
        CHECK(status == SOCKLINE_OK && missing == 0);
        found.push_back(all.size());
    });
    auto names = [&](sockline_status status, const std::vector<std::string_view> &all, std::size_t missing) {
        CHECK(status == SOCKLINE_OK && missing == 0);
        found.push_back(all.size());
    };
    until(loop, [&] { return found == std::vector<std::size_t>{2}; });
    a.server.of().all_sockets({"b"}, names);
    until(loop, [&] { return found == std::vector<std::size_t>{2, 1}; });
    a.server.of().all_rooms(names);
    until(loop, [&] { return found == std::vector<std::size_t>{2, 1, 4}; });
    a.server.of().server_side_emit_with_ack("ask", "7", [&](sockline_status status, const std::vector<io::Response> &all,
                                                            std::size_t missing) {
        CHECK(status == SOCKLINE_OK && missing == 0 && all.size() == 1);
        answers = std::string(all[0].args);
    });
    until(loop, [&] { return answers == "[\"b\"]"; });
    CHECK(heard.has("b server [\"ask\",7]") && !heard.has("a server [\"ask\",7]"));
    b.server.of().server_side_emit("tell");
    until(loop, [&] { return heard.has("a server [\"tell\"]"); });
    try {
        b.server.of().server_side_emit("connection");
        CHECK(!"reached");
    } catch (const sockline::Error &error) {
        CHECK(error.status() == SOCKLINE_ERR_INVALID_ARGUMENT);
    }

    io::Emitter shares(*redis), own{std::string_view(redis_url)};
    own.to("a").sockets_join({"red"});
    own.of("/").to("red").as_volatile().compress(false).emit("two");
    until(loop, [&] { return heard.has("a [\"two\"]"); });
    own.except("red").emit("three", "", {});
    until(loop, [&] { return heard.has("b [\"three\"]"); });
    own.to("a").sockets_leave({"red"});
    own.server_side_emit("four");
    until(loop, [&] { return heard.has("a server [\"four\"]") && heard.has("b server [\"four\"]"); });
    shares.emit("five");
    until(loop, [&] { return heard.has("a [\"five\"]") && heard.has("b [\"five\"]"); });
    CHECK(!heard.has("a [\"three\"]") && !heard.has("b [\"two\"]"));
    own.to("b").disconnect_sockets();
    own.flush([&](sockline_status status) {
        CHECK(status == SOCKLINE_OK);
        flushed.set_value();
    });
    flushed.get_future().wait();
    until(loop, [&] { return !b.client->connected(); });
    CHECK(a.client->connected());

    sockline::ServerOptions plain;
    plain.host = "127.0.0.1";
    plain.redis = redis.get();
    sockline::ServerHandlers subscribing;
    subscribing.on_open = [](sockline::WebSocket ws) { ws.subscribe("news"); };
    sockline::Server with_topics = sockline::listen(loop, plain, std::move(subscribing));
    std::string news;
    sockline::Handlers listening;
    listening.on_message = [&](sockline::WebSocket, sockline::Message message) { news = std::string(message.data); };
    std::string place = "ws://127.0.0.1:" + std::to_string(with_topics.port());
    sockline::WebSocket reader = sockline::connect(loop, place, std::move(listening));
    // A subscription takes its time.
    while (news.empty()) {
        own.publish("news", "hello");
        loop.poll(10);
    }
    own.publish("news", SOCKLINE_BINARY, "bytes");
    until(loop, [&] { return news == "bytes"; });
    reader.close(1000);
    with_topics.close();

    std::promise<sockline_status> late;
    redis->close();
    closed.get_future().wait();
    redis->flush([&](sockline_status status) { late.set_value(status); });
    CHECK(late.get_future().get() == SOCKLINE_ERR_PEER_DEAD);
    redis.reset(); // a keeps it
}

void the_channel_may_be_pythons() {
    Heard heard;
    sockline::Loop loop;
    io::RedisOptions options;
    options.url = redis_url;
    options.mode = SOCKLINE_REDIS_PYTHON_SOCKETIO;
    io::Redis elsewhere(options);
    options.channel = "flask-socketio";
    io::Redis first(options), second(options);
    io::ServerOptions with_first, with_second;
    with_first.redis = &first;
    with_second.redis = &second;
    Node a(loop, "a", heard, with_first), b(loop, "b", heard, with_second);
    io::Emitter(elsewhere).emit("nobody hears it");
    io::Emitter(first).to("b").emit("hello", "1");
    until(loop, [&] { return heard.has("b [\"hello\",1]"); });
    a.server.of().to("b").sockets_join({"red"});
    a.server.of().to("red").emit("red"); // our servers know rooms where python-socketio knows clients
    until(loop, [&] { return heard.has("b [\"red\"]"); });
    CHECK(!heard.has("b [\"nobody hears it\"]"));
}

void sentinels_may_want_a_password() {
    sentinel watches;
    std::promise<void> connected;
    start_sentinel(&watches, "geheim");
    {
        io::RedisOptions options;
        options.url = watches.url;
        options.sentinel_user = "default";
        options.sentinel_password = "geheim";
        io::RedisHandlers handlers;
        handlers.on_connected = [&] { connected.set_value(); };
        io::Redis redis(options, std::move(handlers));
        connected.get_future().wait();
    }
    stop_sentinel(&watches);
}

void what_can_t_be_throws() {
    auto status_of = [](auto &&act) {
        try {
            act();
        } catch (const sockline::Error &error) {
            return error.status();
        }
        return static_cast<sockline_status>(SOCKLINE_OK);
    };
    sockline::Loop loop;
    io::ServerOptions alone;
    alone.forward_requests = true;
    CHECK(status_of([&] { io::Server server(loop, {}, alone); }) == SOCKLINE_ERR_INVALID_ARGUMENT);
    io::RedisOptions options;
    options.url = "http://localhost";
    CHECK(status_of([&] { io::Redis redis(options); }) == SOCKLINE_ERR_INVALID_URL);
    CHECK(status_of([&] { io::Emitter emitter{std::string_view("nonsense")}; }) == SOCKLINE_ERR_INVALID_URL);
    options.ca_file = "/nowhere";
    options.url = "rediss://localhost";
    CHECK(status_of([&] { io::Redis redis(options); }) == SOCKLINE_ERR_TLS);
}

} // namespace

int main() {
    have_redis();
    RUN(servers_and_emitters_reach_each_other);
    RUN(the_channel_may_be_pythons);
    RUN(sentinels_may_want_a_password);
    RUN(what_can_t_be_throws);
    return 0;
}
