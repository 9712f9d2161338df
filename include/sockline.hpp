// sockline for C++17: the objects of sockline.h with std::function callbacks, std::string_view messages and exceptions.
//
//     sockline::Handlers handlers;
//     handlers.on_open = [](sockline::WebSocket ws) { ws.send("hello"); };
//     handlers.on_message = [](sockline::WebSocket, sockline::Message message) { std::cout << message.data << '\n'; };
//
//     sockline::Loop loop;
//     sockline::connect(loop, "ws://localhost:3000/", std::move(handlers));
//     loop.run();
//
// What things mean, and which thread may do what, is said in sockline.h; here is only what differs:
//
//   Ownership  A Loop owns its connections and servers: destroying it ends them. WebSocket and Server are numbers;
//              copy them freely. Handlers belong to the library until the last callback has returned.
//   Errors     Calls that can fail throw sockline::Error. send() returns whether to go on sending.
//   Callbacks  An exception that leaves a callback is logged (sockline_set_log), and its connection is closed with
//              1011. It never passes through C.

#ifndef SOCKLINE_HPP
#define SOCKLINE_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockline.h"

namespace sockline {

/// Headers of a request or response, in order.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// What a server answered instead of upgrading.
struct Response {
    int status = 0;
    Headers headers;
    std::string body;
};

/// A failed call: its status, and what sockline_last_error_text() said. In on_error and on_reconnecting, also what a
/// server answered, for SOCKLINE_ERR_REFUSED, and what was wrong with TLS.
class Error : public std::runtime_error {
public:
    Error(sockline_status status, const std::string &text) : std::runtime_error(text), status_(status) {}
    explicit inline Error(const sockline_error_event &event);

    sockline_status status() const noexcept { return status_; }
    /// status 0 unless a server has answered.
    const Response &response() const noexcept { return response_; }
    /// One of enum sockline_tls_error, or 0.
    int tls_error() const noexcept { return tls_error_; }

private:
    sockline_status status_;
    Response response_;
    int tls_error_ = 0;
};

/// A whole message; borrowed until on_message returns.
struct Message {
    sockline_message_type type;
    std::string_view data;

    bool is_text() const noexcept { return type == SOCKLINE_TEXT; }
};

/// A part of a message, of a text whole characters; borrowed until on_message_part returns.
struct MessagePart {
    sockline_message_type type;
    std::string_view data;
    bool is_first;
    bool is_last;
};

/// How a connection ended.
struct CloseEvent {
    int code;
    std::string reason;
    bool was_clean;
};

/// A lost connection, to which another attempt follows.
struct Reconnecting {
    unsigned attempt;
    std::uint64_t delay_ms;
    int code;
    std::string reason;
    /// Empty if the peer closed in good order.
    std::optional<Error> error;
};

/// What is about to be asked for again; borrowed until on_attempt returns.
class Attempt {
public:
    explicit Attempt(sockline_attempt *raw) noexcept : raw_(raw) {}

    inline unsigned number() const noexcept { return sockline_attempt_number(raw_); }
    inline void set_url(const std::string &url) const;
    /// An empty value leaves the header out.
    inline void set_header(std::string_view name, std::string_view value) const;

private:
    sockline_attempt *raw_;
};

namespace detail {

inline sockline_status check(sockline_status status) {
    if (status < 0) throw Error(status, sockline_last_error_text());
    return status;
}

inline sockline_string borrow(std::string_view text) noexcept {
    return {text.data(), text.size()};
}

inline std::string_view view(sockline_string text) noexcept {
    return {text.data, text.len};
}

inline std::string_view view(const void *data, std::size_t len) noexcept {
    return {static_cast<const char *>(data), len};
}

/// Calls a function that writes text as snprintf does.
template <typename Function> std::string text(Function &&write) {
    std::string out(write(nullptr, std::size_t{0}), '\0');
    std::size_t whole = write(out.data(), out.size() + 1);
    if (whole < out.size()) out.resize(whole); // it has ended meanwhile
    return out;
}

inline std::vector<sockline_header> borrow(const Headers &headers) {
    std::vector<sockline_header> out;
    out.reserve(headers.size());
    for (const auto &[name, value] : headers) out.push_back({borrow(name), borrow(value)});
    return out;
}

inline Headers copy(const sockline_header *headers, std::size_t count) {
    Headers out;
    for (std::size_t i = 0; i < count; i++)
        out.emplace_back(std::string(view(headers[i].name)), std::string(view(headers[i].value)));
    return out;
}

inline std::vector<sockline_string> borrow(const std::vector<std::string> &texts) {
    std::vector<sockline_string> out;
    out.reserve(texts.size());
    for (const std::string &text : texts) out.push_back(borrow(std::string_view(text)));
    return out;
}

inline std::vector<sockline_bytes> borrow_bytes(const std::vector<std::string> &blobs) {
    std::vector<sockline_bytes> out;
    out.reserve(blobs.size());
    for (const std::string &blob : blobs) out.push_back({blob.data(), blob.size()});
    return out;
}

} // namespace detail

inline Error::Error(const sockline_error_event &event)
    : Error(event.status, std::string(detail::view(event.text))) {
    response_.status = event.http_status;
    response_.headers = detail::copy(event.response_headers, event.response_header_count);
    response_.body = std::string(detail::view(event.response_body.data, event.response_body.len));
    tls_error_ = event.tls_error;
}

inline void Attempt::set_url(const std::string &url) const {
    detail::check(sockline_attempt_set_url(raw_, url.c_str()));
}

inline void Attempt::set_header(std::string_view name, std::string_view value) const {
    detail::check(sockline_attempt_set_header(raw_, detail::borrow(name), detail::borrow(value)));
}

struct Handlers;

/// A connection: a number, like sockline_ws.
class WebSocket {
public:
    explicit WebSocket(sockline_ws raw = 0) noexcept : raw_(raw) {}

