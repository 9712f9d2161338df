'use strict';
// Echo on npm ws, with the native masking of bufferutil: echo_server.js PORT [deflate | topic | tls CERTIFICATE KEY]

require('bufferutil'); // ws takes it when it is there, silently goes without when it is not
const fs = require('fs');
const https = require('https');
const { WebSocket, WebSocketServer } = require('ws');

const [port, mode, certificate, key] = process.argv.slice(2);
const host = '127.0.0.1';
const backlog = 4096;
const perMessageDeflate = mode === 'deflate';

/** Over TLS ws takes the connections of an https server. */
function listen() {
  if (mode !== 'tls') return new WebSocketServer({ host, port: Number(port), perMessageDeflate, backlog });
  const server = https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });
  server.listen({ host, port: Number(port), backlog });
  return new WebSocketServer({ server, perMessageDeflate });
}

/** How ws's documentation shows a broadcast. */
function publish(data, binary) {
  for (const client of server.clients) {
    if (client.readyState === WebSocket.OPEN) client.send(data, { binary });
  }
}

const server = listen();
server.on('listening', () => console.log(`listening on ${host}:${port}`));
server.on('connection', (socket) => {
  if (mode === 'topic') socket.on('message', publish);
  else socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('error', (error) => console.error(`connection failed: ${error.message}`));
});
