'use strict';
// A server of ours and an official one in one cluster over a real Redis, with clients on each.

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const { EventEmitter } = require('node:events');
const { after, afterEach, before, test } = require('node:test');

const { instrument } = require('@socket.io/admin-ui');
const { Emitter: OfficialEmitter } = require('@socket.io/redis-emitter');
const ioredis = require('ioredis');
const { createClient, createCluster } = require('redis');
const { createAdapter, createShardedAdapter, createStreamsAdapter } = require('sockline/redis-adapter');
const { Emitter } = require('sockline/redis-emitter');

const { client, next, ours, pair, serve, theirs } = require('./io-support');
const { place } = require('../lib/io/redis/place');
const { MODES, Redis, closeClients, cluster, hears, ownNode, redisClient, until } = require('./io-redis-support');

const BYTES = Buffer.from([0, 1, 254, 255]);
const [CLASSIC] = MODES;

let redis;
before(async () => {
  redis = await Redis.start();
});
after(() => redis.end());
afterEach(closeClients);

/** A client on each server, and what the servers have of them. */
async function both(servers, namespace) {
  const [one, other] = await Promise.all([servers.a, servers.b].map((server) => pair(theirs.connect, server, {}, namespace)));
  return { ...servers, one, other };
}

/** With the official admin namespace, which sends figures every other second for as long as the process lives, or until told to stop. */
function instrumented(server) {
  const { setInterval } = global;
  const timers = [];
  global.setInterval = (...args) => {
    timers.push(setInterval(...args));
    return timers.at(-1);
  };
  instrument(server, { auth: false, mode: 'development' });
  global.setInterval = setInterval;
  return () => timers.forEach(clearInterval);
}

/** Whatever comes to a client from now on, until a marker does; by names, for servers send some things earlier than others. */
function all(socket) {
  const events = [];
  const listener = (...event) => events.push(event);
  socket.onAny(listener);
  return async () => {
    if (!events.some(([name]) => name === 'end')) await next(socket, 'end');
    socket.offAny(listener);
    return byName(events.filter(([name]) => name !== 'end' && name !== 'there'));
  };
}

/** Until a client is reached by each of the rooms: servers may have to subscribe to these first. */
async function reaches(io, socket, rooms) {
  for (const room of rooms) {
    let heard = false;
    socket.once('there', () => (heard = true));
    await until(() => heard || (io.to(room).emit('there'), false));
    socket.removeAllListeners('there');
  }
}

function byName(events) {
  return events.sort(([one], [other]) => (one < other ? -1 : 1));
}

