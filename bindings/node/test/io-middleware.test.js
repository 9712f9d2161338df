'use strict';

const assert = require('node:assert');
const test = require('node:test');

const WebSocket = require('ws');

const { CARRIERS, client, next, ours, pair, serve, theirs } = require('./io-support');

for (const { Server, connect, name } of [{ ...ours, name: 'ours' }, { ...theirs, name: 'socket.io (for comparison)' }]) {
  for (const { carrier, transports } of CARRIERS) {
    test(`${name}, ${carrier}: middlewares see a socket before it is connected`, async () => {
      const server = await serve(Server);
      const order = [];
      server.use((socket, goOn) => {
        order.push(['first', socket.connected, socket.handshake.auth]);
        socket.data.user = socket.handshake.auth.user;
        socket.join('early');
        setTimeout(goOn, 10);
      });
      server.use((socket, goOn) => {
        order.push(['second', socket.data.user]);
        socket.emit('before', 1);
        goOn();
      });
      const socket = client(connect, server.url, { transports, auth: { user: 'Ann', deep: { a: [1] } } });
      const [[peer], before] = await Promise.all([next(server, 'connection'), next(socket, 'before'), next(socket, 'connect')]);
      assert.deepStrictEqual(before, [1]);
      assert.deepStrictEqual(order, [['first', false, { user: 'Ann', deep: { a: [1] } }], ['second', 'Ann']]);
      assert.strictEqual(peer.connected, true);
      assert.strictEqual(socket.id, peer.id);
      assert.deepStrictEqual(peer.rooms, new Set(['early', peer.id]));
    });
  }

  test(`${name}: a middleware refuses with data, and the rest is not asked`, async () => {
    const server = await serve(Server);
    server.of('/closed').use((socket, goOn) => goOn(Object.assign(new Error('not you'), { data: { code: 7, why: ['a'] } })));
    server.of('/closed').use(() => assert.fail('asked all the same'));
    server.of('/closed').on('connection', () => assert.fail('connected all the same'));
    server.of('/plain').use((socket, goOn) => goOn(new Error('no data')));
    const { socket } = await pair(connect, server);
    const [error] = await next(socket.io.socket('/closed', {}), 'connect_error');
    assert.ok(error instanceof Error);
    assert.strictEqual(error.message, 'not you');
    assert.deepStrictEqual(error.data, { code: 7, why: ['a'] });
    const [plain] = await next(socket.io.socket('/plain', {}), 'connect_error');
    assert.strictEqual(plain.message, 'no data');
    assert.strictEqual(plain.data, undefined);
    assert.strictEqual(server.of('/closed').sockets.size, 0);
    assert.strictEqual(socket.connected, true);
  });

  for (const { carrier, transports } of CARRIERS) {
    test(`${name}, ${carrier}: a middleware can close the connection`, async () => {
      const server = await serve(Server);
      server.on('connection', () => assert.fail('connected all the same'));
      const seen = [];
      let done;
      const isClosed = new Promise((resolve) => (done = resolve));
      server.use((socket, goOn) => {
        const { conn } = socket;
        conn.on('close', (reason) => {
          seen.push([reason, conn.readyState]);
          done();
        });
        conn.close();
        assert.notStrictEqual(conn.readyState, 'open');
        conn.close();
        goOn();
      });
      const socket = client(connect, server.url, { transports });
      socket.on('connect', () => assert.fail('connected all the same'));
      socket.on('connect_error', () => assert.fail('refused, where it was closed'));
      assert.deepStrictEqual((await next(socket.io, 'close'))[0], 'transport close');
      await isClosed;
      assert.deepStrictEqual(seen, [['forced close', 'closed']]);
      assert.strictEqual(server.engine.clientsCount, 0);
      assert.strictEqual(server.of('/')._preConnectSockets.size, 0);
    });

    test(`${name}, ${carrier}: the connection of a socket is closed by itself`, async () => {
      const server = await serve(Server);
      const { socket, peer } = await pair(connect, server, { transports });
      const ends = Promise.all([next(peer, 'disconnect'), next(peer.conn, 'close'), next(socket, 'disconnect')]);
      const last = next(socket, 'last');
      peer.emit('last', 1);
      peer.conn.close();
      assert.deepStrictEqual(await last, [1]);
      const [[there], [closed], [here]] = await ends;
      assert.deepStrictEqual([there, closed, here, socket.active], ['forced close', 'forced close', 'transport close', true]);
    });
  }

  test(`${name}: a client that goes while it is asked about is never connected`, async () => {
    const server = await serve(Server);
    let release;
    const asked = new Promise((resolve) => {
      server.use((socket, goOn) => {
        release = goOn;
        resolve(socket);
      });
    });
    server.on('connection', () => assert.fail('connected all the same'));
    const socket = client(connect, server.url, { transports: ['websocket'] });
    await asked;
    socket.disconnect();
    while (server.engine.clientsCount > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    release();
    await new Promise((resolve) => setTimeout(resolve, 50)); // nothing tells that nothing happens
    assert.strictEqual(server.of('/').sockets.size, 0);
    assert.strictEqual(server.of('/')._preConnectSockets.size, 0);
    assert.strictEqual(server.of('/').adapter.rooms.size, 0);
  });

  test(`${name}: middlewares of a socket see each event, and can refuse it`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server);
    const seen = [];
    peer.use(([event, ...args], goOn) => {
      seen.push([event, ...args]);
      if (event === 'forbidden') goOn(new Error('unauthorized event'));
      else setTimeout(goOn, 5);
    });
    peer.use((event, goOn) => {
      event.push('added');
      goOn();
    });
    peer.on('forbidden', () => assert.fail('heard all the same'));
    socket.emit('forbidden', 1);
    assert.strictEqual((await next(peer, 'error'))[0].message, 'unauthorized event');
    socket.emit('allowed', 2);
    assert.deepStrictEqual(await next(peer, 'allowed'), [2, 'added']);
    assert.deepStrictEqual(seen, [['forbidden', 1], ['allowed', 2]]);
  });

  test(`${name}: an event called error ends nothing`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server);
    socket.emit('error', 1);
    socket.emit('next');
    await next(peer, 'next');
    socket.emit('error', 2);
    assert.deepStrictEqual(await next(peer, 'error'), [2]);
  });

  test(`${name}: what is no packet is an error of the client's sockets, and their end`, async () => {
    const server = await serve(Server);
    const raw = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    raw.on('open', () => raw.send('40'));
    const [peer] = await next(server, 'connection');
    const heard = [];
    peer.on('error', (error) => heard.push(error instanceof Error));
    raw.send('42["not closed"');
    assert.strictEqual((await next(peer, 'disconnect'))[0], 'forced close');
    assert.deepStrictEqual(heard, [true]);
  });

  test(`${name}: who refuses with something that has no message refuses without one`, async () => {
    const server = await serve(Server);
    server.use((socket, goOn) => goOn('a string'));
    const socket = client(connect, server.url);
    const [error] = await next(socket, 'connect_error');
    assert.ok(error instanceof Error && error.message !== 'undefined');
  });

  test(`${name}: namespaces by regular expression and by function`, async () => {
    const server = await serve(Server);
    const made = [];
    server.on('new_namespace', (nsp) => made.push(nsp.name));
    const seen = [];
    const parent = server.of(/^\/room-\d+$/);
    parent.use((socket, goOn) => {
      seen.push(['use', socket.nsp.name]);
      goOn();
    });
    parent.on('connection', (socket) => seen.push(['connection', socket.nsp.name]));
    server.of((nsp, auth, goOn) => setTimeout(goOn, 5, null, nsp === '/secret' && auth.token === 'abc'));
    const { socket } = await pair(connect, server);
    const { io } = socket;
    const one = io.socket('/room-1', {});
    await next(one, 'connect');
    assert.deepStrictEqual(seen, [['use', '/room-1'], ['connection', '/room-1']]);
    const two = io.socket('/room-2', {});
    await next(two, 'connect');
    const heard = Promise.all([next(one, 'to all rooms'), next(two, 'to all rooms')]);
    parent.emit('to all rooms');
    await heard;
    const secret = io.socket('/secret', { auth: { token: 'abc' } });
    await next(secret, 'connect');
    const [error] = await next(io.socket('/other', {}), 'connect_error');
    assert.strictEqual(error.message, 'Invalid namespace');
    assert.deepStrictEqual(made, ['/room-1', '/room-2', '/secret']);
    assert.strictEqual(server.of('/room-1').sockets.size, 1);
    assert.throws(() => server.of(/stateful/g), { message: 'stateful regular expressions are not supported' });
    assert.throws(() => parent.fetchSockets(), { message: 'fetchSockets() is not supported on parent namespaces' });
  });

  test(`${name}: empty child namespaces go, if wanted, and come again`, async () => {
    const server = await serve(Server, { cleanupEmptyChildNamespaces: true });
    server.of(/^\/child-\d$/);
    const { socket } = await pair(connect, server);
    for (let i = 0; i < 2; i++) {
      const child = socket.io.socket('/child-1', {});
      if (!child.active) child.connect();
      await next(child, 'connect');
      assert.ok(server._nsps.has('/child-1'));
      const [peer] = server.of('/child-1').sockets.values();
      const gone = next(peer, 'disconnect');
      child.disconnect();
      await gone;
      await new Promise(setImmediate);
      assert.ok(!server._nsps.has('/child-1'));
    }
  });

  test(`${name}: allowRequest sees the request, may take its time, and refuses with words`, async () => {
    const seen = [];
    const allowRequest = (request, answer) => {
      seen.push([request.method, request._query.key, request.headers['x-test']]);
      request.user = request._query.key;
      setTimeout(answer, 5, request._query.key === 'refused' ? 'go away' : null, request._query.key === 'right');
    };
    const server = await serve(Server, { allowRequest });
    const extraHeaders = { 'X-Test': 'header' };
    const refused = client(connect, server.url, { query: { key: 'refused' }, extraHeaders, transports: ['polling'] });
    const [error] = await next(refused, 'connect_error');
    assert.strictEqual(error.message, 'xhr poll error');
    const { peer } = await pair(connect, server, { query: { key: 'right' }, extraHeaders });
    assert.strictEqual(peer.request.user, 'right');
    assert.strictEqual(peer.handshake.query.key, 'right');
    assert.strictEqual(peer.handshake.headers['x-test'], 'header');
    assert.deepStrictEqual(seen, [['GET', 'refused', 'header'], ['GET', 'right', 'header']]);
    const answer = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&key=refused`);
    assert.strictEqual(answer.status, 403);
    assert.deepStrictEqual(await answer.json(), { code: 4, message: 'go away' });
  });
}
