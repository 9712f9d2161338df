// Connections that the application makes, and names that it looks up. Included by sockline.hpp.

#ifndef SOCKLINE_DIALING_HPP
#define SOCKLINE_DIALING_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "error.hpp"

namespace sockline {

/// A connection that is wanted. To be answered once, now or later, on any thread; also if nobody waits for it any more.
class Dialing {
public:
    Dialing(sockline_dialing raw, const sockline_dial_request &request)
        : raw_(raw), host_(detail::view(request.host)), port_(static_cast<std::uint16_t>(request.port)),
          is_secure_(request.is_secure != 0) {}

    /// The URL's host, without an IPv6 address's brackets.
    const std::string &host() const noexcept { return host_; }
    std::uint16_t port() const noexcept { return port_; }
    /// Whether the URL asks for TLS.
    bool is_secure() const noexcept { return is_secure_; }

    /// Here it is: a connected TCP or Unix socket, which is taken over, also by an exception. TLS begins on it if the URL asks for that.
    void connected(std::int64_t descriptor) const { detail::check(sockline_dial_connected(raw_, descriptor, 0)); }
    /// Here it is, and TLS is the application's: what goes over it here is plain.
    void secured(std::int64_t descriptor) const { detail::check(sockline_dial_connected(raw_, descriptor, 1)); }
    /// There is none, and why.
    void failed(std::string_view why) const { detail::check(sockline_dial_failed(raw_, detail::borrow(why))); }

private:
    sockline_dialing raw_;
    std::string host_;
    std::uint16_t port_;
    bool is_secure_;
};

/// Makes connections in place of the library, on the loop's thread, which must not wait for it. An exception that leaves it is logged,
/// and there is no connection.
using OnDial = std::function<void(const Dialing &)>;

/// A host's IP addresses, the best one first, on threads of the library's that may block; on several at once. An exception says why there
/// are none.
using OnLookup = std::function<std::vector<std::string>(const std::string &host)>;

namespace detail {

inline sockline_dial borrow(const OnDial *given) noexcept {
    sockline_dial out = SOCKLINE_DIAL_INIT;
    out.on_dial = [](sockline_dialing raw, const sockline_dial_request *request, void *user_data) {
        const OnDial &call = *static_cast<const OnDial *>(user_data);
        if (contain("dial", [&] { call(Dialing(raw, *request)); })) return;
        sockline_dial_failed(raw, sockline_str("an exception left dial")); // unless it was answered before
    };
    out.on_freed = [](void *user_data) { delete static_cast<const OnDial *>(user_data); };
    out.user_data = const_cast<OnDial *>(given);
    return out;
}

inline void look_up(const OnLookup &call, sockline_string host, sockline_addresses *addresses) noexcept {
    try {
        for (const std::string &address : call(std::string(view(host)))) check(sockline_lookup_add(addresses, borrow(address)));
    } catch (const std::exception &error) {
        sockline_lookup_failed(addresses, sockline_str(error.what()));
    } catch (...) {
        sockline_lookup_failed(addresses, sockline_str("not a std::exception"));
    }
}

inline sockline_lookup borrow(const OnLookup *given) noexcept {
    sockline_lookup out = SOCKLINE_LOOKUP_INIT;
    out.on_lookup = [](sockline_string host, sockline_addresses *addresses, void *user_data) {
        look_up(*static_cast<const OnLookup *>(user_data), host, addresses);
    };
    out.on_freed = [](void *user_data) { delete static_cast<const OnLookup *>(user_data); };
    out.user_data = const_cast<OnLookup *>(given);
    return out;
}

} // namespace detail

} // namespace sockline

#endif // SOCKLINE_DIALING_HPP
