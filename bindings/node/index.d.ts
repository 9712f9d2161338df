/// <reference types="node" />

import type { X509Certificate } from 'crypto';
import { EventEmitter } from 'events';
import type { AddressInfo } from 'net';
import type { Readable } from 'stream';
import type { ReadableStream, WritableStream } from 'stream/web';
import type { PeerCertificate } from 'tls';
import type { ClusterAdapter } from './redis-adapter.js';
import type { Server as SocketIoServer } from './socket.io.js';

/** What can be sent: text as a string or number, binary as anything that holds bytes. */
type Data = string | number | ArrayBufferLike | NodeJS.ArrayBufferView | readonly number[];

/**
 * A WebSocket: a client's, made with a URL, or one that a {@link WebSocket.WebSocketServer} hands out.
 * An EventEmitter as in npm `ws`, and an EventTarget as in browsers.
 */
declare class WebSocket extends EventEmitter {
  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSING: 2;
  static readonly CLOSED: 3;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;

  /** Starts to connect; 'open' or 'error' and 'close' follow. Throws if the arguments can't be used. */
  constructor(address: string | URL, options?: WebSocket.ClientOptions);
  constructor(address: string | URL, protocols?: string | string[], options?: WebSocket.ClientOptions);

  /** What binary messages are. Default: 'nodebuffer'. */
  binaryType: 'nodebuffer' | 'arraybuffer' | 'fragments' | 'blob';
  /** Bytes handed to `send` that the system has not taken yet, framing included. */
  readonly bufferedAmount: number;
  /** The names of the extensions in use: 'permessage-deflate', or empty. */
  readonly extensions: string;
  readonly isPaused: boolean;
  /** The subprotocol in use; empty if none was agreed on. */
  readonly protocol: string;
  readonly readyState: 0 | 1 | 2 | 3;
  /** The URL connected to; undefined on the server's side. */
  readonly url: string | undefined;

  onopen: ((event: WebSocket.Event) => void) | null;
  onmessage: ((event: WebSocket.MessageEvent) => void) | null;
  onerror: ((event: WebSocket.ErrorEvent) => void) | null;
  onclose: ((event: WebSocket.CloseEvent) => void) | null;

  /** The round trip of the last answered ping, in milliseconds; null before. sockline's own. */
  readonly latency: number | null;

  /**
   * Sends a message; `callback` is called when the system has taken it, or with an error.
   * False says that more than `highWaterMark` waits now: wait for 'drain' before sending more.
   */
  send(data: Data | null | undefined, callback?: (error?: Error) => void): boolean;
  send(data: Data | null | undefined, options: WebSocket.SendOptions, callback?: (error?: Error) => void): boolean;
  /** Sends a ping of at most 125 bytes. */
  ping(data?: Data, mask?: boolean, callback?: (error?: Error) => void): void;
  /** Sends a pong of at most 125 bytes; pings are answered without it. */
  pong(data?: Data, mask?: boolean, callback?: (error?: Error) => void): void;
  /** Starts the closing handshake; while connecting, gives up with an 'error'. */
  close(code?: number, reason?: string | Uint8Array): void;
  /** Cuts the connection; 'close' comes with 1006. */
  terminate(): void;
  pause(): void;
  resume(): void;

  /** How long each step to the open connection took. sockline's own. */
  timings(): WebSocket.Timings;
  /** The counters of this connection since it was made; null once it has ended. sockline's own. */
  metrics(): WebSocket.Metrics | null;
  /**
   * Subscribes a server's connection to the topics of its server that match, until it ends. Topics and filters are those
   * of MQTT: levels with `/` between them; in a filter `+` stands for one level and `#`, at the end, for any number.
   */
  subscribe(filter: string): void;
  unsubscribe(filter: string): void;
  /** Publishes a message to all subscribers of a topic at this connection's server. */
  publish(topic: string, data: Data, options?: { binary?: boolean; includeSelf?: boolean }): void;
  /** What was agreed on in the TLS handshake; null without TLS. sockline's own. */
  tlsInfo(): WebSocket.TlsInfo | null;

