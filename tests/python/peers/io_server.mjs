// The official server: io_server.mjs OPTIONS, in JSON, with "msgpack": true for that parser. Tells its port, then what
// it hears. Knows the namespaces / and /chat; auth {"name": "nobody"} is refused.
import { Server } from "socket.io";
import msgpack from "socket.io-msgpack-parser";
import { obey, tell } from "./wire.mjs";

const options = JSON.parse(process.argv[2] ?? "{}");
if (options.msgpack) options.parser = msgpack;
const io = new Server(options.port ?? 0, options);
tell("port", io.httpServer.address().port);

for (const namespace of [io, io.of("/chat")]) {
  namespace.use((socket, next) => {
    if (socket.handshake.auth.name !== "nobody") return next();
    const error = new Error("who are you");
    error.data = { code: 7 };
    next(error);
  });
  namespace.on("connection", (socket) => {
    socket.join("room");
    tell("connect", socket.nsp.name, socket.id, socket.handshake.auth, socket.recovered);
    socket.emit("welcome", socket.id, socket.handshake.headers["x-header"] ?? null, socket.handshake.query);
    socket.on("echo", (...values) => values.pop()(...values));
    socket.on("bc", (...values) => namespace.to("room").emit("bc", ...values));
    socket.on("silence", () => {});
    socket.onAny((event, ...values) => {
      const told = values.filter((value) => typeof value !== "function");
      if (event !== "echo") tell("event", event, told);
    });
    socket.on("ask me", (...values) => {
      socket.emit("question", ...values, (...answer) => tell("answer", answer));
    });
    socket.on("kick me", () => socket.disconnect());
    socket.on("drop me", () => socket.conn.transport.socket?.terminate?.() ?? socket.conn.close(true));
    socket.on("disconnect", (reason) => tell("disconnect", socket.nsp.name, reason));
  });
}

obey({
  emit: (...values) => io.to("room").emit(...values),
  close: () => io.close(),
});
