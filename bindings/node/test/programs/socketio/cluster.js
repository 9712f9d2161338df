'use strict';
// Two workers behind @socket.io/sticky, which hear each other through @socket.io/cluster-adapter. Prints one JSON line of what clients saw.

require('./redirect');

const cluster = require('node:cluster');
const { once } = require('node:events');
const http = require('node:http');

const { createAdapter, setupPrimary } = require('@socket.io/cluster-adapter');
const { setupMaster, setupWorker } = require('@socket.io/sticky');

const TRANSPORTS = [['polling'], ['polling', 'websocket'], ['websocket'], ['polling']];

if (cluster.isPrimary) primary().then(() => process.exit());
else worker();

async function primary() {
  const httpServer = http.createServer();
  setupMaster(httpServer, { loadBalancingMethod: 'round-robin' });
  setupPrimary();
  cluster.setupPrimary({ serialization: 'advanced' });
  await Promise.all([ready(cluster.fork()), ready(cluster.fork())]);
  httpServer.listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  const sockets = [];
  for (const transports of TRANSPORTS) sockets.push(await connected(httpServer.address().port, transports));
  const workers = await Promise.all(sockets.map((socket) => socket.emitWithAck('who are you')));
  const heard = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('news', (...args) => resolve(args)))));
  sockets[0].emit('tell all', Buffer.of(1, 2), 'text');
  const seen = {
    workers: new Set(workers).size,
    news: (await heard).map(([bytes, text]) => [bytes.toString('hex'), text]),
    count: await sockets[1].emitWithAck('how many'),
    answers: await sockets[2].emitWithAck('ask all'),
    servers: await sockets[3].emitWithAck('ask servers'),
  };
  console.log(JSON.stringify(seen));
  for (const socket of sockets) socket.close();
  for (const each of Object.values(cluster.workers)) each.kill();
}

function ready(each) {
  return new Promise((resolve) => each.on('message', (message) => message === 'ready' && resolve()));
}

async function connected(port, transports) {
  const { io } = require('socket.io-client');
  const socket = io(`http://127.0.0.1:${port}`, { forceNew: true, transports });
  socket.on('question', (answer) => answer(transports.join()));
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

function worker() {
  const { Server } = require('socket.io');
  const io = new Server(http.createServer());
  io.adapter(createAdapter());
  setupWorker(io);
  io.on('server question', (answer) => answer('another server'));
  io.on('connection', (socket) => {
    socket.on('who are you', (answer) => answer(process.pid));
    socket.on('tell all', (...args) => io.emit('news', ...args));
    socket.on('how many', async (answer) => answer((await io.fetchSockets()).length));
    socket.on('ask all', async (answer) => answer((await io.timeout(20_000).emitWithAck('question')).sort()));
    socket.on('ask servers', async (answer) => answer(await io.serverSideEmitWithAck('server question')));
  });
  heardByAnother(io.of('/').adapter).then(() => process.send('ready'));
}

/** The first worker has nobody to wait for. */
async function heardByAnother(adapter) {
  if (cluster.worker.id === 1) return;
  while ((await adapter.serverCount()) < 2) await new Promise((resolve) => setTimeout(resolve, 10));
}
