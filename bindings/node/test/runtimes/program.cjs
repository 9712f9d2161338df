'use strict';
// What is asked of a runtime; prints what came out of it as JSON, and has to end by itself.

const { once } = require('node:events');
const http = require('node:http');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const theirs = require('ws');
const ours = require('../..');
const { Server } = require('../../socket.io');
const { io } = require('../../socket.io-client');
const whatwg = require('../../whatwg');

const SIZES = [0, 1, 126, 70_000, 3 << 20];

async function listen(Package, options) {
  const server = new Package.WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
  server.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
  await once(server, 'listening');
  server.url = `ws://127.0.0.1:${server.address().port}`;
  return server;
}

function closed(server) {
  return new Promise((resolve) => server.close(resolve));
}

/** Messages of all sizes, texts, many at once, a close code. */
async function pair(Client, Package, options) {
  const server = await listen(Package, options);
  const socket = new Client(server.url);
  await once(socket, 'open');
  const got = [];
  const all = new Promise((resolve) => {
    socket.on('message', (data, isBinary) => got.push(isBinary ? data.length : String(data)) === SIZES.length + 1002 && resolve());
  });
  for (const size of SIZES) socket.send(Buffer.alloc(size, 7));
  socket.send(new DataView(new ArrayBuffer(8), 2, 3));
  socket.send('κόσμε');
  for (let i = 0; i < 1000; i++) socket.send(`number ${i}`);
  await all;
  const end = once(socket, 'close');
  socket.close(3001, 'bye');
  const [code, reason] = await end;
  await closed(server);
  return [got.slice(0, SIZES.length + 2), got.at(-1), code, String(reason)];
}

async function socketIo(server, port) {
  server.on('connection', (socket) => socket.on('event', (...args) => args.at(-1)(...args.slice(0, -1))));
  const answers = [];
  for (const transports of [['websocket'], ['polling']]) {
    const socket = io(`http://127.0.0.1:${port}`, { transports, forceNew: true, reconnection: false });
    await new Promise((resolve, reject) => socket.on('connect', resolve).on('connect_error', reject));
    const [object, bytes] = await new Promise((resolve) => {
      socket.emit('event', { x: 1 }, Buffer.from('abc'), (...args) => resolve(args));
    });
    answers.push([socket.io.engine.transport.name, object, String(bytes)]);
    socket.disconnect();
  }
  return answers;
}

async function listening() {
  const server = new Server(0);
  const answers = await socketIo(server, server.httpServer.address().port);
  await server.close();
  return answers;
}

async function attached() {
  const httpServer = http.createServer((request, response) => response.end('plain'));
  const server = new Server(httpServer);
  await new Promise((resolve) => httpServer.listen(0, '127.0.0.1', resolve));
  const { port } = httpServer.address();
  const answers = await socketIo(server, port);
  const plain = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  await server.close();
  return [...answers, plain];
}

async function browsers() {
  const server = await listen(theirs);
  const socket = new whatwg.WebSocket(server.url.replace('ws:', 'http:'));
  const order = [];
  const event = (type) => new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));
  await event('open');
  socket.binaryType = 'arraybuffer';
  socket.send(new Blob(['abc']));
  const { data, origin } = await event('message');
  socket.onmessage = (message) => {
    order.push(message.data);
    Promise.resolve().then(() => order.push(`after ${message.data}`));
  };
  socket.send('1');
  socket.send('2');
  const { bufferedAmount } = socket;
  while (order.length < 4) await event('message');
  const end = event('close');
  socket.close(3000, 'why');
  const { code, reason, wasClean } = await end;
  await closed(server);
  return [data.byteLength, origin === server.url, bufferedAmount, order, code, reason, wasClean];
}

/** The engine's timers, and exceptions of handlers, which must not take other events along. */
async function timers() {
  const server = await listen(ours, { pingInterval: 20, pingTimeout: 1000 });
  const thrown = [];
  const note = ({ message }) => thrown.push(message);
  process.on('uncaughtException', note);
  const socket = new ours(server.url);
  await once(socket, 'open');
  for (let i = 0; i < 3; i++) await once(socket, 'ping');
  const both = new Promise((resolve) => {
    let left = 2;
    socket.on('message', (data) => {
      left -= 1;
      if (left === 0) setTimeout(resolve, 10);
      throw new Error(`of ${data}`);
    });
  });
  socket.send('a');
  socket.send('b');
  await both;
  process.removeListener('uncaughtException', note);
  socket.terminate();
  await closed(server);
  return thrown;
}

/** Workers that are ended with a live pair, and that say when they have one. */
async function workers() {
  for (let i = 0; i < 8; i++) {
    const worker = new Worker(__filename);
    const [message] = await once(worker, 'message');
    if (message !== 'live') throw new Error(message);
    await worker.terminate();
  }
  return 'done';
}

async function inWorker() {
  const server = await listen(ours);
  const socket = new ours(server.url);
  await once(socket, 'open');
  socket.send('x');
  await once(socket, 'message');
  parentPort.postMessage('live');
  for (;;) {
    socket.send('x');
    await once(socket, 'message');
  }
}

async function main() {
  const answers = {
    'ours, ours': await pair(ours, ours),
    'ours, ws': await pair(ours, theirs),
    'ws, ours': await pair(theirs, ours),
    threads: await pair(theirs, ours, { threads: 2 }),
    'Socket.IO': await listening(),
    attached: await attached(),
    browsers: await browsers(),
    timers: await timers(),
    workers: await workers(),
  };
  console.log(JSON.stringify(answers));
}

if (isMainThread) main();
else inWorker();
