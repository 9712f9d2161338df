// Errors, and what turns C's strings and statuses into C++'s. Included by sockline.hpp.

#ifndef SOCKLINE_ERROR_HPP
#define SOCKLINE_ERROR_HPP

#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../sockline.h"

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

} // namespace detail

inline Error::Error(const sockline_error_event &event)
    : Error(event.status, std::string(detail::view(event.text))) {
    response_.status = event.http_status;
    response_.headers = detail::copy(event.response_headers, event.response_header_count);
    response_.body = std::string(detail::view(event.response_body.data, event.response_body.len));
    tls_error_ = event.tls_error;
}

} // namespace sockline

#endif // SOCKLINE_ERROR_HPP
