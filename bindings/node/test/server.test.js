'use strict';
// The server's options and events, against the real ws as client; and how the client takes refusals.

const assert = require('node:assert');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');
const { PAIRS, connect, finish, listen, next, ours, theirs } = require('./support');

/** The message of the error that a connection attempt ends with. */
async function refusal(Client, url, protocols) {
  const socket = new Client(url, protocols);
  return new Promise((resolve) => {
    socket.on('error', (error) => resolve(error.message));
    socket.on('open', () => resolve('it opened'));
  });
}

for (const { name, Client, Server } of PAIRS) {
  test(`${name}: verifyClient refuses at once or later`, async () => {
    for (const [verifyClient, message] of [
      [() => false, 'Unexpected server response: 401'],
      [(info, settle) => setTimeout(settle, 10, false, 403, 'go away', { 'X-Why': 'so' }), 'Unexpected server response: 403'],
      [(info, settle) => setImmediate(settle, true), 'it opened'],
      [({ origin, secure, req }) => !secure && req.url === '/?a=b' && origin === undefined, 'it opened'],
    ]) {
      const server = await listen(Server, undefined, { verifyClient });
      assert.strictEqual(await refusal(Client, `${server.url}/?a=b`), message);
      await finish(server);
    }
  });

  test(`${name}: subprotocols are chosen`, async () => {
    const offered = [];
    const handleProtocols = (protocols) => offered.push([...protocols]) && 'b';
    const server = await listen(Server, undefined, { handleProtocols });
    const socket = await connect(Client, server.url, ['a', 'b']);
    assert.strictEqual(socket.protocol, 'b');
    assert.strictEqual([...server.clients][0].protocol, 'b');
    assert.deepStrictEqual(offered, [['a', 'b']]);
    await finish(server, socket);
  });

  test(`${name}: another path is refused`, async () => {
    const server = await listen(Server, undefined, { path: '/here' });
    assert.strictEqual(await refusal(Client, `${server.url}/there`), 'Unexpected server response: 400');
    assert.strictEqual(await refusal(Client, `${server.url}/here?and=there`), 'it opened');
    await finish(server);
  });

  test(`${name}: 'headers' adds lines, 'connection' has the request`, async () => {
    let request, address;
    const server = await listen(Server, (socket, seen) => {
      request = seen;
      address = seen.socket.remoteAddress;
    });
    server.on('headers', (lines) => lines.push('X-Added: yes'));
    await finish(server, await connect(Client, `${server.url}/x?y=z`, [], {
      headers: { 'X-One': 1, Cookie: 'a=b' },
      origin: 'http://example.com',
    }));
    assert.strictEqual(request.url, '/x?y=z');
    assert.strictEqual(request.method, 'GET');
    assert.strictEqual(request.headers['x-one'], '1');
    assert.strictEqual(request.headers.cookie, 'a=b');
    assert.strictEqual(request.headers.origin, 'http://example.com');
    assert.strictEqual(address, '127.0.0.1');
  });
}

test('a subprotocol that was not offered fails the connection', async () => {
  const server = await listen(theirs, undefined, { handleProtocols: () => 'never-offered' });
  assert.match(await refusal(ours, server.url, ['a']), /subprotocol/);
  await finish(server);
});

test('an address in use is an error event with its code', async () => {
  const server = await listen(ours);
  const second = new ours.WebSocketServer({ port: server.address().port, host: '127.0.0.1' });
  const error = await new Promise((resolve) => second.on('error', resolve));
  assert.strictEqual(error.code, 'EADDRINUSE');
  assert.strictEqual(error.syscall, 'listen');
  assert.strictEqual(error.port, server.address().port);
  assert.strictEqual(second.address(), null);
  await finish(server);
});

test('a closed server refuses, and says so', async () => {
  const server = await listen(ours);
  const socket = await connect(theirs, server.url);
  const closed = next(server, 'close');
  server.close();
  assert.match(await refusal(theirs, server.url), /ECONNREFUSED/);
  assert.strictEqual(socket.readyState, theirs.OPEN);
  socket.close();
  await closed;
  assert.strictEqual(server.address(), null);
  const error = await new Promise((resolve) => server.close(resolve));
  assert.strictEqual(error.message, 'The server is not running');
});

test('files are served beside the endpoint', async () => {
  const server = await listen(ours, undefined, { path: '/ws', static: path.join(__dirname, 'types') });
  const get = (target) =>
    new Promise((resolve, reject) => {
      http.get({ port: server.address().port, host: '127.0.0.1', path: target, agent: false }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      }).on('error', reject);
    });
  assert.strictEqual(await get('/usage.ts'), 200);
  assert.strictEqual(await get('/../support.js'), 404);
  assert.strictEqual(await refusal(theirs, `${server.url}/ws`), 'it opened');
  await finish(server);
});

test('the arguments that ws refuses are refused, with its words', () => {
  const cases = [
    ['not a url'],
    ['ftp://localhost'],
    ['ws://localhost#fragment'],
    ['ws://localhost', ['a', 'a']],
    ['ws://localhost', 'not a token'],
    ['ws://localhost', { protocolVersion: 1000 }],
  ];
  for (const args of cases) {
    const refusals = [theirs, ours].map((Package) => {
      try {
        new Package(...args).on('error', () => {});
        return 'none';
      } catch (error) {
        return `${error.name}: ${error.message}`.replace(/ \(supported.*/, '');
      }
    });
    assert.strictEqual(refusals[1], refusals[0]);
  }
});

test('the browsers listeners are as in ws', async () => {
  const server = await listen(ours);
  for (const Client of [theirs, ours]) {
    const socket = new Client(server.url);
    const seen = [];
    const listener = (event) => seen.push([event.type, event.data, event.target === socket]);
    socket.onmessage = listener;
    assert.strictEqual(socket.onmessage, listener);
    socket.addEventListener('message', { handleEvent: listener }, { once: true });
    socket.addEventListener('message', listener);
    socket.addEventListener('message', listener);
    await next(socket, 'open');
    socket.send('text');
    await next(socket, 'message');
    socket.removeEventListener('message', listener);
    socket.onmessage = null;
    assert.strictEqual(socket.onmessage, null);
    assert.strictEqual(socket.listenerCount('message'), 0);
    assert.deepStrictEqual(seen, Array(3).fill(['message', 'text', true]));
    socket.close();
  }
  await finish(server);
});
