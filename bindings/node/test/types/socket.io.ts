// Has to compile under --strict; what must not is marked, and an error that is missing is an error.

import { createServer } from 'http';
import { createAdapter, createPythonSocketioAdapter, createShardedAdapter, createStreamsAdapter } from 'sockline/redis-adapter';
import { Emitter } from 'sockline/redis-emitter';
import { createAdapter as streamsAdapter } from 'sockline/redis-streams-adapter';
import { Namespace, Server, Socket as ServerSocket } from 'sockline/socket.io';
import connect, { Manager, Socket, io as lookup, protocol } from 'sockline/socket.io-client';

interface ClientToServer {
  hello: (name: string, answer: (greeting: string) => void) => void;
  plain: (value: number) => void;
}
interface ServerToClient {
  news: (text: string, data: Buffer) => void;
  ask: (question: string, answer: (answer: number) => void) => void;
}
interface BetweenServers {
  ping: (answer: (pong: string) => void) => void;
}
interface Data {
  user: string;
}

const server = new Server<ClientToServer, ServerToClient, BetweenServers, Data>(createServer(), {
  cors: { origin: [/\.example$/, 'http://a.test'] },
  connectionStateRecovery: { maxDisconnectionDuration: 1000, maxBytes: 1 << 20 },
  allowRequest: (request, answer) => answer(null, request.headers.origin !== undefined),
  highWaterMark: 1000,
});

server.use((socket, next) => {
  socket.data.user = String(socket.handshake.auth.token);
  // @ts-expect-error data has a type
  socket.data.user = 1;
  next(Object.assign(new Error('no'), { data: 1 }));
});
server.on('connection', async (socket) => {
  socket.on('hello', (name, answer) => answer(name.toUpperCase()));
  // @ts-expect-error no such event
  socket.on('nothing', () => {});
  socket.on('disconnect', (reason) => console.log(reason === 'ping timeout', socket.rooms.size));
  const more: boolean = socket.emit('news', 'text', Buffer.alloc(1));
  // @ts-expect-error the second argument is missing
  socket.emit('news', 'text');
  const answer: number = await socket.emitWithAck('ask', 'how many');
  const late: number = await socket.timeout(1000).emitWithAck('ask', 'how many');
  socket.timeout(1000).emit('ask', 'how many', (error, value) => console.log(error.message, value.toFixed()));
  socket.to(['a', 'b']).except('c').volatile.emit('news', 'x', Buffer.alloc(0));
  socket.use(([event, ...args], next) => next(args.length > 0 ? undefined : new Error(event)));
  socket.conn.on('upgrade', ({ name }) => console.log(name === 'websocket'));
  socket.onAny((event: string) => console.log(event)).offAny();
  console.log(more, answer, late, socket.request.url);
});
server.of(/^\/room-\d+$/).on('connection', (socket) => socket.emit('news', 'y', Buffer.alloc(1)));
server.of((name, auth, next) => next(null, auth.token === name));
server.to('room').timeout(1000).emit('ask', 'all', (error, answers) => console.log(error, answers[0]?.toFixed()));
server.serverSideEmitWithAck('ping').then((pongs) => console.log(pongs.map((pong) => pong.length)));
server.fetchSockets().then(([socket]) => console.log(socket?.data.user.length, socket?.handshake.address));
server.engine.on('connection_error', ({ code, context }) => console.log(code, context));
server.engine.on('headers', (headers, request) => (headers['x-a'] = request.url ?? ''));
server.of('/').adapter.on('join-room', (room, id) => console.log(room.length + id.length));
server.enableAdmin({ auth: { type: 'basic', username: 'me', password: '$2b$10$x' }, readonly: true, mode: 'production' });
// @ts-expect-error who may connect has to be said
server.enableAdmin({ mode: 'development' });
server.close().then(() => console.log('closed'));

const untyped = new Server(3000);
untyped.on('connection', (socket: ServerSocket) => socket.emit('anything', 1, { a: 2 }, (answer: string) => answer));
const namespace: Namespace = untyped.of('/chat');
namespace.emit('anything');

const socket: Socket<ServerToClient, ClientToServer> = lookup('http://localhost', { auth: { token: 'x' }, retries: 3 });
socket.on('news', (text, data) => console.log(text.length + data.length));
socket.on('connect_error', (error) => console.log(error.message, error.data, socket.active));
socket.emit('hello', 'Ann', (greeting) => console.log(greeting.length));
socket.emitWithAck('hello', 'Ann').then((greeting) => console.log(greeting.length));
socket.timeout(10).emit('hello', 'Ann', (error, greeting) => console.log(error.message, greeting.length));
// @ts-expect-error of the wrong type
socket.emit('plain', 'text');
socket.io.on('reconnect_attempt', (attempt) => console.log(attempt.toFixed()));
socket.io.engine.on('upgrade', (transport) => console.log(transport.name));
socket.auth = (answer) => answer({ token: 'y' });
connect('http://localhost').disconnect();
new Manager('http://localhost', { transports: ['websocket'] }).socket('/').once('disconnect', (reason) => reason.length);
console.log(protocol);

const clustered = new Server<ClientToServer, ServerToClient, BetweenServers, Data>({
  adapter: createShardedAdapter('redis://localhost', null, { subscriptionMode: 'static' }),
  forwardRequests: true,
});
clustered.adapter(createAdapter({ url: 'redis://localhost', commandTimeout: 100 }, undefined, { key: 'k', requestsTimeout: 1 }));
clustered.adapter(createPythonSocketioAdapter('redis://localhost', { channel: 'flask-socketio', requestsTimeout: 1000 }));
clustered.adapter(createStreamsAdapter(new URL('redis://localhost'), { maxLen: 1000 }));
clustered.adapter(streamsAdapter('redis://localhost', { streamName: 's' }));
clustered.adapter('redis://localhost');
// @ts-expect-error messages are written in the engine
createAdapter('redis://localhost', null, { parser: {} });
clustered.on('ping', (answer) => answer('pong'));
clustered.fetchSockets().then((found) => console.log(found.missing, found.map(({ id }) => id)));
clustered.of('/').adapter.on('error', (error) => console.log(error.message));
clustered.of('/').adapter.allRooms().then((rooms) => console.log(rooms.missing, rooms.has('room')));
const emitter = new Emitter<ServerToClient>('redis://localhost', { key: 'k', onError: (error) => console.log(error.message) });
emitter.of('/n').to(['a', 'b']).except('c').volatile.emit('news', 'text', Buffer.alloc(1));
// @ts-expect-error the second argument is missing
emitter.emit('news', 'text');
emitter.serverSideEmit('ping', 1);
emitter.close().then(() => {});
