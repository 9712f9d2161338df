/// <reference types="node" />

import type { X509Certificate } from 'crypto';
import type { EventEmitter } from 'events';
import type { IncomingMessage } from 'http';
import type { Socket } from 'net';
import type { Readable } from 'stream';
import type { PeerCertificate } from 'tls';
import type { TlsInfo } from './tls.js';

/** What a client asks a server for, with what programs use of http.ClientRequest. */
export interface Request extends EventEmitter {
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
  readonly destroyed: boolean;
  /** Sends it, where `finishRequest` is to say when. */
  end(): this;
  /** Gives the attempt up; 'error' and 'close' follow. */
  destroy(error?: Error): this;
  abort(): void;
}

/** What a server has answered to the opening handshake, in the shape of http.IncomingMessage. */
export interface Response extends Readable {
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly httpVersion: string;
  readonly headers: { [name: string]: string | string[] | undefined; 'set-cookie'?: string[] };
  readonly rawHeaders: string[];
  readonly socket: Peer | null;
  /** What it answers, as it was sent. */
  readonly req: Request;
  readonly connection: Response['socket'];
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

/**
 * The client's request: Node's own where its http module has read it. On a port of the server's own it has the shape, as far as
 * `method`, `url`, `httpVersion`, `headers`, `rawHeaders` and `socket` go.
 */
export type UpgradeRequest<U extends typeof IncomingMessage = typeof IncomingMessage> = InstanceType<U> & {
  readonly socket: Socket & Peer;
};
