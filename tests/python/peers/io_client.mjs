// The official client: io_client.mjs URL OPTIONS, in JSON, with "msgpack": true for that parser.
// Tells what it hears; "ask" is answered with its arguments, "slow" never.
import { io } from "socket.io-client";
import msgpack from "socket.io-msgpack-parser";
import { obey, tell } from "./wire.mjs";

const [url, json = "{}"] = process.argv.slice(2);
const options = JSON.parse(json);
if (options.msgpack) options.parser = msgpack;
const socket = io(url, options);

socket.on("connect", () => tell("connect", socket.id, socket.recovered));
socket.on("connect_error", (error) => tell("connect_error", error.message, error.data ?? null));
socket.on("disconnect", (reason) => tell("disconnect", reason));
socket.io.engine.on("upgrade", (transport) => tell("upgrade", transport.name));
socket.onAny((event, ...values) => {
  const answer = typeof values.at(-1) === "function" ? values.pop() : null;
  tell("event", event, values);
  if (answer && event === "ask") answer(...values);
});

obey({
  emit: (...values) => socket.emit(...values),
  call: (...values) => socket.emit(...values, (...answer) => tell("answer", answer)),
  transport: () => tell("transport", socket.io.engine.transport.name),
  disconnect: () => socket.disconnect(),
  // As a network that goes away: nothing is said to the server.
  drop: () => socket.io.engine.transport.ws?.terminate?.() ?? socket.io.engine.close(),
});
