'use strict';
// Options of single messages, and what becomes of them.

const assert = require('node:assert');
const { test } = require('node:test');
const { PAIRS, connect, finish, listen, next, ours, theirs } = require('./support');

const CHUNK = Buffer.alloc(64 << 10);

/** Resolves to the error that the callback of `send` gets; undefined for none. */
function sent(socket, data, options) {
  return new Promise((resolve) => socket.send(data, options, (error) => resolve(error ?? undefined)));
}

/** A connection of ours whose peer does not read, and whose outbox is not empty any more. */
async function stuck(options) {
  let peer;
  const server = await listen(theirs, (socket) => (peer = socket));
  const socket = await connect(ours, server.url, [], { sendBuffer: 10_000, highWaterMark: 1000, ...options });
  peer.pause();
  const filled = [];
  while (socket.bufferedAmount < 1 << 20) filled.push(sent(socket, CHUNK));
  return { server, socket, peer, filled };
}

for (const { name, Client, Server } of PAIRS) {
  test(`${name}: callbacks come in order, when the system has the message`, async () => {
    const server = await listen(Server);
    const socket = await connect(Client, server.url);
    const order = [];
    const done = [];
    for (let i = 0; i < 100; i++) {
      done.push(sent(socket, Buffer.alloc(i * 1000), {}).then((error) => order.push([i, error])));
    }
    await Promise.all(done);
    assert.deepStrictEqual(order, Array.from({ length: 100 }, (_, i) => [i, undefined]));
    await finish(server, socket);
  });

  test(`${name}: compress: false leaves a message as it is`, async () => {
    const server = await listen(Server, undefined, { perMessageDeflate: true });
    const socket = await connect(Client, server.url, [], { perMessageDeflate: true });
    for (const compress of [false, true, undefined]) {
      socket.send(CHUNK, { compress });
      assert.ok(CHUNK.equals((await next(socket, 'message'))[0]));
    }
    await finish(server, socket);
  });
}

test('compress decides what is on the wire', async () => {
  const server = await listen(theirs, undefined, { perMessageDeflate: true });
  const socket = await connect(ours, server.url, [], { perMessageDeflate: true });
  const [peer] = server.clients;
  const wire = async (size, compress) => {
    const before = peer._socket.bytesRead;
    socket.send(Buffer.alloc(size), { compress });
    await next(socket, 'message');
    return peer._socket.bytesRead - before;
  };
  assert.ok((await wire(5000, undefined)) < 100);
  assert.ok((await wire(5000, false)) > 5000);
  assert.ok((await wire(500, undefined)) > 500);
  assert.ok((await wire(500, true)) < 100);
  await finish(server, socket);
});

test('the callback of a ping comes when the system has it', async () => {
  const { server, socket, peer } = await stuck();
  let told = false;
  const pinged = new Promise((resolve) => socket.ping('x', true, resolve)).then(() => (told = true));
  const before = sent(socket, 'before it');
  peer.resume();
  await Promise.all([pinged, before]);
  assert.strictEqual(told, true);
  await finish(server, socket);
});

test('metrics count what went over the connection', async () => {
  const server = await listen(theirs);
  const socket = await connect(ours, server.url);
  for (let i = 0; i < 3; i++) {
    socket.send('12345');
    await next(socket, 'message');
  }
  socket.ping();
  await next(socket, 'pong');
  const { bytesIn, bytesOut, latency, ...counts } = socket.metrics();
  assert.deepStrictEqual(counts, {
    framesIn: 4,
    framesOut: 4,
    messagesIn: 3,
    messagesOut: 3,
    dropped: 0,
    buffered: 0,
    compressedFrom: 0,
    compressedTo: 0,
    inflatedFrom: 0,
    inflatedTo: 0,
  });
  assert.ok(bytesIn >= 3 * 7 + 2 && bytesOut >= 3 * 11 + 6, `${bytesIn} in, ${bytesOut} out`);
  assert.strictEqual(latency, socket.latency);
  socket.close();
  await next(socket, 'close');
  await finish(server);
  assert.strictEqual(socket.metrics(), null);
});

