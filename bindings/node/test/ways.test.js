'use strict';
// Options of a client that are about Node's own modules, side by side with the real ws: who makes the connection, who looks names up, who
// sends the request, and TLS as only Node does it.

const assert = require('node:assert');
const crypto = require('node:crypto');
const dns = require('node:dns');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const { test } = require('node:test');
const tls = require('node:tls');
const { Duplex } = require('node:stream');

const { issue, selfSigned } = require('./certificates');
const { finish, listen, next, opened, ours, pattern, theirs } = require('./support');

const AUTHORITY = selfSigned('authority');
const CERTIFICATE = issue(AUTHORITY);
const REFUSED = { code: 'SOCKLINE_ERR_UNSUPPORTED' };

/** An echo server of ws with TLS; `requests` are what came. */
async function listenSecurely(options) {
  const httpServer = https.createServer({ ...CERTIFICATE, ...options }).listen(0, '127.0.0.1');
  await next(httpServer, 'listening');
  const server = await listening(new theirs.Server({ server: httpServer }), httpServer);
  server.url = `wss://localhost:${httpServer.address().port}`;
  return server;
}

async function listenPlainly() {
  const httpServer = http.createServer().listen(0, '127.0.0.1');
  await next(httpServer, 'listening');
  const server = await listening(new theirs.Server({ server: httpServer }), httpServer);
  server.url = `ws://localhost:${httpServer.address().port}`;
  return server;
}

async function listening(server, httpServer) {
  server.requests = [];
  server.port = httpServer.address().port;
  server.on('connection', (socket, request) => {
    server.requests.push(request);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  opened.servers.add(server);
  server.on('close', () => httpServer.close());
  return server;
}

/** What a client sees of an echo and its end, and what the server has seen of its request. */
async function story(Client, server, options, url = server.url) {
  const socket = new Client(url, { perMessageDeflate: false, ...options });
  opened.sockets.add(socket);
  const events = [];
  socket.on('error', (error) => events.push(error.code ?? error.message));
  socket.on('open', () => socket.send(pattern(100_000)));
  socket.on('message', (data) => {
    events.push(data.equals(pattern(100_000)), socket._socket.remotePort, Boolean(socket._socket.encrypted));
    socket.close(1000, 'enough');
  });
  const [code, reason] = await new Promise((resolve) => socket.on('close', (...end) => resolve(end)));
  const { host, 'x-added': added } = server.requests.pop()?.headers ?? {};
  return [...events, code, String(reason), host, added];
}

async function same(server, options, url) {
  const stories = [];
  for (const Client of [theirs, ours]) stories.push(await story(Client, server, typeof options === 'function' ? options(Client) : options, url));
  assert.deepStrictEqual(stories[1], stories[0]);
  return stories[1];
}

test('createConnection: what it returns, or calls back with, is used', async () => {
  const server = await listenPlainly();
  const seen = [];
  const note = ({ host, port, path, method, family }) => seen.push([host, port, path, method, family]);
  for (const createConnection of [
    (options) => note(options) && net.connect({ ...options, host: '127.0.0.1' }),
    (options, done) => void setImmediate(done, null, note(options) && net.connect(server.port, '127.0.0.1')),
    (options) => note(options) && over(net.connect(server.port, '127.0.0.1')),
  ]) {
    const told = await same(server, { createConnection, family: 4 }, `ws://other.test:${server.port}/path`);
    assert.deepStrictEqual(told.slice(-4), [1000, 'enough', `other.test:${server.port}`, undefined]);
  }
  assert.deepStrictEqual(new Set(seen.map(String)), new Set([`other.test,${server.port},,GET,4`]));
  await finish(server);
});

/** The same stream without a descriptor. */
function over(socket) {
  const stream = new Duplex({ read() {}, write: (data, _, done) => socket.write(data, done), final: (done) => socket.end(done) });
  socket.on('data', (data) => stream.push(data)).on('end', () => stream.push(null));
  return Object.assign(stream, { remotePort: socket.remotePort });
}

test('createConnection: its failure is the error', async () => {
  const server = await listenPlainly();
  for (const [createConnection, code] of [
    [() => net.connect({ port: 1, host: '127.0.0.1' }), 'ECONNREFUSED'],
    [(_, done) => void done(Object.assign(new Error('none today'), { code: 'ENONE' })), 'ENONE'],
    [() => new Duplex({ read() { this.destroy(new Error('broken')); }, write: (data, _, done) => done() }), 'broken'],
  ]) {
    assert.deepStrictEqual((await same(server, { createConnection })).slice(0, 2), [code, 1006]);
  }
  await finish(server);
});

test('createConnection: with TLS it is for the function, and a redirect asks it again', async () => {
  const server = await listenSecurely();
  const secure = ({ port }) => tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: AUTHORITY.cert });
  const told = await same(server, { createConnection: secure });
  assert.deepStrictEqual(told, [true, server.port, true, 1000, 'enough', `localhost:${server.port}`, undefined]);
  const away = http.createServer((_, response) => response.writeHead(302, { Location: `${server.url.replace('ws', 'http')}/` }).end()).listen(0);
  await next(away, 'listening');
  const asked = [];
  const createConnection = (options) => asked.push(Number(options.port)) && (Number(options.port) === server.port ? secure(options) : net.connect(options));
  await same(server, { createConnection, followRedirects: true }, `ws://localhost:${away.address().port}`);
  assert.deepStrictEqual(asked, [away.address().port, server.port, away.address().port, server.port]);
  away.close();
  await finish(server);
});