    sockline_ws raw() const noexcept { return raw_; }
    bool operator==(WebSocket other) const noexcept { return raw_ == other.raw_; }
    bool operator!=(WebSocket other) const noexcept { return raw_ != other.raw_; }

    /// Sends text; false: it was accepted, but wait for on_drain before sending more; or the policy for slow consumers has
    /// dropped it.
    bool send(std::string_view text) const { return send(SOCKLINE_TEXT, text); }
    bool send_binary(std::string_view data) const { return send(SOCKLINE_BINARY, data); }
    bool send_binary(const void *data, std::size_t len) const { return send(SOCKLINE_BINARY, detail::view(data, len)); }
    bool send(sockline_message_type type, std::string_view data) const {
        return detail::check(sockline_send(raw_, type, data.data(), data.size())) == SOCKLINE_OK;
    }

    /// Sends with options; Handlers::on_sent tells what becomes of a message with wants_result. False: wait for on_drain,
    /// or the policy for slow consumers has dropped it.
    bool send_with(sockline_message_type type, std::string_view data, const sockline_send_options &options) const {
        return detail::check(sockline_send_with(raw_, type, data.data(), data.size(), &options)) == SOCKLINE_OK;
    }

    /// Sends a part of a message; the one with is_last ends it. False as for send.
    bool send_part(sockline_message_type type, std::string_view data, bool is_last) const {
        return detail::check(sockline_send_part(raw_, type, data.data(), data.size(), is_last)) == SOCKLINE_OK;
    }

    void ping(std::string_view data = {}) const { detail::check(sockline_ping(raw_, data.data(), data.size())); }
    void pong(std::string_view data = {}) const { detail::check(sockline_pong(raw_, data.data(), data.size())); }
    void pause() const { detail::check(sockline_pause(raw_)); }
    void resume() const { detail::check(sockline_resume(raw_)); }
    void terminate() const { detail::check(sockline_terminate(raw_)); }
    void close(int code = 1000, std::string_view reason = {}) const {
        detail::check(sockline_close(raw_, code, reason.data(), reason.size()));
    }

    /// Topics of the server that this connection came to, with wildcards as in MQTT.
    void subscribe(std::string_view filter) const {
        detail::check(sockline_subscribe(raw_, filter.data(), filter.size()));
    }
    void unsubscribe(std::string_view filter) const {
        detail::check(sockline_unsubscribe(raw_, filter.data(), filter.size()));
    }
    void publish(std::string_view topic, std::string_view text, bool include_self = true) const {
        publish(topic, SOCKLINE_TEXT, text, include_self);
    }
    void publish(std::string_view topic, sockline_message_type type, std::string_view data, bool include_self = true) const {
        detail::check(sockline_publish(raw_, topic.data(), topic.size(), type, data.data(), data.size(), include_self ? 1 : -1));
    }

    /// Accepts an upgrade request, in on_upgrade or later; without handlers the connection has the server's.
    inline void accept(std::string_view subprotocol = {}, const Headers &headers = {}) const;
    inline void accept(Handlers handlers, std::string_view subprotocol = {}, const Headers &headers = {}) const;
    /// Refuses an upgrade request with an HTTP status, a body and headers.
    inline void refuse(int status, std::string_view body = {}, const Headers &headers = {}) const;

