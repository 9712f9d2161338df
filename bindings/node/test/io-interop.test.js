'use strict';
// With clients and servers that speak otherwise than by default: msgpack, Socket.IO 2, the admin UI.

const assert = require('node:assert');
const EventEmitter = require('node:events');
const test = require('node:test');
const v8 = require('node:v8');

const { instrument } = require('@socket.io/admin-ui');
const connectV2 = require('socket.io-client-v2');
const msgpack = require('socket.io-msgpack-parser');

const { CARRIERS, client, forAll, next, opened, ours, pair, serve, theirs } = require('./io-support');

forAll(({ name, Server, connect, transports }) => {
  test(`${name}: msgpack`, async () => {
    const server = await serve(Server, { parser: msgpack });
    server.of('/refused').use((socket, goOn) => goOn(Object.assign(new Error('no'), { data: { why: [1] } })));
    const { socket, peer } = await pair(connect, server, { transports, parser: msgpack, auth: { token: 'abc' } });
    assert.deepStrictEqual(peer.handshake.auth, { token: 'abc' });
    const bytes = Buffer.from([0, 255]);
    const values = ['κόσμε', 1, -1.5, 4294967296, null, true, { a: [bytes, { b: [] }] }, bytes];
    for (const [from, to] of [[peer, socket], [socket, peer]]) {
      from.emit('values', ...values);
      assert.deepStrictEqual(await next(to, 'values'), values);
      to.once('ask', (value, answer) => answer([value, bytes]));
      assert.deepStrictEqual(await from.timeout(5000).emitWithAck('ask', bytes), [bytes, bytes]);
    }
    peer.join('room');
    server.to('room').emit('to all', bytes);
    assert.deepStrictEqual(await next(socket, 'to all'), [bytes]);
    const [error] = await next(socket.io.socket('/refused', {}), 'connect_error');
    assert.deepStrictEqual([error.message, error.data], ['no', { why: [1] }]);
    socket.disconnect();
    assert.strictEqual((await next(peer, 'disconnect'))[0], 'client namespace disconnect');
  });
});

/** A parser for all that V8 can clone. */
const cloning = {
  Encoder: class {
    encode(packet) {
      return ['a packet follows', v8.serialize(packet)];
    }
  },
  Decoder: class extends EventEmitter {
    add(message) {
      if (message !== 'a packet follows') this.emit('decoded', v8.deserialize(message));
    }

    destroy() {}
  },
};

forAll(({ name, Server, connect, transports }) => {
  test(`${name}: a parser of the application's own`, async () => {
    const server = await serve(Server, { parser: cloning });
    server.of('/refused').use((socket, goOn) => goOn(Object.assign(new Error('no'), { data: [1] })));
    const { socket, peer } = await pair(connect, server, { transports, parser: cloning, auth: { token: 'abc' } });
    assert.deepStrictEqual(peer.handshake.auth, { token: 'abc' });
    const values = ['κόσμε', new Date(0), new Map([['a', new Set([1])]]), { undefined }, Buffer.from([0, 255])];
    for (const [from, to] of [[peer, socket], [socket, peer]]) {
      from.emit('values', ...values);
      assert.deepStrictEqual((await next(to, 'values')).slice(0, 4), values.slice(0, 4));
      to.once('ask', (value, answer) => answer(value));
      assert.deepStrictEqual(await from.timeout(5000).emitWithAck('ask', new Date(1)), new Date(1));
    }
    server.emit('to all', new Date(2));
    assert.deepStrictEqual(await next(socket, 'to all'), [new Date(2)]);
    socket.on('all', (answer) => answer(new Date(3)));
    assert.deepStrictEqual(await server.timeout(5000).emitWithAck('all'), [new Date(3)]);
    const [error] = await next(socket.io.socket('/refused', {}), 'connect_error');
    assert.deepStrictEqual([error.message, error.data], ['no', [1]]);
    socket.disconnect();
    assert.strictEqual((await next(peer, 'disconnect'))[0], 'client namespace disconnect');
  });
});

