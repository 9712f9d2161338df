// Socket.IO's C++ face: events and answers, rooms, namespaces, and who owns what.

#include "support.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace io = sockline::io;

const char *const PLACEHOLDER = "{\"_placeholder\":true,\"num\":0}";

// A Socket.IO server on a port of its own.
struct Site {
    Site(sockline::Loop &loop, io::ServerHandlers handlers, const io::ServerOptions &options = {})
        : server(loop, std::move(handlers), options) {
        sockline::ServerOptions listening;
        listening.host = "127.0.0.1";
        listening.io = {&server};
        listener = sockline::listen(loop, listening, {});
    }

    std::string url(const std::string &nsp = "/") const { return "http://127.0.0.1:" + std::to_string(listener.port()) + nsp; }

    io::Server server;
    sockline::Server listener;
};

void events_and_answers_go_both_ways() {
    std::vector<std::string> heard;
    sockline_io_outcome outcome = SOCKLINE_IO_ANSWERED;
    sockline::Loop loop; // behind what its callbacks use until it ends
    io::ServerHandlers serving;
    serving.on_connection = [&](io::Socket socket) {
        CHECK(socket.connected() && !socket.id().empty() && socket.nsp().name() == "/");
        socket.emit_with_ack("question", "7", [&](const io::Answer &answer) {
            CHECK(answer && answer.attachments.size() == 1 && answer.attachments[0] == "blob");
            heard.emplace_back("server " + std::string(answer.args));
        });
    };
    serving.events["echo"] = [](io::Socket, const io::Event &event) { CHECK(event.ack && event.ack(event.args, event.attachments)); };
    serving.events["nobody acknowledges this"] = {};
    serving.on_event = [&](io::Socket socket, const io::Event &event) {
        CHECK(!event.ack && event.array == "[\"other\",1,[2]]");
        socket.emit("bounced", event.args, {"one", "two"});
    };
    Site site(loop, std::move(serving));

    io::ClientHandlers handlers;
    handlers.events["question"] = [](io::ClientSocket, const io::Event &event) {
        event.ack(std::string(event.args) + "," + PLACEHOLDER, {"blob"});
    };
    handlers.on_event = [&](io::ClientSocket, const io::Event &event) {
        CHECK(event.name == "bounced" && event.attachments.size() == 2 && event.attachments[1] == "two");
        heard.emplace_back("client " + std::string(event.args));
    };
    io::Client client(loop, site.url(), std::move(handlers));
    client.emit_with_ack("echo", PLACEHOLDER, [&](const io::Answer &answer) {
        CHECK(answer && answer.args == PLACEHOLDER && answer.attachments[0] == "bytes");
        heard.emplace_back("echo");
    }, {"bytes"});
    CHECK(client.send_buffer_len() == 1 && client.emit("other", "1,[2]"));
    until(loop, [&] { return heard.size() == 3; });
    CHECK(client.connected() && client.id().size() == 20);

    io::EmitOptions patience;
    patience.timeout_ms = 20;
    client.emit_with_ack("nobody acknowledges this", "1,[2]", [&](const io::Answer &answer) { outcome = answer.outcome; }, {}, patience);
    site.server.of().emit("bounced", "0", {"", "two"});
    until(loop, [&] { return outcome == SOCKLINE_IO_TIMEOUT && heard.size() == 4; });
}

