'use strict';
// Messages in parts: real fragments out, and in before the message is whole.

const assert = require('node:assert');
const { test } = require('node:test');
const { PAIRS, connect, finish, listen, next, ours, pattern, theirs } = require('./support');

/** Resolves when the system has taken a part. */
const taken = (socket, data, options) => new Promise((resolve) => socket.send(data, options, resolve));

test('each fragment leaves when it is sent', async () => {
  const server = await listen(theirs);
  const socket = await connect(ours, server.url);
  const [peer] = server.clients;
  const arrived = next(peer, 'message');
  for (let i = 1; i <= 3; i++) {
    const before = peer._socket.bytesRead;
    await taken(socket, 'x'.repeat(1000), { fin: false });
    while (peer._socket.bytesRead < before + 1000) await new Promise(setImmediate);
    socket.ping('between');
    await next(socket, 'pong');
  }
  socket.send('the end', { fin: true });
  assert.strictEqual(String((await arrived)[0]), `${'x'.repeat(3000)}the end`);
  socket.send('another message');
  assert.strictEqual((await next(peer, 'message'))[0].toString(), 'another message');
  await finish(server, socket);
});

for (const { name, Client, Server } of PAIRS.filter(({ Server }) => Server === ours)) {
  for (const perMessageDeflate of [false, true]) {
    test(`${name}: parts come before the message is whole${perMessageDeflate ? ', inflated' : ''}`, async () => {
      const server = await listen(Server, () => {}, { messageParts: true, perMessageDeflate });
      const socket = await connect(Client, server.url, [], { perMessageDeflate });
      const [peer] = server.clients;
      peer.on('message', () => assert.fail('a whole message'));
      const text = 'κόσμε '.repeat(500);
      let got = '';
      for (const [fin, first] of [[false, true], [false, false], [true, false]]) {
        let seen = '';
        const all = new Promise((resolve) => {
          peer.on('part', function take(data, part) {
            assert.strictEqual(part.binary, false);
            if (seen === '') assert.strictEqual(part.first, first && got === '');
            seen += data.toString();
            if (fin ? part.last : seen.length >= text.length - 10) resolve(peer.off('part', take));
          });
        });
        socket.send(text, { fin });
        await all;
        got += seen;
      }
      assert.strictEqual(got, text.repeat(3));
      await finish(server, socket);
    });
  }
}

for (const threads of [0, 2]) {
  test(`a message of any length needs no more than its parts, on ${threads} threads`, () => measureParts(threads));
}

async function measureParts(threads) {
  const total = 64 << 20;
  const server = await listen(ours, (socket) => {
    let bytes = 0;
    let longest = 0;
    socket.on('part', (data, { binary, last }) => {
      assert.ok(binary);
      bytes += data.length;
      longest = Math.max(longest, data.length);
      if (last) socket.send(JSON.stringify({ bytes, longest }));
    });
  }, { messageParts: true, maxPayload: 0, threads });
  const socket = await connect(theirs, server.url);
  const chunk = pattern(1 << 20);
  for (let sent = 0; sent < total; sent += chunk.length) socket.send(chunk, { fin: false });
  socket.send(Buffer.alloc(0), { fin: true });
  const { bytes, longest } = JSON.parse((await next(socket, 'message'))[0]);
  assert.strictEqual(bytes, total);
  assert.ok(longest <= 128 << 10, `a part of ${longest} bytes`);
  await finish(server, socket);
}

test('short messages are one part, and pause holds between parts', async () => {
  const server = await listen(theirs, (socket) => {
    for (let i = 0; i < 100; i++) socket.send(pattern(100_000));
  });
  const socket = await connect(ours, server.url, [], { messageParts: true });
  let bytes = 0;
  const all = new Promise((resolve) => {
    socket.on('part', (data) => {
      bytes += data.length;
      socket.pause();
      setImmediate(() => socket.resume());
      if (bytes === 100 * 100_000) resolve();
    });
  });
  await all;
  socket.send('short');
  await finish(server, socket);
  const echo = await listen(theirs);
  const other = await connect(ours, echo.url, [], { messageParts: true });
  other.send('short');
  const [data, part] = await next(other, 'part');
  assert.deepStrictEqual([String(data), part], ['short', { binary: false, first: true, last: true }]);
  await finish(echo, other);
});

test('fragments that must not be compressed go as one message', async () => {
  const server = await listen(theirs, undefined, { perMessageDeflate: true });
  const socket = await connect(ours, server.url, [], { perMessageDeflate: true });
  const [peer] = server.clients;
  const before = peer._socket.bytesRead;
  for (let i = 0; i < 10; i++) socket.send(Buffer.alloc(1000), { fin: i === 9, compress: false });
  assert.strictEqual((await next(socket, 'message'))[0].length, 10_000);
  assert.ok(peer._socket.bytesRead - before > 10_000);
  await finish(server, socket);
});
