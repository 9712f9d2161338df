'use strict';
// What waits to be sent: how much, who is told, and what happens when it is too much.

const assert = require('node:assert');
const { test } = require('node:test');
const { connect, finish, listen, next, ours, theirs } = require('./support');

const CHUNK = Buffer.alloc(64 << 10);

test("send asks to wait over highWaterMark, and 'drain' says when to go on", async () => {
  let reader;
  const server = await listen(theirs, (socket) => (reader = socket));
  const socket = await connect(ours, server.url, [], { highWaterMark: 100_000 });
  reader.pause();
  let sent = 0;
  while (socket.send(CHUNK)) sent += CHUNK.length;
  assert.ok(socket.bufferedAmount > 100_000);
  assert.ok(sent < 100_000 + CHUNK.length || socket.bufferedAmount < sent, 'it said so too late');
  const drained = next(socket, 'drain');
  reader.resume();
  await drained;
  assert.ok(socket.bufferedAmount <= 50_000);
  assert.strictEqual(socket.send('on'), true);
  await finish(server, socket);
});
