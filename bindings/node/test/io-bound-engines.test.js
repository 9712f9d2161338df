'use strict';
// Sessions of another Engine.IO server, the official one, and requests of Node's http2 module.

const assert = require('node:assert');
const http = require('node:http');
const http2 = require('node:http2');
const test = require('node:test');

const { Server: Engine } = require('engine.io');
const WebSocket = require('ws');

const { selfSigned } = require('./certificates');
const { CARRIERS, client, next, opened, ours, pair, settled, theirs } = require('./io-support');

/** A server without a port of its own, bound to an engine at one. */
async function bound(Server, options) {
  const httpServer = http.createServer().listen(0, '127.0.0.1');
  await next(httpServer, 'listening');
  const engine = new Engine(options);
  engine.attach(httpServer, { path: '/socket.io/' });
  const server = new Server();
  opened.servers.add({
    async close() {
      await server.close();
      httpServer.close();
    },
  });
  assert.strictEqual(server.bind(engine), server);
  assert.strictEqual(server.engine, engine);
  server.url = `http://127.0.0.1:${httpServer.address().port}`;
  return server;
}

for (const { Server, name } of [{ ...ours, name: 'ours' }, { ...theirs, name: 'socket.io (for comparison)' }]) {
  // The official one would wait 30 seconds for another request of a client that polls.
  for (const { carrier, transports } of Server === ours.Server ? CARRIERS : CARRIERS.slice(1)) {
    test(`${name}, ${carrier}: an official engine that was bound carries events, answers, binary values, the end`, async () => {
      const server = await bound(Server, { pingInterval: 100 });
      server.of('/other').use((peer, goOn) => goOn(peer.handshake.auth.welcome ? undefined : new Error('no')));
      const { socket, peer } = await pair(theirs.connect, server, { transports, extraHeaders: { 'X-Who': 'me' } });
      const { headers, address, query } = peer.handshake;
      assert.deepStrictEqual([headers['x-who'], address, query.EIO], ['me', '127.0.0.1', '4']);
      assert.strictEqual(server.engine.clients[peer.conn.id], peer.conn);
      assert.strictEqual(peer.request, peer.conn.request);
      await settled(socket, peer, transports);
      for (const [from, to] of [[peer, socket], [socket, peer]]) {
        to.on('ask', (value, text, answer) => answer(value, text));
        for (const size of [1, 200, 70_000]) {
          const value = Buffer.alloc(size, 3);
          const answer = new Promise((resolve) => from.emit('ask', value, 'ä'.repeat(size), (...values) => resolve(values)));
          assert.deepStrictEqual(await answer, [value, 'ä'.repeat(size)]);
        }
      }
      const stranger = socket.io.socket('/other');
      assert.strictEqual((await next(stranger, 'connect_error'))[0].message, 'no');
      await next(socket.io, 'ping');
      await next(socket.io, 'ping'); // the first one was answered
      const gone = next(peer, 'disconnect');
      peer.conn.on('close', () => peer.removeAllListeners());
      const lost = next(socket, 'disconnect');
      peer.disconnect(true);
      assert.deepStrictEqual([(await gone)[0], (await lost)[0]], ['server namespace disconnect', 'io server disconnect']);
    });
  }

  test(`${name}: why a bound engine's session has ended is the reason`, async () => {
    const server = await bound(Server, { pingInterval: 50, pingTimeout: 50 });
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    socket.once('open', () => socket.send('40')); // and it answers no ping
    const [peer] = await next(server, 'connection');
    assert.strictEqual((await next(peer, 'disconnect'))[0], 'ping timeout');
  });
}

test('clients of version 2 are sent away by what is bound', async () => {
  const server = await bound(ours.Server, { allowEIO3: true });
  const socket = require('socket.io-client-v2')(server.url, { reconnection: false, transports: ['websocket'] });
  opened.sockets.add(socket);
  const closed = new Promise((resolve) => socket.io.once('close', resolve));
  assert.strictEqual(await closed, 'transport close');
});

test('a server of the http2 module: polling over HTTP/2, and WebSockets beside it', async () => {
  const { cert, key } = selfSigned('localhost');
  const httpServer = http2.createSecureServer({ allowHTTP1: true, cert, key }, (_, response) => response.end('mine'));
  const server = new ours.Server(httpServer);
  opened.servers.add(server);
  server.engine.use((request, response, goOn) => {
    response.setHeader('X-Seen', 'yes');
    goOn();
  });
  httpServer.listen(0, '127.0.0.1');
  await next(httpServer, 'listening');
  const url = `https://127.0.0.1:${httpServer.address().port}`;
  const session = http2.connect(url, { rejectUnauthorized: false });
  const [headers, open] = await ask(session, { ':path': '/socket.io/?EIO=4&transport=polling' });
  assert.deepStrictEqual([headers[':status'], headers['x-seen']], [200, 'yes']);
  const connection = next(server, 'connection');
  const path = `/socket.io/?EIO=4&transport=polling&sid=${JSON.parse(open.slice(1)).sid}`;
  assert.strictEqual((await ask(session, { ':path': path, ':method': 'POST' }, '40'))[1], 'ok');
  const [peer] = await connection;
  assert.deepStrictEqual([peer.request.httpVersion, peer.handshake.secure], ['2.0', true]);
  assert.match((await ask(session, { ':path': path }))[1], /^40\{"sid"/);
  assert.strictEqual((await ask(session, { ':path': '/' }))[1], 'mine');
  session.close();
  const socket = client(theirs.connect, url, { rejectUnauthorized: false });
  await next(socket.io.engine, 'upgrade');
});

/** The headers and the body of the answer. */
async function ask(session, headers, body) {
  const request = session.request(headers);
  request.end(body);
  const [answer] = await next(request, 'response');
  let text = '';
  for await (const chunk of request) text += chunk;
  return [answer, text];
}
