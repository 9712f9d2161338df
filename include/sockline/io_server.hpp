// Socket.IO: servers. Included by sockline.hpp.

#ifndef SOCKLINE_IO_SERVER_HPP
#define SOCKLINE_IO_SERVER_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io_cluster.hpp"
#include "io_socket.hpp"
#include "loop.hpp"

namespace sockline::io {

/// The fields of sockline_io_cors, with C++'s strings.
struct Cors {
    std::vector<std::string> origins;
    bool credentials = false;
    std::string methods;
    std::string allowed_headers;
    std::string exposed_headers;
    std::uint64_t max_age = 0;
};

/// The fields of sockline_io_cookie, with C++'s strings.
struct Cookie {
    std::string name;
    std::string path;
    std::string domain;
    bool http_only = true;
    bool secure = false;
    std::string same_site;
    std::uint64_t max_age = 0;
};

/// How a server is set up: the fields of sockline_io_server_options, with C++'s strings. 0 means the default.
struct ServerOptions {
    std::string path;
    bool add_trailing_slash = true;
    std::uint64_t ping_interval_ms = 0;
    std::uint64_t ping_timeout_ms = 0;
    std::uint64_t upgrade_timeout_ms = 0;
    std::uint64_t connect_timeout_ms = 0;
    std::uint64_t max_http_buffer_size = 0;
    /// Bits of enum sockline_io_transport.
    unsigned transports = 0;
    bool allow_upgrades = true;
    bool allow_eio3 = false;
    std::optional<Cors> cors;
    std::optional<Cookie> cookie;
    std::uint64_t http_compression = 0;
    std::string client_folder;
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    std::optional<sockline_io_recovery> recovery;
    bool cleanup_empty_child_namespaces = false;
    sockline_io_parser parser = SOCKLINE_IO_JSON;
    std::uint64_t max_attachments = 0;
    std::optional<sockline_io_custom_parser> custom_parser;
    /// The URL of a Redis: makes the server one of a cluster.
    std::string adapter;
    /// In place of adapter; for this server only.
    const Redis *redis = nullptr;
    /// Clients that poll may reach any server of the cluster.
    bool forward_requests = false;
    /// on_request is asked about the WebSockets that sessions go over to, too: Handshake::is_upgrade.
    bool ask_upgrades = false;
};

/// A client that wants to be connected to a namespace (use): its socket is there, not connected yet. To be answered once, now or
/// later, on any thread.
class Connecting {
public:
    Connecting(sockline_io_question raw, Socket socket) noexcept : raw_(raw), socket_(socket) {}

    Socket socket() const noexcept { return socket_; }
    void allow() const { detail::check(sockline_io_allow_connection(raw_)); }
    /// data: a JSON value, or empty.
    void deny(std::string_view message, std::string_view data = {}) const {
        detail::check(sockline_io_deny_connection(raw_, detail::borrow(message), detail::borrow(data)));
    }

private:
    sockline_io_question raw_;
    Socket socket_;
};

/// A client that asks for a namespace that is not there. To be answered once, now or later, on any thread.
class NamespaceQuestion {
public:
    explicit NamespaceQuestion(sockline_io_question raw) noexcept : raw_(raw) {}

    void allow() const { detail::check(sockline_io_answer_namespace(raw_, 1)); }
    void deny() const { detail::check(sockline_io_answer_namespace(raw_, 0)); }

private:
    sockline_io_question raw_;
};

/// A client that asks for a session (allowRequest), or for the WebSocket that its session goes over to. To be answered once, now or
/// later, on any thread.
class RequestQuestion {
public:
    explicit RequestQuestion(sockline_io_question raw) noexcept : raw_(raw) {}

