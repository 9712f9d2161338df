'use strict';
// Joins a chat: sends the lines of the standard input, prints what everybody says: node chat_client.js URL NAME

const readline = require('readline');
const WebSocket = require('sockline');

const [url, name, ...rest] = process.argv.slice(2);
if (!url || !name || rest.length > 0) {
  console.error('usage: chat_client.js URL NAME');
  process.exit(2);
}

const socket = connect();
const awaited = []; // what was sent and has not come back yet
let ended = false; // the standard input

function connect() {
  try {
    return new WebSocket(url, { handshakeTimeout: 10_000 });
  } catch (error) {
    console.error(`chat_client: ${error.message}`); // the URL is none
    return process.exit(1);
  }
}

function closeWhenDone() {
  if (ended && awaited.length === 0) socket.close(1000, 'bye');
}

socket.on('open', () => {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', (text) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    awaited.push(text);
    socket.send(JSON.stringify({ name, text }));
  });
  lines.on('close', () => {
    ended = true;
    closeWhenDone();
  });
});
socket.on('message', (data) => {
  const message = JSON.parse(data);
  console.log(`${message.name}: ${message.text}`);
  const own = message.name === name ? awaited.indexOf(message.text) : -1;
  if (own >= 0) awaited.splice(own, 1);
  closeWhenDone();
});
socket.on('error', (error) => {
  console.error(`chat_client: ${error.message}`);
  process.exitCode = 1;
});
socket.on('close', (code) => {
  if (code !== 1000 && process.exitCode === undefined) {
    console.error(`chat_client: the connection ended with ${code}`);
    process.exitCode = 1;
  }
  process.stdin.destroy(); // nothing keeps the process any more
});