void rooms_are_reached() {
    std::vector<io::Socket> sockets;
    std::string heard, answers;
    std::size_t found = 0;
    sockline::Loop loop;
    io::ServerHandlers serving;
    serving.on_connection = [&](io::Socket socket) { sockets.push_back(socket); };
    Site site(loop, std::move(serving));
    auto connect = [&](const std::string &name) {
        io::ClientHandlers handlers;
        handlers.on_event = [&heard, name](io::ClientSocket, const io::Event &event) {
            heard += name + " " + std::string(event.name) + "; ";
            if (event.ack) event.ack("\"" + name + "\"");
        };
        return io::Client(loop, site.url(), std::move(handlers));
    };
    io::Client one = connect("one");
    until(loop, [&] { return sockets.size() == 1; });
    io::Client two = connect("two");
    until(loop, [&] { return sockets.size() == 2; });

    io::Namespace root = site.server.of("/");
    CHECK(root.size() == 2 && root.sockets().size() == 2 && root.socket(sockets[0].id()) == sockets[0]);
    CHECK(root.socket("nobody").raw() == 0);
    sockets[0].join_all({"blue", "red"});
    sockets[1].join("blue");
    sockets[0].leave("red");
    CHECK(sockets[0].rooms().size() == 2 && root.rooms().size() == 3);
    sockets[0].set_data("{\"a\":1}");
    root.to("blue").except(sockets[1].id()).fetch_sockets([&](sockline_status status, const std::vector<io::SocketDetails> &all,
                                                             std::size_t missing) {
        CHECK(status == SOCKLINE_OK && missing == 0 && all.size() == 1 && all[0].socket == sockets[0] && all[0].data == "{\"a\":1}");
        found = all[0].rooms.size();
    });
    until(loop, [&] { return found == 2; });

    sockets[0].to("blue").emit("others");
    root.except("blue").emit("nobody");
    root.to("blue").timeout(20000).emit_with_ack("all", "", [&](const io::Answers &all) {
        CHECK(all.expected == 2 && !all.timed_out);
        for (const io::Response &one : all.responses) answers += one.args;
    });
    until(loop, [&] { return !answers.empty(); });
    CHECK(answers.size() == 10 && heard.find("one others") == std::string::npos && heard.find("nobody") == std::string::npos);
    CHECK(heard.find("two others; two all; ") != std::string::npos);

    root.to("blue").sockets_join({"green"});
    root.all().sockets_leave({"blue"});
    CHECK(sockets[1].rooms() == std::vector<std::string>({sockets[1].id(), "green"}) ||
          sockets[1].rooms() == std::vector<std::string>({"green", sockets[1].id()}));
    root.to("green").disconnect_sockets();
    until(loop, [&] { return root.size() == 0 && !one.active() && !two.active(); });
}

void namespaces_and_questions() {
    std::string log, refusal;
    int opened = 0, asked = 0;
    sockline::Loop loop;
    io::ServerHandlers serving;
    serving.on_namespace = [](io::NamespaceQuestion question, std::string_view name, std::string_view, const io::Handshake &handshake) {
        CHECK(handshake.query("who") == "me" && handshake.address() == "127.0.0.1" && handshake.header("host"));
        return name == "/made" ? question.allow() : question.deny();
    };
    serving.on_connecting = [](const io::Connecting &connecting) {
        if (connecting.socket().auth() != "{}") return connecting.allow();
        connecting.deny("who are you?", "{\"code\":7}");
    };
    serving.on_headers = [](const sockline_http_request &, bool) { return sockline::Headers{{"x-served-by", "sockline"}}; };
    serving.on_request = [](io::RequestQuestion question, const io::Handshake &) { question.allow(); };
    serving.on_room = [&](io::Namespace, sockline_io_room_event event, std::string_view room, std::string_view) {
        if (event == SOCKLINE_IO_ROOM_CREATED && room == "blue") log += "room; ";
    };
    serving.on_connection = [](io::Socket socket) { socket.join("blue"); };
    serving.on_disconnect = [&](io::Socket, sockline_io_reason reason, std::string_view) {
        log += std::string(sockline_io_reason_text(reason)) + "; ";
    };
    Site site(loop, std::move(serving));

    io::ManagerOptions options;
    options.query = {{"who", "me"}};
    io::ManagerHandlers managing;
    managing.on_open = [&](io::ManagerHandle) { opened++; };
    io::Manager made(loop, site.url(), options, std::move(managing));
    io::Manager manager = std::move(made);
    io::ClientHandlers handlers;
    handlers.on_connect_error = [&](io::ClientSocket, const io::ConnectError &error) {
        CHECK(!error.error);
        refusal += std::string(error.message) + std::string(error.data) + "; ";
    };
    io::Client unknown = manager.socket("/unknown", handlers), silent = manager.socket("/", handlers);
    handlers.on_auth = [&](io::ClientSocket, io::AuthQuestion question) {
        asked++;
        question.answer("{\"me\":1}");
    };
    io::Client welcome = manager.socket("made", handlers);
    until(loop, [&] { return welcome.connected() && log == "room; " && refusal.size() > 30; });
    CHECK(refusal.find("Invalid namespace; ") != std::string::npos && refusal.find("who are you?{\"code\":7}; ") != std::string::npos);
    CHECK(opened == 1 && asked == 1 && welcome.manager() == manager && !unknown.active());
    silent.set_auth("{\"me\":2}");
    silent.connect();
    until(loop, [&] { return silent.connected(); });
    try {
        manager.socket("/made", {});
        CHECK(false);
    } catch (const sockline::Error &error) {
        CHECK(error.status() == SOCKLINE_ERR_INVALID_ARGUMENT);
    }
    welcome.disconnect();
    until(loop, [&] { return log.find("client namespace disconnect; ") != std::string::npos; });
}

