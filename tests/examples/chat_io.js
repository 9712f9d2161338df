'use strict';
// The official Socket.IO client in the chat: node chat_io.js URL [NAME]
//
// Gives NAME as `auth.name`, and sends each line of the standard input as a `chat message` of one argument, or of the array
// that it is in JSON. Prints what it hears as JSON arrays, and ends with the input.

const { createRequire } = require('module');
const path = require('path');
const readline = require('readline');

const { io } = createRequire(path.join(__dirname, '../../examples/node/package.json'))('socket.io-client');

const [url, name] = process.argv.slice(2);
const socket = io(url, { auth: name === undefined ? {} : { name }, transports: ['websocket'] });

// Without the offset that the server adds, by which a client says after a loss what it has got.
socket.on('chat message', (text, author) => console.log(JSON.stringify([text, author])));
socket.on('connect_error', (error) => {
  console.error(`chat_io: ${error.message}`);
  process.exit(1);
});
socket.once('connect', () => {
  console.log('connected');
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', (line) => socket.emit('chat message', ...(line.startsWith('[') ? JSON.parse(line) : [line])));
  lines.on('close', () => socket.close());
});
