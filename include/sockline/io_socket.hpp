// Socket.IO: a server's sockets and namespaces, and calls for many sockets. Included by sockline.hpp.

#ifndef SOCKLINE_IO_SOCKET_HPP
#define SOCKLINE_IO_SOCKET_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io_values.hpp"

namespace sockline::io {

class Namespace;
class Target;

/// One client in one namespace: a number, like sockline_io_socket.
class Socket {
public:
    explicit Socket(sockline_io_socket raw = 0) noexcept : raw_(raw) {}

    sockline_io_socket raw() const noexcept { return raw_; }
    bool operator==(Socket other) const noexcept { return raw_ == other.raw_; }
    bool operator!=(Socket other) const noexcept { return raw_ != other.raw_; }

    /// Sends an event; args are JSON values with commas between them. False: it was accepted, but wait for on_drain before
    /// sending more; or it was dropped.
    bool emit(std::string_view name, std::string_view args = {}, const Binary &binary = {}, const EmitOptions &options = {}) const {
        return send(name, args, binary, detail::raw(options));
    }
    /// The same, and on_answer is called with what has become of it.
    bool emit_with_ack(std::string_view name, std::string_view args, OnAnswer on_answer, const Binary &binary = {},
                       const EmitOptions &options = {}) const {
        return detail::hand_over(std::move(on_answer), [&](void *token) {
            sockline_io_emit_options raw = detail::raw(options);
            raw.wants_ack = 1;
            raw.token = token;
            return send(name, args, binary, raw);
        });
    }

    void join(std::string_view room) const {
        sockline_string raw = detail::borrow(room);
        detail::check(sockline_io_join(raw_, &raw, 1));
    }
    void join_all(const std::vector<std::string> &rooms) const {
        std::vector<sockline_string> raw = detail::borrow(rooms);
        detail::check(sockline_io_join(raw_, raw.data(), raw.size()));
    }
    void leave(std::string_view room) const { detail::check(sockline_io_leave(raw_, detail::borrow(room))); }
    /// Those that it is in, its own among them.
    inline std::vector<std::string> rooms() const;

    /// The other sockets of its namespace: all, those in a room, those not in it.
    inline Target broadcast() const;
    inline Target to(std::string room) const;
    inline Target except(std::string room) const;

    inline Namespace nsp() const noexcept;
    std::string id() const { return text(sockline_io_socket_id); }
    std::string session_id() const { return text(sockline_io_socket_session_id); }
    /// What the client says of itself, as JSON.
    std::string auth() const { return text(sockline_io_socket_auth); }
    /// A JSON value that is kept with the socket (socket.data).
    std::string data() const { return text(sockline_io_socket_data); }
    void set_data(std::string_view json) const { detail::check(sockline_io_socket_set_data(raw_, detail::borrow(json))); }
    void *user_data() const noexcept { return sockline_io_socket_user_data(raw_); }
    /// A pointer of yours; free what it leads to in on_disconnect, or in on_connect_abandoned.
    void set_user_data(void *data) const { detail::check(sockline_io_socket_set_user_data(raw_, data)); }
    /// Calls read, before this returns. An exception of its goes through.
    inline void handshake(const std::function<void(const Handshake &)> &read) const;

    bool connected() const noexcept { return sockline_io_socket_connected(raw_) != 0; }
    bool recovered() const noexcept { return sockline_io_socket_recovered(raw_) != 0; }
    /// One of enum sockline_io_transport, 0 if the socket is gone.
    int transport() const noexcept { return sockline_io_socket_transport(raw_); }
    std::uint64_t buffered_amount() const noexcept { return sockline_io_socket_buffered_amount(raw_); }
    void hear_outgoing(bool hear) const { detail::check(sockline_io_socket_hear_outgoing(raw_, hear ? 1 : 0)); }
    /// Has it leave its namespace; with close, the whole client goes.
    void disconnect(bool close = false) const { detail::check(sockline_io_socket_disconnect(raw_, close ? 1 : 0)); }

private:
    bool send(std::string_view name, std::string_view args, const Binary &binary, const sockline_io_emit_options &options) const {
        return detail::check(sockline_io_emit(raw_, detail::borrow(name), detail::borrow(args), binary.data(), binary.size(),
                                              &options)) == SOCKLINE_OK;
    }
    std::string text(std::size_t (*function)(sockline_io_socket, char *, std::size_t)) const {
        return sockline::detail::text([&](char *buffer, std::size_t room) { return function(raw_, buffer, room); });
    }

