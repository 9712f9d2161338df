'use strict';
// How connections end: closing handshakes, failures, dead peers.

const assert = require('node:assert');
const net = require('node:net');
const { test } = require('node:test');
const { PAIRS, connect, finish, listen, next, ours, theirs } = require('./support');

for (const { name, Client, Server } of PAIRS) {
  test(`${name}: the client closes with code and reason`, async () => {
    const server = await listen(Server);
    const socket = await connect(Client, server.url);
    const [peer] = server.clients;
    const closed = Promise.all([next(socket, 'close'), next(peer, 'close')]);
    let event;
    socket.onclose = (closing) => (event = closing);
    socket.close(4001, 'bye');
    const [[code], [peerCode, peerReason]] = await closed;
    assert.strictEqual(code, 4001);
    assert.strictEqual(peerCode, 4001);
    assert.strictEqual(String(peerReason), 'bye');
    assert.ok(Buffer.isBuffer(peerReason));
    assert.strictEqual(event.wasClean, true);
    assert.strictEqual(socket.readyState, Client.CLOSED);
    assert.strictEqual(server.clients.size, 0);
    await finish(server);
  });

  test(`${name}: the server closes with code and reason`, async () => {
    const server = await listen(Server, (socket) => socket.close(3000, 'κόσμε'));
    const socket = await connect(Client, server.url);
    const [code, reason] = await next(socket, 'close');
    assert.strictEqual(code, 3000);
    assert.strictEqual(String(reason), 'κόσμε');
    await finish(server);
  });

  test(`${name}: a close without a code is 1005, a cut is 1006`, async () => {
    const server = await listen(Server);
    for (const [end, expected] of [['close', 1005], ['terminate', 1006]]) {
      const socket = await connect(Client, server.url);
      const [peer] = server.clients;
      const closed = next(peer, 'close');
      socket[end]();
      assert.strictEqual((await closed)[0], expected);
    }
    await finish(server);
  });

  test(`${name}: a message over maxPayload fails the connection with 1009`, async () => {
    const errors = [];
    const server = await listen(Server, (socket) => socket.on('error', (error) => errors.push(error)), {
      maxPayload: 1000,
    });
    const socket = await connect(Client, server.url);
    socket.send(Buffer.alloc(1001));
    assert.strictEqual((await next(socket, 'close'))[0], 1009);
    assert.strictEqual(errors.length, 1);
    assert.strictEqual(errors[0].code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
    assert.ok(errors[0] instanceof RangeError);
    assert.strictEqual(errors[0].message, 'Max payload size exceeded');
    await finish(server);
  });
}

test('messages that came with the close frame can still be answered', async () => {
  for (const Server of [theirs, ours]) {
    const server = await listen(Server);
    const socket = await connect(theirs, server.url);
    const got = [];
    socket.on('message', (data) => got.push(String(data)));
    socket._socket.cork(); // so that all of it arrives at once
    for (const word of ['one', 'two', 'three']) socket.send(word);
    socket.close(1000);
    socket._socket.uncork();
    assert.strictEqual((await next(socket, 'close'))[0], 1000);
    assert.deepStrictEqual(got, ['one', 'two', 'three']);
    await finish(server);
  }
});

test('bad arguments of close are thrown, and leave the connection open', async () => {
  const server = await listen(theirs);
  const socket = await connect(ours, server.url);
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, '1000']) {
    assert.throws(() => socket.close(code), TypeError, `${code}`);
  }
  assert.throws(() => socket.close(1000, 'x'.repeat(124)), RangeError);
  assert.strictEqual(socket.readyState, ours.OPEN);
  await finish(server, socket);
});

test('calls on a connection that has ended do no harm', async () => {
  const server = await listen(theirs);
  const socket = await connect(ours, server.url);
  socket.close(1000);
  assert.strictEqual(socket.readyState, ours.CLOSING);
  await next(socket, 'close');
  socket.close();
  socket.terminate();
  socket.pause();
  socket.resume();
  socket.send('nobody hears it');
  socket.ping();
  const error = await new Promise((resolve) => socket.send('nor this', resolve));
  assert.strictEqual(error.message, 'WebSocket is not open: readyState 3 (CLOSED)');
  assert.strictEqual(socket.bufferedAmount, 'nobody hears it'.length + 'nor this'.length);
  await finish(server);
});

