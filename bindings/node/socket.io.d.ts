/// <reference types="node" />

import type { EventEmitter } from 'events';
import type { IncomingHttpHeaders, IncomingMessage, Server as HttpServer } from 'http';
import type { Http2SecureServer, Http2Server } from 'http2';
import type { Server as HttpsServer } from 'https';
import type { PerMessageDeflateOptions, ServerTlsOptions, WebSocketServer } from './index.js';
import type { Connection, ConnectionError, Engine, EnginePacket, Transport } from './types/socket.io-engine.js';
import type {
  AllButLast,
  CatchAll,
  DecorateAcknowledgements,
  DecorateAcknowledgementsWithMultipleResponses,
  DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  DefaultEventsMap,
  EventNames,
  EventNamesWithAck,
  EventNamesWithError,
  EventNamesWithoutAck,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
  RemoveAcknowledgements,
  StrictEventEmitter,
} from './lib/io/typed-events.js';

export type { Connection, ConnectionError, DefaultEventsMap, Engine, EnginePacket, Transport };

/** What it can be attached to. Of HTTP/2 there is polling; WebSockets need `allowHTTP1`. */
export type AnyServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer;

export type SocketId = string;
export type Room = string;
/** The name of an event, and its arguments. */
export type Event = [string, ...any[]];

export type DisconnectReason =
  | 'transport error'
  | 'transport close'
  | 'forced close'
  | 'ping timeout'
  | 'parse error'
  | 'server shutting down'
  | 'forced server close'
  | 'client namespace disconnect'
  | 'server namespace disconnect';

/** An error for a client: `data` goes along. */
export interface ExtendedError extends Error {
  data?: any;
}

/** What a client has said when it connected. */
export interface Handshake {
  headers: IncomingHttpHeaders;
  /** When its session began, as a string. */
  time: string;
  /** The client's address. */
  address: string;
  /** Whether a page of another origin has made the request. */
  xdomain: boolean;
  secure: boolean;
  /** When its session began, in milliseconds since 1970. */
  issued: number;
  url: string;
  query: { [name: string]: string | string[] | undefined };
  /** What the client has said of itself. */
  auth: { [key: string]: any };
}

/** npm cors's options. A function has to call back at once. */
export interface CorsOptions {
  origin?:
    | boolean
    | string
    | RegExp
    | (string | RegExp | boolean)[]
    | ((origin: string, callback: (error: Error | null, allowed?: any) => void) => void);
  methods?: string | string[];
  allowedHeaders?: string | string[];
  exposedHeaders?: string | string[];
  credentials?: boolean;
  /** Seconds. */
  maxAge?: number;
  preflightContinue?: boolean;
  optionsSuccessStatus?: number;
}

/** npm cookie's options. */
export interface CookieOptions {
  /** Default: 'io'. */
  name?: string;
  path?: string;
  domain?: string;
  httpOnly?: boolean;
  sameSite?: boolean | 'strict' | 'lax' | 'none';
  secure?: boolean;
  partitioned?: boolean;
  priority?: 'low' | 'medium' | 'high';
  /** Seconds. */
  maxAge?: number;
  expires?: Date;
}

