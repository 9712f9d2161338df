// Event loops. Included by sockline.hpp.

#ifndef SOCKLINE_LOOP_HPP
#define SOCKLINE_LOOP_HPP

#include <cstdint>
#include <utility>

#include "error.hpp"

namespace sockline {

/// Owns its connections and servers; destroying it ends them, with their last callbacks.
class Loop {
public:
    Loop() { detail::check(sockline_loop_new(nullptr, &raw_)); }
    explicit Loop(const sockline_loop_options &options) { detail::check(sockline_loop_new(&options, &raw_)); }
    ~Loop() { sockline_loop_free(raw_); }
    Loop(Loop &&other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
    Loop &operator=(Loop &&other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    Loop(const Loop &) = delete;
    Loop &operator=(const Loop &) = delete;

    sockline_loop *raw() const noexcept { return raw_; }

    void run() { detail::check(sockline_loop_run(raw_)); }
    void start() { detail::check(sockline_loop_start(raw_)); }
    int fd() const noexcept { return sockline_loop_fd(raw_); }
    /// In milliseconds; -1 for never.
    std::int64_t next_timeout() const noexcept { return sockline_loop_next_timeout(raw_); }
    /// False once the loop was stopped.
    bool poll(std::int64_t timeout_ms) { return detail::check(sockline_loop_poll(raw_, timeout_ms)) != SOCKLINE_STOPPED; }
    /// Until there is something to do, for as long as a timer lets it; the next poll() knows what. No callback runs meanwhile.
    void wait(std::int64_t timeout_ms) { detail::check(sockline_loop_wait(raw_, timeout_ms)); }
    /// Looks for input again and again, for options.busy_poll_us; true if there is some: then poll, else wait.
    bool spin(std::int64_t timeout_ms) { return detail::check(sockline_loop_spin(raw_, timeout_ms)) == 1; }
    void flush() { detail::check(sockline_loop_flush(raw_)); }
    void wake() { detail::check(sockline_loop_wake(raw_)); }
    void stop() { detail::check(sockline_loop_stop(raw_)); }
    void shutdown(std::uint64_t within_ms) { detail::check(sockline_loop_shutdown(raw_, within_ms)); }

private:
    sockline_loop *raw_ = nullptr;
};

} // namespace sockline

#endif // SOCKLINE_LOOP_HPP
