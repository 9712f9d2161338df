'use strict';
// WebSocketServer on servers of Node's http and https modules, by `server` and by `handleUpgrade`: each story is told by ours and by the
// real ws, and has to be the same.

const assert = require('node:assert');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { Duplex } = require('node:stream');
const { test } = require('node:test');

const { selfSigned } = require('./certificates');
const { connect, next, opened, ours, pattern, theirs } = require('./support');

const PACKAGES = [
  { name: 'ours', Package: ours },
  { name: 'ws (for comparison)', Package: theirs },
];
const certificate = selfSigned('localhost');
const WAYS = { plain: () => http.createServer(), TLS: () => https.createServer(certificate) };
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** Begins to listen; `close` ends all that is left. */
async function listening(server, where = { port: 0, host: '127.0.0.1' }) {
  server.listen(where);
  await next(server, 'listening');
  opened.servers.add({ clients: [], close: () => server.close() && server.closeAllConnections?.() });
  const scheme = server instanceof https.Server ? 'wss' : 'ws';
  server.url = `${scheme}://127.0.0.1:${server.address().port}`;
  return server;
}

function client(url, protocols, options) {
  return connect(theirs, url, protocols, { ca: certificate.cert, ...options });
}

/** A server without a port of its own that forwards what comes to 'connection', as programs do. */
function noServer(Package, server, options) {
  const wss = new Package.WebSocketServer({ noServer: true, ...options });
  server.on('upgrade', (request, socket, head) => {
    wss.handleUpgrade(request, socket, head, (webSocket, ...rest) => wss.emit('connection', webSocket, ...rest));
  });
  return wss;
}

/** The answer to raw bytes, until the server closes: status line and headers, and the body. */
async function answer(server, ...lines) {
  const socket = net.connect(server.address().port, '127.0.0.1');
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const [head, body] = Buffer.concat(await socket.toArray()).toString().split('\r\n\r\n');
  return { head: head.split('\r\n'), body };
}

