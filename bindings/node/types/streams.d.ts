/// <reference types="node" />

import type { ReadableStream, WritableStream } from 'stream/web';
import type { ClientOptions } from './client.js';

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
