'use strict';
// When a process ends, and what a program's mistakes do to others.

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const path = require('node:path');
const test = require('node:test');
const { promisify } = require('node:util');

const { next, ours, pair, serve, theirs } = require('./io-support');

const PACKAGE = path.dirname(__dirname);

/** What a program prints, which has to end by itself. */
async function run(program) {
  const options = { cwd: PACKAGE, timeout: 60_000 };
  return (await promisify(execFile)(process.execPath, ['--expose-gc', '-e', program], options)).stdout;
}

const HEAD = `
  const { Server } = require('sockline/socket.io');
  const { io: connect } = require('sockline/socket.io-client');
`;

test('a process ends when its server is closed and its clients are disconnected', async () => {
  const printed = await run(`${HEAD}
    const server = new Server(0);
    const socket = connect('http://127.0.0.1:' + server.httpServer.address().port);
    socket.on('connect', () => socket.emit('hello', () => socket.disconnect()));
    server.on('connection', (peer) => {
      peer.on('hello', (answer) => answer());
      peer.on('disconnect', (reason) => server.close(() => console.log(reason)));
    });
  `);
  assert.strictEqual(printed, 'client namespace disconnect\n');
});

test('a process ends with a server of the http module, before and after its connections', async () => {
  const printed = await run(`${HEAD}
    const httpServer = require('http').createServer();
    const server = new Server(httpServer);
    httpServer.listen(0, () => {
      const socket = connect('http://127.0.0.1:' + httpServer.address().port, { transports: ['websocket'] });
      server.on('connection', () => server.close(() => console.log('closed')));
      socket.on('disconnect', () => socket.disconnect());
    });
    new Server(require('http').createServer()); // never listens
  `);
  assert.strictEqual(printed, 'closed\n');
});

test('a process ends when a client has given up, or is of no importance', async () => {
  const printed = await run(`${HEAD}
    const once = { reconnection: false };
    const few = { reconnectionAttempts: 1, reconnectionDelay: 1 };
    for (const options of [once, few]) {
      const socket = connect('http://127.0.0.1:1', { forceNew: true, ...options });
      socket.on('connect_error', (error) => console.log(error.message));
    }
    const server = new Server(0);
    server.on('connection', () => setImmediate(() => server.close()));
    connect('http://127.0.0.1:' + server.httpServer.address().port, { autoUnref: true });
  `);
  assert.strictEqual(printed, 'xhr poll error\n'.repeat(3));
});

test('a worker ends with open servers and clients', async () => {
  const printed = await run(`
    const { Worker } = require('worker_threads');
    const worker = new Worker(\`${HEAD}
      const server = new Server(0);
      const socket = connect('http://127.0.0.1:' + server.httpServer.address().port);
      socket.on('connect', () => require('worker_threads').parentPort.postMessage('connected'));
    \`, { eval: true });
    worker.on('message', async (message) => console.log(message, await worker.terminate()));
  `);
  assert.strictEqual(printed, 'connected 1\n');
});

test('nothing is left of clients that have gone, at either end', async () => {
  const printed = await run(`${HEAD}
    const server = new Server(0);
    const url = 'http://127.0.0.1:' + server.httpServer.address().port;
    const each = (list, event) => Promise.all(list.map((one) => new Promise((done) => one.once(event, done))));
    const left = new Map();
    const gone = new FinalizationRegistry((name) => left.set(name, left.get(name) - 1));
    function watch(name, objects) {
      left.set(name, (left.get(name) ?? 0) + objects.length);
      for (const one of objects) gone.register(one, name);
    }
    async function round() {
      const clients = Array.from({ length: 100 }, () => connect(url, { forceNew: true, transports: ['websocket'] }));
      await each(clients, 'connect');
      const sockets = [...server.sockets.sockets.values()];
      watch('clients', clients);
      watch('managers', clients.map((client) => client.io));
      watch('sockets', sockets);
      watch('connections', sockets.map((socket) => socket.conn));
      const disconnected = each(sockets, 'disconnect');
      for (const client of clients) client.disconnect();
      await disconnected;
    }
    (async () => {
      for (let i = 0; i < 3; i++) await round();
      // Finalizers run in tasks of their own, some only after the next collection.
      for (let i = 0; i < 500 && [...left.values()].some((count) => count > 0); i++) {
        gc();
        await new Promise(setImmediate);
      }
      console.log(JSON.stringify([...left]), server.engine.clientsCount);
      server.close();
    })();
  `);
  assert.strictEqual(printed, '[["clients",0],["managers",0],["sockets",0],["connections",0]] 0\n');
});

test('both can be imported', async () => {
  const printed = await run(`
    Promise.all([import('sockline/socket.io'), import('sockline/socket.io-client')]).then(([server, client]) => {
      console.log(typeof server.Server, typeof server.default, typeof client.io, client.io === client.default);
    });
  `);
  assert.strictEqual(printed, 'function function function true\n');
});

test('an exception in a listener is uncaught, and the others get their events', async () => {
  const server = await serve(ours.Server);
  const { socket, peer } = await pair(theirs.connect, server);
  const caught = new Promise((resolve) => {
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => {
      for (const listener of others) process.on('uncaughtException', listener);
      resolve(error);
    });
  });
  peer.on('bad', () => {
    throw new Error('in a listener');
  });
  socket.emit('bad');
  socket.emit('good');
  await next(peer, 'good');
  assert.strictEqual((await caught).message, 'in a listener');
});

test('what is nested too deep ends its client only', async () => {
  const server = await serve(ours.Server, { maxHttpBufferSize: 10e6 });
  const { peer, socket } = await pair(theirs.connect, server, { transports: ['websocket'] });
  const depth = 200_000;
  const text = `42["deep",${'['.repeat(depth)}${']'.repeat(depth)}]`;
  const gone = Promise.race([next(peer, 'disconnect'), next(peer, 'deep')]);
  socket.io.engine.write(text);
  await gone;
  const { peer: other } = await pair(theirs.connect, server);
  assert.strictEqual(other.connected, true);
});
