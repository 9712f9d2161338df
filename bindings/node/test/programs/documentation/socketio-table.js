'use strict';
// The whole programs in the documentation of socket.io and of its packages for Redis, and what official clients, and servers of the
// same cluster, do with each.

const { createAdapter, createShardedAdapter } = require('@socket.io/redis-adapter');
const streams = require('@socket.io/redis-streams-adapter');
const { createClient, createCluster } = require('redis');
const { Server } = require('socket.io');
const { io: connect } = require('socket.io-client');

const { next } = require('../../io-support');

/** A connected official client, as soon as the program listens; `prepare` gets it before it hears anything. */
async function open(program, port, options, prepare) {
  const socket = connect(`http://127.0.0.1:${port}`, { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 20, ...options });
  prepare?.(socket);
  await Promise.race([next(socket, 'connect'), program.ended.then(() => Promise.reject(new Error(`it has ended: ${program.errors}`)))]);
  return socket;
}

/** A client of both kinds comes and goes. */
async function visits({ program, note, port }) {
  for (const transports of [['polling'], ['websocket']]) {
    const socket = await open(program, port, { transports });
    socket.emit('event', 1);
    note(socket.connected, socket.io.engine.transport.name);
    socket.disconnect();
  }
}

const visited = (more) => ({ exchange: visits, ...more });

/** A server of the official packages that is in the program's cluster: what it says is heard by the program's client. */
const inCluster = (adapterOf, more = {}) => ({
  exchange: async ({ program, note, port, redis }) => {
    const rootNodes = more.cluster && redis.ports.map((port) => ({ url: `redis://127.0.0.1:${port}` }));
    const clients = [0, 1].map(() => (rootNodes ? createCluster({ rootNodes }) : createClient({ url: redis.url })));
    await Promise.all(clients.map((client) => client.connect()));
    const server = new Server(0, { adapter: adapterOf(...clients) });
    const socket = await open(program, port, { transports: ['websocket'] });
    let heard = false;
    const news = next(socket, 'news').finally(() => (heard = true));
    // Whether the program listens to Redis by now is only seen by this.
    for (; !heard; await new Promise((resolve) => setTimeout(resolve, 20))) server.emit('news', 'to all of the cluster');
    note(...(await news));
    socket.disconnect();
    await server.close();
    await Promise.all(clients.map((client) => client.quit()));
  },
  ...more,
});

const OF_REDIS = [
  [/redis:\/\/localhost:6379/, 'REDIS'],
  [/new Redis\(\)/, 'new Redis("REDIS")'],
  [/\{ host: "localhost", port: 6379 \}/, '{ url: "REDIS" }'],
  [/createClient\(\)/, 'createClient({ url: "REDIS" })'],
];
const classic = (pub, sub) => createAdapter(pub, sub);
const sharded = (pub, sub) => createShardedAdapter(pub, sub);
const byStreams = (client) => streams.createAdapter(client);

/** What clients of an official server hear of a program that only emits. */
const emitting = (expected, more) => ({
  edits: OF_REDIS,
  peer: async ({ redis }) => {
    const clients = [createClient({ url: redis.url }), createClient({ url: redis.url })];
    await Promise.all(clients.map((client) => client.connect()));
    const server = new Server({ adapter: createAdapter(...clients) });
    server.listen(0);
    for (const namespace of ['/', '/admin']) server.of(namespace).on('connection', (socket) => socket.join(socket.handshake.auth.rooms ?? []));
    const url = `http://127.0.0.1:${server.httpServer.address().port}`;
    const heard = [];
    const sockets = [];
    for (const [name, namespace, rooms] of [['ann', '/', ['room1']], ['bob', '/', ['room1', 'room2']], ['eve', '/admin', ['room1', 'notifications']]]) {
      const socket = connect(url + namespace, { auth: { rooms }, transports: ['websocket'], forceNew: true, reconnection: false });
      socket.onAny((event, ...args) => heard.push([name, event, ...args].map((one) => (/^\d{4}-\d\d-\d\dT/.test(one) ? 'a time' : one)).join(' ')));
      socket.on('disconnect', (reason) => heard.push(`${name} disconnect: ${reason}`));
      await next(socket, 'connect');
      sockets.push(socket);
    }
    const close = async () => {
      for (const socket of sockets) socket.disconnect();
      await server.close();
      await Promise.all(clients.map((client) => client.quit()));
    };
    const roomsOf = () => sockets.map((socket) => [...(server.of(socket.nsp).sockets.get(socket.id)?.rooms ?? [])].filter((room) => room !== socket.id).sort().join());
    return { heard, sockets, roomsOf, close, ids: { socketId: sockets[0].id, theSocketId: sockets[2].id } };
  },
  exchange: async ({ program, note, peer }) => {
    const isThere = () => expected(peer);
    for (const begin = Date.now(); !isThere(); await new Promise((resolve) => setTimeout(resolve, 10))) {
      if (program.end || Date.now() - begin > 10_000) throw new Error(`heard: ${peer.heard}, in rooms: ${peer.roomsOf()}`);
    }
    note([...new Set(peer.heard)].sort(), peer.roomsOf());
  },
  ...more,
});

