/// <reference types="node" />

import type { Limits } from './limits.js';
import type { NodeOptions } from './node.js';
import type { ClientTlsOptions } from './tls.js';

export interface ClientOptions extends Limits, ClientTlsOptions, NodeOptions {
  protocols?: string | string[];
  /** Gives the attempt up with an AbortError; without effect once it is open. */
  signal?: AbortSignal;
  headers?: Record<string, string | number | readonly string[]>;
  origin?: string;
  /** `user:password` for basic authentication. */
  auth?: string;
  /** Only 13 is spoken. */
  protocolVersion?: number;
  /** This side's IP address. Default: the system's choice. */
  localAddress?: string;
  /** This side's port; with `localAddress` or `family`. Default: the system's choice. */
  localPort?: number;
  /** Keeps to addresses of one family, 4 or 6. Default: 0, both. */
  family?: number;
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
