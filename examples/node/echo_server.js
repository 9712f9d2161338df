'use strict';
// Sends every message back: node echo_server.js PORT

const { WebSocketServer } = require('sockline');

const port = Number(process.argv[2]);
if (process.argv.length !== 3 || !Number.isInteger(port)) {
  console.error('usage: echo_server.js PORT');
  process.exit(2);
}

const server = new WebSocketServer({ port, maxPayload: 64 << 20, maxFragments: 0, backlog: 1024, perMessageDeflate: true });

server.on('listening', () => console.log(`echoing at ws://localhost:${server.address().port}`));
server.on('error', (error) => {
  console.error(`echo_server: ${error.message}`);
  process.exit(1);
});
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('error', (error) => console.error(`echo_server: ${error.message}`));
});
