'use strict';

const assert = require('node:assert');
const test = require('node:test');

const { CARRIERS, client, next, ours, pair, serve, theirs } = require('./io-support');

/** Several sockets of a server, `a`, `b` and so on, and what each has heard of the event `heard`. */
async function crowd(server, names, transports) {
  const crowd = {};
  for (const name of names) {
    const { socket, peer } = await pair(theirs.connect, server, { transports });
    const heard = [];
    socket.on('heard', (...args) => heard.push(args));
    crowd[name] = { socket, peer, heard };
  }
  return crowd;
}

/** Who has heard something, once all that was sent before is there. */
async function heardBy(crowd) {
  const members = Object.entries(crowd);
  await Promise.all(members.map(([, { peer }]) => peer.emitWithAck('fence').catch(() => {})));
  const names = members.filter(([, { heard }]) => heard.splice(0).length > 0).map(([name]) => name);
  return names.join('');
}

function answerFences(crowd) {
  for (const { socket } of Object.values(crowd)) socket.on('fence', (done) => done());
}

for (const { Server, connect, name } of [{ ...ours, name: 'ours' }, { ...theirs, name: 'socket.io (for comparison)' }]) {
  for (const { carrier, transports } of CARRIERS) {
    test(`${name}, ${carrier}: rooms say who hears a broadcast`, async () => {
      const server = await serve(Server);
      const all = await crowd(server, 'abcd', transports);
      answerFences(all);
      const [a, b, c, d] = 'abcd'.split('').map((name) => all[name].peer);
      a.join('red');
      b.join(['red', 'blue']);
      c.join('blue');
      const cases = [
        [() => server.emit('heard'), 'abcd'],
        [() => server.to('red').emit('heard'), 'ab'],
        [() => server.to('red').to('blue').emit('heard'), 'abc'],
        [() => server.in(['red', 'blue']).emit('heard'), 'abc'],
        [() => server.except('red').emit('heard'), 'cd'],
        [() => server.to('blue').except(['red']).emit('heard'), 'c'],
        [() => server.to('nobody').emit('heard'), ''],
        [() => a.broadcast.emit('heard'), 'bcd'],
        [() => a.to('red').emit('heard'), 'b'],
        [() => d.to('red').emit('heard'), 'ab'],
        [() => a.except('blue').emit('heard'), 'd'],
        [() => server.to(d.id).emit('heard'), 'd'],
        [() => a.to(d.id).emit('heard'), 'd'],
        [() => server.local.emit('heard'), 'abcd'],
        [() => server.compress(false).emit('heard'), 'abcd'],
        [() => server.of('/').to('red').emit('heard'), 'ab'],
        [() => a.emit('heard'), 'a'],
      ];
      for (const [send, expected] of cases) {
        send();
        assert.strictEqual(await heardBy(all), expected, String(send));
      }
      b.leave('red');
      server.to('red').emit('heard');
      assert.strictEqual(await heardBy(all), 'a');
    });
  }

  test(`${name}: who is in which room can be seen`, async () => {
    const server = await serve(Server);
    const { a, b } = await crowd(server, 'ab');
    a.peer.join('red');
    b.peer.join(['red', 'blue']);
    const { adapter } = server.of('/');
    assert.deepStrictEqual(a.peer.rooms, new Set([a.peer.id, 'red']));
    assert.deepStrictEqual(adapter.rooms.get('red'), new Set([a.peer.id, b.peer.id]));
    assert.strictEqual(adapter.rooms.get('nobody'), undefined);
    assert.strictEqual(adapter.rooms.has('blue'), true);
    assert.strictEqual(adapter.rooms.size, 4);
    assert.deepStrictEqual([...adapter.rooms.keys()].sort(), [a.peer.id, b.peer.id, 'blue', 'red'].sort());
    assert.deepStrictEqual(new Map(adapter.rooms).get('blue'), new Set([b.peer.id]));
    assert.deepStrictEqual(adapter.sids.get(b.peer.id), new Set([b.peer.id, 'red', 'blue']));
    assert.strictEqual(adapter.sids.size, 2);
    assert.deepStrictEqual([...(await server.allSockets())].sort(), [a.peer.id, b.peer.id].sort());
    assert.deepStrictEqual(await server.in('blue').allSockets(), new Set([b.peer.id]));
    assert.strictEqual(server.sockets.sockets.get(a.peer.id), a.peer);
    a.peer.leave('red');
    assert.deepStrictEqual(adapter.rooms.get('red'), new Set([b.peer.id]));
  });

  test(`${name}: orders to many sockets`, async () => {
    const server = await serve(Server);
    const { a, b, c } = await crowd(server, 'abc');
    a.peer.data.name = 'Ann';
    server.socketsJoin('all');
    server.in(a.peer.id).socketsJoin(['red', 'blue']);
    server.except(a.peer.id).socketsLeave('all');
    assert.deepStrictEqual([...a.peer.rooms].sort(), [a.peer.id, 'all', 'blue', 'red'].sort());
    assert.deepStrictEqual(b.peer.rooms, new Set([b.peer.id]));
    const found = await server.in('red').fetchSockets();
    assert.deepStrictEqual(found, [a.peer]);
    assert.strictEqual(found[0].data.name, 'Ann');
    assert.strictEqual((await server.fetchSockets()).length, 3);
    assert.strictEqual((await b.peer.broadcast.fetchSockets()).length, 2);
    const gone = [next(a.socket, 'disconnect'), next(c.socket, 'disconnect')];
    server.in('red').disconnectSockets();
    c.peer.broadcast.except(b.peer.id).disconnectSockets();
    server.in(c.peer.id).disconnectSockets(true);
    const reasons = (await Promise.all(gone)).map(([reason]) => reason).sort();
    assert.deepStrictEqual(reasons, ['io server disconnect', 'io server disconnect']);
    assert.strictEqual((await server.fetchSockets()).length, 1);
  });

  test(`${name}: a broadcast can be answered by all`, async () => {
    const server = await serve(Server);
    const all = await crowd(server, 'abc');
    for (const [name, { socket, peer }] of Object.entries(all)) {
      socket.on('who', (bytes, answer) => answer(Buffer.concat([bytes, Buffer.from(name)])));
      socket.on('some', (answer) => name !== 'c' && answer(name));
      if (name !== 'a') peer.join('others');
    }
    const answers = await server.timeout(5000).emitWithAck('who', Buffer.from('I am '));
    assert.deepStrictEqual(answers.map(String).sort(), ['I am a', 'I am b', 'I am c']);
    const others = await all.a.peer.to('others').timeout(5000).emitWithAck('who', Buffer.from('-'));
    assert.deepStrictEqual(others.map(String).sort(), ['-b', '-c']);
    assert.deepStrictEqual(await server.to('nobody').timeout(5000).emitWithAck('who', Buffer.from('')), []);
    // The two that answer have time enough on a loaded machine, too.
    const late = new Promise((resolve) => server.timeout(1000).emit('some', (...args) => resolve(args)));
    await assert.rejects(server.timeout(1000).emitWithAck('some'), ({ responses }) => responses.length === 2);
    const [error, responses] = await late;
    assert.strictEqual(error.message, 'operation has timed out');
    assert.deepStrictEqual(responses.sort(), ['a', 'b']);
  });

  test(`${name}: what happens to rooms is told`, async () => {
    const server = await serve(Server);
    const { adapter } = server.of('/');
    const told = [];
    for (const event of ['create-room', 'join-room', 'leave-room', 'delete-room']) {
      adapter.on(event, (...args) => told.push([event, ...args]));
    }
    const { socket, peer } = await pair(connect, server);
    const left = next(adapter, 'delete-room');
    peer.join('red');
    peer.leave('red');
    await left;
    socket.disconnect();
    await next(peer, 'disconnect');
    await new Promise(setImmediate);
    const { id } = peer;
    assert.deepStrictEqual(told, [
      ['create-room', id],
      ['join-room', id, id],
      ['create-room', 'red'],
      ['join-room', 'red', id],
      ['leave-room', 'red', id],
      ['delete-room', 'red'],
      ['leave-room', id, id],
      ['delete-room', id],
    ]);
  });

  test(`${name}: what is broadcast is told to those who listen to what is sent`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server);
    const told = new Promise((resolve) => peer.onAnyOutgoing((...args) => resolve(args)));
    server.emit('news', { a: 1 }, Buffer.from('b'));
    assert.deepStrictEqual(await told, ['news', { a: 1 }, Buffer.from('b')]);
    assert.deepStrictEqual(await next(socket, 'news'), [{ a: 1 }, Buffer.from('b')]);
  });

  test(`${name}: a socket that has gone is in no room`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server);
    peer.join('red');
    const seen = [];
    peer.on('disconnecting', (reason) => seen.push(reason, peer.rooms));
    socket.disconnect();
    const [reason] = await next(peer, 'disconnect');
    assert.strictEqual(reason, 'client namespace disconnect');
    assert.deepStrictEqual(seen, ['client namespace disconnect', new Set([peer.id, 'red'])]);
    assert.deepStrictEqual(peer.rooms, new Set());
    peer.join('blue');
    assert.strictEqual(server.of('/').adapter.rooms.size, 0);
    assert.strictEqual(server.of('/').sockets.size, 0);
  });
}

test('a client that is not there misses a volatile event, and gets the others', async () => {
  const server = await serve(ours.Server);
  const socket = client(theirs.connect, server.url, { transports: ['websocket'] });
  const [[peer]] = await Promise.all([next(server, 'connection'), next(socket, 'connect')]);
  const seen = [];
  socket.onAny((...args) => seen.push(args));
  for (let i = 0; i < 100; i++) peer.volatile.emit('maybe', Buffer.alloc(1 << 20));
  peer.emit('surely');
  await next(socket, 'surely');
  assert.ok(seen.length < 100, `${seen.length} events`);
  assert.deepStrictEqual(seen.at(-1), ['surely']);
});