    sockline_io_socket raw_;
};

/// A socket of a Target, here or on another server of the cluster.
struct SocketDetails {
    /// Of this server's sockets; otherwise its raw() is 0. Its id is a room through which it can be reached.
    Socket socket;
    std::string id;
    /// JSON, as the official server gives it.
    std::string handshake;
    std::string data;
    std::vector<std::string> rooms;
};

/// status: SOCKLINE_OK, or why nothing can be said. missing: how many servers of the cluster have not answered in time.
using OnSockets =
    std::function<void(sockline_status status, const std::vector<SocketDetails> &sockets, std::size_t missing)>;
/// The same, of ids or of rooms.
using OnNames = std::function<void(sockline_status status, const std::vector<std::string_view> &names, std::size_t missing)>;
/// The same, of the servers' answers; borrowed until the callback returns.
using OnServers = std::function<void(sockline_status status, const std::vector<Response> &responses, std::size_t missing)>;
/// The same, of how many servers there are.
using OnCount = std::function<void(sockline_status status, std::size_t count)>;

/// Which sockets a call is for: those in any of its rooms, or all if it has none, but not those in a room that is excepted,
/// and not the sender. Each of the first functions gives a Target that is narrower, or sends in another way.
class Target {
public:
    Target(sockline_io_namespace nsp, Socket sender) noexcept : nsp_(nsp), sender_(sender) {}

    Target to(std::string room) const { return with([&](Target &out) { out.rooms_.push_back(std::move(room)); }); }
    Target except(std::string room) const { return with([&](Target &out) { out.except_.push_back(std::move(room)); }); }
    /// Dropped for clients that can't be written to right now.
    Target as_volatile() const { return with([](Target &out) { out.is_volatile_ = true; }); }
    Target compress(bool compress) const { return with([&](Target &out) { out.compress_ = compress; }); }
    /// The sockets of this process only.
    Target local() const { return with([](Target &out) { out.is_local_ = true; }); }
    /// How long answers are waited for.
    Target timeout(std::uint64_t milliseconds) const { return with([&](Target &out) { out.timeout_ms_ = milliseconds; }); }

    void emit(std::string_view name, std::string_view args = {}, const Binary &binary = {}) const {
        call([&](const sockline_io_target *raw) {
            return sockline_io_broadcast_emit(raw, detail::borrow(name), detail::borrow(args), binary.data(), binary.size());
        });
    }
    /// on_answers is called with all answers, or with those that came by the timeout.
    inline void emit_with_ack(std::string_view name, std::string_view args, OnAnswers on_answers, const Binary &binary = {}) const {
        detail::hand_over(std::move(on_answers), [&](void *token) {
            return call([&](const sockline_io_target *raw) {
                return sockline_io_broadcast_emit_with_ack(raw, detail::borrow(name), detail::borrow(args), binary.data(),
                                                           binary.size(), token);
            });
        });
    }
    void sockets_join(const std::vector<std::string> &rooms) const {
        std::vector<sockline_string> names = detail::borrow(rooms);
        call([&](const sockline_io_target *raw) { return sockline_io_broadcast_join(raw, names.data(), names.size()); });
    }
    void sockets_leave(const std::vector<std::string> &rooms) const {
        std::vector<sockline_string> names = detail::borrow(rooms);
        call([&](const sockline_io_target *raw) { return sockline_io_broadcast_leave(raw, names.data(), names.size()); });
    }
    void disconnect_sockets(bool close = false) const {
        call([&](const sockline_io_target *raw) { return sockline_io_broadcast_disconnect(raw, close ? 1 : 0); });
    }
    /// found is called exactly once, here or later, on a thread that turns one of the server's loops.
    inline void fetch_sockets(OnSockets found) const;

private:
    template <typename Change> Target with(Change &&change) const {
        Target out = *this;
        change(out);
        return out;
    }

    template <typename Call> sockline_status call(Call &&act) const {
        std::vector<sockline_string> rooms = detail::borrow(rooms_), except = detail::borrow(except_);
        sockline_io_target raw = SOCKLINE_IO_TARGET_INIT;
        raw.nsp = nsp_;
        raw.sender = sender_.raw();
        raw.rooms = rooms.data();
        raw.room_count = rooms.size();
        raw.except = except.data();
        raw.except_count = except.size();
        raw.is_volatile = is_volatile_ ? 1 : 0;
        raw.compress = compress_ ? 0 : -1;
        raw.is_local = is_local_ ? 1 : 0;
        raw.timeout_ms = timeout_ms_;
        return detail::check(act(&raw));
    }