const UPGRADE = ['Host: a', 'Connection: Upgrade', 'Upgrade: websocket'];
const HANDSHAKE = [...UPGRADE, 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${KEY}`];

for (const { name, Package } of PACKAGES) {
  for (const [way, create] of Object.entries(WAYS)) {
    test(`${name}, ${way}: echoes on a server of Node's, of all sizes`, async () => {
      const server = await listening(create());
      const wss = new Package.WebSocketServer({ server, maxPayload: 0 });
      assert.deepStrictEqual(wss.address(), server.address());
      wss.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
      const socket = await client(server.url);
      for (const size of [0, 1, 125, 126, 65_536, 5_000_000]) {
        const data = pattern(size);
        socket.send(data);
        const [received, isBinary] = await next(socket, 'message');
        assert.ok(isBinary && received.equals(data), `${size} bytes`);
      }
      socket.close(4000, 'over');
      assert.strictEqual((await next(socket, 'close'))[0], 4000);
      wss.close();
      await next(wss, 'close');
      const closed = next(server, 'close');
      server.close();
      await closed;
    });

    test(`${name}, ${way}: the socket is Node's own`, async () => {
      const server = await listening(create());
      const wss = noServer(Package, server);
      const connection = next(wss, 'connection');
      const socket = await client(`${server.url}/path?query`);
      const [peer, request] = await connection;
      assert.ok(request instanceof http.IncomingMessage);
      assert.strictEqual(request.url, '/path?query');
      assert.strictEqual(peer._socket, request.socket);
      const { remoteAddress, remotePort, remoteFamily, localPort, encrypted } = request.socket;
      assert.deepStrictEqual([remoteAddress, remoteFamily], ['127.0.0.1', 'IPv4']);
      assert.strictEqual(remotePort, socket._socket.localPort);
      assert.strictEqual(localPort, server.address().port);
      assert.strictEqual(Boolean(encrypted), way === 'TLS');
      const closed = [next(request.socket, 'close'), next(peer, 'close'), next(socket, 'close')];
      peer.close(1001, 'bye');
      const [, [code], [told, reason]] = await Promise.all(closed);
      assert.deepStrictEqual([code, told, reason.toString()], [1001, 1001, 'bye']);
      assert.strictEqual(request.socket.remoteAddress, '127.0.0.1', 'still known');
    });

    test(`${name}, ${way}: who destroys the socket ends the connection, and terminate ends the socket`, async () => {
      const server = await listening(create());
      const wss = noServer(Package, server);
      for (const end of [({ _socket }) => _socket.destroy(), (peer) => peer.terminate()]) {
        const connection = next(wss, 'connection');
        const socket = await client(server.url);
        const [peer, request] = await connection;
        const codes = [next(peer, 'close'), next(socket, 'close')].map((closed) => closed.then(([code]) => code));
        const gone = next(request.socket, 'close');
        end(peer);
        assert.deepStrictEqual(await Promise.all(codes), [1006, 1006]);
        await gone;
        assert.strictEqual(wss.clients.size, 0);
      }
    });

    test(`${name}, ${way}: a client that vanishes is noticed`, async () => {
      const server = await listening(create());
      const wss = noServer(Package, server);
      const connection = next(wss, 'connection');
      const socket = await client(server.url);
      const [peer, request] = await connection;
      const closed = [next(peer, 'close'), next(request.socket, 'close')];
      socket.terminate();
      assert.strictEqual((await closed[0])[0], 1006);
      await closed[1];
    });

    test(`${name}, ${way}: reading stops and goes on`, async () => {
      const server = await listening(create());
      const wss = noServer(Package, server);
      const connection = next(wss, 'connection');
      const socket = await client(server.url);
      const [peer] = await connection;
      peer.pause();
      const chunk = Buffer.alloc(1 << 20);
      for (let nth = 0; nth < 16; nth++) socket.send(chunk);
      let messages = 0;
      const all = new Promise((resolve) => peer.on('message', () => ++messages === 16 && resolve()));
      await new Promise((resolve) => setTimeout(resolve, 50)); // nothing tells that nothing happens
      assert.ok(socket.bufferedAmount > 4 << 20, `${socket.bufferedAmount} bytes wait`);
      assert.strictEqual(messages, 0);
      peer.resume();
      await all;
    });
  }

  test(`${name}: what came with the request and before the answer is not lost`, async () => {
    const server = await listening(http.createServer());
    const wss = new Package.WebSocketServer({ noServer: true });
    const waiting = next(server, 'upgrade');
    const socket = net.connect(server.address().port, '127.0.0.1');
    const frame = (text) => Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
    socket.write(Buffer.concat([Buffer.from(`GET / HTTP/1.1\r\n${HANDSHAKE.join('\r\n')}\r\n\r\n`), frame('with the head')]));
    const [request, theirSocket, head] = await waiting;
    socket.write(frame('while it waits'));
    while (theirSocket.readableLength === 0) await new Promise(setImmediate);
    assert.strictEqual(head.length, 'with the head'.length + 6);
    const messages = [];
    const all = new Promise((resolve) => {
      wss.handleUpgrade(request, theirSocket, head, (peer) => {
        assert.strictEqual(peer.readyState, peer.OPEN);
        peer.on('message', (data) => messages.push(data.toString()) === 3 && resolve());
        peer.send('at once');
      });
    });
    socket.write(frame('afterwards'));
    await all;
    assert.deepStrictEqual(messages, ['with the head', 'while it waits', 'afterwards']);
    const accept = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const [answered] = await next(socket, 'data');
    assert.match(answered.toString('latin1'), /^HTTP\/1\.1 101 Switching Protocols\r\n/);
    assert.ok(answered.includes(accept));
    assert.ok(answered.includes('at once'));
    socket.destroy();
  });

  test(`${name}: the callback comes before handleUpgrade returns, and a socket is taken once`, async () => {
    const server = await listening(http.createServer());
    const wss = new Package.WebSocketServer({ noServer: true });
    const waiting = next(server, 'upgrade');
    const socket = client(server.url);
    const args = await waiting;
    let given;
    wss.handleUpgrade(...args, (...all) => (given = all));
    assert.strictEqual(given.length, 2);
    assert.ok(given[0] instanceof Package);
    assert.strictEqual(given[1], args[0]);
    assert.ok(wss.clients.has(given[0]));
    assert.throws(() => wss.handleUpgrade(...args, () => {}), {
      message: 'server.handleUpgrade() was called more than once with the same socket, possibly due to a misconfiguration',
    });
    (await socket).terminate();
    await next(given[0], 'close');
    wss.handleUpgrade(...args, () => assert.fail('it has ended')); // which destroys what is left
  });

  test(`${name}: requests that are no handshake are answered`, async () => {
    const server = await listening(http.createServer());
    new Package.WebSocketServer({ server, path: '/here', perMessageDeflate: { clientMaxWindowBits: 10 } });
    const answers = [];
    for (const lines of [
      ['POST /here HTTP/1.1', ...HANDSHAKE],
      ['GET /here HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: foo'],
      ['GET /here HTTP/1.1', ...UPGRADE, 'Sec-WebSocket-Version: 13'],
      ['GET /here HTTP/1.1', ...UPGRADE, 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: short'],
      ['GET /here HTTP/1.1', ...UPGRADE, `Sec-WebSocket-Key: ${KEY}`],
      ['GET /here HTTP/1.1', ...UPGRADE, `Sec-WebSocket-Key: ${KEY}`, 'Sec-WebSocket-Version: 12'],
      ['GET /there HTTP/1.1', ...HANDSHAKE],
      ['GET /here?a HTTP/1.1', ...HANDSHAKE, 'Sec-WebSocket-Protocol: a, a'],
      ['GET /here?a HTTP/1.1', ...HANDSHAKE, 'Sec-WebSocket-Extensions: permessage-deflate; unknown'],
      ['GET /here?a HTTP/1.1', ...HANDSHAKE, 'Sec-WebSocket-Extensions: permessage-deflate'],
      ['GET /here?a HTTP/1.1', ...HANDSHAKE, 'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99'],
    ]) {
      const { head, body } = await answer(server, ...lines);
      answers.push([head[0].split(' ')[1], body]);
      assert.ok(head.includes('Connection: close') && head.includes('Content-Type: text/html'), head.join());
      if (body.includes('Version')) assert.ok(head.includes('Sec-WebSocket-Version: 13, 8'));
    }
    assert.deepStrictEqual(answers, [
      ['405', 'Invalid HTTP method'],
      ['400', 'Invalid Upgrade header'],
      ['400', 'Missing or invalid Sec-WebSocket-Key header'],
      ['400', 'Missing or invalid Sec-WebSocket-Key header'],
      ['400', 'Missing or invalid Sec-WebSocket-Version header'],
      ['400', 'Missing or invalid Sec-WebSocket-Version header'],
      ['400', 'Bad Request'],
      ['400', 'Invalid Sec-WebSocket-Protocol header'],
      ...Array(3).fill(['400', 'Invalid or unacceptable Sec-WebSocket-Extensions header']),
    ]);
  });

  test(`${name}: 'wsClientError' leaves the answer to its listener`, async () => {
    const server = await listening(http.createServer());
    const wss = new Package.WebSocketServer({ server });
    wss.on('wsClientError', (error, socket, request) => {
      assert.ok(error instanceof Error && socket instanceof Duplex && request instanceof http.IncomingMessage);
      socket.end(`HTTP/1.1 400 Bad Request\r\n\r\n${error.message}!`);
    });
    const { body } = await answer(server, 'GET / HTTP/1.1', ...UPGRADE, 'Sec-WebSocket-Version: 13');
    assert.strictEqual(body, 'Missing or invalid Sec-WebSocket-Key header!');
  });

  test(`${name}: verifyClient in both forms, handleProtocols, 'headers', shouldHandle`, async () => {
    const told = [];
    const forms = {
      '/sync': (info) => told.push(['sync', info.origin, info.secure, info.req.url]) && true,
      '/no': () => false,
      '/later': (info, settle) => setImmediate(settle, true),
      '/never': (info, settle) => setImmediate(settle, false, 403, 'go away', { 'X-Why': 'so' }),
      '/bare': (info, settle) => settle(false),
    };
    const server = await listening(http.createServer());
    server.on('upgrade', (request, socket, head) => {
      const wss = new Package.WebSocketServer({
        noServer: true,
        verifyClient: forms[request.url],
        handleProtocols: (protocols, asked) => told.push([[...protocols], asked === request]) && 'b',
      });
      if (request.url === '/sync') wss.shouldHandle = (asked) => asked === request;
      wss.on('headers', (lines, asked) => {
        told.push([lines[0], lines.at(-1), asked === request]);
        lines.push('X-Added: yes');
      });
      wss.handleUpgrade(request, socket, head, (peer) => peer.close(1000, peer.protocol));
    });
    const results = [];
    for (const url of Object.keys(forms)) {
      const socket = new theirs(server.url + url, ['a', 'b'], { origin: 'http://a.example' });
      socket.on('upgrade', ({ headers }) => results.push(headers['x-added']));
      socket.on('error', () => {});
      socket.on('unexpected-response', async (request, response) => {
        const body = Buffer.concat(await response.toArray()).toString();
        results.push([response.statusCode, response.headers['x-why'], response.headers['content-length'], body]);
        socket.terminate();
      });
      const [, reason] = await next(socket, 'close').catch(() => [0, 'refused']);
      results.push(reason.toString());
    }
    assert.deepStrictEqual(results, [
      'yes', 'b', [401, undefined, '12', 'Unauthorized'], 'refused', 'yes', 'b', [403, 'so', '7', 'go away'], 'refused', [401, undefined, '12', 'Unauthorized'], 'refused',
    ]);
    const accepted = [[['a', 'b'], true], ['HTTP/1.1 101 Switching Protocols', 'Sec-WebSocket-Protocol: b', true]];
    assert.deepStrictEqual(told, [['sync', 'http://a.example', false, '/sync'], ...accepted, ...accepted]);
  });

  test(`${name}: several servers share one, and close one after the other`, async () => {
    const server = await listening(http.createServer((request, response) => response.end('plain')));
    const before = server.listenerCount('upgrade');
    const [one, other] = ['/one', '/other'].map((where) => ({ where, wss: new Package.WebSocketServer({ noServer: true }) }));
    const attached = new Package.WebSocketServer({ server, path: '/attached' });
    attached.shouldHandle = () => false;
    attached.close();
    await next(attached, 'close');
    assert.strictEqual(server.listenerCount('upgrade'), before, 'it has left');
    assert.strictEqual(attached.address(), null);
    server.on('upgrade', (request, socket, head) => {
      const found = [one, other].find(({ where }) => where === request.url);
      if (found) found.wss.handleUpgrade(request, socket, head, (peer) => peer.send(found.where));
      else socket.destroy();
    });
    assert.throws(() => one.wss.address(), { message: 'The server is operating in "noServer" mode' });
    const sockets = [];
    for (const { where } of [one, other]) {
      const socket = new theirs(server.url + where);
      sockets.push(socket);
      assert.strictEqual((await next(socket, 'message'))[0].toString(), where);
    }
    await assert.rejects(client(`${server.url}/none`));
    assert.strictEqual(await (await fetch(server.url.replace('ws', 'http'))).text(), 'plain');
    const events = [];
    one.wss.on('close', () => events.push('closed'));
    one.wss.close(() => events.push('told'));
    await new Promise(setImmediate);
    assert.deepStrictEqual(events, [], 'a client is there still');
    sockets[0].close();
    await next(one.wss, 'close');
    assert.deepStrictEqual(events, ['closed', 'told']);
    const error = await new Promise((resolve) => one.wss.close(resolve));
    assert.strictEqual(error.message, 'The server is not running');
    await assert.rejects(client(`${server.url}/one`), { message: 'Unexpected server response: 503' });
    sockets[1].terminate();
  });

  test(`${name}: without tracking there are no clients, and closing does not wait`, async () => {
    const server = await listening(http.createServer());
    const wss = new Package.WebSocketServer({ server, clientTracking: false });
    assert.strictEqual(wss.clients, undefined);
    const connection = next(wss, 'connection');
    const socket = await client(server.url);
    const [peer] = await connection;
    wss.close();
    await next(wss, 'close');
    peer.send('still here');
    assert.strictEqual((await next(socket, 'message'))[0].toString(), 'still here');
    socket.terminate();
  });

  test(`${name}: 'listening' and 'error' of the server are told`, async () => {
    const server = http.createServer();
    const wss = new Package.WebSocketServer({ server });
    assert.strictEqual(wss.address(), null);
    const events = Promise.all([next(wss, 'listening'), listening(server)]);
    await events;
    const second = http.createServer();
    const failing = new Package.WebSocketServer({ server: second });
    const failed = new Promise((resolve) => failing.on('error', resolve));
    second.listen(server.address().port, '127.0.0.1');
    assert.strictEqual((await failed).code, 'EADDRINUSE');
  });

  test(`${name}: where the connections come from is said once`, () => {
    const server = http.createServer();
    for (const options of [{}, { port: 0, server }, { port: 0, noServer: true }, { server, noServer: true }]) {
      assert.throws(() => new Package.WebSocketServer(options), {
        name: 'TypeError',
        message: 'One and only one of the "port", "server", or "noServer" options must be specified',
      });
    }
  });

  test(`${name}: over a Unix socket, and streams without descriptors`, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sockline-'));
    const file = path.join(folder, 'http.sock');
    const server = http.createServer().listen(file);
    await next(server, 'listening');
    const wss = new Package.WebSocketServer({ server });
    assert.strictEqual(wss.address(), file);
    const urls = [];
    wss.on('connection', (peer, { url }) => urls.push(url) && peer.on('message', (data) => peer.send(data)));
    for (const Client of [theirs, ours]) {
      const socket = new Client(`ws+unix:${file}:/target?query`);
      await next(socket, 'open');
      socket.send('over a file');
      assert.strictEqual((await next(socket, 'message'))[0].toString(), 'over a file');
      socket.close();
      await next(socket, 'close');
    }
    assert.deepStrictEqual(urls, ['/target?query', '/target?query']);
    // A Duplex between a client's socket and the server.
    const gate = net.createServer((socket) => {
      const duplex = Duplex.from({ readable: socket, writable: socket });
      server.emit('connection', duplex);
    });
    await listening(gate);
    const socket = await client(gate.url);
    socket.send('through a stream');
    assert.strictEqual((await next(socket, 'message'))[0].toString(), 'through a stream');
    socket.close(1000);
    assert.strictEqual((await next(socket, 'close'))[0], 1000);
    wss.close();
    server.close();
    server.closeAllConnections();
    fs.rmSync(folder, { recursive: true });
  });

  test(`${name}: a class of the program's own hears 'open'`, async () => {
    const opened = [];
    class Own extends Package {
      constructor(...args) {
        super(...args);
        this.on('open', () => opened.push(this.readyState));
      }
    }
    const server = await listening(http.createServer());
    const wss = new Package.WebSocketServer({ server, WebSocket: Own });
    const connection = next(wss, 'connection');
    const socket = await client(server.url);
    assert.ok((await connection)[0] instanceof Own);
    assert.deepStrictEqual(opened, [1]);
    socket.terminate();
  });

  test(`${name}: compression is agreed on, and limits hold`, async () => {
    const server = await listening(http.createServer());
    const wss = new Package.WebSocketServer({ server, perMessageDeflate: { threshold: 0 }, maxPayload: 1000 });
    const connection = next(wss, 'connection');
    const socket = await client(server.url, [], { perMessageDeflate: true });
    const [peer] = await connection;
    assert.strictEqual(peer.extensions, 'permessage-deflate');
    assert.strictEqual(socket.extensions, 'permessage-deflate');
    const failed = next(peer, 'close').catch((error) => error.code);
    socket.send('x'.repeat(1001));
    assert.strictEqual(await failed, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
    assert.strictEqual((await next(socket, 'close'))[0], 1009);
  });
}

test('what only a port of its own can do is refused', () => {
  for (const option of ['tls', 'static', 'request', 'metricsPath', 'maxRequests', 'io', 'threads']) {
    assert.throws(() => new ours.WebSocketServer({ noServer: true, [option]: option === 'request' ? () => {} : 1 }), {
      code: 'SOCKLINE_ERR_UNSUPPORTED',
      message: new RegExp(`^option ${option}: only with a port of its own: `),
    });
  }
});

test('broadcasts, topics and counters work there, too; a server of its own takes upgrades', async () => {
  const server = await listening(http.createServer());
  const own = new ours.WebSocketServer({ port: 0, host: '127.0.0.1' });
  opened.servers.add(own);
  server.on('upgrade', (request, socket, head) => own.handleUpgrade(request, socket, head, (peer) => peer.subscribe('news')));
  const socket = await client(server.url);
  own.publish('news', 'published');
  assert.strictEqual((await next(socket, 'message'))[0].toString(), 'published');
  own.broadcast('to all');
  assert.strictEqual((await next(socket, 'message'))[0].toString(), 'to all');
  assert.strictEqual(own.metrics().accepted, 1);
});
