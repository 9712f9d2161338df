'use strict';
// What the tests of Socket.IO share: the official packages and ours under one interface, and waiting with a limit.

const { once } = require('node:events');
const https = require('node:https');
const { afterEach } = require('node:test');

const { issue, selfSigned } = require('./certificates');

const ours = { Server: require('sockline/socket.io').Server, connect: require('sockline/socket.io-client').io };
const theirs = { Server: require('socket.io').Server, connect: require('socket.io-client').io };

const LIMIT = 20_000; // ms; a test that waits longer for something has failed

/** Each role of ours against the official package. */
const PAIRS = [
  { name: 'official client, our server', Server: ours.Server, connect: theirs.connect },
  { name: 'our client, official server', Server: theirs.Server, connect: ours.connect },
  { name: 'our client, our server', Server: ours.Server, connect: ours.connect },
];

/** Each way to carry a session: by requests, by a WebSocket, by requests and then a WebSocket. */
const CARRIERS = [
  { carrier: 'polling', transports: ['polling'] },
  { carrier: 'websocket', transports: ['websocket'] },
  { carrier: 'upgrade', transports: ['polling', 'websocket'] },
];

/** Calls `define(pair, carrier)` for all of them. */
function forAll(define) {
  for (const pair of PAIRS) {
    for (const { carrier, transports } of CARRIERS) define({ ...pair, name: `${pair.name}, ${carrier}`, transports });
  }
}

/** What a test has opened; what it leaves open when it fails must not keep the others waiting. */
const opened = { servers: new Set(), sockets: new Set() };

afterEach(async () => {
  for (const socket of opened.sockets) socket.disconnect();
  await Promise.all([...opened.servers].map((server) => server.close()));
  for (const set of Object.values(opened)) set.clear();
});

/** A server on a port of its own; `url` is where. */
async function serve(Server, options) {
  const server = new Server(0, options);
  opened.servers.add(server);
  if (!server.httpServer.address()) await once(server.httpServer, 'listening');
  server.url = `http://127.0.0.1:${server.httpServer.address().port}`;
  return server;
}

/** One of ours on an HTTPS server of Node's, with the authority that its clients have to trust. */
async function serveSecurely() {
  const authority = selfSigned('an authority');
  const { cert, key } = issue(authority);
  const httpServer = https.createServer({ cert, key }).listen(0);
  await once(httpServer, 'listening');
  const server = new ours.Server(httpServer);
  opened.servers.add(server);
  return { authority, server, port: httpServer.address().port };
}

/** A socket of a manager of its own, not connected yet, perhaps. */
function client(connect, url, options) {
  const socket = connect(url, { forceNew: true, reconnection: false, ...options });
  opened.sockets.add(socket);
  return socket;
}

/** The arguments of the next event of this name, of either kind of emitter. */
function next(emitter, name) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no "${name}" within ${LIMIT} ms`)), LIMIT);
    emitter.once(name, (...args) => {
      clearTimeout(timer);
      resolve(args);
    });
  });
}

/** A connected socket and its other end. */
async function pair(connect, server, options, namespace = '/') {
  const nsp = server.of(namespace);
  const socket = client(connect, server.url + namespace, options);
  const [[peer]] = await Promise.all([next(nsp, 'connection'), next(socket, 'connect')]);
  return { socket, peer };
}

/** Until the session is on a WebSocket, at both ends, if it is to go there. */
async function settled(socket, peer, transports) {
  if (transports.length < 2) return;
  if (peer.conn.transport.name !== 'websocket') await next(peer.conn, 'upgrade');
  if (socket.io.engine.transport.name !== 'websocket') await next(socket.io.engine, 'upgrade');
}

module.exports = { CARRIERS, PAIRS, client, forAll, next, opened, ours, pair, serve, serveSecurely, settled, theirs };
