'use strict';
// The browsers' WebSocket: its semantics, as the standard has them and Web Platform Tests ask for them.

const assert = require('node:assert');
const { AsyncLocalStorage } = require('node:async_hooks');
const diagnostics = require('node:diagnostics_channel');
const { once } = require('node:events');
const { afterEach, test } = require('node:test');
const answers = require('./whatwg/answers.json');
const whatwg = require('sockline/whatwg');
const { listen, next, ours, theirs } = require('./support');
const { bare, noted, probed, requestOn, soon, upgrade } = require('./whatwg/servers');

const { WebSocket, settings } = whatwg;

afterEach(() => {
  settings.baseURL = null;
  settings.origin = null;
  settings.options = {};
});

for (const [name, Package] of Object.entries({ ws: theirs, ours })) {
  test(`its answers are those of the standard, with ${name} as server`, async () => {
    const { probe } = await import('./whatwg/probes.mjs');
    const server = await probed(Package);
    const given = await probe(whatwg, server.url);
    for (const [what, expected] of Object.entries(answers)) assert.deepStrictEqual(given[what], expected, what);
  });
}

test('base URL and Origin are settings, and options go to the engine', async () => {
  const requests = [];
  const server = await listen(theirs, (socket, request) => requests.push(request));
  const get = async (url) => {
    const socket = new WebSocket(url);
    await soon(socket, 'open');
    socket.close();
    await soon(socket, 'close');
    return [socket.url, requests.at(-1)];
  };
  const [, plain] = await get(server.url);
  assert.strictEqual(plain.headers.origin, undefined);

  settings.baseURL = `${server.url.replace('ws:', 'http:')}/app/page?x#y`;
  const [url, request] = await get('chat?a=ä');
  assert.strictEqual(url, `${server.url}/app/chat?a=%C3%A4`);
  assert.strictEqual(request.url, '/app/chat?a=%C3%A4');
  assert.strictEqual(request.headers.origin, server.url.replace('ws:', 'http:'));
  assert.throws(() => new WebSocket('#x'), { name: 'SyntaxError', constructor: DOMException });
  assert.strictEqual((await get('//LOCALHOST:' + server.address().port))[0], `ws://localhost:${server.address().port}/`);

  settings.origin = 'https://example.com';
  settings.options = { headers: { 'X-Token': 'y' } };
  const { headers } = (await get('/'))[1];
  assert.deepStrictEqual([headers.origin, headers['x-token']], ['https://example.com', 'y']);
  settings.options = {};
  settings.baseURL = null;
  const [, named] = await get(server.url.replace('//', '//me:y%6Fu@'));
  assert.strictEqual(named.headers.authorization, `Basic ${Buffer.from('me:you').toString('base64')}`);

  assert.throws(() => (settings.baseURL = 'nothing'), TypeError);
  assert.throws(() => (settings.origin = 'a\r\nb: c'), TypeError);
  for (const name of ['reconnect', 'followRedirects', 'origin', 'slowConsumer']) {
    assert.throws(() => (settings.options = { [name]: 'x' }), { code: 'SOCKLINE_ERR_UNSUPPORTED' }, name);
  }
  assert.throws(() => (settings.options = { agent: {} }), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.deepStrictEqual(settings.options, {});
});

test('what can not be connected to is an error event, and then a close event, with nothing after', async (t) => {
  const told = [];
  const tell = ({ error }) => told.push(error.message);
  diagnostics.subscribe('sockline:whatwg:error', tell);
  t.after(() => diagnostics.unsubscribe('sockline:whatwg:error', tell));
  const refusing = await bare(t, async (socket) => {
    await requestOn(socket);
    socket.end('HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1/\r\nContent-Length: 0\r\n\r\n');
  });
  const silent = await bare(t, async (socket) => upgrade(socket, await requestOn(socket)));
  const nobody = `ws://127.0.0.1:${await freePort()}`;
  const places = {
    [nobody]: /ECONNREFUSED|refused/,
    'ws://name.invalid': /look up/,
    'ws://127.0.0.1:6000': /port 6000 is blocked/,
    [`ws://127.0.0.1:${refusing.address().port}`]: /302/,
    [`ws://127.0.0.1:${silent.address().port}`]: /none of the subprotocols/,
  };
  for (const [url, reason] of Object.entries(places)) {
    const socket = new WebSocket(url, url.includes(silent.address().port) ? ['a'] : []);
    const types = noted(socket);
    const { code, wasClean } = await soon(socket, 'close');
    assert.deepStrictEqual([code, wasClean, socket.readyState, socket.protocol], [1006, false, 3, ''], url);
    assert.match(told.pop(), reason);
    socket.close();
    await new Promise(setImmediate);
    assert.deepStrictEqual(types, ['error', 'close'], url);
  }
  assert.deepStrictEqual(told, []);
});

test('a lost connection is an error, and what came before it is delivered', async (t) => {
  const server = await bare(t, async (socket) => {
    upgrade(socket, await requestOn(socket));
    socket.end(Buffer.from([0x81, 1, 0x61]));
  });
  const socket = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
  const types = noted(socket);
  const { code, reason, wasClean } = await soon(socket, 'close');
  assert.deepStrictEqual([types, code, reason, wasClean], [['open', 'message', 'error', 'close'], 1006, '', false]);
});

test('a peer that closes is CLOSING until its connection has ended', async (t) => {
  let peer;
  const server = await bare(t, async (socket) => {
    peer = socket;
    upgrade(socket, await requestOn(socket));
    socket.write(Buffer.from([0x88, 2, 0x0b, 0xb9])); // 3001
  });
  const socket = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
  await soon(socket, 'open');
  while (!peer) await new Promise(setImmediate);
  await once(peer, 'data'); // the close frame's answer
  assert.strictEqual(socket.readyState, WebSocket.CLOSING);
  socket.send('lost');
  assert.strictEqual(socket.bufferedAmount, 4);
  peer.end();
  const { code, wasClean } = await soon(socket, 'close');
  assert.deepStrictEqual([code, wasClean, socket.readyState, socket.bufferedAmount], [3001, true, 3, 4]);
});

test('messages that come after close() was called are not delivered', async () => {
  const server = await listen(theirs, (socket) => {
    socket.send('1');
    socket.send('2');
  });
  const socket = new WebSocket(server.url);
  const types = noted(socket);
  socket.onmessage = () => socket.close();
  await soon(socket, 'close');
  assert.deepStrictEqual(types, ['open', 'message', 'close']);
});

test('bufferedAmount counts payload, and falls between tasks, message by message', async () => {
  const server = await listen(theirs);
  const socket = new WebSocket(server.url);
  await soon(socket, 'open');
  const [peer] = server.clients;
  peer.pause();
  const chunk = new Uint8Array(100_000);
  let sent = 0;
  // Until a message has stayed for a while, as the system takes no more.
  for (let rounds = 0; rounds < 5; rounds = socket.bufferedAmount > 0 ? rounds + 1 : 0) {
    const before = socket.bufferedAmount;
    for (let i = 0; i < 10; i++) socket.send(chunk);
    sent += 10 * chunk.length;
    assert.strictEqual(socket.bufferedAmount, before + 10 * chunk.length);
    await Promise.resolve();
    assert.strictEqual(socket.bufferedAmount, before + 10 * chunk.length);
    await new Promise(setImmediate);
    assert.strictEqual(socket.bufferedAmount % chunk.length, 0);
  }
  let received = 0;
  peer.on('message', (data) => (received += data.length));
  const closed = soon(socket, 'close');
  peer.resume();
  socket.close(); // behind what waits
  socket.send('abc');
  await closed;
  assert.strictEqual(received, sent);
  assert.strictEqual(socket.bufferedAmount, 3);
});

test('what is lost with the connection stays counted', async () => {
  const server = await listen(theirs);
  const socket = new WebSocket(server.url);
  await soon(socket, 'open');
  const [peer] = server.clients;
  peer.pause();
  for (let i = 0; i < 300; i++) socket.send(new Uint8Array(100_000));
  await new Promise(setImmediate);
  peer.terminate();
  await soon(socket, 'close');
  const left = socket.bufferedAmount;
  assert.ok(left > 0 && left % 100_000 === 0, `${left}`);
  socket.send('abc');
  assert.strictEqual(socket.bufferedAmount, left + 3);
});

test('no room for more ends the connection', async () => {
  settings.options = { hardLimit: 1 << 20 };
  const server = await listen(theirs);
  const socket = new WebSocket(server.url);
  const types = noted(socket);
  await soon(socket, 'open');
  for (const peer of server.clients) peer.pause();
  const closed = soon(socket, 'close');
  for (let i = 0; i < 300; i++) assert.strictEqual(socket.send(new Uint8Array(100_000)), undefined);
  assert.strictEqual((await closed).code, 1006);
  assert.deepStrictEqual(types, ['open', 'error', 'close']);
});

test('memory that is shared or resizable is refused, what is detached is empty', async () => {
  const server = await listen(theirs, (socket) => socket.on('message', (data) => socket.send(data.length)));
  const socket = new WebSocket(server.url);
  await soon(socket, 'open');
  assert.throws(() => socket.send(new Uint8Array(new SharedArrayBuffer(4))), TypeError);
  assert.throws(() => socket.send(new ArrayBuffer(4, { maxByteLength: 8 })), TypeError);
  const detached = new Uint8Array(4);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  socket.send(detached);
  assert.strictEqual((await soon(socket, 'message')).data, '0');
  socket.send(new SharedArrayBuffer(4)); // no BufferSource, so a string
  assert.strictEqual((await soon(socket, 'message')).data, String('[object SharedArrayBuffer]'.length));
  socket.close();
  await soon(socket, 'close');
});

test('close() waits behind a Blob that is still read', async () => {
  const got = [];
  const server = await listen(theirs, (peer) => peer.on('message', (data) => got.push(data.length)));
  const socket = new WebSocket(server.url);
  await soon(socket, 'open');
  socket.send(new Blob(['x'.repeat(200_000)]));
  socket.send('y');
  socket.close(4001);
  assert.strictEqual(socket.readyState, WebSocket.CLOSING);
  assert.strictEqual((await soon(socket, 'close')).code, 4001);
  assert.deepStrictEqual([got, socket.bufferedAmount], [[200_000, 1], 0]);
});

test('handlers run in the context in which the socket was made', async () => {
  const storage = new AsyncLocalStorage();
  const server = await listen(theirs, (socket) => socket.close());
  const socket = storage.run('here', () => new WebSocket(server.url));
  const seen = [];
  socket.onopen = () => seen.push(storage.getStore());
  socket.onclose = () => seen.push(storage.getStore());
  await soon(socket, 'close');
  assert.deepStrictEqual(seen, ['here', 'here']);
});

test('compression is agreed on, and told as the server says it', async () => {
  const server = await listen(theirs, undefined, { perMessageDeflate: { serverMaxWindowBits: 10, threshold: 0 } });
  const socket = new WebSocket(server.url);
  await soon(socket, 'open');
  assert.strictEqual(socket.extensions, 'permessage-deflate; server_max_window_bits=10');
  socket.close();
  await soon(socket, 'close');
});

async function freePort() {
  const server = require('node:net').createServer().listen(0, '127.0.0.1');
  await next(server, 'listening');
  const { port } = server.address();
  server.close();
  await next(server, 'close');
  return port;
}
