'use strict';
// Topics that several servers share over a real Redis.

const assert = require('node:assert');
const { once } = require('node:events');
const net = require('node:net');
const { after, before, test } = require('node:test');

const { createAdapter, createShardedAdapter, createStreamsAdapter } = require('sockline/redis-adapter');
const { Emitter } = require('sockline/redis-emitter');

const { Redis, until } = require('./io-redis-support');
const { connect, finish, listen, next, ours, theirs } = require('./support');

const KEY = 'socket.io-topics';

let redis;
before(async () => {
  redis = await Redis.start();
});
after(() => redis.end());

/** A subscription takes its time. */
async function untilSoManyListen(count, channel = KEY, command = 'NUMSUB', { port } = redis) {
  const socket = net.connect(port, '127.0.0.1');
  for (let found; found !== count; ) {
    socket.write(`PUBSUB ${command} ${channel}\r\n`);
    let answer = '';
    while (!/:\d+\r\n/.test(answer)) answer += (await once(socket, 'data'))[0];
    found = Number(/:(\d+)/.exec(answer)[1]);
  }
  socket.destroy();
}

/** A server whose clients subscribe, and such a client with what it has heard. */
async function node(options) {
  const server = await listen(
    ours,
    (socket) => {
      socket.subscribe('news/#');
      socket.on('message', (data, isBinary) => socket.publish('news/said', data, { binary: isBinary }));
      socket.send('subscribed');
    },
    options,
  );
  const heard = [];
  const socket = new theirs(server.url);
  socket.on('message', (data, isBinary) => heard.push(isBinary ? [...data] : String(data)));
  await until(() => heard.length === 1);
  return { server, socket, heard, close: () => finish(server, socket) };
}

/** Unlike `once`, also after an error. */
function happens(emitter, name) {
  return new Promise((resolve) => emitter.once(name, resolve));
}

/** Fails unless this is what each of them hears next. */
async function hear(message, ...nodes) {
  for (const { heard } of nodes) {
    await until(() => heard.length > 1);
    assert.deepStrictEqual(heard.splice(1, 1), [message]);
  }
}

test('subscribers of all servers get it once', async () => {
  const one = await node({ adapter: redis.url });
  const two = await node({ adapter: new URL(redis.url), threads: 2 });
  const three = await node({ adapter: createAdapter(redis.url) });
  await untilSoManyListen(3);
  one.server.publish('news/today', 'of one');
  await hear('of one', one, two, three);
  two.server.publish('weather', 'to nobody');
  two.server.publish('news', Buffer.from([0, 255]));
  await hear([0, 255], one, two, three);
  one.server.broadcast('for one alone');
  await hear('for one alone', one);
  two.socket.send('said by two');
  await hear('said by two', one, three);
  three.socket.send(Buffer.from([7]));
  await hear([7], one, two);
  // Whatever has come twice has come before this.
  one.server.publish('news', 'end');
  await hear('end', one, two, three);
  await Promise.all([one, two, three].map((each) => each.close()));
  await untilSoManyListen(0);
});

const MODES = {
  classic: [(key) => createAdapter(redis.url, null, { key }), 'NUMSUB', {}],
  sharded: [(channelPrefix) => createShardedAdapter(redis.url, null, { channelPrefix }), 'SHARDNUMSUB', { sharded: true }],
  streams: [(channelPrefix) => createStreamsAdapter(redis.url, { channelPrefix }), 'NUMSUB', {}],
};

for (const [mode, [adapter, command, more]] of Object.entries(MODES)) {
  test(`adapters of mode ${mode}, and a process without a server`, async () => {
    const key = `topics-${mode}`;
    const one = await node({ adapter: adapter(key) });
    const two = await node({ adapter: adapter(key) });
    await untilSoManyListen(2, `${key}-topics`, command);
    one.server.publish('news', mode);
    await hear(mode, one, two);
    const emitter = new Emitter(redis.url, { key, ...more });
    emitter.publish('news/x', 'of nobody');
    await hear('of nobody', one, two);
    emitter.of('any').publish('news/x', new Uint8Array([1, 2]));
    emitter.publish('news/x', 'café', { binary: true });
    await hear([1, 2], one, two);
    await hear([...Buffer.from('café')], one, two);
    for (const topic of ['news/+', '']) {
      assert.throws(() => emitter.publish(topic, 'x'), { code: 'SOCKLINE_ERR_TOPIC' });
    }
    assert.throws(() => emitter.publish('news', new Uint8Array([255]), { binary: false }), /UTF-8/);
    await emitter.close();
    assert.throws(() => emitter.publish('news', 'x'), /closed/);
    await Promise.all([one.close(), two.close()]);
  });
}

test('servers go on alone while Redis is away', async () => {
  const other = await Redis.start();
  const one = await node({ adapter: other.url });
  const two = await node({ adapter: other.url });
  const errors = [];
  for (const { server } of [one, two]) server.adapter.on('error', (error) => errors.push(error.message));
  await untilSoManyListen(2, KEY, 'NUMSUB', other);
  const lost = [one, two].map(({ server }) => happens(server.adapter, 'disconnected'));
  await other.kill();
  for (const error of await Promise.all(lost)) assert(error instanceof Error);
  one.server.publish('news', 'alone');
  await hear('alone', one);
  assert(errors.length >= 2);
  const found = [one, two].map(({ server }) => happens(server.adapter, 'connected'));
  await other.begin();
  await Promise.all(found);
  await untilSoManyListen(2, KEY, 'NUMSUB', other);
  one.server.publish('news', 'again');
  await hear('again', one, two);
  await Promise.all([one.close(), two.close()]);
  await other.end();
});

test('a listener and its Socket.IO server are of one cluster', async () => {
  const { Server } = require('sockline/socket.io');
  const adapter = createAdapter(redis.url, null, { key: 'beside' });
  const io = new Server({ adapter });
  const one = await node({ adapter, io, path: '/' });
  const two = await node({ adapter });
  await untilSoManyListen(2, 'beside-topics');
  one.server.publish('news', 'both');
  await hear('both', one, two);
  two.server.publish('news', 'back');
  await hear('back', one, two);
  await Promise.all([one.close(), two.close(), io.close()]);
});

test('what can\'t be is refused, and a server that can\'t listen leaves nothing', async () => {
  for (const [adapter, error] of [
    ['http://localhost', /URL|scheme/i],
    [7, TypeError],
    [() => {}, TypeError],
    [createAdapter('nonsense'), /URL/i],
  ]) {
    assert.throws(() => new ours.WebSocketServer({ port: 0, adapter }), error);
  }
  const busy = await listen(ours);
  const late = new ours.WebSocketServer({ port: busy.address().port, host: '127.0.0.1', adapter: redis.url });
  const [error] = await once(late, 'error');
  assert.strictEqual(error.code, 'EADDRINUSE');
  late.close();
  await next(late, 'close');
  await finish(busy);
  const plain = await listen(ours);
  assert.strictEqual(plain.adapter, undefined);
  await finish(plain);
});

test('a process ends that has published and closed its server', async () => {
  const program = `
    const { WebSocketServer } = require('sockline');
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', adapter: ${JSON.stringify(redis.url)} }, () => {
      server.publish('news', 'last words');
      server.close();
    });
  `;
  const one = await node({ adapter: redis.url });
  await untilSoManyListen(1);
  const { spawn } = require('node:child_process');
  const child = spawn(process.execPath, ['-e', program], { cwd: __dirname, stdio: 'inherit' });
  const [[code]] = await Promise.all([once(child, 'exit'), hear('last words', one)]);
  assert.strictEqual(code, 0);
  await one.close();
});
