'use strict';
// A Socket.IO client under test, on sockline or on what has the same interface: io_client.js PORT CONNECTIONS PIPELINE SIZE.
// On each connection PIPELINE events with a string of SIZE characters are in flight, whose answers are compared whole.

const path = require('path');

const [port, connections, pipeline, size] = process.argv.slice(2).map(Number);

function fail(why) {
  console.error(`io_client: ${why}`);
  process.exit(1);
}

/** Each connection has a text of its own, so that an answer to another's is noticed. */
function connect(io, index) {
  const letters = Array.from({ length: size }, (_, place) => String.fromCharCode(97 + ((index + place) % 26)));
  const text = letters.join('');
  const socket = io(`http://127.0.0.1:${port}/`, { transports: ['websocket'], reconnection: false, forceNew: true });
  const answered = (answer) => {
    if (answer !== text) fail('an answer differs from its event');
    socket.emit('msg', text, answered);
  };
  socket.on('connect', () => {
    for (let count = 0; count < pipeline; count++) socket.emit('msg', text, answered);
  });
  socket.on('connect_error', (error) => fail(error.message));
  socket.on('disconnect', fail);
}

module.exports = ({ io }) => {
  for (let index = 0; index < connections; index++) connect(io, index);
};
if (require.main === module) {
  module.exports(require(path.join(__dirname, '../../../../examples/node/node_modules/sockline/socket.io-client')));
}
