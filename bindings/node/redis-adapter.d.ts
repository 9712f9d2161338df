import { Adapter } from './socket.io.js';

/** Beside the URL of Redis. */
export interface RedisConnectionOptions {
  /**
   * `redis://user:password@host:6379/0`, `rediss://…` for TLS, `unix:///path`, `redis+cluster://host:1,host:2` or
   * `redis+sentinel://host:26379,host:26380/master/0`.
   */
  url: string;
  /** Names of files in PEM format. */
  tls?: boolean | { caFile?: string; certFile?: string; keyFile?: string; rejectUnauthorized?: boolean };
  /** How long Redis has to answer, and connecting may take, in milliseconds. Default: 5,000. */
  commandTimeout?: number;
  /** How often a connection is tried while nothing else happens, in milliseconds. Default: 2,000. */
  pingInterval?: number;
  /** How many bytes may wait for Redis; what would be more is dropped. Default: 64 MiB. */
  maxQueued?: number;
  /** As whom sentinels are asked; the URL's user and password are the master's. Also in the URL: `?sentinel_user=…`. */
  sentinelUsername?: string;
  /** What sentinels want to know. Also in the URL: `?sentinel_password=…`. */
  sentinelPassword?: string;
  /** Has sentinels asked over TLS, with the certificates of `tls`. Also in the URL: `?sentinel_tls=1`. Default: false. */
  sentinelTLS?: boolean;
}

/**
 * Where Redis is: a URL, options, or a client (or its options) of npm's redis or ioredis. Of a client only the options are
 * used: the engine connects by itself, so the client need not be connected.
 */
export type RedisPlace = string | URL | RedisConnectionOptions | object;

/** For the option `adapter` of a server of sockline/socket.io, and for `io.adapter()`. */
export type ClusterAdapter = (nsp: any) => Adapter;

interface WithRequestsTimeout {
  /** How long other servers' answers are waited for, in milliseconds. Default: 5,000. */
  requestsTimeout?: number;
}

export interface RedisAdapterOptions extends WithRequestsTimeout {
  /** What the names of channels begin with. Default: 'socket.io'. */
  key?: string;
  /** Whether answers go to who has asked only. Default: false. */
  publishOnSpecificResponseChannel?: boolean;
}

export interface ShardedRedisAdapterOptions extends WithRequestsTimeout {
  /** What the names of channels begin with. Default: 'socket.io'. */
  channelPrefix?: string;
  /** Which rooms have a channel. Default: 'dynamic'. */
  subscriptionMode?: 'static' | 'dynamic' | 'dynamic-private';
}

export interface RedisStreamsAdapterOptions extends WithRequestsTimeout {
  /** The stream's name, or what the names of streams begin with. Default: 'socket.io'. */
  streamName?: string;
  /** How many streams the namespaces are spread over. Default: 1. */
  streamCount?: number;
  /** What the names of channels begin with. Default: 'socket.io'. */
  channelPrefix?: string;
  /** How many entries a stream keeps, about. Default: 10,000. */
  maxLen?: number;
  /** How many entries are read at once. Default: 100. */
  readCount?: number;
  /** What the keys of saved sessions begin with. Default: 'sio:session:'. */
  sessionKeyPrefix?: string;
  /** Binary values are found in any case. */
  onlyPlaintext?: boolean;
  /** True is refused. */
  useShardedPubSub?: false;
  /** Another value is refused. */
  blockTimeInMs?: 5000;
}

export interface PythonSocketioAdapterOptions extends WithRequestsTimeout {
  /** The channel's name. Default: 'socketio'; Flask-SocketIO's is 'flask-socketio'. */
  channel?: string;
}

/** As of @socket.io/redis-adapter: channels and patterns, which every Redis, node and emitter speaks. */
export declare function createAdapter(pub: RedisPlace, sub?: RedisPlace | null, options?: RedisAdapterOptions): ClusterAdapter;

/** As of @socket.io/redis-adapter: sharded channels, for Redis 7. */
export declare function createShardedAdapter(
  pub: RedisPlace,
  sub?: RedisPlace | null,
  options?: ShardedRedisAdapterOptions,
): ClusterAdapter;

/** As `createAdapter` of @socket.io/redis-streams-adapter: a stream, with which clients can be recovered on other servers. */
export declare function createStreamsAdapter(client: RedisPlace, options?: RedisStreamsAdapterOptions): ClusterAdapter;

/**
 * A bridge to servers of python-socketio (5.14 and newer), which no official server has: all speak the format of its
 * `RedisManager`. Less can be said so. `emitWithAck()` hears of other servers' clients the first that answers, without
 * binary values; `fetchSockets()`, `sockets()` and `allRooms()` find what this server has, and `missing` of the list counts the
 * others; `socketsJoin()`, `socketsLeave()` and `disconnectSockets()` are for the ids of clients, for rooms our servers know, too, and not for
 * all or with `except()`; `serverSideEmit()` tells nobody, which is an event `error` of the adapter, and with an acknowledgement is an error.
 */
export declare function createPythonSocketioAdapter(
  client: RedisPlace,
  options?: PythonSocketioAdapterOptions,
): ClusterAdapter;

/** What namespaces' adapters are. */
export declare const RedisAdapter: new (nsp: any) => Adapter;
export type RedisAdapter = Adapter;