export interface ServerOptions {
  /** The path below which it answers. Default: '/socket.io'. */
  path: string;
  /** Whether "/" has to follow the path. Default: true. */
  addTrailingSlash: boolean;
  /** Whether the browsers' bundles of socket.io-client are served below the path. Default: true. */
  serveClient: boolean;
  /** How long a client may take to join its first namespace, in milliseconds. Default: 45,000. */
  connectTimeout: number;
  /** How long after the last pong the next ping goes out, in milliseconds. Default: 25,000. */
  pingInterval: number;
  /** How long a client may take to answer a ping, in milliseconds. Default: 20,000. */
  pingTimeout: number;
  /** How long the upgrade to a WebSocket may take, in milliseconds. Default: 10,000. */
  upgradeTimeout: number;
  /** The longest message to accept, in bytes. Default: 1e6. */
  maxHttpBufferSize: number;
  /** The most binary values in an event to accept. Default: 10. */
  maxAttachments: number;
  /** Default: both. */
  transports: ('polling' | 'websocket')[];
  /** Default: true. */
  allowUpgrades: boolean;
  /** Whether clients of Socket.IO 1 and 2 are served. Default: false. */
  allowEIO3: boolean;
  /** Asked whether a session may begin; it may answer later. */
  allowRequest: (
    request: IncomingMessage,
    callback: (error: string | null | undefined, allowed: boolean) => void,
  ) => void;
  /** Default: none. */
  cors: CorsOptions | boolean;
  /** A cookie with the session's id, for load balancers. Default: none. */
  cookie: CookieOptions | boolean;
  /** Compression of answers to polling. Default: from 1024 bytes on. */
  httpCompression: boolean | { threshold?: number };
  /** Compression of WebSocket messages. Default: none. */
  perMessageDeflate: boolean | PerMessageDeflateOptions;
  /** Keeps the state of clients that lose their connection, and what they miss. Default: no. */
  connectionStateRecovery: {
    /** Milliseconds. Default: two minutes. */
    maxDisconnectionDuration?: number;
    /** Whether middlewares are not asked about clients that come back. Default: true. */
    skipMiddlewares?: boolean;
    /** The most bytes of events that a namespace keeps; the oldest go first. Default: 16 MiB. */
    maxBytes?: number;
  };
  /**
   * Makes the server one of a cluster: what `createAdapter` of sockline/redis-adapter returns, or a URL of Redis. Or a class that
   * extends socket.io-adapter's, or what makes its objects: rooms are in JavaScript then, and `connectionStateRecovery`,
   * `forwardRequests` and `enableAdmin` are refused.
   */
  adapter: string | URL | ((nsp: any) => any) | (new (nsp: any) => any);
  /**
   * Whether requests of clients that poll may reach any server of the cluster, which forwards them to the one that has the
   * client's session: no load balancer has to keep a client with one server. All servers need it. Needs `adapter`, from the
   * beginning on; there can be no `engine.generateId`. A WebSocket can't be forwarded: a client that asks another server for one
   * goes on polling. Default: false.
   */
  forwardRequests: boolean;
  /** Whether namespaces that were made for clients go with their last one. Default: false. */
  cleanupEmptyChildNamespaces: boolean;
  /** Classes `Encoder` and `Decoder`. The engine has socket.io-parser (the default) and socket.io-msgpack-parser itself. */
  parser: any;
  /** Whether upgrades to other paths of an attached server are ended. Default: true. */
  destroyUpgrade: boolean;
  /** Milliseconds. Default: 1000. */
  destroyUpgradeTimeout: number;

  /** Where to listen, with a port. Default: every address. */
  host: string;
  /** TLS on the port. */
  tls: ServerTlsOptions | ServerTlsOptions[];
  /** A folder whose files are served on the port. */
  static: string;
  /** From how many waiting bytes on `emit` returns false; `conn` emits 'drain' at half of it. Default: 1 MiB. */
  highWaterMark: number;
  /** How many bytes may wait for a client. Default: any number. */
  hardLimit: number;
  /** What becomes of events over the hard limit. Default: 'error'. */
  slowConsumer: 'error' | 'drop-newest' | 'drop-oldest' | 'close';
}

/** Who sees the admin namespace, and how much: the options of `instrument` of @socket.io/admin-ui. */
export interface AdminOptions {
  /** `password` is the password's bcrypt hash. False: whoever can connect. There is no default. */
  auth: false | { type: 'basic'; username: string; password: string };
  /** Default: '/admin'. */
  namespaceName?: string;
  /** Whether admins may only look. Default: false. */
  readonly?: boolean;
  /** The name of this server. Default: the host's. */
  serverId?: string;
  /** Whether every socket, room and event is shown, or in production only sums. Default: 'development'. */
  mode?: 'development' | 'production';
}

/** A client: its connection, and its sockets. */
export interface Client {
  readonly id: string;
  readonly conn: Connection;
  readonly request: IncomingMessage;
}

/** Which sockets a call is for. */
export interface BroadcastOptions {
  rooms?: Set<Room>;
  except?: Set<Room>;
  flags?: { volatile?: boolean; compress?: boolean; local?: boolean; timeout?: number };
}

/** What came together from several servers: how many of them have not answered in time. */
export interface Answered {
  readonly missing: number;
}

