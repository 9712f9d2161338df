// A client of Socket.IO 2 (Engine.IO 3) and a server that allows it: socketio_v2_client.js URL [TRANSPORTS]
//
// TRANSPORTS: polling, websocket or upgrade, which is the default. It prints `ok NAME` for each scenario, and ends with the first that
// fails.

import assert from 'node:assert/strict';
import io from 'socket.io-client-v2';

const PATIENCE = 10_000; // ms, for any single event
const [url, transports = 'upgrade'] = process.argv.slice(2);
const way = transports === 'upgrade' ? {} : { transports: [transports] };
const opened = [];

function next(socket, name) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} within ${PATIENCE / 1000} s`)), PATIENCE);
    socket.once(name, (...values) => {
      clearTimeout(timer);
      resolve(values);
    });
  });
}

async function connect(namespace = '/', options = {}) {
  const socket = io(new URL(namespace, url).href, { forceNew: true, reconnection: false, ...way, ...options });
  opened.push(socket);
  await next(socket, 'connect');
  const { engine } = socket.io;
  if (transports === 'upgrade' && engine.transport.name === 'polling') await next(engine, 'upgrade');
  return socket;
}

const ask = (socket, ...values) => new Promise((resolve) => socket.emit(...values, resolve));

const scenarios = {
  async 'an event is acknowledged with its arguments'() {
    const socket = await connect();
    for (const value of [1, 'κόσμε €😀', null, [1, { a: [] }]]) assert.deepEqual(await ask(socket, 'echo', value), value);
  },

  async 'binary values go both ways'() {
    const socket = await connect();
    const bounced = next(socket, 'bounced');
    socket.emit('bounce', 'a', Buffer.from([1, 2, 255]), { b: Buffer.alloc(5000, 7) });
    assert.deepEqual(await bounced, ['a', Buffer.from([1, 2, 255]), { b: Buffer.alloc(5000, 7) }]);
  },

  async 'events keep their order'() {
    const socket = await connect();
    const got = [];
    const done = new Promise((resolve) => {
      socket.on('bounced', (value) => got.push(value) === 200 && resolve());
    });
    for (let i = 0; i < 200; i += 1) socket.emit('bounce', i);
    await done;
    assert.deepEqual(got, Array.from({ length: 200 }, (_, i) => i));
  },

  async 'rooms are reached'() {
    const [one, two] = await Promise.all([connect(), connect()]);
    await ask(two, 'join', 'old');
    const said = next(two, 'said');
    one.emit('say', 'old', 'hello');
    assert.deepEqual(await said, ['hello']);
  },

  async 'a namespace, and its query'() {
    const socket = await connect('/admin?token=secret');
    assert.equal(await ask(socket, 'echo', 'here'), 'here');
  },

  async 'a namespace that is not there is refused'() {
    const socket = io(new URL('/nowhere', url).href, { forceNew: true, reconnection: false, ...way });
    opened.push(socket);
    const [error] = await next(socket, 'error');
    assert.equal(error.message ?? error, 'Invalid namespace'); // the latter where a handler says so
  },

  async 'the server disconnects the client'() {
    const socket = await connect();
    const reason = next(socket, 'disconnect');
    socket.emit('kick', false);
    assert.deepEqual(await reason, ['io server disconnect']);
  },
};

for (const [name, scenario] of Object.entries(scenarios)) {
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