for (const { carrier, transports } of CARRIERS) {
  test(`a client of Socket.IO 2, ${carrier}`, async () => {
    const server = await serve(ours.Server, { allowEIO3: true });
    server.of('/old').use((socket, goOn) => {
      if (socket.handshake.query.token === 'bad') goOn(Object.assign(new Error('not you'), { data: { code: 1 } }));
      else goOn();
    });
    const socket = connectV2(server.url, { transports, forceNew: true, reconnection: false });
    opened.sockets.add(socket);
    const [[peer]] = await Promise.all([next(server, 'connection'), next(socket, 'connect')]);
    assert.strictEqual(peer.conn.protocol, 3);
    assert.strictEqual(socket.id, peer.id);
    assert.strictEqual(peer.id, peer.conn.id);
    peer.emit('hello', { a: Buffer.from('bytes') });
    assert.deepStrictEqual(await next(socket, 'hello'), [{ a: Buffer.from('bytes') }]);
    peer.once('ask', (value, answer) => answer(value, Buffer.from('answer')));
    const answer = await new Promise((resolve) => socket.emit('ask', Buffer.from('q'), (...args) => resolve(args)));
    assert.deepStrictEqual(answer, [Buffer.from('q'), Buffer.from('answer')]);
    const other = socket.io.socket('/old', { query: 'token=good' });
    const [[otherPeer]] = await Promise.all([next(server.of('/old'), 'connection'), next(other, 'connect')]);
    assert.strictEqual(otherPeer.id, `/old#${peer.conn.id}`);
    socket.disconnect();
    other.disconnect();
    await next(otherPeer, 'disconnect');
  });
}

test('a client of Socket.IO 2 is refused by default', async () => {
  const server = await serve(ours.Server);
  const socket = connectV2(server.url, { forceNew: true, reconnection: false });
  opened.sockets.add(socket);
  await next(socket, 'connect_error');
});

test("the official admin UI's instrument sees sockets, rooms and events", async () => {
  const server = await serve(ours.Server);
  const bcrypt = '$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS'; // "changeit"
  instrument(server, { auth: { type: 'basic', username: 'admin', password: bcrypt }, mode: 'development' });
  const refused = client(theirs.connect, `${server.url}/admin`, { auth: { username: 'admin', password: 'wrong' } });
  assert.strictEqual((await next(refused, 'connect_error'))[0].message, 'invalid credentials');
  const { socket } = await pair(theirs.connect, server);
  const admin = client(theirs.connect, `${server.url}/admin`, { auth: { username: 'admin', password: 'changeit' } });
  const [[session], [config], [all], [stats]] = await Promise.all(
    ['session', 'config', 'all_sockets', 'server_stats'].map((event) => next(admin, event)),
  );
  assert.match(session, /^[0-9a-f]{16}$/);
  assert.ok(config.supportedFeatures.includes('ALL_EVENTS'));
  assert.ok(all.some(({ id, nsp, handshake }) => id === socket.id && nsp === '/' && handshake.address));
  assert.ok(stats.clientsCount >= 2);
  assert.ok(stats.namespaces.some(({ name, socketsCount }) => name === '/' && socketsCount === 1));
  const received = next(admin, 'event_received');
  socket.emit('hello', 1);
  const [nsp, id, args] = await received;
  assert.deepStrictEqual([nsp, id, args], ['/', socket.id, ['hello', 1]]);
  const joined = next(admin, 'room_joined');
  admin.emit('join', '/', 'a room', socket.id);
  assert.deepStrictEqual((await joined).slice(0, 3), ['/', 'a room', socket.id]);
  const sent = next(admin, 'event_sent');
  admin.emit('emit', '/', 'a room', 'from the admin', 2);
  assert.deepStrictEqual(await next(socket, 'from the admin'), [2]);
  assert.deepStrictEqual((await sent).slice(0, 3), ['/', socket.id, ['from the admin', 2]]);
  const gone = next(admin, 'socket_disconnected');
  admin.emit('_disconnect', '/', false, id);
  assert.strictEqual((await next(socket, 'disconnect'))[0], 'io server disconnect');
  assert.deepStrictEqual((await gone).slice(0, 3), ['/', id, 'server namespace disconnect']);
});

