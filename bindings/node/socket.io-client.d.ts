/// <reference types="node" />

import type { ClientOptions } from './index.js';
import type {
  AllButLast,
  CatchAll,
  DefaultEventsMap,
  EventNames,
  EventParams,
  EventsMap,
  FirstArg,
  Last,
  ReservedOrUserEventNames,
  ReservedOrUserListener,
} from './lib/io/typed-events.js';

/** Listeners by name, as in @socket.io/component-emitter. */
declare class Emitter<ListenEvents extends EventsMap, EmitEvents extends EventsMap, ReservedEvents extends EventsMap = {}> {
  on<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    event: Ev,
    listener: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this;
  once<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    event: Ev,
    listener: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this;
  /** Without a listener all of the event, without an event all listeners. */
  off<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    event?: Ev,
    listener?: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this;
  removeListener<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    event?: Ev,
    listener?: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this;
  removeAllListeners<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(event?: Ev): this;
  emit<Ev extends EventNames<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): this;
  listeners<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    event: Ev,
  ): ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>[];
  hasListeners<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(event: Ev): boolean;
}

/** With `timeout`, answers begin with an error. */
type PrependTimeoutError<T extends any[]> = {
  [K in keyof T]: T[K] extends (...args: infer Params) => infer Result ? (error: Error, ...args: Params) => Result : T[K];
};
type DecorateAcknowledgements<E> = {
  [K in keyof E]: E[K] extends (...args: infer Params) => infer Result
    ? (...args: PrependTimeoutError<Params>) => Result
    : E[K];
};

export type DisconnectDescription = Error | { description: string; context?: unknown };

/** An error of the server's: `data` came along. */
export interface ExtendedError extends Error {
  data?: any;
}

export interface SocketOptions {
  /** What the socket says of itself when it connects; a function is asked anew each time. */
  auth?: { [key: string]: any } | ((callback: (data: object) => void) => void);
  /** How often an event is sent again that the server has not acknowledged; then they leave one after the other. */
  retries?: number;
  /** How long an answer is waited for where `timeout` doesn't say, in milliseconds. */
  ackTimeout?: number;
}

type TlsOptions = Pick<ClientOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'rejectUnauthorized' | 'servername' | 'minVersion'>;
type ConnectionOptions = Pick<ClientOptions, 'proxy' | 'origin' | 'maxPayload' | 'localAddress' | 'family' | 'highWaterMark' | 'perMessageDeflate'>;

export interface ManagerOptions extends TlsOptions, ConnectionOptions {
  /** Whether to share no manager. Default: false. */
  forceNew: boolean;
  /** Whether sockets of the same server share a manager. Default: true. */
  multiplex: boolean;
  /** The path that the server answers at. Default: '/socket.io'. */
  path: string;
  addTrailingSlash: boolean;
  /** Where the server is, for a manager without a URL. Default: 'localhost'. */
  hostname: string;
  /** The same. */
  host: string;
  port: string | number;
  /** Whether there is TLS. */
  secure: boolean;
  /**
   * What it says is taken from it: of Node's own classes the options of TLS and the address, of http-proxy-agent, https-proxy-agent
   * and socks-proxy-agent the proxy. Others make the connections themselves.
   */
  agent: string | boolean | object;
  /** Has no effect: it is about pages. */
  closeOnBeforeunload: boolean;
  /** Has no effect: timers are the engine's own. */
  useNativeTimers: boolean;
  /** With these three Node makes the connections, which is slower. */
  pfx: ClientOptions['pfx'];
  ciphers: string;
  checkServerIdentity: ClientOptions['checkServerIdentity'];
  /** In the order in which they are tried. Default: polling, then websocket. */
  transports: ('polling' | 'websocket' | 'webtransport' | TransportClass)[];
  /** The same as classes. Not both. */
  transportImplementations: TransportClass[];
  upgrade: boolean;
  rememberUpgrade: boolean;
  tryAllTransports: boolean;
  query: { [name: string]: any };
  timestampRequests: boolean;
  timestampParam: string;
  forceBase64: boolean;
  /** Whether cookies that the server sets go along with later requests. Default: false. */
  withCredentials: boolean;
  extraHeaders: { [name: string]: string };
  transportOptions: { [transport: string]: { extraHeaders?: { [name: string]: string } } };
  /** Milliseconds. */
  requestTimeout: number;
  protocols: string | string[];
  reconnection: boolean;
  reconnectionAttempts: number;
  /** Milliseconds. Default: 1000. */
  reconnectionDelay: number;
  /** Milliseconds. Default: 5000. */
  reconnectionDelayMax: number;
  /** From 0 to 1. Default: 0.5. */
  randomizationFactor: number;
  /** How long an attempt to connect may take, in milliseconds. Default: 20,000. */
  timeout: number | false;
  autoConnect: boolean;
  /** Whether the process may end while there is a connection. Default: false. */
  autoUnref: boolean;
  /** Classes `Encoder` and `Decoder`. The engine has socket.io-parser (the default) and socket.io-msgpack-parser itself. */
  parser: any;
  /** The most binary values in an event to accept. Default: 10. */
  maxAttachments: number;
  /** How many bytes of events may wait for a connection. Default: 16 MiB. */
  sendBufferLimit: number;
}

