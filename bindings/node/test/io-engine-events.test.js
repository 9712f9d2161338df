'use strict';
// Events of Engine.IO's connections at both ends, held against those of the official packages, and a client's `agent`.

const assert = require('node:assert');
const http = require('node:http');
const https = require('node:https');
const test = require('node:test');

const { issue, selfSigned } = require('./certificates');
const { CARRIERS, client, next, opened, ours, pair, serve, serveSecurely, settled, theirs } = require('./io-support');

for (const { Server, connect, name } of [{ ...ours, name: 'ours' }, { ...theirs, name: 'official (for comparison)' }]) {
  test(`${name}: what is written is told to connection and engine, before it has left`, async () => {
    const server = await serve(Server);
    const [flushed, told] = [[], []];
    server.engine.on('flush', (conn, packets) => flushed.push([conn, packets]));
    const { peer } = await pair(connect, server, { transports: ['websocket'] });
    peer.conn.on('flush', (packets) => told.push(...packets));
    const flush = next(peer.conn, 'flush');
    peer.emit('one', 1);
    await flush;
    assert.deepStrictEqual(told.map(({ type, data }) => [type, data]), [['message', '2["one",1]']]);
    const [conn, packets] = flushed.at(-1);
    assert.strictEqual(conn, peer.conn);
    assert.deepStrictEqual(packets.map(({ data }) => data), ['2["one",1]']);
  });

  test(`${name}: the connections are known by their ids`, async () => {
    const server = await serve(Server);
    const first = await pair(connect, server);
    assert.deepStrictEqual(Object.keys(server.engine.clients), [first.peer.conn.id]);
    const second = await pair(connect, server);
    assert.strictEqual(server.engine.clients[second.peer.conn.id], second.peer.conn);
    const closed = next(first.peer.conn, 'close');
    first.socket.disconnect();
    assert.strictEqual((await closed).length, 2);
    assert.deepStrictEqual(Object.keys(server.engine.clients), [second.peer.conn.id]);
  });

  test(`${name}: both ends tell of an upgrade before it is done`, async () => {
    const server = await serve(Server);
    const told = [];
    server.engine.on('connection', (conn) => {
      for (const event of ['upgrading', 'upgrade']) conn.on(event, (to) => told.push([event, to.name, conn.transport.name, conn.upgrading]));
    });
    const socket = client(connect, server.url, { autoConnect: false });
    socket.io.open();
    const { engine } = socket.io;
    const heard = [];
    engine.on('upgrading', (to) => heard.push(['upgrading', to.name, engine.transport.name, engine.upgrading]));
    engine.on('upgrade', (to) => heard.push(['upgrade', to.name, engine.transport.name]));
    const [connection] = await next(server.engine, 'connection');
    await Promise.all([next(engine, 'upgrade'), next(connection, 'upgrade')]);
    assert.deepStrictEqual(told.map((one) => one.slice(0, 3)), [['upgrading', 'websocket', 'polling'], ['upgrade', 'websocket', 'websocket']]);
    assert.deepStrictEqual(heard, [['upgrading', 'websocket', 'polling', true], ['upgrade', 'websocket', 'websocket']]);
  });

  test(`${name}: what was sent has drained, of a socket, an answer, a broadcast, and the engine`, async () => {
    const server = await serve(Server);
    const { peer, socket } = await pair(connect, server, { transports: ['websocket'] });
    peer.join('room');
    for (const send of [
      () => peer.emit('one', 1),
      () => peer.emit('two', Buffer.alloc(10)),
      () => server.emit('three'),
      () => server.to('room').except('nowhere').emit('four'),
    ]) {
      const drained = Promise.all([next(peer.conn, 'drain'), next(server.engine, 'drain')]);
      send();
      const [[], [connection]] = await drained;
      assert.strictEqual(connection, peer.conn);
    }
    let count = 0;
    peer.conn.on('drain', () => (count += 1));
    server.to('elsewhere').emit('five');
    server.except('room').emit('six');
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.strictEqual(count, 0);
    peer.on('ask', (answer) => answer('yes'));
    const drained = next(peer.conn, 'drain');
    assert.deepStrictEqual(await Promise.all([socket.emitWithAck('ask'), drained]), ['yes', []]);
  });

  test(`${name}: a transport tells of its packets and its end, and ends the connection`, async () => {
    const server = await serve(Server);
    const { peer, socket } = await pair(connect, server, { transports: ['websocket'] });
    const { transport } = peer.conn;
    assert.deepStrictEqual([transport.name, transport.sid, transport.protocol, transport.readyState, transport.writable], ['websocket', peer.conn.id, 4, 'open', true]);
    assert.strictEqual(peer.conn.transport, transport);
    const packet = next(transport, 'packet');
    socket.emit('hi', 1);
    const [{ type, data }] = await packet;
    assert.deepStrictEqual([type, data], ['message', '2["hi",1]']);
    const ends = [next(transport, 'close'), next(peer, 'disconnect'), next(socket, 'disconnect')];
    transport.close();
    const [, , [reason]] = await Promise.all(ends);
    assert.deepStrictEqual([reason, transport.readyState], ['transport close', 'closed']);
  });

  test(`${name}: a client hears how its connection is opened, kept alive, written and closed`, async () => {
    const server = await serve(Server, { pingInterval: 50 });
    const socket = client(connect, server.url, { autoConnect: false, transports: ['websocket'] });
    socket.io.open();
    const { engine } = socket.io;
    const told = [];
    for (const event of ['handshake', 'open', 'ping', 'pong']) engine.once(event, () => told.push(event));
    const [{ sid }] = await next(engine, 'handshake');
    await next(engine, 'pong');
    assert.deepStrictEqual([told, engine.id], [['handshake', 'open', 'ping', 'pong'], sid]);
    const left = [next(engine, 'flush'), next(engine, 'drain')];
    socket.connect();
    await Promise.all(left);
    assert.strictEqual(engine.binaryType, 'nodebuffer');
    const closed = next(engine, 'close');
    socket.disconnect();
    assert.strictEqual((await closed)[0], 'forced close');
  });

  test(`${name}: a client hears why it could not connect`, async () => {
    const socket = client(connect, 'http://127.0.0.1:1', { autoConnect: false });
    socket.io.open();
    const [[error], [reason]] = await Promise.all([next(socket.io.engine, 'error'), next(socket.io.engine, 'close')]);
    assert.deepStrictEqual([error.message, reason], ['xhr poll error', 'transport error']);
  });

  for (const { carrier, transports } of CARRIERS) {
    test(`${name}, ${carrier}: a client hears more of why it was disconnected`, async () => {
      const server = await serve(Server);
      const { socket, peer } = await pair(connect, server, { transports });
      await settled(socket, peer, transports);
      const heard = [next(socket, 'disconnect'), next(socket.io, 'close'), next(socket.io.engine, 'close')];
      await server.close();
      opened.servers.delete(server);
      for (const [reason, { message, type, description }] of await Promise.all(heard)) {
        if (transports.includes('websocket')) {
          assert.deepStrictEqual([reason, description], ['transport close', 'websocket connection closed']);
        } else {
          assert.deepStrictEqual([reason, message, type], ['transport error', 'xhr poll error', 'TransportError']);
        }
      }
    });
  }

  for (const { carrier, transports } of CARRIERS) {
    test(`${name}, ${carrier}: a client gives up at once with a timeout of 0`, async () => {
      const server = await serve(Server);
      const socket = client(connect, server.url, { transports, timeout: 0 });
      socket.on('connect', () => assert.fail('connected all the same'));
      assert.strictEqual((await next(socket, 'connect_error'))[0].message, 'timeout');
    });
  }

  for (const { carrier, transports } of CARRIERS) {
    test(`${name}, ${carrier}: a manager tells of the packets of its namespaces`, async () => {
      const server = await serve(Server);
      server.of('/other').use((peer, refuse) => refuse(new Error('no')));
      const socket = client(connect, server.url, { autoConnect: false, transports });
      const told = [];
      socket.io.on('packet', ({ type, nsp, id, data }) => {
        const copy = Array.isArray(data) ? [...data] : data; // the official socket changes it
        told.push([type, nsp, id, type === 0 ? typeof data.sid : copy]);
      });
      const connection = next(server, 'connection');
      socket.connect();
      const [peer] = await connection;
      await settled(socket, peer, transports);
      socket.on('bytes', (bytes, answer) => answer());
      await peer.emitWithAck('bytes', Buffer.of(1, 2));
      peer.on('ask', (answer) => answer('an answer'));
      await socket.emitWithAck('ask');
      await next(socket.io.socket('/other').connect(), 'connect_error');
      const gone = next(socket, 'disconnect');
      peer.disconnect();
      await gone;
      await new Promise(setImmediate); // it is told of after the event
      assert.deepStrictEqual(told, [
        [0, '/', undefined, 'string'],
        [2, '/', 0, ['bytes', Buffer.of(1, 2)]],
        [3, '/', 0, ['an answer']],
        [4, '/other', undefined, { message: 'no' }],
        [1, '/', undefined, undefined],
      ]);
    });
  }
}