/** Which sockets are in which rooms, and what the cluster does. */
export interface Adapter extends EventEmitter {
  readonly nsp: Namespace<any, any, any, any>;
  init(): void;
  close(): void;
  addAll(id: SocketId, rooms: Set<Room>): void;
  del(id: SocketId, room: Room): void;
  delAll(id: SocketId): void;
  broadcast(packet: { data: any[] }, options: BroadcastOptions): void;
  broadcastWithAck(
    packet: { data: any[] },
    options: BroadcastOptions,
    clientCountCallback: (count: number) => void,
    ack: (answer: any) => void,
  ): void;
  fetchSockets(options: BroadcastOptions): Promise<any[] & Answered>;
  addSockets(options: BroadcastOptions, rooms: Room[]): void;
  delSockets(options: BroadcastOptions, rooms: Room[]): void;
  disconnectSockets(options: BroadcastOptions, close: boolean): void;
  serverSideEmit(packet: any[]): void;
  readonly rooms: ReadonlyMap<Room, Set<SocketId>>;
  readonly sids: ReadonlyMap<SocketId, Set<Room>>;
  socketRooms(id: SocketId): Set<Room> | undefined;
  /** The ids of the sockets in any of these rooms, on all servers. */
  sockets(rooms?: Set<Room>): Promise<Set<SocketId> & Answered>;
  /** The names of the rooms of all servers. */
  allRooms(): Promise<Set<Room> & Answered>;
  /** How many servers of the cluster have the namespace. */
  serverCount(): Promise<number>;
  /** Something is wrong with the connection to Redis, which is made again. Without a listener there is a warning. */
  on(event: 'error', listener: (error: Error) => void): this;
  on(event: 'connected', listener: () => void): this;
  on(event: 'disconnected', listener: (error: Error) => void): this;
  on(event: 'create-room' | 'delete-room', listener: (room: Room) => void): this;
  on(event: 'join-room' | 'leave-room', listener: (room: Room, id: SocketId) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}

type Many<E> = DecorateAcknowledgementsWithMultipleResponses<E>;

/** An event, or another order, for some of a namespace's sockets. */
export declare class BroadcastOperator<EmitEvents extends EventsMap, SocketData> {
  to(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData>;
  in(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData>;
  except(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData>;
  compress(compress: boolean): BroadcastOperator<EmitEvents, SocketData>;
  get volatile(): BroadcastOperator<EmitEvents, SocketData>;
  get local(): BroadcastOperator<EmitEvents, SocketData>;
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData>;
  emit<Ev extends EventNames<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;
  emitWithAck<Ev extends EventNamesWithError<EmitEvents>>(
    event: Ev,
    ...args: AllButLast<EventParams<EmitEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<EmitEvents, Ev>>>>;
  /** @deprecated use fetchSockets */
  allSockets(): Promise<Set<SocketId>>;
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[] & Answered>;
  socketsJoin(room: Room | Room[]): void;
  socketsLeave(room: Room | Room[]): void;
  disconnectSockets(close?: boolean): void;
}

/** A socket, of this server or of another one of its cluster. */
export declare class RemoteSocket<EmitEvents extends EventsMap, SocketData> {
  readonly id: SocketId;
  readonly handshake: Handshake;
  readonly rooms: Set<Room>;
  readonly data: SocketData;
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData>;
  emit<Ev extends EventNames<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;
  join(room: Room | Room[]): void;
  leave(room: Room): void;
  disconnect(close?: boolean): this;
}

interface SocketReservedEvents {
  disconnect: (reason: DisconnectReason, description?: any) => void;
  disconnecting: (reason: DisconnectReason, description?: any) => void;
  error: (error: Error) => void;
}

export declare interface Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends CatchAll {}
/** A client in a namespace. */
export declare class Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends StrictEventEmitter<ListenEvents, EmitEvents, SocketReservedEvents> {
  private constructor();
  readonly id: SocketId;
  readonly nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents>;
  readonly client: Client;
  readonly conn: Connection;
  readonly request: IncomingMessage;
  readonly handshake: Handshake;
  /** Whether it has the id, rooms and data that it had before its connection was lost. */
  readonly recovered: boolean;
  readonly connected: boolean;
  readonly disconnected: boolean;
  readonly rooms: Set<Room>;
  /** The application's own. */
  data: SocketData;

  /** Sends an event. False says that more than `highWaterMark` waits now: wait for 'drain' of `conn`. */
  emit<Ev extends EventNames<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;
  emitWithAck<Ev extends EventNamesWithAck<EmitEvents>>(
    event: Ev,
    ...args: AllButLast<EventParams<EmitEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<EmitEvents, Ev>>>>;
  send(...args: EventParams<EmitEvents, 'message'>): this;
  write(...args: EventParams<EmitEvents, 'message'>): this;
  to(room: Room | Room[]): BroadcastOperator<Many<EmitEvents>, SocketData>;
  in(room: Room | Room[]): BroadcastOperator<Many<EmitEvents>, SocketData>;
  except(room: Room | Room[]): BroadcastOperator<Many<EmitEvents>, SocketData>;
  get broadcast(): BroadcastOperator<Many<EmitEvents>, SocketData>;
  get local(): BroadcastOperator<Many<EmitEvents>, SocketData>;
  get volatile(): this;
  compress(compress: boolean): this;
  timeout(timeout: number): Socket<ListenEvents, DecorateAcknowledgements<EmitEvents>, ServerSideEvents, SocketData>;
  join(rooms: Room | Room[]): Promise<void> | void;
  leave(room: Room): Promise<void> | void;
  disconnect(close?: boolean): this;
  use(middleware: (event: Event, next: (error?: Error) => void) => void): this;
}

interface NamespaceReservedEvents<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> {
  connect: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
  connection: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
}

interface ServerReservedEvents<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> extends NamespaceReservedEvents<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  new_namespace: (namespace: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
}

/** What a namespace does, and a server for its main one. */
interface Broadcasts<EmitEvents extends EventsMap, ServerSideEvents extends EventsMap, SocketData> {
  to(room: Room | Room[]): BroadcastOperator<Many<EmitEvents>, SocketData>;
  in(room: Room | Room[]): BroadcastOperator<Many<EmitEvents>, SocketData>;
  except(room: Room | Room[]): BroadcastOperator<Many<EmitEvents>, SocketData>;
  compress(compress: boolean): BroadcastOperator<Many<EmitEvents>, SocketData>;
  readonly volatile: BroadcastOperator<Many<EmitEvents>, SocketData>;
  readonly local: BroadcastOperator<Many<EmitEvents>, SocketData>;
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<Many<EmitEvents>>, SocketData>;
  send(...args: EventParams<EmitEvents, 'message'>): this;
  write(...args: EventParams<EmitEvents, 'message'>): this;
  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    event: Ev,
    ...args: EventParams<DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerSideEvents>, Ev>
  ): boolean;
  serverSideEmitWithAck<Ev extends EventNamesWithAck<ServerSideEvents>>(
    event: Ev,
    ...args: AllButLast<EventParams<ServerSideEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<ServerSideEvents, Ev>>>[]>;
  /** @deprecated use fetchSockets */
  allSockets(): Promise<Set<SocketId>>;
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[] & Answered>;
  socketsJoin(room: Room | Room[]): void;
  socketsLeave(room: Room | Room[]): void;
  disconnectSockets(close?: boolean): void;
}

export declare interface Namespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Broadcasts<EmitEvents, ServerSideEvents, SocketData> {}
/** A part of a server's clients and events, by name. */
export declare class Namespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends StrictEventEmitter<
  ServerSideEvents,
  RemoveAcknowledgements<EmitEvents>,
  NamespaceReservedEvents<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
> {
  private constructor();
  readonly name: string;
  readonly sockets: Map<SocketId, Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;
  readonly adapter: Adapter;
  readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  use(
    middleware: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      next: (error?: ExtendedError) => void,
    ) => void,
  ): this;
  emit<Ev extends EventNamesWithoutAck<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;
}

export declare interface Server<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Broadcasts<EmitEvents, ServerSideEvents, SocketData> {}
/**
 * A Socket.IO server.
 *
 * @typeParam ListenEvents the events that clients send
 * @typeParam EmitEvents the events that clients get
 * @typeParam ServerSideEvents the events between the servers of a cluster
 * @typeParam SocketData `data` of sockets
 */
export declare class Server<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends StrictEventEmitter<
  ServerSideEvents,
  RemoveAcknowledgements<EmitEvents>,
  ServerReservedEvents<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
> {
  constructor(options?: Partial<ServerOptions>);
  /** On a port of the engine's own, or on that of a server of the http, https or http2 module. */
  constructor(server?: AnyServer | number | string, options?: Partial<ServerOptions>);

  /** The namespace "/". */
  readonly sockets: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  readonly engine: Engine;
  /** What listens: what it is attached to, or the engine's own. */
  readonly httpServer: AnyServer | WebSocketServer;
  /** For adapters: `writeToEngine` of a client takes what this returns. */
  readonly encoder: { encode(packet: object): any[] };

  path(): string;
  path(path: string): this;
  connectTimeout(): number;
  connectTimeout(timeout: number): this;
  serveClient(): boolean;
  serveClient(serves: boolean): this;
  /** As the option; to be set before the first client comes. */
  adapter(): ServerOptions['adapter'];
  adapter(adapter: ServerOptions['adapter']): this;
  attach(server: AnyServer | number | string, options?: Partial<ServerOptions>): this;
  listen(server: AnyServer | number | string, options?: Partial<ServerOptions>): this;
  /** Serves the sessions of another Engine.IO server, too: what emits 'connection', as engine.io's. `engine` is that one then. */
  bind(engine: any): this;
  /** Serves one session of another Engine.IO server. */
  onconnection(connection: any): this;
  of(
    name:
      | string
      | RegExp
      | ((
          name: string,
          auth: { [key: string]: any },
          next: (error: Error | null, allowed: boolean) => void,
        ) => void),
    listener?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  use(
    middleware: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      next: (error?: ExtendedError) => void,
    ) => void,
  ): this;
  /**
   * Adds a namespace to which the front end of @socket.io/admin-ui connects. The engine fills it by itself: listeners hear
   * nothing of its sockets, and `data` of sockets is shown only in a cluster. If all servers of that have one, it shows all.
   */
  enableAdmin(options: AdminOptions): this;
  /** Disconnects all clients, and stops listening. */
  close(callback?: (error?: Error) => void): Promise<void>;
}