/** The name of a transport, in the shape of engine.io-client's classes. */
interface TransportClass {
  readonly transport: string;
}
export declare const Fetch: TransportClass;
export declare const NodeXHR: TransportClass;
export declare const XHR: TransportClass;
export declare const NodeWebSocket: TransportClass;
export declare const WebSocket: TransportClass;
export declare const WebTransport: TransportClass;

export interface ManagerReservedEvents {
  open: () => void;
  error: (error: Error) => void;
  ping: () => void;
  /** A packet of Socket.IO, as socket.io-parser has it. The first listener costs a second reading of each from then on. */
  packet: (packet: { type: number; nsp: string; data?: any; id?: number }) => void;
  close: (reason: string, description?: DisconnectDescription) => void;
  reconnect_failed: () => void;
  reconnect_attempt: (attempt: number) => void;
  reconnect_error: (error: Error) => void;
  reconnect: (attempt: number) => void;
}

/** A packet of Engine.IO. */
export interface EnginePacket {
  type: 'open' | 'close' | 'ping' | 'pong' | 'message' | 'upgrade' | 'noop';
  data?: string | Buffer;
  /** Of one on its way out. */
  options?: { compress: boolean };
}

/** The Engine.IO connection of a manager. */
export interface EngineSocket
  extends Emitter<
    {},
    {},
    {
      open: () => void;
      /** The answer to the first request. */
      handshake: (data: { sid: string }) => void;
      /** It goes over to a WebSocket, which has proved to work; 'upgrade' follows at once. */
      upgrading: (transport: { name: string }) => void;
      upgrade: (transport: { name: string }) => void;
      error: (error: Error) => void;
      /** A ping of the server's came, and was answered. Costs as much as 'packet', as do 'pong', 'flush' and 'drain'. */
      ping: () => void;
      pong: () => void;
      /** Packets are written now. */
      flush: () => void;
      upgradeError: (error: Error) => void;
      close: (reason: string, description?: DisconnectDescription) => void;
      /** All that was sent has left. */
      drain: () => void;
      /** A packet came. The first listener for packets costs a copy of each from then on. */
      packet: (packet: EnginePacket) => void;
      /** A packet is on its way out. */
      packetCreate: (packet: EnginePacket) => void;
      /** What a message carries. */
      message: (data: string | Buffer) => void;
      data: (data: string | Buffer) => void;
      /** A ping of the server's came. */
      heartbeat: () => void;
    }
  > {
  readonly id: string | undefined;
  readonly transport: { readonly name: 'polling' | 'websocket' };
  readonly readyState: 'opening' | 'open' | 'closed';
  /** What binary values are in events. */
  binaryType: 'nodebuffer' | 'arraybuffer';
  /** Sends a message of Engine.IO, between the packets of Socket.IO. The callback is called when it leaves. */
  send(data: string | NodeJS.ArrayBufferView | ArrayBuffer, options?: { compress?: boolean }, callback?: () => void): this;
  send(data: string | NodeJS.ArrayBufferView | ArrayBuffer, callback: () => void): this;
  /** The same as `send`. */
  write(data: string | NodeJS.ArrayBufferView | ArrayBuffer, options?: { compress?: boolean }, callback?: () => void): this;
  /** Closes the connection as if it had been lost. */
  close(): this;
}

