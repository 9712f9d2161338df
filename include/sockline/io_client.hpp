// Socket.IO: clients. Included by sockline.hpp.

#ifndef SOCKLINE_IO_CLIENT_HPP
#define SOCKLINE_IO_CLIENT_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connect.hpp"
#include "io_values.hpp"

namespace sockline::io {

/// How a manager connects: the fields of sockline_io_manager_options, with C++'s strings. 0 means the default.
struct ManagerOptions {
    /// Headers, cookies, TLS, proxy, limits and so on.
    Options connection;
    std::string path;
    bool add_trailing_slash = true;
    /// Bits of enum sockline_io_transport.
    unsigned transports = 0;
    bool websocket_first = false;
    bool upgrade = true;
    bool remember_upgrade = false;
    bool try_all_transports = false;
    Headers query;
    bool force_base64 = false;
    bool keep_cookies = true;
    std::uint64_t request_timeout_ms = 0;
    bool reconnection = true;
    std::uint64_t reconnection_attempts = 0;
    std::uint64_t reconnection_delay_ms = 0;
    std::uint64_t reconnection_delay_max_ms = 0;
    std::uint64_t randomization_percent = 0;
    std::uint64_t timeout_ms = 0;
    bool auto_connect = true;
    sockline_io_parser parser = SOCKLINE_IO_JSON;
    std::uint64_t max_attachments = 0;
    std::uint64_t send_buffer = 0;
    std::optional<sockline_io_custom_parser> custom_parser;
};

/// How one socket connects and sends: the fields of sockline_io_socket_options.
struct SocketOptions {
    /// What it says of itself: a JSON object. With ClientHandlers::on_auth it is asked for.
    std::string auth;
    std::uint64_t retries = 0;
    std::uint64_t ack_timeout_ms = 0;
};

/// Why a socket could not connect; borrowed until the callback returns.
struct ConnectError {
    /// What the server said, or what went wrong on the way to it.
    std::string_view message;
    /// The server's further data, as JSON.
    std::string_view data;
    /// Nothing if the server has refused.
    std::optional<Error> error;
};

/// A client's connection, which its sockets share: a number, like sockline_io_manager.
class ManagerHandle {
public:
    explicit ManagerHandle(sockline_io_manager raw = 0) noexcept : raw_(raw) {}

    sockline_io_manager raw() const noexcept { return raw_; }
    bool operator==(ManagerHandle other) const noexcept { return raw_ == other.raw_; }
    bool operator!=(ManagerHandle other) const noexcept { return raw_ != other.raw_; }

    void open() const { detail::check(sockline_io_manager_open(raw_)); }
    /// Closes the connection, and does not come back to one.
    void close() const { detail::check(sockline_io_manager_close(raw_)); }
    void set_reconnection(bool enabled) const { detail::check(sockline_io_manager_set_reconnection(raw_, enabled ? 1 : 0)); }
    /// One of enum sockline_io_transport, 0 without a connection.
    int transport() const noexcept { return sockline_io_manager_transport(raw_); }
    /// Sends a message of Engine.IO as it is, which a server of Socket.IO takes for a packet of that. compress: by its length, if nothing is
    /// said. False: it was accepted, but wait for on_drain before sending more.
    bool send_message(std::string_view text) const { return send_message(SOCKLINE_TEXT, text); }
    bool send_message(sockline_message_type type, std::string_view data, std::optional<bool> compress = {}) const {
        return detail::check(sockline_io_manager_send_message(raw_, type, data.data(), data.size(),
                                                              detail::position(compress))) == SOCKLINE_OK;
    }
    std::uint64_t buffered_amount() const noexcept { return sockline_io_manager_buffered_amount(raw_); }

protected:
    sockline_io_manager raw_;
};

/// A client's socket: a number, like sockline_io_client.
class ClientSocket {
public:
    explicit ClientSocket(sockline_io_client raw = 0) noexcept : raw_(raw) {}

    sockline_io_client raw() const noexcept { return raw_; }
    bool operator==(ClientSocket other) const noexcept { return raw_ == other.raw_; }
    bool operator!=(ClientSocket other) const noexcept { return raw_ != other.raw_; }

