'use strict';
// The client's way to an open connection: addresses, times, what the server answers.

const assert = require('node:assert');
const { once } = require('node:events');
const net = require('node:net');
const { test } = require('node:test');
const { connect, finish, listen, next, ours, theirs } = require('./support');

test('localAddress and localPort are where the connection comes from', async () => {
  const seen = [];
  const server = await listen(theirs, (socket, request) => {
    seen.push([request.socket.remoteAddress, request.socket.remotePort]);
  });
  const localPort = await freePort('127.0.0.2');
  await finish(server, await connect(ours, server.url, [], { localAddress: '127.0.0.2', localPort }));
  assert.deepStrictEqual(seen, [['127.0.0.2', localPort]]);
});

test('family keeps to one family of addresses', async () => {
  const server = await listen(theirs);
  const url = server.url.replace('127.0.0.1', 'localhost');
  await connect(ours, url, [], { family: 4 });
  const socket = new ours(server.url, { family: 6 });
  const error = await new Promise((resolve) => socket.on('error', resolve));
  assert.match(error.code, /^(EAFNOSUPPORT|ENETUNREACH|EINVAL|SOCKLINE_ERR_CONNECT_FAILED)$/);
  await finish(server);
});

test('addresses that are none are refused at once', () => {
  assert.throws(() => new ours('ws://localhost', { localAddress: 'localhost' }), { code: 'ERR_INVALID_IP_ADDRESS' });
  assert.throws(() => new ours('ws://localhost', { family: 5 }), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => new ours('ws://localhost', { localPort: 5 }), { code: 'ERR_OUT_OF_RANGE' });
});

test('timings tell how long each step took', async () => {
  const server = await listen(theirs, undefined, { verifyClient: (info, settle) => setTimeout(settle, 30, true) });
  const before = performance.now();
  const socket = await connect(ours, server.url);
  const all = performance.now() - before;
  const { dns, tcp, proxy, tls, upgrade } = socket.timings();
  assert.deepStrictEqual([dns, proxy, tls], [null, null, null]);
  assert.ok(tcp >= 0 && tcp <= all, `tcp took ${tcp} ms of ${all}`);
  assert.ok(upgrade >= 25 && upgrade <= all, `upgrade took ${upgrade} ms of ${all}`);
  await finish(server, socket);
});

test("'upgrade' comes before 'open', with the response", async () => {
  const server = await listen(theirs);
  server.on('headers', (lines) => lines.push('X-Server: theirs', 'Set-Cookie: a=b', 'Set-Cookie: c=d'));
  const told = [];
  for (const Client of [theirs, ours]) {
    const socket = new Client(server.url, { perMessageDeflate: false });
    const events = [];
    socket.on('open', () => events.push('open'));
    socket.on('upgrade', (response) => {
      const { statusCode, statusMessage } = response;
      const { 'sec-websocket-accept': accept, ...headers } = response.headers; // which is another one each time
      events.push({ state: socket.readyState, statusCode, statusMessage, headers });
      assert.strictEqual(response.socket.remoteAddress, '127.0.0.1');
    });
    await next(socket, 'open');
    told.push(events);
    socket.close();
  }
  assert.deepStrictEqual(told[1], told[0]);
  assert.strictEqual(told[1].length, 2);
  await finish(server);
});

test("a listener of 'upgrade' may close", async () => {
  const server = await listen(theirs);
  for (const Client of [theirs, ours]) {
    const socket = new Client(server.url);
    const events = [];
    for (const name of ['open', 'error']) socket.on(name, () => events.push(name));
    socket.on('upgrade', () => socket.close());
    await new Promise((resolve) => socket.on('close', resolve));
    assert.deepStrictEqual(events, ['error']);
  }
  await finish(server);
});

test('latency is the round trip of a ping', async () => {
  const server = await listen(theirs);
  const socket = await connect(ours, server.url);
  assert.strictEqual(socket.latency, null);
  const before = performance.now();
  socket.ping();
  await next(socket, 'pong');
  assert.ok(socket.latency >= 0 && socket.latency <= performance.now() - before);
  await finish(server, socket);
});

/** A port that nobody has at this address. */
async function freePort(host) {
  const server = net.createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address();
  await once(server.close(), 'close');
  return port;
}

test('of headers whose names differ only in their case the last one is sent, as by ws; and none that has no value', async () => {
  const server = await listen(theirs, (socket, { rawHeaders }) => {
    socket.send(JSON.stringify(rawHeaders.filter((_, at) => /^(origin|x-test)$/i.test(rawHeaders[at - (at % 2)]))));
  });
  for (const options of [
    { origin: 'http://option', headers: { origin: 'http://header', 'x-test': '1', 'X-Test': '2' } },
    { headers: { 'X-Test': ['1', '2'], ORIGIN: 'http://header' } },
  ]) {
    const told = [];
    for (const Client of [theirs, ours]) {
      const socket = new Client(server.url, options);
      told.push(JSON.parse((await next(socket, 'message'))[0].toString()));
      socket.terminate();
    }
    assert.deepStrictEqual(told[1], told[0]);
  }
  for (const Client of [theirs, ours]) {
    const nothing = { code: 'ERR_HTTP_INVALID_HEADER_VALUE', name: 'TypeError', message: 'Invalid value "undefined" for header "X-Test"' };
    assert.throws(() => new Client(server.url, { headers: { 'X-Test': undefined } }), nothing);
  }
  await finish(server);
});
