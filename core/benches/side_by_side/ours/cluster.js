'use strict';
// One node of a cluster over Redis, as sockline_cluster.rs: cluster.js PORT classic|sharded|streams URL

const path = require('path');

const modules = path.join(__dirname, '../../../../examples/node/node_modules/sockline');
const { Server } = require(path.join(modules, 'socket.io'));
const { createAdapter, createShardedAdapter } = require(path.join(modules, 'redis-adapter'));
const { createAdapter: createStreamsAdapter } = require(path.join(modules, 'redis-streams-adapter'));

const [port, mode, url] = process.argv.slice(2);
const adapters = { classic: createAdapter, sharded: createShardedAdapter, streams: createStreamsAdapter };

const io = new Server(Number(port), { adapter: adapters[mode](url) });

io.httpServer.on('listening', () => console.log(`listening at port ${port}`));
io.of('/').adapter.on('error', (error) => console.error(error.message));
io.on('connection', (socket) => {
  socket.join('room');
  socket.on('bc', (value) => io.to('room').emit('bc', value));
  socket.on('nobody', (value) => io.to('empty').emit('bc', value));
  socket.on('nobodies', (value) => io.to('empty').to('deserted').emit('bc', value));
});
