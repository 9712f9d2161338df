'use strict';
// A worker with live connections: to itself, to the main thread's server, of WebSockets and, if `workerData` says so, of
// Socket.IO. It goes on sending until it is told to end, which it does cleanly, or is terminated.

const { once } = require('node:events');
const { parentPort, workerData } = require('node:worker_threads');
const { WebSocket, WebSocketServer } = require('../..');
const whatwg = require('../../whatwg');

async function main() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  const url = `ws://127.0.0.1:${server.address().port}`;

  const socket = new WebSocket(url);
  const outside = new WebSocket(workerData.url);
  const browsers = new whatwg.WebSocket(url);
  await Promise.all([once(socket, 'open'), once(outside, 'open'), new Promise((resolve) => (browsers.onopen = resolve))]);
  for (const one of [socket, outside]) {
    one.on('message', () => one.send(Buffer.alloc(1000)));
    one.send('x');
  }
  browsers.onmessage = () => browsers.send('y');
  browsers.send('x');
  const closeSocketIo = workerData.hasSocketIo ? await socketIo() : () => {};

  parentPort.once('message', async () => {
    await closeSocketIo();
    browsers.close();
    outside.close();
    socket.close();
    await Promise.all([once(outside, 'close'), once(socket, 'close'), new Promise((resolve) => (browsers.onclose = resolve))]);
    server.close();
  });
  parentPort.postMessage('live');
}

/** A server and a client of it; returns what closes both. */
async function socketIo() {
  const { Server } = require('../../socket.io');
  const { io } = require('../../socket.io-client');
  const server = new Server(0);
  server.on('connection', (socket) => socket.on('echo', (value, answer) => answer(value)));
  const client = io(`http://127.0.0.1:${server.httpServer.address().port}`, { transports: ['websocket'] });
  const echo = (value) => client.emit('echo', value, echo);
  await new Promise((resolve) => client.emit('echo', 1, resolve));
  echo(Buffer.alloc(100));
  return () => {
    client.disconnect();
    return server.close();
  };
}

main();
