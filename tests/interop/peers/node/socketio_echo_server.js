// The official server, doing what io_echo_server does: socketio_echo_server.js PORT. $PARSER msgpack is that parser.

import { Server } from 'socket.io';
import msgpack from 'socket.io-msgpack-parser';

const io = new Server(Number(process.argv[2]), process.env.PARSER === 'msgpack' ? { parser: msgpack } : {});
io.on('connection', (socket) => {
  socket.join('room');
  socket.on('msg', (...values) => values.pop()(...values));
  socket.on('bc', (...values) => io.to('room').emit('bc', ...values));
});
const { httpServer } = io;
if (!httpServer.listening) await new Promise((resolve) => httpServer.once('listening', resolve));
console.log(`listening ${httpServer.address().port}`);
