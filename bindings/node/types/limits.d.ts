// What holds for connections of either role.

export interface Limits {
  /** The longest message to accept, in bytes; 0 for no limit. Default: 100 MiB. */
  maxPayload?: number;
  /** How many fragments a message may have, 0 for any number; more close with 1008. Default: 16,384. */
  maxFragments?: number;
  /** No effect: what is kept of a message is in one piece, which `maxPayload` bounds. */
  maxBufferedChunks?: number;
  /** No effect: one pong waits at a time, the latest (RFC 6455 §5.5.3). */
  maxPendingAutoPongs?: number;
  /** No effect: texts are always looked at, while they are read anyway. */
  skipUTF8Validation?: boolean;
  /** Whether pings are answered. Default: true. */
  autoPong?: boolean;
  /** False brings each message, ping and pong in a turn of Node's loop of its own. Default: true. */
  allowSynchronousEvents?: boolean;
  /** Milliseconds for the opening handshake; 0 for no limit, a client's default. A server's: 60,000. */
  handshakeTimeout?: number;
  /** Milliseconds for the closing handshake. Default: 30,000. */
  closeTimeout?: number;
  /** A ping goes out when nothing has come for so many milliseconds. Default: 0, none. */
  pingInterval?: number;
  /** The peer is given up when nothing has come for so many milliseconds after that. Default: pingInterval. */
  pingTimeout?: number;
  /**
   * Messages come in parts as they arrive, by 'part' instead of 'message': at most some 64 KiB of one are held, so that
   * `maxPayload` may be 0. sockline's own. Default: false.
   */
  messageParts?: boolean;
  /** When more than so many bytes wait, `send` returns false; 'drain' follows at half of it. Default: 1 MiB. */
  highWaterMark?: number;
  /** When more than so many bytes wait already, a message meets `slowConsumer`; 0 for no limit. Default: 0. */
  hardLimit?: number;
  /**
   * What becomes of messages over `hardLimit`: `send` fails, they are dropped, the oldest that wait are dropped, or the
   * connection is closed with 1008. Default: 'error'.
   */
  slowConsumer?: 'error' | 'drop-newest' | 'drop-oldest' | 'close';
  /** TCP_NODELAY. Default: true. */
  noDelay?: boolean;
  /** Whether the system probes a silent peer (SO_KEEPALIVE). Default: false. */
  keepAlive?: boolean;
  /** Milliseconds of silence until the first of these probes. Default: 2 hours. */
  keepAliveInitialDelay?: number;
  /** The connection fails when the peer has acknowledged nothing for so many milliseconds (TCP_USER_TIMEOUT). */
  userTimeout?: number;
  /** The system's buffers in bytes (SO_SNDBUF, SO_RCVBUF); 0, the default, leaves them to the system. */
  sendBuffer?: number;
  receiveBuffer?: number;
  /**
   * Compresses messages where the peer does too (RFC 7692). Default: true for a client, false for a server.
   * Keeping a context between messages costs some 400 KiB a connection once it was used; for many connections let the
   * server say `{ serverNoContextTakeover: true, clientNoContextTakeover: true }`.
   */
  perMessageDeflate?: boolean | PerMessageDeflateOptions;
}

export interface PerMessageDeflateOptions {
  /** Messages of so many bytes and more are compressed. Default: 1024. */
  threshold?: number;
  /** The server keeps no context between messages: a client asks for it. Default: false. */
  serverNoContextTakeover?: boolean;
  /** The client keeps no context between messages: a server demands it. Default: false. */
  clientNoContextTakeover?: boolean;
  /** The base-2 logarithm of the server's window, 9 to 15. Default: 15. */
  serverMaxWindowBits?: boolean | number | null;
  /** The same of the client's. */
  clientMaxWindowBits?: boolean | number | null;
  /** zlib's level (0 to 9, default 6) and memory level (1 to 9, default 8). `chunkSize` has no effect. */
  zlibDeflateOptions?: { level?: number; memLevel?: number; windowBits?: number; chunkSize?: number };
  /** No effect. */
  zlibInflateOptions?: { windowBits?: number; chunkSize?: number };
  /** No effect: nothing goes to a pool of threads. */
  concurrencyLimit?: number;
}

export interface SendOptions {
  /** Default: whether the data is no string. */
  binary?: boolean;
  /** Whether the message ends here; false sends a fragment, which the next `send` continues. Default: true. */
  fin?: boolean;
  mask?: boolean;
  /** Whether to compress the message, where that was agreed on. Default: by its length. */
  compress?: boolean;
  /** Milliseconds after which the message is dropped if it has not begun to leave. sockline's own. */
  deadline?: number;
}
