'use strict';
// The programs of ws' README, and what the other side does with each: clients of ws at servers, a server of ws for clients.

const { once } = require('node:events');
const https = require('node:https');

const WebSocket = require('ws');

const next = (emitter, name) => once(emitter, name, { signal: AbortSignal.timeout(15_000) });

/** An open client of ws', as soon as the program listens. */
function open(program, url, options) {
  return program.when(async () => {
    const socket = new WebSocket(url, { rejectUnauthorized: false, ...options });
    socket.heard = [];
    socket.on('message', (data, isBinary) => socket.heard.push(isBinary ? data : String(data)));
    await next(socket, 'open');
    return socket;
  });
}

async function closed(socket) {
  const gone = next(socket, 'close');
  socket.close(1000);
  return (await gone)[0];
}

async function heard(socket, count) {
  while (socket.heard.length < count) await next(socket, 'message');
  return socket.heard;
}

/** A program that listens: what its clients see. Its URL is that of the port that it names. */
const server = (clients, more) => ({ exchange: (context) => clients({ ...context, url: `ws://127.0.0.1:${context.port}` }), ...more });

/** A program that connects: at which server, and until it has ended. */
const client = (serve, more) => ({
  ...more,
  peer: async ({ secure, certificate }) => {
    const httpServer = secure && https.createServer(certificate);
    const wss = new WebSocket.Server(secure ? { server: httpServer } : { port: 0, host: '127.0.0.1' });
    httpServer?.listen(0, '127.0.0.1');
    await next(httpServer ?? wss, 'listening');
    return { wss, port: (httpServer ?? wss).address().port, close: () => (httpServer?.close(), wss.close()) };
  },
  exchange: async (context) => {
    const [socket, request] = await next(context.peer.wss, 'connection');
    const gone = next(socket, 'close');
    await serve({ ...context, socket, request });
    context.note('closed', (await gone)[0]);
    await context.program.ends();
  },
});

const simple = async ({ program, note, url }) => {
  const socket = await open(program, url);
  note(await heard(socket, 1));
  socket.send('something else');
  await program.prints('received: something else');
  note(await closed(socket));
};

const broadcast = async ({ program, note, url }) => {
  const [a, b, c] = [await open(program, url), await open(program, url), await open(program, url)];
  a.send('to all');
  note(await heard(b, 1));
  c.send(Buffer.from([1, 2]));
  note(await heard(b, 2), await heard(a, 1), await closed(a), a.heard, await closed(b), await closed(c), c.heard);
};

module.exports = {
  'WebSocket compression': server(async ({ program, note, url }) => {
    const socket = await open(program, url);
    const offered = socket.extensions;
    note(offered, await closed(socket));
  }),
  'WebSocket compression (2)': client(async ({ note, socket, request }) => {
    note(request.url, request.headers['sec-websocket-extensions']);
    socket.close(1000);
  }),
  'Sending and receiving text data': client(async ({ program, note, socket }) => {
    note(String((await next(socket, 'message'))[0]));
    socket.send('an answer');
    await program.prints('received: an answer');
    socket.close(1000);
  }),
  'Sending binary data': client(async ({ note, socket }) => {
    note(...(await next(socket, 'message')));
    socket.close(1000);
  }),
  'Simple server': server(simple),
  'External HTTP/S server': server(({ url, ...context }) => simple({ ...context, url: url.replace('ws:', 'wss:') })),
  'Multiple servers sharing a single HTTP/S server': server(async ({ program, note, url }) => {
    for (const path of ['/foo', '/bar']) note(await closed(await open(program, url + path)));
    note((await next(new WebSocket(`${url}/other`), 'error').catch((error) => [error.message]))[0]);
  }),
  'Client authentication': server(
    async ({ program, note, url }) => {
      const socket = await open(program, `${url}/ann`);
      socket.send('hi');
      await program.prints('Received message hi from user ann');
      note(await closed(socket));
      note((await next(new WebSocket(url), 'error').catch((error) => [error.message]))[0]);
    },
    { epilogue: 'function authenticate(request, next) { next(null, request.url.slice(1)); }' },
  ),
  'Server broadcast': server(broadcast),
  'Server broadcast (2)': server(broadcast),
  'Round-trip time': client(
    async ({ program, socket }) => {
      socket.on('message', (data) => socket.send(String(data)));
      await program.prints('Round-trip time: ', 2);
      socket.close(1000);
    },
    { secure: true },
  ),
  'Use the Node.js streams API': client(
    async ({ program, socket }) => {
      socket.on('message', (data, binary) => socket.send(data, { binary }));
      program.stdin.write('through the stream\n');
      await program.prints('through the stream\n');
      program.stdin.end();
    },
    { secure: true },
  ),
  'How to get the IP address of the client?': server(async ({ program, note, url }) => note(await closed(await open(program, url))), {
    edits: [["ws.on('error', console.error);", "ws.on('error', console.error); console.log(ip);"]],
  }),
  'How to get the IP address of the client? (2)': server(
    async ({ program, note, url }) => {
      note(await closed(await open(program, url, { headers: { 'X-Forwarded-For': '192.0.2.1, 192.0.2.2' } })));
      await program.prints('192.0.2.1');
    },
    {
      prologue: "import { WebSocketServer } from 'ws';\nconst wss = new WebSocketServer({ port: 8080 });\n",
      edits: [["ws.on('error', console.error);", "ws.on('error', console.error); console.log(ip);"]],
    },
  ),
  'How to detect and close broken connections?': server(
    async ({ program, note, url }) => {
      const [lively, dead] = [await open(program, url), await open(program, url, { autoPong: false })];
      note((await next(dead, 'close'))[0]);
      await next(lively, 'ping');
      note(await closed(lively));
    },
    { edits: [['30000', '150']] },
  ),
  'How to detect and close broken connections? (2)': client(
    async ({ socket }) => {
      for (let i = 0; i < 2; i++) {
        socket.ping();
        await next(socket, 'pong');
      }
    },
    { secure: true, edits: [['30000 + 1000', '150 + 50']] },
  ),
};
