'use strict';

const assert = require('node:assert');
const http = require('node:http');
const test = require('node:test');

const { client, forAll, next, opened, ours, pair, serve, settled, theirs } = require('./io-support');

forAll(({ name, Server, connect, transports }) => {
  test(`${name}: both sides hear why a socket was disconnected`, async () => {
    const server = await serve(Server);
    const cases = [
      [({ socket }) => socket.disconnect(), 'io client disconnect', 'client namespace disconnect'],
      [({ peer }) => peer.disconnect(), 'io server disconnect', 'server namespace disconnect'],
      [({ peer }) => peer.disconnect(true), 'io server disconnect', 'server namespace disconnect'],
    ];
    for (const [end, clients, servers] of cases) {
      const both = await pair(connect, server, { transports });
      await settled(both.socket, both.peer, transports);
      const heard = [next(both.socket, 'disconnect'), next(both.peer, 'disconnecting'), next(both.peer, 'disconnect')];
      end(both);
      const reasons = (await Promise.all(heard)).map(([reason]) => reason);
      assert.deepStrictEqual(reasons, [clients, servers, servers], String(end));
      assert.strictEqual(both.socket.connected || both.peer.connected, false);
      assert.strictEqual(both.socket.id, undefined);
      assert.strictEqual(both.socket.active, false);
      assert.strictEqual(both.peer.disconnected, true);
    }
  });

  test(`${name}: a server that closes says so, and is closed`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    await settled(socket, peer, transports);
    const heard = [next(socket, 'disconnect'), next(peer, 'disconnect')];
    let called = 0;
    await server.close(() => called++);
    const [[clients], [servers]] = await Promise.all(heard);
    assert.strictEqual(servers, 'server shutting down');
    assert.ok(['transport close', 'transport error', 'io server disconnect'].includes(clients), clients);
    assert.strictEqual(called, 1);
    opened.servers.delete(server);
    const late = client(connect, server.url, { transports });
    assert.ok((await next(late, 'connect_error'))[0] instanceof Error);
  });

  test(`${name}: a client that does not answer pings is disconnected`, async () => {
    const server = await serve(Server, { pingInterval: 50, pingTimeout: 50 });
    const reason = new Promise((resolve) => server.on('connection', (peer) => peer.on('disconnect', resolve)));
    await beginSession(server.url);
    assert.strictEqual(await reason, 'ping timeout');
  });

  test(`${name}: what is emitted before there is a connection leaves when there is one`, async () => {
    const server = await serve(Server);
    const socket = client(connect, server.url, { transports, autoConnect: false });
    assert.strictEqual(socket.active, false);
    const answer = new Promise((resolve) => socket.emit('first', 1, resolve));
    socket.emit('second', Buffer.from('2'));
    socket.volatile.emit('never');
    socket.emit('last');
    assert.strictEqual(socket.sendBuffer.length, 3);
    const heard = [];
    server.on('connection', (peer) => peer.onAny((event, ...args) => {
      heard.push(event);
      if (event === 'first') args.pop()('answered');
    }));
    socket.connect();
    assert.strictEqual(socket.active, true);
    assert.strictEqual(await answer, 'answered');
    await new Promise((resolve) => server.of('/').sockets.values().next().value.once('fence', resolve) && socket.emit('fence'));
    assert.deepStrictEqual(heard, ['first', 'second', 'last', 'fence']);
    assert.strictEqual(socket.sendBuffer.length, 0);
  });

  test(`${name}: an answer that can't come any more is an error for who takes errors`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    const promise = socket.emitWithAck('nobody listens');
    const withTimeout = new Promise((resolve) => socket.timeout(60_000).emit('nobody listens', resolve));
    peer.disconnect();
    await assert.rejects(promise, { message: 'socket has been disconnected' });
    assert.strictEqual((await withTimeout).message, 'socket has been disconnected');
  });

  test(`${name}: a socket can connect again`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    socket.disconnect();
    await next(peer, 'disconnect');
    const [[again]] = await Promise.all([next(server, 'connection'), next(socket, 'connect'), socket.connect()]);
    assert.notStrictEqual(again.id, peer.id);
    assert.strictEqual(again.id, socket.id);
  });
});

