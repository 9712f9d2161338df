'use strict';
// permessage-deflate (RFC 7692) against the real ws: what is agreed on, and what then goes over the wire.

const assert = require('node:assert');
const { test } = require('node:test');
const zlib = require('node:zlib');
const { PAIRS, connect, finish, listen, next, ours, pattern, theirs } = require('./support');

const TEXT = 'the same words again and again, '.repeat(1000);

/** Options of both ends, and what ws answers to them. */
const AGREEMENTS = [
  [true, true],
  [{ serverNoContextTakeover: true }, true],
  [true, { serverNoContextTakeover: true, clientNoContextTakeover: true }],
  [{ clientNoContextTakeover: true }, {}],
  [{ serverMaxWindowBits: 10 }, true],
  [{ clientMaxWindowBits: 11 }, true],
  [true, { serverMaxWindowBits: 9, clientMaxWindowBits: 12 }],
  [{ clientMaxWindowBits: 13 }, { clientMaxWindowBits: 12 }],
  [true, false],
  [false, true],
];

for (const { name, Client, Server } of PAIRS) {
  test(`${name}: compressed messages come back, in all agreements`, async () => {
    for (const [ofClient, ofServer] of AGREEMENTS) {
      const server = await listen(Server, undefined, { perMessageDeflate: ofServer });
      const socket = await connect(Client, server.url, [], { perMessageDeflate: ofClient });
      const agreed = ofClient && ofServer ? 'permessage-deflate' : '';
      assert.strictEqual(socket.extensions, agreed);
      assert.strictEqual([...server.clients][0].extensions, agreed);
      const context = JSON.stringify([ofClient, ofServer]);
      for (const message of [TEXT, TEXT, '', 'short', pattern(100_000), pattern(100_000), Buffer.alloc(1 << 20)]) {
        socket.send(message);
        const [data, isBinary] = await next(socket, 'message');
        assert.ok(Buffer.from(message).equals(data), `${message.length} bytes with ${context}`);
        assert.strictEqual(isBinary, typeof message !== 'string');
      }
      await finish(server, socket);
    }
  });

  test(`${name}: fragments are compressed as one message`, async () => {
    const server = await listen(Server, undefined, { perMessageDeflate: true });
    const socket = await connect(Client, server.url, [], { perMessageDeflate: true });
    for (let at = 0; at < TEXT.length; at += 999) socket.send(TEXT.slice(at, at + 999), { fin: false });
    socket.send('', { fin: true });
    assert.strictEqual(String((await next(socket, 'message'))[0]), TEXT);
    await finish(server, socket);
  });
}

test('the answer to an offer is that of ws', async () => {
  for (const [ofClient, ofServer] of AGREEMENTS) {
    const answers = [];
    for (const Server of [theirs, ours]) {
      const server = await listen(Server, undefined, { perMessageDeflate: ofServer });
      const socket = new theirs(server.url, { perMessageDeflate: ofClient });
      const [[response]] = await Promise.all([next(socket, 'upgrade'), next(socket, 'open')]);
      answers.push(response.headers['sec-websocket-extensions']?.split('; ').sort());
      await finish(server, socket);
    }
    assert.deepStrictEqual(answers[1], answers[0], JSON.stringify([ofClient, ofServer]));
  }
});

test('the offer is that of ws', async () => {
  for (const [ofClient] of AGREEMENTS) {
    const offers = [];
    const server = await listen(theirs, (socket, request) => {
      offers.push(request.headers['sec-websocket-extensions']?.split('; ').sort());
    });
    for (const Client of [theirs, ours]) await connect(Client, server.url, [], { perMessageDeflate: ofClient });
    assert.deepStrictEqual(offers[1], offers[0], JSON.stringify(ofClient));
    await finish(server);
  }
});

