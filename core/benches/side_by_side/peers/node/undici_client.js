'use strict';
// A client under test on npm undici, with the browser's interface: undici_client.js PORT CONNECTIONS PIPELINE SIZE. On each
// connection PIPELINE messages of SIZE bytes are in flight, whose echoes are compared whole.

const { WebSocket } = require('undici');

const [port, connections, pipeline, size] = process.argv.slice(2).map(Number);

function fail(why) {
  console.error(`undici_client: ${why}`);
  process.exit(1);
}

/** Each connection has a payload of its own, so that an echo of another's is noticed. */
function connect(index) {
  const payload = Buffer.from(Uint8Array.from({ length: size }, (_, place) => index + place));
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    for (let count = 0; count < pipeline; count++) socket.send(payload);
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string' || !payload.equals(Buffer.from(data))) fail('an echo differs from its message');
    socket.send(payload);
  };
  socket.onclose = () => fail('the connection was closed');
}

for (let index = 0; index < connections; index++) connect(index);
