'use strict';
// WebSocketStream, against the real ws.

const assert = require('node:assert');
const { test } = require('node:test');
const { finish, listen, next, ours, theirs } = require('./support');

const { WebSocketError, WebSocketStream } = ours;

test('messages go in and come out as chunks', async () => {
  const server = await listen(theirs, undefined, { perMessageDeflate: true });
  const stream = new WebSocketStream(server.url, { protocols: ['chat'] });
  assert.strictEqual(stream.url, `${server.url}/`);
  const { readable, writable, protocol, extensions } = await stream.opened;
  assert.deepStrictEqual([protocol, extensions], ['chat', 'permessage-deflate']);
  const writer = writable.getWriter();
  const reader = readable.getReader();
  for (const chunk of ['text', new Uint8Array([1, 2, 3])]) {
    await writer.write(chunk);
    assert.deepStrictEqual(await reader.read(), { done: false, value: chunk });
  }
  stream.close({ closeCode: 4000, reason: 'done' });
  assert.deepStrictEqual(await stream.closed, { closeCode: 4000, reason: 'done' });
  assert.deepStrictEqual(await reader.read(), { done: true, value: undefined });
  await finish(server);
});

test('who does not read is not sent more, and who writes too much waits', async () => {
  let peer;
  const server = await listen(theirs, (socket) => (peer = socket));
  const stream = new WebSocketStream(server.url, { highWaterMark: 100_000 });
  const { readable, writable } = await stream.opened;
  const chunk = Buffer.alloc(64 << 10, 7);
  const total = 1000; // 64 MB: more than the system takes
  for (let i = 0; i < total; i++) peer.send(chunk);
  await new Promise((resolve) => setTimeout(resolve, 100)); // nothing tells that nothing happens
  assert.ok(peer.bufferedAmount > (total / 4) * chunk.length, 'it was read though nobody asked');
  let bytes = 0;
  for await (const { length } of readable) {
    bytes += length;
    if (bytes === total * chunk.length) break;
  }
  await stream.closed;
  await finish(server);

  const other = await listen(theirs, (socket) => (peer = socket));
  const sender = new WebSocketStream(other.url, { highWaterMark: 100_000 });
  const writer = (await sender.opened).writable.getWriter();
  peer.pause();
  let written = 0;
  for (;;) {
    const write = writer.write(chunk).then(() => 'done');
    const waits = new Promise((resolve) => setTimeout(resolve, 100, 'waits'));
    written += 1;
    if ((await Promise.race([write, waits])) === 'waits') {
      peer.resume();
      assert.strictEqual(await write, 'done');
      break;
    }
    assert.ok(written < 10_000, 'it never waits');
  }
  await writer.close();
  assert.strictEqual((await sender.closed).closeCode, 1005);
  assert.ok(writable instanceof WritableStream);
  await finish(other);
});

test('what goes wrong rejects with a WebSocketError', async () => {
  const server = await listen(theirs, (socket) => socket.on('message', () => socket.terminate()));
  const stream = new WebSocketStream(server.url);
  const { readable, writable } = await stream.opened;
  await writable.getWriter().write('cut me');
  await assert.rejects(stream.closed, (error) => error instanceof WebSocketError && error.closeCode === 1006);
  await assert.rejects(readable.getReader().read(), WebSocketError);
  await finish(server);
  const refused = new WebSocketStream(server.url);
  await assert.rejects(refused.opened, (error) => error.name === 'WebSocketError' && error.cause.code === 'ECONNREFUSED');
  await assert.rejects(refused.closed, WebSocketError);
});

test('cancelling and aborting close with the code of a WebSocketError', async () => {
  const codes = [];
  const server = await listen(theirs, (socket) => socket.on('close', (code, reason) => codes.push([code, String(reason)])));
  for (const end of ['readable', 'writable']) {
    const stream = new WebSocketStream(server.url);
    const streams = await stream.opened;
    const reason = new WebSocketError('over', { closeCode: 4001, reason: end });
    if (end === 'readable') await streams.readable.cancel(reason);
    else await streams.writable.abort(reason);
    assert.strictEqual((await stream.closed).closeCode, 4001);
  }
  while (codes.length < 2) await new Promise(setImmediate); // the server's end may come later than ours
  assert.deepStrictEqual(codes, [[4001, 'readable'], [4001, 'writable']]);
  await finish(server);
});

test('a signal aborts the attempt, and only that', async () => {
  let refuse;
  const verifyClient = ({ req }, settle) => (req.url === '/' ? settle(true) : (refuse = settle));
  const server = await listen(theirs, undefined, { verifyClient });
  const controller = new AbortController();
  const never = new WebSocketStream(`${server.url}/never`, { signal: controller.signal });
  const opened = new WebSocketStream(server.url, { signal: controller.signal });
  const { readable, writable } = await opened.opened;
  controller.abort();
  await assert.rejects(never.opened, { name: 'AbortError' });
  await writable.getWriter().write('still there');
  assert.strictEqual((await readable.getReader().read()).value, 'still there');
  assert.throws(() => new WebSocketStream(server.url, { signal: controller.signal }), { name: 'AbortError' });
  opened.close();
  await opened.closed;
  refuse(false); // its socket stays half open until it is answered
  await finish(server);
});
