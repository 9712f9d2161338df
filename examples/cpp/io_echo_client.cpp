// Emits "msg" COUNT times, checks what it is acknowledged with, and prints the rate: io_echo_client URL COUNT.

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>

#include <sockline.hpp>

namespace io = sockline::io;

class Client {
public:
    explicit Client(std::uint64_t count) : count_(count) {}

    /// Returns whether every answer was right, and how long they took, in seconds.
    bool run(const std::string &url, double &taken) {
        io::ClientHandlers handlers;
        handlers.on_connect = [this](io::ClientSocket socket) {
            start_ = std::chrono::steady_clock::now();
            go_on(socket);
        };
        handlers.on_connect_error = [this](io::ClientSocket, const io::ConnectError &error) {
            fail(error.error ? error.error->what() : std::string(error.message));
        };
        handlers.on_disconnect = [this](io::ClientSocket, sockline_io_client_reason reason, std::string_view) {
            if (received_ < count_) fail(sockline_io_client_reason_text(reason));
            loop_.stop();
        };
        io::ManagerOptions options;
        options.reconnection = false;
        io::Client socket(loop_, url, std::move(handlers), options);
        loop_.run();
        taken = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
        return !failed_;
    }

private:
    static constexpr std::uint64_t in_flight = 16; // at most so many events are on their way at once

    void go_on(io::ClientSocket socket) {
        if (received_ == count_) return socket.disconnect();
        for (; sent_ < count_ && sent_ < received_ + in_flight; sent_++) {
            std::string number = std::to_string(sent_);
            socket.emit_with_ack("msg", number, [this, socket, number](const io::Answer &answer) {
                if (failed_) return;
                if (!answer || answer.args != number) return fail("an event was not acknowledged with its argument");
                received_++;
                go_on(socket);
            });
        }
    }

    void fail(const std::string &why) {
        if (!failed_) std::cerr << "io_echo_client: " << why << '\n';
        failed_ = true;
        loop_.stop();
    }

    std::uint64_t count_, sent_ = 0, received_ = 0;
    std::chrono::steady_clock::time_point start_;
    bool failed_ = false;
    sockline::Loop loop_; // last, so that it ends before what its callbacks use
};

int main(int argc, char **argv) {
    std::uint64_t count = 0;
    const char *end = argc == 3 ? argv[2] + std::strlen(argv[2]) : nullptr;
    if (argc != 3 || std::from_chars(argv[2], end, count).ptr != end || end == argv[2]) {
        std::cerr << "usage: io_echo_client URL COUNT\n";
        return 2;
    }
    try {
        double taken = 0;
        if (!Client(count).run(argv[1], taken)) return 1;
        std::printf("%llu events in %.3f s: %.0f events/s\n", static_cast<unsigned long long>(count), taken,
                    static_cast<double>(count) / taken);
    } catch (const std::exception &error) {
        std::cerr << "io_echo_client: " << error.what() << '\n';
        return 1;
    }
}
