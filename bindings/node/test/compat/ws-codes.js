'use strict';
// What a package of ws's shape says of bytes that break RFC 6455.

const { createHash } = require('node:crypto');
const { once } = require('node:events');
const http = require('node:http');
const net = require('node:net');

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const FIN = 0x80;
const [TEXT, CLOSE, PING, CONTINUATION] = [0x1, 0x8, 0x9, 0x0];

/** What a client sends, by the code that the server's error has then. */
const TO_SERVER = {
  WS_ERR_EXPECTED_FIN: frame(PING, ''),
  WS_ERR_EXPECTED_MASK: Buffer.from([FIN | TEXT, 0]),
  WS_ERR_INVALID_CLOSE_CODE: frame(FIN | CLOSE, Buffer.from([0x03, 0xed])), // 1005
  WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH: frame(FIN | PING, 'x'.repeat(126)),
  WS_ERR_INVALID_OPCODE: frame(FIN | 0x3, ''),
  WS_ERR_INVALID_UTF8: frame(FIN | TEXT, Buffer.from([0xff])),
  WS_ERR_TOO_MANY_BUFFERED_PARTS: Buffer.concat([frame(TEXT, 'a'), frame(CONTINUATION, 'b'), frame(CONTINUATION, 'c'), frame(FIN, 'd')]),
  WS_ERR_UNEXPECTED_RSV_1: frame(FIN | 0x40 | TEXT, 'a'),
  WS_ERR_UNEXPECTED_RSV_2_3: frame(FIN | 0x20 | TEXT, 'a'),
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: Buffer.from([FIN | TEXT, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]),
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: frame(FIN | TEXT, 'x'.repeat(200)),
};
/** The same of a server's bytes. */
const TO_CLIENT = { WS_ERR_UNEXPECTED_MASK: frame(FIN | TEXT, 'a') };

/** With a mask of zeros. */
function frame(first, payload) {
  const bytes = Buffer.from(payload);
  const length = bytes.length < 126 ? [FIN | bytes.length] : [FIN | 126, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([Buffer.from([first, ...length, 0, 0, 0, 0]), bytes]);
}

/** The code of each error, by the one that it should be. */
async function codesOf(Package) {
  const codes = new Map();
  for (const [code, bytes] of Object.entries(TO_SERVER)) codes.set(code, await ofServer(Package, bytes));
  for (const [code, bytes] of Object.entries(TO_CLIENT)) codes.set(code, await ofClient(Package, bytes));
  return codes;
}

async function ofServer(Package, bytes) {
  const server = new Package.WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 150, maxFragments: 2 });
  await once(server, 'listening');
  const socket = net.connect(server.address().port, '127.0.0.1');
  socket.on('error', () => {});
  const head = ['GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  socket.write(`${[...head, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='].join('\r\n')}\r\n\r\n`);
  const [peer] = await once(server, 'connection');
  const code = codeOf(peer);
  socket.write(bytes);
  const found = await code;
  socket.destroy();
  server.close();
  peer.terminate();
  return found;
}

async function ofClient(Package, bytes) {
  const server = http.createServer().listen(0, '127.0.0.1');
  server.on('upgrade', ({ headers }, socket) => {
    const accept = createHash('sha1').update(headers['sec-websocket-key'] + GUID).digest('base64');
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
    socket.on('error', () => {});
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    socket.write(bytes);
  });
  await once(server, 'listening');
  const socket = new Package(`ws://127.0.0.1:${server.address().port}`);
  const found = await codeOf(socket);
  socket.terminate();
  server.close();
  server.closeAllConnections();
  return found;
}

/** Of the error, or nothing if the bytes are taken for a message. */
function codeOf(socket) {
  return new Promise((resolve) => {
    socket.on('error', ({ code }) => resolve(code));
    socket.on('message', () => resolve(undefined));
  });
}

module.exports = { codesOf };
