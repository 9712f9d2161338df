// Has to compile under --strict; what must not is marked, and an error that is missing is an error.

import WebSocket, { WebSocketError, WebSocketServer, WebSocketStream, log } from 'sockline';
import { createShardedAdapter } from 'sockline/redis-adapter';
import { Emitter } from 'sockline/redis-emitter';

const server = new WebSocketServer({ port: 0, verifyClient: (info) => info.req.headers.cookie !== undefined });
server.on('connection', (socket, request) => {
  const address: string | undefined = request.socket.remoteAddress;
  socket.on('message', (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }));
  socket.once('close', (code: number, reason: Buffer) => console.log(address, code, reason.toString()));
});

const socket: WebSocket = new WebSocket('ws://localhost', ['chat'], { headers: { Cookie: 'a=b' }, maxPayload: 10 });
socket.onmessage = ({ data }) => console.log(typeof data === 'string' ? data.length : data);
socket.addEventListener('close', ({ wasClean }) => console.log(wasClean), { once: true });
if (socket.readyState === WebSocket.OPEN) socket.send(new Uint8Array(3), (error) => console.log(error?.message));
const tracked: Set<WebSocket> = server.clients;
const address = server.address();
console.log(tracked.size, typeof address === 'object' ? address?.port : address);

const proxied = new WebSocket('ws://localhost', { proxy: new URL('http://proxy'), localAddress: '::1', family: 6 });
proxied.on('upgrade', (response) => console.log(response.statusCode, response.headers['set-cookie']?.length));
if (!proxied.send('much')) proxied.once('drain', () => console.log(proxied.timings().proxy ?? 0));

const identity = { cert: 'PEM', key: Buffer.alloc(1), passphrase: 'of the key' };
const secure = new WebSocketServer({ port: 0, tls: [{ ...identity, requestCert: true, ca: ['PEM'] }, identity] });
secure.setSecureContext(identity);
const pinned = new WebSocket('wss://localhost', { ca: 'PEM', servername: 'other', minVersion: 'TLSv1.3', pins: ['x'] });
console.log(pinned.tlsInfo()?.cipherSuite);
secure.on('connection', (socket, { socket: { authorized } }) => console.log(authorized, socket.tlsInfo()?.version));

const returning = new WebSocket('ws://localhost', { reconnect: { outbox: 10 }, followRedirects: true, slowConsumer: 'close' });
returning.on('reconnecting', ({ delay, error }) => console.log(delay, error?.message));
returning.on('attempt', (attempt) => (attempt.headers.Authorization = 'fresh'));
returning.on('redirect', (url, request) => console.log(url, request.removeHeader('cookie')));
returning.on('unexpected-response', (request, { statusCode }) => request.destroy(new Error(String(statusCode))));
returning.send('x', { deadline: 1000, compress: true }, (error) => console.log(error?.message));
console.log(returning.metrics()?.bytesIn);
const limited = new WebSocketServer({ port: 0, maxConnections: 1, origins: ['https://a.test'], maxRequests: 1 });
limited.on('connection', (socket) => socket.subscribe('a/+'));
limited.publish('a/b', new Uint8Array(1), { binary: false });
limited.drain(1000, () => console.log('drained'));

new WebSocketServer({ port: 0, request: ({ url, body }) => (url === '/' ? { headers: { 'X-A': 1 }, body } : undefined) });
new WebSocketServer({ port: 0, request: async ({ socket }) => new Response(socket.remoteAddress, { status: 201 }) });
// @ts-expect-error: the body is none
new WebSocketServer({ port: 0, request: () => ({ body: 5 }) });

async function stream(): Promise<number> {
  const stream = new WebSocketStream('ws://localhost', { signal: AbortSignal.timeout(1) });
  const { readable, writable } = await stream.opened;
  await writable.getWriter().write(new Uint8Array(1));
  for await (const chunk of readable) console.log(chunk.length);
  stream.closed.catch((error: WebSocketError) => console.log(error.closeCode));
  return (await stream.closed).closeCode;
}
log.level = 'debug';
log.on('log', ({ level, text }) => console.log(level, text, stream));
console.log(new WebSocketServer({ port: 0, threads: 2, metricsPath: '/m' }).metrics().accepted);

new WebSocket('ws://localhost', { messageParts: true }).on('part', (data, { last }) => console.log(data.length, last));

const small = { threshold: 100, serverNoContextTakeover: true, zlibDeflateOptions: { level: 1, memLevel: 1 } };
new WebSocket('ws://localhost', { perMessageDeflate: small }).send('', { compress: false });
new WebSocketServer({ port: 0, perMessageDeflate: true });

// @ts-expect-error: objects can't be sent
socket.send({});

const ofMany = new WebSocketServer({ port: 0, adapter: 'redis://localhost' });
ofMany.adapter?.on('connected', () => {}).on('error', ({ message }) => console.log(message));
new WebSocketServer({ port: 0, adapter: createShardedAdapter(new URL('redis://localhost')) });
// @ts-expect-error: neither a place nor an adapter
new WebSocketServer({ port: 0, adapter: 7 });
new Emitter('redis://localhost', { key: 'k', sharded: true }).publish('a/b', new Uint8Array(1), { binary: true });
