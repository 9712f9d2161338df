'use strict';
// The chat's server: node chat_server.js PORT [REDIS]. On one port: Socket.IO for the page, plain WebSockets at /ws, the page's
// files, and a ticker that the page "three ways" compares polling, long-polling and push with. What is said on one side reaches
// both; with the URL of a Redis, such as redis://localhost, also those at other servers of the chat.

const path = require('path');
const WebSocket = require('sockline');
const { Server } = require('sockline/socket.io');

const { Ticker, wait } = require('./ticker');

const ECHO_MARK = ' (from server)';

const [portText, adapter, ...more] = process.argv.slice(2); // no adapter: alone
const port = Number(portText);
if (portText === undefined || !Number.isInteger(port) || more.length > 0 || (adapter && !adapter.includes('://'))) {
  console.error('usage: chat_server.js PORT [REDIS]');
  process.exit(2);
}

const io = new Server({ adapter, connectionStateRecovery: {} }); // on the port of the next line; whoever was cut off misses nothing
const server = new WebSocket.WebSocketServer({ port, path: '/ws', static: path.join(__dirname, '../web'), io, request });
const ticker = new Ticker();
const ticking = io.of('/ticker');

// Over Socket.IO, which also serves the client's bundle

io.on('connection', (socket) => {
  socket.on('chat message', (text, name) => {
    if (typeof text !== 'string') return ignore();
    const author = [name, socket.handshake.auth.name].find(isName) ?? 'Anonymous';
    hear(author, text);
    socket.broadcast.emit('chat message', text, author);
    socket.emit('chat message', text + ECHO_MARK, author);
  });
});

function isName(name) {
  return typeof name === 'string' && name !== '';
}

// Over plain WebSockets, in JSON {"name", "text"}

server.on('connection', (socket) => {
  socket.on('error', (error) => console.error(`chat_server: ${error.message}`));
  socket.on('message', (data, isBinary) => {
    const message = isBinary ? null : read(data);
    if (message === null) return ignore();
    hear(message.name, message.text);
    io.emit('chat message', message.text, message.name);
  });
});

/** The message; null if it is none. */
function read(data) {
  try {
    const { name, text } = JSON.parse(data);
    return typeof name === 'string' && typeof text === 'string' ? { name, text } : null;
  } catch {
    return null;
  }
}

/** One of this server's clients has said it: those with plain WebSockets are told, here and at the other servers. */
function hear(name, text) {
  console.log(`${name}: ${text}`);
  tellPlain(name, text);
  if (adapter) io.serverSideEmit('chat message', text, name);
}

function tellPlain(name, text) {
  server.broadcast(JSON.stringify({ name, text }));
}

/** Another server says what one of its clients has said; it tells those with Socket.IO itself. */
io.on('chat message', (text, name) => tellPlain(name, text));

function ignore() {
  console.error('a message that is no chat message was ignored');
}

// Over HTTP

/** GET /ticker is the latest news; the rest are files. */
function request({ method, url }) {
  if (method !== 'GET' || url.split('?', 1)[0] !== '/ticker') return undefined;
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };
  return { headers, body: JSON.stringify({ ...ticker.news, now: Date.now() }) };
}

// The ticker, the beginning and the end

function tick() {
  ticker.advance();
  ticking.local.emit('tick', ticker.news); // other servers have news of their own
  setTimeout(tick, wait()).unref();
}

server.on('listening', () => {
  const { port: bound } = server.address();
  console.log(`chatting at http://localhost:${bound}/ and ws://localhost:${bound}/ws`);
  setTimeout(tick, wait()).unref();
});
server.on('error', (error) => {
  console.error(`chat_server: ${error.message}`);
  process.exit(1);
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const socket of server.clients) socket.close(1001);
    io.close(); // and with it the server that it is on
  });
}