  addEventListener<K extends keyof WebSocket.EventMap>(
    type: K,
    listener: ((event: WebSocket.EventMap[K]) => void) | { handleEvent(event: WebSocket.EventMap[K]): void },
    options?: { once?: boolean },
  ): void;
  removeEventListener<K extends keyof WebSocket.EventMap>(
    type: K,
    listener: ((event: WebSocket.EventMap[K]) => void) | { handleEvent(event: WebSocket.EventMap[K]): void },
  ): void;

  on<K extends keyof WebSocket.Listeners>(event: K, listener: WebSocket.Listeners[K]): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  once<K extends keyof WebSocket.Listeners>(event: K, listener: WebSocket.Listeners[K]): this;
  once(event: string | symbol, listener: (...args: any[]) => void): this;
  off<K extends keyof WebSocket.Listeners>(event: K, listener: WebSocket.Listeners[K]): this;
  off(event: string | symbol, listener: (...args: any[]) => void): this;
}

declare namespace WebSocket {
  export { WebSocket };

  /** What `on('message')` hands over: text is a Buffer too, with `isBinary` false. */
  export type RawData = Buffer | ArrayBuffer | Buffer[] | Blob;

  export interface Limits {
    /** The longest message to accept, in bytes; 0 for no limit. Default: 100 MiB. */
    maxPayload?: number;
    /** Milliseconds for the opening handshake; 0 for no limit, a client's default. A server's: 60,000. */
    handshakeTimeout?: number;
    /** Milliseconds for the closing handshake. Default: 30,000. */
    closeTimeout?: number;
    /** A ping goes out when nothing has come for so many milliseconds. Default: 0, none. */
    pingInterval?: number;
    /** The peer is given up when nothing has come for so many milliseconds after that. Default: pingInterval. */
    pingTimeout?: number;
    /**
     * Messages come in parts as they arrive, by 'part' instead of 'message': at most some 64 KiB of one are held, so that
     * `maxPayload` may be 0. sockline's own. Default: false.
     */
    messageParts?: boolean;
    /** When more than so many bytes wait, `send` returns false; 'drain' follows at half of it. Default: 1 MiB. */
    highWaterMark?: number;
    /** When more than so many bytes wait already, a message meets `slowConsumer`; 0 for no limit. Default: 0. */
    hardLimit?: number;
    /**
     * What becomes of messages over `hardLimit`: `send` fails, they are dropped, the oldest that wait are dropped, or the
     * connection is closed with 1008. Default: 'error'.
     */
    slowConsumer?: 'error' | 'drop-newest' | 'drop-oldest' | 'close';
    /** TCP_NODELAY. Default: true. */
    noDelay?: boolean;
    /** Whether the system probes a silent peer (SO_KEEPALIVE). Default: false. */
    keepAlive?: boolean;
    /** Milliseconds of silence until the first of these probes. Default: 2 hours. */
    keepAliveInitialDelay?: number;
    /** The connection fails when the peer has acknowledged nothing for so many milliseconds (TCP_USER_TIMEOUT). */
    userTimeout?: number;
    /** The system's buffers in bytes (SO_SNDBUF, SO_RCVBUF); 0, the default, leaves them to the system. */
    sendBuffer?: number;
    receiveBuffer?: number;
    /**
     * Compresses messages where the peer does too (RFC 7692). Default: true for a client, false for a server.
     * Keeping a context between messages costs some 400 KiB a connection once it was used; for many connections let the
     * server say `{ serverNoContextTakeover: true, clientNoContextTakeover: true }`.
     */
    perMessageDeflate?: boolean | PerMessageDeflateOptions;
  }

  export interface PerMessageDeflateOptions {
    /** Messages of so many bytes and more are compressed. Default: 1024. */
    threshold?: number;
    /** The server keeps no context between messages: a client asks for it. Default: false. */
    serverNoContextTakeover?: boolean;
    /** The client keeps no context between messages: a server demands it. Default: false. */
    clientNoContextTakeover?: boolean;
    /** The base-2 logarithm of the server's window, 9 to 15. Default: 15. */
    serverMaxWindowBits?: boolean | number | null;
    /** The same of the client's. */
    clientMaxWindowBits?: boolean | number | null;
    /** zlib's level (0 to 9, default 6) and memory level (1 to 9, default 8). `chunkSize` has no effect. */
    zlibDeflateOptions?: { level?: number; memLevel?: number; windowBits?: number; chunkSize?: number };
    /** No effect. */
    zlibInflateOptions?: { windowBits?: number; chunkSize?: number };
    /** No effect: nothing goes to a pool of threads. */
    concurrencyLimit?: number;
  }