    void allow() const { detail::check(sockline_io_answer_request(raw_, 1, {})); }
    /// With a session id of the application's, which nobody can guess, in place of a random one.
    void allow_as(std::string_view session_id) const {
        detail::check(sockline_io_allow_request_as(raw_, detail::borrow(session_id)));
    }
    void deny(std::string_view message = {}) const {
        detail::check(sockline_io_answer_request(raw_, 0, detail::borrow(message)));
    }
    /// With status 400 and "Bad request"; on_connection_error has the name in its context.
    void deny_bad_request(std::string_view name) const {
        detail::check(sockline_io_deny_bad_request(raw_, detail::borrow(name)));
    }
    /// Answers in place of the engine.
    void respond(int status, std::string_view body = {}, const Headers &headers = {}) const {
        std::vector<sockline_header> raw = detail::borrow(headers);
        detail::check(sockline_io_respond(raw_, status, raw.data(), raw.size(), body.data(), body.size()));
    }

private:
    sockline_io_question raw_;
};

/// The callbacks of a server. Those that are empty ignore the event; questions are answered as sockline_io_handlers says. An
/// exception that leaves one is logged; its socket is disconnected, its question answered with no.
struct ServerHandlers {
    /// By the event's name; on_event has the others.
    Listeners<Socket> events;
    std::function<void(Socket, const Event &)> on_event;
    std::function<void(Socket)> on_connection;
    std::function<void(Socket)> on_drain;
    /// Its rooms are still there.
    std::function<void(Socket, sockline_io_reason)> on_disconnecting;
    std::function<void(Socket, sockline_io_reason, std::string_view detail)> on_disconnect;
    std::function<void(const Connecting &)> on_connecting;
    std::function<void(Socket)> on_connect_abandoned;
    /// auth: what the client says of itself, as JSON.
    std::function<void(NamespaceQuestion, std::string_view name, std::string_view auth, const Handshake &)> on_namespace;
    std::function<void(Namespace)> on_new_namespace;
    std::function<void(RequestQuestion, const Handshake &)> on_request;
    /// Further headers for the response to this request; is_initial: it begins the session.
    std::function<Headers(const sockline_http_request &, bool is_initial)> on_headers;
    std::function<void(const sockline_io_connection_error &)> on_connection_error;
    std::function<void(Socket, const Event &)> on_outgoing;
    std::function<void(Socket)> on_upgrade;
    std::function<void(Namespace, sockline_io_room_event, std::string_view room, std::string_view id)> on_room;
    /// Another server of the cluster, or an emitter, says something; event.ack takes one JSON value.
    std::function<void(Namespace, const Event &)> on_server_side_emit;
    /// Of Engine.IO; it costs a copy of each that is sent.
    std::function<void(std::string_view session_id, const sockline_io_engine_packet &)> on_packet;
    /// The last of them.
    std::function<void()> on_server_closed;
};

namespace detail {

inline const ServerHandlers &server(void *user_data) noexcept { return *static_cast<ServerHandlers *>(user_data); }

/// Runs a socket's callback.
template <typename Act> void contain(Socket socket, const char *callback, Act &&act) noexcept {
    if (!contain(callback, std::forward<Act>(act))) sockline_io_socket_disconnect(socket.raw(), 0);
}

inline void set_events(sockline_io_handlers &out) noexcept {
    out.on_connection = [](sockline_io_socket raw, void *user_data) {
        const auto &call = server(user_data).on_connection;
        if (call) contain(Socket(raw), "on_connection", [&] { call(Socket(raw)); });
    };
    out.on_event = [](sockline_io_socket raw, const sockline_io_event *given, void *user_data) {
        contain(Socket(raw), "on_event", [&] { hear(server(user_data), Socket(raw), event(*given, sockline_io_ack_send)); });
    };
    out.on_ack = [](sockline_io_socket raw, const sockline_io_ack_event *event, void *) {
        if (!answered(*event)) sockline_io_socket_disconnect(raw, 0);
    };
    out.on_broadcast_ack = [](sockline_io_namespace, const sockline_io_broadcast_ack_event *event, void *) {
        std::unique_ptr<OnAnswers> waits(static_cast<OnAnswers *>(event->token));
        if (!waits || !*waits) return;
        contain("a broadcast's callback", [&] {
            Answers answers{{}, event->expected, event->timed_out != 0};
            for (std::size_t i = 0; i < event->response_count; i++) {
                const sockline_io_response &one = event->responses[i];
                answers.responses.push_back({view(one.args), Attachments(one.attachments, one.attachment_count)});
            }
            (*waits)(answers);
        });
    };
    out.on_drain = [](sockline_io_socket raw, void *user_data) {
        const auto &call = server(user_data).on_drain;
        if (call) contain(Socket(raw), "on_drain", [&] { call(Socket(raw)); });
    };
    out.on_upgrade = [](sockline_io_socket raw, void *user_data) {
        const auto &call = server(user_data).on_upgrade;
        if (call) contain(Socket(raw), "on_upgrade", [&] { call(Socket(raw)); });
    };
    out.on_outgoing = [](sockline_io_socket raw, const sockline_io_event *given, void *user_data) {
        const auto &call = server(user_data).on_outgoing;
        if (call) contain(Socket(raw), "on_outgoing", [&] { call(Socket(raw), event(*given, sockline_io_ack_send)); });
    };
    out.on_disconnecting = [](sockline_io_socket raw, std::int32_t reason, void *user_data) {
        const auto &call = server(user_data).on_disconnecting;
        if (call) contain("on_disconnecting", [&] { call(Socket(raw), static_cast<sockline_io_reason>(reason)); });
    };
    out.on_disconnect = [](sockline_io_socket raw, std::int32_t reason, sockline_string detail, void *user_data) {
        const auto &call = server(user_data).on_disconnect;
        if (call) contain("on_disconnect", [&] { call(Socket(raw), static_cast<sockline_io_reason>(reason), view(detail)); });
    };
    out.on_connect_abandoned = [](sockline_io_socket raw, void *user_data) {
        const auto &call = server(user_data).on_connect_abandoned;
        if (call) contain("on_connect_abandoned", [&] { call(Socket(raw)); });
    };
    out.on_new_namespace = [](sockline_io_namespace raw, void *user_data) {
        const auto &call = server(user_data).on_new_namespace;
        if (call) contain("on_new_namespace", [&] { call(Namespace(raw)); });
    };
    out.on_connection_error = [](const sockline_io_connection_error *error, void *user_data) {
        const auto &call = server(user_data).on_connection_error;
        if (call) contain("on_connection_error", [&] { call(*error); });
    };
    out.on_server_side_emit = [](sockline_io_namespace raw, const sockline_io_event *given, void *user_data) {
        const auto &call = server(user_data).on_server_side_emit;
        auto act = [&] { call(Namespace(raw), event(*given, sockline_io_server_ack_send)); };
        if (call) contain("on_server_side_emit", act);
    };
    out.on_server_closed = [](sockline_io_server, void *user_data) {
        std::unique_ptr<ServerHandlers> handlers(static_cast<ServerHandlers *>(user_data));
        if (handlers->on_server_closed) contain("on_server_closed", [&] { handlers->on_server_closed(); });
    };
}

/// Those that cost something, or change what is done, by being there.
inline void set_questions(sockline_io_handlers &out, const ServerHandlers &handlers) noexcept {
    if (handlers.on_connecting)
        out.on_connecting = [](sockline_io_question question, sockline_io_socket raw, void *user_data) {
            Connecting connecting(question, Socket(raw));
            if (contain("on_connecting", [&] { server(user_data).on_connecting(connecting); })) return;
            sockline_io_deny_connection(question, sockline_str("internal error"), {}); // unless it was answered before
        };
    if (handlers.on_namespace)
        out.on_namespace = [](sockline_io_question question, sockline_string name, sockline_string auth,
                              const sockline_io_request *request, void *user_data) {
            const auto &call = server(user_data).on_namespace;
            auto act = [&] { call(NamespaceQuestion(question), view(name), view(auth), Handshake(request)); };
            if (!contain("on_namespace", act)) sockline_io_answer_namespace(question, 0);
        };
    if (handlers.on_request)
        out.on_request = [](sockline_io_question question, const sockline_io_request *request, void *user_data) {
            auto act = [&] { server(user_data).on_request(RequestQuestion(question), Handshake(request)); };
            if (!contain("on_request", act)) sockline_io_answer_request(question, 0, {});
        };
    if (handlers.on_headers)
        out.on_headers = [](const sockline_http_request *request, std::int32_t is_initial, sockline_io_headers *headers,
                            void *user_data) {
            contain("on_headers", [&] {
                for (const auto &[name, value] : server(user_data).on_headers(*request, is_initial != 0))
                    check(sockline_io_add_header(headers, borrow(std::string_view(name)), borrow(std::string_view(value))));
            });
        };
    if (handlers.on_packet)
        out.on_packet = [](sockline_string session_id, const sockline_io_engine_packet *packet, void *user_data) {
            contain("on_packet", [&] { server(user_data).on_packet(view(session_id), *packet); });
        };
    if (handlers.on_room)
        out.on_room = [](sockline_io_namespace raw, std::int32_t event, sockline_string room, sockline_string id,
                         void *user_data) {
            auto kind = static_cast<sockline_io_room_event>(event);
            contain("on_room", [&] { server(user_data).on_room(Namespace(raw), kind, view(room), view(id)); });
        };
}

/// The structs that a server's options point to, with what they borrow.
struct RawServerOptions {
    explicit RawServerOptions(const ServerOptions &given) {
        raw.path = borrow(std::string_view(given.path));
        raw.add_trailing_slash = given.add_trailing_slash ? 1 : -1;
        raw.ping_interval_ms = given.ping_interval_ms;
        raw.ping_timeout_ms = given.ping_timeout_ms;
        raw.upgrade_timeout_ms = given.upgrade_timeout_ms;
        raw.connect_timeout_ms = given.connect_timeout_ms;
        raw.max_http_buffer_size = given.max_http_buffer_size;
        raw.transports = given.transports;
        raw.allow_upgrades = given.allow_upgrades ? 1 : -1;
        raw.allow_eio3 = given.allow_eio3 ? 1 : 0;
        raw.http_compression = given.http_compression;
        raw.client_folder = borrow(std::string_view(given.client_folder));
        raw.settings = &given.settings;
        raw.recovery = given.recovery ? &*given.recovery : nullptr;
        raw.cleanup_empty_child_namespaces = given.cleanup_empty_child_namespaces ? 1 : 0;
        raw.parser = given.parser;
        raw.max_attachments = given.max_attachments;
        raw.custom_parser = given.custom_parser ? &*given.custom_parser : nullptr;
        raw.adapter = borrow(std::string_view(given.adapter));
        raw.redis = given.redis ? given.redis->raw() : nullptr;
        raw.forward_requests = given.forward_requests ? 1 : 0;
        raw.ask_upgrades = given.ask_upgrades ? 1 : 0;
        if (given.cors) set(*given.cors);
        if (given.cookie) set(*given.cookie);
    }
    RawServerOptions(const RawServerOptions &) = delete;
    RawServerOptions &operator=(const RawServerOptions &) = delete;

