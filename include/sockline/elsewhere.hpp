// Requests that another HTTP server of the process has read. Included by sockline.hpp.

#ifndef SOCKLINE_ELSEWHERE_HPP
#define SOCKLINE_ELSEWHERE_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "handlers.hpp"
#include "routes.hpp"

namespace sockline {

/// A request as it is given to a server; borrowed for the call.
struct GivenRequest {
    std::string_view method;
    /// Path and query, as they were sent.
    std::string_view target;
    Headers headers;
    std::string_view body;
    /// Such as "192.0.2.7:4711", or without the port.
    std::string_view remote_address;
    bool is_secure = false;
};

/// An answer for the other server to send; borrowed until answered returns. 101 is followed by upgraded().
class HttpAnswer {
public:
    explicit HttpAnswer(const sockline_http_answer *raw) noexcept : raw_(raw) {}

    int status() const noexcept { return raw_->status; }
    /// In order, copied.
    Headers headers() const { return detail::copy(raw_->headers, raw_->header_count); }
    std::string_view body() const noexcept { return detail::view(raw_->body.data, raw_->body.len); }

private:
    const sockline_http_answer *raw_;
};

/// Called once, on the loop's thread; without an answer if there is none, because of cut() or because the loop has ended.
using Answered = std::function<void(Exchange, const HttpAnswer *)>;

namespace detail {

/// The struct of C's, with what it points to.
struct RawRequest {
    explicit RawRequest(const GivenRequest &given) : headers(borrow(given.headers)) {
        raw.method = borrow(given.method);
        raw.path = borrow(given.target);
        raw.remote_address = borrow(given.remote_address);
        raw.headers = headers.data();
        raw.header_count = headers.size();
        raw.body = {given.body.data(), given.body.size()};
        raw.is_secure = given.is_secure ? 1 : 0;
    }
    RawRequest(const RawRequest &) = delete;
    RawRequest &operator=(const RawRequest &) = delete;

    sockline_http_request raw = SOCKLINE_HTTP_REQUEST_INIT;

private:
    std::vector<sockline_header> headers;
};

} // namespace detail

/// Serves a request that another HTTP server has read, and whose answer that sends; a server that is there only for this has
/// ServerOptions::nowhere.
inline Exchange handle_request(Server server, const GivenRequest &request, Answered answered) {
    detail::RawRequest raw(request);
    auto owned = std::make_unique<Answered>(std::move(answered));
    auto tell = [](sockline_exchange exchange, const sockline_http_answer *answer, void *user_data) {
        std::unique_ptr<Answered> call(static_cast<Answered *>(user_data));
        HttpAnswer shown(answer);
        detail::contain("answered", [&] { (*call)(Exchange(exchange), answer == nullptr ? nullptr : &shown); });
    };
    sockline_exchange exchange = 0;
    detail::check(sockline_server_handle_request(server.raw(), &raw.raw, tell, owned.get(), &exchange));
    owned.release(); // the call frees it, and may have done so already
    return Exchange(exchange);
}

/// Hands over the connection of a client that has got its 101; the descriptor is taken over, also by an exception.
inline void upgraded(Exchange exchange, std::int64_t descriptor, std::string_view rest = {}) {
    detail::check(sockline_upgraded(exchange.raw(), descriptor, rest.data(), rest.size()));
}

/// The client has gone. Says whether that came before the answer, or the WebSocket's connection.
inline bool cut(Exchange exchange) noexcept { return sockline_cut(exchange.raw()) == SOCKLINE_OK; }

/// Takes over a connection whose request another server has read, and to which it has sent nothing; the descriptor is taken over, also
/// by an exception.
inline void adopt(Server server, std::int64_t descriptor, const GivenRequest &request, std::string_view rest = {}) {
    detail::RawRequest raw(request);
    detail::check(sockline_server_adopt(server.raw(), descriptor, &raw.raw, rest.data(), rest.size()));
}

} // namespace sockline

#endif // SOCKLINE_ELSEWHERE_HPP
