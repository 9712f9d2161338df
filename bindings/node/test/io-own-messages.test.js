'use strict';
// What programs send and answer below Socket.IO: messages of Engine.IO of their own, and answers of the engine's middlewares. Held against
// the official packages.

const assert = require('node:assert');
const test = require('node:test');

const WebSocket = require('ws');

const { CARRIERS, client, next, opened, ours, pair, serve, settled, theirs } = require('./io-support');

const POLL = '/socket.io/?EIO=4&transport=polling';

for (const { Server, connect, name } of [{ ...ours, name: 'ours' }, { ...theirs, name: 'official (for comparison)' }]) {
  for (const { carrier, transports } of CARRIERS) {
    test(`${name}, ${carrier}: messages of Engine.IO pass between the packets of Socket.IO`, async () => {
      const server = await serve(Server);
      const { peer, socket } = await pair(connect, server, { transports });
      await settled(socket, peer, transports);
      const { conn } = peer;
      const { engine } = socket.io;
      const heard = [];
      socket.on('said', (...args) => heard.push(args));
      const last = next(socket, 'last');
      const left = new Promise((resolve) => conn.send('2["said","first"]', resolve));
      peer.emit('said', 'second');
      assert.strictEqual(conn.write('51-["said",{"_placeholder":true,"num":0}]'), conn);
      conn.send(Buffer.of(1, 2), { compress: false });
      peer.emit('last');
      assert.strictEqual((await left).name, conn.transport.name);
      await last;
      assert.deepStrictEqual(heard, [['first'], ['second'], [Buffer.of(1, 2)]]);

      const came = [];
      peer.on('said', (...args) => came.push(args));
      const end = next(peer, 'last');
      const flushed = new Promise((resolve) => engine.send('2["said","first"]', resolve));
      assert.strictEqual(engine.write('51-["said",{"_placeholder":true,"num":0}]'), engine);
      engine.send(new Uint8Array([3, 4]), { compress: false });
      socket.emit('last');
      await Promise.all([flushed, end]);
      assert.deepStrictEqual(came, [['first'], [Buffer.of(3, 4)]]);

      const closed = Promise.all([next(conn, 'close'), next(engine, 'close')]);
      conn.close();
      await closed;
      assert.strictEqual(conn.send('2["late"]'), conn); // and that is all
      assert.strictEqual(engine.send('2["late"]'), engine);
    });
  }

  test(`${name}: what is sent before the connection is there waits for it`, async () => {
    const server = await serve(Server);
    const socket = client(connect, server.url, { autoConnect: false });
    const [connection] = [next(server.engine, 'connection')];
    socket.io.open();
    socket.io.engine.send('a message');
    const [conn] = await connection;
    assert.deepStrictEqual(await next(conn, 'message'), ['a message']);
    socket.io.engine.close();
  });

  test(`${name}: packets on their way out tell whether they may be compressed`, async () => {
    const server = await serve(Server);
    const { peer, socket } = await pair(connect, server, { transports: ['websocket'] });
    for (const [emitter, engine] of [[peer, peer.conn], [socket, socket.io.engine]]) {
      for (const compress of [true, false]) {
        const created = next(engine, 'packetCreate');
        emitter.compress(compress).emit('hi');
        const [{ type, data, options }] = await created;
        assert.deepStrictEqual([type, data, options.compress], ['message', '2["hi"]', compress]);
      }
    }
    const created = next(peer.conn, 'packetCreate');
    server.compress(false).emit('hi');
    assert.strictEqual((await created)[0].options.compress, false);
  });

  for (const { carrier, transports } of CARRIERS) {
    test(`${name}, ${carrier}: a client's binary values are ArrayBuffers, if it likes`, async () => {
      const server = await serve(Server);
      const { peer, socket } = await pair(connect, server, { transports });
      await settled(socket, peer, transports);
      socket.io.engine.binaryType = 'arraybuffer';
      peer.on('ask', (answer) => answer(Buffer.of(5)));
      const heard = next(socket, 'bytes');
      peer.emit('bytes', { deep: [Buffer.of(1, 2)] }, Buffer.of(3));
      assert.deepStrictEqual(await heard, [{ deep: [new Uint8Array([1, 2]).buffer] }, new Uint8Array([3]).buffer]);
      assert.deepStrictEqual(await socket.emitWithAck('ask'), new Uint8Array([5]).buffer);
    });
  }

  test(`${name}: what a middleware of the engine answers itself is the answer`, async () => {
    const server = await serve(Server);
    server.engine.on('connection', () => assert.fail('connected all the same'));
    server.engine.on('connection_error', () => assert.fail('an answer is no error'));
    server.engine.use((request, response, goOn) => {
      response.setHeader('X-Kept', ['a', 'b']);
      response.setHeader('X-Removed', 'no');
      goOn();
    });
    server.engine.use((request, response) => {
      response.removeHeader('x-removed');
      assert.deepStrictEqual([response.getHeader('X-KEPT'), response.headersSent], [['a', 'b'], false]);
      if (request.headers['x-short']) {
        response.statusCode = 401;
        response.end('Unauthorized', () => (response.wasFinished = true));
      } else {
        response.writeHead(503, 'Busy', { 'Content-Type': 'text/plain', 'Retry-After': 7 });
        response.write('try ');
        response.write(Buffer.from('again'));
        response.end();
      }
      assert.deepStrictEqual([response.headersSent, response.writableEnded], [true, true]);
    });
    const busy = await fetch(server.url + POLL);
    const fields = ['content-type', 'retry-after', 'x-kept', 'x-removed'].map((field) => busy.headers.get(field));
    assert.deepStrictEqual([busy.status, await busy.text(), ...fields], [503, 'try again', 'text/plain', '7', 'a, b', null]);
    const short = await fetch(server.url + POLL, { headers: { 'X-Short': 'yes' } });
    assert.deepStrictEqual([short.status, await short.text(), short.headers.get('x-kept')], [401, 'Unauthorized', 'a, b']);
  });

  test(`${name}: a WebSocket that a middleware of the engine answers itself does not open`, async () => {
    const server = await serve(Server);
    server.engine.on('connection', () => assert.fail('connected all the same'));
    server.engine.use((request, response) => {
      response.writeHead(503);
      response.end();
    });
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    socket.on('open', () => assert.fail('opened all the same'));
    const [{ message }] = await next(socket, 'error');
    // Where the engine answers, the client is told why.
    assert.strictEqual(message, Server === ours.Server ? 'Unexpected server response: 503' : 'socket hang up');
  });
}

test('other values than Buffers and ArrayBuffers are refused', async () => {
  const server = await serve(ours.Server);
  const { socket } = await pair(ours.connect, server);
  socket.io.engine.binaryType = 'nodebuffer';
  assert.throws(() => (socket.io.engine.binaryType = 'blob'), { code: 'SOCKLINE_ERR_UNSUPPORTED' });
  assert.strictEqual(opened.servers.size, 1);
});
