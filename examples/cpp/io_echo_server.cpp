// A Socket.IO server: io_echo_server PORT.
//
// Every socket joins the room "room". The event "msg" is acknowledged with its arguments; the event "bc" goes to the room.

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iostream>

#include <sockline.hpp>

namespace io = sockline::io;

static void serve(std::uint16_t port, const sigset_t &signals) {
    io::ServerHandlers handlers;
    handlers.on_connection = [](io::Socket socket) { socket.join("room"); };
    handlers.events["msg"] = [](io::Socket, const io::Event &event) {
        if (event.ack) event.ack(event.args, event.attachments);
    };
    handlers.events["bc"] = [](io::Socket socket, const io::Event &event) {
        socket.nsp().to("room").emit(event.name, event.args, event.attachments);
    };

    sockline::Loop loop;
    io::Server echo(loop, std::move(handlers));
    sockline::ServerOptions options;
    options.port = port;
    options.io = {&echo};
    sockline::Server server = sockline::listen(loop, options, {});
    std::cout << "echoing at http://localhost:" << server.port() << std::endl;
    loop.start();
    int signal;
    sigwait(&signals, &signal); // on this thread; the loop's own takes no signals
    loop.shutdown(2000);
}

int main(int argc, char **argv) {
    std::uint16_t port = 0;
    const char *end = argc == 2 ? argv[1] + std::strlen(argv[1]) : nullptr;
    if (argc != 2 || std::from_chars(argv[1], end, port).ptr != end || end == argv[1]) {
        std::cerr << "usage: io_echo_server PORT\n";
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
        std::cerr << "io_echo_server: " << error.what() << '\n';
        return 1;
    }
}