  type Pem = string | Buffer;

  /** A certificate with its key; as in Node's tls module. */
  export interface Certificate {
    /** The certificate, and behind it those that lead towards a root: PEM, or one as DER. */
    cert?: Pem | Pem[];
    key?: Pem | (Pem | { pem: Pem; passphrase?: string })[];
    /** Of keys that are encrypted. */
    passphrase?: string;
  }

  /** Of a `wss:` URL. Certificates that are not good fail with the codes of Node, as `CERT_HAS_EXPIRED`. */
  export interface ClientTlsOptions extends Certificate {
    /** Whom to trust in place of the system's authorities. Default: those, and the file of NODE_EXTRA_CA_CERTS. */
    ca?: Pem | Pem[];
    /** False trusts anybody, for tests only. Default: true, unless NODE_TLS_REJECT_UNAUTHORIZED is 0. */
    rejectUnauthorized?: boolean;
    /** The name to ask for and to expect. Default: the URL's host. */
    servername?: string;
    /** Default: `['http/1.1']`. */
    ALPNProtocols?: string[];
    /** Default: 'TLSv1.2'; nothing older is ever accepted. */
    minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
    /** SHA-256 of public keys (SPKI), one of which must be in the chain: bytes, base64 or `sha256//…`. */
    pins?: readonly (string | Uint8Array)[];
  }

  export interface ServerTlsOptions extends Certificate {
    /** Ask clients for certificates that `ca` vouches for. Default: false. */
    requestCert?: boolean;
    ca?: Pem | Pem[];
    /** With `requestCert`: refuse clients without a certificate. Default: true. */
    rejectUnauthorized?: boolean;
    ALPNProtocols?: string[];
    minVersion?: ClientTlsOptions['minVersion'];
  }

  export interface TlsInfo {
    readonly version: 'TLSv1.2' | 'TLSv1.3';
    /** By its IANA name, as `TLS_AES_128_GCM_SHA256`. */
    readonly cipherSuite: string;
    readonly alpn: string | null;
    /** The name that the client has asked for. */
    readonly serverName: string | null;
    /** DER. */
    readonly peerCertificate: Buffer | null;
    /** Whether an earlier session was resumed. */
    readonly resumed: boolean;
  }

  export interface ClientOptions extends Limits, ClientTlsOptions {
    protocols?: string | string[];
    headers?: Record<string, string | number | readonly string[]>;
    origin?: string;
    /** `user:password` for basic authentication. */
    auth?: string;
    protocolVersion?: 13;
    /** This side's IP address. Default: the system's choice. */
    localAddress?: string;
    /** This side's port; with `localAddress` or `family`. Default: the system's choice. */
    localPort?: number;
    /** Keeps to addresses of one family, 4 or 6. Default: 0, both. */
    family?: 0 | 4 | 6;
    /**
     * Through which proxy: `http://`, `socks5://` (names are looked up here) or `socks5h://` (by the proxy), with
     * `user:password@` where it wants that; true for what `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` of
     * the environment say, as curl reads them. Default: false, none, as in ws.
     */
    proxy?: boolean | string | URL;
    /** Default: false. From `wss:` to `ws:` none is followed. */
    followRedirects?: boolean;
    /** Default: 10. */
    maxRedirects?: number;
    /** Connect again when the connection is lost, or can't be made. sockline's own. Default: false. */
    reconnect?: boolean | ReconnectOptions;
  }