test('a connection that Node has made can be given up at any time', async () => {
  const server = await listenPlainly();
  const nowhere = () => new Duplex({ read() {}, write: (data, _, done) => done() });
  const connecting = () => Object.assign(nowhere(), { connecting: true });
  const NEVER = ['WebSocket was closed before the connection was established', 1006];
  for (const createConnection of [nowhere, connecting, () => {}]) {
    for (const Client of [theirs, ours]) {
      const made = [];
      const socket = new Client(server.url, { createConnection: () => (made[0] = createConnection()) });
      const events = [];
      socket.on('error', ({ message }) => events.push(message));
      setTimeout(() => socket.close(), 5);
      await new Promise((resolve) => socket.on('close', (code) => resolve(events.push(code))));
      assert.deepStrictEqual(events, NEVER);
      if (made[0]) assert(made[0].destroyed || (await next(made[0], 'close')));
    }
  }
  const socket = new ours(server.url, { createConnection: nowhere, handshakeTimeout: 50 });
  assert.match((await next(socket, 'error').catch((error) => [error]))[0].code, /TIMEOUT/);
  const never = new ours(server.url, { finishRequest() {}, handshakeTimeout: 50 });
  assert.match((await next(never, 'error').catch((error) => [error]))[0].code, /TIMEOUT/);
  await finish(server);
});

test('lookup says the address, hints go to the system', async () => {
  const server = await listenPlainly();
  const asked = [];
  const note = (host, { family, hints, all }) => asked.push([host, family, hints, all]);
  const url = `ws://name.test:${server.port}`;
  for (const lookup of [
    (host, options, done) => void (note(host, options), done(null, [{ address: '127.0.0.1', family: 4 }])),
    (host, options, done) => void setImmediate(() => (note(host, options), options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4))),
  ]) {
    const told = await same(server, { lookup }, url);
    assert.deepStrictEqual(told, [true, server.port, false, 1000, 'enough', `name.test:${server.port}`, undefined]);
  }
  assert(asked.every(([host, , , all]) => host === 'name.test' && all === true), JSON.stringify(asked));
  const fails = (host, options, done) => done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));
  assert.deepStrictEqual(await same(server, { lookup: fails }, url), ['ENOTFOUND', 1006, '', undefined, undefined]);
  assert.deepStrictEqual(await same(server, { lookup: (host, options, done) => done(null, [{ address: 'nowhere', family: 4 }]) }, url), ['ERR_INVALID_IP_ADDRESS', 1006, '', undefined, undefined]);
  assert.strictEqual((await same(server, { lookup: fails }, `ws://127.0.0.1:${server.port}`))[0], true); // an address isn't looked up
  assert.strictEqual((await same(server, { hints: dns.ADDRCONFIG, family: 4 }))[0], true);
  await finish(server);
});

test('finishRequest changes the request and says when it is sent', async () => {
  const server = await listenPlainly();
  const finishRequest = (request, socket) => {
    assert.strictEqual(socket.readyState, 0);
    request.setHeader('X-Added', [request.path, request.getHeader('host'), request.getHeader('x-given')].join(' '));
    request.removeHeader('X-Given');
    setImmediate(() => request.end());
  };
  const told = await same(server, { finishRequest, headers: { 'X-Given': 'yes' } }, `${server.url}/p?q`);
  assert.strictEqual(told.at(-1), `/p?q localhost:${server.port} yes`);
  const aborts = (request) => request.destroy(new Error('not today'));
  assert.deepStrictEqual((await same(server, { finishRequest: aborts })).slice(0, 2), ['not today', 1006]);
  await finish(server);
});

