/// <reference types="node" />

import type { IncomingMessage } from 'http';
import type { Duplex } from 'stream';
import type WebSocket = require('../index.js');
import type { Attempt, Reconnecting } from './client.js';
import type { Request, Response, UpgradeRequest } from './http.js';

type WebSocketServer<T extends typeof WebSocket, U extends typeof IncomingMessage> = WebSocket.WebSocketServer<T, U>;

/** What `on('message')` hands over: text is a Buffer too, with `isBinary` false. A Blob if `binaryType` is 'blob'. */
export type RawData = Buffer | ArrayBuffer | Buffer[];

export interface Event {
  readonly type: string;
  readonly target: WebSocket;
}
export interface MessageEvent extends Event {
  readonly data: RawData | string;
}
export interface CloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}
export interface ErrorEvent extends Event {
  readonly error: any;
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
export interface ServerListeners<T extends typeof WebSocket, U extends typeof IncomingMessage> {
  connection: (this: WebSocketServer<T, U>, socket: InstanceType<T>, request: UpgradeRequest<U>) => void;
  listening: (this: WebSocketServer<T, U>) => void;
  error: (this: WebSocketServer<T, U>, error: Error) => void;
  close: (this: WebSocketServer<T, U>) => void;
  headers: (this: WebSocketServer<T, U>, lines: string[], request: UpgradeRequest<U>) => void;
  /** A request that is no good handshake, of a server of Node's: who listens answers it. */
  wsClientError: (this: WebSocketServer<T, U>, error: Error, socket: Duplex, request: UpgradeRequest<U>) => void;
}
