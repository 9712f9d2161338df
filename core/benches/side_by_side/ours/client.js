'use strict';
// A client under test, on sockline or on what has the same interface: client.js PORT CONNECTIONS PIPELINE SIZE. On each
// connection PIPELINE messages of SIZE bytes are in flight, whose echoes are compared whole.

const path = require('path');

const [port, connections, pipeline, size] = process.argv.slice(2).map(Number);

function fail(why) {
  console.error(`client: ${why}`);
  process.exit(1);
}

/** Each connection has a payload of its own, so that an echo of another's is noticed. */
function connect(WebSocket, index) {
  const payload = Buffer.from(Uint8Array.from({ length: size }, (_, place) => index + place));
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
  socket.on('open', () => {
    for (let count = 0; count < pipeline; count++) socket.send(payload);
  });
  socket.on('message', (data, isBinary) => {
    if (!isBinary || !payload.equals(data)) fail('an echo differs from its message');
    socket.send(payload);
  });
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => fail('the connection was closed'));
}

module.exports = (WebSocket) => {
  for (let index = 0; index < connections; index++) connect(WebSocket, index);
};
if (require.main === module) {
  module.exports(require(path.join(__dirname, '../../../../examples/node/node_modules/sockline')));
}
