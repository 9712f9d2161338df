// A client under test on Boost.Beast, one thread and one io_context, asynchronous: client PORT CONNECTIONS PIPELINE SIZE. On
// each connection PIPELINE messages of SIZE bytes are in flight, whose echoes are compared whole.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace net = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = net::ip::tcp;
// Of the context itself: the executor is not looked for through a pointer then.
using Socket = net::basic_stream_socket<tcp, net::io_context::executor_type>;
using beast::error_code;

static std::size_t pipeline;

static void check(error_code error) {
    if (!error) return;
    std::fprintf(stderr, "client: %s\n", error.message().c_str());
    std::exit(1);
}

class Connection {
public:
    // The payload is its own, so that an echo of another's is noticed.
    Connection(net::io_context &context, std::size_t index, std::size_t size) : ws_(context), payload_(size) {
        for (std::size_t i = 0; i < size; i++) payload_[i] = static_cast<unsigned char>(index + i);
    }

    void run(const tcp::endpoint &server) {
        ws_.set_option(websocket::stream_base::timeout::suggested(beast::role_type::client));
        ws_.auto_fragment(false);
        ws_.binary(true);
        ws_.next_layer().async_connect(server, [this](error_code error) {
            check(error);
            ws_.next_layer().set_option(tcp::no_delay(true));
            ws_.async_handshake("127.0.0.1", "/", [this](error_code refused) {
                check(refused);
                due_ = pipeline;
                write();
                read();
            });
        });
    }

private:
    void read() {
        ws_.async_read(buffer_, [this](error_code error, std::size_t length) {
            check(error);
            if (length != payload_.size() || std::memcmp(buffer_.data().data(), payload_.data(), length) != 0) {
                std::fprintf(stderr, "client: an echo differs from its message\n");
                std::exit(1);
            }
            buffer_.consume(length);
            due_++;
            if (!writes_) write();
            read();
        });
    }

    // One message after the other, as the library demands.
    void write() {
        writes_ = due_ > 0;
        if (!writes_) return;
        due_--;
        ws_.async_write(net::buffer(payload_), [this](error_code error, std::size_t) {
            check(error);
            write();
        });
    }

    websocket::stream<Socket> ws_;
    beast::flat_buffer buffer_;
    std::vector<unsigned char> payload_;
    std::size_t due_ = 0; // messages that are to be sent
    bool writes_ = false;
};

int main(int argc, char **argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: client PORT CONNECTIONS PIPELINE SIZE\n");
        return 2;
    }
    const tcp::endpoint server(net::ip::address_v4::loopback(), static_cast<unsigned short>(std::atoi(argv[1])));
    const std::size_t count = std::strtoul(argv[2], nullptr, 10), size = std::strtoul(argv[4], nullptr, 10);
    pipeline = std::strtoul(argv[3], nullptr, 10);
    net::io_context context(1);
    std::vector<Connection *> connections; // until the process ends
    for (std::size_t i = 0; i < count; i++) {
        connections.push_back(new Connection(context, i, size));
        connections.back()->run(server);
    }
    context.run();
    return 0;
}