for (const mode of MODES) {
  const named = (name, run) => test(`${mode.mode}: ${name}`, async () => run(await cluster(redis, mode)));

  named("each server's admin namespace shows the sockets of both", async (servers) => {
    servers.a.enableAdmin({ auth: false });
    const stop = instrumented(servers.b);
    try {
      const { one, other } = await both(servers);
      one.peer.data.name = 'one';
      other.peer.data.name = 'other';
      for (const { url } of [servers.a, servers.b]) {
        const [all] = await next(client(theirs.connect, `${url}/admin`), 'all_sockets');
        for (const { socket, peer } of [one, other]) {
          const { clientId, transport, nsp, data, handshake, rooms } = all.find(({ id }) => id === socket.id);
          assert.deepStrictEqual([clientId, nsp, rooms], [socket.io.engine.id.slice(0, 12), '/', [socket.id]]);
          assert.deepStrictEqual([data, handshake.issued], [{ name: peer.data.name }, peer.handshake.issued]);
          assert.match(transport, /^(polling|websocket)$/);
          assert.strictEqual(handshake.auth, undefined);
        }
      }
    } finally {
      stop();
    }
  });

  named('broadcasts, rooms and exceptions reach the clients of both', async (servers) => {
    for (const [from, to] of [['a', 'b'], ['b', 'a']]) {
      const { one, other } = await both(servers);
      const heard = [one, other].map(({ socket }) => all(socket));
      const [near, far] = from === 'a' ? [one, other] : [other, one];
      near.peer.join(['room', 'both']);
      far.peer.join(['far', 'both']);
      const io = servers[from];
      await reaches(io, far.socket, ['far', 'both']);
      io.emit('all', 1, 'κόσμε', { a: [null, true] });
      io.emit('binary', BYTES, { deep: [BYTES] });
      io.to('far').emit('far', 2);
      io.to('both').except('room').emit('but the room', 3);
      io.in(['room', 'far']).emit('once', 4);
      near.peer.to('both').emit('others', 5);
      io.local.emit('local', 6);
      io.to(far.socket.id).emit('you', 7);
      io.emit('end');
      const common = [['all', 1, 'κόσμε', { a: [null, true] }], ['binary', BYTES, { deep: [BYTES] }]];
      const [ofOne, ofOther] = await Promise.all(heard.map((events) => events()));
      const [ofNear, ofFar] = from === 'a' ? [ofOne, ofOther] : [ofOther, ofOne];
      assert.deepStrictEqual(ofNear, byName([...common, ['once', 4], ['local', 6]]), `${from} to its own`);
      assert.deepStrictEqual(
        ofFar,
        byName([...common, ['far', 2], ['but the room', 3], ['once', 4], ['others', 5], ['you', 7]]),
        `${from} to ${to}`,
      );
      for (const { socket, peer } of [one, other]) {
        const gone = next(peer, 'disconnect');
        socket.disconnect();
        await gone;
      }
    }
  });

  named('namespaces are apart', async (servers) => {
    for (const server of [servers.a, servers.b]) server.of('/n');
    await Promise.all([hears(servers.a, servers.b, '/n'), hears(servers.b, servers.a, '/n')]);
    const { a, b, one, other } = await both(servers, '/n');
    for (const io of [a, b]) {
      const heard = [one, other].map(({ socket }) => all(socket));
      io.emit('main');
      io.of('/n').emit('n', 1);
      io.of('/n').emit('end');
      for (const events of heard) assert.deepStrictEqual(await events(), [['n', 1]]);
    }
  });

  named('answers of all clients come to who broadcasts', async (servers) => {
    const { a, b, one, other } = await both(servers);
    one.socket.on('ask', (question, answer) => answer(`one ${question}`));
    other.socket.on('ask', (question, answer) => answer(`other ${question}`));
    for (const io of [a, b]) {
      const answers = await io.timeout(10_000).emitWithAck('ask', 1);
      assert.deepStrictEqual(answers.sort(), ['one 1', 'other 1']);
    }
    one.socket.on('bytes', (bytes, answer) => answer(bytes));
    other.socket.on('bytes', (bytes, answer) => answer(bytes));
    assert.deepStrictEqual(await a.timeout(10_000).emitWithAck('bytes', BYTES), [BYTES, BYTES]);
    other.socket.off('ask');
    const error = await a.timeout(300).emitWithAck('ask', 2).catch((error) => error);
    assert.match(error.message, /timed out/);
    assert.deepStrictEqual(error.responses, ['one 2']);
  });

  named('sockets are found, moved and disconnected on both', async (servers) => {
    const { a, b, one, other } = await both(servers);
    one.peer.data.name = 'one';
    other.peer.data = { name: 'other' };
    await new Promise(setImmediate);
    for (const [io, local, remote] of [[a, one, other], [b, other, one]]) {
      const found = await io.fetchSockets();
      const byId = new Map(found.map((socket) => [socket.id, socket]));
      assert.deepStrictEqual([...byId.keys()].sort(), [one.peer.id, other.peer.id].sort());
      const far = byId.get(remote.peer.id);
      assert.deepStrictEqual([far.data, [...far.rooms]], [remote.peer.data, [remote.peer.id]]);
      assert.strictEqual(far.handshake.url, remote.peer.handshake.url);
      if (io === a) assert.strictEqual(found.missing, 0);
      assert.deepStrictEqual((await io.local.fetchSockets()).map(({ id }) => id), [local.peer.id]);

      far.join('x');
      await until(() => remote.peer.rooms.has('x'));
      io.in('x').socketsJoin(['y', 'z']);
      await until(() => remote.peer.rooms.has('y') && remote.peer.rooms.has('z'));
      assert.ok(!local.peer.rooms.has('y'));
      assert.deepStrictEqual((await io.in('y').fetchSockets()).map(({ id }) => id), [remote.peer.id]);
      io.in('x').socketsLeave('y');
      await until(() => !remote.peer.rooms.has('y'));
      far.leave('x');
      await until(() => !remote.peer.rooms.has('x'));
      const news = next(remote.socket, 'news');
      far.emit('news', BYTES);
      assert.deepStrictEqual(await news, [BYTES]);
    }
    const { adapter } = a.of('/');
    assert.strictEqual(await adapter.serverCount(), 2);
    assert.deepStrictEqual(await adapter.sockets(new Set(['z'])), new Set([one.peer.id, other.peer.id]));
    assert.deepStrictEqual(await a.in('z').allSockets(), new Set([one.peer.id, other.peer.id]));
    assert.deepStrictEqual(await adapter.allRooms(), new Set([one.peer.id, other.peer.id, 'z']));
    const gone = next(other.socket, 'disconnect');
    a.in(other.peer.id).disconnectSockets();
    assert.deepStrictEqual((await gone)[0], 'io server disconnect');
    const closed = next(one.socket, 'disconnect');
    b.in('z').disconnectSockets(true);
    await closed;
    assert.deepStrictEqual((await a.fetchSockets()).length, 0);
  });

  named('servers talk to each other', async ({ a, b }) => {
    for (const [from, to] of [[a, b], [b, a]]) {
      from.on('said', () => assert.fail('who says it hears it'));
      const said = next(to, 'said');
      assert.strictEqual(from.serverSideEmit('said', 1, 'two', { three: [null] }), true);
      assert.deepStrictEqual(await said, [1, 'two', { three: [null] }]);
      from.removeAllListeners('said');
      to.once('asked', (question, answer) => {
        answer({ question });
        answer('again');
      });
      assert.deepStrictEqual(await from.serverSideEmitWithAck('asked', 'why'), [{ question: 'why' }]);
      to.once('asked', (answer) => answer(1));
      await new Promise((resolve, reject) => {
        from.serverSideEmit('asked', (error, answers) => {
          if (error) return reject(error);
          assert.deepStrictEqual(answers, [1]);
          return resolve();
        });
      });
      for (const name of ['connection', 'connect', 'new_namespace']) {
        assert.throws(() => from.serverSideEmit(name), /reserved event name/);
      }
    }
  });
}

