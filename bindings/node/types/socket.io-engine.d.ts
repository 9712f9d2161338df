/// <reference types="node" />

// Engine.IO below Socket.IO: a client's connection, what carries it, and the server.

import type { EventEmitter } from 'events';
import type { IncomingMessage, ServerResponse } from 'http';
import type { Duplex } from 'stream';
import type { WebSocketServer } from '../index.js';
import type { AnyServer, DisconnectReason, ServerOptions } from '../socket.io.js';

/** What an Engine.IO connection is carried by. */
export interface Transport extends EventEmitter {
  readonly name: 'polling' | 'websocket';
  readonly protocol: 3 | 4;
  /** The id of its connection. */
  readonly sid: string;
  readonly readyState: 'open' | 'closing' | 'closed';
  readonly writable: boolean;
  /** The client has gone over to another one. */
  readonly discarded: boolean;
  /** Closes the connection. */
  close(callback?: () => void): void;
  on(event: 'packet', listener: (packet: EnginePacket) => void): this;
  on(event: 'drain' | 'close', listener: () => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}

/** A packet of Engine.IO. */
export interface EnginePacket {
  type: 'open' | 'close' | 'ping' | 'pong' | 'message' | 'upgrade' | 'noop';
  data?: string | Buffer;
  /** Of one on its way out. */
  options?: { compress: boolean };
}

/** The Engine.IO connection below a client's sockets. */
export interface Connection extends EventEmitter {
  readonly id: string;
  readonly protocol: 3 | 4;
  readonly transport: Transport;
  readonly request: IncomingMessage;
  readonly remoteAddress: string;
  readonly readyState: 'open' | 'closing' | 'closed';
  /** While listeners of 'upgrading' are called. */
  readonly upgrading: boolean;
  readonly upgraded: boolean;
  /**
   * Closes it, whatever namespaces it has joined: their sockets are disconnected with 'forced close', and the client may come back.
   * What was sent before goes out first, unless it is discarded.
   */
  close(discard?: boolean): void;
  /** Sends a message of Engine.IO, between the packets of Socket.IO. The callback is called when it has left. */
  send(data: string | NodeJS.ArrayBufferView | ArrayBuffer, options?: { compress?: boolean }, callback?: (transport: Transport) => void): this;
  send(data: string | NodeJS.ArrayBufferView | ArrayBuffer, callback: (transport: Transport) => void): this;
  /** The same as `send`. */
  write(data: string | NodeJS.ArrayBufferView | ArrayBuffer, options?: { compress?: boolean }, callback?: (transport: Transport) => void): this;
  /** A packet came, or is on its way out. The first listener for packets costs a copy of each from then on. */
  on(event: 'packet' | 'packetCreate', listener: (packet: EnginePacket) => void): this;
  /** What a message carries. */
  on(event: 'message' | 'data', listener: (data: string | Buffer) => void): this;
  /** The client has answered a ping. */
  on(event: 'heartbeat', listener: () => void): this;
  /** It goes over to a WebSocket, which has proved to work; 'upgrade' follows at once. */
  on(event: 'upgrading' | 'upgrade', listener: (transport: Transport) => void): this;
  /** The description is what its sockets hear. */
  on(event: 'close', listener: (reason: DisconnectReason, description?: Error) => void): this;
  /** These packets are written now. Costs as much as 'packet'. */
  on(event: 'flush', listener: (packets: EnginePacket[]) => void): this;
  /** What one of its sockets has sent is written; with more than `highWaterMark` waiting, when half of that is left. */
  on(event: 'drain', listener: () => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}

/** A request that was refused. */
export interface ConnectionError {
  req: IncomingMessage;
  /** 0 to 5, as in the Engine.IO protocol. */
  code: number;
  message: string;
  context: { [name: string]: any };
}

/** What programs use of engine.io's server. */
export interface Engine extends EventEmitter {
  readonly clientsCount: number;
  /** Connections by their ids: those that have a namespace, and all that have come since this was first asked for. */
  readonly clients: { [id: string]: Connection };
  readonly opts: Partial<ServerOptions>;
  /** What the server is attached to. */
  readonly httpServer: AnyServer | WebSocketServer;
  /** Makes the id of a session: 1 to 255 visible ASCII characters that nobody can guess. To be replaced. */
  generateId: (request: IncomingMessage) => string | Promise<string>;
  /** The transports that a client can go over to from this one. */
  upgrades(transport: string): string[];
  use(middleware: (request: IncomingMessage, response: ServerResponse, next: (error?: any) => void) => void): void;
  /** Those of express and its like have types of their own for requests. */
  use(middleware: (request: any, response: any, next: (error?: any) => void) => void): void;
  handleRequest(request: IncomingMessage, response: ServerResponse): void;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  attach(server: AnyServer, options?: Partial<ServerOptions>): void;
  close(): this;
  on(event: 'connection' | 'drain', listener: (connection: Connection) => void): this;
  on(event: 'flush', listener: (connection: Connection, packets: EnginePacket[]) => void): this;
  on(event: 'connection_error', listener: (error: ConnectionError) => void): this;
  on(
    event: 'initial_headers' | 'headers',
    listener: (headers: { [name: string]: string | string[] }, request: IncomingMessage) => void,
  ): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}