    /// Sends an event, once there is a connection; args are JSON values with commas between them. False: it was accepted, but
    /// wait for on_drain before sending more; or it was dropped.
    bool emit(std::string_view name, std::string_view args = {}, const Binary &binary = {}, const EmitOptions &options = {}) const {
        return send(name, args, binary, detail::raw(options));
    }
    /// The same, and on_answer is called with what has become of it.
    bool emit_with_ack(std::string_view name, std::string_view args, OnAnswer on_answer, const Binary &binary = {},
                       const EmitOptions &options = {}) const {
        return detail::hand_over(std::move(on_answer), [&](void *token) {
            sockline_io_emit_options raw = detail::raw(options);
            raw.wants_ack = 1;
            raw.token = token;
            return send(name, args, binary, raw);
        });
    }

    void connect() const { detail::check(sockline_io_client_connect(raw_)); }
    /// Leaves the namespace, and does not come back until connect().
    void disconnect() const { detail::check(sockline_io_client_disconnect(raw_)); }
    /// What it says of itself from the next time on: a JSON object, or empty.
    void set_auth(std::string_view auth) const { detail::check(sockline_io_client_set_auth(raw_, detail::borrow(auth))); }
    bool connected() const noexcept { return sockline_io_client_connected(raw_) != 0; }
    /// Whether it is connected, or will be without a further call.
    bool active() const noexcept { return sockline_io_client_active(raw_) != 0; }
    bool recovered() const noexcept { return sockline_io_client_recovered(raw_) != 0; }
    std::size_t send_buffer_len() const noexcept { return sockline_io_client_send_buffer_len(raw_); }
    void clear_send_buffer() const { detail::check(sockline_io_client_clear_send_buffer(raw_)); }
    /// Empty without a connection.
    std::string id() const {
        return sockline::detail::text([&](char *buffer, std::size_t room) { return sockline_io_client_id(raw_, buffer, room); });
    }
    ManagerHandle manager() const noexcept { return ManagerHandle(sockline_io_client_manager(raw_)); }

protected:
    sockline_io_client raw_;

private:
    bool send(std::string_view name, std::string_view args, const Binary &binary, const sockline_io_emit_options &options) const {
        return detail::check(sockline_io_client_emit(raw_, detail::borrow(name), detail::borrow(args), binary.data(),
                                                     binary.size(), &options)) == SOCKLINE_OK;
    }
};

/// What a socket says of itself is asked for: to be answered once, now or later, on any thread.
class AuthQuestion {
public:
    explicit AuthQuestion(sockline_io_question raw) noexcept : raw_(raw) {}

