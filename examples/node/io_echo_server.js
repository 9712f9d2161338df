'use strict';
// Answers Socket.IO clients: `msg` with its argument, `bc` by telling all: node io_echo_server.js PORT

const { Server } = require('sockline/socket.io');

const port = Number(process.argv[2]);
if (process.argv.length !== 3 || !Number.isInteger(port)) {
  console.error('usage: io_echo_server.js PORT');
  process.exit(2);
}

const io = new Server(port);

io.httpServer.on('listening', () => console.log(`echoing at http://localhost:${io.httpServer.address().port}`));
io.httpServer.on('error', (error) => {
  console.error(`io_echo_server: ${error.message}`);
  process.exit(1);
});
io.on('connection', (socket) => {
  socket.join('room');
  socket.on('msg', (value, answer) => answer?.(value));
  socket.on('bc', (value) => io.to('room').emit('bc', value));
});
