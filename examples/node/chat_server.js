'use strict';
// Passes every chat message on to everybody, and serves the page: node chat_server.js PORT

const path = require('path');
const WebSocket = require('sockline');

const port = Number(process.argv[2]);
if (process.argv.length !== 3 || !Number.isInteger(port)) {
  console.error('usage: chat_server.js PORT');
  process.exit(2);
}

const web = path.join(__dirname, '../web');
const server = new WebSocket.WebSocketServer({ port, path: '/ws', static: web, maxPayload: 64 << 10 });

/** The message as it is passed on; null if it is none. */
function chatMessage(data) {
  try {
    const { name, text } = JSON.parse(data);
    return typeof name === 'string' && typeof text === 'string' ? JSON.stringify({ name, text }) : null;
  } catch {
    return null;
  }
}

server.on('listening', () => console.log(`chatting at http://localhost:${server.address().port}/`));
server.on('error', (error) => {
  console.error(`chat_server: ${error.message}`);
  process.exit(1);
});
server.on('connection', (socket) => {
  socket.on('error', (error) => console.error(`chat_server: ${error.message}`));
  socket.on('message', (data, isBinary) => {
    const message = isBinary ? null : chatMessage(data);
    if (message === null) return;
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(message);
    }
  });
});
