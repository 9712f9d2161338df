'use strict';
// Adapters of other packages: classes that extend socket.io-adapter's, and the official ones for Redis, on servers of ours.

const assert = require('node:assert');
const test = require('node:test');

const { createAdapter: createStreamsAdapter } = require('@socket.io/redis-streams-adapter');
const { createAdapter, createShardedAdapter } = require('@socket.io/redis-adapter');
const { Adapter, SessionAwareAdapter } = require('socket.io-adapter');
const { Redis, closeClients, hears, redisClient } = require('./io-redis-support');
const { next, opened, ours, pair, serve, theirs } = require('./io-support');

/** Tells what it is asked. */
class Telling extends Adapter {
  told = [];

  addAll(id, rooms) {
    this.told.push(['addAll', ...rooms].map((one) => (one === id ? 'id' : one)));
    return super.addAll(id, rooms);
  }

  del(id, room) {
    this.told.push(['del', room]);
    super.del(id, room);
  }

  delAll(id) {
    this.told.push(['delAll']);
    super.delAll(id);
  }

  broadcast(packet, options) {
    this.told.push(['broadcast', packet.type, ...packet.data]);
    super.broadcast(packet, options);
  }
}

for (const { Server, connect, name } of [{ ...ours, name: 'ours' }, { ...theirs, name: 'socket.io (for comparison)' }]) {
  test(`${name}: an adapter of the program's own has the rooms`, async () => {
    const server = await serve(Server, { adapter: Telling });
    const { adapter } = server.of('/');
    assert.ok(adapter instanceof Telling);
    const events = [];
    for (const event of ['create-room', 'join-room', 'leave-room', 'delete-room']) {
      adapter.on(event, (room) => events.push(`${event} ${room.length === 20 ? 'id' : room}`));
    }
    const { socket, peer } = await pair(connect, server);
    const other = await pair(connect, server);
    peer.join(['a', 'b']);
    peer.leave('b');
    assert.deepStrictEqual([...peer.rooms], [peer.id, 'a']);
    assert.deepStrictEqual([...adapter.rooms.get('a')], [peer.id]);
    const bytes = next(socket, 'to a');
    other.socket.on('to a', () => assert.fail('it is not in the room'));
    server.to('a').emit('to a', Buffer.of(1, 2), { three: 3 });
    assert.deepStrictEqual(await bytes, [Buffer.of(1, 2), { three: 3 }]);
    const others = next(other.socket, 'to others');
    socket.on('to others', () => assert.fail('it is the sender'));
    peer.broadcast.emit('to others');
    await others;
    const gone = next(peer, 'disconnect');
    const rooms = next(peer, 'disconnecting').then(() => [...peer.rooms]);
    socket.disconnect();
    await gone;
    await rooms;
    assert.strictEqual(peer.rooms.size, 0);
    assert.deepStrictEqual([...adapter.sids.keys()], [other.peer.id]);
    assert.deepStrictEqual(adapter.told, [
      ...[['addAll', 'id'], ['addAll', 'id'], ['addAll', 'a', 'b'], ['del', 'b']],
      ...[['broadcast', 2, 'to a', Buffer.of(1, 2), { three: 3 }], ['broadcast', 2, 'to others'], ['delAll']],
    ]);
    const joined = ['id', 'id', 'a', 'b'].flatMap((room) => [`create-room ${room}`, `join-room ${room}`]);
    const left = ['b', 'id', 'a'].flatMap((room) => [`leave-room ${room}`, `delete-room ${room}`]);
    assert.deepStrictEqual(events, [...joined, ...left]);
  });

  test(`${name}: answers come through an adapter of the program's own`, async () => {
    const server = await serve(Server);
    server.adapter(Telling);
    const pairs = [await pair(connect, server), await pair(connect, server)];
    pairs[0].peer.onAnyOutgoing((event) => (server.outgoing = event));
    for (const [index, { socket }] of pairs.entries()) socket.on('who', (answer) => answer(index));
    assert.deepStrictEqual((await server.timeout(20_000).emitWithAck('who')).sort(), [0, 1]);
    assert.strictEqual(server.outgoing, 'who');
    assert.strictEqual(await pairs[1].peer.emitWithAck('who'), 1);
    pairs[1].socket.off('who');
    const late = await server.timeout(50).emitWithAck('who').catch((error) => error);
    assert.deepStrictEqual([late.message, late.responses], ['operation has timed out', [0]]);
    assert.deepStrictEqual((await server.fetchSockets()).map(({ id }) => id).sort(), pairs.map(({ peer }) => peer.id).sort());
    const ends = pairs.map(({ socket }) => next(socket, 'disconnect'));
    server.disconnectSockets(true);
    assert.deepStrictEqual(await Promise.all(ends.map(async (end) => (await end)[0])), ['io server disconnect', 'io server disconnect']);
  });

  test(`${name}: who a middleware refuses is in no room`, async () => {
    const server = await serve(Server, { adapter: Telling });
    server.use((peer, refuse) => {
      peer.join('early');
      refuse(peer.handshake.auth.welcome ? undefined : new Error('no'));
    });
    const { peer } = await pair(connect, server, { auth: { welcome: true } });
    assert.deepStrictEqual([...peer.rooms].sort(), [peer.id, 'early'].sort());
    const stranger = connect(server.url, { forceNew: true });
    opened.sockets.add(stranger);
    assert.strictEqual((await next(stranger, 'connect_error'))[0].message, 'no');
    assert.deepStrictEqual([...server.of('/').adapter.rooms.get('early')], [peer.id]);
  });
}

