// Connections, and what happens to them. Included by sockline.hpp.

#ifndef SOCKLINE_WEBSOCKET_HPP
#define SOCKLINE_WEBSOCKET_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "error.hpp"

namespace sockline {

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
    /// A header of the request as it was sent, for a client's connection with Options::keep_request.
    std::string sent_header(std::string_view name) const {
        return detail::text([&](char *buffer, std::size_t capacity) {
            return sockline_sent_header(raw_, detail::borrow(name), buffer, capacity);
        });
    }
    /// All of them, each with a line feed behind it.
    std::string sent_headers() const { return text(sockline_sent_headers); }
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

} // namespace sockline

#endif // SOCKLINE_WEBSOCKET_HPP
