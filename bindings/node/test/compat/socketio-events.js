'use strict';
// A story in which socket.io and socket.io-client emit all of their events, with any packages of their shape.

const { once } = require('node:events');
const http = require('node:http');

/** Those that are documented or in the types. Of the engines `open` of a server's connection is too early to be heard. */
const NAMES = {
  Server: ['connect', 'connection', 'new_namespace'],
  Socket: ['disconnecting', 'disconnect', 'error'],
  Adapter: ['create-room', 'join-room', 'leave-room', 'delete-room'],
  engine: ['connection', 'connection_error', 'initial_headers', 'headers', 'drain', 'flush'],
  conn: ['upgrading', 'upgrade', 'packet', 'packetCreate', 'data', 'message', 'heartbeat', 'drain', 'flush', 'close'],
  Manager: ['open', 'error', 'ping', 'packet', 'close', 'reconnect_attempt', 'reconnect', 'reconnect_error', 'reconnect_failed'],
  'Socket of clients': ['connect', 'connect_error', 'disconnect'],
  'engine of clients': [
    ...['open', 'handshake', 'packet', 'packetCreate', 'data', 'message', 'drain', 'flush', 'heartbeat', 'ping', 'pong'],
    ...['upgrading', 'upgrade', 'upgradeError', 'error', 'close'],
  ],
};

const LIMIT = 20_000; // ms

/** The events that are heard, with how many arguments, in the order of their names above. */
async function eventsOf(packages) {
  const heard = Object.fromEntries(Object.keys(NAMES).map((who) => [who, new Map()]));
  await talk(packages, heard);
  await failToUpgrade(packages, heard);
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

/** The arguments of the next event of this name; none if it is so late that it won't come. */
function next(emitter, name) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LIMIT, []);
    emitter.once(name, (...args) => {
      clearTimeout(timer);
      resolve(args);
    });
  });
}

async function talk({ Server, Manager }, heard) {
  const server = listening(new Server(0, { pingInterval: 100 }), 'Server', heard);
  if (!server.httpServer.address()) await once(server.httpServer, 'listening');
  const url = `http://127.0.0.1:${server.httpServer.address().port}`;
  listening(server.engine, 'engine', heard);
  listening(server.of('/').adapter, 'Adapter', heard);
  server.of('/new');
  const times = { reconnectionDelay: 10, reconnectionDelayMax: 10, reconnectionAttempts: 2 };
  const manager = listening(new Manager(url, { autoConnect: false, ...times }), 'Manager', heard);
  const socket = listening(manager.socket('/'), 'Socket of clients', heard);
  const connection = next(server, 'connection');
  const beat = serve(server, heard);
  socket.connect();
  const engine = listening(manager.engine, 'engine of clients', heard);
  const [peer] = await connection;
  await Promise.all([next(engine, 'upgrade'), next(manager, 'ping'), beat]);
  const refusedEvent = next(peer, 'error');
  socket.emit('refused by a middleware');
  await refusedEvent;
  await refusals(manager, url, heard);
  const back = next(manager, 'reconnect');
  engine.close();
  await back;
  const over = next(manager, 'reconnect_failed');
  server.close();
  await over;
}

/** Joins and leaves, refuses events, and resolves with the first answer to a ping. */
async function serve(server, heard) {
  server.on('connection', (peer) => {
    listening(peer, 'Socket', heard);
    listening(peer.conn, 'conn', heard);
    peer.use((event, refuse) => refuse(new Error('not that')));
    peer.join('room');
    peer.leave('room');
    peer.emit('welcome');
  });
  const [peer] = await next(server, 'connection');
  await next(peer.conn, 'heartbeat');
}

/** A namespace that there is not, a request that is none, a server that there is not. */
async function refusals(manager, url, heard) {
  const stranger = listening(manager.socket('/nowhere'), 'Socket of clients', heard);
  stranger.connect();
  await next(stranger, 'connect_error');
  await (await fetch(`${url}/socket.io/?EIO=9&transport=smoke`)).text();
}

/** A server that can't be reached, and one whose upgrades break off. */
async function failToUpgrade({ Manager }, heard) {
  const nowhere = listening(new Manager('http://127.0.0.1:1', { autoConnect: false, reconnection: false }), 'Manager', heard);
  nowhere.open();
  listening(nowhere.engine, 'engine of clients', heard);
  await next(nowhere, 'error');
  const httpServer = http.createServer();
  const { Server } = require('socket.io');
  const server = new Server(httpServer);
  httpServer.removeAllListeners('upgrade');
  httpServer.on('upgrade', (request, socket) => socket.destroy());
  httpServer.listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  const manager = new Manager(`http://127.0.0.1:${httpServer.address().port}`, { autoConnect: false, reconnection: false });
  manager.open();
  await next(listening(manager.engine, 'engine of clients', heard), 'upgradeError');
  manager.socket('/').disconnect();
  manager._close?.();
  server.close();
}

module.exports = { eventsOf };