test('who does not answer is missing, and the others are there', async () => {
  const [a, b] = await Promise.all([0, 1].map(() => ownNode(redis, CLASSIC, 'silent', { requestsTimeout: 300 })));
  await Promise.all([hears(a, b), hears(b, a)]);
  const { peer } = await pair(theirs.connect, a);
  b.on('asked', (answer) => answer('b'));
  // One that subscribes as a server does, and says nothing.
  const silent = await redisClient(redis.url);
  await silent.subscribe('silent-request#/#', () => {});
  assert.strictEqual(await a.of('/').adapter.serverCount(), 3);
  const found = await a.fetchSockets();
  assert.deepStrictEqual([found.map(({ id }) => id), found.missing], [[peer.id], 1]);
  const error = await a.serverSideEmitWithAck('asked').catch((error) => error);
  assert.strictEqual(error.message, 'timeout reached: only 1 responses received out of 2');
  assert.deepStrictEqual([[...error.responses], error.responses.missing], [['b'], 1]);
  await new Promise((resolve) => {
    a.serverSideEmit('asked', (error, answers) => {
      assert.deepStrictEqual([error.message, answers.length], [error.message, 1]);
      resolve();
    });
  });
});

test('who waits for an answer hears when the server closes before it comes', async () => {
  const { a, b } = await cluster(redis, CLASSIC);
  const asked = next(b, 'never'); // which doesn't answer
  const question = a.serverSideEmitWithAck('never');
  await asked;
  const rejected = assert.rejects(question, { message: 'timeout reached: only 0 responses received out of 1' });
  await a.close();
  await rejected;
  assert.deepStrictEqual([...(await a.fetchSockets())], []);
});

