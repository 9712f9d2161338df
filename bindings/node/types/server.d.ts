/// <reference types="node" />

import type { IncomingMessage, OutgoingHttpHeaders, Server as HttpServer } from 'http';
import type { Server as HttpsServer } from 'https';
import type WebSocket = require('../index.js');
import type { ClusterAdapter } from '../redis-adapter.js';
import type { Server as SocketIoServer } from '../socket.io.js';
import type { HttpAnswer, HttpRequest, UpgradeRequest } from './http.js';
import type { Limits } from './limits.js';
import type { Certificate, ServerTlsOptions } from './tls.js';

export interface ServerOptions<
  T extends typeof WebSocket = typeof WebSocket,
  U extends typeof IncomingMessage = typeof IncomingMessage,
> extends Limits {
  /** Socket.IO servers that answer on the same port, each below its path. Not with `threads`. */
  io?: SocketIoServer<any, any, any, any> | SocketIoServer<any, any, any, any>[];
  /**
   * Makes it one of a cluster: what is published at any of its servers reaches the subscribers of all. The URL of a Redis, or
   * what `createAdapter` and its like of `sockline/redis-adapter` return, of whose options the key matters, and whether it is
   * sharded. All servers need the same. sockline's own.
   */
  adapter?: string | URL | ClusterAdapter;
  /** Listens there itself; 0 lets the system choose one. Either this, or `fd`, or `server`, or `noServer`. */
  port?: number;
  /**
   * The descriptor of a socket that is bound already, TCP or Unix, such as systemd gives (3), in place of `port` and `host`. The
   * server takes it over and closes it, also when it can't listen. sockline's own.
   */
  fd?: number;
  /** Whether other processes may listen on the same port (SO_REUSEPORT), as in the net module. sockline's own. */
  reusePort?: boolean;
  /** Whether IPv4 is left out at every address, or `::`, as in the net module. sockline's own. */
  ipv6Only?: boolean;
  /** Takes the upgrades of this server of Node's http or https module. */
  server?: HttpServer<U> | HttpsServer<U>;
  /** Connections come by `handleUpgrade` only. */
  noServer?: boolean;
  /** Default: every address. */
  host?: string;
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
  verifyClient?: VerifyClient<U>;
  /** Chooses one of the offered subprotocols, or none. Default: the first. */
  handleProtocols?: (protocols: Set<string>, request: UpgradeRequest<U>) => string | false | undefined;
  /**
   * How many threads of the engine's deal with sockets, TLS and frames; events and callbacks stay on this one. Default:
   * none, Node's own loop does it all, which is the cheapest for small messages. A message that came right before the
   * peer's close can't be answered then. sockline's own.
   */
  threads?: number;
  /**
   * For how many milliseconds, up to 1,000, each of the `threads` looks for input again and again before it sleeps: 0.05 to
   * 0.1 are usual. What comes in that time is read without the system having to wake the thread; the price is up to a whole
   * core for each. Only with `threads`: Node's own loop waits by itself. Default: 0, not at all. sockline's own.
   */
  busyPoll?: number;
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
  WebSocket?: T;
}

export interface VerifyInfo<U extends typeof IncomingMessage = typeof IncomingMessage> {
  /** Undefined where the client sends none. */
  origin: string;
  secure: boolean;
  req: UpgradeRequest<U>;
}
/** With two parameters it settles later; with one it returns its verdict. */
export type VerifyClient<U extends typeof IncomingMessage = typeof IncomingMessage> = (
  info: VerifyInfo<U>,
  settle: (ok: boolean, status?: number, message?: string, headers?: OutgoingHttpHeaders) => void,
) => boolean | void;
export type VerifyClientCallbackSync<Request extends IncomingMessage = IncomingMessage> = (info: {
  origin: string;
  secure: boolean;
  req: Request;
}) => boolean;
export type VerifyClientCallbackAsync<Request extends IncomingMessage = IncomingMessage> = (
  info: { origin: string; secure: boolean; req: Request },
  callback: (ok: boolean, status?: number, message?: string, headers?: OutgoingHttpHeaders) => void,
) => void;