    sockline_state ready_state() const noexcept { return static_cast<sockline_state>(sockline_ready_state(raw_)); }
    std::uint64_t buffered_amount() const noexcept { return sockline_buffered_amount(raw_); }
    std::string protocol() const { return text(sockline_protocol); }
    std::string extensions() const { return text(sockline_extensions); }
    std::string url() const { return text(sockline_url); }
    std::string remote_address() const { return text(sockline_remote_address); }
    std::string local_address() const { return text(sockline_local_address); }
    /// A header of the server's 101 response, for a client's connection.
    std::string response_header(std::string_view name) const {
        return detail::text([&](char *buffer, std::size_t capacity) {
            return sockline_response_header(raw_, detail::borrow(name), buffer, capacity);
        });
    }
    /// How long each step to the open connection took, in microseconds; -1 for a step that was not needed.
    sockline_timings timings() const {
        sockline_timings timings = SOCKLINE_TIMINGS_INIT;
        detail::check(sockline_ws_timings(raw_, &timings));
        return timings;
    }
    /// The connection's counters.
    sockline_connection_metrics metrics() const {
        sockline_connection_metrics metrics = SOCKLINE_CONNECTION_METRICS_INIT;
        detail::check(sockline_ws_metrics(raw_, &metrics));
        return metrics;
    }
    /// What was agreed on in the TLS handshake; version is 0 without one.
    sockline_tls_info tls_info() const {
        sockline_tls_info info = SOCKLINE_TLS_INFO_INIT;
        detail::check(sockline_ws_tls_info(raw_, &info));
        return info;
    }
    /// The peer's certificate in DER; empty if there is none.
    std::string peer_certificate() const {
        std::string out(sockline_ws_peer_certificate(raw_, nullptr, 0), '\0');
        std::size_t whole = sockline_ws_peer_certificate(raw_, out.data(), out.size());
        out.resize(whole < out.size() ? whole : out.size());
        return out;
    }
    /// The round trip of the last answered ping in milliseconds.
    std::optional<std::int64_t> latency() const noexcept {
        std::int64_t latency = sockline_latency(raw_);
        return latency < 0 ? std::nullopt : std::optional<std::int64_t>(latency);
    }

private:
    std::string text(std::size_t (*function)(sockline_ws, char *, std::size_t)) const {
        return detail::text([&](char *buffer, std::size_t capacity) { return function(raw_, buffer, capacity); });
    }

    sockline_ws raw_;
};

/// A listening server: a number, like sockline_server.
class Server {
public:
    explicit Server(sockline_server raw = 0) noexcept : raw_(raw) {}

    sockline_server raw() const noexcept { return raw_; }
    bool operator==(Server other) const noexcept { return raw_ == other.raw_; }
    bool operator!=(Server other) const noexcept { return raw_ != other.raw_; }

    std::uint16_t port() const noexcept { return sockline_server_port(raw_); }
    std::string address() const {
        return detail::text([&](char *buffer, std::size_t room) { return sockline_server_address(raw_, buffer, room); });
    }

    void broadcast(std::string_view text) const { broadcast(SOCKLINE_TEXT, text); }
    void broadcast(sockline_message_type type, std::string_view data) const {
        detail::check(sockline_broadcast(raw_, type, data.data(), data.size()));
    }

    /// Publishes to all subscribers of a topic.
    void publish(std::string_view topic, std::string_view text) const { publish(topic, SOCKLINE_TEXT, text); }
    void publish(std::string_view topic, sockline_message_type type, std::string_view data) const {
        detail::check(sockline_server_publish(raw_, topic.data(), topic.size(), type, data.data(), data.size()));
    }

    /// The server's counters, over all its threads.
    sockline_server_metrics metrics() const {
        sockline_server_metrics metrics = SOCKLINE_SERVER_METRICS_INIT;
        detail::check(sockline_server_get_metrics(raw_, &metrics));
        return metrics;
    }
    /// The same as Prometheus reads it.
    std::string metrics_text() const {
        return detail::text([&](char *buffer, std::size_t room) { return sockline_server_metrics_text(raw_, buffer, room); });
    }

    /// Stops listening, closes connections with 1001 one after the other, and cuts what is left at the deadline.
    void drain(std::uint64_t deadline_ms) const { detail::check(sockline_server_drain(raw_, deadline_ms)); }
    /// Stops listening and closes all connections with this code; with code 0 they live on.
    void close(int code = 1001, std::string_view reason = {}) const {
        detail::check(sockline_server_close(raw_, code, reason.data(), reason.size()));
    }

private:
    sockline_server raw_;
};

/// A client's request for an upgrade; borrowed until on_upgrade returns.
class Request {
public:
    explicit Request(const sockline_request *raw) noexcept : raw_(raw) {}

    Server server() const noexcept { return Server(raw_->server); }
    std::string_view path() const noexcept { return detail::view(raw_->path); }
    std::optional<std::string_view> query() const noexcept { return optional(raw_->query); }
    std::string_view remote_address() const noexcept { return detail::view(raw_->remote_address); }
    /// The first header of this name, in whatever case.
    std::optional<std::string_view> header(std::string_view name) const noexcept {
        return optional(sockline_request_header(raw_, detail::borrow(name)));
    }
    std::vector<std::string_view> subprotocols() const {
        std::vector<std::string_view> out;
        for (std::size_t i = 0; i < raw_->subprotocol_count; i++) out.push_back(detail::view(raw_->subprotocols[i]));
        return out;
    }

private:
    static std::optional<std::string_view> optional(sockline_string text) noexcept {
        return text.data == nullptr ? std::nullopt : std::optional<std::string_view>(detail::view(text));
    }