const BCRYPT = '$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS'; // "changeit"

test("the engine's own admin namespace shows sockets, rooms and events, and does what an admin says", async () => {
  const server = await serve(ours.Server);
  const heard = [];
  server.on('new_namespace', ({ name }) => heard.push(name));
  assert.strictEqual(server.enableAdmin({ auth: { type: 'basic', username: 'me', password: BCRYPT }, serverId: 'one' }), server);
  const refused = client(theirs.connect, `${server.url}/admin`, { auth: { username: 'me', password: 'wrong' } });
  assert.strictEqual((await next(refused, 'connect_error'))[0].message, 'invalid credentials');
  const { socket, peer } = await pair(theirs.connect, server);
  const admin = client(theirs.connect, `${server.url}/admin`, { auth: { username: 'me', password: 'changeit' } });
  const [[session], [config], [all], [stats]] = await Promise.all(
    ['session', 'config', 'all_sockets', 'server_stats'].map((event) => next(admin, event)),
  );
  assert.ok(session.length > 0 && config.supportedFeatures.includes('ALL_EVENTS'));
  assert.ok(all.some(({ id, nsp, handshake }) => id === socket.id && nsp === '/' && handshake.address));
  assert.deepStrictEqual([stats.serverId, stats.namespaces.find(({ name }) => name === '/').socketsCount], ['one', 1]);
  const received = next(admin, 'event_received');
  socket.emit('hello', 1);
  assert.deepStrictEqual((await received).slice(0, 3), ['/', socket.id, ['hello', 1]]);
  const joined = next(admin, 'room_joined');
  admin.emit('join', '/', 'a room', socket.id);
  assert.deepStrictEqual((await joined).slice(0, 3), ['/', 'a room', socket.id]);
  assert.ok(peer.rooms.has('a room'));
  const sent = next(admin, 'event_sent');
  server.to('a room').emit('news', 2);
  assert.deepStrictEqual((await sent).slice(0, 3), ['/', socket.id, ['news', 2]]);
  const reason = next(peer, 'disconnect');
  admin.emit('_disconnect', '/', true, socket.id);
  assert.strictEqual((await reason)[0], 'server namespace disconnect');
  assert.deepStrictEqual(heard, []);
  const again = client(theirs.connect, `${server.url}/admin`, { auth: { sessionId: session } });
  await next(again, 'config');
});

test('an admin namespace is asked for once, before or after a server listens, and says who may connect', async () => {
  const server = new ours.Server();
  opened.servers.add(server);
  server.of('/taken');
  for (const wrong of [
    undefined,
    { auth: true },
    { auth: { type: 'basic', username: 'me', password: 'no hash' } },
    { auth: false, mode: 'fast' },
    { auth: false, namespaceName: 'taken' },
  ]) {
    assert.throws(() => server.enableAdmin(wrong), TypeError, JSON.stringify(wrong));
  }
  server.enableAdmin({ auth: false, namespaceName: 'look', readonly: true, mode: 'production' });
  assert.throws(() => server.enableAdmin({ auth: false }), TypeError);
  server.listen(0);
  await next(server.httpServer, 'listening');
  const { port } = server.httpServer.address();
  const admin = client(theirs.connect, `http://127.0.0.1:${port}/look`);
  assert.deepStrictEqual((await next(admin, 'config'))[0].supportedFeatures, ['AGGREGATED_EVENTS']);
});
