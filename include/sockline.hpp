// sockline for C++17: the objects of sockline.h with std::function callbacks, std::string_view messages and exceptions.
//
//     sockline::Handlers handlers;
//     handlers.on_open = [](sockline::WebSocket ws) { ws.send("hello"); };
//     handlers.on_message = [](sockline::WebSocket, sockline::Message message) { std::cout << message.data << '\n'; };
//
//     sockline::Loop loop;
//     sockline::connect(loop, "ws://localhost:3000/", std::move(handlers));
//     loop.run();
//
// Socket.IO is in sockline::io:
//
//     sockline::io::ServerHandlers handlers;
//     handlers.events["hello"] = [](sockline::io::Socket socket, const sockline::io::Event &event) {
//         event.ack("\"hello to you\"");
//         socket.to("room").emit("somebody came", event.args);
//     };
//     sockline::io::Server io(loop, std::move(handlers));
//     sockline::ServerOptions options;
//     options.io = {&io};
//     sockline::listen(loop, options, {});
//
// What things mean, and which thread may do what, is said in sockline.h; here is only what differs:
//
//   Ownership  A Loop owns its connections and servers: destroying it ends them. WebSocket and Server are numbers;
//              copy them freely. Handlers belong to the library until the last callback has returned. io::Server,
//              io::Client, io::Manager, io::Redis and io::Emitter are owners: destroying one ends it; io::Socket, io::Namespace, io::ClientSocket
//              and io::ManagerHandle are numbers.
//   Errors     Calls that can fail throw sockline::Error. send() returns whether to go on sending.
//   Callbacks  An exception that leaves a callback is logged (sockline_set_log), and its connection is closed with
//              1011, its socket of Socket.IO disconnected, its HTTP request answered with 500. It never passes through C.

#ifndef SOCKLINE_HPP
#define SOCKLINE_HPP

#include "sockline/connect.hpp"
#include "sockline/elsewhere.hpp"
#include "sockline/io_client.hpp"
#include "sockline/io_cluster.hpp"
#include "sockline/io_server.hpp"

#endif // SOCKLINE_HPP