    sockline_io_namespace nsp_;
    Socket sender_;
    std::vector<std::string> rooms_, except_;
    bool is_volatile_ = false, compress_ = true, is_local_ = false;
    std::uint64_t timeout_ms_ = 0;
};

/// A namespace of a server: a number, like sockline_io_namespace.
class Namespace {
public:
    explicit Namespace(sockline_io_namespace raw = 0) noexcept : raw_(raw) {}

    sockline_io_namespace raw() const noexcept { return raw_; }
    bool operator==(Namespace other) const noexcept { return raw_ == other.raw_; }
    bool operator!=(Namespace other) const noexcept { return raw_ != other.raw_; }

    std::string name() const {
        return sockline::detail::text(
            [&](char *buffer, std::size_t room) { return sockline_io_namespace_name(raw_, buffer, room); });
    }
    /// Its sockets: all, those in a room, those not in it.
    Target all() const { return Target(raw_, Socket()); }
    Target to(std::string room) const { return all().to(std::move(room)); }
    Target except(std::string room) const { return all().except(std::move(room)); }
    void emit(std::string_view name, std::string_view args = {}, const Binary &binary = {}) const {
        detail::check(sockline_io_namespace_emit(raw_, detail::borrow(name), detail::borrow(args), binary.data(), binary.size()));
    }

    /// How many sockets are connected, on this server.
    std::size_t size() const noexcept { return sockline_io_namespace_count(raw_); }
    /// The connected socket with this id; its raw() is 0 if there is none.
    Socket socket(std::string_view id) const noexcept {
        sockline_io_socket found = 0;
        sockline_io_namespace_socket(raw_, detail::borrow(id), &found);
        return Socket(found);
    }
    /// Those that are connected, on this server.
    inline std::vector<Socket> sockets() const;
    /// The rooms in which there is one, those that sockets have to themselves among them.
    inline std::vector<std::string> rooms() const;

