// HTTP requests that the application answers itself. Included by sockline.hpp.

#ifndef SOCKLINE_ROUTES_HPP
#define SOCKLINE_ROUTES_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "error.hpp"

namespace sockline {

/// An HTTP request; borrowed until on_request returns.
class HttpRequest {
public:
    explicit HttpRequest(const sockline_http_request *raw) noexcept : raw_(raw) {}

    std::string_view method() const noexcept { return detail::view(raw_->method); }
    /// As it was sent, still percent-encoded; as is the query.
    std::string_view path() const noexcept { return detail::view(raw_->path); }
    std::optional<std::string_view> query() const noexcept {
        return raw_->query.data == nullptr ? std::nullopt : std::optional<std::string_view>(detail::view(raw_->query));
    }
    std::string_view remote_address() const noexcept { return detail::view(raw_->remote_address); }
    bool is_secure() const noexcept { return raw_->is_secure != 0; }
    std::string_view body() const noexcept { return detail::view(raw_->body.data, raw_->body.len); }
    /// The first header of this name, in whatever case.
    std::optional<std::string_view> header(std::string_view name) const noexcept {
        for (std::size_t i = 0; i < raw_->header_count; i++)
            if (is_same(detail::view(raw_->headers[i].name), name)) return detail::view(raw_->headers[i].value);
        return std::nullopt;
    }
    /// All of them in order, copied; names in lower case.
    Headers headers() const { return detail::copy(raw_->headers, raw_->header_count); }

private:
    static bool is_same(std::string_view lower, std::string_view name) noexcept {
        if (lower.size() != name.size()) return false;
        for (std::size_t i = 0; i < name.size(); i++) {
            char letter = name[i] >= 'A' && name[i] <= 'Z' ? static_cast<char>(name[i] - 'A' + 'a') : name[i];
            if (lower[i] != letter) return false;
        }
        return true;
    }

    const sockline_http_request *raw_;
};

/// The answer that is owed to a request: a number, to be used once, on any thread.
class Exchange {
public:
    explicit Exchange(sockline_exchange raw = 0) noexcept : raw_(raw) {}

    sockline_exchange raw() const noexcept { return raw_; }
    bool operator==(Exchange other) const noexcept { return raw_ == other.raw_; }
    bool operator!=(Exchange other) const noexcept { return raw_ != other.raw_; }

    /// Answers; Content-Length is added.
    void respond(int status, std::string_view body = {}, const Headers &headers = {}) const {
        std::vector<sockline_header> raw = detail::borrow(headers);
        detail::check(sockline_respond(raw_, status, raw.data(), raw.size(), body.data(), body.size()));
    }
    /// Leaves the request to the server, which answers as if it had no routes.
    void pass() const { detail::check(sockline_pass(raw_)); }

private:
    sockline_exchange raw_;
};

/// Paths of a server that the application answers itself: the fields of sockline_route. An exception that leaves on_request is
/// logged, and the client gets status 500.
struct Route {
    std::string path;
    /// Takes all paths that begin with it.
    bool is_prefix = false;
    /// In bytes; 0: 1 MiB.
    std::uint64_t max_body = 0;
    /// Answer or pass, here or later from any thread.
    std::function<void(Exchange, const HttpRequest &)> on_request;
    /// The client went away before the answer, or the server has closed: the exchange ends.
    std::function<void(Exchange)> on_cut;
};

namespace detail {

/// For C; they are to stay where they are until on_server_closed.
inline std::vector<sockline_route> borrow(std::vector<Route> &routes) {
    std::vector<sockline_route> out;
    out.reserve(routes.size());
    for (Route &route : routes) {
        sockline_route raw = SOCKLINE_ROUTE_INIT;
        raw.path = borrow(std::string_view(route.path));
        raw.is_prefix = route.is_prefix ? 1 : 0;
        raw.max_body = route.max_body;
        raw.user_data = &route;
        if (route.on_request)
            raw.on_request = [](sockline_exchange exchange, const sockline_http_request *request, void *user_data) {
                const auto &call = static_cast<const Route *>(user_data)->on_request;
                if (contain("on_request", [&] { call(Exchange(exchange), HttpRequest(request)); })) return;
                sockline_respond(exchange, 500, nullptr, 0, nullptr, 0); // unless it was answered before the exception
            };
        raw.on_cut = [](sockline_exchange exchange, void *user_data) {
            const auto &call = static_cast<const Route *>(user_data)->on_cut;
            if (call) contain("on_cut", [&] { call(Exchange(exchange)); });
        };
        out.push_back(raw);
    }
    return out;
}

} // namespace detail

} // namespace sockline

#endif // SOCKLINE_ROUTES_HPP
