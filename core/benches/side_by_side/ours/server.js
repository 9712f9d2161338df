'use strict';
// sockline's servers for the cases that its example does not serve:
// server.js PORT deflate | takeover | topic | tls CERTIFICATE KEY

const fs = require('fs');
const path = require('path');

const { WebSocketServer } = require(path.join(__dirname, '../../../../examples/node/node_modules/sockline'));

const TOPIC = 'news';
const [port, mode, certificate, key] = process.argv.slice(2);

const modes = {
  deflate: () => ({ perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true } }),
  takeover: () => ({ perMessageDeflate: true }),
  tls: () => ({ tls: { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) } }),
  topic: () => ({}),
};
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port), backlog: 4096, ...modes[mode]() });

server.on('listening', () => console.log(`listening on 127.0.0.1:${port}`));
server.on('connection', (socket) => {
  if (mode === 'topic') {
    socket.subscribe(TOPIC);
    socket.on('message', (data, binary) => socket.publish(TOPIC, data, { binary, includeSelf: true }));
  } else {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  }
  socket.on('error', (error) => console.error(`connection failed: ${error.message}`));
});
