// How to connect, and how to listen. Included by sockline.hpp.

#ifndef SOCKLINE_OPTIONS_HPP
#define SOCKLINE_OPTIONS_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dialing.hpp"
#include "routes.hpp"
#include "tls.hpp"

namespace sockline {

namespace io {
class Redis;
class Server;
} // namespace io

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
    /// For WebSocket::sent_header and sent_headers.
    bool keep_request = false;
    /// Makes each connection in place of the library. What it holds is destroyed with a copy of it that the library has, on any thread,
    /// and must not call the library then; that of lookup neither.
    OnDial dial;
    /// Looks names up in place of the system's resolver.
    OnLookup lookup;
    /// Where to connect to in place of the URL's host, its port, or both.
    std::string connect_to_host;
    std::uint16_t connect_to_port = 0;
    /// The descriptor of a connected socket to be used in place of making a connection. connect takes it over, unless it throws; managers of
    /// Socket.IO refuse it. 0: none.
    std::int64_t socket = 0;
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
    /// HTTP requests that the application answers itself; only with handlers, not with a queue.
    std::vector<Route> routes;
    /// Socket.IO servers that answer below their paths.
    std::vector<const io::Server *> io;
    /// What makes the server one of a cluster: a URL, or a connection that was made before.
    std::string adapter;
    const io::Redis *redis = nullptr;
    bool reuse_port = false;
    bool ipv6_only = false;
    /// Listens nowhere: requests and connections come from another HTTP server, see elsewhere.hpp.
    bool nowhere = false;
};

} // namespace sockline

#endif // SOCKLINE_OPTIONS_HPP
