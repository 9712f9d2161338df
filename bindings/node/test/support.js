'use strict';
// What the tests share: both packages under one interface, an echo server of either, and waiting with a limit.

const { once } = require('node:events');
const { afterEach } = require('node:test');
const ours = require('sockline');
const theirs = require('ws');

/** What a test has opened; what it leaves open when it fails must not keep the others waiting. */
const opened = { servers: new Set(), sockets: new Set() };

afterEach(() => {
  for (const socket of opened.sockets) socket.terminate();
  for (const server of opened.servers) {
    for (const socket of server.clients) socket.terminate();
    server.close();
  }
  for (const set of Object.values(opened)) set.clear();
});

const LIMIT = 20_000; // ms; a test that waits longer for something has failed

/** The arguments of the next event of this name; rejects on 'error' and when it takes too long. */
function next(emitter, name) {
  return once(emitter, name, { signal: AbortSignal.timeout(LIMIT) });
}

/** A listening server that echoes, or does what `serve(socket, request)` says; `url` is where. */
async function listen(Package, serve = echo, options = {}) {
  const server = new Package.WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
  server.on('connection', serve);
  opened.servers.add(server);
  await next(server, 'listening');
  server.url = `ws://127.0.0.1:${server.address().port}`;
  return server;
}

function echo(socket) {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
}

/** An open connection. */
async function connect(Package, url, protocols, options) {
  const socket = new Package(url, protocols, { perMessageDeflate: false, ...options });
  opened.sockets.add(socket);
  await next(socket, 'open');
  return socket;
}

/** Closes both sides, and waits until the server says that all is over. */
async function finish(server, ...sockets) {
  for (const socket of sockets) socket.close();
  for (const socket of server.clients) socket.terminate();
  const closed = next(server, 'close');
  server.close();
  await closed;
  opened.servers.delete(server);
  for (const socket of sockets) opened.sockets.delete(socket);
}

/** Bytes that differ from their neighbours. */
function pattern(size) {
  const bytes = Buffer.allocUnsafe(size);
  for (let at = 0; at < size; at++) bytes[at] = (at * 31 + (at >> 8)) & 0xff;
  return bytes;
}

/** Each role of ours against the real ws. */
const PAIRS = [
  { name: 'our client, ws as server', Client: ours, Server: theirs },
  { name: 'ws as client, our server', Client: theirs, Server: ours },
  { name: 'our client, our server', Client: ours, Server: ours },
];

module.exports = { PAIRS, connect, echo, finish, listen, next, opened, ours, pattern, theirs };
