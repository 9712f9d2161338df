/// <reference types="node" />

import { EventEmitter } from 'events';
import type { IncomingMessage } from 'http';
import type { AddressInfo } from 'net';
import type { Duplex, DuplexOptions } from 'stream';
import type { Attempt, ClientOptions, Reconnecting, ReconnectOptions } from './types/client.js';
import type {
  CloseEvent, ErrorEvent, Event, EventMap, Listeners, MessageEvent, RawData, ServerListeners,
} from './types/events.js';
import type { HttpAnswer, HttpRequest, Peer, Request, Response, UpgradeRequest } from './types/http.js';
import type { Limits, PerMessageDeflateOptions, SendOptions } from './types/limits.js';
import type { ClusterEvents, Log, Metrics, ServerMetrics, Timings } from './types/observing.js';
import type {
  ServerOptions, VerifyClient, VerifyClientCallbackAsync, VerifyClientCallbackSync, VerifyInfo,
} from './types/server.js';
import {
  WebSocketCloseInfo, WebSocketError, WebSocketOpenInfo, WebSocketStream, WebSocketStreamOptions,
} from './types/streams.js';
import type { Certificate, ClientTlsOptions, ServerTlsOptions, TlsInfo } from './types/tls.js';

/** What can be sent: text as a string or number, binary as anything that holds bytes. */
type Sendable =
  | string
  | number
  | ArrayBufferLike
  | NodeJS.ArrayBufferView
  | Blob
  | readonly any[]
  | { valueOf(): ArrayBufferLike | Uint8Array | readonly number[] | string }
  | { [Symbol.toPrimitive](hint: string): string };

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
  constructor(address: null);
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
  /** The URL connected to; undefined on the server's side, as in ws. */
  readonly url: string;

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
  send(data: Sendable | null | undefined, callback?: (error?: Error) => void): boolean;
  send(data: Sendable | null | undefined, options: WebSocket.SendOptions, callback?: (error?: Error) => void): boolean;
  /** Sends a ping of at most 125 bytes. */
  ping(data?: any, mask?: boolean, callback?: (error: Error) => void): void;
  /** Sends a pong of at most 125 bytes; pings are answered without it. */
  pong(data?: any, mask?: boolean, callback?: (error: Error) => void): void;
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
  publish(topic: string, data: Sendable, options?: { binary?: boolean; includeSelf?: boolean }): void;
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
  addListener<K extends keyof WebSocket.Listeners>(event: K, listener: WebSocket.Listeners[K]): this;
  addListener(event: string | symbol, listener: (...args: any[]) => void): this;
  removeListener<K extends keyof WebSocket.Listeners>(event: K, listener: WebSocket.Listeners[K]): this;
  removeListener(event: string | symbol, listener: (...args: any[]) => void): this;
}

declare namespace WebSocket {
  export { WebSocket };
  export {
    AddressInfo,
    Attempt,
    Certificate,
    ClientOptions,
    ClientTlsOptions,
    CloseEvent,
    ClusterEvents,
    ErrorEvent,
    Event,
    EventMap,
    HttpAnswer,
    HttpRequest,
    Limits,
    Listeners,
    Log,
    MessageEvent,
    Metrics,
    Peer,
    PerMessageDeflateOptions,
    RawData,
    Reconnecting,
    ReconnectOptions,
    Request,
    Response,
    SendOptions,
    ServerListeners,
    ServerMetrics,
    ServerOptions,
    ServerTlsOptions,
    Timings,
    TlsInfo,
    UpgradeRequest,
    VerifyClient,
    VerifyClientCallbackAsync,
    VerifyClientCallbackSync,
    VerifyInfo,
    WebSocketCloseInfo,
    WebSocketError,
    WebSocketOpenInfo,
    WebSocketStream,
    WebSocketStreamOptions,
  };

  /** As in @types/ws. */
  export type Data = string | Buffer | ArrayBuffer | Buffer[];
  export type WebSocketEventMap = EventMap;
  export interface EventListenerOptions {
    once?: boolean;
  }

  /**
   * Listens on a port, or takes connections of another server, and emits 'connection' with a WebSocket and the request for each
   * client.
   */
  export class WebSocketServer<
    T extends typeof WebSocket = typeof WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage,
  > extends EventEmitter {
    constructor(options?: ServerOptions<T, U>, callback?: () => void);
    readonly options: ServerOptions<T, U>;

    /** The open connections, unless `clientTracking` is false. */
    readonly clients: Set<InstanceType<T>>;
    /** With the option `adapter`, tells how its connection to Redis is. Meanwhile the server's own connections are served. */
    readonly adapter?: ClusterEvents;
    /** Where it listens; null if it doesn't. The path of a Unix socket, if its `server` has one. */
    address(): AddressInfo | string | null;
    /** What it has done so far, over all its threads. sockline's own. */
    metrics(): ServerMetrics;
    /** The same in Prometheus's text format. */
    metricsText(): string;
    /**
     * Sends a message to all subscribers of a topic; it is encoded once. With the option `adapter` it reaches those of the other
     * servers too: once and in order, or not at all while Redis can't be reached. sockline's own.
     */
    publish(topic: string, data: Sendable, options?: { binary?: boolean }): void;
    /** Sends a message to all connections of this server; it is encoded once. sockline's own. */
    broadcast(data: Sendable, options?: { binary?: boolean }): void;
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
    shouldHandle(request: InstanceType<U>): boolean;
    /**
     * Takes over a connection of a server of Node's that has got a request for an upgrade. A plain socket is the engine's from then on,
     * and Node's object tells its addresses and its end; one with TLS stays with Node. `callback` is called before this returns,
     * unless `verifyClient` settles later. Throws if the socket is taken already.
     */
    handleUpgrade(
      request: InstanceType<U>,
      socket: Duplex,
      head: Buffer,
      callback: (client: InstanceType<T>, request: InstanceType<U>) => void,
    ): void;
    on<K extends keyof ServerListeners<T, U>>(event: K, listener: ServerListeners<T, U>[K]): this;
    on(event: string | symbol, listener: (...args: any[]) => void): this;
    once<K extends keyof ServerListeners<T, U>>(event: K, listener: ServerListeners<T, U>[K]): this;
    once(event: string | symbol, listener: (...args: any[]) => void): this;
    off<K extends keyof ServerListeners<T, U>>(event: K, listener: ServerListeners<T, U>[K]): this;
    off(event: string | symbol, listener: (...args: any[]) => void): this;
    addListener<K extends keyof ServerListeners<T, U>>(event: K, listener: ServerListeners<T, U>[K]): this;
    addListener(event: string | symbol, listener: (...args: any[]) => void): this;
    removeListener<K extends keyof ServerListeners<T, U>>(event: K, listener: ServerListeners<T, U>[K]): this;
    removeListener(event: string | symbol, listener: (...args: any[]) => void): this;
  }

  /**
   * A WebSocket as a Duplex stream: each chunk that is written is a message, and each message is a chunk. Reading pauses the
   * WebSocket where nobody takes more.
   */
  export function createWebSocketStream(webSocket: WebSocket, options?: DuplexOptions): Duplex;

  /** The header Sec-WebSocket-Extensions, taken apart and put together. */
  export const extension: {
    parse(header: string): { [name: string]: { [parameter: string]: (string | true)[] }[] };
    format(extensions: { [name: string]: object | object[] }): string;
  };
  /** The header Sec-WebSocket-Protocol, taken apart. */
  export const subprotocol: { parse(header: string): Set<string> };

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
  export type Server<
    T extends typeof WebSocket = typeof WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage,
  > = WebSocketServer<T, U>;
}

export = WebSocket;
