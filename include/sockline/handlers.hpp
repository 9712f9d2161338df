// Servers, upgrade requests, and the callbacks of connections and servers. Included by sockline.hpp.

#ifndef SOCKLINE_HANDLERS_HPP
#define SOCKLINE_HANDLERS_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "websocket.hpp"

namespace sockline {

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

} // namespace sockline

#endif // SOCKLINE_HANDLERS_HPP
