// Socket.IO: clusters over Redis. Included by sockline.hpp.

#ifndef SOCKLINE_IO_CLUSTER_HPP
#define SOCKLINE_IO_CLUSTER_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io_values.hpp"

namespace sockline::io {

/// A cluster over Redis: the fields of sockline_redis_options, with C++'s strings. 0 means the default.
struct RedisOptions {
    std::string url;
    sockline_redis_mode mode = SOCKLINE_REDIS_CLASSIC;
    std::string key;
    std::uint64_t requests_timeout_ms = 0;
    bool publish_on_specific_response_channel = false;
    sockline_redis_subscription subscription_mode = SOCKLINE_REDIS_DYNAMIC;
    std::string stream_name;
    std::uint64_t stream_count = 0;
    std::uint64_t max_len = 0;
    std::uint64_t read_count = 0;
    std::string session_key_prefix;
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    bool insecure = false;
    std::uint64_t command_timeout_ms = 0;
    std::uint64_t ping_interval_ms = 0;
    std::uint64_t max_queued = 0;
    std::string channel;
    std::string sentinel_user;
    std::string sentinel_password;
    bool sentinel_tls = false;
};

/// The callbacks of a connection to Redis, on a thread of its own; they must not wait. An exception that leaves one is logged.
struct RedisHandlers {
    std::function<void(std::string_view text)> on_error;
    std::function<void()> on_connected;
    std::function<void(std::string_view why)> on_disconnected;
    std::function<void()> on_closed;
};

/// What has become of what was sent before: SOCKLINE_OK if all has arrived at Redis. Called exactly once.
using OnFlushed = std::function<void(sockline_status status)>;

namespace detail {

inline const RedisHandlers &redis(void *user_data) noexcept { return *static_cast<RedisHandlers *>(user_data); }

inline sockline_redis_handlers redis_callbacks() noexcept {
    sockline_redis_handlers out = SOCKLINE_REDIS_HANDLERS_INIT;
    out.on_error = [](sockline_string text, void *user_data) {
        const auto &call = redis(user_data).on_error;
        if (call) contain("on_error", [&] { call(view(text)); });
    };
    out.on_connected = [](void *user_data) {
        const auto &call = redis(user_data).on_connected;
        if (call) contain("on_connected", [&] { call(); });
    };
    out.on_disconnected = [](sockline_string why, void *user_data) {
        const auto &call = redis(user_data).on_disconnected;
        if (call) contain("on_disconnected", [&] { call(view(why)); });
    };
    out.on_closed = [](void *user_data) {
        const auto &call = redis(user_data).on_closed;
        if (call) contain("on_closed", [&] { call(); });
    };
    out.on_freed = [](void *user_data) { delete static_cast<RedisHandlers *>(user_data); };
    return out;
}

inline sockline_redis_options raw(const RedisOptions &given) noexcept {
    auto text = [](const std::string &string) { return borrow(std::string_view(string)); };
    sockline_redis_options out = SOCKLINE_REDIS_OPTIONS_INIT;
    out.url = text(given.url);
    out.mode = given.mode;
    out.key = text(given.key);
    out.requests_timeout_ms = given.requests_timeout_ms;
    out.publish_on_specific_response_channel = given.publish_on_specific_response_channel ? 1 : 0;
    out.subscription_mode = given.subscription_mode;
    out.stream_name = text(given.stream_name);
    out.stream_count = given.stream_count;
    out.max_len = given.max_len;
    out.read_count = given.read_count;
    out.session_key_prefix = text(given.session_key_prefix);
    out.ca_file = text(given.ca_file);
    out.certificate_file = text(given.certificate_file);
    out.key_file = text(given.key_file);
    out.insecure = given.insecure ? 1 : 0;
    out.command_timeout_ms = given.command_timeout_ms;
    out.ping_interval_ms = given.ping_interval_ms;
    out.max_queued = given.max_queued;
    out.channel = text(given.channel);
    out.sentinel_user = text(given.sentinel_user);
    out.sentinel_password = text(given.sentinel_password);
    out.sentinel_tls = given.sentinel_tls ? 1 : 0;
    return out;
}

inline void flushed(sockline_status status, void *context) noexcept {
    std::unique_ptr<OnFlushed> waits(static_cast<OnFlushed *>(context));
    if (*waits) contain("flush", [&] { (*waits)(status); });
}

} // namespace detail

/// A connection to Redis, for one Socket.IO server (ServerOptions::redis) and any number of listeners (sockline::ServerOptions::redis)
/// and emitters, which keep what they need of it. It ends when all of them are gone.
class Redis {
public:
    explicit Redis(const RedisOptions &options, RedisHandlers handlers = {}) {
        auto kept = std::make_unique<RedisHandlers>(std::move(handlers));
        sockline_redis_options raw = detail::raw(options);
        sockline_redis_handlers callbacks = detail::redis_callbacks();
        sockline_redis *made = nullptr;
        detail::check(sockline_redis_new(&raw, &callbacks, kept.get(), &made));
        kept.release(); // on_freed frees them
        raw_.reset(made);
    }

    sockline_redis *raw() const noexcept { return raw_.get(); }
    bool connected() const noexcept { return sockline_redis_connected(raw()) != 0; }
    /// How many messages were dropped.
    std::uint64_t dropped() const noexcept { return sockline_redis_dropped(raw()); }
    void flush(OnFlushed on_flushed) const {
        detail::hand_over(std::move(on_flushed), [&](void *context) {
            return detail::check(sockline_redis_flush(raw(), detail::flushed, context));
        });
    }
    /// Ends the connection, also for the servers that have it.
    void close() const { detail::check(sockline_redis_close(raw())); }

private:
    struct Free {
        void operator()(sockline_redis *raw) const noexcept { sockline_redis_free(raw); }
    };
    std::unique_ptr<sockline_redis, Free> raw_;
};

/// Which sockets of the cluster a call is for, as Target; of an Emitter, which has to live as long.
class EmitterTarget {
public:
    EmitterTarget(sockline_emitter *emitter, std::string nsp) : emitter_(emitter), nsp_(std::move(nsp)) {}

