'use strict';
// Echo on npm ws, with the native masking of bufferutil.

require('bufferutil'); // ws takes it when it is there, silently goes without when it is not
const { WebSocketServer } = require('ws');

const port = Number(process.argv[2]);
const server = new WebSocketServer({ host: '127.0.0.1', port, perMessageDeflate: false, backlog: 4096 });

server.on('listening', () => console.log(`listening on 127.0.0.1:${port}`));
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('error', (error) => console.error(`connection failed: ${error.message}`));
});