/** A session over polling that is connected to the main namespace, and then says nothing. */
async function beginSession(url) {
  const path = `${url}/socket.io/?EIO=4&transport=polling`;
  const open = await (await fetch(path)).text();
  const { sid } = JSON.parse(open.slice(1));
  await fetch(`${path}&sid=${sid}`, { method: 'POST', body: '40' });
}

for (const { Server, connect, name } of [{ ...ours, name: 'ours' }, { ...theirs, name: 'socket.io (for comparison)' }]) {
  test(`${name}: nothing is heard any more of a client that is told to go`, async () => {
    for (const end of [
      ({ peer }) => peer.disconnect(),
      ({ peer }) => peer.disconnect(true),
      ({ server, peer }) => server.in(peer.id).disconnectSockets(),
      ({ server }) => server.except('another').disconnectSockets(true),
      ({ server }) => void server.close(),
    ]) {
      const server = await serve(Server);
      const { socket, peer } = await pair(connect, server, { transports: ['websocket'] });
      const heard = [];
      peer.on('first', () => {
        end({ server, peer });
        heard.push(['first', peer.connected]);
      });
      peer.on('second', () => heard.push(['second']));
      peer.on('disconnecting', () => heard.push(['disconnecting', peer.connected]));
      const gone = next(peer, 'disconnect');
      for (const event of ['first', 'second', 'second']) socket.emit(event);
      await gone;
      const events = [['first', false], ['disconnecting', true]];
      assert.deepStrictEqual(heard.sort(), events.sort(), String(end)); // theirs disconnects within the call
    }
  });
}

