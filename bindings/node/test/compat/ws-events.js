'use strict';
// A story in which ws emits all of its events, with any package of its shape.

const { once } = require('node:events');
const http = require('node:http');
const net = require('node:net');

const NAMES = {
  WebSocket: ['open', 'message', 'ping', 'pong', 'close', 'error', 'upgrade', 'redirect', 'unexpected-response'],
  WebSocketServer: ['listening', 'connection', 'headers', 'close', 'error', 'wsClientError'],
};

/** The events that are heard, with how many arguments, in the order of their names above. */
async function eventsOf(Package) {
  const heard = { WebSocket: new Map(), WebSocketServer: new Map() };
  const server = listening(new Package.WebSocketServer({ port: 0, host: '127.0.0.1' }), 'WebSocketServer', heard);
  server.on('wsClientError', (error, socket) => socket.destroy()); // left to the listener
  await once(server, 'listening');
  const { port } = server.address();
  await talk(Package, server, port, heard);
  await occupied(Package, port, heard);
  await refused(Package, heard);
  await malformed(port);
  server.close();
  await once(server, 'close');
  return inOrder(heard);
}

function inOrder(heard) {
  const sorted = Object.entries(NAMES).map(([who, names]) => {
    return [who, new Map(names.filter((name) => heard[who].has(name)).map((name) => [name, heard[who].get(name)]))];
  });
  return Object.fromEntries(sorted);
}

/** Everything is listened to, since some events depend on that. */
function listening(emitter, who, heard) {
  for (const name of NAMES[who]) emitter.on(name, (...args) => heard[who].set(name, args.length));
  return emitter;
}

async function talk(Package, server, port, heard) {
  server.once('connection', (peer) => {
    peer.on('message', () => peer.ping(() => peer.send('an answer')));
  });
  const socket = listening(new Package(`ws://127.0.0.1:${port}`), 'WebSocket', heard);
  await once(socket, 'open');
  socket.ping();
  await once(socket, 'pong');
  socket.send('a question');
  await once(socket, 'message');
  socket.close();
  await once(socket, 'close');
}

/** Two servers can't have one port. */
async function occupied(Package, port, heard) {
  const second = listening(new Package.WebSocketServer({ port, host: '127.0.0.1' }), 'WebSocketServer', heard);
  await once(second, 'listening').then(
    () => Promise.reject(new Error('there are two servers')),
    () => second.close(),
  );
}

/** A redirect to where the answer is no upgrade, and a server that breaks off. */
async function refused(Package, heard) {
  const server = http.createServer().listen(0, '127.0.0.1');
  server.on('upgrade', ({ url }, socket) => {
    const answer = url === '/' ? '302 Found\r\nLocation: /other' : '403 Forbidden';
    socket.end(url === '/off' ? '' : `HTTP/1.1 ${answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  });
  await once(server, 'listening');
  const url = `ws://127.0.0.1:${server.address().port}`;
  const socket = listening(new Package(url, { followRedirects: true }), 'WebSocket', heard);
  await once(socket, 'unexpected-response').then(([, response]) => response.resume());
  const cut = listening(new Package(`${url}/off`), 'WebSocket', heard);
  await new Promise((resolve) => cut.once('close', resolve));
  socket.terminate();
  server.close();
}

/** An upgrade without a key. */
async function malformed(port) {
  const socket = net.connect(port, '127.0.0.1');
  socket.end('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n');
  socket.resume();
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
}

module.exports = { eventsOf };
