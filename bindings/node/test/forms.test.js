'use strict';
// Options and forms of ws that are easily forgotten: streams, Blobs, signals, pings that are left to the program, events one at a time,
// limits of fragments. Each story is told by ours and by the real ws.

const assert = require('node:assert');
const { once } = require('node:events');
const { pipeline } = require('node:stream/promises');
const { test } = require('node:test');

const { PAIRS, connect, finish, listen, next, ours, pattern, theirs } = require('./support');

const PACKAGES = [
  { name: 'ours', Package: ours },
  { name: 'ws (for comparison)', Package: theirs },
];

for (const { name, Package } of PACKAGES) {
  test(`${name}: nothing waits in a connection that a server is told of`, async () => {
    const waiting = [];
    const server = await listen(Package, (socket) => {
      waiting.push(socket.bufferedAmount);
      socket.send(Buffer.alloc(10));
      if (Package === ours) waiting.push(socket.bufferedAmount);
      setImmediate(() => waiting.push(socket.bufferedAmount));
    });
    const socket = new Package(server.url);
    await next(socket, 'message');
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.deepStrictEqual(waiting, Package === ours ? [0, 12, 0] : [0, 0]);
    await finish(server, socket);
  });

  test(`${name}: null is no subprotocol`, () => {
    assert.throws(() => new Package('ws://127.0.0.1:1', null), SyntaxError);
  });
}

for (const { name, Client, Server } of PAIRS) {
  test(`${name}: Blobs are sent in their turn, and counted`, async () => {
    const server = await listen(Server);
    const socket = await connect(Client, server.url);
    const done = [];
    const seen = [];
    const all = new Promise((resolve) => socket.on('message', (data, isBinary) => seen.push([data.toString(), isBinary]) === 4 && resolve()));
    socket.send(new Blob(['a blob']), () => done.push('blob'));
    assert.strictEqual(socket.bufferedAmount, 6);
    socket.send('text behind', () => done.push('text'));
    socket.send(new File(['a file'], 'name'), { binary: false }, () => done.push('file'));
    socket.send('and text', () => done.push('last'));
    await all;
    assert.deepStrictEqual(seen, [['a blob', true], ['text behind', false], ['a file', false], ['and text', false]]);
    assert.deepStrictEqual(done, ['blob', 'text', 'file', 'last']);
    const closed = next(socket, 'close');
    const [last] = [next(socket, 'message')];
    socket.send(new Blob(['before the close']));
    socket.close(4001, 'reason');
    assert.strictEqual(socket.readyState, socket.CLOSING);
    const late = new Promise((resolve) => socket.send('too late', resolve));
    assert.match((await late).message, /^WebSocket is not open: readyState 2 \(CLOSING\)/);
    assert.strictEqual((await last)[0].toString(), 'before the close');
    assert.strictEqual((await closed)[0], 4001);
    await finish(server);
  });

  test(`${name}: pings and pongs may be Blobs, and have any size when it is too late`, async () => {
    const seen = [];
    const server = await listen(Server, (socket) => {
      for (const event of ['ping', 'pong', 'message']) socket.on(event, (data) => seen.push(`${event} ${data}`));
    });
    const socket = await connect(Client, server.url);
    const tooLong = 'x'.repeat(126);
    const sent = new Promise((resolve) => socket.ping(new Blob(['a ping']), true, resolve));
    socket.pong(new Blob(['a pong']));
    socket.ping('behind');
    const all = new Promise((resolve) => socket.send('last', resolve));
    assert.strictEqual(socket.bufferedAmount, 22);
    for (const data of [tooLong, new Blob([tooLong])]) assert.throws(() => socket.ping(data), RangeError);
    assert.ok(!(await sent));
    await all;
    const closed = next(socket, 'close');
    socket.close();
    for (const data of [tooLong, new Blob([tooLong])]) {
      const late = new Promise((resolve) => socket.pong(data, true, resolve));
      assert.match((await late).message, /^WebSocket is not open: readyState [23]/);
    }
    await closed;
    assert.deepStrictEqual(seen, ['ping a ping', 'pong a pong', 'ping behind', 'message last']);
    await finish(server);
  });

  test(`${name}: a WebSocket as a Duplex carries what is piped through it`, async () => {
    const server = await listen(Server, (socket) => {
      const duplex = Server.createWebSocketStream(socket);
      duplex.pipe(duplex);
    });
    const socket = new Client(server.url, { perMessageDeflate: false });
    const duplex = Client.createWebSocketStream(socket, { readableObjectMode: false, highWaterMark: 1000 });
    const data = pattern(3_000_000);
    const received = [];
    duplex.on('data', (chunk) => received.push(chunk));
    let written = 0;
    for (let at = 0; at < data.length; at += 100_000) {
      if (!duplex.write(data.subarray(at, at + 100_000))) await once(duplex, 'drain'); // also before it is open
      written += 1;
    }
    assert.strictEqual(written, 30);
    while (Buffer.concat(received).length < data.length) await once(duplex, 'data');
    const order = [];
    for (const event of ['finish', 'end', 'close']) duplex.on(event, () => order.push(event));
    const over = once(duplex, 'close');
    duplex.end();
    await over;
    assert.deepStrictEqual(order, ['finish', 'end', 'close']);
    assert.ok(Buffer.concat(received).equals(data));
    assert.strictEqual(socket.readyState, socket.CLOSED);
    await finish(server);
  });

  test(`${name}: pings are left to a program that wants that`, async () => {
    for (const autoPong of [true, false]) {
      const server = await listen(Server, undefined, { autoPong });
      const socket = await connect(Client, server.url);
      const [peer] = server.clients;
      const pongs = [];
      socket.on('pong', (data) => pongs.push(data.toString()));
      const pinged = next(peer, 'ping');
      socket.ping('by itself');
      assert.strictEqual((await pinged)[0].toString(), 'by itself');
      peer.pong('by the program');
      while (pongs.at(-1) !== 'by the program') await next(socket, 'pong');
      assert.deepStrictEqual(pongs, autoPong ? ['by itself', 'by the program'] : ['by the program']);
      await finish(server, socket);
    }
  });
}