  /**
   * The wait before an attempt is a random time up to `baseDelay * factor ** n`, at most `maxDelay`, where n counts the
   * attempts since the connection was last open for `stableAfter`. Times are milliseconds.
   */
  export interface ReconnectOptions {
    /** Default: 1000. */
    baseDelay?: number;
    /** Default: 2. */
    factor?: number;
    /** Default: 30,000. */
    maxDelay?: number;
    /** Default: 10,000. */
    stableAfter?: number;
    /** Default: without end. */
    maxAttempts?: number;
    /** Close codes after which it is given up. Default: 1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010. */
    noRetry?: readonly number[];
    /** How many bytes of messages are kept while there is no connection. Default: 0, `send` throws then. */
    outbox?: number;
  }

  export interface Reconnecting {
    /** Which attempt follows: 1 for the first since the connection was last stable. */
    readonly attempt: number;
    /** Milliseconds until then. */
    readonly delay: number;
    /** Null if the peer closed in good order. */
    readonly error: Error | null;
    readonly code: number;
    readonly reason: string;
  }

  /** What is about to be asked for again; each attempt begins with what the constructor was given. */
  export interface Attempt {
    url: string | URL;
    headers: Record<string, string | string[]>;
    readonly number: number;
  }

  /** Bytes are those inside of TLS. */
  export interface Metrics {
    readonly bytesIn: number;
    readonly bytesOut: number;
    readonly framesIn: number;
    readonly framesOut: number;
    readonly messagesIn: number;
    readonly messagesOut: number;
    /** Messages that a policy or a deadline has dropped. */
    readonly dropped: number;
    readonly buffered: number;
    /** Bytes of payload that were compressed; what is compressed once for many counts at one of them. */
    readonly compressedFrom: number;
    readonly compressedTo: number;
    /** Bytes of payload that came compressed. */
    readonly inflatedFrom: number;
    readonly inflatedTo: number;
    readonly latency: number | null;
  }

  /** Sums over connections; those that have ended go on counting. */
  export interface ServerMetrics extends Omit<Metrics, 'latency'> {
    /** Connections that have not ended. */
    readonly connections: number;
    readonly accepted: number;
    /** Connections that there was no room for. */
    readonly refused: number;
    /** TLS handshakes that came to nothing. */
    readonly failedHandshakes: number;
  }

  /** What a client asks a server for, with what programs use of http.ClientRequest. */
  export interface Request {
    readonly method: string;
    readonly protocol: string;
    readonly host: string;
    readonly port: string;
    readonly path: string;
    getHeader(name: string): string | string[] | undefined;
    hasHeader(name: string): boolean;
    setHeader(name: string, value: string | string[]): this;
    removeHeader(name: string): void;
    getHeaders(): Record<string, string | string[]>;
    getHeaderNames(): string[];
    readonly rawHeaders: string[];
    /** Gives the attempt up; 'error' and 'close' follow. */
    destroy(error?: Error): this;
    abort(): void;
  }

  /** Milliseconds; null for a step that was not needed. */
  export interface Timings {
    dns: number | null;
    /** Connecting to the host, or to the proxy. */
    tcp: number | null;
    /** From there to the tunnel through the proxy. */
    proxy: number | null;
    tls: number | null;
    /** The opening handshake. */
    upgrade: number | null;
  }

  /** What a server has answered to the opening handshake, in the shape of http.IncomingMessage. */
  export interface Response extends Readable {
    readonly statusCode: number;
    readonly statusMessage: string;
    readonly httpVersion: string;
    readonly headers: { [name: string]: string | string[] | undefined; 'set-cookie'?: string[] };
    readonly rawHeaders: string[];
    readonly socket: Peer | null;
    readonly connection: Response['socket'];
  }

  export interface SendOptions {
    /** Default: whether the data is no string. */
    binary?: boolean;
    /** Whether the message ends here; false sends a fragment, which the next `send` continues. Default: true. */
    fin?: boolean;
    mask?: boolean;
    /** Whether to compress the message, where that was agreed on. Default: by its length. */
    compress?: boolean;
    /** Milliseconds after which the message is dropped if it has not begun to leave. sockline's own. */
    deadline?: number;
  }