/** A connection to a server, made again when it is lost, which the sockets of its namespaces share. */
export declare class Manager<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
> extends Emitter<{}, {}, ManagerReservedEvents> {
  constructor(uri: string, options?: Partial<ManagerOptions>);
  constructor(options?: Partial<ManagerOptions>);
  readonly engine: EngineSocket;
  readonly opts: Partial<ManagerOptions>;
  reconnection(): boolean;
  reconnection(enabled: boolean): this;
  reconnectionAttempts(): number;
  reconnectionAttempts(attempts: number): this;
  reconnectionDelay(): number;
  reconnectionDelay(delay: number): this;
  randomizationFactor(): number;
  randomizationFactor(factor: number): this;
  reconnectionDelayMax(): number;
  reconnectionDelayMax(delay: number): this;
  timeout(): number | boolean;
  timeout(timeout: number | boolean): this;
  open(callback?: (error?: Error) => void): this;
  connect(callback?: (error?: Error) => void): this;
  socket(nsp: string, options?: Partial<SocketOptions>): Socket<ListenEvents, EmitEvents>;
  /** Closes the connection, and gives up coming back to one. */
  disconnect(): void;
}

export interface SocketReservedEvents {
  connect: () => void;
  connect_error: (error: ExtendedError) => void;
  disconnect: (reason: Socket.DisconnectReason, description?: DisconnectDescription) => void;
}

export declare interface Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
> extends CatchAll {}
/** A namespace of a manager's connection. */
export declare class Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
> extends Emitter<ListenEvents, EmitEvents, SocketReservedEvents> {
  private constructor();
  readonly io: Manager<ListenEvents, EmitEvents>;
  readonly id: string | undefined;
  readonly connected: boolean;
  readonly disconnected: boolean;
  /** Whether it is connected, or will be without being told to. */
  readonly active: boolean;
  /** Whether the server has kept what was missed while the connection was lost. */
  readonly recovered: boolean;
  auth: { [key: string]: any } | ((callback: (data: object) => void) => void);
  receiveBuffer: ReadonlyArray<any>[];
  /** What waits for a connection. Another list in its place drops all of it. */
  sendBuffer: { type: number; nsp: string; data: any[] }[];

  connect(): this;
  open(): this;
  disconnect(): this;
  close(): this;
  send(...args: any[]): this;
  emit<Ev extends EventNames<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): this;
  emitWithAck<Ev extends EventNames<EmitEvents>>(
    event: Ev,
    ...args: AllButLast<EventParams<EmitEvents, Ev>>
  ): Promise<FirstArg<Last<EventParams<EmitEvents, Ev>>>>;
  compress(compress: boolean): this;
  get volatile(): this;
  timeout(timeout: number): Socket<ListenEvents, DecorateAcknowledgements<EmitEvents>>;
}

export declare namespace Socket {
  type DisconnectReason =
    | 'io server disconnect'
    | 'io client disconnect'
    | 'ping timeout'
    | 'transport close'
    | 'transport error'
    | 'parse error'
    | 'forced close';
}

/** Revision of the Socket.IO protocol. */
export declare const protocol: 5;

/** The socket of the namespace that the URL's path names, of a manager that is shared by all who ask for the same server. */
declare function lookup(uri: string, options?: Partial<ManagerOptions & SocketOptions>): Socket;

export { lookup as connect, lookup as default, lookup as io };
