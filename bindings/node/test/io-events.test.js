'use strict';

const assert = require('node:assert');
const test = require('node:test');

const { forAll, next, pair, serve, settled } = require('./io-support');

/** Values that must arrive as they were; the last is nested, and has an own property that objects inherit. */
const VALUES = [
  [],
  ['text', 'κόσμε \u{1f600}', '\u2028 "quoted" \\ \n'],
  [1, -0.5, 1e300, Number.MAX_SAFE_INTEGER, true, null],
  [{ a: [1, { b: ['c', {}] }], hasOwnProperty: 1 }],
  [JSON.parse('{"_placeholder":false,"num":0}')],
];

forAll(({ name, Server, connect, transports }) => {
  test(`${name}: values arrive as they were, both ways`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    for (const values of VALUES) {
      peer.emit('to client', ...values);
      assert.deepStrictEqual(await next(socket, 'to client'), values);
      socket.emit('to server', ...values);
      assert.deepStrictEqual(await next(peer, 'to server'), values);
    }
  });

  test(`${name}: binary values arrive as buffers, at any depth`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    const bytes = Buffer.from([0, 1, 2, 255]);
    const large = Buffer.alloc(100_000, 7);
    const sent = [bytes, { deep: [new Uint8Array(bytes), { deeper: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 4) }] }, large, new Uint16Array([1])];
    const expected = [bytes, { deep: [bytes, { deeper: bytes }] }, large, Buffer.from([1, 0])];
    for (const [from, to] of [[peer, socket], [socket, peer]]) {
      from.emit('binary', ...sent, 'last');
      assert.deepStrictEqual(await next(to, 'binary'), [...expected, 'last']);
    }
  });

  test(`${name}: answers come back, with binary values, too`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    const answer = (...args) => {
      const callback = args.pop();
      callback(...args, { ok: true });
      callback('a second answer is never sent');
    };
    for (const [from, to] of [[peer, socket], [socket, peer]]) {
      to.on('question', answer);
      const got = await new Promise((resolve) => {
        from.emit('question', 'ä', Buffer.from('binary'), (...args) => resolve(args));
      });
      assert.deepStrictEqual(got, ['ä', Buffer.from('binary'), { ok: true }]);
      assert.strictEqual(await from.emitWithAck('question', 1), 1);
      assert.strictEqual(await from.timeout(5000).emitWithAck('question', 2), 2);
    }
  });

  test(`${name}: an answer that does not come is an error in time`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    for (const from of [peer, socket]) {
      await assert.rejects(from.timeout(50).emitWithAck('nobody listens'), { message: 'operation has timed out' });
      const error = await new Promise((resolve) => from.timeout(50).emit('nobody listens', resolve));
      assert.strictEqual(error.message, 'operation has timed out');
    }
  });

  test(`${name}: thousands of events keep their order across the upgrade`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    const COUNT = 3000;
    const ordered = (emitter) =>
      new Promise((resolve, reject) => {
        let expected = 0;
        emitter.on('number', (number) => {
          if (number !== expected++) reject(new Error(`${number} instead of ${expected - 1}`));
          if (expected === COUNT) resolve();
        });
      });
    const done = Promise.all([ordered(socket), ordered(peer)]);
    let sent = 0;
    const more = () => {
      for (const end = sent + 100; sent < end; sent++) {
        socket.emit('number', sent);
        peer.emit('number', sent);
      }
      if (sent < COUNT) setImmediate(more);
    };
    more();
    await done;
    await settled(socket, peer, transports);
  });

  test(`${name}: reserved names can't be sent`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    for (const name of ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']) {
      const message = `"${name}" is a reserved event name`;
      assert.throws(() => socket.emit(name), { message });
      assert.throws(() => peer.emit(name), { message });
      assert.throws(() => server.emit(name), { message });
    }
  });

  test(`${name}: listeners for everything hear both directions`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    for (const [from, to] of [[peer, socket], [socket, peer]]) {
      const heard = [];
      const any = (...args) => heard.push(['in', ...args]);
      const outgoing = (...args) => heard.push(['out', ...args]);
      to.onAny(any).prependAny((event) => heard.push(['first', event]));
      from.onAnyOutgoing(outgoing);
      from.emit('one', 1);
      await next(to, 'one');
      assert.deepStrictEqual(heard, [['out', 'one', 1], ['first', 'one'], ['in', 'one', 1]]);
      assert.strictEqual(to.listenersAny().length, 2);
      assert.deepStrictEqual(from.listenersAnyOutgoing(), [outgoing]);
      to.offAny(any).offAny();
      from.offAnyOutgoing(outgoing);
      from.emit('two');
      await next(to, 'two');
      assert.strictEqual(heard.length, 3);
    }
  });

  test(`${name}: once, off, send`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    for (const [from, to] of [[peer, socket], [socket, peer]]) {
      const heard = [];
      const listener = (value) => heard.push(value);
      to.once('one', listener);
      to.on('two', listener);
      to.off('two', listener);
      from.emit('one', 1);
      from.emit('one', 2);
      from.emit('two', 3);
      from.send('a message', 4);
      assert.deepStrictEqual(await next(to, 'message'), ['a message', 4]);
      assert.deepStrictEqual(heard, [1]);
    }
  });

  test(`${name}: namespaces share the connection`, async () => {
    const server = await serve(Server);
    server.of('/chat');
    const { socket, peer } = await pair(connect, server, { transports });
    const other = socket.io.socket('/chat', {});
    const [[otherPeer]] = await Promise.all([next(server.of('/chat'), 'connection'), next(other, 'connect')]);
    assert.strictEqual(otherPeer.conn.id, peer.conn.id);
    assert.strictEqual(otherPeer.client, peer.client);
    assert.notStrictEqual(other.id, socket.id);
    socket.on('where', () => assert.fail('the wrong namespace'));
    otherPeer.emit('where', '/chat');
    assert.deepStrictEqual(await next(other, 'where'), ['/chat']);
    other.disconnect();
    assert.deepStrictEqual((await next(otherPeer, 'disconnect'))[0], 'client namespace disconnect');
    assert.strictEqual(socket.connected && peer.connected, true);
  });

  test(`${name}: an unknown namespace is refused, and the connection goes on`, async () => {
    const server = await serve(Server);
    const { socket, peer } = await pair(connect, server, { transports });
    const unknown = socket.io.socket('/unknown', {});
    const [error] = await next(unknown, 'connect_error');
    assert.strictEqual(error.message, 'Invalid namespace');
    assert.strictEqual(unknown.active, false);
    peer.emit('still here');
    await next(socket, 'still here');
  });
});
