// The official behaviour of a Socket.IO client and its server, one scenario after the other: socketio_client.js URL [TRANSPORTS [SCENARIO]]
//
// TRANSPORTS: polling, websocket or upgrade, which is the default. $SOCKETIO_CLIENT names the package, $PARSER msgpack its parser, with
// $COOKIES it keeps cookies. It prints `ok NAME` for each scenario, and ends with the first that fails.

import assert from 'node:assert/strict';

const { io } = await import(process.env.SOCKETIO_CLIENT ?? 'socket.io-client');

const PATIENCE = 10_000; // ms, for any single event
const [url, transports = 'upgrade', only] = process.argv.slice(2);
const parser = process.env.PARSER === 'msgpack' ? { parser: (await import('socket.io-msgpack-parser')).default } : {};
const way = transports === 'upgrade' ? {} : { transports: [transports] };
const basic = { forceNew: true, reconnection: false, withCredentials: Boolean(process.env.COOKIES) };
const opened = [];

/** The arguments of the socket's next event of this name. */
function next(socket, name) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} within ${PATIENCE / 1000} s`)), PATIENCE);
    socket.once(name, (...values) => {
      clearTimeout(timer);
      resolve(values);
    });
  });
}

function open(namespace = '/', options = {}) {
  const socket = io(new URL(namespace, url).href, { ...basic, ...way, ...parser, ...options });
  opened.push(socket);
  return socket;
}

/** A connected socket; where it has to be, on a WebSocket already. */
async function connect(namespace, options) {
  const socket = open(namespace, options);
  await Promise.race([
    next(socket, 'connect'),
    next(socket, 'connect_error').then(([error]) => Promise.reject(error)),
  ]);
  const { engine } = socket.io;
  if (transports === 'upgrade' && engine.transport.name === 'polling') await next(engine, 'upgrade');
  return socket;
}

const ask = (socket, ...values) => socket.timeout(PATIENCE).emitWithAck(...values);

const bytes = (length) => Buffer.from(Array.from({ length }, (_, index) => (index * 7) % 256));
const plain = (value) => {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return Buffer.from(value.buffer ?? value, value.byteOffset ?? 0, value.byteLength);
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
  return value;
};

const scenarios = {
  async 'an event is acknowledged with its arguments'() {
    const socket = await connect();
    for (const value of [1, -2.5, 'κόσμε €😀\u2028\0"\\', null, true, [], {}, [1, [2, { a: null }]], { 'a b': ['x'] }, 'x'.repeat(20_000)]) {
      assert.deepEqual(await ask(socket, 'echo', value), value);
    }
    const several = await new Promise((resolve) => socket.emit('echo', 1, 'two', [3], (...values) => resolve(values)));
    assert.deepEqual(several, [1, 'two', [3]]);
    assert.deepEqual(await new Promise((resolve) => socket.emit('echo', (...values) => resolve(values))), []);
  },

  async 'binary values go both ways'() {
    const socket = await connect();
    const values = [bytes(1), { deep: [bytes(5000), 'text', bytes(0)] }, new Uint8Array([1, 2, 3])];
    assert.deepEqual(plain(await ask(socket, 'echo', values)), plain(values));
    const bounced = next(socket, 'bounced');
    socket.emit('bounce', 'a', bytes(70_000), { b: bytes(3) });
    assert.deepEqual(plain(await bounced), ['a', bytes(70_000), { b: bytes(3) }]);
  },

  async 'events keep their order'() {
    const socket = await connect();
    const got = [];
    const done = new Promise((resolve) => {
      socket.on('bounced', (value) => got.push(value) === 300 && resolve());
    });
    for (let i = 0; i < 300; i += 1) socket.emit('bounce', i % 7 === 0 ? bytes(i) : i);
    await done;
    assert.deepEqual(plain(got), Array.from({ length: 300 }, (_, i) => (i % 7 === 0 ? bytes(i) : i)));
  },

  async 'the order holds over the upgrade'() {
    const socket = open();
    const got = [];
    const done = new Promise((resolve) => {
      socket.on('bounced', (value) => got.push(value) === 500 && resolve());
    });
    for (let i = 0; i < 500; i += 1) {
      socket.emit('bounce', i);
      if (i % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
    assert.deepEqual(got, Array.from({ length: 500 }, (_, i) => i));
  },

  async 'the server asks, and the client answers'() {
    const socket = await connect();
    socket.on('question', (...values) => values.pop()(values.join('-')));
    const answer = next(socket, 'answer');
    socket.emit('ask', 'a', 1);
    assert.deepEqual(await answer, ['a-1']);
  },

  async 'an answer that does not come times out'() {
    const socket = await connect();
    const answer = next(socket, 'answer');
    socket.emit('ask-timeout', 50);
    assert.deepEqual(await answer, ['timeout']);
    await assert.rejects(socket.timeout(50).emitWithAck('nobody hears this'), /timed out/);
  },

  async 'rooms are joined, reached and left'() {
    const [one, two, three] = await Promise.all([connect(), connect(), connect()]);
    await Promise.all([ask(one, 'join', 'blue'), ask(two, 'join', 'blue')]);
    assert.deepEqual(await ask(one, 'rooms'), ['blue']);
    const heard = [];
    for (const [name, socket] of Object.entries({ one, two, three })) socket.on('said', (value) => heard.push(`${name} ${value}`));
    one.emit('say', 'blue', 'hello');
    await next(two, 'said');
    one.emit('say-except', 'blue', 'others');
    await next(three, 'said');
    assert.deepEqual(await ask(two, 'members', 'blue'), 2);
    await ask(two, 'leave', 'blue');
    assert.deepEqual(await ask(two, 'rooms'), []);
    one.emit('say', 'blue', 'nobody');
    const all = Promise.all([one, two, three].map((socket) => next(socket, 'all')));
    one.emit('all', 'end', bytes(3));
    assert.deepEqual(plain(await all), Array(3).fill(['end', bytes(3)]));
    assert.deepEqual(heard, ['two hello', 'three others']);
  },

  async 'a room is asked, and all of it answers'() {
    const sockets = await Promise.all([connect(), connect(), connect()]);
    await Promise.all(sockets.slice(0, 2).map((socket) => ask(socket, 'join', 'asked')));
    sockets.forEach((socket, index) => socket.on('question', (value, answer) => answer(`${value} ${index}`)));
    assert.deepEqual(await ask(sockets[2], 'ask-room', 'asked'), ['all 0', 'all 1']);
  },

  async 'what the client says of itself is known'() {
    const socket = await connect('/', { auth: { token: 'abc', deep: [1] }, query: { who: 'me & you' } });
    assert.deepEqual(await ask(socket, 'who'), { auth: { token: 'abc', deep: [1] }, who: 'me & you' });
  },

  async 'namespaces share a connection and nothing else'() {
    const one = await connect('/');
    const manager = one.io;
    const admin = manager.socket('/admin', { auth: { token: 'secret' } });
    const dynamic = manager.socket('/dynamic-42');
    await Promise.all([next(admin, 'connect'), next(dynamic, 'connect')]);
    assert.equal(new Set([one.id, admin.id, dynamic.id]).size, 3);
    await Promise.all([one, admin, dynamic].map((socket) => ask(socket, 'join', 'same')));
    assert.equal(await ask(admin, 'members', 'same'), 1);
    dynamic.on('all', () => assert.fail('an event of another namespace'));
    const heard = next(admin, 'all');
    admin.emit('all', 1);
    await heard;
    admin.disconnect();
    assert.equal(await ask(dynamic, 'echo', 'still here'), 'still here');
  },

  async 'a middleware refuses, with its data'() {
    const socket = open('/admin', { auth: { token: 'wrong' } });
    const [error] = await next(socket, 'connect_error');
    assert.equal(error.message, 'not allowed');
    assert.deepEqual(error.data, { code: 7 });
    assert.equal(socket.active, false);
  },

  async 'a namespace that is not there is refused'() {
    const socket = open('/dynamic-x');
    const [error] = await next(socket, 'connect_error');
    assert.equal(error.message, 'Invalid namespace');
  },

  async 'the server disconnects a socket'() {
    const socket = await connect('/dynamic-1');
    const reason = next(socket, 'disconnect');
    socket.emit('kick', false);
    assert.equal((await reason)[0], 'io server disconnect');
    assert.equal(socket.active, false);
  },

  async 'the server disconnects the whole client'() {
    const socket = await connect();
    const reason = next(socket, 'disconnect');
    socket.emit('kick', true);
    assert.equal((await reason)[0], 'io server disconnect');
  },

  async 'a client leaves, and its rooms with it'() {
    const [stays, goes] = await Promise.all([connect(), connect()]);
    await Promise.all([stays, goes].map((socket) => ask(socket, 'join', 'leaving')));
    goes.disconnect();
    while ((await ask(stays, 'members', 'leaving')) !== 1);
  },

  async 'big events and many of them'() {
    const socket = await connect();
    const big = 'é'.repeat(100_000);
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => ask(socket, 'echo', { i, big })));
    answers.forEach((answer, i) => assert.deepEqual(answer, { i, big }));
  },
};

for (const [name, scenario] of Object.entries(scenarios)) {
  if (only && only !== name) continue;
  try {
    await scenario();
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    process.exit(1);
  }
  for (const socket of opened.splice(0)) socket.disconnect();
  console.log(`ok ${name}`);
}
process.exit(0);
