/// <reference types="node" />

import { EventEmitter } from 'events';

/** Bytes are those inside of TLS. */
export interface Metrics {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly framesIn: number;
  readonly framesOut: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** Messages that a policy or a deadline has dropped. */
  readonly dropped: number;
  readonly buffered: number;
  /** Bytes of payload that were compressed; what is compressed once for many counts at one of them. */
  readonly compressedFrom: number;
  readonly compressedTo: number;
  /** Bytes of payload that came compressed. */
  readonly inflatedFrom: number;
  readonly inflatedTo: number;
  readonly latency: number | null;
}

/** Sums over connections; those that have ended go on counting. */
export interface ServerMetrics extends Omit<Metrics, 'latency'> {
  /** Connections that have not ended. */
  readonly connections: number;
  readonly accepted: number;
  /** Connections that there was no room for. */
  readonly refused: number;
  /** TLS handshakes that came to nothing. */
  readonly failedHandshakes: number;
  /** Sends that left together with others' by one system call, where the system has io_uring. */
  readonly batchedSends: number;
}

/** Milliseconds; null for a step that was not needed. */
export interface Timings {
  dns: number | null;
  /** Connecting to the host, or to the proxy. */
  tcp: number | null;
  /** From there to the tunnel through the proxy. */
  proxy: number | null;
  tls: number | null;
  /** The opening handshake. */
  upgrade: number | null;
}

/** The engine's log lines. Process-wide; nothing is told while nobody listens. */
export interface Log extends EventEmitter {
  /** The finest level that is told. Default: 'info'. */
  level: 'error' | 'warn' | 'info' | 'debug' | 'trace';
  on(event: 'log', listener: (line: { level: Log['level']; text: string }) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}

/** An error that nobody listens to is a warning. */
export interface ClusterEvents extends EventEmitter {
  on(event: 'connected', listener: () => void): this;
  on(event: 'disconnected' | 'error', listener: (error: Error) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}
