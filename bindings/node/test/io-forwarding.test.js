'use strict';
// Clients whose requests reach another server of the cluster than their own, on a listener of ours and on a server of Node's.

const assert = require('node:assert');
const { once } = require('node:events');
const http = require('node:http');
const { after, before, test } = require('node:test');

const own = require('sockline/redis-adapter');

const { next, opened, ours, serve, theirs, client } = require('./io-support');
const { MODES, Redis, hears, until } = require('./io-redis-support');

const UNKNOWN = { code: 1, message: 'Session ID unknown' };

let redis;
before(async () => {
  redis = await Redis.start();
});
after(() => redis.end());

let clusters = 0;

/** Two servers that hear each other: one on a port of its own, one attached to a server of Node's. */
async function two({ own: adapter, options } = MODES[0]) {
  const key = `forwarding-${++clusters}`;
  const given = () => ({ adapter: adapter(redis.url, options(key)), forwardRequests: true, cors: { origin: 'https://a' } });
  const a = await serve(ours.Server, given());
  const httpServer = http.createServer().listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  const b = new ours.Server(httpServer, given());
  opened.servers.add(b);
  b.url = `http://127.0.0.1:${httpServer.address().port}`;
  await Promise.all([hears(a, b), hears(b, a)]);
  return { a, b };
}

/** A client by requests, each to the server that it names. */
class Poller {
  static async of(server) {
    const poller = new Poller();
    const opened = await poller.get(server);
    poller.sid = JSON.parse(opened.slice(1)).sid;
    return poller;
  }

  target(server) {
    const sid = this.sid ? `&sid=${this.sid}` : '';
    return `${server.url}/socket.io/?EIO=4&transport=polling${sid}`;
  }

  request(server, options) {
    return fetch(this.target(server), { headers: { origin: 'https://a' }, ...options });
  }

  async get(server) {
    return (await this.request(server)).text();
  }

  async post(server, body) {
    assert.strictEqual(await (await this.request(server, { method: 'POST', body })).text(), 'ok');
  }
}

/** A client of a server that has joined by the other. */
async function joined(at, elsewhere) {
  const poller = await Poller.of(at);
  const connection = next(at, 'connection');
  await poller.post(elsewhere, '40');
  const [socket] = await connection;
  assert.match(await poller.get(elsewhere), /^40\{"sid":"/);
  return { poller, socket };
}

for (const mode of MODES) {
  test(`${mode.mode}: a client polls the other server`, async () => {
    const { a, b } = await two(mode);
    for (const [at, elsewhere] of [[a, b], [b, a]]) {
      const { poller, socket } = await joined(at, elsewhere);
      assert.match(socket.handshake.address, /127\.0\.0\.1$/);
      socket.on('echo', (value, ack) => ack(value));
      for (const server of [elsewhere, at, elsewhere]) {
        await poller.post(server, '421["echo","κόσμε"]');
        assert.strictEqual(await poller.get(server), '431["κόσμε"]');
        const waiting = poller.request(server);
        socket.emit('later', Buffer.from([1, 2]));
        const answer = await waiting;
        assert.strictEqual(answer.headers.get('access-control-allow-origin'), 'https://a');
        assert.strictEqual(await answer.text(), '451-["later",{"_placeholder":true,"num":0}]\x1ebAQI=');
      }
      const gone = next(socket, 'disconnect');
      const cancelled = http.get(poller.target(elsewhere)).on('error', () => {});
      cancelled.once('finish', () => cancelled.destroy());
      assert.strictEqual((await gone)[0], 'transport error');
      const refused = next(at.engine, 'connection_error');
      const answer = await poller.request(elsewhere);
      assert.deepStrictEqual([answer.status, await answer.json()], [400, UNKNOWN]);
      assert.strictEqual((await refused)[0].code, 1);
    }
  });
}

test('who asks for a server that has closed is refused there', async () => {
  const { a, b } = await two();
  const { poller, socket } = await joined(a, b);
  const gone = next(socket, 'disconnect');
  await a.close();
  await gone;
  const refused = next(b.engine, 'connection_error');
  const answer = await poller.request(b);
  assert.deepStrictEqual([answer.status, await answer.json()], [400, UNKNOWN]);
  const [{ req, code, context }] = await refused;
  assert.deepStrictEqual([code, context], [1, { sid: poller.sid }]);
  assert.match(req.url, new RegExp(poller.sid));
});

test('the official client goes on polling when it is refused a WebSocket', async () => {
  const { a, b } = await two();
  let turn = 0;
  const front = http.createServer((request, response) => pass(turn++ % 2 ? a : b, request, response));
  front.on('upgrade', (request, socket) => {
    const { method, url, headers } = request;
    const passed = http.request(a.url + url, { method, headers }, (answer) => {
      socket.end(`HTTP/1.1 ${answer.statusCode} x\r\nConnection: close\r\n\r\n`);
    });
    passed.on('upgrade', (answer, other) => other.destroy()).end();
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  try {
    b.on('connection', (peer) => peer.on('echo', (value, ack) => ack(value)));
    const socket = client(theirs.connect, `http://127.0.0.1:${front.address().port}`);
    socket.io.on('open', () => {
      socket.io.engine.once('upgradeError', () => socket.emit('refused'));
    });
    const [peer] = await next(b, 'connection');
    await next(peer, 'refused');
    for (let number = 0; number < 10; number++) assert.strictEqual(await socket.emitWithAck('echo', number), number);
    assert.strictEqual(socket.io.engine.transport.name, 'polling');
    const gone = next(peer, 'disconnect');
    socket.disconnect();
    assert.strictEqual((await gone)[0], 'client namespace disconnect');
    await until(() => a.engine.clientsCount + b.engine.clientsCount === 0);
  } finally {
    front.closeAllConnections();
    front.close();
  }
});

/** A request on a connection of its own. */
function pass(server, request, response) {
  const { method, url, headers } = request;
  const passed = http.request(server.url + url, { method, headers: { ...headers, connection: 'close' }, agent: false }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  passed.on('error', () => response.destroy());
  response.on('close', () => passed.destroy());
  request.pipe(passed);
}

test('what can not be is refused', async () => {
  assert.throws(() => new ours.Server(0, { forwardRequests: true }), /forwardRequests needs the option adapter/);
  const server = new ours.Server({ forwardRequests: true, adapter: own.createAdapter(redis.url) });
  const unsupported = { code: 'SOCKLINE_ERR_UNSUPPORTED', message: /engine\.generateId/ };
  assert.throws(() => (server.engine.generateId = () => 'x'), unsupported);
  const other = new ours.Server({ adapter: own.createAdapter(redis.url) });
  other.engine.generateId = () => 'x';
  assert.throws(() => other.attach(0, { forwardRequests: true }), unsupported);
});
