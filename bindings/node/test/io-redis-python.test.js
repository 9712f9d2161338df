'use strict';
// Servers of ours in one cluster that speaks python-socketio's format, over a real Redis. That servers of python-socketio
// understand it, the tests in Python show.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, test } = require('node:test');

const { createPythonSocketioAdapter } = require('sockline/redis-adapter');
const { Emitter } = require('sockline/redis-emitter');

const { next, ours, pair, serve, theirs } = require('./io-support');
const { Redis, closeClients, redisClient, until } = require('./io-redis-support');

const BYTES = Buffer.from([0, 1, 254, 255]);
const CAPTURED = fs.readFileSync(path.resolve(__dirname, '../../../core/tests/redis/python-socketio.log'), 'utf8');

let redis;
before(async () => {
  redis = await Redis.start();
});
after(() => redis.end());
afterEach(closeClients);

/** Two servers, with a client on each, and what goes over their channel. */
async function two(channel, options) {
  const said = [];
  const tap = await redisClient(redis.url);
  await tap.subscribe(channel, (message) => said.push(JSON.parse(message)));
  const make = () => serve(ours.Server, { adapter: createPythonSocketioAdapter(redis.url, { channel, ...options }) });
  const [a, b] = await Promise.all([make(), make()]);
  await until(async () => (await a.of('/').adapter.serverCount()) === 3); // who taps is counted, too
  const [one, other] = await Promise.all([a, b].map((server) => pair(theirs.connect, server, { transports: ['websocket'] })));
  return { a, b, one, other, said };
}

test('clients of both are reached, moved and asked', async () => {
  const { a, b, one, other, said } = await two('both');
  a.in(other.socket.id).socketsJoin(['room', 'more']);
  await until(() => other.peer.rooms.has('more'));
  const { id } = other.socket;
  const heard = [];
  other.socket.onAny((...event) => heard.push(event));
  a.emit('all', 1, BYTES, { deep: [BYTES] });
  a.to('room').except(one.socket.id).emit('room', 'κόσμε');
  a.in(other.socket.id).socketsLeave('more');
  a.to('more').emit('nobody');
  a.local.emit('here');
  a.emit('end');
  await until(() => heard.some(([name]) => name === 'end'));
  assert.deepStrictEqual(heard, [['all', 1, BYTES, { deep: [BYTES] }], ['room', 'κόσμε'], ['end']]);
  other.socket.on('ask', (value, answer) => answer(value + 1, 'more'));
  assert.deepStrictEqual(await a.to(other.socket.id).timeout(20_000).emitWithAck('ask', 1), [2]);
  const gone = next(other.peer, 'disconnect');
  a.in(other.socket.id).disconnectSockets();
  await gone;
  assert.strictEqual(b.of('/').sockets.size, 0);
  await until(() => said.length === 10);
  const [asked] = said.filter(({ callback }) => callback);
  const { host_id } = asked;
  assert.match(host_id, /^[0-9a-f]{32}$/);
  assert.deepStrictEqual(asked, {
    method: 'emit', event: 'ask', data: [1], binary: false, namespace: '/', room: id, skip_sid: null,
    callback: [id, '/', 1], host_id,
  });
  const methods = said.map(({ method }) => method);
  assert.deepStrictEqual(methods, ['enter_room', 'enter_room', 'emit', 'emit', 'leave_room', 'emit', 'emit', 'emit', 'callback', 'disconnect']);
});

test('what the format can not say is told', async () => {
  const { a, b, one } = await two('missing');
  const errors = [];
  a.of('/').adapter.on('error', ({ message }) => errors.push(message));
  const found = await a.fetchSockets();
  assert.deepStrictEqual([found.map(({ id }) => id), found.missing], [[one.socket.id], 2]);
  await assert.rejects(a.serverSideEmitWithAck('x'), /from server to server/);
  a.serverSideEmit('x');
  a.except('room').socketsJoin('y');
  await until(() => errors.length === 2);
  assert.match(errors[0], /from server to server/);
  assert.match(errors[1], /orders/);
  assert.ok(one.peer.rooms.has('y'));
  assert.strictEqual(b.of('/').adapter.rooms.has('y'), false);
});

test('what python-socketio has published arrives', async () => {
  const { other } = await two('captured');
  const heard = [];
  other.socket.onAny((...event) => heard.push(event));
  const python = await redisClient(redis.url);
  const events = CAPTURED.split('\n').filter((line) => line.includes('"emit"') && line.includes('"room": null'));
  for (const line of [...events, '{"method":"emit","event":"end","data":[],"namespace":"/"}']) await python.publish('captured', line);
  await until(() => heard.some(([name]) => name === 'end'));
  assert.deepStrictEqual(heard, [['hello', 'x'], ['hello'], ['bin', Buffer.from([0, 1, 255])], ['quote"d é', 'ü'], ['hello'], ['end']]);
});

test('a process without a server emits', async () => {
  const { one, other } = await two('outside');
  const emitter = new Emitter(redis.url, { mode: 'python-socketio', channel: 'outside' });
  emitter.in(other.socket.id).socketsJoin('room');
  await until(() => other.peer.rooms.has('room'));
  const [first, second] = [next(one.socket, 'all'), next(other.socket, 'all')];
  const room = next(other.socket, 'room');
  emitter.to('room').emit('room', BYTES);
  emitter.of('/').emit('all', { a: 1 });
  assert.deepStrictEqual([await first, await second, await room], [[{ a: 1 }], [{ a: 1 }], [BYTES]]);
  assert.throws(() => emitter.serverSideEmit('x'), { code: 'SOCKLINE_ERR_UNSUPPORTED' });
  await emitter.close();
});

test('options of other modes are refused', () => {
  assert.throws(() => createPythonSocketioAdapter(redis.url, { key: 'x' }), TypeError);
  assert.throws(() => createPythonSocketioAdapter(redis.url, { channel: 1 }), TypeError);
  assert.throws(() => new Emitter(redis.url, { mode: 'python-socketio', key: 'x' }), TypeError);
  assert.throws(() => new Emitter(redis.url, { channel: 'x' }), TypeError);
  assert.throws(() => new Emitter(redis.url, { mode: 'streams' }), TypeError);
});