    /// A JSON object, or empty.
    void answer(std::string_view auth) const { detail::check(sockline_io_answer_auth(raw_, detail::borrow(auth))); }

private:
    sockline_io_question raw_;
};

/// The callbacks of a client's socket. Those that are empty ignore the event. An exception that leaves one is logged, and the
/// socket disconnected.
struct ClientHandlers {
    /// By the event's name; on_event has the others.
    Listeners<ClientSocket> events;
    std::function<void(ClientSocket, const Event &)> on_event;
    std::function<void(ClientSocket)> on_connect;
    std::function<void(ClientSocket, const ConnectError &)> on_connect_error;
    std::function<void(ClientSocket, sockline_io_client_reason, std::string_view detail)> on_disconnect;
    /// Asked each time that the socket is about to connect, in place of SocketOptions::auth.
    std::function<void(ClientSocket, AuthQuestion)> on_auth;
};

/// The callbacks of a manager. Those that are empty ignore the event.
struct ManagerHandlers {
    std::function<void(ManagerHandle)> on_open;
    std::function<void(ManagerHandle, const Error &)> on_error;
    std::function<void(ManagerHandle, sockline_io_client_reason, std::string_view detail)> on_close;
    std::function<void(ManagerHandle)> on_ping;
    std::function<void(ManagerHandle)> on_upgrade;
    std::function<void(ManagerHandle, const Error &)> on_upgrade_error;
    std::function<void(ManagerHandle, unsigned attempt, std::uint64_t delay_ms)> on_reconnect_scheduled;
    std::function<void(ManagerHandle, unsigned attempt)> on_reconnect_attempt;
    std::function<void(ManagerHandle, unsigned attempt)> on_reconnect;
    std::function<void(ManagerHandle, const Error &)> on_reconnect_error;
    std::function<void(ManagerHandle)> on_reconnect_failed;
    std::function<void(ManagerHandle)> on_drain;
    /// Of Engine.IO; it costs a copy of each.
    std::function<void(ManagerHandle, const sockline_io_engine_packet &)> on_packet;
};

namespace detail {

inline const ClientHandlers &client(void *user_data) noexcept { return *static_cast<ClientHandlers *>(user_data); }

/// Runs a socket's callback.
template <typename Act> void contain(ClientSocket socket, const char *callback, Act &&act) noexcept {
    if (!contain(callback, std::forward<Act>(act))) sockline_io_client_disconnect(socket.raw());
}

inline sockline_io_client_handlers client_callbacks() noexcept {
    sockline_io_client_handlers out = SOCKLINE_IO_CLIENT_HANDLERS_INIT;
    out.on_connect = [](sockline_io_client raw, void *user_data) {
        const auto &call = client(user_data).on_connect;
        if (call) contain(ClientSocket(raw), "on_connect", [&] { call(ClientSocket(raw)); });
    };
    out.on_connect_error = [](sockline_io_client raw, const sockline_io_connect_error *given, void *user_data) {
        const auto &call = client(user_data).on_connect_error;
        if (call)
            contain(ClientSocket(raw), "on_connect_error", [&] {
                ConnectError error{view(given->message), view(given->data), {}};
                if (given->error != nullptr) error.error.emplace(*given->error);
                call(ClientSocket(raw), error);
            });
    };
    out.on_event = [](sockline_io_client raw, const sockline_io_event *given, void *user_data) {
        contain(ClientSocket(raw), "on_event",
                [&] { hear(client(user_data), ClientSocket(raw), event(*given, sockline_io_client_ack_send)); });
    };
    out.on_ack = [](sockline_io_client raw, const sockline_io_ack_event *event, void *) {
        if (!answered(*event)) sockline_io_client_disconnect(raw);
    };
    out.on_disconnect = [](sockline_io_client raw, std::int32_t reason, sockline_string detail, void *user_data) {
        const auto &call = client(user_data).on_disconnect;
        auto known = static_cast<sockline_io_client_reason>(reason);
        if (call) contain(ClientSocket(raw), "on_disconnect", [&] { call(ClientSocket(raw), known, view(detail)); });
    };
    out.on_auth = [](sockline_io_client raw, sockline_io_question question, void *user_data) {
        auto act = [&] { client(user_data).on_auth(ClientSocket(raw), AuthQuestion(question)); };
        if (contain("on_auth", act)) return;
        sockline_io_client_disconnect(raw);
        sockline_io_answer_auth(question, {}); // unless it was answered before
    };
    out.on_freed = [](sockline_io_client, void *user_data) { delete static_cast<ClientHandlers *>(user_data); };
    return out;
}

/// A function of C's that tells one of the manager's handlers.
template <auto Member, typename... Given> struct Told {
    static void call(sockline_io_manager raw, Given... given, void *user_data) {
        const auto &call = static_cast<ManagerHandlers *>(user_data)->*Member;
        if (call) contain("a manager's callback", [&] { call(ManagerHandle(raw), converted(given)...); });
    }

private:
    static Error converted(const sockline_error_event *error) { return Error(*error); }
    static const sockline_io_engine_packet &converted(const sockline_io_engine_packet *packet) { return *packet; }
    static sockline_io_client_reason converted(std::int32_t reason) { return static_cast<sockline_io_client_reason>(reason); }
    static std::string_view converted(sockline_string text) { return view(text); }
    static std::uint32_t converted(std::uint32_t number) { return number; }
    static std::uint64_t converted(std::uint64_t number) { return number; }
};

inline sockline_io_manager_handlers manager_callbacks(const ManagerHandlers &handlers) noexcept {
    using Failure = const sockline_error_event *;
    sockline_io_manager_handlers out = SOCKLINE_IO_MANAGER_HANDLERS_INIT;
    out.on_open = Told<&ManagerHandlers::on_open>::call;
    out.on_error = Told<&ManagerHandlers::on_error, Failure>::call;
    out.on_close = Told<&ManagerHandlers::on_close, std::int32_t, sockline_string>::call;
    out.on_ping = Told<&ManagerHandlers::on_ping>::call;
    out.on_upgrade = Told<&ManagerHandlers::on_upgrade>::call;
    out.on_upgrade_error = Told<&ManagerHandlers::on_upgrade_error, Failure>::call;
    out.on_reconnect_scheduled = Told<&ManagerHandlers::on_reconnect_scheduled, std::uint32_t, std::uint64_t>::call;
    out.on_reconnect_attempt = Told<&ManagerHandlers::on_reconnect_attempt, std::uint32_t>::call;
    out.on_reconnect = Told<&ManagerHandlers::on_reconnect, std::uint32_t>::call;
    out.on_reconnect_error = Told<&ManagerHandlers::on_reconnect_error, Failure>::call;
    out.on_reconnect_failed = Told<&ManagerHandlers::on_reconnect_failed>::call;
    out.on_drain = Told<&ManagerHandlers::on_drain>::call;
    if (handlers.on_packet) out.on_packet = Told<&ManagerHandlers::on_packet, const sockline_io_engine_packet *>::call;
    out.on_freed = [](sockline_io_manager, void *user_data) { delete static_cast<ManagerHandlers *>(user_data); };
    return out;
}

inline sockline_io_manager_options borrow(const ManagerOptions &given, const sockline_options &connection,
                                          const std::vector<sockline_header> &query) noexcept {
    sockline_io_manager_options out = SOCKLINE_IO_MANAGER_OPTIONS_INIT;
    out.options = &connection;
    out.path = borrow(std::string_view(given.path));
    out.add_trailing_slash = given.add_trailing_slash ? 1 : -1;
    out.transports = given.transports;
    out.websocket_first = given.websocket_first ? 1 : 0;
    out.upgrade = given.upgrade ? 1 : -1;
    out.remember_upgrade = given.remember_upgrade ? 1 : 0;
    out.try_all_transports = given.try_all_transports ? 1 : 0;
    out.query = query.data();
    out.query_count = query.size();
    out.force_base64 = given.force_base64 ? 1 : 0;
    out.keep_cookies = given.keep_cookies ? 1 : -1;
    out.request_timeout_ms = given.request_timeout_ms;
    out.reconnection = given.reconnection ? 1 : -1;
    out.reconnection_attempts = given.reconnection_attempts;
    out.reconnection_delay_ms = given.reconnection_delay_ms;
    out.reconnection_delay_max_ms = given.reconnection_delay_max_ms;
    out.randomization_percent = given.randomization_percent;
    out.timeout_ms = given.timeout_ms;
    out.auto_connect = given.auto_connect ? 1 : -1;
    out.parser = given.parser;
    out.max_attachments = given.max_attachments;
    out.send_buffer = given.send_buffer;
    out.custom_parser = given.custom_parser ? &*given.custom_parser : nullptr;
    return out;
}

inline sockline_io_socket_options borrow(const SocketOptions &given, const ClientHandlers &handlers) noexcept {
    sockline_io_socket_options out = SOCKLINE_IO_SOCKET_OPTIONS_INIT;
    out.auth = borrow(std::string_view(given.auth));
    out.ask_auth = handlers.on_auth ? 1 : 0;
    out.retries = given.retries;
    out.ack_timeout_ms = given.ack_timeout_ms;
    return out;
}

} // namespace detail

/// A client's socket, and its owner: destroying it disconnects and frees it. Its handlers live until the connection has ended,
/// and its manager was freed.
class Client : public ClientSocket {
public:
    /// With a connection of its own; the URL's path names the namespace.
    Client(Loop &loop, const std::string &url, ClientHandlers handlers, const ManagerOptions &options = {},
           const SocketOptions &socket_options = {})
        : Client(loop.raw(), url, std::move(handlers), options, socket_options) {}
    /// The same on the library's default loop, whose callbacks run on a thread of the library's.
    explicit Client(const std::string &url, ClientHandlers handlers, const ManagerOptions &options = {},
                    const SocketOptions &socket_options = {})
        : Client(static_cast<sockline_loop *>(nullptr), url, std::move(handlers), options, socket_options) {}
    ~Client() {
        if (raw_ != 0) sockline_io_client_free(raw_);
    }
    Client(Client &&other) noexcept : ClientSocket(std::exchange(other.raw_, 0)) {}
    Client &operator=(Client &&other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;

private:
    friend class Manager;
    explicit Client(sockline_io_client raw) noexcept : ClientSocket(raw) {}
    inline Client(sockline_loop *loop, const std::string &url, ClientHandlers handlers, const ManagerOptions &options,
                  const SocketOptions &socket_options);
};

/// A connection for several sockets, and its owner. Destroying it gives it up; its sockets go on.
class Manager : public ManagerHandle {
public:
    Manager(Loop &loop, const std::string &url, const ManagerOptions &options = {}, ManagerHandlers handlers = {})
        : Manager(loop.raw(), url, options, std::move(handlers)) {}
    /// On the library's default loop, whose callbacks run on a thread of the library's.
    explicit Manager(const std::string &url, const ManagerOptions &options = {}, ManagerHandlers handlers = {})
        : Manager(static_cast<sockline_loop *>(nullptr), url, options, std::move(handlers)) {}
    ~Manager() {
        if (raw_ != 0) sockline_io_manager_free(raw_);
    }
    Manager(Manager &&other) noexcept : ManagerHandle(std::exchange(other.raw_, 0)), given_(std::move(other.given_)) {}
    Manager &operator=(Manager &&other) noexcept {
        std::swap(raw_, other.raw_);
        given_.swap(other.given_);
        return *this;
    }
    Manager(const Manager &) = delete;
    Manager &operator=(const Manager &) = delete;