    const sockline_request *raw_;
};

/// The callbacks of a connection. Those that are empty ignore the event.
struct Handlers {
    std::function<void(WebSocket)> on_open;
    std::function<void(WebSocket, Message)> on_message;
    /// Instead of on_message, if settings.message_parts is 1.
    std::function<void(WebSocket, MessagePart)> on_message_part;
    std::function<void(WebSocket, std::string_view)> on_ping;
    std::function<void(WebSocket, std::string_view)> on_pong;
    std::function<void(WebSocket)> on_drain;
    /// token: that of sockline_send_options; outcome: one of enum sockline_send_outcome.
    std::function<void(WebSocket, void *token, sockline_send_outcome outcome)> on_sent;
    std::function<void(WebSocket, const Reconnecting &)> on_reconnecting;
    std::function<void(WebSocket, const Attempt &)> on_attempt;
    std::function<void(WebSocket)> on_reconnected;
    std::function<void(WebSocket, const Error &)> on_error;
    std::function<void(WebSocket, const CloseEvent &)> on_close;
};

/// The callbacks of a server, and those that its connections have unless their accept names others.
struct ServerHandlers : Handlers {
    /// Answer with accept or refuse on the WebSocket, here or later from any thread. Empty: every request is accepted.
    std::function<void(WebSocket, const Request &)> on_upgrade;
    std::function<void(Server)> on_server_closed;
};

/// A certificate with its key: PEM or DER.
struct Identity {
    std::string certificates;
    std::string private_key;
};

/// The fields of sockline_tls_client_options, with C++'s strings.
struct TlsClientOptions {
    std::vector<std::string> ca;
    bool platform_roots = true;
    std::optional<Identity> identity;
    std::string server_name;
    /// SHA-256 hashes of 32 bytes each.
    std::vector<std::string> pins;
    sockline_tls_version min_version = SOCKLINE_TLS_1_2;
    bool insecure = false;
};

/// The fields of sockline_tls_server_options, with C++'s strings.
struct TlsServerOptions {
    std::vector<Identity> identities;
    std::vector<std::string> client_ca;
    bool require_client_certificate = false;
    sockline_tls_version min_version = SOCKLINE_TLS_1_2;
};

/// How connections are secured; may be destroyed as soon as connections and servers were given it.
class Tls {
public:
    explicit inline Tls(const TlsClientOptions &options);
    explicit inline Tls(const TlsServerOptions &options);
    ~Tls() { sockline_tls_free(raw_); }
    Tls(Tls &&other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
    Tls &operator=(Tls &&other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    Tls(const Tls &) = delete;
    Tls &operator=(const Tls &) = delete;

    sockline_tls *raw() const noexcept { return raw_; }
    /// A server's: other certificates from the next handshake on.
    inline void reload(const std::vector<Identity> &identities);

private:
    sockline_tls *raw_ = nullptr;
};

namespace detail {

inline sockline_identity borrow(const Identity &identity) noexcept {
    return {{identity.certificates.data(), identity.certificates.size()},
            {identity.private_key.data(), identity.private_key.size()}};
}

inline std::vector<sockline_identity> borrow(const std::vector<Identity> &identities) {
    std::vector<sockline_identity> out;
    for (const Identity &identity : identities) out.push_back(borrow(identity));
    return out;
}

} // namespace detail

inline Tls::Tls(const TlsClientOptions &options) {
    std::vector<sockline_bytes> ca = detail::borrow_bytes(options.ca);
    std::string pins;
    for (const std::string &pin : options.pins) {
        if (pin.size() != 32) throw Error(SOCKLINE_ERR_INVALID_ARGUMENT, "a pin is a SHA-256 hash of 32 bytes");
        pins += pin;
    }
    sockline_identity identity{};
    if (options.identity) identity = detail::borrow(*options.identity);
    sockline_tls_client_options raw = SOCKLINE_TLS_CLIENT_OPTIONS_INIT;
    raw.ca = ca.data();
    raw.ca_count = ca.size();
    raw.platform_roots = options.platform_roots ? 1 : -1;
    raw.identity = options.identity ? &identity : nullptr;
    raw.server_name = detail::borrow(std::string_view(options.server_name));
    raw.pins = pins.data();
    raw.pin_count = options.pins.size();
    raw.min_version = options.min_version;
    raw.insecure = options.insecure ? 1 : 0;
    detail::check(sockline_tls_client_new(&raw, &raw_));
}

inline Tls::Tls(const TlsServerOptions &options) {
    std::vector<sockline_identity> identities = detail::borrow(options.identities);
    std::vector<sockline_bytes> client_ca = detail::borrow_bytes(options.client_ca);
    sockline_tls_server_options raw = SOCKLINE_TLS_SERVER_OPTIONS_INIT;
    raw.identities = identities.data();
    raw.identity_count = identities.size();
    raw.client_ca = client_ca.data();
    raw.client_ca_count = client_ca.size();
    raw.require_client_certificate = options.require_client_certificate ? 1 : 0;
    raw.min_version = options.min_version;
    detail::check(sockline_tls_server_new(&raw, &raw_));
}

inline void Tls::reload(const std::vector<Identity> &identities) {
    std::vector<sockline_identity> raw = detail::borrow(identities);
    detail::check(sockline_tls_reload(raw_, raw.data(), raw.size()));
}

/// How to connect: the fields of sockline_options, with C++'s strings. 0 means the default.
struct Options {
    std::vector<std::string> subprotocols;
    Headers headers;
    std::uint64_t handshake_timeout_ms = 0;
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    /// In place of what settings points to.
    std::optional<sockline_compression> compression;
    std::optional<sockline_tcp_options> tcp;
    /// Empty text: none. Nothing: what the environment says.
    std::optional<std::string> proxy;
    std::string local_address;
    const Tls *tls = nullptr;
    const Tls *proxy_tls = nullptr;
    unsigned max_redirects = 0;
    Headers cookies;
    std::optional<sockline_reconnect> reconnect;
};

/// How to listen: the fields of sockline_server_options, with C++'s strings. 0 means the default.
struct ServerOptions {
    std::string host;
    std::uint16_t port = 0;
    unsigned threads = 0;
    std::string unix_socket;
    std::string path;
    std::string static_folder;
    std::uint64_t handshake_timeout_ms = 0;
    sockline_settings settings = SOCKLINE_SETTINGS_INIT;
    /// In place of what settings points to.
    std::optional<sockline_compression> compression;
    std::optional<sockline_tcp_options> tcp;
    const Tls *tls = nullptr;
    std::uint64_t max_connections = 0;
    std::uint64_t max_connections_per_address = 0;
    std::uint64_t max_requests = 0;
    std::vector<std::string> origins;
    std::string metrics_path;
};

/// Owns its connections and servers; destroying it ends them, with their last callbacks.
class Loop {
public:
    Loop() { detail::check(sockline_loop_new(nullptr, &raw_)); }
    explicit Loop(const sockline_loop_options &options) { detail::check(sockline_loop_new(&options, &raw_)); }
    ~Loop() { sockline_loop_free(raw_); }
    Loop(Loop &&other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
    Loop &operator=(Loop &&other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    Loop(const Loop &) = delete;
    Loop &operator=(const Loop &) = delete;

    sockline_loop *raw() const noexcept { return raw_; }

    void run() { detail::check(sockline_loop_run(raw_)); }
    void start() { detail::check(sockline_loop_start(raw_)); }
    int fd() const noexcept { return sockline_loop_fd(raw_); }
    /// In milliseconds; -1 for never.
    std::int64_t next_timeout() const noexcept { return sockline_loop_next_timeout(raw_); }
    /// False once the loop was stopped.
    bool poll(std::int64_t timeout_ms) { return detail::check(sockline_loop_poll(raw_, timeout_ms)) != SOCKLINE_STOPPED; }
    void flush() { detail::check(sockline_loop_flush(raw_)); }
    void wake() { detail::check(sockline_loop_wake(raw_)); }
    void stop() { detail::check(sockline_loop_stop(raw_)); }
    void shutdown(std::uint64_t within_ms) { detail::check(sockline_loop_shutdown(raw_, within_ms)); }

private:
    sockline_loop *raw_ = nullptr;
};

namespace detail {

inline void report(const char *callback, const char *what) noexcept {
    try {
        std::string text = std::string("an exception left ") + callback + ": " + what;
        sockline_log(SOCKLINE_LOG_ERROR, text.data(), text.size());
    } catch (...) { // no memory for the text
        sockline_log(SOCKLINE_LOG_ERROR, callback, std::char_traits<char>::length(callback));
    }
}

/// Runs a callback; false if an exception left it.
template <typename Act> bool contain(const char *callback, Act &&act) noexcept {
    try {
        act();
        return true;
    } catch (const std::exception &error) {
        report(callback, error.what());
    } catch (...) {
        report(callback, "not a std::exception");
    }
    return false;
}

/// The same for a connection's callback: the connection is closed then.
template <typename Act> void contain(sockline_ws ws, const char *callback, Act &&act) noexcept {
    if (!contain(callback, std::forward<Act>(act))) sockline_close(ws, 1011, nullptr, 0);
}

// Behind a connection's user_data is what its callbacks are in; `owned` ones are freed with their connection.
struct Target {
    virtual ~Target() = default;
    virtual const Handlers &handlers() const noexcept = 0;
    virtual void connection_closed() noexcept {}
};

struct ConnectionTarget final : Target {
    explicit ConnectionTarget(Handlers given) : own(std::move(given)) {}
    const Handlers &handlers() const noexcept override { return own; }
    void connection_closed() noexcept override { delete this; }

    Handlers own;
};

struct ServerTarget final : Target {
    explicit ServerTarget(ServerHandlers given) : own(std::move(given)) {}
    const Handlers &handlers() const noexcept override { return own; }

    ServerHandlers own;
};

inline const Handlers &handlers(void *user_data) noexcept {
    return static_cast<Target *>(user_data)->handlers();
}

inline sockline_handlers callbacks() noexcept {
    sockline_handlers out = SOCKLINE_HANDLERS_INIT;
    out.on_open = [](sockline_ws ws, void *user_data) {
        const auto &call = handlers(user_data).on_open;
        if (call) contain(ws, "on_open", [&] { call(WebSocket(ws)); });
    };
    out.on_message = [](sockline_ws ws, std::int32_t type, const void *data, std::size_t len, void *user_data) {
        const auto &call = handlers(user_data).on_message;
        Message message{static_cast<sockline_message_type>(type), view(data, len)};
        if (call) contain(ws, "on_message", [&] { call(WebSocket(ws), message); });
    };
    out.on_message_part = [](sockline_ws ws, std::int32_t type, const void *data, std::size_t len, std::int32_t edges,
                             void *user_data) {
        const auto &call = handlers(user_data).on_message_part;
        MessagePart part{static_cast<sockline_message_type>(type), view(data, len), (edges & SOCKLINE_PART_FIRST) != 0,
                         (edges & SOCKLINE_PART_LAST) != 0};
        if (call) contain(ws, "on_message_part", [&] { call(WebSocket(ws), part); });
    };
    out.on_ping = [](sockline_ws ws, const void *data, std::size_t len, void *user_data) {
        const auto &call = handlers(user_data).on_ping;
        if (call) contain(ws, "on_ping", [&] { call(WebSocket(ws), view(data, len)); });
    };
    out.on_pong = [](sockline_ws ws, const void *data, std::size_t len, void *user_data) {
        const auto &call = handlers(user_data).on_pong;
        if (call) contain(ws, "on_pong", [&] { call(WebSocket(ws), view(data, len)); });
    };
    out.on_drain = [](sockline_ws ws, void *user_data) {
        const auto &call = handlers(user_data).on_drain;
        if (call) contain(ws, "on_drain", [&] { call(WebSocket(ws)); });
    };
    out.on_sent = [](sockline_ws ws, void *token, std::int32_t outcome, void *user_data) {
        const auto &call = handlers(user_data).on_sent;
        auto known = static_cast<sockline_send_outcome>(outcome);
        if (call) contain(ws, "on_sent", [&] { call(WebSocket(ws), token, known); });
    };
    out.on_reconnecting = [](sockline_ws ws, const sockline_reconnecting_event *event, void *user_data) {
        const auto &call = handlers(user_data).on_reconnecting;
        if (call)
            contain(ws, "on_reconnecting", [&] {
                Reconnecting lost{event->attempt, event->delay_ms, event->code, std::string(view(event->reason)), {}};
                if (event->error != nullptr) lost.error.emplace(*event->error);
                call(WebSocket(ws), lost);
            });
    };
    out.on_attempt = [](sockline_ws ws, sockline_attempt *attempt, void *user_data) {
        const auto &call = handlers(user_data).on_attempt;
        if (call) contain(ws, "on_attempt", [&] { call(WebSocket(ws), Attempt(attempt)); });
    };
    out.on_reconnected = [](sockline_ws ws, void *user_data) {
        const auto &call = handlers(user_data).on_reconnected;
        if (call) contain(ws, "on_reconnected", [&] { call(WebSocket(ws)); });
    };
    out.on_error = [](sockline_ws ws, const sockline_error_event *event, void *user_data) {
        const auto &call = handlers(user_data).on_error;
        if (call) contain(ws, "on_error", [&] { call(WebSocket(ws), Error(*event)); });
    };
    out.on_close = [](sockline_ws ws, const sockline_close_event *event, void *user_data) {
        const auto &call = handlers(user_data).on_close;
        if (call)
            contain("on_close", [&] {
                call(WebSocket(ws), CloseEvent{event->code, std::string(view(event->reason)), event->was_clean != 0});
            });
        static_cast<Target *>(user_data)->connection_closed();
    };
    return out;
}

inline sockline_handlers server_callbacks(const ServerTarget &target) noexcept {
    sockline_handlers out = callbacks();
    if (target.own.on_upgrade) {
        out.on_upgrade = [](sockline_ws ws, const sockline_request *request, void *user_data) {
            const auto &call = static_cast<ServerTarget *>(static_cast<Target *>(user_data))->own.on_upgrade;
            if (contain("on_upgrade", [&] { call(WebSocket(ws), Request(request)); })) return;
            sockline_refusal refusal = SOCKLINE_REFUSAL_INIT;
            refusal.status = 500;
            sockline_refuse(ws, &refusal); // unless it was answered before the exception
        };
    }
    out.on_server_closed = [](sockline_server server, void *user_data) {
        std::unique_ptr<ServerTarget> target(static_cast<ServerTarget *>(static_cast<Target *>(user_data)));
        const auto &call = target->own.on_server_closed;
        if (call) contain("on_server_closed", [&] { call(Server(server)); });
    };
    return out;
}

/// Borrows from what is given.
template <typename Given> sockline_settings settings(const Given &given) noexcept {
    sockline_settings out = given.settings;
    if (given.compression) out.compression = &*given.compression;
    if (given.tcp) out.tcp = &*given.tcp;
    return out;
}

/// With handlers, or with a queue.
inline WebSocket connect(sockline_loop *loop, const std::string &url, const Options &options,
                         const sockline_handlers *handlers, sockline_queue *queue, void *user_data) {
    std::vector<sockline_string> subprotocols = borrow(options.subprotocols);
    std::vector<sockline_header> headers = borrow(options.headers), cookies = borrow(options.cookies);
    sockline_settings settings = detail::settings(options);
    sockline_options raw = SOCKLINE_OPTIONS_INIT;
    raw.subprotocols = subprotocols.data();
    raw.subprotocol_count = subprotocols.size();
    raw.headers = headers.data();
    raw.header_count = headers.size();
    raw.handshake_timeout_ms = options.handshake_timeout_ms;
    raw.settings = &settings;
    raw.queue = queue;
    raw.proxy = options.proxy ? options.proxy->c_str() : nullptr;
    raw.local_address = borrow(std::string_view(options.local_address));
    raw.tls = options.tls ? options.tls->raw() : nullptr;
    raw.proxy_tls = options.proxy_tls ? options.proxy_tls->raw() : nullptr;
    raw.max_redirects = options.max_redirects;
    raw.cookies = cookies.data();
    raw.cookie_count = cookies.size();
    raw.reconnect = options.reconnect ? &*options.reconnect : nullptr;
    sockline_ws ws = 0;
    check(sockline_connect(loop, url.c_str(), &raw, handlers, user_data, &ws));
    return WebSocket(ws);
}

inline WebSocket connect(sockline_loop *loop, const std::string &url, Handlers handlers, const Options &options) {
    auto target = std::make_unique<ConnectionTarget>(std::move(handlers));
    sockline_handlers callbacks = detail::callbacks();
    Target *user_data = target.get();
    WebSocket ws = connect(loop, url, options, &callbacks, nullptr, user_data);
    target.release(); // on_close frees it, and may have done so already
    return ws;
}

/// With handlers, or with a queue.
inline Server listen(sockline_loop *loop, const ServerOptions &options, const sockline_handlers *handlers,
                     sockline_queue *queue, void *user_data) {
    std::vector<sockline_string> origins = borrow(options.origins);
    sockline_settings settings = detail::settings(options);
    sockline_server_options raw = SOCKLINE_SERVER_OPTIONS_INIT;
    raw.host = borrow(options.host);
    raw.port = options.port;
    raw.threads = options.threads;
    raw.unix_socket = borrow(options.unix_socket);
    raw.path = borrow(options.path);
    raw.static_folder = borrow(options.static_folder);
    raw.handshake_timeout_ms = options.handshake_timeout_ms;
    raw.settings = &settings;
    raw.queue = queue;
    raw.tls = options.tls ? options.tls->raw() : nullptr;
    raw.max_connections = options.max_connections;
    raw.max_connections_per_address = options.max_connections_per_address;
    raw.max_requests = options.max_requests;
    raw.metrics_path = borrow(std::string_view(options.metrics_path));
    raw.origins = origins.data();
    raw.origin_count = origins.size();
    sockline_server server = 0;
    check(sockline_listen(loop, &raw, handlers, user_data, &server));
    return Server(server);
}

inline Server listen(sockline_loop *loop, const ServerOptions &options, ServerHandlers handlers) {
    auto target = std::make_unique<ServerTarget>(std::move(handlers));
    sockline_handlers callbacks = server_callbacks(*target);
    Target *user_data = target.get();
    Server server = listen(loop, options, &callbacks, nullptr, user_data);
    target.release(); // on_server_closed frees it
    return server;
}

inline sockline_accept_options accept_options(std::string_view subprotocol, const std::vector<sockline_header> &headers) {
    sockline_accept_options out = SOCKLINE_ACCEPT_OPTIONS_INIT;
    out.subprotocol = borrow(subprotocol);
    out.headers = headers.data();
    out.header_count = headers.size();
    return out;
}

} // namespace detail

/// Events that wait to be pulled by a thread of yours; destroying it drops them, and its connections go on unheard.
class Queue {
public:
    /// doorbell is called on a loop's thread when an event comes into the empty queue; 0 means the default bounds.
    explicit Queue(std::function<void()> doorbell = {}, std::uint64_t max_events = 0, std::uint64_t max_bytes = 0)
        : doorbell_(std::make_unique<std::function<void()>>(std::move(doorbell))) {
        auto ring = [](void *bell) { detail::contain("doorbell", *static_cast<std::function<void()> *>(bell)); };
        detail::check(sockline_queue_new(max_events, max_bytes, *doorbell_ ? +ring : nullptr, doorbell_.get(), &raw_));
    }
    ~Queue() { sockline_queue_free(raw_); }
    Queue(Queue &&other) noexcept : doorbell_(std::move(other.doorbell_)), raw_(std::exchange(other.raw_, nullptr)) {}
    Queue &operator=(Queue &&other) noexcept {
        std::swap(doorbell_, other.doorbell_);
        std::swap(raw_, other.raw_);
        return *this;
    }
    Queue(const Queue &) = delete;
    Queue &operator=(const Queue &) = delete;

    sockline_queue *raw() const noexcept { return raw_; }

    /// The oldest event, borrowed until the next call; nullptr if nothing waits, then the doorbell rings for the next.
    const sockline_queued_event *pop() {
        const sockline_queued_event *event = nullptr;
        detail::check(sockline_queue_pop(raw_, &event));
        return event;
    }

private:
    std::unique_ptr<std::function<void()>> doorbell_; // it stays where it is when the queue is moved
    sockline_queue *raw_ = nullptr;
};

/// Starts to connect; on_open follows, or on_error and on_close.
inline WebSocket connect(Loop &loop, const std::string &url, Handlers handlers, const Options &options = {}) {
    return detail::connect(loop.raw(), url, std::move(handlers), options);
}

/// The same on the library's default loop, whose callbacks run on a thread of the library's.
inline WebSocket connect(const std::string &url, Handlers handlers, const Options &options = {}) {
    return detail::connect(nullptr, url, std::move(handlers), options);
}

/// Starts to connect; what happens waits in the queue.
inline WebSocket connect(Loop &loop, const std::string &url, Queue &queue, const Options &options = {}) {
    return detail::connect(loop.raw(), url, options, nullptr, queue.raw(), nullptr);
}

/// Listens; the port is known when this returns.
inline Server listen(Loop &loop, const ServerOptions &options, ServerHandlers handlers) {
    return detail::listen(loop.raw(), options, std::move(handlers));
}

/// Listens; every upgrade is accepted, and what happens to the connections waits in the queue.
inline Server listen(Loop &loop, const ServerOptions &options, Queue &queue) {
    return detail::listen(loop.raw(), options, nullptr, queue.raw(), nullptr);
}

/// The same on the library's default loop, whose callbacks run on a thread of the library's.
inline Server listen(const ServerOptions &options, ServerHandlers handlers) {
    return detail::listen(nullptr, options, std::move(handlers));
}

inline void WebSocket::accept(std::string_view subprotocol, const Headers &headers) const {
    std::vector<sockline_header> raw = detail::borrow(headers);
    sockline_accept_options options = detail::accept_options(subprotocol, raw);
    detail::check(sockline_accept(raw_, &options));
}

inline void WebSocket::accept(Handlers handlers, std::string_view subprotocol, const Headers &headers) const {
    std::vector<sockline_header> raw = detail::borrow(headers);
    sockline_accept_options options = detail::accept_options(subprotocol, raw);
    sockline_handlers callbacks = detail::callbacks();
    auto target = std::make_unique<detail::ConnectionTarget>(std::move(handlers));
    options.handlers = &callbacks;
    options.user_data = static_cast<detail::Target *>(target.get());
    detail::check(sockline_accept(raw_, &options));
    target.release(); // on_close frees it
}

inline void WebSocket::refuse(int status, std::string_view body, const Headers &headers) const {
    std::vector<sockline_header> raw = detail::borrow(headers);
    sockline_refusal refusal = SOCKLINE_REFUSAL_INIT;
    refusal.status = static_cast<std::uint64_t>(status);
    refusal.headers = raw.data();
    refusal.header_count = raw.size();
    refusal.body = body.data();
    refusal.body_len = body.size();
    detail::check(sockline_refuse(raw_, &refusal));
}

} // namespace sockline

#endif // SOCKLINE_HPP