void a_session_is_closed() {
    sockline::Loop loop;
    io::Socket there;
    int reason = -1;
    io::ServerHandlers serving;
    serving.on_connection = [&](io::Socket socket) { there = socket; };
    serving.on_disconnect = [&](io::Socket, sockline_io_reason why, std::string_view) { reason = why; };
    Site site(loop, std::move(serving));
    io::Client client(loop, site.url(), {});
    until(loop, [&] { return there.raw() != 0; });
    std::string id = there.session_id();
    site.server.close_session(id);
    until(loop, [&] { return reason == SOCKLINE_IO_FORCED_CLOSE; });
    try {
        site.server.close_session(id);
        CHECK(false);
    } catch (const sockline::Error &error) {
        CHECK(error.status() == SOCKLINE_ERR_CLOSED);
    }
}

void failed_calls_throw() {
    sockline::Loop loop;
    try {
        io::Client client(loop, "ftp://x", {});
        CHECK(false);
    } catch (const sockline::Error &error) {
        CHECK(error.status() == SOCKLINE_ERR_INVALID_URL);
    }
    try {
        io::Socket().emit_with_ack("x", "", [](const io::Answer &) { CHECK(false); });
        CHECK(false);
    } catch (const sockline::Error &error) {
        CHECK(error.status() == SOCKLINE_ERR_WRONG_HANDLE);
    }
    io::ServerOptions options;
    options.client_folder = "/there/is/no/such/folder";
    try {
        io::Server server(loop, {}, options);
        CHECK(false);
    } catch (const sockline::Error &error) {
        CHECK(error.status() == SOCKLINE_ERR_INVALID_ARGUMENT);
    }
}

void keep_line(std::int32_t, const char *text, void *user_data) { *static_cast<std::string *>(user_data) += text; }

void an_exception_disconnects_its_socket_and_is_logged() {
    std::string log;
    CHECK(sockline_set_log(SOCKLINE_LOG_ERROR, keep_line, &log) == SOCKLINE_OK);
    {
        std::string reason;
        int answers = 0;
        sockline::Loop loop;
        io::ServerHandlers serving;
        serving.on_connecting = [](const io::Connecting &connecting) {
            if (connecting.socket().nsp().name() == "/bad") throw std::runtime_error("bad namespace");
            connecting.allow();
        };
        serving.events["bad"] = [](io::Socket, const io::Event &) { throw std::runtime_error("too much"); };
        serving.events["fine"] = [](io::Socket, const io::Event &event) { event.ack(); };
        Site site(loop, std::move(serving));
        site.server.of("/bad");
        io::ClientHandlers handlers;
        handlers.on_disconnect = [&](io::ClientSocket, sockline_io_client_reason why, std::string_view) {
            reason = sockline_io_client_reason_text(why);
        };
        handlers.on_connect_error = [&](io::ClientSocket, const io::ConnectError &error) { reason = error.message; };
        io::Client client(loop, site.url(), handlers);
        client.emit("bad");
        until(loop, [&] { return reason == "io server disconnect"; });
        io::Client refused(loop, site.url("/bad"), handlers);
        until(loop, [&] { return reason == "internal error"; });
        io::Client other(loop, site.url(), handlers);
        other.emit_with_ack("fine", "", [&](const io::Answer &) {
            answers++;
            throw 7;
        });
        until(loop, [&] { return reason == "io client disconnect"; });
        CHECK(answers == 1);
    }
    CHECK(sockline_set_log(SOCKLINE_LOG_OFF, nullptr, nullptr) == SOCKLINE_OK);
    CHECK(log.find("an exception left on_event: too much") != std::string::npos);
    CHECK(log.find("an exception left on_connecting: bad namespace") != std::string::npos);
    CHECK(log.find("an exception left an answer's callback: not a std::exception") != std::string::npos);
}

