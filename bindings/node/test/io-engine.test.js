'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const zlib = require('node:zlib');

const { WebSocket } = require('ws');

const { client, next, opened, ours, pair, serve, theirs } = require('./io-support');

const BUNDLE = path.join(path.dirname(require.resolve('socket.io-client/package.json')), 'dist');
const { version } = require('socket.io-client/package.json');
const POLL = '/socket.io/?EIO=4&transport=polling';

for (const { Server, connect, name } of [{ ...ours, name: 'ours' }, { ...theirs, name: 'socket.io (for comparison)' }]) {
  test(`${name}: the handshake can be read, also when the socket has gone`, async () => {
    const server = await serve(Server);
    const before = Date.now();
    const { socket, peer } = await pair(connect, server, {
      query: { a: '1', b: 'ä b' },
      auth: { token: 'abc' },
      extraHeaders: { 'X-One': 'one', Cookie: 'c=d', Origin: 'http://example.com' },
    });
    socket.disconnect();
    await next(peer, 'disconnect');
    const { handshake } = peer;
    assert.strictEqual(handshake.headers['x-one'], 'one');
    assert.strictEqual(handshake.headers.cookie, 'c=d');
    assert.match(handshake.address, /127\.0\.0\.1$/);
    assert.ok(handshake.issued >= before - 1 && handshake.issued <= Date.now());
    assert.strictEqual(typeof handshake.time, 'string');
    assert.strictEqual(handshake.secure, false);
    assert.strictEqual(handshake.xdomain, true);
    assert.match(handshake.url, /^\/socket\.io\/\?/);
    assert.deepStrictEqual([handshake.query.a, handshake.query.b, handshake.query.EIO], ['1', 'ä b', '4']);
    assert.deepStrictEqual(handshake.auth, { token: 'abc' });
    assert.strictEqual(peer.request.url, handshake.url);
    assert.strictEqual(peer.request.connection.remoteAddress, handshake.address);
    assert.match(peer.id, /^[\w-]{20}$/);
    assert.match(peer.conn.id, /^[\w-]{20}$/);
    assert.notStrictEqual(peer.id, peer.conn.id);
  });

  test(`${name}: connections are counted and told`, async () => {
    const server = await serve(Server);
    const told = [];
    server.engine.on('connection', (conn) => {
      told.push(['connection', conn.id, conn.transport.name, conn.protocol]);
      conn.on('upgrade', (transport) => told.push(['upgrade', transport.name]));
      conn.on('close', (reason) => told.push(['close', reason]));
    });
    assert.strictEqual(server.engine.clientsCount, 0);
    const { socket, peer } = await pair(connect, server);
    assert.strictEqual(server.engine.clientsCount, 1);
    const { id } = peer.conn;
    if (peer.conn.transport.name === 'polling') await next(peer.conn, 'upgrade');
    const closed = next(peer.conn, 'close');
    socket.disconnect();
    await closed;
    assert.deepStrictEqual(told, [['connection', id, 'polling', 4], ['upgrade', 'websocket'], ['close', 'transport close']]);
    assert.strictEqual(server.engine.clientsCount, 0);
  });

  test(`${name}: headers can be added to answers`, async () => {
    const server = await serve(Server);
    const seen = [];
    server.engine.on('initial_headers', (headers, request) => {
      headers['X-Initial'] = 'yes';
      headers['Set-Cookie'] = ['a=1', 'b=2'];
      seen.push(['initial', request.method, request._query.transport]);
    });
    server.engine.on('headers', (headers, request) => {
      headers['X-Each'] = String(Boolean(request._query.sid));
    });
    const first = await fetch(server.url + POLL);
    assert.strictEqual(first.headers.get('x-initial'), 'yes');
    assert.strictEqual(first.headers.get('x-each'), 'false');
    assert.deepStrictEqual(first.headers.getSetCookie(), ['a=1', 'b=2']);
    const { sid } = JSON.parse((await first.text()).slice(1));
    const second = await fetch(`${server.url}${POLL}&sid=${sid}`, { method: 'POST', body: '40' });
    assert.strictEqual(second.headers.get('x-initial'), null);
    assert.strictEqual(second.headers.get('x-each'), 'true');
    assert.deepStrictEqual(seen, [['initial', 'GET', 'polling']]);
  });

  test(`${name}: an answer that opens a WebSocket has the headers of middlewares and of listeners`, async () => {
    const server = await serve(Server, {
      // What came last is let in first.
      allowRequest: (request, allow) => setTimeout(allow, 20 * (3 - request.headers['x-place']), null, true),
    });
    server.engine.use((request, response, goOn) => {
      response.setHeader('X-Middleware', `of ${request.headers['x-user']}`);
      setTimeout(goOn, 5);
    });
    server.engine.on('initial_headers', (headers, request) => {
      headers['X-Initial'] = `${headers['X-Middleware']}, ${request.headers['x-user']}`;
    });
    server.engine.on('headers', (headers) => (headers['X-Each'] = 'yes'));
    const url = `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
    const open = async (user, place) => {
      const socket = new WebSocket(url, { headers: { 'X-User': user, 'X-Place': place } });
      const [[{ headers }]] = await Promise.all([next(socket, 'upgrade'), next(socket, 'open')]);
      socket.terminate();
      return [headers['x-middleware'], headers['x-initial'], headers['x-each']];
    };
    const users = ['Ann', 'Bob', 'Cy', 'Di'];
    const answers = await Promise.all(users.map((user, place) => open(user, place)));
    assert.deepStrictEqual(answers, users.map((user) => [`of ${user}`, `of ${user}, ${user}`, 'yes']));
  });

  test(`${name}: middlewares see the request for a WebSocket of a session, and can refuse it`, async () => {
    const server = await serve(Server);
    server.engine.use((request, response, goOn) => {
      response.setHeader('X-Middleware', request._query.transport);
      setTimeout(goOn, 5, request.headers['x-bad'] && new Error('no'));
    });
    const open = async () => {
      const answer = await fetch(server.url + POLL);
      assert.strictEqual(answer.headers.get('x-middleware'), 'polling');
      const { sid } = JSON.parse((await answer.text()).slice(1));
      return `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
    };
    const socket = new WebSocket(await open());
    const [[{ headers }]] = await Promise.all([next(socket, 'upgrade'), next(socket, 'open')]);
    assert.strictEqual(headers['x-middleware'], 'websocket');
    socket.send('2probe');
    assert.strictEqual(String((await next(socket, 'message'))[0]), '3probe');
    socket.terminate();
    const failed = next(server.engine, 'connection_error');
    const bad = new WebSocket(await open(), { headers: { 'X-Bad': 'yes' } });
    const [, { statusCode }] = await next(bad, 'unexpected-response');
    bad.on('error', () => {});
    bad.terminate();
    const [{ code, context }] = await failed;
    assert.deepEqual([statusCode, code, context], [400, 3, { name: 'MIDDLEWARE_FAILURE' }]);
  });

  test(`${name}: refused requests are told`, async () => {
    const server = await serve(Server);
    const cases = [
      ['/socket.io/?EIO=4&transport=nothing', 0, 'Transport unknown', { transport: 'nothing' }],
      ['/socket.io/?EIO=4&transport=polling&sid=none', 1, 'Session ID unknown', { sid: 'none' }],
      ['/socket.io/?EIO=3&transport=polling', 5, 'Unsupported protocol version', { protocol: 3 }],
    ];
    for (const [target, code, message, context] of cases) {
      const told = next(server.engine, 'connection_error');
      const answer = await fetch(server.url + target);
      assert.strictEqual(answer.status, 400);
      assert.deepStrictEqual(await answer.json(), { code, message });
      const [error] = await told;
      assert.strictEqual(error.code, code);
      assert.strictEqual(error.message, message);
      assert.deepEqual(error.context, context);
      assert.strictEqual(error.req.url, target);
    }
  });

  test(`${name}: CORS as it is asked for`, async () => {
    const cases = [
      [{ origin: '*' }, 'http://a.com', '*'],
      [{ origin: true, credentials: true }, 'http://a.com', 'http://a.com'],
      [{ origin: 'http://a.com' }, 'http://b.com', 'http://a.com'],
      [{ origin: ['http://a.com', 'http://b.com'] }, 'http://b.com', 'http://b.com'],
      [{ origin: ['http://a.com'] }, 'http://b.com', null],
      [{ origin: /\.a\.com$/ }, 'http://x.a.com', 'http://x.a.com'],
      [{ origin: [/\.a\.com$/, 'http://c.com'] }, 'http://b.com', null],
    ];
    for (const [cors, origin, allowed] of cases) {
      const server = await serve(Server, { cors });
      const got = await fetch(server.url + POLL, { headers: { Origin: origin } });
      assert.strictEqual(got.headers.get('access-control-allow-origin'), allowed, JSON.stringify(cors));
      assert.strictEqual(got.headers.get('access-control-allow-credentials'), cors.credentials ? 'true' : null);
      const preflight = await fetch(server.url + POLL, {
        method: 'OPTIONS',
        headers: { Origin: origin, 'Access-Control-Request-Headers': 'x-test' },
      });
      assert.strictEqual(preflight.status, 204);
      assert.strictEqual(preflight.headers.get('access-control-allow-headers'), 'x-test');
      assert.strictEqual(preflight.headers.get('access-control-allow-origin'), allowed);
    }
    const plain = await serve(Server);
    assert.strictEqual((await fetch(plain.url + POLL, { headers: { Origin: 'http://a.com' } })).headers.get('access-control-allow-origin'), null);
  });

  test(`${name}: a cookie for load balancers`, async () => {
    const server = await serve(Server, { cookie: { name: 'node', maxAge: 10, sameSite: 'strict' } });
    const answer = await fetch(server.url + POLL);
    const { sid } = JSON.parse((await answer.text()).slice(1));
    assert.deepStrictEqual(answer.headers.getSetCookie(), [`node=${sid}; Max-Age=10; Path=/; HttpOnly; SameSite=Strict`]);
  });

  test(`${name}: the browsers' bundle is served`, async () => {
    const server = await serve(Server);
    for (const file of ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js', 'socket.io.msgpack.min.js.map']) {
      const answer = await fetch(`${server.url}/socket.io/${file}?x=1`, { headers: { 'Accept-Encoding': 'identity' } });
      assert.strictEqual(answer.status, 200);
      const type = file.endsWith('.map') ? 'application/json' : 'application/javascript';
      assert.strictEqual(answer.headers.get('content-type'), `${type}; charset=utf-8`);
      assert.strictEqual(answer.headers.get('etag'), `"${version}"`);
      assert.strictEqual(answer.headers.get('cache-control'), 'public, max-age=0');
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(fs.readFileSync(path.join(BUNDLE, file))), file);
    }
    const fresh = await fetch(`${server.url}/socket.io/socket.io.js`, { headers: { 'If-None-Match': `"${version}"` } });
    assert.strictEqual(fresh.status, 304);
    const packed = await fetch(`${server.url}/socket.io/socket.io.js`, { headers: { 'Accept-Encoding': 'gzip' } });
    assert.strictEqual(packed.headers.get('content-encoding'), 'gzip');
    assert.strictEqual((await packed.text()).length, fs.readFileSync(path.join(BUNDLE, 'socket.io.js'), 'utf8').length);
    const none = await serve(Server, { serveClient: false });
    assert.strictEqual((await fetch(`${none.url}/socket.io/socket.io.js`)).status, 400);
  });

  test(`${name}: another path, and other limits`, async () => {
    const server = await serve(Server, { path: '/my-path/', pingInterval: 1234, pingTimeout: 567, maxHttpBufferSize: 100, transports: ['websocket', 'polling'] });
    assert.strictEqual(server.path(), '/my-path');
    const answer = await fetch(`${server.url}/my-path/?EIO=4&transport=polling`);
    const { sid, ...open } = JSON.parse((await answer.text()).slice(1));
    assert.deepStrictEqual(open, { upgrades: ['websocket'], pingInterval: 1234, pingTimeout: 567, maxPayload: 100 });
    const large = await fetch(`${server.url}/my-path/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body: 'x'.repeat(101) });
    assert.strictEqual(large.status, 413);
    assert.strictEqual((await fetch(`${server.url}/elsewhere`)).status, 404);
  });
}

test('long answers to polling are compressed', async () => {
  const server = await serve(ours.Server);
  server.on('connection', (peer) => peer.emit('long', 'x'.repeat(5000)));
  const { sid } = JSON.parse((await (await fetch(server.url + POLL)).text()).slice(1));
  await fetch(`${server.url}${POLL}&sid=${sid}`, { method: 'POST', body: '40' });
  const http = require('node:http');
  const body = await new Promise((resolve) => {
    http.get(`${server.url}${POLL}&sid=${sid}`, { headers: { 'Accept-Encoding': 'gzip' } }, (response) => {
      assert.strictEqual(response.headers['content-encoding'], 'gzip');
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)));
    });
  });
  assert.match(zlib.gunzipSync(body).toString(), /42\["long","x{5000}"\]/);
});

test('what the engine does not have is refused in words', async () => {
  const { Server } = ours;
  for (const options of [
    { transports: ['webtransport'] },
    { initialPacket: 'hello' },
    { wsEngine: class {} },
    { httpCompression: { level: 1 } },
    { cors: () => {} },
  ]) {
    assert.throws(() => new Server(0, options), { code: 'SOCKLINE_ERR_UNSUPPORTED' });
  }
  const { WebSocketServer } = require('sockline');
  for (const io of [new Server(), [new Server()]]) {
    assert.throws(() => new WebSocketServer({ port: 0, threads: 1, io }), { code: 'SOCKLINE_ERR_UNSUPPORTED' });
  }
  assert.throws(() => new Server().attach(() => {}), /Please pass a http\.Server instance/);
});

test('a port that is taken is an error of the listener', async () => {
  const server = await serve(ours.Server);
  const other = new ours.Server(server.httpServer.address().port);
  opened.servers.add(other);
  assert.strictEqual((await next(other.httpServer, 'error'))[0].code, 'EADDRINUSE');
});

test('a slow client is seen, and drained', async () => {
  const server = await serve(ours.Server, { highWaterMark: 10_000 });
  const { peer } = await pair(theirs.connect, server, { transports: ['websocket'] });
  const drained = next(peer.conn, 'drain');
  let sent = 0;
  while (peer.emit('data', Buffer.alloc(100_000)) && sent < 1000) sent++;
  assert.ok(sent < 1000, 'never over the mark');
  await drained;
});

test('middlewares of the engine see requests that begin sessions on a port of its own', async () => {
  const server = await serve(ours.Server);
  server.engine.use((request, response, goOn) => {
    request.session = request.headers['x-user'];
    response.setHeader('X-Session', `of ${request.session}`);
    setTimeout(goOn, 5, request.session ? undefined : new Error('nobody'));
  });
  const { peer } = await pair(theirs.connect, server, { extraHeaders: { 'X-User': 'Ann' } });
  assert.strictEqual(peer.request.session, 'Ann');
  const failed = next(server.engine, 'connection_error');
  const refused = await fetch(server.url + POLL);
  assert.deepStrictEqual([refused.status, await refused.json()], [400, { code: 3, message: 'Bad request' }]);
  assert.deepEqual((await failed)[0].context, { name: 'MIDDLEWARE_FAILURE' });
  const users = ['Bob', 'Cy', 'Di', 'Bob'];
  const answers = await Promise.all(users.map((user) => fetch(server.url + POLL, { headers: { 'X-User': user } })));
  assert.deepStrictEqual(answers.map(({ headers }) => headers.get('x-session')), users.map((user) => `of ${user}`));
});

test('a WebSocketServer has Socket.IO, raw WebSockets and files on one port', async () => {
  const { WebSocket, WebSocketServer } = require('sockline');
  const io = new ours.Server();
  opened.servers.add(io);
  io.on('connection', (peer) => peer.emit('from', 'Socket.IO'));
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', io, path: '/ws', static: __dirname });
  wss.on('connection', (socket) => socket.send('from a WebSocket'));
  const address = `127.0.0.1:${wss.address().port}`;
  const socket = client(theirs.connect, `http://${address}`);
  assert.deepStrictEqual(await next(socket, 'from'), ['Socket.IO']);
  const raw = new WebSocket(`ws://${address}/ws`);
  assert.strictEqual(String((await next(raw, 'message'))[0]), 'from a WebSocket');
  assert.strictEqual((await fetch(`http://${address}/io-support.js`)).status, 200);
  raw.close();
  await next(raw, 'close');
  await io.close();
  assert.strictEqual(wss.address(), null);
});