    sockline_io_server_options raw = SOCKLINE_IO_SERVER_OPTIONS_INIT;

private:
    void set(const Cors &given) {
        origins = borrow(given.origins);
        cors.origins = origins.data();
        cors.origin_count = origins.size();
        cors.credentials = given.credentials ? 1 : 0;
        cors.methods = borrow(std::string_view(given.methods));
        cors.allowed_headers = borrow(std::string_view(given.allowed_headers));
        cors.exposed_headers = borrow(std::string_view(given.exposed_headers));
        cors.max_age = given.max_age;
        raw.cors = &cors;
    }
    void set(const Cookie &given) {
        cookie.name = borrow(std::string_view(given.name));
        cookie.path = borrow(std::string_view(given.path));
        cookie.domain = borrow(std::string_view(given.domain));
        cookie.http_only = given.http_only ? 1 : -1;
        cookie.secure = given.secure ? 1 : 0;
        cookie.same_site = borrow(std::string_view(given.same_site));
        cookie.max_age = given.max_age;
        raw.cookie = &cookie;
    }

    std::vector<sockline_string> origins;
    sockline_io_cors cors = SOCKLINE_IO_CORS_INIT;
    sockline_io_cookie cookie = SOCKLINE_IO_COOKIE_INIT;
};

} // namespace detail

/// A Socket.IO server; destroying it closes it. It hears of clients when it is among those of a listener: ServerOptions::io of
/// sockline::listen. Its handlers live until on_server_closed.
class Server {
public:
    Server(Loop &loop, ServerHandlers handlers, const ServerOptions &options = {})
        : Server(loop.raw(), std::move(handlers), options) {}
    /// With timers on the library's default loop.
    explicit Server(ServerHandlers handlers, const ServerOptions &options = {})
        : Server(static_cast<sockline_loop *>(nullptr), std::move(handlers), options) {}
    ~Server() {
        if (raw_ != 0) sockline_io_server_close(raw_);
    }
    Server(Server &&other) noexcept : raw_(std::exchange(other.raw_, 0)) {}
    Server &operator=(Server &&other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    Server(const Server &) = delete;
    Server &operator=(const Server &) = delete;

    sockline_io_server raw() const noexcept { return raw_; }

    /// The namespace of this name, which is made if it is not there.
    Namespace of(std::string_view name = "/") const {
        sockline_io_namespace nsp = 0;
        detail::check(sockline_io_of(raw_, detail::borrow(name), &nsp));
        return Namespace(nsp);
    }
    sockline_io_metrics metrics() const {
        sockline_io_metrics metrics = SOCKLINE_IO_METRICS_INIT;
        detail::check(sockline_io_server_get_metrics(raw_, &metrics));
        return metrics;
    }
    /// Adds a namespace that the official admin UI connects to.
    void enable_admin(const sockline_io_admin_options &options) const {
        detail::check(sockline_io_enable_admin(raw_, &options));
    }
    /// Closes one client's session, by the id of Socket::session_id; its sockets are disconnected with "forced close".
    void close_session(std::string_view session_id, bool discard = false) const {
        detail::check(sockline_io_server_close_session(raw_, detail::borrow(session_id), discard ? 1 : 0));
    }
    /// Sends a message of Engine.IO as it is, which a client of Socket.IO takes for a packet of that; by the id of Socket::session_id.
    /// compress: by its length, if nothing is said. False: it was accepted, but wait for on_drain before sending more; or it was dropped.
    bool send_to_session(std::string_view session_id, std::string_view text) const {
        return send_to_session(session_id, SOCKLINE_TEXT, text);
    }
    bool send_to_session(std::string_view session_id, sockline_message_type type, std::string_view data,
                         std::optional<bool> compress = {}) const {
        return detail::check(sockline_io_server_send_to_session(raw_, detail::borrow(session_id), type, data.data(), data.size(),
                                                                detail::position(compress))) == SOCKLINE_OK;
    }
    /// Disconnects all sockets with "server shutting down"; on_server_closed follows.
    void close() const { detail::check(sockline_io_server_close(raw_)); }

private:
    Server(sockline_loop *loop, ServerHandlers handlers, const ServerOptions &options) {
        auto kept = std::make_unique<ServerHandlers>(std::move(handlers));
        sockline_io_handlers callbacks = SOCKLINE_IO_HANDLERS_INIT;
        detail::set_events(callbacks);
        detail::set_questions(callbacks, *kept);
        detail::RawServerOptions raw(options);
        detail::check(sockline_io_server_new(loop, &raw.raw, &callbacks, kept.get(), &raw_));
        kept.release(); // on_server_closed frees them
    }

    sockline_io_server raw_ = 0;
};

} // namespace sockline::io

#endif // SOCKLINE_IO_SERVER_HPP
