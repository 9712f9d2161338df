'use strict';
// Messages, in both roles against npm ws and against ourselves.

const assert = require('node:assert');
const { test } = require('node:test');
const { PAIRS, connect, finish, listen, next, ours, pattern, theirs } = require('./support');

const SIZES = [0, 1, 125, 126, 127, 4095, 4096, 65_535, 65_536, 1 << 20, 16 << 20];

for (const { name, Client, Server } of PAIRS) {
  test(`${name}: binary of every length form comes back`, async () => {
    const server = await listen(Server);
    const socket = await connect(Client, server.url);
    for (const size of SIZES) {
      const payload = pattern(size);
      socket.send(payload);
      const [data, isBinary] = await next(socket, 'message');
      assert.strictEqual(isBinary, true);
      assert.ok(payload.equals(data), `${size} bytes differ`);
    }
    await finish(server, socket);
  });

  test(`${name}: text comes back as it was`, async () => {
    const server = await listen(Server);
    const socket = await connect(Client, server.url);
    for (const text of ['hello', '', 'κόσμε €😀\0', 'x'.repeat(70_000), 'é'.repeat(70_000)]) {
      socket.send(text);
      const [data, isBinary] = await next(socket, 'message');
      assert.strictEqual(isBinary, false);
      assert.strictEqual(data.toString(), text);
    }
    await finish(server, socket);
  });

  test(`${name}: what can be sent arrives as in ws`, async () => {
    const server = await listen(Server);
    const socket = await connect(Client, server.url);
    const words = new Uint16Array([1, 2, 3]);
    const cases = [
      [42, '42', false],
      [new Uint8Array([7, 8]).buffer, '\x07\x08', true],
      [words.subarray(1), Buffer.from(words.buffer, 2).latin1Slice(), true],
      [new DataView(new Uint8Array([9, 9, 9]).buffer, 1), '\t\t', true],
      [[1, 2], '\x01\x02', true],
      [undefined, '', true],
      [null, '', true],
    ];
    for (const [sent, expected, binary] of cases) {
      socket.send(sent);
      const [data, isBinary] = await next(socket, 'message');
      assert.strictEqual(data.latin1Slice(), expected);
      assert.strictEqual(isBinary, binary);
    }
    socket.send('as binary', { binary: true });
    assert.strictEqual((await next(socket, 'message'))[1], true);
    socket.send(Buffer.from('as text'), { binary: false });
    assert.strictEqual((await next(socket, 'message'))[1], false);
    assert.throws(() => socket.send({}), TypeError);
    await finish(server, socket);
  });

  test(`${name}: fragments become one message`, async () => {
    const server = await listen(Server);
    const socket = await connect(Client, server.url);
    const text = Buffer.from('κόσμε'.repeat(1000));
    for (let at = 0; at < text.length; at += 999) {
      socket.send(text.subarray(at, at + 999), { binary: false, fin: false });
    }
    socket.send('', { fin: true });
    const [data, isBinary] = await next(socket, 'message');
    assert.strictEqual(isBinary, false);
    assert.ok(text.equals(data));
    await finish(server, socket);
  });

  test(`${name}: pings are answered, and seen`, async () => {
    const pinged = [];
    const server = await listen(Server, (socket) => socket.on('ping', (data) => pinged.push(String(data))));
    const socket = await connect(Client, server.url);
    for (const payload of ['', 'are you there', 'x'.repeat(125)]) {
      socket.ping(payload);
      assert.strictEqual(String((await next(socket, 'pong'))[0]), payload);
    }
    assert.deepStrictEqual(pinged, ['', 'are you there', 'x'.repeat(125)]);
    assert.throws(() => socket.ping('x'.repeat(126)), RangeError);
    await finish(server, socket);
  });

  test(`${name}: 10,000 messages keep their order`, async () => {
    const server = await listen(Server);
    const socket = await connect(Client, server.url);
    let expected = 0;
    const done = new Promise((resolve, reject) => {
      socket.on('message', (data) => {
        if (Number(data) !== expected++) reject(new Error(`${data} instead of ${expected - 1}`));
        if (expected === 10_000) resolve();
      });
    });
    for (let i = 0; i < 10_000; i++) socket.send(String(i));
    await done;
    await finish(server, socket);
  });

  test(`${name}: 1,000 connections at once`, async () => {
    const server = await listen(Server, undefined, { backlog: 1024 });
    const sockets = await Promise.all(Array.from({ length: 1000 }, () => connect(Client, server.url)));
    assert.strictEqual(server.clients.size, 1000);
    const echoes = sockets.map((socket) => next(socket, 'message'));
    sockets.forEach((socket, i) => socket.send(`connection ${i}`));
    (await Promise.all(echoes)).forEach(([data], i) => assert.strictEqual(String(data), `connection ${i}`));
    const closed = sockets.map((socket) => next(socket, 'close'));
    for (const socket of sockets) socket.close(1000);
    for (const [code] of await Promise.all(closed)) assert.strictEqual(code, 1000);
    await finish(server);
  });
}

