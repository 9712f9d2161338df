// TLS. Included by sockline.hpp.

#ifndef SOCKLINE_TLS_HPP
#define SOCKLINE_TLS_HPP

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "error.hpp"

namespace sockline {

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

} // namespace sockline

#endif // SOCKLINE_TLS_HPP
