// Socket.IO: what events bring and take. Included by sockline.hpp.

#ifndef SOCKLINE_IO_VALUES_HPP
#define SOCKLINE_IO_VALUES_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "error.hpp"

namespace sockline::io {

/// The binary values that came with an event; borrowed as the event is.
class Attachments {
public:
    Attachments() noexcept = default;
    Attachments(const sockline_bytes *data, std::size_t count) noexcept : data_(data), count_(count) {}

    std::size_t size() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    std::string_view operator[](std::size_t index) const noexcept {
        return detail::view(data_[index].data, data_[index].len);
    }
    const sockline_bytes *data() const noexcept { return data_; }

private:
    const sockline_bytes *data_ = nullptr;
    std::size_t count_ = 0;
};

/// The binary values that go with an event: a value of it that is to be binary is {"_placeholder":true,"num":0} with the number of
/// its attachment. Borrowed from what it is made of.
class Binary {
public:
    Binary() noexcept = default;
    Binary(std::initializer_list<std::string_view> values) {
        for (std::string_view value : values) items_.push_back({value.data(), value.size()});
    }
    Binary(const std::vector<std::string> &values) : items_(detail::borrow_bytes(values)) {}
    Binary(Attachments received) : items_(received.data(), received.data() + received.size()) {}

    const sockline_bytes *data() const noexcept { return items_.data(); }
    std::size_t size() const noexcept { return items_.size(); }

private:
    std::vector<sockline_bytes> items_;
};

/// The answer that the other side waits for: to be sent once, here or later, from any thread.
class Ack {
public:
    using Send = sockline_status (*)(sockline_io_ack, sockline_string, const sockline_bytes *, std::size_t);
    Ack(sockline_io_ack raw, Send send) noexcept : raw_(raw), send_(send) {}

    /// Whether the other side waits for one.
    explicit operator bool() const noexcept { return raw_ != 0; }
    /// args are JSON values with commas between them. False as for Socket::emit.
    bool operator()(std::string_view args = {}, const Binary &binary = {}) const {
        return detail::check(send_(raw_, detail::borrow(args), binary.data(), binary.size())) == SOCKLINE_OK;
    }

private:
    sockline_io_ack raw_;
    Send send_;
};

/// An event that came; all but ack is borrowed until the callback returns.
struct Event {
    std::string_view name;
    /// JSON values with commas between them, or empty.
    std::string_view args;
    /// The same with the name before them, in brackets.
    std::string_view array;
    Attachments attachments;
    Ack ack;
};

/// What has become of an event that asks for an answer; borrowed until the callback returns.
struct Answer {
    sockline_io_outcome outcome;
    std::string_view args;
    Attachments attachments;

    /// Whether there is one: it has come in time, and before the socket was disconnected.
    explicit operator bool() const noexcept { return outcome == SOCKLINE_IO_ANSWERED; }
};

/// Is called exactly once for each event that was accepted.
using OnAnswer = std::function<void(const Answer &)>;

/// One client's answer to a broadcast.
struct Response {
    std::string_view args;
    Attachments attachments;
};

/// The answers to a broadcast; borrowed until the callback returns.
struct Answers {
    std::vector<Response> responses;
    /// How many sockets had been asked.
    std::size_t expected;
    bool timed_out;
};

/// Is called exactly once for each broadcast that was accepted.
using OnAnswers = std::function<void(const Answers &)>;

/// How to send one event.
struct EmitOptions {
    /// Dropped if the other side can't be written to right now.
    bool is_volatile = false;
    /// Nothing: by length.
    std::optional<bool> compress;
    /// How long an answer is waited for, in milliseconds; 0: until the socket is disconnected.
    std::uint64_t timeout_ms = 0;
};

/// The request that began a session (socket.handshake); borrowed until the callback that brings it returns.
class Handshake {
public:
    explicit Handshake(const sockline_io_request *raw) noexcept : raw_(raw) {}

    std::string_view url() const noexcept { return detail::view(raw_->url); }
    std::string_view address() const noexcept { return detail::view(raw_->address); }
    std::uint64_t issued_ms() const noexcept { return raw_->issued_ms; }
    bool is_secure() const noexcept { return raw_->is_secure != 0; }
    bool is_cross_domain() const noexcept { return raw_->is_cross_domain != 0; }
    /// Whether its session has begun, and goes over to the WebSocket that it asks for.
    bool is_upgrade() const noexcept { return raw_->is_upgrade != 0; }
    /// The first value of this name in the query.
    std::optional<std::string_view> query(std::string_view name) const noexcept {
        return find(raw_->query, raw_->query_count, name);
    }
    /// The first header of this name, which is in lower case.
    std::optional<std::string_view> header(std::string_view name) const noexcept {
        return find(raw_->headers, raw_->header_count, name);
    }
    Headers headers() const { return detail::copy(raw_->headers, raw_->header_count); }

private:
    static std::optional<std::string_view> find(const sockline_header *from, std::size_t count,
                                                std::string_view name) noexcept {
        for (std::size_t i = 0; i < count; i++)
            if (detail::view(from[i].name) == name) return detail::view(from[i].value);
        return std::nullopt;
    }

    const sockline_io_request *raw_;
};

/// Callbacks by the names of events; those that are not here have on_event.
template <typename Source> using Listeners = std::map<std::string, std::function<void(Source, const Event &)>, std::less<>>;

namespace detail {

using sockline::detail::borrow;
using sockline::detail::check;
using sockline::detail::contain;
using sockline::detail::view;

inline Event event(const sockline_io_event &event, Ack::Send send) noexcept {
    return {view(event.name), view(event.args), view(event.array), Attachments(event.attachments, event.attachment_count),
            Ack(event.ack, send)};
}

/// A switch as C has them, with 0 where nothing is said.
inline std::int32_t position(std::optional<bool> given) noexcept { return !given ? 0 : *given ? 1 : -1; }

inline sockline_io_emit_options raw(const EmitOptions &options) noexcept {
    sockline_io_emit_options out = SOCKLINE_IO_EMIT_OPTIONS_INIT;
    out.is_volatile = options.is_volatile ? 1 : 0;
    out.compress = position(options.compress);
    out.timeout_ms = options.timeout_ms;
    return out;
}

/// Calls what waits for the answer, which is an event's token, and frees it. False if an exception left it.
inline bool answered(const sockline_io_ack_event &event) noexcept {
    std::unique_ptr<OnAnswer> waits(static_cast<OnAnswer *>(event.token));
    Answer answer{static_cast<sockline_io_outcome>(event.outcome), view(event.args),
                  Attachments(event.attachments, event.attachment_count)};
    return !waits || !*waits || contain("an answer's callback", [&] { (*waits)(answer); });
}

/// Hands a function over to a call that gives it back once, as a token, unless it fails.
template <typename Function, typename Call> auto hand_over(Function function, Call &&call) {
    auto kept = std::make_unique<Function>(std::move(function));
    auto result = call(static_cast<void *>(kept.get()));
    kept.release();
    return result;
}

/// Calls the listener of an event, or on_event.
template <typename Handlers, typename Source>
void hear(const Handlers &handlers, Source source, const Event &event) {
    auto found = handlers.events.find(event.name);
    const auto &call = found == handlers.events.end() ? handlers.on_event : found->second;
    if (call) call(source, event);
}

} // namespace detail

} // namespace sockline::io

#endif // SOCKLINE_IO_VALUES_HPP
