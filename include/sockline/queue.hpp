// Events that are pulled. Included by sockline.hpp.

#ifndef SOCKLINE_QUEUE_HPP
#define SOCKLINE_QUEUE_HPP

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "error.hpp"

namespace sockline {

/// Events that wait to be pulled by a thread of yours; destroying it drops them, and its connections go on unheard.
class Queue {
public:
    /// doorbell is called on a loop's thread when an event comes into the empty queue; 0 means the default bounds.
    explicit Queue(std::function<void()> doorbell = {}, std::uint64_t max_events = 0, std::uint64_t max_bytes = 0)
        : doorbell_(std::make_unique<std::function<void()>>(std::move(doorbell))) {
        auto ring = [](void *bell) { detail::contain("doorbell", *static_cast<std::function<void()> *>(bell)); };
        detail::check(sockline_queue_new(max_events, max_bytes, *doorbell_ ? +ring : nullptr, doorbell_.get(), &raw_));
    }
    ~Queue() { sockline_queue_free(raw_); }
    Queue(Queue &&other) noexcept : doorbell_(std::move(other.doorbell_)), raw_(std::exchange(other.raw_, nullptr)) {}
    Queue &operator=(Queue &&other) noexcept {
        std::swap(doorbell_, other.doorbell_);
        std::swap(raw_, other.raw_);
        return *this;
    }
    Queue(const Queue &) = delete;
    Queue &operator=(const Queue &) = delete;

    sockline_queue *raw() const noexcept { return raw_; }

    /// The oldest event, borrowed until the next call; nullptr if nothing waits, then the doorbell rings for the next.
    const sockline_queued_event *pop() {
        const sockline_queued_event *event = nullptr;
        detail::check(sockline_queue_pop(raw_, &event));
        return event;
    }

private:
    std::unique_ptr<std::function<void()>> doorbell_; // it stays where it is when the queue is moved
    sockline_queue *raw_ = nullptr;
};

} // namespace sockline

#endif // SOCKLINE_QUEUE_HPP