  export interface ServerOptions extends Limits {
    /** Socket.IO servers that answer on the same port, each below its path. Not with `threads`. */
    io?: SocketIoServer<any, any, any, any> | SocketIoServer<any, any, any, any>[];
    /**
     * Makes it one of a cluster: what is published at any of its servers reaches the subscribers of all. The URL of a Redis, or
     * what `createAdapter` and its like of `sockline/redis-adapter` return, of whose options the key matters, and whether it is
     * sharded. All servers need the same. sockline's own.
     */
    adapter?: string | URL | ClusterAdapter;
    /** 0 lets the system choose one. It has to be there, unless `fd` is. */
    port?: number;
    /** Default: every address. */
    host?: string;
    /**
     * The descriptor of a socket that is bound already, TCP or Unix, such as systemd gives (3), in place of `port` and `host`. The
     * server takes it over and closes it, also when it can't listen. sockline's own.
     */
    fd?: number;
    /** Whether other processes may listen on the same port (SO_REUSEPORT), as in the net module. sockline's own. */
    reusePort?: boolean;
    /** Whether IPv4 is left out at every address, or `::`, as in the net module. sockline's own. */
    ipv6Only?: boolean;
    /** Connections that were not accepted yet. Default: 511. */
    backlog?: number;
    /** Upgrades are taken at this path only. Default: every path. */
    path?: string;
    /** A folder whose files are served to GET and HEAD on the same port. sockline's own. */
    static?: string;
    /**
     * Answers HTTP requests that are no upgrades, at once or by a promise; nothing leaves a request to the server, which goes
     * on with its metrics, a file, or a refusal. What it throws is uncaught, and answered with 500. Bodies may have 1 MiB.
     * The requests of `io` are not heard. sockline's own.
     */
    request?: (request: HttpRequest) => HttpAnswer | PromiseLike<HttpAnswer>;
    /** Whether `clients` is kept. Default: true. */
    clientTracking?: boolean;
    verifyClient?: VerifyClient;
    /** Chooses one of the offered subprotocols, or none. Default: the first. */
    handleProtocols?: (protocols: Set<string>, request: UpgradeRequest) => string | false | undefined;
    /**
     * How many threads of the engine's deal with sockets, TLS and frames; events and callbacks stay on this one. Default:
     * none, Node's own loop does it all, which is the cheapest for small messages. A message that came right before the
     * peer's close can't be answered then. sockline's own.
     */
    threads?: number;
    /** GET of this path answers `metricsText()`. Default: nowhere. */
    metricsPath?: string;
    /** How many connections there may be; the next one gets status 503. Default: 0, any number. */
    maxConnections?: number;
    /** The same for each client address; a /64 of IPv6 counts as one. */
    maxConnectionsPerAddress?: number;
    /** After so many requests for files a connection is closed. Default: 0, any number. */
    maxRequests?: number;
    /** The pages that may connect, as `https://example.com`; others get 403. Default: all. */
    origins?: string | readonly string[];
    /** Speak TLS; several certificates are told apart by name, the first is the default. sockline's own. */
    tls?: ServerTlsOptions | [ServerTlsOptions, ...Certificate[]];
    /** The class of the server's WebSockets. */
    WebSocket?: typeof WebSocket;
  }

  /** A request with all of its body, in the shape of http.IncomingMessage but for that. */
  export interface HttpRequest {
    readonly method: string;
    readonly url: string;
    readonly httpVersion: string;
    readonly headers: Record<string, string>;
    readonly rawHeaders: string[];
    readonly socket: Pick<Peer, 'remoteAddress' | 'remotePort' | 'remoteFamily' | 'encrypted'>;
    readonly connection: HttpRequest['socket'];
    readonly body: Buffer;
  }

  /** Status 200 and no headers are the default; Content-Length is written by the engine. Or a Response of the Fetch standard. */
  export type HttpAnswer =
    | {
        status?: number;
        headers?: Record<string, string | number | readonly string[]>;
        body?: string | ArrayBuffer | ArrayBufferView;
      }
    | globalThis.Response
    | null
    | undefined
    | void;

  export interface VerifyInfo {
    origin: string | undefined;
    secure: boolean;
    req: UpgradeRequest;
  }
  /** With two parameters it settles later; with one it returns its verdict. */
  export type VerifyClient = (
    info: VerifyInfo,
    settle: (ok: boolean, status?: number, message?: string, headers?: Record<string, string>) => void,
  ) => boolean | void;

