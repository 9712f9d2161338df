// npm ws as a server: node ws_server.js PORT
// What each path does is in ../README.md; websockets_server.py does the same.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { WebSocketServer } from 'ws';
import { FRAGMENT, FRAGMENTED_TEXT, PADDING, SIZES, pattern } from './fixtures.js';

const { PERMESSAGE_DEFLATE, TLS_CERTIFICATE, TLS_KEY } = process.env;
const answer = (request, response) => response.writeHead(426).end();
const server = TLS_KEY
  ? https.createServer({ cert: readFileSync(TLS_CERTIFICATE), key: readFileSync(TLS_KEY) }, answer)
  : http.createServer(answer);
const upgrader = new WebSocketServer({
  noServer: true,
  perMessageDeflate: PERMESSAGE_DEFLATE !== undefined,
  handleProtocols: (offered, request) => pathOf(request) === '/subprotocol-ok' && [...offered].at(-1),
});

const routes = {
  '/echo': echo,

  '/connection'(ws, socket) {
    const agreed = { extensions: ws.extensions, tls: socket.getProtocol?.() ?? '' };
    ws.on('message', () => ws.send(JSON.stringify({ ...agreed, padding: PADDING })));
  },

  '/close'(ws, socket, query) {
    ws.close(Number(query.get('code') ?? 1000), query.get('reason') ?? '');
  },

  '/ping'(ws) {
    ws.on('pong', (payload) => payload.equals(Buffer.from('are you there')) && ws.send('pong ok'));
    ws.ping('are you there');
  },

  '/fragments'(ws) {
    sendFragmented(ws, Buffer.from(FRAGMENTED_TEXT), false);
    sendFragmented(ws, pattern(100_000), true);
  },

  '/greet'(ws) {
    ws.send('hello before you asked');
    echo(ws);
  },

  '/sizes'(ws) {
    for (const size of SIZES) ws.send(pattern(size));
  },

  '/subprotocol': echo,
  '/subprotocol-ok': echo,

  '/stall'(ws) {
    ws.pause();
  },

  '/kill'(ws, socket) {
    socket.write(halfFrame(), () => socket.destroy());
  },

  '/half'(ws, socket) {
    deafen(socket);
    socket.end();
  },

  '/silent-close'(ws, socket) {
    deafen(socket);
  },
};

// The library has no way to choose a subprotocol that was not offered.
upgrader.on('headers', (headers, request) => {
  if (pathOf(request) === '/subprotocol') headers.push('Sec-WebSocket-Protocol: chat.v2');
});

server.on('upgrade', (request, socket, head) => {
  const { pathname, searchParams } = new URL(request.url, 'ws://peer');
  socket.on('error', () => {}); // clients may go as they like
  if (pathname === '/refuse') return refuse(socket, Number(searchParams.get('status') ?? 403));
  if (!routes[pathname]) return refuse(socket, 404);
  // Corked, the response and what is sent at once leave in one segment.
  if (pathname === '/greet') socket.cork();
  upgrader.handleUpgrade(request, socket, head, (ws) => {
    ws.on('error', () => {});
    routes[pathname](ws, socket, searchParams);
  });
  if (pathname === '/greet') socket.uncork();
});

// The queue of the kernel has to hold 1,000 connections that come at once.
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 1024 }, () => {
  console.log(`listening ${server.address().port}`);
});

function pathOf(request) {
  return new URL(request.url, 'ws://peer').pathname;
}

function echo(ws) {
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
}

function sendFragmented(ws, payload, binary) {
  for (let start = 0, count = 0; start < payload.length; start += FRAGMENT, count += 1) {
    if (count % 10 === 5) ws.ping('between');
    ws.send(payload.subarray(start, start + FRAGMENT), { binary, fin: false });
  }
  ws.send('', { binary, fin: true });
}

function refuse(socket, status) {
  const body = `refused with ${status}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? 'Refused'}\r\n` +
      'Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\n' +
      `Content-Length: ${body.length}\r\nX-Reason: interop\r\n\r\n${body}`,
  );
}

/** The header announces 4,096 bytes, and 100 come. */
function halfFrame() {
  return Buffer.concat([Buffer.from([0x82, 126, 0x10, 0x00]), pattern(100)]);
}

/** From now on what the client sends is read and thrown away, close frames included. */
function deafen(socket) {
  socket.removeAllListeners('data');
  socket.resume();
}