test('agents: those of Node, of which the engine knows all options or not', async () => {
  const [plain, secure] = [await listenPlainly(), await listenSecurely()];
  class Own extends http.Agent {
    createConnection(options, done) {
      this.made = (this.made ?? 0) + 1;
      return super.createConnection(options, done);
    }
  }
  const agents = [new Own(), new Own()];
  assert.strictEqual((await same(plain, (Client) => ({ agent: agents[Number(Client === ours)] })))[0], true);
  assert.deepStrictEqual(agents.map(({ made }) => made), [1, 1]);
  for (const agent of [new http.Agent({ keepAlive: true, maxSockets: 1 }), new http.Agent({ lookup: (host, options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]) })]) {
    assert.strictEqual((await same(plain, { agent }))[0], true);
    assert.strictEqual((await same(plain, { agent }))[0], true); // it has not kept the connection
  }
  for (const options of [{ ca: AUTHORITY.cert }, { rejectUnauthorized: false, ciphers: 'ECDHE+AESGCM' }, { ca: AUTHORITY.cert, checkServerIdentity() {} }]) {
    assert.deepStrictEqual((await same(secure, { agent: new https.Agent(options) })).slice(0, 3), [true, secure.port, true]);
  }
  assert.deepStrictEqual((await same(secure, { agent: new https.Agent({ checkServerIdentity() {} }) })).slice(1, 2), [1006]);
  const refuses = new https.Agent({ ca: AUTHORITY.cert, checkServerIdentity: () => Object.assign(new Error('not him'), { code: 'ENOTHIM' }) });
  assert.deepStrictEqual((await same(secure, { agent: refuses })).slice(0, 2), ['ENOTHIM', 1006]);
  assert.throws(() => new ours(plain.url, { agent: {} }), { code: 'ERR_INVALID_ARG_TYPE' });
  await finish(plain);
  await finish(secure);
});

test('agents: what a program has put in the place of an agent\'s own is called, with what the http module says', () => {
  for (const { Agent, scheme, port } of [{ Agent: http.Agent, scheme: 'ws', port: 80 }, { Agent: https.Agent, scheme: 'https', port: 443 }]) {
    for (const Client of [theirs, ours]) {
      const asked = [];
      const agent = new Agent();
      agent.addRequest = (request, options) => asked.push([options.host, options.port, request.path, request.getHeader('sec-websocket-protocol')]);
      const sockets = [new Client(`${scheme}://[::1]/p?q`, { agent }), new Client(`${scheme}://localhost`, [], { agent })];
      assert.deepStrictEqual(asked, [['::1', port, '/p?q', undefined], ['localhost', port, '/', undefined]]);
      for (const socket of sockets) {
        assert.strictEqual(socket.bufferedAmount, 0);
        socket.on('error', () => {});
        socket.terminate();
        assert.strictEqual(socket.bufferedAmount, 0);
      }
    }
  }
  const socket = new ours('ws://localhost', { agent: Object.assign(new http.Agent(), { addRequest() {} }) });
  assert.deepStrictEqual([socket.tlsInfo(), socket.metrics(), socket.timings().tcp], [null, null, null]);
  socket.on('error', () => {}).close();
});

test('agents: proxies are asked for the way', async () => {
  const [plain, secure] = [await listenPlainly(), await listenSecurely()];
  const [proxy, socks] = [await httpProxy(), await socksProxy()];
  const { HttpsProxyAgent } = await import('https-proxy-agent');
  const { HttpProxyAgent } = await import('http-proxy-agent');
  const { SocksProxyAgent } = await import('socks-proxy-agent');
  const place = `http://me:secret@127.0.0.1:${proxy.port}`;
  const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
  for (const [make, more] of [
    [() => new HttpsProxyAgent(place), [basic, undefined]],
    [() => new HttpsProxyAgent(place, { headers: { 'X-Mine': 'yes' } }), [basic, 'yes']],
    [() => new HttpsProxyAgent(place, { ca: AUTHORITY.cert }), [basic, undefined]],
  ]) {
    for (const [server, tlsOptions] of [[plain, {}], [secure, { ca: AUTHORITY.cert }]]) {
      const events = [];
      for (const Client of [theirs, ours]) events.push((await story(Client, server, { agent: make(), ...tlsOptions })).filter((one) => typeof one !== 'number' || one === 1000));
      assert.deepStrictEqual(events[1], events[0]);
      assert.strictEqual(events[1][0], true);
      assert.deepStrictEqual(proxy.asked.splice(0), Array(2).fill([`localhost:${server.port}`, ...more]));
    }
  }
  assert.strictEqual((await story(ours, plain, { agent: new HttpProxyAgent(place) }))[0], true);
  for (const scheme of ['socks5', 'socks5h']) {
    const names = [];
    for (const Client of [theirs, ours]) {
      assert.strictEqual((await story(Client, secure, { agent: new SocksProxyAgent(`${scheme}://127.0.0.1:${socks.port}`), ca: AUTHORITY.cert, family: 4 }))[0], true);
      names.push(net.isIP(socks.asked.pop()) > 0);
    }
    assert.deepStrictEqual(names, Array(2).fill(scheme === 'socks5'));
  }
  proxy.close();
  socks.close();
  await finish(plain);
  await finish(secure);
});

