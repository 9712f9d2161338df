'use strict';
// On the port of a server of Node's http and https modules.

const assert = require('node:assert');
const http = require('node:http');
const https = require('node:https');
const test = require('node:test');

const { selfSigned } = require('./certificates');
const { CARRIERS, client, next, opened, ours, pair, settled, theirs } = require('./io-support');

const { cert, key } = selfSigned('localhost');
const identity = { cert, key };

async function attached(httpServer, options) {
  const server = new ours.Server(httpServer, options);
  opened.servers.add(server);
  httpServer.listen(0, '127.0.0.1');
  await next(httpServer, 'listening');
  const scheme = httpServer instanceof https.Server ? 'https' : 'http';
  server.url = `${scheme}://127.0.0.1:${httpServer.address().port}`;
  return server;
}

for (const { carrier, transports } of CARRIERS) {
  for (const [scheme, make, options] of [
    ['http', () => http.createServer(), {}],
    ['https', () => https.createServer(identity), { rejectUnauthorized: false }],
  ]) {
    test(`${scheme}, ${carrier}: events, answers, binary values, the end`, async () => {
      const server = await attached(make());
      const { socket, peer } = await pair(theirs.connect, server, { transports, ...options });
      await settled(socket, peer, transports);
      assert.match(peer.handshake.address, /127\.0\.0\.1$/);
      assert.strictEqual(peer.handshake.secure, scheme === 'https');
      assert.ok(peer.request instanceof http.IncomingMessage);
      const large = Buffer.alloc(300_000, 3);
      for (const [from, to] of [[peer, socket], [socket, peer]]) {
        to.on('ask', (value, answer) => answer(value));
        assert.ok(large.equals(await from.emitWithAck('ask', large)));
        for (let i = 0; i < 100; i++) from.emit('number', i);
        from.emit('last');
        let expected = 0;
        to.on('number', (number) => assert.strictEqual(number, expected++));
        await next(to, 'last');
        assert.strictEqual(expected, 100);
      }
      socket.disconnect();
      await next(peer, 'disconnect');
      await server.close();
      opened.servers.delete(server);
      assert.strictEqual(server.engine.clientsCount, 0);
    });
  }
}

// Else a polling client of python-socketio's that says goodbye meanwhile waits for the next ping.
test('a POST is answered before what it brings about', async () => {
  const httpServer = http.createServer();
  const server = await attached(httpServer);
  const order = [];
  httpServer.prependListener('request', (request, response) => response.once('prefinish', () => order.push(request.method)));
  server.on('connection', (socket) => socket.on('echo', (value, answer) => answer(value)));
  const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
  const ask = async (options) => (await fetch(`${url}&sid=${sid}`, options)).text();
  for (const [packet, answer] of [['40', '40{'], ['421["echo",7]', '431[7]']]) {
    const waits = new Promise((resolve) => httpServer.prependOnceListener('request', () => setImmediate(resolve)));
    const got = ask();
    await waits;
    order.length = 0;
    assert.strictEqual(await ask({ method: 'POST', body: packet }), 'ok');
    assert.ok((await got).startsWith(answer));
    assert.deepStrictEqual(order, ['POST', 'GET']);
  }
});

test('other requests and upgrades stay with the application', async () => {
  const httpServer = http.createServer((request, response) => response.end(`mine: ${request.url}`));
  const server = await attached(httpServer, { destroyUpgradeTimeout: 20 });
  assert.strictEqual(await (await fetch(`${server.url}/page`)).text(), 'mine: /page');
  assert.strictEqual((await fetch(`${server.url}/socket.io/socket.io.js`)).status, 200);
  assert.strictEqual((await fetch(`${server.url}/socket.io/?EIO=4&transport=x`)).status, 400);
  const upgrade = http.get(`${server.url}/other`, { headers: { Connection: 'Upgrade', Upgrade: 'websocket' } });
  await next(upgrade, 'error');
});