    /// The other servers of the cluster hear it: ServerHandlers::on_server_side_emit.
    void server_side_emit(std::string_view name, std::string_view args = {}, const Binary &binary = {}) const {
        detail::check(sockline_io_server_side_emit(raw_, detail::borrow(name), detail::borrow(args), binary.data(), binary.size()));
    }
    /// Each of these functions is called exactly once, on a thread that turns one of the server's loops.
    inline void server_side_emit_with_ack(std::string_view name, std::string_view args, OnServers answered,
                                          const Binary &binary = {}) const;
    inline void all_sockets(const std::vector<std::string> &rooms, OnNames found) const;
    inline void all_rooms(OnNames found) const;
    inline void server_count(OnCount counted) const;

private:
    sockline_io_namespace raw_;
};

inline Target Socket::broadcast() const { return Target(0, *this); }
inline Target Socket::to(std::string room) const { return broadcast().to(std::move(room)); }
inline Target Socket::except(std::string room) const { return broadcast().except(std::move(room)); }
inline Namespace Socket::nsp() const noexcept { return Namespace(sockline_io_socket_namespace(raw_)); }

namespace detail {

/// What runs within a visitor of C's: its exception waits until the call has returned.
template <typename Act> struct Within {
    Act act;
    std::exception_ptr thrown;

    template <typename... Given> void run(Given &&...given) noexcept {
        if (thrown) return;
        try {
            act(std::forward<Given>(given)...);
        } catch (...) {
            thrown = std::current_exception();
        }
    }
    void done() const {
        if (thrown) std::rethrow_exception(thrown);
    }
};

inline SocketDetails details(const sockline_io_socket_details &found) {
    SocketDetails out{Socket(found.socket), std::string(view(found.id)), std::string(view(found.handshake)),
                      std::string(view(found.data)), {}};
    for (std::size_t i = 0; i < found.room_count; i++) out.rooms.emplace_back(view(found.rooms[i]));
    return out;
}

} // namespace detail

inline std::vector<std::string> Socket::rooms() const {
    std::vector<std::string> out;
    auto add = [&](sockline_string room) { out.emplace_back(detail::view(room)); };
    detail::Within<decltype(add)> within{add, nullptr};
    detail::check(sockline_io_socket_rooms(
        raw_, [](sockline_string room, void *context) { static_cast<decltype(within) *>(context)->run(room); }, &within));
    within.done();
    return out;
}

inline std::vector<std::string> Namespace::rooms() const {
    std::vector<std::string> out;
    auto add = [&](sockline_string room) { out.emplace_back(detail::view(room)); };
    detail::Within<decltype(add)> within{add, nullptr};
    detail::check(sockline_io_namespace_rooms(
        raw_, [](sockline_string room, void *context) { static_cast<decltype(within) *>(context)->run(room); }, &within));
    within.done();
    return out;
}

inline std::vector<Socket> Namespace::sockets() const {
    std::vector<Socket> out;
    auto add = [&](sockline_io_socket socket) { out.emplace_back(socket); };
    detail::Within<decltype(add)> within{add, nullptr};
    detail::check(sockline_io_namespace_sockets(
        raw_, [](sockline_io_socket socket, void *context) { static_cast<decltype(within) *>(context)->run(socket); },
        &within));
    within.done();
    return out;
}

inline void Socket::handshake(const std::function<void(const Handshake &)> &read) const {
    auto show = [&](const sockline_io_request *request) { read(Handshake(request)); };
    detail::Within<decltype(show)> within{show, nullptr};
    detail::check(sockline_io_socket_request(
        raw_,
        [](const sockline_io_request *request, void *context) { static_cast<decltype(within) *>(context)->run(request); },
        &within));
    within.done();
}

namespace detail {

inline void names_found(sockline_status status, const sockline_string *names, std::size_t count, std::size_t missing,
                        void *context) noexcept {
    std::unique_ptr<OnNames> waits(static_cast<OnNames *>(context));
    contain("a search's callback", [&] {
        std::vector<std::string_view> out;
        for (std::size_t i = 0; i < count; i++) out.push_back(view(names[i]));
        if (*waits) (*waits)(status, out, missing);
    });
}

} // namespace detail

inline void Namespace::server_side_emit_with_ack(std::string_view name, std::string_view args, OnServers answered,
                                                 const Binary &binary) const {
    auto give = [](sockline_status status, const sockline_io_response *responses, std::size_t count, std::size_t missing,
                   void *context) {
        std::unique_ptr<OnServers> waits(static_cast<OnServers *>(context));
        detail::contain("server_side_emit_with_ack", [&] {
            std::vector<Response> out;
            for (std::size_t i = 0; i < count; i++)
                out.push_back({detail::view(responses[i].args),
                               Attachments(responses[i].attachments, responses[i].attachment_count)});
            if (*waits) (*waits)(status, out, missing);
        });
    };
    detail::hand_over(std::move(answered), [&](void *context) {
        return detail::check(sockline_io_server_side_emit_with_ack(raw_, detail::borrow(name), detail::borrow(args),
                                                                   binary.data(), binary.size(), give, context));
    });
}

inline void Namespace::all_sockets(const std::vector<std::string> &rooms, OnNames found) const {
    std::vector<sockline_string> raw = detail::borrow(rooms);
    detail::hand_over(std::move(found), [&](void *context) {
        return detail::check(sockline_io_all_sockets(raw_, raw.data(), raw.size(), detail::names_found, context));
    });
}

inline void Namespace::all_rooms(OnNames found) const {
    detail::hand_over(std::move(found), [&](void *context) {
        return detail::check(sockline_io_all_rooms(raw_, detail::names_found, context));
    });
}

inline void Namespace::server_count(OnCount counted) const {
    auto give = [](sockline_status status, std::size_t count, void *context) {
        std::unique_ptr<OnCount> waits(static_cast<OnCount *>(context));
        if (*waits) detail::contain("server_count", [&] { (*waits)(status, count); });
    };
    detail::hand_over(std::move(counted), [&](void *context) {
        return detail::check(sockline_io_server_count(raw_, give, context));
    });
}

inline void Target::fetch_sockets(OnSockets found) const {
    auto give = [](sockline_status status, const sockline_io_socket_details *sockets, std::size_t count,
                   std::size_t missing, void *context) {
        std::unique_ptr<OnSockets> waits(static_cast<OnSockets *>(context));
        detail::contain("fetch_sockets", [&] {
            std::vector<SocketDetails> out;
            for (std::size_t i = 0; i < count; i++) out.push_back(detail::details(sockets[i]));
            if (*waits) (*waits)(status, out, missing);
        });
    };
    detail::hand_over(std::move(found), [&](void *context) {
        return call([&](const sockline_io_target *raw) { return sockline_io_fetch_sockets(raw, give, context); });
    });
}

} // namespace sockline::io

#endif // SOCKLINE_IO_SOCKET_HPP
