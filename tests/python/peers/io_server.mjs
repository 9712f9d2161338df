// The official server: io_server.mjs OPTIONS, in JSON, with "msgpack": true for that parser. Tells its port, then what
// it hears. "redis": URL makes it one of a cluster. Knows the namespaces / and /chat; auth {"name": "nobody"} is refused.
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import msgpack from "socket.io-msgpack-parser";
import { obey, tell } from "./wire.mjs";

const options = JSON.parse(process.argv[2] ?? "{}");
if (options.msgpack) options.parser = msgpack;
if (options.redis) {
  const [pub, sub] = [createClient({ url: options.redis }), createClient({ url: options.redis })];
  await Promise.all([pub.connect(), sub.connect()]);
  options.adapter = createAdapter(pub, sub);
}
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

io.on("said", (...values) => tell("said", values));
io.on("asked", (value, answer) => answer(["node", value]));

obey({
  emit: (...values) => io.to("room").emit(...values),
  sids: async () => tell("sids", (await io.fetchSockets()).map((socket) => socket.id)),
  count: async () => tell("count", await io.of("/").adapter.serverCount()),
  say: (...values) => io.serverSideEmit(...values),
  ask_servers: async (...values) => tell("answers", await io.serverSideEmitWithAck(...values)),
  close: () => io.close(),
});
