// Sends COUNT messages of SIZE bytes, checks the echoes and prints the rate: echo_client URL COUNT SIZE.

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>

#include <sockline.hpp>

class Client {
public:
    Client(std::uint64_t count, std::size_t size) : count_(count), payload_(size, '\0') {
        for (std::size_t i = 0; i < size; i++) payload_[i] = static_cast<char>(i);
    }

    /// Returns whether every echo was right.
    bool run(const std::string &url) {
        sockline::Options options;
        options.settings.max_message = 64 << 20;
        options.settings.hard_limit = SOCKLINE_UNLIMITED;
        sockline::Handlers handlers;
        handlers.on_open = [this](sockline::WebSocket ws) { go_on(ws); };
        handlers.on_message = [this](sockline::WebSocket ws, sockline::Message message) {
            if (failed_) return;
            if (message.is_text() || message.data != payload_) return fail("an echo differs from what was sent");
            received_++;
            go_on(ws);
        };
        handlers.on_error = [this](sockline::WebSocket, const sockline::Error &error) { fail(error.what()); };
        handlers.on_close = [this](sockline::WebSocket, const sockline::CloseEvent &event) {
            if (received_ < count_ && !failed_) fail("closed with " + std::to_string(event.code) + " too early");
            loop_.stop();
        };
        sockline::connect(loop_, url, std::move(handlers), options);
        loop_.run();
        return !failed_;
    }

private:
    static constexpr std::uint64_t in_flight = 64; // at most so many messages are on their way at once

    void go_on(sockline::WebSocket ws) {
        if (received_ == count_) return ws.close(1000, "done");
        for (; sent_ < count_ && sent_ < received_ + in_flight; sent_++) ws.send_binary(payload_);
    }

    void fail(const std::string &why) {
        std::cerr << "echo_client: " << why << '\n';
        failed_ = true;
        loop_.stop();
    }

    std::uint64_t count_, sent_ = 0, received_ = 0;
    std::string payload_;
    bool failed_ = false;
    sockline::Loop loop_; // last, so that it ends before what its callbacks use
};

template <typename Number> static bool parse(const char *text, Number &number) {
    const char *end = text + std::strlen(text);
    auto [stopped, error] = std::from_chars(text, end, number);
    return stopped == end && error == std::errc();
}

int main(int argc, char **argv) {
    std::uint64_t count = 0;
    std::size_t size = 0;
    if (argc != 4 || !parse(argv[2], count) || !parse(argv[3], size)) {
        std::cerr << "usage: echo_client URL COUNT SIZE\n";
        return 2;
    }
    try {
        Client client(count, size);
        auto start = std::chrono::steady_clock::now();
        if (!client.run(argv[1])) return 1;
        std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        std::printf("%llu messages of %zu bytes in %.3f s: %.0f messages/s\n", static_cast<unsigned long long>(count),
                    size, taken.count(), static_cast<double>(count) / taken.count());
    } catch (const std::exception &error) {
        std::cerr << "echo_client: " << error.what() << '\n';
        return 1;
    }
}
