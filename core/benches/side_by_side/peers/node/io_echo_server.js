'use strict';
// What sockline's io_echo_server does, on the official socket.io, its ws with the native masking of bufferutil:
// io_echo_server.js PORT

require('bufferutil'); // ws takes it when it is there, silently goes without when it is not
const http = require('http');
const { Server } = require('socket.io');

const [port] = process.argv.slice(2);
const host = '127.0.0.1';

const server = http.createServer();
const io = new Server(server);
io.on('connection', (socket) => {
  socket.join('room');
  socket.on('msg', (value, answer) => answer(value));
  socket.on('bc', (value) => io.to('room').emit('bc', value));
});
server.listen({ host, port: Number(port), backlog: 4096 }, () => console.log(`listening on ${host}:${port}`));