  /** The other end, with what programs read of a net.Socket or tls.TLSSocket. */
  export interface Peer {
    readonly remoteAddress?: string;
    readonly remotePort?: number;
    readonly remoteFamily?: 'IPv4' | 'IPv6';
    readonly encrypted: boolean;
    /** Whether it has shown a certificate. */
    readonly authorized: boolean;
    readonly alpnProtocol: string | false;
    readonly servername: string | false;
    getProtocol(): TlsInfo['version'] | null;
    getPeerCertificate(): PeerCertificate | {};
    getPeerX509Certificate(): X509Certificate | undefined;
  }

  /** The client's request, in the shape of http.IncomingMessage. */
  export interface UpgradeRequest {
    readonly method: string;
    readonly url: string;
    readonly httpVersion: string;
    readonly headers: Record<string, string>;
    readonly rawHeaders: string[];
    readonly socket: Peer;
    readonly connection: Peer;
  }

  export interface Event {
    readonly type: string;
    readonly target: WebSocket;
  }
  export interface MessageEvent extends Event {
    readonly data: string | RawData;
  }
  export interface CloseEvent extends Event {
    readonly code: number;
    readonly reason: string;
    readonly wasClean: boolean;
  }
  export interface ErrorEvent extends Event {
    readonly error: Error;
    readonly message: string;
  }
  export interface EventMap {
    open: Event;
    message: MessageEvent;
    close: CloseEvent;
    error: ErrorEvent;
  }
  export interface Listeners {
    open: (this: WebSocket) => void;
    message: (this: WebSocket, data: RawData, isBinary: boolean) => void;
    close: (this: WebSocket, code: number, reason: Buffer) => void;
    error: (this: WebSocket, error: Error) => void;
    /** With `messageParts`: a text is cut between characters. */
    part: (this: WebSocket, data: Buffer, part: { binary: boolean; first: boolean; last: boolean }) => void;
    ping: (this: WebSocket, data: Buffer) => void;
    pong: (this: WebSocket, data: Buffer) => void;
    /** The server has accepted; 'open' follows. */
    upgrade: (this: WebSocket, response: Response) => void;
    /** The server has refused; without a listener that is an 'error'. 'close' follows when the response was read. */
    'unexpected-response': (this: WebSocket, request: Request, response: Response) => void;
    /** A redirect is followed; the request's headers may be changed. With `reconnect` it doesn't come. */
    redirect: (this: WebSocket, url: string, request: Request) => void;
    /** The connection is lost, or could not be made, and another attempt follows. */
    reconnecting: (this: WebSocket, event: Reconnecting) => void;
    /** An attempt begins; it may be changed. */
    attempt: (this: WebSocket, attempt: Attempt) => void;
    reconnected: (this: WebSocket) => void;
    /** What waits fell to half of `highWaterMark`, after `send` had returned false. */
    drain: (this: WebSocket) => void;
  }
  export interface ServerListeners {
    connection: (this: WebSocketServer, socket: WebSocket, request: UpgradeRequest) => void;
    listening: (this: WebSocketServer) => void;
    error: (this: WebSocketServer, error: Error) => void;
    close: (this: WebSocketServer) => void;
    headers: (this: WebSocketServer, lines: string[], request: UpgradeRequest) => void;
  }

  /** An error that nobody listens to is a warning. */
  export interface ClusterEvents extends EventEmitter {
    on(event: 'connected', listener: () => void): this;
    on(event: 'disconnected' | 'error', listener: (error: Error) => void): this;
    on(event: string | symbol, listener: (...args: any[]) => void): this;
  }

