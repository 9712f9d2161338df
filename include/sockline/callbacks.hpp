// What stands between C's callbacks and those of C++. Included by sockline.hpp.

#ifndef SOCKLINE_CALLBACKS_HPP
#define SOCKLINE_CALLBACKS_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "handlers.hpp"
#include "routes.hpp"

namespace sockline {

namespace detail {

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
    ServerTarget(ServerHandlers given, std::vector<Route> served) : own(std::move(given)), routes(std::move(served)) {}
    const Handlers &handlers() const noexcept override { return own; }

    ServerHandlers own;
    /// C has pointers to them.
    std::vector<Route> routes;
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

} // namespace detail

} // namespace sockline

#endif // SOCKLINE_CALLBACKS_HPP