test('metrics count what compression made of messages', async () => {
  const server = await listen(theirs, undefined, { perMessageDeflate: true });
  const socket = await connect(ours, server.url, [], { perMessageDeflate: true });
  socket.send('x'.repeat(10_000));
  await next(socket, 'message');
  const { compressedFrom, compressedTo, inflatedFrom, inflatedTo } = socket.metrics();
  assert.deepStrictEqual([compressedFrom, inflatedTo], [10_000, 10_000]);
  assert.ok(compressedTo < 100 && inflatedFrom < 100, `${compressedTo} out, ${inflatedFrom} in`);
  await finish(server, socket);
});

test('the callbacks of what has not left get an error when the connection ends', async () => {
  const { server, socket, filled } = await stuck();
  await filled[0];
  socket.terminate();
  const outcomes = await Promise.all(filled);
  assert.strictEqual(outcomes[0], undefined);
  assert.strictEqual(outcomes.at(-1).code, 'SOCKLINE_ERR_CLOSED');
  await finish(server);
});

test('a message whose deadline has passed is dropped', async () => {
  const { server, socket, peer } = await stuck();
  const [late, patient] = [sent(socket, 'late', { deadline: 20 }), sent(socket, 'patient', { deadline: 60_000 })];
  assert.strictEqual((await late).code, 'SOCKLINE_ERR_EXPIRED');
  const last = new Promise((resolve) => peer.on('message', (data) => data.length < 100 && resolve(String(data))));
  peer.resume();
  assert.strictEqual(await patient, undefined);
  assert.strictEqual(await last, 'patient');
  await finish(server, socket);
});

test('slowConsumer says what becomes of messages over hardLimit', async () => {
  const limits = { hardLimit: 1 << 20 };
  {
    const { server, socket } = await stuck(limits);
    await sent(socket, CHUNK, undefined).catch(() => {});
    while (socket.bufferedAmount <= 1 << 20) socket.send(CHUNK);
    assert.throws(() => socket.send('more'), { code: 'SOCKLINE_ERR_OUTBOX_FULL' });
    assert.strictEqual((await sent(socket, 'more', {})).code, 'SOCKLINE_ERR_OUTBOX_FULL');
    await finish(server, socket);
  }
  {
    const { server, socket } = await stuck({ ...limits, slowConsumer: 'drop-newest' });
    while (socket.bufferedAmount <= 1 << 20) socket.send(CHUNK);
    assert.strictEqual(socket.send('more'), false);
    assert.strictEqual((await sent(socket, 'more', {})).code, 'SOCKLINE_ERR_DROPPED');
    await finish(server, socket);
  }
  {
    const { server, socket, filled } = await stuck({ ...limits, slowConsumer: 'drop-oldest' });
    for (let i = 0; i < 20; i++) socket.send(CHUNK);
    const dropped = await Promise.any(filled.map((one) => one.then((error) => error ?? Promise.reject(error))));
    assert.strictEqual(dropped.code, 'SOCKLINE_ERR_DROPPED');
    await finish(server, socket);
  }
  {
    const { server, socket } = await stuck({ ...limits, slowConsumer: 'close' });
    const failed = new Promise((resolve) => socket.on('error', resolve));
    for (let i = 0; i < 20; i++) socket.send(CHUNK);
    [...server.clients][0].resume();
    assert.strictEqual((await failed).code, 'SOCKLINE_ERR_OUTBOX_FULL');
    await finish(server);
  }
  assert.throws(() => new ours('ws://localhost', { slowConsumer: 'wait' }), { code: 'ERR_INVALID_ARG_VALUE' });
});

test('setMemoryBudget limits what the process keeps of messages', async () => {
  const { server, socket } = await stuck({});
  while (socket.bufferedAmount <= 1 << 20) socket.send(CHUNK);
  try {
    ours.setMemoryBudget(1 << 20);
    assert.ok(ours.memoryInUse() > 1 << 20);
    assert.throws(() => socket.send('more'), { code: 'SOCKLINE_ERR_MEMORY_BUDGET' });
  } finally {
    ours.setMemoryBudget(0);
  }
  socket.send('more');
  assert.throws(() => ours.setMemoryBudget(-1), { code: 'ERR_OUT_OF_RANGE' });
  await finish(server, socket);
});