  /** Listens on a port, and emits 'connection' with a WebSocket and the request for each client. */
  export class WebSocketServer extends EventEmitter {
    constructor(options: ServerOptions, callback?: () => void);
    readonly options: ServerOptions;
    /** The open connections, unless `clientTracking` is false. */
    readonly clients: Set<WebSocket>;
    /** With the option `adapter`, tells how its connection to Redis is. Meanwhile the server's own connections are served. */
    readonly adapter?: ClusterEvents;
    /** Where it listens; null if it doesn't. */
    address(): AddressInfo | null;
    /** What it has done so far, over all its threads. sockline's own. */
    metrics(): ServerMetrics;
    /** The same in Prometheus's text format. */
    metricsText(): string;
    /**
     * Sends a message to all subscribers of a topic; it is encoded once. With the option `adapter` it reaches those of the other
     * servers too: once and in order, or not at all while Redis can't be reached. sockline's own.
     */
    publish(topic: string, data: Data, options?: { binary?: boolean }): void;
    /** Sends a message to all connections of this server; it is encoded once. sockline's own. */
    broadcast(data: Data, options?: { binary?: boolean }): void;
    /**
     * Stops listening, and closes the connections with 1001, spread over half of so many milliseconds; what is not over
     * when they have passed is cut. sockline's own.
     */
    drain(within: number, callback?: (error?: Error) => void): void;
    /** Takes other certificates from the next handshake on. */
    setSecureContext(tls: Certificate | Certificate[]): void;
    /** Stops listening. Connections live on; 'close' comes when the last of them has ended. */
    close(callback?: (error?: Error) => void): void;
    /** Whether a request is for this server; a subclass may know better. */
    shouldHandle(request: UpgradeRequest): boolean;
    on<K extends keyof ServerListeners>(event: K, listener: ServerListeners[K]): this;
    on(event: string | symbol, listener: (...args: any[]) => void): this;
    once<K extends keyof ServerListeners>(event: K, listener: ServerListeners[K]): this;
    once(event: string | symbol, listener: (...args: any[]) => void): this;
  }

  export interface WebSocketStreamOptions extends ClientOptions {
    /** Gives the attempt up; without effect once it is open. */
    signal?: AbortSignal;
  }
  export interface WebSocketOpenInfo {
    /** Text comes as strings, binary as Uint8Array. The peer is only read from while these are. */
    readonly readable: ReadableStream<string | Uint8Array>;
    /** A write is done when no more than `highWaterMark` waits. */
    readonly writable: WritableStream<string | ArrayBuffer | NodeJS.ArrayBufferView>;
    readonly protocol: string;
    readonly extensions: string;
  }
  export interface WebSocketCloseInfo {
    readonly closeCode: number;
    readonly reason: string;
  }

  /** A connection as two streams with back-pressure, as in browsers. */
  export class WebSocketStream {
    constructor(url: string | URL, options?: WebSocketStreamOptions);
    readonly url: string;
    /** Rejects with a WebSocketError, or with the signal's reason. */
    readonly opened: Promise<WebSocketOpenInfo>;
    /** Rejects with a WebSocketError if the connection did not close in good order. */
    readonly closed: Promise<WebSocketCloseInfo>;
    close(closeInfo?: { closeCode?: number; reason?: string }): void;
  }

  /** Why a stream did not end well; as a reason of `cancel` and `abort`, what to close with. */
  export class WebSocketError extends DOMException {
    constructor(message?: string, init?: { closeCode?: number | null; reason?: string });
    readonly closeCode: number | null;
    readonly reason: string;
    readonly cause?: Error;
  }

  /** The engine's log lines. Process-wide; nothing is told while nobody listens. */
  export interface Log extends EventEmitter {
    /** The finest level that is told. Default: 'info'. */
    level: 'error' | 'warn' | 'info' | 'debug' | 'trace';
    on(event: 'log', listener: (line: { level: Log['level']; text: string }) => void): this;
    on(event: string | symbol, listener: (...args: any[]) => void): this;
  }
  export const log: Log;

  /**
   * Limits what the process keeps of messages, over all its connections and threads, in bytes: what waits to be sent or
   * read, and what has come of messages that are not complete. 0, the default, sets no limit. A `send` beyond it fails
   * with SOCKLINE_ERR_MEMORY_BUDGET, or does what `slowConsumer` says. sockline's own.
   */
  export function setMemoryBudget(bytes: number): void;
  /** What the budget limits, in bytes, as it is now. */
  export function memoryInUse(): number;

  export const Server: typeof WebSocketServer;
  export type Server = WebSocketServer;
}

export = WebSocket;
