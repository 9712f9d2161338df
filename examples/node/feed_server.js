'use strict';
// Publishes lines to topics, over TLS if it is given a certificate: node feed_server.js PORT [CERTIFICATES KEY]
//
// Each line of its input is a topic, a blank and a message. A client sends the filter of the topics that it wants. At the
// end of the input the server drains: its clients leave one after the other, and nothing is lost.

const fs = require('fs');
const readline = require('readline');

const { WebSocketServer } = require('sockline');

const [port, certificates, key] = process.argv.slice(2);
if (![3, 5].includes(process.argv.length) || !Number.isInteger(Number(port))) {
  console.error('usage: feed_server.js PORT [CERTIFICATES KEY]');
  process.exit(2);
}

let server;
try {
  const tls = key && { cert: fs.readFileSync(certificates), key: fs.readFileSync(key) };
  server = new WebSocketServer({ port: Number(port), tls });
} catch (error) {
  fail(error);
}

function fail(error) {
  console.error(`feed_server: ${error.message}`);
  process.exit(1);
}

/** A filter is answered with "subscribed", or by closing with what is wrong with it. */
function subscribe(socket, filter) {
  try {
    socket.subscribe(filter);
    socket.send('subscribed');
  } catch (error) {
    socket.close(1008, error.message.slice(0, 40));
  }
}

server.on('error', fail);
server.on('listening', () => console.log(`feeding at ${key ? 'wss' : 'ws'}://localhost:${server.address().port}`));
server.on('connection', (socket) => {
  socket.on('message', (data) => subscribe(socket, data.toString()));
  socket.on('error', (error) => console.error(`feed_server: ${error.message}`));
});

readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [topic, ...words] = line.split(' ');
    try {
      server.publish(topic, words.join(' '));
    } catch (error) {
      console.error(`feed_server: ${error.message}`);
    }
  })
  .on('close', () => server.drain(2000));