test('closing while connecting gives up with an error, as in ws', async () => {
  const silent = net.createServer().listen(0, '127.0.0.1');
  await next(silent, 'listening');
  for (const end of ['close', 'terminate']) {
    const socket = new ours(`ws://127.0.0.1:${silent.address().port}`);
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const failed = new Promise((resolve) => socket.on('error', resolve));
    socket[end]();
    assert.strictEqual((await failed).message, 'WebSocket was closed before the connection was established');
    assert.strictEqual(await closed, 1006);
  }
  silent.close();
});

test('a server that is killed in the middle of a message closes with 1006', async () => {
  const server = await listen(theirs, (socket) => {
    socket._socket.write(Buffer.from([0x82, 126, 0x10, 0x00, 1, 2, 3]), () => socket._socket.destroy());
  });
  const socket = await connect(ours, server.url);
  socket.on('message', () => assert.fail('half a message was delivered'));
  assert.strictEqual((await next(socket, 'close'))[0], 1006);
  await finish(server);
});

test('a peer that never answers the close is cut after closeTimeout', async () => {
  const server = await listen(theirs, (socket) => socket._socket.removeAllListeners('data').resume());
  const socket = await connect(ours, server.url, [], { closeTimeout: 100 });
  socket.close(1000);
  assert.strictEqual((await next(socket, 'close'))[0], 1006);
  await finish(server);
});

test('a dead peer is noticed with pingInterval', async () => {
  const server = await listen(theirs, (socket) => socket._socket.removeAllListeners('data').resume());
  const socket = await connect(ours, server.url, [], { pingInterval: 50, pingTimeout: 50 });
  const failed = new Promise((resolve) => socket.once('error', resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  assert.strictEqual((await failed).code, 'SOCKLINE_ERR_PEER_DEAD');
  assert.strictEqual(await closed, 1006);
  await finish(server);
});

const FAULTS = [
  ['WS_ERR_UNEXPECTED_RSV_1', 1002, [0xc1, 0x80, 0, 0, 0, 0]],
  ['WS_ERR_UNEXPECTED_RSV_2_3', 1002, [0xa1, 0x80, 0, 0, 0, 0]],
  ['WS_ERR_INVALID_OPCODE', 1002, [0x83, 0x80, 0, 0, 0, 0]],
  ['WS_ERR_INVALID_OPCODE', 1002, [0x80, 0x80, 0, 0, 0, 0]],
  ['WS_ERR_EXPECTED_FIN', 1002, [0x09, 0x80, 0, 0, 0, 0]],
  ['WS_ERR_EXPECTED_MASK', 1002, [0x81, 0x01, 0x41]],
  ['WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH', 1002, [0x88, 0x81, 0, 0, 0, 0, 3]],
  ['WS_ERR_INVALID_CLOSE_CODE', 1002, [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xec]],
  ['WS_ERR_INVALID_UTF8', 1007, [0x81, 0x81, 0, 0, 0, 0, 0xff]],
];

test('faults of the peer have the codes, messages and close codes of ws', async () => {
  for (const [code, closeCode, frame] of FAULTS) {
    const told = [];
    for (const Server of [theirs, ours]) {
      let failed;
      const error = new Promise((resolve) => (failed = resolve));
      const server = await listen(Server, (socket) => socket.on('error', failed));
      const socket = await connect(theirs, server.url);
      const closed = next(socket, 'close');
      socket._socket.write(Buffer.from(frame));
      const { code, message, name } = await error;
      told.push({ code, message, name, closeCode: (await closed)[0] });
      await finish(server);
    }
    assert.strictEqual(told[1].code, code);
    assert.strictEqual(told[1].closeCode, closeCode);
    assert.deepStrictEqual(told[1], told[0]);
  }
});