// Below Socket.IO: ids of the application's, an answer in place of the engine's, packets, and messages of one's own.
void sessions_are_the_application_s() {
    std::string packets, seen, said, heard, answer;
    bool answers_itself = false;
    sockline::Loop loop;
    io::ServerHandlers serving;
    serving.on_request = [&](io::RequestQuestion question, const io::Handshake &) {
        if (answers_itself) return question.respond(503, "later", {{"Retry-After", "7"}});
        question.allow_as("my-id");
    };
    serving.on_packet = [&](std::string_view id, const sockline_io_engine_packet &packet) {
        CHECK(id == "my-id");
        if (packet.is_outgoing && packet.packet_type == SOCKLINE_IO_ENGINE_MESSAGE)
            packets += std::string(static_cast<const char *>(packet.data.data), packet.data.len) + ";";
    };
    serving.events["own"] = [&](io::Socket, const io::Event &event) { said = event.args; };
    Site site(loop, std::move(serving));
    io::ManagerHandlers managing;
    managing.on_packet = [&](io::ManagerHandle, const sockline_io_engine_packet &packet) {
        if (!packet.is_outgoing) seen += std::to_string(packet.packet_type) + " ";
    };
    io::ManagerOptions options;
    options.transports = SOCKLINE_IO_WEBSOCKET;
    io::Manager manager(loop, site.url(), options, std::move(managing));
    io::ClientHandlers handlers;
    handlers.on_event = [&](io::ClientSocket, const io::Event &event) { heard = event.name; };
    io::Client client = manager.socket("/", std::move(handlers));
    until(loop, [&] { return client.connected(); });
    CHECK(site.server.send_to_session("my-id", "2[\"hello\"]") && site.server.send_to_session("my-id", SOCKLINE_TEXT, "2[\"bye\"]", false));
    until(loop, [&] { return heard == "bye" && packets.find("2[\"hello\"];2[\"bye\"];") != std::string::npos; });
    CHECK(seen == "4 4 4 ");
    CHECK(manager.send_message("2[\"own\",7]"));
    until(loop, [&] { return said == "7"; });
    try {
        site.server.send_to_session("nobody", "2[]");
        CHECK(false);
    } catch (const sockline::Error &error) {
        CHECK(error.status() == SOCKLINE_ERR_CLOSED);
    }
    answers_itself = true;
    io::ManagerHandlers refused;
    refused.on_error = [&](io::ManagerHandle, const sockline::Error &error) {
        answer = std::to_string(error.response().status) + error.response().body;
    };
    options.reconnection = false;
    io::Manager other(loop, site.url(), options, std::move(refused));
    other.open();
    until(loop, [&] { return answer == "503later"; });
}

void upgrades_are_asked_about_and_refused() {
    std::string asked, errors;
    sockline::Loop loop;
    io::ServerHandlers serving;
    serving.on_request = [&](io::RequestQuestion question, const io::Handshake &request) {
        asked += request.is_upgrade() ? "upgrade " : "session ";
        if (request.is_upgrade()) return question.deny_bad_request("BECAUSE");
        question.allow();
    };
    serving.on_connection_error = [&](const sockline_io_connection_error &error) {
        const sockline_string &name = error.context[0].value;
        errors += std::to_string(error.code) + " " + std::string(name.data, name.len);
    };
    io::ServerOptions options;
    options.ask_upgrades = true;
    Site site(loop, std::move(serving), options);
    io::Client client(loop, site.url(), io::ClientHandlers{});
    until(loop, [&] { return client.connected() && !errors.empty(); });
    CHECK(asked == "session upgrade " && errors == "3 BECAUSE");
}

// What handlers and answers hold is let go, in whichever order their owners end.
void callbacks_are_freed_with_what_they_belong_to() {
    for (int order = 0; order < 3; order++) {
        auto counted = std::make_shared<int>(0);
        {
            bool connected = false;
            std::unique_ptr<Site> site;
            std::vector<io::Client> clients;
            sockline::Loop loop;
            io::ServerHandlers serving;
            serving.on_connection = [counted, &connected](io::Socket socket) {
                socket.emit_with_ack("never answered", "", [counted](const io::Answer &) { ++*counted; });
                connected = true;
            };
            serving.on_server_closed = [counted] { *counted += 100; };
            site = std::make_unique<Site>(loop, std::move(serving));
            io::ManagerHandlers managing;
            managing.on_open = [counted](io::ManagerHandle) { *counted += 10; };
            io::ManagerOptions options;
            options.connection.lookup = [counted](const std::string &) { return std::vector<std::string>(); };
            io::Manager manager(loop, site->url(), options, std::move(managing));
            io::ClientHandlers handlers;
            handlers.on_connect = [counted](io::ClientSocket) {};
            clients.push_back(manager.socket("/", std::move(handlers)));
            clients[0].emit_with_ack("never answered", "", [counted](const io::Answer &) { ++*counted; });
            until(loop, [&] { return connected && clients[0].connected(); });
            if (order == 0) { // all before the loop, which is turned for it
                site.reset();
                clients.clear();
                until(loop, [&] { return *counted == 112; });
            }
            if (order == 1) { // at once before the loop
                site.reset();
                clients.clear();
            }
        } // otherwise the loop ends first
        CHECK(*counted == 112);
        CHECK(counted.use_count() == 1);
    }
}

} // namespace

int main() {
    RUN(events_and_answers_go_both_ways);
    RUN(rooms_are_reached);
    RUN(namespaces_and_questions);
    RUN(a_session_is_closed);
    RUN(failed_calls_throw);
    RUN(an_exception_disconnects_its_socket_and_is_logged);
    RUN(sessions_are_the_application_s);
    RUN(upgrades_are_asked_about_and_refused);
    RUN(callbacks_are_freed_with_what_they_belong_to);
}
