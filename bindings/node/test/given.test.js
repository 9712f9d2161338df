'use strict';
// Listening on a socket that is given, and sharing a port.

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const net = require('node:net');
const { once } = require('node:events');
const { test } = require('node:test');
const { theirs } = require('./support');
const { WebSocketServer } = require('..');

async function listening(options) {
  const server = new WebSocketServer({ host: '127.0.0.1', ...options });
  await once(server, 'listening');
  return server;
}

function closed(server) {
  return new Promise((resolve) => server.close(resolve));
}

/** What a foreign client hears first. */
async function heard(port) {
  const client = new theirs(`ws://127.0.0.1:${port}`);
  const [data] = await once(client, 'message');
  client.close();
  await once(client, 'close');
  return data.toString();
}

// As systemd starts a service: the socket is the descriptor 3.
const SERVICE = `
  const { WebSocketServer } = require(process.argv[1]);
  const server = new WebSocketServer({ fd: 3 }, () => console.log(server.address().port));
  server.on('connection', (socket) => socket.send('from ' + process.pid));
`;

test('a server listens on a descriptor', async () => {
  const socket = net.createServer().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  const child = spawn(process.execPath, ['-e', SERVICE, require.resolve('..')], { stdio: ['ignore', 'pipe', 'inherit', socket._handle] });
  const [line] = await once(child.stdout, 'data');
  assert.strictEqual(Number(line), port);
  socket.close(); // our own descriptor of it
  assert.strictEqual(await heard(port), `from ${child.pid}`);
  child.kill();
  await once(child, 'exit');
});

test('what is no descriptor to listen on is refused', async () => {
  assert.throws(() => new WebSocketServer({ fd: -1 }), /option fd must be a descriptor/);
  assert.throws(() => new WebSocketServer({ fd: 3, port: 1 }), /has its host and port already/);
  const server = new WebSocketServer({ fd: 4000 });
  const [error] = await once(server, 'error');
  assert.match(error.message, /descriptor 4000/);
  assert.throws(() => new WebSocketServer({}), /One and only one of the "port"/);
});

test('servers share a port if all say so', async () => {
  const first = await listening({ port: 0, reusePort: true });
  const { port } = first.address();
  const second = await listening({ port, reusePort: true });
  assert.strictEqual(second.address().port, port);
  const [error] = await once(new WebSocketServer({ host: '127.0.0.1', port }), 'error');
  assert.strictEqual(error.code, 'EADDRINUSE');
  await Promise.all([closed(first), closed(second)]);
});

test('IPv4 is left out if asked for', async () => {
  const server = await listening({ host: undefined, port: 0, ipv6Only: true });
  const [error] = await once(net.connect(server.address().port, '127.0.0.1'), 'error');
  assert.strictEqual(error.code, 'ECONNREFUSED');
  await closed(server);
});