test('an official emitter reaches our clients and servers', async () => {
  const a = await ownNode(redis, CLASSIC, 'theirs');
  await until(async () => (await a.of('/').adapter.serverCount()) === 1);
  await emits(a, new OfficialEmitter(await redisClient(redis.url), { key: 'theirs' }));
});

test('our emitter reaches clients of official servers, and our own', async () => {
  const servers = await cluster(redis, CLASSIC);
  for (const server of [servers.a, servers.b]) {
    const emitter = new Emitter(redis.url, { key: servers.key });
    await emits(server, emitter);
    await emitter.close();
    assert.throws(() => emitter.emit('late'), /closed/);
  }
});

async function emits(server, emitter) {
  const { socket, peer } = await pair(theirs.connect, server, { transports: ['websocket'] });
  const { socket: named } = await pair(theirs.connect, server, {}, '/named');
  await until(async () => (await server.of('/named').adapter.serverCount()) > 0);
  emitter.in(peer.id).socketsJoin(['room', 'other']);
  await until(() => peer.rooms.has('room'));
  const volatile = next(socket, 'volatile'); // before others, since it is dropped while something is being sent
  emitter.in(['room', 'other']).volatile.emit('volatile', 3);
  assert.deepStrictEqual(await volatile, [3]);
  const heard = all(socket);
  assert.strictEqual(emitter.emit('all', 1, BYTES), true);
  emitter.to('room').emit('room', 2);
  emitter.in(['room', 'other']).emit('rooms', 3);
  emitter.except('room').emit('nobody');
  emitter.to('room').except(['other']).emit('nobody');
  emitter.compress(false).emit('end');
  assert.deepStrictEqual(await heard(), [['all', 1, BYTES], ['room', 2], ['rooms', 3]]);
  const news = next(named, 'news');
  emitter.of('named').emit('news', 4);
  assert.deepStrictEqual(await news, [4]);
  emitter.socketsLeave('other');
  await until(() => !peer.rooms.has('other'));
  const said = next(server, 'said');
  emitter.serverSideEmit('said', 5, 'x');
  assert.deepStrictEqual(await said, [5, 'x']);
  assert.throws(() => emitter.serverSideEmit('said', () => {}), /not supported/);
  assert.throws(() => emitter.emit('connect'), /reserved/);
  const gone = next(socket, 'disconnect');
  emitter.in('room').disconnectSockets(true);
  await gone;
}

test('a process that only emits ends when all has left', async () => {
  const a = await ownNode(redis, CLASSIC, 'program');
  await until(async () => (await a.of('/').adapter.serverCount()) === 1);
  const { socket } = await pair(theirs.connect, a);
  const heard = next(socket, 'last');
  const script = `
    const { Emitter } = require('sockline/redis-emitter');
    const emitter = new Emitter(process.argv[1], { key: 'program' });
    for (let i = 0; i < 1000; i++) emitter.emit('news', i);
    emitter.emit('last');`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', script, redis.url], { cwd: __dirname, encoding: 'utf8', timeout: 20_000 });
  assert.deepStrictEqual([status, stderr], [0, '']);
  await heard;
});

test('a client loses one server and comes back to another, over streams', async () => {
  const options = { connectionStateRecovery: {} };
  const adapter = () => createStreamsAdapter(redis.url, { streamName: 'recovery', channelPrefix: 'recovery' });
  const [a, b] = await Promise.all([0, 1].map(() => serve(ours.Server, { adapter: adapter(), ...options })));
  await Promise.all([hears(a, b), hears(b, a)]);
  const { socket, peer } = await pair(theirs.connect, a, { transports: ['websocket'] });
  peer.join('room');
  peer.data.name = await Promise.resolve('somebody');
  b.emit('first', 1);
  await next(socket, 'first');
  const gone = next(peer, 'disconnect');
  const lost = next(socket, 'disconnect');
  socket.io.engine.close();
  await Promise.all([gone, lost]);
  b.to('room').emit('missed', 2);
  const missed = next(socket, 'missed');
  const connection = next(b, 'connection');
  socket.io.uri = b.url;
  socket.connect();
  const [[back]] = await Promise.all([connection, missed]);
  assert.deepStrictEqual([back.id, back.recovered, back.data], [peer.id, true, { name: 'somebody' }]);
  assert.ok(back.rooms.has('room'));
});

