'use strict';
// An exception in a handler is an uncaught one, and the other messages of the batch come nevertheless.
const WebSocket = require('sockline');

const caught = [];
const got = [];
process.on('uncaughtException', (error) => caught.push(error.message));
const server = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
server.on('connection', (socket) => {
  for (const word of ['one', 'two', 'three']) socket.send(word);
  socket.close(1000);
});
const socket = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
socket.on('message', (data) => {
  got.push(String(data));
  if (got.length === 2) throw new Error('of a handler');
});
socket.on('close', () => {
  server.close();
  console.log(JSON.stringify({ caught, got }));
});
