// Written for socket.io and socket.io-client, and compiled twice: with their types, and with ours in their place.

import { createServer } from 'http';
import { createSecureServer } from 'http2';
import { createServer as createSecure } from 'https';
import { Server, Namespace, Socket } from 'socket.io';
import type { BroadcastOperator, DefaultEventsMap, DisconnectReason, Event, ExtendedError, RemoteSocket, ServerOptions } from 'socket.io';
import { io as connect, Manager, Socket as ClientSocket } from 'socket.io-client';
import type { ManagerOptions, SocketOptions, DisconnectDescription } from 'socket.io-client';
import { Adapter } from 'socket.io-adapter';

interface ServerToClientEvents {
  noArg: () => void;
  basicEmit: (a: number, b: string, c: Buffer) => void;
  withAck: (d: string, callback: (e: number) => void) => void;
}
interface ClientToServerEvents {
  hello: () => void;
  ask: (question: string, callback: (answer: string[]) => void) => void;
}
interface InterServerEvents {
  ping: () => void;
  count: (callback: (sum: number) => void) => void;
}
interface SocketData {
  name: string;
  age?: number;
}
type AppServer = Server<ClientToServerEvents, ServerToClientEvents, InterServerEvents, SocketData>;
type AppSocket = Socket<ClientToServerEvents, ServerToClientEvents, InterServerEvents, SocketData>;
type AppNamespace = Namespace<ClientToServerEvents, ServerToClientEvents, InterServerEvents, SocketData>;

class Counting extends Adapter {
  count = 0;

  override addAll(id: string, rooms: Set<string>): Promise<void> | void {
    this.count += rooms.size;
    return super.addAll(id, rooms);
  }
}

const options: Partial<ServerOptions> = {
  cors: { origin: ['https://a.test'], credentials: true },
  transports: ['polling', 'websocket'],
  cookie: { name: 'io', path: '/', httpOnly: true, sameSite: 'lax' },
  allowRequest: (request, callback) => callback(null, request.headers.host !== undefined),
  connectionStateRecovery: { maxDisconnectionDuration: 1000, skipMiddlewares: true },
  perMessageDeflate: { threshold: 1024 },
  httpCompression: { threshold: 1024 },
  maxHttpBufferSize: 1e8,
  adapter: Counting,
};
const server: AppServer = new Server<ClientToServerEvents, ServerToClientEvents, InterServerEvents, SocketData>(createServer(), options);
new Server(3000);
new Server({ serveClient: false }).attach(createSecure(), { pingInterval: 1 }).listen(createSecureServer());

const authenticated = (socket: AppSocket, next: (error?: ExtendedError) => void): void => {
  const { token } = socket.handshake.auth;
  if (typeof token === 'string') next();
  else next(Object.assign(new Error('nobody'), { data: { content: 'retry later' } }));
};
server.use(authenticated);
server.engine.use((request: { _query: Record<string, string> }, response: unknown, next: () => void) => next());
server.engine.on('initial_headers', (headers: Record<string, string>) => (headers['x-a'] = 'b'));
server.engine.on('connection_error', (error: { code: number; message: string; context: unknown }) => console.log(error.code));

server.on('connection', async (socket) => {
  socket.data.name = socket.id;
  socket.emit('basicEmit', 1, '2', Buffer.from([3]));
  socket.on('ask', (question, callback) => callback([question.trim()]));
  socket.on('disconnecting', (reason: DisconnectReason) => console.log(reason, [...socket.rooms].length));
  socket.use(([event, ...args]: Event, next) => next(args.length > 0 ? new Error(event) : undefined));
  await socket.join(['a', 'b']);
  socket.to('a').except(['b']).emit('noArg');
  const answer: number = await socket.timeout(1000).emitWithAck('withAck', 'd');
  const others: BroadcastOperator<any, SocketData> = socket.broadcast;
  socket.onAny((event: string, ...args: unknown[]) => console.log(event, args.length));
  socket.conn.once('upgrade', () => console.log(socket.conn.transport.name, socket.request.headers.cookie));
  socket.conn.on('packet', ({ type, data }) => console.log(type, data));
  socket.conn.on('close', (reason) => console.log(reason));
  console.log(answer, others, socket.recovered, socket.client.conn.remoteAddress);
});
server.to('a').timeout(1000).emit('withAck', 'd', (error, answers) => console.log(error, answers.map((one) => one.toFixed())));
server.on('ping', () => {});
server.serverSideEmit('ping');
server.serverSideEmitWithAck('count').then((sums: number[]) => console.log(sums.length));
server.of('/').adapter.on('create-room', (room: string) => console.log(room));
const namespace: AppNamespace = server.of('/admin');
namespace.fetchSockets().then((sockets: RemoteSocket<any, SocketData>[]) => sockets.map((one) => [one.data.name, one.rooms.has('a')]));
for (const [id, socket] of namespace.sockets) console.log(id, socket.data.age?.toFixed());
server.of(/^\/dynamic-\d+$/).on('connection', (socket) => console.log(socket.nsp.name));
server.close().then(() => {});

const clientOptions: Partial<ManagerOptions & SocketOptions> = {
  transports: ['websocket'],
  reconnectionAttempts: 3,
  auth: (callback) => callback({ token: 'x' }),
  extraHeaders: { a: 'b' },
  withCredentials: true,
  closeOnBeforeunload: false,
  ackTimeout: 1000,
  retries: 2,
};
const client: ClientSocket<ServerToClientEvents, ClientToServerEvents> = connect('http://localhost', clientOptions);
client.on('basicEmit', (a, b, c) => console.log(a.toFixed(), b.trim(), c.length));
client.on('connect_error', (error) => console.log(error.message));
client.on('disconnect', (reason: ClientSocket.DisconnectReason, details?: DisconnectDescription) => console.log(reason, details));
client.timeout(100).emit('ask', 'why', (error: Error, answer: string[]) => console.log(error, answer.length));
client.emitWithAck('ask', 'why').then((answer: string[]) => console.log(answer));
client.io.on('reconnect_attempt', (attempt: number) => console.log(attempt));
client.io.engine.on('upgrade', () => console.log(client.io.engine.transport.name));
client.io.engine.on('packet', ({ type, data }) => console.log(type, data));
const plain: ClientSocket<DefaultEventsMap, DefaultEventsMap> = new Manager('http://localhost', { autoConnect: false }).socket('/chat');
plain.volatile.compress(true).emit('anything', 1, { two: 3 });