test('what a handler keeps stays as it was', async () => {
  const server = await listen(theirs);
  const socket = await connect(ours, server.url);
  const kept = [];
  const done = new Promise((resolve) => {
    socket.on('message', (data) => kept.push(data) === 5000 && resolve());
  });
  for (let i = 0; i < 5000; i++) socket.send(Buffer.alloc(100, i));
  await done;
  kept.forEach((data, i) => assert.ok(data.equals(Buffer.alloc(100, i)), `message ${i} has changed`));
  // A transfer would take the memory from under the engine; newer Nodes refuse it, older ones make a copy.
  try {
    structuredClone(kept[0].buffer, { transfer: [kept[0].buffer] });
  } catch (error) {
    assert.strictEqual(error.name, 'DataCloneError');
  }
  assert.strictEqual(kept[0].length, 100);
  await finish(server, socket);
});

test('binaryType says what binary messages are', async () => {
  const server = await listen(theirs);
  const socket = await connect(ours, server.url);
  socket.binaryType = 'no such type';
  assert.strictEqual(socket.binaryType, 'nodebuffer');
  for (const [type, check] of [
    ['arraybuffer', (data) => data instanceof ArrayBuffer && data.byteLength === 3],
    ['fragments', (data) => Array.isArray(data) && Buffer.concat(data).equals(Buffer.from([1, 2, 3]))],
    ['blob', (data) => data instanceof Blob && data.size === 3],
    ['nodebuffer', (data) => Buffer.isBuffer(data) && data.length === 3],
  ]) {
    socket.binaryType = type;
    socket.send(Buffer.from([1, 2, 3]));
    assert.ok(check((await next(socket, 'message'))[0]), type);
  }
  await finish(server, socket);
});

test('messages wait for the first listener, up to 1 MiB', async () => {
  const server = await listen(theirs, (socket) => {
    for (let i = 0; i < 5; i++) socket.send(Buffer.alloc(300_000, i));
    socket.ping('all sent');
  });
  const socket = await connect(ours, server.url);
  await next(socket, 'ping');
  const got = [];
  socket.on('message', (data) => got.push(data[0]));
  assert.deepStrictEqual(got, []);
  socket.ping();
  await next(socket, 'pong');
  assert.deepStrictEqual(got, [0, 1, 2]);
  await finish(server, socket);
});

test('messages that come with the 101 are not lost', async () => {
  const server = await listen(ours, (socket) => socket.send('hello before you asked'));
  for (const Client of [ours, theirs]) {
    const socket = new Client(server.url);
    socket.on('open', () => {});
    assert.strictEqual(String((await next(socket, 'message'))[0]), 'hello before you asked');
    socket.terminate();
  }
  await finish(server);
});

test('the callback of send comes when the data has left', async () => {
  const server = await listen(theirs, (socket) => socket.pause());
  const socket = await connect(ours, server.url);
  const order = [];
  const size = 32 << 20; // more than the buffers of both sockets hold
  const small = new Promise((resolve) => socket.send(pattern(10), () => resolve(order.push('small'))));
  const sent = new Promise((resolve) => {
    socket.send(pattern(size), (error) => resolve(error ?? order.push('large')));
  });
  await small;
  assert.deepStrictEqual(order, ['small']);
  assert.ok(socket.bufferedAmount > 0);
  for (const peer of server.clients) peer.resume();
  await sent;
  assert.deepStrictEqual(order, ['small', 'large']);
  assert.strictEqual(socket.bufferedAmount, 0);
  await finish(server, socket);
});

test('pause stops reading, resume goes on', async () => {
  const server = await listen(theirs, (socket) => socket.send('one'));
  const socket = await connect(ours, server.url);
  await next(socket, 'message');
  socket.pause();
  assert.strictEqual(socket.isPaused, true);
  const got = [];
  socket.on('message', (data) => got.push(String(data)));
  for (const peer of server.clients) await new Promise((resolve) => peer.send('two', resolve));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepStrictEqual(got, []);
  socket.resume();
  await next(socket, 'message');
  assert.deepStrictEqual(got, ['two']);
  await finish(server, socket);
});
