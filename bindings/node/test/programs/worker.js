'use strict';
// A worker with a server, connections to it and traffic on them; it tells when they are open, and then goes on.
const { parentPort } = require('node:worker_threads');
const WebSocket = require('sockline');

const server = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
let echoed = 0;
for (let i = 0; i < 5; i++) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
  socket.on('open', () => socket.send('round and round'));
  socket.on('message', (data) => {
    echoed += 1;
    if (echoed === 20) parentPort.postMessage('running');
    socket.send(data);
  });
}
parentPort.on('message', () => {
  for (const socket of server.clients) socket.terminate();
  server.close();
  parentPort.close();
});
