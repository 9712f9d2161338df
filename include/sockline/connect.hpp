// Connecting, listening, and answers to upgrade requests. Included by sockline.hpp.

#ifndef SOCKLINE_CONNECT_HPP
#define SOCKLINE_CONNECT_HPP

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "callbacks.hpp"
#include "io_cluster.hpp"
#include "io_server.hpp"
#include "loop.hpp"
#include "options.hpp"
#include "queue.hpp"

namespace sockline {

namespace detail {

/// Borrows from what is given.
template <typename Given> sockline_settings settings(const Given &given) noexcept {
    sockline_settings out = given.settings;
    if (given.compression) out.compression = &*given.compression;
    if (given.tcp) out.tcp = &*given.tcp;
    return out;
}

/// The struct of C's, with what it points to; it borrows from what is given.
struct RawOptions {
    explicit RawOptions(const Options &given)
        : subprotocols(borrow(given.subprotocols)), headers(borrow(given.headers)), cookies(borrow(given.cookies)),
          settings(detail::settings(given)) {
        raw.subprotocols = subprotocols.data();
        raw.subprotocol_count = subprotocols.size();
        raw.headers = headers.data();
        raw.header_count = headers.size();
        raw.handshake_timeout_ms = given.handshake_timeout_ms;
        raw.settings = &settings;
        raw.proxy = given.proxy ? given.proxy->c_str() : nullptr;
        raw.local_address = borrow(std::string_view(given.local_address));
        raw.tls = given.tls ? given.tls->raw() : nullptr;
        raw.proxy_tls = given.proxy_tls ? given.proxy_tls->raw() : nullptr;
        raw.max_redirects = given.max_redirects;
        raw.cookies = cookies.data();
        raw.cookie_count = cookies.size();
        raw.reconnect = given.reconnect ? &*given.reconnect : nullptr;
        raw.keep_request = given.keep_request;
        raw.connect_to_host = borrow(std::string_view(given.connect_to_host));
        raw.connect_to_port = given.connect_to_port;
        raw.socket = given.socket;
        if (given.dial) {
            on_dial = std::make_unique<OnDial>(given.dial);
            dial = borrow(on_dial.get());
            raw.dial = &dial;
        }
        if (given.lookup) {
            on_lookup = std::make_unique<OnLookup>(given.lookup);
            lookup = borrow(on_lookup.get());
            raw.lookup = &lookup;
        }
    }
    RawOptions(const RawOptions &) = delete;
    RawOptions &operator=(const RawOptions &) = delete;

    /// The call that was given them has succeeded: on_freed frees what is called, and may have done so already.
    void taken() noexcept {
        on_dial.release();
        on_lookup.release();
    }

    sockline_options raw = SOCKLINE_OPTIONS_INIT;

private:
    std::vector<sockline_string> subprotocols;
    std::vector<sockline_header> headers, cookies;
    sockline_settings settings;
    std::unique_ptr<const OnDial> on_dial;
    std::unique_ptr<const OnLookup> on_lookup;
    sockline_dial dial = SOCKLINE_DIAL_INIT;
    sockline_lookup lookup = SOCKLINE_LOOKUP_INIT;
};

/// With handlers, or with a queue.
inline WebSocket connect(sockline_loop *loop, const std::string &url, const Options &options,
                         const sockline_handlers *handlers, sockline_queue *queue, void *user_data) {
    RawOptions raw(options);
    raw.raw.queue = queue;
    sockline_ws ws = 0;
    check(sockline_connect(loop, url.c_str(), &raw.raw, handlers, user_data, &ws));
    raw.taken();
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
inline Server listen(sockline_loop *loop, const ServerOptions &options, const std::vector<sockline_route> &routes,
                     const sockline_handlers *handlers, sockline_queue *queue, void *user_data) {
    std::vector<sockline_string> origins = borrow(options.origins);
    std::vector<sockline_io_server> io;
    for (const io::Server *one : options.io) io.push_back(one->raw());
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
    raw.routes = routes.data();
    raw.route_count = routes.size();
    raw.io = io.data();
    raw.io_count = io.size();
    raw.adapter = borrow(std::string_view(options.adapter));
    raw.redis = options.redis ? options.redis->raw() : nullptr;
    raw.reuse_port = options.reuse_port;
    raw.ipv6_only = options.ipv6_only;
    raw.nowhere = options.nowhere;
    sockline_server server = 0;
    check(sockline_listen(loop, &raw, handlers, user_data, &server));
    return Server(server);
}

inline Server listen(sockline_loop *loop, const ServerOptions &options, ServerHandlers handlers) {
    auto target = std::make_unique<ServerTarget>(std::move(handlers), options.routes);
    sockline_handlers callbacks = server_callbacks(*target);
    std::vector<sockline_route> routes = borrow(target->routes);
    Target *user_data = target.get();
    Server server = listen(loop, options, routes, &callbacks, nullptr, user_data);
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
    if (!options.routes.empty()) throw Error(SOCKLINE_ERR_INVALID_ARGUMENT, "routes need handlers, not a queue");
    return detail::listen(loop.raw(), options, {}, nullptr, queue.raw(), nullptr);
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

#endif // SOCKLINE_CONNECT_HPP
