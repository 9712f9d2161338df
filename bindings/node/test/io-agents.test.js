'use strict';
// Agents that make a client's connections themselves: of socket.io-client, beside the official one, and of browsers' WebSockets.

const assert = require('node:assert');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const test = require('node:test');
const tls = require('node:tls');

const { WebSocketServer } = require('ws');

const { CARRIERS, client, next, opened, ours, serve, serveSecurely, theirs } = require('./io-support');

const { WebSocket, settings } = require('sockline/whatwg');

/** Nobody else finds the host. */
const HOST = 'somewhere.test';

/** Makes the connections itself. */
class Own extends http.Agent {
  sockets_ = [];

  createConnection({ host, port }) {
    assert.strictEqual(host, HOST);
    const socket = net.connect({ host: '127.0.0.1', port });
    this.sockets_.push(socket);
    return socket;
  }
}

/** The same with TLS. */
class OwnSecure extends https.Agent {
  made = 0;

  createConnection({ host, port }, done) {
    assert.strictEqual(host, HOST);
    this.made += 1;
    const socket = tls.connect({ host: '127.0.0.1', port, servername: 'localhost', ca: this.options.ca }, () => done(null, socket));
    socket.on('error', done);
  }
}

const whose = [{ ...ours, name: 'ours' }, { ...theirs, name: 'official (for comparison)' }];

for (const { connect, name } of whose) {
  for (const { carrier, transports } of CARRIERS) {
    test(`${name}, ${carrier}: an agent makes the connections, and makes them again`, async () => {
      const server = await serve(ours.Server);
      const agent = new Own();
      const { port } = server.httpServer.address();
      const socket = client(connect, `http://${HOST}:${port}`, { agent, transports, reconnection: true, reconnectionDelay: 10 });
      const [peer] = await next(server, 'connection');
      assert.strictEqual(peer.handshake.headers.host, `${HOST}:${port}`);
      const bytes = Buffer.alloc(300_000, 'x');
      peer.on('echo', (value, answer) => answer(value));
      assert.deepStrictEqual(await socket.emitWithAck('echo', bytes), bytes);
      const before = agent.sockets_.length;
      assert.ok(before > 0);
      const again = next(server, 'connection');
      const lost = next(socket, 'disconnect');
      peer.conn.close();
      assert.ok((await lost)[0].startsWith('transport'));
      await again;
      assert.ok(agent.sockets_.length > before);
    });

    if (connect === theirs.connect) continue;

    test(`${name}, ${carrier}: an agent's connections may have TLS`, async () => {
      const { authority, server, port } = await serveSecurely();
      const agent = new OwnSecure({ ca: authority.cert });
      const socket = client(connect, `https://${HOST}:${port}`, { agent, transports });
      const [peer] = await next(server, 'connection');
      assert.strictEqual(peer.handshake.secure, true);
      peer.on('echo', (value, answer) => answer(value));
      assert.strictEqual(await socket.emitWithAck('echo', 'hi'), 'hi');
      assert.ok(agent.made > 0);
    });

    test(`${name}, ${carrier}: an agent's failure is the client's`, async () => {
      class Failing extends http.Agent {
        createConnection() {
          throw Object.assign(new Error('not today'), { code: 'ENOTTODAY' });
        }
      }
      const socket = client(connect, 'http://127.0.0.1:1', { agent: new Failing(), transports, autoConnect: false });
      socket.connect();
      const [error] = await next(socket, 'connect_error');
      assert.match(error.message, /^(xhr poll|websocket) error$/);
      assert.strictEqual(error.cause.code, 'ENOTTODAY');
    });
  }

  test(`${name}: what only Node's TLS knows has Node make the connections`, async () => {
    const { authority, port } = await serveSecurely();
    const url = `https://localhost:${port}`;
    const ciphers = 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256';
    for (const { transports } of CARRIERS) {
      const socket = client(connect, url, { ca: authority.cert, ciphers, transports });
      await next(socket, 'connect');
      socket.disconnect();
    }
  });
}

test('what is no agent is refused, and what the engine would have to do beside one', () => {
  const options = { forceNew: true };
  assert.throws(() => ours.connect('http://127.0.0.1:1', { ...options, agent: {} }), { code: 'ERR_INVALID_ARG_TYPE' });
  const both = { ...options, agent: new Own(), proxy: 'http://127.0.0.1:1' };
  assert.throws(() => ours.connect('http://127.0.0.1:1', both), { code: 'SOCKLINE_ERR_UNSUPPORTED' });
  assert.throws(() => ours.connect('http://127.0.0.1:1', { ...options, protocolVersion: 8 }), RangeError);
});

test('a WebSocket of browsers by an agent', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await next(server, 'listening');
  server.on('connection', (socket, { headers }) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    socket.send(headers.host);
  });
  const { port } = server.address();
  const agent = new Own();
  settings.options = { agent };
  try {
    await Promise.all([1, 2].map(async () => {
      const socket = new WebSocket(`ws://${HOST}:${port}`);
      const messages = [];
      await new Promise((resolve) => {
        socket.onmessage = ({ data }) => {
          messages.push(data);
          if (messages.length === 1) socket.send('hello');
          else resolve();
        };
      });
      assert.deepStrictEqual(messages, [`${HOST}:${port}`, 'hello']);
      const closed = new Promise((resolve) => (socket.onclose = resolve));
      socket.close(1000, 'bye');
      const { code, reason, wasClean } = await closed;
      assert.deepStrictEqual([code, reason, wasClean], [1000, 'bye', true]);
    }));
    assert.strictEqual(agent.sockets_.length, 2);
    agent.createConnection = () => {
      throw new Error('not today');
    };
    const failed = new WebSocket(`ws://${HOST}:${port}`);
    const events = [];
    failed.onerror = () => events.push('error');
    const { code, wasClean } = await new Promise((resolve) => (failed.onclose = resolve));
    assert.deepStrictEqual([events, code, wasClean], [['error'], 1006, false]);
    assert.throws(() => (settings.options = { agent: {} }), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => (settings.options = { finishRequest() {} }), { code: 'SOCKLINE_ERR_UNSUPPORTED' });
  } finally {
    settings.options = {};
    server.close();
  }
});
