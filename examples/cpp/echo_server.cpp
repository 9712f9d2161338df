// Sends every message back: echo_server PORT.

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iostream>

#include <sockline.hpp>

static void serve(std::uint16_t port, const sigset_t &signals) {
    sockline::ServerOptions options;
    options.port = port;
    options.settings.max_message = 64 << 20;
    options.settings.hard_limit = SOCKLINE_UNLIMITED;
    options.compression = SOCKLINE_COMPRESSION_INIT; // for those who ask for it
    sockline::ServerHandlers handlers;
    handlers.on_message = [](sockline::WebSocket ws, sockline::Message message) { ws.send(message.type, message.data); };

    sockline::Loop loop;
    sockline::Server server = sockline::listen(loop, options, std::move(handlers));
    std::cout << "echoing at ws://localhost:" << server.port() << std::endl;
    loop.start();
    int signal;
    sigwait(&signals, &signal); // on this thread; the loop's own takes no signals
    loop.shutdown(2000);
}

int main(int argc, char **argv) {
    std::uint16_t port = 0;
    const char *end = argc == 2 ? argv[1] + std::strlen(argv[1]) : nullptr;
    if (argc != 2 || std::from_chars(argv[1], end, port).ptr != end || end == argv[1]) {
        std::cerr << "usage: echo_server PORT\n";
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    try {
        serve(port, signals);
    } catch (const std::exception &error) {
        std::cerr << "echo_server: " << error.what() << '\n';
        return 1;
    }
}