test('without Redis a server goes on by itself, says so, and is back when Redis is', async () => {
  const own = await Redis.start();
  try {
    const [a, b] = await Promise.all([0, 1].map(() => ownNode(own, CLASSIC, 'faults')));
    await Promise.all([hears(a, b), hears(b, a)]);
    const [one, other] = await Promise.all([a, b].map((server) => pair(theirs.connect, server)));
    const { adapter } = a.of('/');
    const error = next(adapter, 'error');
    const disconnected = next(adapter, 'disconnected');
    b.of('/').adapter.on('error', () => {});
    await own.kill();
    assert.ok((await error)[0] instanceof Error);
    assert.ok((await disconnected)[0].message.length > 0);
    const local = next(one.socket, 'local');
    a.emit('local', 1);
    assert.deepStrictEqual(await local, [1]);
    adapter.on('error', () => {});
    const connected = [a, b].map((server) => next(server.of('/').adapter, 'connected'));
    await own.begin();
    await Promise.all(connected);
    await Promise.all([hears(a, b), hears(b, a)]);
    const news = next(other.socket, 'news');
    a.emit('news', 2);
    assert.deepStrictEqual(await news, [2]);
  } finally {
    await own.end();
  }
});

test('a URL is enough, a server can join later, and needs no port to take part', async () => {
  const a = await serve(ours.Server, { adapter: redis.url });
  const b = await serve(ours.Server);
  const adapter = createAdapter(createClient({ url: redis.url }));
  assert.strictEqual(b.adapter(adapter), b);
  assert.strictEqual(b.adapter(), adapter);
  assert.throws(() => b.adapter(redis.url), /already/);
  await Promise.all([hears(a, b), hears(b, a)]);
  const { socket } = await pair(theirs.connect, b);
  const nowhere = new ours.Server({ adapter: redis.url });
  await until(async () => (await nowhere.of('/').adapter.serverCount()) === 3);
  const news = next(socket, 'news');
  nowhere.emit('news', 1);
  assert.deepStrictEqual(await news, [1]);
  await nowhere.close();
  await until(async () => (await a.of('/').adapter.serverCount()) === 2);
  const late = await serve(ours.Server);
  client(theirs.connect, late.url);
  await next(late, 'connection');
  assert.throws(() => late.adapter(redis.url), { code: 'SOCKLINE_ERR_INVALID_ARGUMENT' });
});

