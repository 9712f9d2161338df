'use strict';
// What compat.test.js finds in the types is in living objects, too; and settings, parents and adapters are as in the official packages.

const assert = require('node:assert');
const { once } = require('node:events');
const test = require('node:test');

const { Said } = require('./compat/tables');
const { TYPES } = require('./compat/socketio-names');
const { typePairs } = require('./compat/types');
const { next, opened, ours, pair, serve, theirs } = require('./io-support');

test('an adapter that is the URL of something else is refused', () => {
  assert.throws(() => new ours.Server(0, { adapter: 'http://localhost' }), { code: 'SOCKLINE_ERR_INVALID_URL' });
});

test('living objects have the names of the official types', async () => {
  const server = await serve(ours.Server);
  const { socket, peer } = await pair(ours.connect, server, { auth: {} });
  const living = {
    Server: server,
    Namespace: server.of('/'),
    Socket: peer,
    BroadcastOperator: server.to('room'),
    RemoteSocket: remote(server),
    Client: peer.client,
    handshake: peer.handshake,
    Adapter: server.of('/').adapter,
    engine: server.engine,
    conn: peer.conn,
    transport: peer.conn.transport,
    'exports of socket.io': require('sockline/socket.io'),
    Manager: socket.io,
    'Socket of clients': socket,
    'engine of clients': socket.io.engine,
    'exports of socket.io-client': await import('sockline/socket.io-client'),
  };
  const types = ['BroadcastOperator', 'RemoteSocket']; // of which there is no value in theirs, either
  for (const page of ['socket.io', 'socket.io-client']) {
    const said = new Said(page);
    for (const name of TYPES[page].filter((one) => !one.startsWith('options'))) {
      const { official } = typePairs().find((pair) => pair.name === name);
      const absent = [...official.keys()].filter((one) => !(one in living[name]));
      const missing = [...official.keys()].filter((one) => said.about(name, one).state === 'missing');
      assert.deepStrictEqual(absent.filter((one) => !types.includes(one)).sort(), [...missing].sort(), name);
    }
  }
});

test('parent namespaces have the names of the official ones', () => {
  const own = new ours.Server().of(/a/);
  const official = new theirs.Server().of(/a/);
  // Those that its types show; the other ones are its own affairs.
  const names = ['createChild', 'emit', 'fetchSockets', 'use', 'on', 'to', 'except', 'timeout', 'volatile', 'local', 'name'];
  for (const name of [...names, 'adapter', 'server', 'sockets']) {
    assert.ok(name in official, name);
    assert.strictEqual(typeof own[name], typeof official[name], name);
  }
  assert.throws(() => own.fetchSockets(), /not supported on parent namespaces/);
  assert.throws(() => official.fetchSockets(), /not supported on parent namespaces/);
});

test('the packages export the same', () => {
  for (const name of ['socket.io', 'socket.io-client']) {
    const [own, official] = [require(`sockline/${name}`), require(name)];
    assert.strictEqual(typeof own, typeof official);
    for (const exported of Object.keys(official)) assert.strictEqual(typeof own[exported], typeof official[exported], exported);
  }
});

for (const { Server, connect, name } of [{ ...ours, name: 'ours' }, { ...theirs, name: 'socket.io (for comparison)' }]) {
  test(`${name}: settings can be read and changed before there is a port`, async () => {
    const server = new Server();
    opened.servers.add(server);
    assert.deepStrictEqual([server.path(), server.connectTimeout(), server.serveClient()], ['/socket.io', 45_000, true]);
    assert.strictEqual(typeof server.adapter(), 'function');
    assert.strictEqual(server.adapter(server.adapter()), server);
    assert.strictEqual(server.path('/other/').connectTimeout(1000).serveClient(false), server);
    assert.deepStrictEqual([server.path(), server.connectTimeout(), server.serveClient()], ['/other', 1000, false]);
    assert.strictEqual(server.listen(0), server);
    if (!server.httpServer.address()) await once(server.httpServer, 'listening');
    assert.strictEqual(server.engine.httpServer ?? server.httpServer, server.httpServer);
    const url = `http://127.0.0.1:${server.httpServer.address().port}`;
    assert.deepStrictEqual(server.engine.upgrades('polling').slice(0, 1), ['websocket']); // theirs knows WebTransport, too
    assert.deepStrictEqual(server.engine.upgrades('websocket'), []);
    const { status } = await fetch(`${url}/other/socket.io.js`);
    assert.strictEqual(status, 400); // it is no file there
    const socket = connect(url, { path: '/other', forceNew: true });
    opened.sockets.add(socket);
    await next(socket, 'connect');
  });

  test(`${name}: a manager is told by options where the server is`, async () => {
    const server = await serve(Server);
    const { Manager } = require(name === 'ours' ? 'sockline/socket.io-client' : 'socket.io-client');
    const { port } = server.httpServer.address();
    for (const where of [{ hostname: '127.0.0.1' }, { host: '127.0.0.1', hostname: 'nowhere.invalid' }]) {
      const socket = new Manager({ ...where, port, reconnection: false }).socket('/');
      opened.sockets.add(socket);
      await next(socket, 'connect');
    }
  });
}

/** As if it were another server's. */
function remote(server) {
  const { RemoteSocket } = require('../lib/io/broadcast-operator');
  return new RemoteSocket(server.of('/').adapter, { id: 'x', handshake: {}, rooms: [], data: {} });
}
