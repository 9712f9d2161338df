'use strict';
// Engine.IO below the sockets: its packets at both ends, and the ids of its sessions. The same with the official packages.

const assert = require('node:assert');
const test = require('node:test');

const { client, next, ours, pair, serve, settled, theirs } = require('./io-support');

const BOTH = [{ ...ours, name: 'ours' }, { ...theirs, name: 'socket.io (for comparison)' }];

/** What the emitter tells of packets, without the beats. */
function watch(emitter) {
  const told = [];
  for (const name of ['packet', 'packetCreate']) {
    emitter.on(name, ({ type, data }) => {
      if (type === 'message') told.push([name, typeof data === 'string' ? data : [...data]]);
    });
  }
  return told;
}

for (const { Server, connect, name } of BOTH) {
  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    test(`${name}, ${transports}: packets are told at both ends`, async () => {
      const server = await serve(Server);
      const { socket, peer } = await pair(connect, server, { transports });
      await settled(socket, peer, transports);
      const [there, here] = [watch(peer.conn), watch(socket.io.engine)];
      const messages = [];
      for (const event of ['data', 'message']) peer.conn.on(event, (data) => messages.push([event, data.toString()]));
      peer.on('a', (data, answer) => answer(data));
      const answer = await socket.emitWithAck('a', 'ä');
      server.emit('b', Buffer.from([1, 2]));
      const [bytes] = await next(socket, 'b');
      assert.deepStrictEqual([answer, [...bytes]], ['ä', [1, 2]]);
      const [event, ack] = ['20["a","ä"]', '30["ä"]'];
      const binary = '51-["b",{"_placeholder":true,"num":0}]';
      assert.deepStrictEqual(there, [
        ['packet', event],
        ['packetCreate', ack],
        ['packetCreate', binary],
        ['packetCreate', [1, 2]],
      ]);
      assert.deepStrictEqual(here, [
        ['packetCreate', event],
        ['packet', ack],
        ['packet', binary],
        ['packet', [1, 2]],
      ]);
      assert.deepStrictEqual(messages, [
        ['data', event],
        ['message', event],
      ]);
    });
  }

  test(`${name}: beats are told`, async () => {
    const server = await serve(Server, { pingInterval: 30 });
    const { socket, peer } = await pair(connect, server, { transports: ['websocket'] });
    const told = [];
    const done = Promise.all([next(peer.conn, 'heartbeat'), next(socket.io, 'ping')]);
    peer.conn.on('packetCreate', (packet) => told.push(['created', packet.type, packet.data]));
    peer.conn.on('packet', (packet) => told.push(['came', packet.type, packet.data]));
    const beats = new Set();
    socket.io.engine.on('packet', ({ type }) => beats.add(type));
    socket.io.engine.on('packetCreate', ({ type }) => beats.add(type));
    await done;
    const first = told.findIndex(([, type]) => type === 'ping');
    assert.deepStrictEqual(told.slice(first, first + 2), [
      ['created', 'ping', undefined],
      ['came', 'pong', undefined],
    ]);
    assert.deepStrictEqual([...beats], ['ping', 'pong']);
  });

  for (const transports of [['websocket'], ['polling', 'websocket']]) {
    test(`${name}, ${transports}: sessions have ids that the program makes`, async () => {
      const server = await serve(Server);
      let count = 0;
      const asked = [];
      server.engine.generateId = async (request) => {
        asked.push(request.url.split('?')[0]);
        count += 1;
        return `user-${count}`;
      };
      for (const id of ['user-1', 'user-2']) {
        const { socket, peer } = await pair(connect, server, { transports });
        await settled(socket, peer, transports);
        assert.deepStrictEqual([peer.conn.id, peer.client.id, socket.io.engine.id], [id, id, id]);
        assert.strictEqual(await new Promise((resolve) => {
          peer.on('a', resolve);
          socket.emit('a', 1);
        }), 1);
      }
      assert.deepStrictEqual(asked, ['/socket.io/', '/socket.io/']);
    });
  }

  test(`${name}: a session without an id is refused`, async () => {
    const server = await serve(Server);
    const failure = new Error('no ids left');
    server.engine.generateId = () => {
      throw failure;
    };
    const refused = next(server.engine, 'connection_error');
    const socket = client(connect, server.url, { transports: ['polling'] });
    const [[{ code, message, context }]] = await Promise.all([refused, next(socket, 'connect_error')]);
    assert.deepStrictEqual([code, message, context.name], [3, 'Bad request', 'ID_GENERATION_ERROR']);
    assert.strictEqual(context.error, failure);
  });

  test(`${name}: the engine makes ids itself`, async () => {
    const server = await serve(Server);
    assert.match(await server.engine.generateId({}), /^[\w-]{20}$/);
  });
}

test('an id that cannot be one is refused in words', async () => {
  const server = await serve(ours.Server);
  server.engine.generateId = () => 'a b';
  const refused = next(server.engine, 'connection_error');
  client(ours.connect, server.url);
  const [{ context }] = await refused;
  assert.match(context.error, /visible ASCII/);
});
