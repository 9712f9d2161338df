'use strict';
// What a server does besides accepting: topics, limits, draining.

const assert = require('node:assert');
const http = require('node:http');
const { test } = require('node:test');
const { connect, finish, listen, next, opened, ours, theirs } = require('./support');

/** The status that an upgrade gets; 101 if it is accepted. */
async function status(url, options) {
  const socket = new theirs(url, options);
  opened.sockets.add(socket);
  socket.on('error', () => {});
  return new Promise((resolve) => {
    socket.on('open', () => resolve(101));
    socket.on('unexpected-response', (request, response) => resolve(response.statusCode));
  });
}

test('topics reach their subscribers, by MQTT\'s wildcards', async () => {
  const server = await listen(ours, (socket, { url }) => {
    for (const filter of new URL(url, 'ws://x').searchParams.getAll('filter')) socket.subscribe(filter);
    socket.on('message', (data) => {
      const { topic, includeSelf } = JSON.parse(data);
      socket.publish(topic, `from a client: ${topic}`, { includeSelf });
    });
  });
  const sockets = [];
  const got = [];
  for (const [index, filters] of [['news/+'], ['#'], ['other', 'news/local']].entries()) {
    const query = filters.map((filter) => `filter=${encodeURIComponent(filter)}`).join('&');
    const socket = await connect(theirs, `${server.url}/?${query}`);
    socket.on('message', (data, isBinary) => got.push([index, isBinary ? [...data] : String(data)]));
    sockets.push(socket);
  }
  const settle = async () => {
    for (const socket of sockets) {
      socket.ping();
      await next(socket, 'pong');
    }
    return got.splice(0).sort();
  };
  server.publish('news/local', 'text');
  server.publish('other', Buffer.from([1, 2]));
  server.broadcast('all');
  assert.deepStrictEqual(await settle(), [
    [0, 'all'], [0, 'text'], [1, [1, 2]], [1, 'all'], [1, 'text'], [2, [1, 2]], [2, 'all'], [2, 'text'],
  ]);
  sockets[0].send(JSON.stringify({ topic: 'news/x' }));
  assert.deepStrictEqual(await settle(), [[1, 'from a client: news/x']]);
  sockets[0].send(JSON.stringify({ topic: 'news/x', includeSelf: true }));
  assert.deepStrictEqual(await settle(), [[0, 'from a client: news/x'], [1, 'from a client: news/x']]);
  for (const socket of server.clients) socket.unsubscribe('#');
  server.publish('elsewhere', 'nobody hears it');
  assert.deepStrictEqual(await settle(), []);
  assert.throws(() => server.publish('a/#', 'x'), { code: 'SOCKLINE_ERR_TOPIC' });
  assert.throws(() => [...server.clients][0].subscribe('a/#/b'), { code: 'SOCKLINE_ERR_TOPIC' });
  await finish(server, ...sockets);
});

test('connections over the limits get 503', async () => {
  for (const limit of [{ maxConnections: 2 }, { maxConnectionsPerAddress: 2 }]) {
    const server = await listen(ours, undefined, limit);
    assert.strictEqual(await status(server.url), 101);
    assert.strictEqual(await status(server.url), 101);
    assert.strictEqual(await status(server.url), 503);
    await finish(server);
  }
});

test('pages of other origins get 403', async () => {
  const server = await listen(ours, undefined, { origins: ['https://example.com'] });
  assert.strictEqual(await status(server.url, { origin: 'https://example.com' }), 101);
  assert.strictEqual(await status(server.url, { origin: 'https://evil.example' }), 403);
  assert.strictEqual(await status(server.url), 101);
  await finish(server);
  assert.throws(() => new ours.Server({ port: 0, origins: 'example.com/path' }), /origin/);
});

test('maxRequests closes a connection that is kept alive', async () => {
  const server = await listen(ours, undefined, { static: `${__dirname}/types`, maxRequests: 2 });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const get = () =>
    new Promise((resolve, reject) => {
      http.get({ port: server.address().port, host: '127.0.0.1', path: '/usage.ts', agent }, (response) => {
        response.resume().on('end', () => resolve(response.headers.connection));
      }).on('error', reject);
    });
  const told = [await get(), await get(), await get()];
  assert.strictEqual(told[1], 'close');
  assert.notStrictEqual(told[0], 'close');
  agent.destroy();
  await finish(server);
});

test('draining tells all clients to go, and is over when they have', async () => {
  const server = await listen(ours);
  const sockets = await Promise.all(Array.from({ length: 20 }, () => connect(theirs, server.url)));
  const closed = sockets.map((socket) => next(socket, 'close'));
  const over = new Promise((resolve) => server.drain(500, resolve));
  for (const [code] of await Promise.all(closed)) assert.strictEqual(code, 1001);
  assert.strictEqual(await over, undefined);
  assert.strictEqual(server.address(), null);
});

test('draining cuts those who do not go', async () => {
  const server = await listen(ours);
  const socket = await connect(theirs, server.url);
  socket._socket.removeAllListeners('data').pause();
  const over = new Promise((resolve) => server.drain(50, resolve));
  await over;
  assert.strictEqual(server.clients.size, 0);
});