test('where Redis is can be read from clients of both packages', () => {
  const lazy = (...args) => new ioredis(...args, { lazyConnect: true });
  for (const [given, url, more] of [
    ['redis://h:1/2', 'redis://h:1/2'],
    [new URL('rediss://h'), 'rediss://h'],
    [{ url: 'redis://h', commandTimeout: 100 }, 'redis://h', { commandTimeout: 100 }],
    [createClient(), 'redis://localhost:6379'],
    [createClient({ url: 'rediss://us%40er:p%3Aw@h:1/3' }), 'rediss://us%40er:p%3Aw@h:1/3'],
    [createClient({ url: 'redis://:pw@h:1' }).duplicate(), 'redis://:pw@h:1'],
    [createClient({ socket: { host: '::1', port: 7 }, password: 'p' }), 'redis://:p@[::1]:7'],
    [createClient({ socket: { path: '/run/r.sock' }, database: 1 }), 'unix:///run/r.sock?db=1'],
    [createClient({ socket: { host: 'h', tls: true, rejectUnauthorized: false } }), 'rediss://h:6379', { insecure: true }],
    [{ rootNodes: [{ url: 'redis://a:1' }, { socket: { host: 'b' } }], defaults: { password: 'p' } }, 'redis+cluster://:p@a:1,b:6379'],
    [
      // As a cluster is when it has connected.
      { masters: [{ host: 'a', port: 1, client: { options: { username: 'u', password: 'p', socket: { host: 'b', port: 2 } } } }, { host: 'c', port: 3 }], on() {} },
      'redis+cluster://u:p@b:2,c:3',
    ],
    [lazy(), 'redis://localhost:6379'],
    [lazy('rediss://u:p@h:1/2'), 'rediss://u:p@h:1/2'],
    [lazy({ path: '/run/r.sock', db: 3 }), 'unix:///run/r.sock?db=3'],
    [lazy({ sentinels: [{ host: 'a' }, { host: 'b', port: 2 }], name: 'm', db: 1 }), 'redis+sentinel://a:26379,b:2/m/1'],
    [
      lazy({ sentinels: [{ host: 'a' }], name: 'm', password: 'p', tls: {}, sentinelUsername: 'u', sentinelPassword: 's' }),
      'redis+sentinel://:p@a:26379/m',
      { sentinelUser: 'u', sentinelPassword: 's' },
    ],
    [
      lazy({ sentinels: [{ host: 'a' }], name: 'm', tls: {}, enableTLSForSentinelMode: true, sentinelTLS: {} }),
      'rediss+sentinel://a:26379/m',
      { sentinelTls: true },
    ],
    [
      lazy({ sentinels: [{ host: 'a' }], name: 'm', sentinelTLS: { rejectUnauthorized: false } }),
      'redis+sentinel://a:26379/m',
      { sentinelTls: true, insecure: true },
    ],
    [
      { url: 'redis+sentinel://a/m', sentinelPassword: 's', sentinelTLS: true, tls: { caFile: '/ca' } },
      'redis+sentinel://a/m',
      { sentinelPassword: 's', sentinelTls: true, caFile: '/ca' },
    ],
    [new ioredis.Cluster([{ host: 'a', port: 1 }, 'redis://b:2', 3], { lazyConnect: true, redisOptions: { password: 'p' } }), 'redis+cluster://:p@a:1,b:2,localhost:3'],
  ]) {
    const { url: found, ...others } = place(given);
    assert.strictEqual(found, url);
    const said = Object.entries(others).filter(([, value]) => value !== undefined);
    assert.deepStrictEqual(Object.fromEntries(said), more ?? {}, url);
  }
});

test('what can not be done is refused in words', async () => {
  class Encoder {
    encode(packet) {
      return [JSON.stringify(packet)];
    }
  }
  const parser = { Encoder, Decoder: EventEmitter };
  const started = await serve(ours.Server, { parser });
  const unsupported = { code: 'SOCKLINE_ERR_UNSUPPORTED' };
  const url = 'redis://h';
  for (const refused of [
    () => createAdapter(url, url, { parser: {} }),
    () => createAdapter(createCluster({ rootNodes: [{ url }] })),
    () => createAdapter({ on() {} }),
    () => createAdapter({ url, servername: 'x' }),
    () => createAdapter({ url, tls: { ca: 'text' } }),
    () => createAdapter(new ioredis({ lazyConnect: true, keyPrefix: 'x' })),
    () => createAdapter(new ioredis({
      lazyConnect: true, sentinels: [{ host: 'a' }], name: 'm', tls: {}, enableTLSForSentinelMode: true, sentinelTLS: { rejectUnauthorized: false },
    })),
    () => createStreamsAdapter(url, { useShardedPubSub: true }),
    () => createStreamsAdapter(url, { blockTimeInMs: 1 }),
    () => createStreamsAdapter(url, { heartbeatInterval: 1 }),
    () => createAdapter(url)({}),
    () => new Emitter(url, { parser: {} }),
    () => new ours.Server(0, { parser, adapter: url }),
    () => started.adapter(url),
  ]) {
    assert.throws(refused, unsupported, String(refused));
  }
  for (const wrong of [
    () => createAdapter(),
    () => createAdapter(url, 'redis://other'),
    () => createAdapter(url, url, { kye: 'x' }),
    () => createAdapter(url, url, { requestsTimeout: -1 }),
    () => createShardedAdapter(url, url, { subscriptionMode: 'all' }),
    () => createStreamsAdapter(url, { maxLen: 'many' }),
  ]) {
    assert.throws(wrong, TypeError, String(wrong));
  }
  assert.throws(() => new ours.Server(0, { adapter: 'http://h' }), { code: 'SOCKLINE_ERR_INVALID_URL' });
  assert.throws(() => new Emitter('http://h'), { code: 'SOCKLINE_ERR_INVALID_URL' });
});