for (const { Server, connect, name } of [
  { name: 'official client, our server', Server: ours.Server, connect: theirs.connect },
  { name: 'our client, official server', Server: theirs.Server, connect: ours.connect },
  { name: 'our client, our server', Server: ours.Server, connect: ours.connect },
]) {
  test(`${name}: a client comes back when the server does, with the official events`, async () => {
    const first = await serve(Server);
    const port = first.httpServer.address().port;
    const { socket } = await pair(connect, first, { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 });
    const events = [];
    for (const event of ['reconnect_attempt', 'reconnect', 'open', 'close']) {
      socket.io.on(event, (...args) => events.push([event, ...args]));
    }
    const failed = next(socket.io, 'reconnect_error');
    const gone = next(socket, 'disconnect');
    await first.close();
    opened.servers.delete(first);
    await gone;
    assert.strictEqual(socket.active, true);
    socket.emit('kept', 'for later');
    const [error] = await failed;
    assert.ok(error instanceof Error);
    const second = new Server(port);
    opened.servers.add(second);
    const [[peer]] = await Promise.all([next(second, 'connection'), next(socket, 'connect')]);
    assert.deepStrictEqual(await next(peer, 'kept'), ['for later']);
    const names = events.map(([event]) => event);
    assert.strictEqual(names[0], 'close');
    const attempts = events.filter(([event]) => event === 'reconnect_attempt').map(([, number]) => number);
    assert.deepStrictEqual(attempts, Array.from(attempts, (_, index) => index + 1));
    const reconnects = events.filter(([event]) => event === 'reconnect');
    assert.deepStrictEqual(reconnects, [['reconnect', attempts.length]]);
    assert.ok(names.indexOf('open') < names.indexOf('reconnect'));
  });

  test(`${name}: a socket that has never been connected hears of the connection's end`, async () => {
    const server = await serve(Server, { connectTimeout: 300 });
    server.use(() => {}); // never says whether it may come in
    for (const transports of [['polling'], ['websocket']]) {
      const socket = client(connect, server.url, { transports });
      const told = [];
      for (const event of ['connect', 'connect_error', 'disconnect']) {
        socket.on(event, (reason) => told.push([event, reason, socket.active]));
      }
      await Promise.all([next(socket.io, 'close'), next(socket, 'disconnect')]);
      assert.deepStrictEqual(told, [['disconnect', 'transport close', true]]);
      socket.disconnect();
      assert.strictEqual(told.length, 1);
    }
  });

  for (const transports of [['polling'], ['websocket']]) {
    test(`${name}, ${transports}: the ends of a connection and of its sockets come in the official order`, async () => {
      const server = await serve(Server);
      const seen = [];
      const join = async () => {
        const socket = client(connect, server.url, { transports, reconnectionDelay: 10 });
        const other = socket.io.socket('/other', {});
        const [[peer]] = await Promise.all([next(server, 'connection'), next(socket, 'connect'), next(other, 'connect')]);
        socket.io.on('close', (reason) => seen.push(['manager', reason]));
        for (const each of [socket, other]) each.on('disconnect', (reason) => seen.push([each.nsp, reason]));
        return { socket, other, peer };
      };
      server.of('/other');
      const [left, sentAway, lost] = [await join(), await join(), await join()];

      left.other.disconnect();
      assert.deepStrictEqual(seen.splice(0), [['/other', 'io client disconnect']]);
      left.socket.disconnect();
      assert.deepStrictEqual(seen.splice(0), [['manager', 'forced close'], ['/', 'io client disconnect']]);
      await Promise.all([next(left.socket, 'connect'), left.socket.connect()]);
      assert.deepStrictEqual(seen.splice(0), []);

      sentAway.other.disconnect();
      seen.length = 0;
      await Promise.all([next(sentAway.socket, 'disconnect'), sentAway.peer.disconnect()]);
      assert.deepStrictEqual(seen.splice(0), [['manager', 'forced close'], ['/', 'io server disconnect']]);

      await Promise.all([next(lost.other, 'disconnect'), lost.peer.conn.close()]);
      await new Promise(setImmediate);
      const reason = 'transport close';
      assert.deepStrictEqual(seen.splice(0), [['/', reason], ['/other', reason], ['manager', reason]]);
    });
  }

  test(`${name}: it gives up after so many attempts`, async () => {
    const server = await serve(Server);
    const { socket } = await pair(connect, server, { reconnection: true, reconnectionAttempts: 2, reconnectionDelay: 10 });
    let attempts = 0;
    socket.io.on('reconnect_attempt', () => attempts++);
    const failed = next(socket.io, 'reconnect_failed');
    await server.close();
    opened.servers.delete(server);
    await failed;
    assert.strictEqual(attempts, 2);
  });

  test(`${name}: events are sent again until they are acknowledged, in order`, async () => {
    const server = await serve(Server);
    const seen = [];
    server.on('connection', (peer) => {
      peer.on('first', (answer) => {
        seen.push('first');
        if (seen.length >= 3) answer('at last');
      });
      peer.on('second', (answer) => {
        seen.push('second');
        answer('at once');
      });
    });
    const { socket } = await pair(connect, server, { retries: 5, ackTimeout: 200 });
    const answers = ['first', 'second'].map(
      (event) => new Promise((resolve) => socket.emit(event, (...args) => resolve(args))),
    );
    assert.deepStrictEqual(await Promise.all(answers), [[null, 'at last'], [null, 'at once']]);
    // On a loaded machine an answer may come too late, and the event once more.
    const firsts = seen.lastIndexOf('first') + 1;
    assert.ok(firsts >= 3 && seen.indexOf('second') === firsts, seen.join());
    const error = await new Promise((resolve) => socket.emit('nobody listens', resolve));
    assert.strictEqual(error.message, 'operation has timed out');
    assert.deepStrictEqual(await new Promise((resolve) => socket.emit('second', (...args) => resolve(args))), [null, 'at once']);
  });

  test(`${name}: an event that has waited too long for a connection is not sent, and nobody is told that it was`, async () => {
    const server = await serve(Server);
    const heard = [];
    server.on('connection', (peer) => peer.onAny((event) => heard.push(event)));
    const socket = client(connect, server.url, { autoConnect: false });
    const told = [];
    socket.onAnyOutgoing((event) => told.push(event));
    const left = [socket.timeout(1).emitWithAck('late'), socket.emit('kept')];
    assert.deepStrictEqual(socket.sendBuffer.map(({ data }) => data), [['late'], ['kept']]);
    await assert.rejects(left[0], { message: 'operation has timed out' });
    assert.deepStrictEqual(socket.sendBuffer.map(({ data }) => data), [['kept']]);
    socket.connect();
    const [peer] = await next(server, 'connection');
    socket.emit('fence');
    await next(peer, 'fence');
    assert.deepStrictEqual([told, heard], [['kept', 'fence'], ['kept', 'fence']]);
  });

  test(`${name}: what waits for its turn is no part of the buffer`, async () => {
    const server = await serve(Server);
    server.on('connection', (peer) => peer.on('echo', (value, answer) => answer(value)));
    const socket = client(connect, server.url, { autoConnect: false, retries: 1, ackTimeout: 20_000 });
    const answer = new Promise((resolve) => socket.emit('echo', 1, (...args) => resolve(args)));
    assert.deepStrictEqual(socket.sendBuffer, []);
    socket.connect();
    assert.deepStrictEqual(await answer, [null, 1]);
  });

  test(`${name}: what a client says of itself is asked anew each time`, async () => {
    const server = await serve(Server);
    let asked = 0;
    const auth = (answer) => setTimeout(() => answer({ token: ++asked }), 5);
    const { socket, peer } = await pair(connect, server, { auth });
    assert.deepStrictEqual(peer.handshake.auth, { token: 1 });
    socket.disconnect().connect();
    const [again] = await next(server, 'connection');
    assert.deepStrictEqual(again.handshake.auth, { token: 2 });
    socket.auth = { plain: true };
    socket.disconnect().connect();
    assert.deepStrictEqual((await next(server, 'connection'))[0].handshake.auth, { plain: true });
  });

  test(`${name}: what a lost client has missed comes when it is back`, async () => {
    const server = await serve(Server, { connectionStateRecovery: {} });
    const { socket, peer } = await pair(connect, server, { reconnection: true, reconnectionDelay: 10, transports: ['websocket'] });
    assert.strictEqual(socket.recovered || peer.recovered, false);
    peer.join('room');
    peer.data.user = { name: 'Ann' };
    peer.emit('seen', 1);
    await next(socket, 'seen');
    const gone = next(peer, 'disconnect');
    socket.io.engine.close();
    await gone;
    server.to('room').emit('missed', 2, Buffer.from('3'));
    server.emit('missed too');
    const heard = [];
    socket.onAny((...args) => heard.push(args.slice(0, args[0] === 'missed' ? 3 : 1)));
    const [[back]] = await Promise.all([next(server, 'connection'), next(socket, 'connect')]);
    assert.strictEqual(socket.recovered, true);
    assert.strictEqual(back.recovered, true);
    assert.strictEqual(back.id, peer.id);
    assert.deepStrictEqual(back.data, { user: { name: 'Ann' } });
    assert.ok(back.rooms.has('room'));
    back.emit('fence');
    await next(socket, 'fence');
    assert.deepStrictEqual(heard.slice(0, 2), [['missed', 2, Buffer.from('3')], ['missed too']]);
  });
}

