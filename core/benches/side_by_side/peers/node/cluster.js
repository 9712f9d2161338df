'use strict';
// What sockline's nodes of a cluster do, on the official socket.io and its adapters, with the `redis` package as in
// their documentation: cluster.js PORT classic|sharded|streams URL

require('bufferutil'); // ws takes it when it is there, silently goes without when it is not
const http = require('http');
const { createAdapter, createShardedAdapter } = require('@socket.io/redis-adapter');
const { createAdapter: createStreamsAdapter } = require('@socket.io/redis-streams-adapter');
const { createClient } = require('redis');
const { Server } = require('socket.io');

const [port, mode, url] = process.argv.slice(2);
const adapters = { classic: createAdapter, sharded: createShardedAdapter, streams: createStreamsAdapter };

async function main() {
  const publishing = createClient({ url });
  const subscribing = publishing.duplicate();
  const clients = mode === 'streams' ? [publishing] : [publishing, subscribing];
  for (const client of clients) client.on('error', (error) => console.error(error.message));
  await Promise.all(clients.map((client) => client.connect()));

  const server = http.createServer();
  const io = new Server(server, { adapter: adapters[mode](...clients) });
  io.on('connection', (socket) => {
    socket.join('room');
    socket.on('bc', (value) => io.to('room').emit('bc', value));
    socket.on('nobody', (value) => io.to('empty').emit('bc', value));
    socket.on('nobodies', (value) => io.to('empty').to('deserted').emit('bc', value));
  });
  const where = { host: '127.0.0.1', port: Number(port), backlog: 4096 };
  server.listen(where, () => console.log(`listening at port ${port}`));
}

main();
