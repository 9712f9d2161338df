'use strict';
// Sends COUNT messages of SIZE bytes, checks the echoes and prints the rate: node echo_client.js URL COUNT SIZE

const WebSocket = require('sockline');

const IN_FLIGHT = 64; // at most so many messages are on their way at once

const [url, ...numbers] = process.argv.slice(2);
const [count, size] = numbers.map(Number);
if (numbers.length !== 2 || ![count, size].every((number) => Number.isInteger(number) && number >= 0)) {
  console.error('usage: echo_client.js URL COUNT SIZE');
  process.exit(2);
}

const payload = Buffer.from(Uint8Array.from({ length: size }, (_, index) => index));
const socket = connect();
const start = performance.now();
let sent = 0;
let received = 0;

function connect() {
  try {
    return new WebSocket(url, { maxPayload: 64 << 20, handshakeTimeout: 10_000 });
  } catch (error) {
    return fail(error.message); // the URL is none
  }
}

function sendMore() {
  for (; sent < Math.min(count, received + IN_FLIGHT); sent++) socket.send(payload);
}

function fail(why) {
  console.error(`echo_client: ${why}`);
  process.exit(1);
}

socket.on('open', () => {
  if (count === 0) socket.close(1000, 'done');
  sendMore();
});
socket.on('message', (data, isBinary) => {
  if (!isBinary || !payload.equals(data)) fail('an echo differs from what was sent');
  received++;
  if (received === count) socket.close(1000, 'done');
  else sendMore();
});
socket.on('error', (error) => fail(error.message));
socket.on('close', (code) => {
  if (received < count) fail(`closed with ${code} after ${received} of ${count} echoes`);
  const seconds = (performance.now() - start) / 1000;
  const rate = Math.round(count / seconds);
  console.log(`${count} messages of ${size} bytes in ${seconds.toFixed(3)} s: ${rate} messages/s`);
});