    EmitterTarget to(std::string room) const {
        return with([&](EmitterTarget &out) { out.rooms_.push_back(std::move(room)); });
    }
    EmitterTarget except(std::string room) const {
        return with([&](EmitterTarget &out) { out.except_.push_back(std::move(room)); });
    }
    /// Dropped for clients that can't be written to right now.
    EmitterTarget as_volatile() const {
        return with([](EmitterTarget &out) { out.is_volatile_ = true; });
    }
    EmitterTarget compress(bool compress) const {
        return with([&](EmitterTarget &out) { out.compress_ = compress; });
    }

    void emit(std::string_view name, std::string_view args = {}, const Binary &binary = {}) const {
        call([&](const sockline_emitter_target *raw) {
            return sockline_emitter_emit(emitter_, raw, detail::borrow(name), detail::borrow(args), binary.data(), binary.size());
        });
    }
    void sockets_join(const std::vector<std::string> &rooms) const {
        std::vector<sockline_string> names = detail::borrow(rooms);
        call([&](const sockline_emitter_target *raw) {
            return sockline_emitter_join(emitter_, raw, names.data(), names.size());
        });
    }
    void sockets_leave(const std::vector<std::string> &rooms) const {
        std::vector<sockline_string> names = detail::borrow(rooms);
        call([&](const sockline_emitter_target *raw) {
            return sockline_emitter_leave(emitter_, raw, names.data(), names.size());
        });
    }
    void disconnect_sockets(bool close = false) const {
        call([&](const sockline_emitter_target *raw) { return sockline_emitter_disconnect(emitter_, raw, close ? 1 : 0); });
    }
    /// All servers hear it, whatever sockets this is for.
    void server_side_emit(std::string_view name, std::string_view args = {}, const Binary &binary = {}) const {
        detail::check(sockline_emitter_server_side_emit(emitter_, detail::borrow(std::string_view(nsp_)), detail::borrow(name),
                                                        detail::borrow(args), binary.data(), binary.size()));
    }

private:
    template <typename Change> EmitterTarget with(Change &&change) const {
        EmitterTarget out = *this;
        change(out);
        return out;
    }

    template <typename Call> void call(Call &&act) const {
        std::vector<sockline_string> rooms = detail::borrow(rooms_), except = detail::borrow(except_);
        sockline_emitter_target raw = SOCKLINE_EMITTER_TARGET_INIT;
        raw.nsp = detail::borrow(std::string_view(nsp_));
        raw.rooms = rooms.data();
        raw.room_count = rooms.size();
        raw.except = except.data();
        raw.except_count = except.size();
        raw.is_volatile = is_volatile_ ? 1 : 0;
        raw.compress = compress_ ? 0 : -1;
        detail::check(act(&raw));
    }

    sockline_emitter *emitter_;
    std::string nsp_;
    std::vector<std::string> rooms_, except_;
    bool is_volatile_ = false, compress_ = true;
};

/// Sends events to the clients of a cluster (SOCKLINE_REDIS_CLASSIC) from a process that needs no server.
class Emitter {
public:
    explicit Emitter(const Redis &redis) : Emitter(redis.raw(), {}) {}
    /// With a connection of its own.
    explicit Emitter(std::string_view url) : Emitter(nullptr, url) {}

    sockline_emitter *raw() const noexcept { return raw_.get(); }
    /// The sockets of a namespace: all, those in a room of "/", those not in it.
    EmitterTarget of(std::string nsp) const { return EmitterTarget(raw(), std::move(nsp)); }
    EmitterTarget to(std::string room) const { return of("/").to(std::move(room)); }
    EmitterTarget except(std::string room) const { return of("/").except(std::move(room)); }
    void emit(std::string_view name, std::string_view args = {}, const Binary &binary = {}) const {
        of("/").emit(name, args, binary);
    }
    void server_side_emit(std::string_view name, std::string_view args = {}, const Binary &binary = {}) const {
        of("/").server_side_emit(name, args, binary);
    }
    /// To the subscribers of a topic, at all listeners of the cluster.
    void publish(std::string_view topic, std::string_view text) const { publish(topic, SOCKLINE_TEXT, text); }
    void publish(std::string_view topic, sockline_message_type type, std::string_view data) const {
        detail::check(sockline_emitter_publish(raw(), topic.data(), topic.size(), type, data.data(), data.size()));
    }
    /// A process that ends before on_flushed may lose what it has sent.
    void flush(OnFlushed on_flushed) const {
        detail::hand_over(std::move(on_flushed), [&](void *context) {
            return detail::check(sockline_emitter_flush(raw(), detail::flushed, context));
        });
    }

private:
    Emitter(sockline_redis *redis, std::string_view url) {
        sockline_emitter *made = nullptr;
        detail::check(sockline_emitter_new(redis, detail::borrow(url), &made));
        raw_.reset(made);
    }

    struct Free {
        void operator()(sockline_emitter *raw) const noexcept { sockline_emitter_free(raw); }
    };
    std::unique_ptr<sockline_emitter, Free> raw_;
};

} // namespace sockline::io

#endif // SOCKLINE_IO_CLUSTER_HPP
