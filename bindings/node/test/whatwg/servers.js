'use strict';
// Servers for the tests of the browsers' interface: what probes.mjs asks for, and bare sockets.

const { createHash } = require('node:crypto');
const net = require('node:net');
const { once } = require('node:events');
const { listen, theirs } = require('../support');

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455 §1.3

/** The server of the probes: `Package` is ws or ours. */
async function probed(Package) {
  const handleProtocols = (offered) => (offered.has('b') ? 'b' : [...offered][0]);
  const server = await listen(Package, serve, { handleProtocols });
  server.url += '/';
  return server;
}

function serve(socket) {
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => {
    const [order, code, reason] = isBinary ? [] : String(data).split(' ');
    if (order === 'close' && code) socket.close(Number(code), reason);
    else if (order === 'break') breakIn(socket);
    else socket.send(data, { binary: isBinary });
  });
}

/** A frame with a reserved opcode; our own server can't be made to send one, and cuts the connection instead. */
function breakIn(socket) {
  if (socket instanceof theirs) socket._socket.write(Buffer.from([0x83, 0]));
  else socket.terminate();
}

/** A TCP server whose connections the test deals with; `accept(socket)` reads a request and answers it with 101. */
async function bare(t, onConnection, host = '127.0.0.1') {
  const server = net.createServer(onConnection).listen(0, host);
  const open = new Set();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
  });
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  return server;
}

/** The request as text, with its key in lower case headers. */
async function requestOn(socket) {
  let text = '';
  while (!text.includes('\r\n\r\n')) text += String((await once(socket, 'data'))[0]);
  return text;
}

function upgrade(socket, request, ...lines) {
  const [, key] = /^sec-websocket-key: (.*)\r$/im.exec(request);
  const accept = createHash('sha1').update(key + GUID).digest('base64');
  const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
  socket.write([...head, ...lines, '', ''].join('\r\n'));
}

/** Resolves with the next event of this type. */
function soon(target, type) {
  return new Promise((resolve, reject) => {
    target.addEventListener(type, resolve, { once: true });
    setTimeout(reject, 20_000, new Error(`no ${type}`)).unref();
  });
}

/** The types of all events of a socket, as they come. */
function noted(socket) {
  const types = [];
  for (const type of ['open', 'message', 'error', 'close']) socket.addEventListener(type, () => types.push(type));
  return types;
}

module.exports = { bare, noted, probed, requestOn, soon, upgrade };