test('of an agent is taken what it says of TLS', async () => {
  const { authority, server, port } = await serveSecurely();
  const url = `https://localhost:${port}`;
  for (const { connect } of [ours, theirs]) {
    for (const options of [{ ca: authority.cert }, { rejectUnauthorized: false, keepAlive: true, maxSockets: 5 }]) {
      for (const { transports } of CARRIERS) {
        await next(client(connect, url, { transports, agent: new https.Agent(options) }), 'connect');
      }
    }
    await next(client(connect, url, { agent: new https.Agent() }), 'connect_error');
  }
});

test('of an agent that stands for a proxy the proxy is taken', async () => {
  const asked = [];
  const proxy = http.createServer();
  proxy.on('connect', ({ url, headers }, socket) => {
    asked.push([url, headers['proxy-authorization']]);
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  proxy.listen(0, '127.0.0.1');
  await next(proxy, 'listening');
  const { port } = proxy.address();
  /** As in the package https-proxy-agent. */
  class HttpsProxyAgent extends http.Agent {
    proxy = new URL(`http://me:secret@127.0.0.1:${port}`);
    connectOpts = { host: '127.0.0.1', port };
  }
  const socket = client(ours.connect, 'http://example.test:81', { agent: new HttpsProxyAgent() });
  await next(socket, 'connect_error');
  const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
  assert.deepStrictEqual(asked[0], ['example.test:81', basic]);
  proxy.close();
});
