'use strict';
// Clients that come back under the same object.

const assert = require('node:assert');
const { test } = require('node:test');
const { connect, finish, listen, next, ours, theirs } = require('./support');

const QUICK = { baseDelay: 5, maxDelay: 10 };

/** Echoes; on the word "cut" it cuts. */
function cutter(socket) {
  socket.on('message', (data) => (String(data) === 'cut' ? socket.terminate() : socket.send(String(data))));
}

test('a lost connection comes back, and the socket stays', async () => {
  for (const Server of [theirs, ours]) {
    const server = await listen(Server, cutter);
    const socket = await connect(ours, server.url, [], { reconnect: QUICK });
    const events = [];
    for (const name of ['open', 'error', 'close']) socket.on(name, () => events.push(name));
    for (let i = 0; i < 3; i++) {
      socket.send('cut');
      const [event] = await next(socket, 'reconnecting');
      assert.strictEqual(socket.readyState, ours.CONNECTING);
      assert.strictEqual(event.attempt, i + 1);
      assert.strictEqual(event.code, 1006);
      assert.ok(event.delay >= 0 && event.delay <= 10);
      assert.throws(() => socket.send('away'), /readyState 0/);
      await next(socket, 'reconnected');
      assert.strictEqual(socket.readyState, ours.OPEN);
      socket.send('back');
      assert.strictEqual(String((await next(socket, 'message'))[0]), 'back');
    }
    assert.deepStrictEqual(events, []);
    const closed = next(socket, 'close');
    socket.close(1000);
    assert.strictEqual((await closed)[0], 1000);
    assert.deepStrictEqual(events, ['close']);
    await finish(server);
  }
});

test("'attempt' may name another server and other headers", async () => {
  const seen = [];
  const [first, second] = [
    await listen(theirs, cutter),
    await listen(theirs, (socket, { url, headers }) => seen.push([url, headers['x-token'], headers['x-kept']])),
  ];
  const headers = { 'X-Token': 'old', 'X-Kept': 'yes' };
  const socket = await connect(ours, `${first.url}/first`, [], { reconnect: QUICK, headers });
  socket.on('attempt', (attempt) => {
    assert.strictEqual(attempt.url, `${first.url}/first`);
    assert.strictEqual(attempt.number, 1);
    attempt.url = `${second.url}/second`;
    attempt.headers['X-Token'] = 'new';
  });
  socket.send('cut');
  await next(socket, 'reconnected');
  assert.deepStrictEqual(seen, [['/second', 'new', 'yes']]);
  await finish(first);
  await finish(second, socket);
});

test('messages wait for the connection where there is an outbox for them', async () => {
  const server = await listen(theirs, cutter);
  const socket = new ours(server.url, { reconnect: { ...QUICK, outbox: 1000 } });
  socket.send('early');
  assert.strictEqual(String((await next(socket, 'message'))[0]), 'early');
  socket.send('cut');
  await next(socket, 'reconnecting');
  const taken = new Promise((resolve) => socket.send('away', resolve));
  assert.strictEqual(String((await next(socket, 'message'))[0]), 'away');
  assert.strictEqual(await taken, undefined);
  await finish(server, socket);
});

test('it is given up after maxAttempts, with the last error', async () => {
  const server = await listen(ours, cutter);
  const socket = await connect(ours, server.url, [], { reconnect: { ...QUICK, maxAttempts: 2 } });
  const attempts = [];
  socket.on('reconnecting', ({ attempt, error }) => attempts.push([attempt, error?.code]));
  const failed = new Promise((resolve) => socket.on('error', resolve));
  const closed = new Promise((resolve) => socket.on('close', resolve));
  server.close();
  socket.send('cut');
  assert.strictEqual((await failed).code, 'ECONNREFUSED');
  assert.strictEqual(await closed, 1006);
  assert.deepStrictEqual(attempts.map(([attempt]) => attempt), [1, 2]);
  assert.strictEqual(attempts[1][1], 'ECONNREFUSED');
});

test('closing while it is away ends at once, without an error', async () => {
  const server = await listen(theirs, cutter);
  for (const end of ['close', 'terminate']) {
    const socket = await connect(ours, server.url, [], { reconnect: { baseDelay: 60_000, maxDelay: 60_000 } });
    const errors = [];
    socket.on('error', (error) => errors.push(error));
    socket.send('cut');
    await next(socket, 'reconnecting');
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket[end]();
    await closed;
    assert.deepStrictEqual(errors, []);
    assert.strictEqual(socket.readyState, ours.CLOSED);
  }
  await finish(server);
});

test('a close of the peer that means it is final', async () => {
  const server = await listen(theirs, (socket, { url }) => socket.close(Number(url.slice(1))));
  const socket = await connect(ours, `${server.url}/1008`, [], { reconnect: QUICK });
  assert.strictEqual((await next(socket, 'close'))[0], 1008);
  const other = await connect(ours, `${server.url}/4000`, [], { reconnect: { ...QUICK, noRetry: [4000] } });
  assert.strictEqual((await next(other, 'close'))[0], 4000);
  await finish(server);
});

test('bad options are refused', () => {
  for (const reconnect of [{ baseDelay: -1 }, { factor: 0.5 }, { maxAttempts: 'two' }]) {
    assert.throws(() => new ours('ws://localhost', { reconnect }), JSON.stringify(reconnect));
  }
});