const hears = (...lines) => ({ heard }) => lines.every((line) => heard.includes(line));
const EMITTER = `const { Emitter } = require("@socket.io/redis-emitter");
const redisClient = require("redis").createClient({ url: "REDIS" });
const io = new Emitter(redisClient);
redisClient.connect().then(() => {\n`;
const OFTEN = [...OF_REDIS, ['5000', '50']];
const FILLED = [/const redisClient = createClient\(\);\n/, 'const redisClient = createClient({ url: "REDIS" });\nredisClient.connect().then(() => {\n'];
let serial = 0;

module.exports = {
  'socket.io': {
    Server: { exchange: async ({ program, note, port }) => {
      let greeting;
      const socket = await open(program, port, { transports: ['websocket'] }, (one) => (greeting = next(one, 'foo')));
      note(await greeting);
      socket.emit('foobar');
      const { id } = socket;
      socket.disconnect();
      await program.prints(`socket ${id} disconnected due to client namespace disconnect`);
      program.output = program.output.replaceAll(id, 'ID');
    } },
    'How to use': visited(),
    Standalone: visited({ edits: [['{ ... }', '{}']] }),
    'Module syntax': visited({ prologue: 'import { createServer } from "http";\nconst server = createServer();\n' }),
    'In conjunction with Express': visited(),
    'In conjunction with Fastify': visited(),
  },
  '@socket.io/redis-adapter': {
    'With the `redis` package': inCluster(classic, { edits: OF_REDIS }),
    'With the `redis` package and a Redis cluster': inCluster(classic, { cluster: true }),
    'With the `ioredis` package': inCluster(classic, { edits: OF_REDIS }),
    'With the `ioredis` package and a Redis cluster': inCluster(classic, { cluster: true }),
    'With Redis sharded Pub/Sub': inCluster(sharded, { edits: OF_REDIS }),
  },
  '@socket.io/redis-streams-adapter': {
    'With the `redis` package': inCluster(byStreams, { edits: OF_REDIS }),
    'With the `redis` package and a Redis cluster': inCluster(byStreams, { cluster: true }),
    'With the `ioredis` package': inCluster(byStreams, { edits: OF_REDIS }),
    'With the `ioredis` package and a Redis cluster': inCluster(byStreams, { cluster: true }),
  },
  '@socket.io/redis-emitter': {
    CommonJS: emitting(hears('ann time a time', 'bob time a time'), { edits: OFTEN }),
    TypeScript: emitting(hears('ann time a time', 'bob time a time'), { edits: OFTEN }),
    'TypeScript (2)': emitting(hears('ann basicEmit 1 2 3'), { edits: [...OF_REDIS, ['from "."', 'from "@socket.io/redis-emitter"']] }),
    'Emit cheatsheet': emitting(hears('bob news 1', 'bob news 2', 'ann news 3', 'ann news 4', 'eve news 5', 'eve news 6'), {
      edits: [FILLED, [/emit\(\/\* \.\.\. \*\/\)/g, () => `emit("news", ${(serial++ % 6) + 1})`]], epilogue: '});',
    }),
    'Emitter#socketsJoin(rooms:String|String[])': emitting(({ roomsOf }) => roomsOf().join(' ') === 'room1 room1,room2 notifications,room1,room2', { prologue: EMITTER, epilogue: '});' }),
    'Emitter#socketsLeave(rooms:String|String[])': emitting(({ roomsOf }) => roomsOf().join(' ') === ' room2 notifications,room1', { prologue: EMITTER, epilogue: '});' }),
    'Emitter#disconnectSockets(close:boolean)': emitting(hears('ann disconnect: io server disconnect', 'eve disconnect: io server disconnect'), { prologue: EMITTER, epilogue: '});' }),
    'Migrating from `socket.io-emitter` (2)': emitting(hears('ann news'), { edits: [FILLED], epilogue: 'io.emit("news"); });' }),
  },
};