async function httpProxy() {
  const proxy = http.createServer();
  proxy.asked = [];
  proxy.on('connect', ({ url, headers }, socket) => {
    proxy.asked.push([url, headers['proxy-authorization'], headers['x-mine']]);
    tunnel(socket, url.split(':')[1], 'HTTP/1.1 200 OK\r\n\r\n');
  });
  proxy.listen(0, '127.0.0.1');
  await next(proxy, 'listening');
  proxy.port = proxy.address().port;
  return proxy;
}

/** SOCKS 5 without authentication (RFC 1928), for one message at a time. */
async function socksProxy() {
  const proxy = net.createServer(async (socket) => {
    await next(socket, 'data');
    socket.write(Buffer.from([5, 0]));
    const [asked] = await next(socket, 'data');
    const isName = asked[3] === 3;
    const end = isName ? 5 + asked[4] : asked[3] === 1 ? 8 : 20;
    proxy.asked.push(isName ? asked.toString('latin1', 5, end) : asked[3] === 1 ? '127.0.0.1' : '::1');
    tunnel(socket, asked.readUInt16BE(end), Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
  });
  proxy.asked = [];
  proxy.listen(0, '127.0.0.1');
  await next(proxy, 'listening');
  proxy.port = proxy.address().port;
  return proxy;
}

function tunnel(socket, port, answer) {
  const beyond = net.connect(port, '127.0.0.1', () => {
    socket.write(answer);
    socket.pipe(beyond).pipe(socket);
  });
  for (const end of [socket, beyond]) end.on('error', () => socket.destroy());
}

test('TLS that only Node does: ciphers, pfx, who the server is, contexts, sessions', async () => {
  const server = await listenSecurely();
  const ca = AUTHORITY.cert;
  const context = tls.createSecureContext({ ca });
  for (const options of [
    { ca, ciphers: 'ECDHE+AESGCM' },
    { ca, maxVersion: 'TLSv1.2' },
    { ca, checkServerIdentity: (host) => void assert.strictEqual(host, 'localhost') },
    { ca, ecdhCurve: 'P-256', honorCipherOrder: true },
    { secureContext: context },
    { ca, servername: 'localhost', sigalgs: 'ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256' },
    { rejectUnauthorized: false, servername: '' },
  ]) {
    const told = await same(server, options);
    assert.deepStrictEqual(told.slice(0, 4), [true, server.port, true, 1000], JSON.stringify(Object.keys(options)));
  }
  assert.deepStrictEqual((await same(server, { ciphers: 'ECDHE+AESGCM' })).slice(1, 2), [1006]); // nobody trusts it
  const other = { ca, checkServerIdentity: () => Object.assign(new Error('not him'), { code: 'ENOTHIM' }) };
  assert.deepStrictEqual((await same(server, other)).slice(0, 2), ['ENOTHIM', 1006]);
  assert.strictEqual((await same(server, { ca }, `wss://localhost:${server.port}`))[0], true);
  const [pinned] = await Promise.all([story(ours, server, { ca, ciphers: 'ECDHE+AESGCM', handshakeTimeout: 0 })]);
  assert.strictEqual(pinned[0], true);
  await finish(server);
});

test('without TLS its options have no effect, as in ws', async () => {
  const server = await listenPlainly();
  const options = { ciphers: 'none', pfx: crypto.randomBytes(8), checkServerIdentity: assert.fail };
  assert.strictEqual((await same(server, options))[0], true);
  await finish(server);
});

test('what can not go together is refused, and says why', () => {
  const createConnection = () => assert.fail();
  for (const [options, text] of [
    [{ createConnection, proxy: 'http://127.0.0.1:1' }, /proxy: not with createConnection/],
    [{ createConnection, reconnect: true }, /reconnect: not with createConnection/],
    [{ createConnection, pins: ['x'] }, /pins/],
    [{ agent: new (class extends http.Agent {})(), reconnect: true }, /reconnect: not with agent/],
    [{ lookup: createConnection, reconnect: true }, /lookup: not with reconnect/],
    [{ lookup: createConnection, proxy: true }, /lookup: not with proxy/],
    [{ hints: 1, proxy: true }, /hints: not with proxy/],
    [{ finishRequest: createConnection, reconnect: true }, /finishRequest: not with reconnect/],
    [{ ciphers: 'HIGH', reconnect: true }, /ciphers/],
  ]) {
    assert.throws(() => new ours('wss://localhost:1', options), { ...REFUSED, message: text });
  }
  for (const name of ['createConnection', 'lookup', 'finishRequest']) {
    assert.throws(() => new ours('ws://localhost:1', { [name]: 'no function' }), { code: 'ERR_INVALID_ARG_TYPE' });
  }
});
