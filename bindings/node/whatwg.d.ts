/// <reference types="node" />

import type { ClientOptions } from './index.js';

/** What `Event` takes. */
export interface EventOptions {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
}

/** What `new CloseEvent` takes. */
export interface CloseEventOptions extends EventOptions {
  wasClean?: boolean;
  code?: number;
  reason?: string;
}

/** The end of a connection (WebSockets standard, section 6). */
export class CloseEvent extends Event {
  constructor(type: string, eventInitDict?: CloseEventOptions);
  /** Whether both ends have said that they close. */
  readonly wasClean: boolean;
  /** The peer's code; 1005 if it gave none, 1006 if the connection was lost or has failed. */
  readonly code: number;
  readonly reason: string;
}

/** What `new MessageEvent` takes. */
export interface MessageEventOptions<T = any> extends EventOptions {
  data?: T;
  origin?: string;
  lastEventId?: string;
  source?: object | null;
  ports?: object[];
}

/** A message that has come. */
export class MessageEvent<T = any> extends Event {
  constructor(type: string, eventInitDict?: MessageEventOptions<T>);
  /** A string, or a Blob or ArrayBuffer as `binaryType` says. */
  readonly data: T;
  /** That of the WebSocket's URL: `wss://example.com`. */
  readonly origin: string;
  readonly lastEventId: string;
  readonly source: object | null;
  readonly ports: readonly object[];
  /** @deprecated use the constructor */
  initMessageEvent(
    type: string,
    bubbles?: boolean,
    cancelable?: boolean,
    data?: T,
    origin?: string,
    lastEventId?: string,
    source?: object | null,
    ports?: object[],
  ): void;
}

/** The events of a WebSocket, by their types. */
export interface WebSocketEventMap {
  open: Event;
  message: MessageEvent;
  error: Event;
  close: CloseEvent;
}

/** A function, or an object with `handleEvent`. */
export type EventListenerOf<E> = ((this: WebSocket, event: E) => any) | { handleEvent(event: E): any };

/** As with EventTarget. */
export interface ListenerOptions {
  capture?: boolean;
  once?: boolean;
  passive?: boolean;
  signal?: AbortSignal;
}

/**
 * WebSocket as in browsers: https://websockets.spec.whatwg.org. No error of the connection throws; `error`, which says
 * nothing more, comes before `close`. `diagnostics_channel`'s 'sockline:whatwg:error' tells `{ url, error }`.
 */
export class WebSocket extends EventTarget {
  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSING: 2;
  static readonly CLOSED: 3;

  /**
   * Connects, when no other connection to the same address and port is on its way (RFC 6455, section 4.1).
   *
   * @param url `ws:`, `wss:`, `http:` or `https:`, or relative to `settings.baseURL`
   * @param protocols the subprotocols to offer; the server has to choose one of them
   * @throws DOMException 'SyntaxError': for what is no such URL or has a fragment, for bad or repeated protocols
   */
  constructor(url: string | URL, protocols?: string | Iterable<string>);

  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;

  /** As it was understood, with a scheme of WebSockets. */
  readonly url: string;
  readonly readyState: 0 | 1 | 2 | 3;
  /**
   * Bytes of messages that were sent and that the system has not taken yet. It falls between two tasks only, message by
   * message, and what is sent after `close` stays counted.
   */
  readonly bufferedAmount: number;
  /** As in the server's answer: `permessage-deflate`, or empty. */
  readonly extensions: string;
  /** The subprotocol that the server has chosen; empty if none was offered. */
  readonly protocol: string;
  /** What binary messages are given as; other values than these are ignored. */
  binaryType: 'blob' | 'arraybuffer';

  onopen: ((this: WebSocket, event: Event) => any) | null;
  onmessage: ((this: WebSocket, event: MessageEvent) => any) | null;
  onerror: ((this: WebSocket, event: Event) => any) | null;
  onclose: ((this: WebSocket, event: CloseEvent) => any) | null;

  /**
   * Sends a message, behind those that were sent before, Blobs too. Memory is copied at once.
   *
   * @throws DOMException 'InvalidStateError' while connecting
   */
  send(data: string | ArrayBufferLike | ArrayBufferView | Blob): void;

  /**
   * Starts the closing handshake; while connecting, fails the connection.
   *
   * @param code 1000 or 3000 to 4999
   * @param reason at most 123 bytes as UTF-8
   * @throws DOMException 'InvalidAccessError' for another code, 'SyntaxError' for a longer reason
   */
  close(code?: number, reason?: string): void;

  addEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: EventListenerOf<WebSocketEventMap[K]> | null,
    options?: boolean | ListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOf<Event> | null, options?: boolean | ListenerOptions): void;
  removeEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: EventListenerOf<WebSocketEventMap[K]> | null,
    options?: boolean | { capture?: boolean },
  ): void;
  removeEventListener(type: string, listener: EventListenerOf<Event> | null, options?: boolean | { capture?: boolean }): void;
}

/** Options of the package's own WebSocket that change nothing of the interface. */
export type SocketOptions = Omit<
  ClientOptions,
  'origin' | 'protocols' | 'followRedirects' | 'maxRedirects' | 'reconnect' | 'messageParts' | 'slowConsumer'
>;

/** What a browser takes from the page and from its user; for WebSockets that are made afterwards. One a thread. */
export const settings: {
  /** What relative URLs are relative to, as a page's address is; null, the default, for none. */
  get baseURL(): string | null;
  set baseURL(url: string | URL | null);
  /** The header Origin; null, the default, for that of `baseURL`, and none without one. */
  get origin(): string | null;
  set origin(origin: string | null);
  /** `ca`, `headers`, `proxy`, `maxPayload`, `perMessageDeflate`, … */
  get options(): SocketOptions;
  set options(options: SocketOptions);
};
