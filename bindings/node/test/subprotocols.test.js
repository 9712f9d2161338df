'use strict';
// What a client makes of the subprotocol that a server chooses, or doesn't: ours, of browsers and of ws (the real one), at servers that are
// not bound by any rule.

const assert = require('node:assert');
const http = require('node:http');
const { test } = require('node:test');
const { WebSocketStream } = require('sockline');
const { WebSocket: Browsers } = require('sockline/whatwg');
const { connect, finish, next, opened, ours, theirs } = require('./support');
const { bare, requestOn, upgrade } = require('./whatwg/servers');

const TEXT = Buffer.from([0x81, 1, 0x61]); // comes in one piece with the answer
const CASES = [
  { offered: ['a', 'b'], chosen: 'b', isGood: true },
  { offered: [], chosen: undefined, isGood: true },
  { offered: ['a'], chosen: undefined, error: 'Server sent no subprotocol' },
  { offered: ['a'], chosen: 'c' },
  { offered: ['a', 'b'], chosen: 'a, b' },
  { offered: ['a'], chosen: 'A' },
  { offered: [], chosen: 'a' },
];

/** A server that chooses this, whatever it is asked, and says something at once. */
async function choosing(t, chosen) {
  const server = await bare(t, async (socket) => {
    const lines = chosen === undefined ? [] : [`Sec-WebSocket-Protocol: ${chosen}`];
    socket.cork();
    upgrade(socket, await requestOn(socket), ...lines);
    socket.write(TEXT);
    socket.uncork();
  });
  return `ws://127.0.0.1:${server.address().port}`;
}

for (const { offered, chosen, isGood, error } of CASES) {
  const name = `${chosen === undefined ? 'none' : `'${chosen}'`} chosen of [${offered}]`;

  test(`${name}: as in ws`, async (t) => {
    const url = await choosing(t, chosen);
    const stories = [];
    for (const Client of [theirs, ours]) {
      const socket = new Client(url, offered);
      const story = [];
      for (const event of ['upgrade', 'open', 'message', 'close']) socket.on(event, (what) => story.push(event === 'close' ? `close ${what}` : event));
      socket.on('message', () => socket.terminate());
      socket.on('error', ({ message, code }) => {
        story.push('error');
        if (error) assert.strictEqual(message, error);
        if (error && Client === ours) assert.strictEqual(code, 'SOCKLINE_ERR_HANDSHAKE_FAILED');
      });
      await new Promise((resolve) => socket.on('close', resolve));
      stories.push([...story.filter((event) => event !== 'upgrade'), socket.protocol, socket.readyState]);
    }
    assert.deepStrictEqual(stories[1], stories[0]);
    assert.strictEqual(stories[0].includes('open'), Boolean(isGood));
  });

  test(`${name}: as in browsers`, async (t) => {
    const url = await choosing(t, chosen);
    const socket = new Browsers(url, offered);
    const types = [];
    for (const type of ['open', 'message', 'error', 'close']) socket.addEventListener(type, () => types.push(type));
    socket.addEventListener('message', () => socket.close());
    await Promise.race(['message', 'close'].map((type) => new Promise((resolve) => socket.addEventListener(type, resolve))));
    assert.deepStrictEqual(types, isGood ? ['open', 'message'] : ['error', 'close']);
    assert.strictEqual(socket.protocol, isGood ? (chosen ?? '') : '');
    const stream = new WebSocketStream(url, { protocols: offered });
    if (!isGood) return assert.rejects(stream.opened, { name: 'WebSocketError' });
    assert.strictEqual((await stream.opened).protocol, chosen ?? '');
    return stream.close();
  });
}


for (const [place, make] of Object.entries({ 'on a port of its own': () => ({ port: 0 }), 'on a server of the http module': () => ({ server: http.createServer().listen(0) }) })) {
  test(`a choice that the client has not offered is no choice, and fails that client only; ${place}`, async () => {
    const options = make();
    const server = new ours.Server({ ...options, handleProtocols: () => 'mine' });
    opened.servers.add(server);
    await next(server, 'listening');
    const url = `ws://127.0.0.1:${server.address().port}`;
    const connection = next(server, 'connection');
    const [error] = await next(new theirs(url, ['other']), 'error').catch((thrown) => [thrown]);
    assert.strictEqual(error.message, 'Server sent no subprotocol');
    const [peer] = await connection;
    assert.strictEqual(peer.protocol, '');
    const client = await connect(theirs, url, ['other', 'mine']);
    assert.strictEqual(client.protocol, 'mine');
    await finish(server, client);
    options.server?.close();
  });
}