test('an idle client that has received nothing is recovered, too', async () => {
  const server = await serve(ours.Server, { connectionStateRecovery: {} });
  const { socket, peer } = await pair(ours.connect, server, { reconnection: true, reconnectionDelay: 10, transports: ['websocket'] });
  const gone = next(peer, 'disconnect');
  socket.io.engine.close();
  await gone;
  server.emit('missed');
  await Promise.all([next(socket, 'missed'), next(socket, 'connect')]);
  assert.strictEqual(socket.recovered, true);
});

test('managers are shared by URL, sockets by namespace', async () => {
  const server = await serve(ours.Server);
  server.of('/a');
  const { connect } = ours;
  const one = connect(server.url);
  const two = connect(`${server.url}/a`);
  const three = connect(server.url);
  const four = connect(server.url, { forceNew: true });
  const five = connect(server.url, { multiplex: false });
  for (const socket of [one, two, three, four, five]) opened.sockets.add(socket);
  assert.strictEqual(one.io, two.io);
  assert.notStrictEqual(one.io, three.io);
  assert.notStrictEqual(one.io, four.io);
  assert.notStrictEqual(one.io, five.io);
  await Promise.all([one, two, three, four, five].map((socket) => next(socket, 'connect')));
});

test('a server that is none is an error of the connection', async () => {
  const plain = http.createServer((request, response) => response.writeHead(404).end()).listen(0);
  await next(plain, 'listening');
  const url = `http://127.0.0.1:${plain.address().port}`;
  for (const [transport, message] of [['polling', 'xhr poll error'], ['websocket', 'websocket error']]) {
    for (const { connect } of [theirs, ours]) {
      const socket = client(connect, url, { transports: [transport] });
      const [error] = await next(socket, 'connect_error');
      assert.strictEqual(error.message, message);
      assert.strictEqual(error.type, 'TransportError');
      if (transport === 'polling') assert.strictEqual(error.description, 404);
      assert.strictEqual(socket.active, true);
    }
  }
  plain.close();
});