test('middlewares of the engine see every request, and what they leave on it stays', async () => {
  const server = await attached(http.createServer());
  const seen = [];
  server.engine.use((request, response, goOn) => {
    seen.push([request.method, request.headers.upgrade]);
    request.session = { user: 'Ann' };
    response.setHeader('X-Middleware', 'yes');
    setTimeout(goOn, 5);
  });
  server.engine.use((request, response, goOn) => goOn(request.headers['x-bad'] && new Error('no')));
  const { socket, peer } = await pair(theirs.connect, server);
  await settled(socket, peer, ['polling', 'websocket']);
  assert.deepStrictEqual(peer.request.session, { user: 'Ann' });
  assert.deepStrictEqual(seen[0], ['GET', undefined]);
  assert.ok(seen.some(([, upgrade]) => upgrade === 'websocket'));
  const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
  assert.strictEqual((await fetch(url)).headers.get('x-middleware'), 'yes');
  const told = next(server.engine, 'connection_error');
  const refused = await fetch(url, { headers: { 'X-Bad': '1' } });
  assert.deepStrictEqual([refused.status, await refused.json()], [400, { code: 3, message: 'Bad request' }]);
  assert.strictEqual((await told)[0].context.name, 'MIDDLEWARE_FAILURE');
});

test('allowRequest and headers, of requests that Node has read', async () => {
  const server = await attached(http.createServer(), {
    allowRequest: (request, answer) => {
      assert.ok(request instanceof http.IncomingMessage);
      request.user = 'Bob';
      answer(null, request.headers['x-bad'] === undefined);
    },
    cors: { origin: [/\.example$/] },
  });
  server.engine.on('initial_headers', (headers, request) => (headers['X-User'] = request.user));
  const { peer } = await pair(theirs.connect, server);
  assert.strictEqual(peer.request.user, 'Bob');
  const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
  const answer = await fetch(url, { headers: { Origin: 'http://a.example' } });
  assert.strictEqual(answer.headers.get('x-user'), 'Bob');
  assert.strictEqual(answer.headers.get('access-control-allow-origin'), 'http://a.example');
  assert.strictEqual((await fetch(url, { headers: { 'X-Bad': '1' } })).status, 403);
});

for (const [name, Server] of [['ours', ours.Server], ['socket.io', theirs.Server]]) {
  test(`${name}: preflights are answered before middlewares are asked, which may refuse what has no credentials`, async () => {
    const options = { headers: { Origin: 'http://a.example', 'Access-Control-Request-Method': 'GET' }, method: 'OPTIONS' };
    for (const [cors, status] of [[{ origin: '*' }, 204], [{ origin: '*', preflightContinue: true }, 401]]) {
      const web = http.createServer();
      const server = new Server(web, { cors });
      opened.servers.add(server);
      server.engine.use((request, response) => response.writeHead(401).end());
      await new Promise((resolve) => web.listen(0, resolve));
      const url = `http://localhost:${web.address().port}/socket.io/?EIO=4&transport=polling`;
      assert.strictEqual((await fetch(url, options)).status, status);
      assert.strictEqual((await fetch(url)).status, 401);
    }
  });
}

test('a client that cancels its request has gone; a body that is too long is refused', async () => {
  const server = await attached(http.createServer(), { maxHttpBufferSize: 1000 });
  const path = `${server.url}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(path)).text()).slice(1));
  const connected = next(server, 'connection');
  await fetch(`${path}&sid=${sid}`, { method: 'POST', body: '40' });
  const [peer] = await connected;
  await fetch(`${path}&sid=${sid}`);
  const large = await fetch(`${path}&sid=${sid}`, { method: 'POST', body: 'x'.repeat(1001) });
  assert.strictEqual(large.status, 413);
  assert.strictEqual(peer.connected, true);
  const controller = new AbortController();
  const arrived = next(server.httpServer, 'request');
  const parked = fetch(`${path}&sid=${sid}`, { signal: controller.signal });
  await arrived;
  const gone = next(peer, 'disconnect');
  controller.abort();
  await assert.rejects(parked, { name: 'AbortError' });
  assert.strictEqual((await gone)[0], 'transport error');
});

test('the official client over TLS, ours over TLS', async () => {
  const server = await attached(https.createServer(identity));
  for (const { connect } of [theirs, ours]) {
    const socket = client(connect, server.url, { rejectUnauthorized: false });
    await next(socket, 'connect');
  }
});