for (const { name, Package } of PACKAGES) {
  test(`${name}: a stream's errors, ends and options`, async () => {
    let peer;
    const server = await listen(theirs, (socket) => (peer = socket));
    // It is never open.
    const refused = Package.createWebSocketStream(new Package('ws://127.0.0.1:1'));
    refused.end('never sent');
    const over = new Promise((resolve) => refused.once('close', resolve));
    const [error] = await once(refused, 'error');
    assert.strictEqual(error.code, 'ECONNREFUSED');
    await over;
    // Destroying it cuts the connection.
    const destroyed = Package.createWebSocketStream(await connect(Package, server.url));
    const cut = next(peer, 'close');
    destroyed.destroy();
    assert.strictEqual((await cut)[0], 1006);
    // What the peer breaks is the stream's error.
    const broken = Package.createWebSocketStream(await connect(Package, server.url));
    peer._socket.write(Buffer.from([0x85, 0x00]));
    const gone = new Promise((resolve) => broken.once('close', resolve));
    assert.strictEqual((await once(broken, 'error'))[0].code, 'WS_ERR_INVALID_OPCODE');
    await gone;
    // The peer's end is the end; texts are strings for who reads objects, and what is written is never one.
    const reading = Package.createWebSocketStream(await connect(Package, server.url), { readableObjectMode: true, objectMode: true });
    assert.deepStrictEqual([reading.readableObjectMode, reading.writableObjectMode], [true, false]);
    assert.throws(() => reading.write({}), { code: 'ERR_INVALID_ARG_TYPE' });
    const chunks = reading.toArray();
    peer.send('text');
    peer.send(Buffer.from('bytes'));
    peer.close(1000);
    assert.deepStrictEqual(await chunks, ['text', Buffer.from('bytes')]);
    // A pipeline that fails takes it along.
    const piped = Package.createWebSocketStream(await connect(Package, server.url));
    const failing = (async function* source() {
      yield 'first';
      throw new Error('of the source');
    })();
    await assert.rejects(pipeline(failing, piped), { message: 'of the source' });
    assert.ok(piped.destroyed);
    await finish(server);
  });

  test(`${name}: a stream that nobody reads pauses the connection`, async () => {
    let peer;
    const server = await listen(theirs, (socket) => (peer = socket));
    const socket = await connect(Package, server.url);
    const duplex = Package.createWebSocketStream(socket);
    for (let nth = 0; nth < 20; nth++) peer.send(Buffer.alloc(1 << 20));
    while (!socket.isPaused) await new Promise(setImmediate);
    assert.ok(duplex.readableLength >= 1 << 20);
    let bytes = 0;
    for await (const { length } of duplex) {
      bytes += length;
      if (bytes === 20 << 20) break;
    }
    await finish(server);
  });

  test(`${name}: a signal gives the attempt up, and leaves what is open alone`, async () => {
    const server = await listen(theirs);
    const early = new AbortController();
    const attempt = new Package(server.url, { signal: early.signal });
    const reason = new Error('of the program');
    const closed = new Promise((resolve) => attempt.once('close', resolve));
    early.abort(reason);
    const [error] = await once(attempt, 'error');
    assert.deepStrictEqual([error.name, error.code, error.message, error.cause], ['AbortError', 'ABORT_ERR', 'The operation was aborted', reason]);
    assert.strictEqual(await closed, 1006);
    const already = new Package(server.url, { signal: AbortSignal.abort() });
    assert.strictEqual((await once(already, 'error'))[0].name, 'AbortError');
    const late = new AbortController();
    const socket = await connect(Package, server.url, [], { signal: late.signal });
    late.abort();
    socket.send('still here');
    assert.strictEqual((await next(socket, 'message'))[0].toString(), 'still here');
    socket.terminate();
    assert.throws(() => new Package(server.url, { signal: 5 }), { code: 'ERR_INVALID_ARG_TYPE' });
  });

  test(`${name}: each event comes in a turn of its own, if that is wanted`, async () => {
    for (const allowSynchronousEvents of [true, false]) {
      const server = await listen(theirs, (socket) => {
        socket._socket.cork();
        for (const text of ['a', 'b', 'c']) socket.send(text);
        socket.close(1000);
        socket._socket.uncork();
      });
      const socket = new Package(server.url, { allowSynchronousEvents, perMessageDeflate: false });
      const order = [];
      socket.on('message', (data) => {
        order.push(data.toString());
        setImmediate(() => order.push('turn'));
      });
      await next(socket, 'close');
      const text = order.join(' ');
      if (allowSynchronousEvents) assert.match(text, /^a b c/);
      else assert.match(text, /^a turn b turn c/);
      await finish(server);
    }
  });

  test(`${name}: a message of too many fragments ends the connection`, async () => {
    const server = await listen(Package, undefined, { maxFragments: 3 });
    for (const [fragments, code] of [[3, 1000], [4, 1008]]) {
      const socket = await connect(theirs, server.url);
      const [peer] = server.clients;
      const failed = once(peer, 'message').catch((error) => error);
      for (let nth = 1; nth <= fragments; nth++) socket.send('x', { fin: nth === fragments });
      const result = await failed;
      if (code === 1008) assert.deepStrictEqual([result.code, result.name], ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 'RangeError']);
      else socket.close(1000);
      assert.strictEqual((await next(socket, 'close'))[0], code);
    }
    await finish(server);
  });

  test(`${name}: headers of the handshake are taken apart and put together`, () => {
    const { extension, subprotocol } = Package;
    const offers = extension.parse('a; b=1; c, d; e="f\\g", a');
    assert.deepStrictEqual(JSON.parse(JSON.stringify(offers)), { a: [{ b: ['1'], c: [true] }, {}], d: [{ e: ['fg'] }] });
    assert.strictEqual(extension.format(offers), 'a; b=1; c, a, d; e=fg');
    assert.deepStrictEqual([...subprotocol.parse('a,  b')], ['a', 'b']);
    for (const [parse, header, message] of [
      [extension.parse, 'a; b=', 'Unexpected end of input'],
      [extension.parse, 'a; b=""', 'Unexpected character at index 6'],
      [extension.parse, ' a', 'Unexpected character at index 0'],
      [extension.parse, 'a, b ', 'Unexpected end of input'],
      [subprotocol.parse, 'a,,b', 'Unexpected character at index 2'],
      [subprotocol.parse, 'a, a', 'The "a" subprotocol is duplicated'],
    ]) {
      assert.throws(() => parse(header), { name: 'SyntaxError', message });
    }
  });
}

test('what can not be honoured is refused, by its name, and with a reason; what asks for nothing is taken', async () => {
  const refused = {
    generateMask() {}, insecureHTTPParser: true, joinDuplicateHeaders: true, maxHeaderSize: 1, setHost: false, uniqueHeaders: [], defaultPort: 81,
    requestCert: true, ticketKeys: 'x',
  };
  for (const [name, value] of Object.entries(refused)) {
    assert.throws(() => new ours('wss://127.0.0.1:1', { [name]: value }), {
      code: 'SOCKLINE_ERR_UNSUPPORTED',
      message: new RegExp(`^option ${name}: .{10}`),
    });
  }
  const taken = { agent: undefined, setHost: true, defaultPort: 443, hints: 0, enableTrace: false, requestCert: false, lookup: null };
  const [error] = await once(new ours('wss://127.0.0.1:1', taken), 'error');
  assert.strictEqual(error.code, 'ECONNREFUSED');
});
