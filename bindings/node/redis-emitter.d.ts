import type { RedisPlace } from './redis-adapter.js';
import type { DefaultEventsMap, EventNames, EventParams, EventsMap } from './lib/io/typed-events.js';

export interface EmitterOptions {
  /** What the names of channels begin with, as for the servers. Default: 'socket.io'. */
  key?: string;
  /**
   * With `'python-socketio'` it is as a manager of python-socketio without a server, for servers of that and those with
   * `createPythonSocketioAdapter`. Then there is no `key`, flags are not told, and `serverSideEmit` throws. Default: 'classic'.
   */
  mode?: 'classic' | 'python-socketio';
  /** The channel's name in that mode. Default: 'socketio'. */
  channel?: string;
  /** Whether the servers that `publish` is for have `createShardedAdapter`. Default: false. */
  sharded?: boolean;
  /** Hears what goes wrong with the connection, which is made again. Default: a warning. */
  onError?: (error: Error) => void;
}

interface Broadcasts<EmitEvents extends EventsMap> {
  to(room: string | string[]): BroadcastOperator<EmitEvents>;
  in(room: string | string[]): BroadcastOperator<EmitEvents>;
  except(room: string | string[]): BroadcastOperator<EmitEvents>;
  readonly volatile: BroadcastOperator<EmitEvents>;
  compress(compress: boolean): BroadcastOperator<EmitEvents>;
  emit<Ev extends EventNames<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): true;
  socketsJoin(rooms: string | string[]): void;
  socketsLeave(rooms: string | string[]): void;
  disconnectSockets(close?: boolean): void;
}

/** An event, or another order, for some of a namespace's sockets. */
export declare class BroadcastOperator<EmitEvents extends EventsMap> {
  private constructor();
}
export interface BroadcastOperator<EmitEvents extends EventsMap> extends Broadcasts<EmitEvents> {}

/**
 * A process without a server that says something to a cluster, whose servers have to use `createAdapter`, or what `mode` says. The process stays
 * until what was emitted has left; the connection itself does not keep it.
 */
export declare class Emitter<EmitEvents extends EventsMap = DefaultEventsMap> {
  constructor(redisClient: RedisPlace, options?: EmitterOptions, nsp?: string);
  readonly redisClient: RedisPlace;
  readonly nsp: string;
  /** The same for another namespace, over the same connection. */
  of(nsp: string): Emitter<EmitEvents>;
  /** Has the listeners of all servers hear an event. */
  serverSideEmit(event: string, ...args: any[]): void;
  /**
   * Sends a message to the subscribers of a topic at the plain WebSocket servers of the cluster, whose option `adapter` may be
   * of any kind. The namespace doesn't matter. sockline's own.
   */
  publish(topic: string, data: string | number | ArrayBufferLike | NodeJS.ArrayBufferView, options?: { binary?: boolean }): void;
  /** Ends the connection, of all namespaces. Resolves when what was emitted has left, or could not. */
  close(): Promise<void>;
}
export interface Emitter<EmitEvents extends EventsMap = DefaultEventsMap> extends Broadcasts<EmitEvents> {}

export declare const RESERVED_EVENTS: ReadonlySet<string | symbol>;
