// Echo on Boost.Beast, one thread and one io_context, asynchronous: echo_server PORT
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

namespace net = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = net::ip::tcp;
// Of the context itself: the executor is not looked for through a pointer then.
using Socket = net::basic_stream_socket<tcp, net::io_context::executor_type>;
using Acceptor = net::basic_socket_acceptor<tcp, net::io_context::executor_type>;
using beast::error_code;

class Session : public std::enable_shared_from_this<Session> {
public:
    explicit Session(Socket socket) : ws_(std::move(socket)) {}

    void run() {
        ws_.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
        ws_.auto_fragment(false); // a message leaves as one frame, from where it is
        ws_.async_accept([self = shared_from_this()](error_code error) {
            if (!error) self->read();
        });
    }

private:
    void read() {
        ws_.async_read(buffer_, [self = shared_from_this()](error_code error, std::size_t) {
            if (!error) self->write(); // a close frame has been answered by the library
        });
    }

    void write() {
        ws_.binary(ws_.got_binary());
        ws_.async_write(buffer_.data(), [self = shared_from_this()](error_code error, std::size_t length) {
            if (error) return;
            self->buffer_.consume(length);
            self->read();
        });
    }

    websocket::stream<Socket> ws_;
    beast::flat_buffer buffer_;
};

static void accept(Acceptor &acceptor) {
    acceptor.async_accept([&acceptor](error_code error, Socket socket) {
        if (!error) {
            socket.set_option(tcp::no_delay(true));
            std::make_shared<Session>(std::move(socket))->run();
        }
        accept(acceptor);
    });
}

int main(int argc, char **argv) {
    const auto port = static_cast<unsigned short>(argc == 2 ? std::atoi(argv[1]) : 0);
    if (port == 0) {
        std::fprintf(stderr, "usage: echo_server PORT\n");
        return 2;
    }
    net::io_context context(1);
    Acceptor acceptor(context);
    acceptor.open(tcp::v4());
    acceptor.set_option(net::socket_base::reuse_address(true));
    acceptor.bind({net::ip::address_v4::loopback(), port});
    acceptor.listen(4096);
    std::printf("listening on 127.0.0.1:%d\n", port);
    std::fflush(stdout);
    accept(acceptor);
    context.run();
    return 0;
}