    /// A socket in a namespace, which connects at once, unless auto_connect is off. Each namespace can be asked for once.
    inline Client socket(std::string_view nsp, ClientHandlers handlers, const SocketOptions &options = {});

private:
    std::set<std::string, std::less<>> given_; // namespaces
    inline Manager(sockline_loop *loop, const std::string &url, const ManagerOptions &options, ManagerHandlers handlers);
};

inline Client::Client(sockline_loop *loop, const std::string &url, ClientHandlers handlers, const ManagerOptions &options,
                      const SocketOptions &socket_options) {
    auto kept = std::make_unique<ClientHandlers>(std::move(handlers));
    sockline_io_client_handlers callbacks = detail::client_callbacks();
    sockline::detail::RawOptions connection(options.connection);
    std::vector<sockline_header> query = detail::borrow(options.query);
    sockline_io_manager_options raw = detail::borrow(options, connection.raw, query);
    sockline_io_socket_options of_socket = detail::borrow(socket_options, *kept);
    detail::check(sockline_io_connect(loop, url.c_str(), &raw, &of_socket, &callbacks, kept.get(), &raw_));
    connection.taken();
    kept.release(); // on_freed frees them
}

inline Manager::Manager(sockline_loop *loop, const std::string &url, const ManagerOptions &options, ManagerHandlers handlers) {
    auto kept = std::make_unique<ManagerHandlers>(std::move(handlers));
    sockline_io_manager_handlers callbacks = detail::manager_callbacks(*kept);
    sockline::detail::RawOptions connection(options.connection);
    std::vector<sockline_header> query = detail::borrow(options.query);
    sockline_io_manager_options raw = detail::borrow(options, connection.raw, query);
    detail::check(sockline_io_manager_new(loop, url.c_str(), &raw, &callbacks, kept.get(), &raw_));
    connection.taken();
    kept.release(); // on_freed frees them
}

inline Client Manager::socket(std::string_view nsp, ClientHandlers handlers, const SocketOptions &options) {
    std::string name = nsp.empty() || nsp.front() != '/' ? "/" + std::string(nsp) : std::string(nsp);
    if (given_.count(name) != 0) throw Error(SOCKLINE_ERR_INVALID_ARGUMENT, "the manager has a socket in " + name + " already");
    auto kept = std::make_unique<ClientHandlers>(std::move(handlers));
    sockline_io_client_handlers callbacks = detail::client_callbacks();
    sockline_io_socket_options raw = detail::borrow(options, *kept);
    sockline_io_client socket = 0;
    detail::check(sockline_io_manager_socket(raw_, detail::borrow(nsp), &raw, &callbacks, kept.get(), &socket));
    kept.release(); // on_freed frees them
    Client owner(socket);
    given_.insert(std::move(name));
    return owner;
}

} // namespace sockline::io

#endif // SOCKLINE_IO_CLIENT_HPP