test('a client offers compression unless it is told not to, a server takes none unless it is told to', async () => {
  for (const Server of [theirs, ours]) {
    for (const [perMessageDeflate, agreed] of [[undefined, ''], [true, 'permessage-deflate']]) {
      const server = await listen(Server, undefined, { perMessageDeflate });
      const socket = new ours(server.url);
      await next(socket, 'open');
      assert.strictEqual(socket.extensions, agreed);
      await finish(server, socket);
    }
  }
});

test('messages from threshold on are shorter on the wire, unless they say no', async () => {
  const server = await listen(theirs, undefined, { perMessageDeflate: true });
  const perMessageDeflate = { threshold: 2000, zlibDeflateOptions: { level: 9, memLevel: 9 } };
  const socket = await connect(ours, server.url, [], { perMessageDeflate });
  const [peer] = server.clients;
  const wire = async (message, options) => {
    const before = peer._socket.bytesRead;
    socket.send(message, options);
    await next(socket, 'message');
    return peer._socket.bytesRead - before;
  };
  assert.ok((await wire(Buffer.alloc(1999))) > 1999);
  assert.ok((await wire(Buffer.alloc(2000))) < 100);
  await finish(server, socket);
});

test('what is no DEFLATE data fails with zlib\'s code and 1007', async () => {
  for (const Server of [theirs, ours]) {
    let failed;
    const error = new Promise((resolve) => (failed = resolve));
    const server = await listen(Server, (socket) => socket.on('error', failed), { perMessageDeflate: true });
    const socket = await connect(theirs, server.url, [], { perMessageDeflate: true });
    const closed = next(socket, 'close');
    socket._socket.write(Buffer.from([0xc2, 0x84, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
    assert.strictEqual((await error).code, 'Z_DATA_ERROR');
    assert.strictEqual((await closed)[0], 1007);
    await finish(server);
  }
});

test('a bomb fails with 1009 as soon as it is over maxPayload', async () => {
  const errors = [];
  const server = await listen(ours, (socket) => socket.on('error', (error) => errors.push(error.code)), {
    perMessageDeflate: true,
    maxPayload: 1 << 20,
  });
  const socket = await connect(theirs, server.url, [], { perMessageDeflate: true });
  const closed = next(socket, 'close');
  const bomb = zlib.deflateRawSync(Buffer.alloc(64 << 20)); // 64 KiB
  const head = Buffer.from([0xc2, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(BigInt(bomb.length), 2);
  socket._socket.write(Buffer.concat([head, bomb]));
  assert.strictEqual((await closed)[0], 1009);
  assert.deepStrictEqual(errors, ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH']);
  await finish(server);
});

test('options that can\'t be honoured are refused', () => {
  const cases = [
    [{ clientNoContextTakeover: false }, 'SOCKLINE_ERR_UNSUPPORTED'],
    [{ zlibDeflateOptions: { strategy: 1 } }, 'SOCKLINE_ERR_UNSUPPORTED'],
    [{ zlibInflateOptions: { dictionary: Buffer.alloc(1) } }, 'SOCKLINE_ERR_UNSUPPORTED'],
    [{ clientMaxWindowBits: 8 }, 'ERR_OUT_OF_RANGE'],
    [{ zlibDeflateOptions: { level: 10 } }, 'ERR_OUT_OF_RANGE'],
    [{ threshold: -1 }, 'ERR_OUT_OF_RANGE'],
  ];
  for (const [perMessageDeflate, code] of cases) {
    assert.throws(() => new ours('ws://localhost', { perMessageDeflate }), { code }, JSON.stringify(perMessageDeflate));
  }
  for (const name of ['serverNoContextTakeover', 'serverMaxWindowBits']) {
    const options = { port: 0, perMessageDeflate: { [name]: false } };
    assert.throws(() => new ours.Server(options), { code: 'SOCKLINE_ERR_UNSUPPORTED' });
  }
  const harmless = { zlibDeflateOptions: { chunkSize: 1024, level: -1 }, concurrencyLimit: 2 };
  new ours('ws://127.0.0.1:1', { perMessageDeflate: harmless }).on('error', () => {});
});