test('a class that extends our own adapter has the engine\'s rooms', async () => {
  const told = [];
  class Own extends new ours.Server().adapter() {
    addAll(id, rooms) {
      told.push(...rooms);
      super.addAll(id, rooms);
    }
  }
  const server = await serve(ours.Server, { adapter: Own });
  const { socket, peer } = await pair(ours.connect, server);
  peer.join('a');
  assert.deepStrictEqual([[...peer.rooms].sort(), told], [[peer.id, 'a'].sort(), ['a']]);
  const heard = next(socket, 'x');
  server.to('a').emit('x');
  await heard;
  peer.leave('a');
  assert.strictEqual(server.of('/').adapter.rooms.has('a'), false);
});

test('what needs the engine\'s rooms is refused', () => {
  const refused = { code: 'SOCKLINE_ERR_UNSUPPORTED' };
  const recovery = { connectionStateRecovery: {} };
  assert.throws(() => new ours.Server({ adapter: SessionAwareAdapter, ...recovery }), refused);
  assert.throws(() => new ours.Server({ adapter: Adapter }).attach(0, recovery), refused);
  assert.throws(() => new ours.Server({ adapter: Adapter }).enableAdmin({ auth: false }), refused);
  assert.throws(() => new ours.Server().enableAdmin({ auth: false }).adapter(Adapter), refused);
  for (const adapter of [{}, 5]) assert.throws(() => new ours.Server({ adapter }), /must be a class, or a URL of Redis/);
});

const OFFICIAL = [
  { name: '@socket.io/redis-adapter', make: (pub, sub, key) => createAdapter(pub, sub, { key }) },
  { name: '@socket.io/redis-adapter, sharded', make: (pub, sub, key) => createShardedAdapter(pub, sub, { channelPrefix: key }) },
  {
    name: '@socket.io/redis-streams-adapter',
    make: (pub, sub, key) => createStreamsAdapter(pub, { streamName: key, channelPrefix: key, blockTimeInMs: 50 }),
  },
];

for (const { name, make } of OFFICIAL) {
  test(`${name} makes a server of ours and an official one a cluster`, async (t) => {
    const redis = await Redis.start();
    t.after(async () => {
      await Promise.all([...opened.servers].map((server) => server.close()));
      await closeClients();
      await redis.end();
    });
    const [a, b] = await Promise.all(
      [ours, theirs].map(async ({ Server }) => {
        const [pub, sub] = await Promise.all([redisClient(redis.url), redisClient(redis.url)]);
        return serve(Server, { adapter: make(pub, sub, 'official') });
      }),
    );
    await Promise.all([hears(a, b), hears(b, a)]);
    const [here, there] = [await pair(ours.connect, a), await pair(ours.connect, b)];
    for (const [index, { peer, socket }] of [here, there].entries()) {
      peer.join('room');
      socket.on('who', (answer) => answer(index));
    }
    for (const server of [a, b]) {
      const heard = [next(here.socket, 'news'), next(there.socket, 'news')];
      server.to('room').emit('news', Buffer.of(7));
      assert.deepStrictEqual(await Promise.all(heard), [[Buffer.of(7)], [Buffer.of(7)]]);
      // The adapter of a cluster keeps a process alive for as long as this.
      assert.deepStrictEqual((await server.timeout(3000).emitWithAck('who')).sort(), [0, 1]);
      assert.strictEqual((await server.fetchSockets()).length, 2);
    }
    a.on('ask', (answer) => answer('a'));
    b.on('ask', (answer) => answer('b'));
    assert.deepStrictEqual(await a.serverSideEmitWithAck('ask'), ['b']);
    assert.deepStrictEqual(await b.serverSideEmitWithAck('ask'), ['a']);
    const gone = next(here.socket, 'disconnect');
    b.in(here.peer.id).disconnectSockets();
    await gone;
  });
}
