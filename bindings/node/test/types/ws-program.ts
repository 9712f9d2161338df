// A program written for ws and @types/ws, which has to compile with our types in their place, too: swapped.json puts them there.

import { createServer, IncomingMessage } from 'http';
import { Duplex } from 'stream';
import WebSocket, { createWebSocketStream, WebSocketServer } from 'ws';

interface Account {
  name: string;
}

class Connection extends WebSocket {
  account?: Account;
  isAlive = true;
}

const options: WebSocket.ServerOptions = { noServer: true, maxPayload: 1024, perMessageDeflate: { threshold: 10 } };
options.path = '/chat';
options.verifyClient = (info: { origin: string; secure: boolean; req: IncomingMessage }) => info.req.headers.origin === info.origin;
const verifyLater: WebSocket.VerifyClientCallbackAsync = (info, callback) => callback(!info.secure, 403, 'no', { 'X-Why': 'so' });

const http = createServer();
const server = new WebSocketServer(options);
const attached: WebSocket.Server = new WebSocket.Server({ server: http, verifyClient: verifyLater, handleProtocols: ([first]) => first });
const own = new WebSocket.Server<typeof Connection>({ noServer: true, WebSocket: Connection });

function authenticate(request: IncomingMessage, next: (error: Error | null, account?: Account) => void): void {
  next(null, { name: request.headers.authorization ?? '' });
}

http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
  authenticate(request, (error, account) => {
    if (error || !account) return socket.destroy();
    own.handleUpgrade(request, socket, head, (client) => {
      client.account = account;
      own.emit('connection', client, request, account);
    });
    return undefined;
  });
});

function heartbeat(this: WebSocket) {
  (this as Connection).isAlive = true;
}

own.on('connection', (client: Connection, request: IncomingMessage) => {
  client.on('pong', heartbeat);
  const address: string | undefined = request.socket.remoteAddress;
  client.on('message', function message(data: WebSocket.RawData, isBinary: boolean) {
    for (const other of own.clients) {
      if (other !== client && other.readyState === WebSocket.OPEN) other.send(data, { binary: isBinary });
    }
    console.log(toText(data), address, other(data));
  });
  client.on('close', (code: number, reason: Buffer) => console.log(code, reason.toString(), client.account?.name));
});
server.on('wsClientError', (error: Error, socket: Duplex, request: IncomingMessage) => socket.end(error.message + request.url));
attached.on('headers', (headers: string[], request: IncomingMessage) => headers.push(`X-Url: ${request.url}`));
attached.addListener('connection', (client: WebSocket) => client.terminate());

function toText(data: WebSocket.RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return Buffer.from(data as ArrayBuffer).toString();
}

function other(data: WebSocket.Data): number {
  return typeof data === 'string' ? data.length : 0;
}

const clientOptions: WebSocket.ClientOptions = { handshakeTimeout: 10, headers: { a: 'b' }, followRedirects: true, family: 4 };
const client: WebSocket = new WebSocket(new URL('ws://localhost'), ['a'], clientOptions);
client.onopen = ({ target }: WebSocket.Event) => target.send([1, 2, 3]);
client.onmessage = (event: WebSocket.MessageEvent) => console.log(other(event.data), event.type);
client.onerror = (event: WebSocket.ErrorEvent) => console.error(event.message, event.error.code);
client.onclose = ({ code, reason, wasClean }: WebSocket.CloseEvent) => console.log(code, reason, wasClean);
client.addEventListener('message', { handleEvent: ({ data }) => console.log(data) }, { once: true });
client.on('unexpected-response', (request, response) => console.log(response.statusCode, request.getHeader('a')));
client.on('upgrade', (response: IncomingMessage) => console.log(response.headers['set-cookie']));
client.send(new Blob(['x']), { compress: true, fin: true }, (error?: Error) => console.log(error));
client.ping('x', true, (error: Error) => console.log(error));
const url: string = client.url;
const states: (0 | 1 | 2 | 3)[] = [WebSocket.CONNECTING, client.OPEN, client.readyState];
const address: WebSocket.AddressInfo | string | null = attached.address();
console.log(url, states, typeof address === 'object' ? address?.family : address);

const duplex: Duplex = createWebSocketStream(client, { encoding: 'utf8', decodeStrings: false });
duplex.pipe(process.stdout);
process.stdin.pipe(duplex);

function broadcast(clients: Set<WebSocket>, map: Map<WebSocket, Account>): void {
  for (const one of clients) one.send(JSON.stringify(map.get(one)));
}
broadcast(server.clients, new Map());
server.close((error?: Error) => console.log(error?.message));
