// Types of events, for server and client: an application says which events there are by an interface of functions.

import type { EventEmitter } from 'events';

/** Names of events, and the functions that listen to them. */
export interface EventsMap {
  [event: string]: any;
}

/** Any event, with any arguments. */
export interface DefaultEventsMap {
  [event: string]: (...args: any[]) => void;
}

export type EventNames<Map extends EventsMap> = keyof Map & (string | symbol);
export type EventParams<Map extends EventsMap, Ev extends EventNames<Map>> = Parameters<Map[Ev]>;
export type ReservedOrUserEventNames<Reserved extends EventsMap, User extends EventsMap> =
  | EventNames<Reserved>
  | EventNames<User>;
export type ReservedOrUserListener<
  Reserved extends EventsMap,
  User extends EventsMap,
  Ev extends ReservedOrUserEventNames<Reserved, User>,
> = OrUntyped<Ev extends EventNames<Reserved> ? Reserved[Ev] : Ev extends EventNames<User> ? User[Ev] : never>;

type OrUntyped<T> = [T] extends [never] ? (...args: any[]) => void | Promise<void> : T;
type IsAny<T> = 0 extends 1 & T ? true : false;
type IfAny<T, Then, Else> = IsAny<T> extends true ? Then : Else;

export type Last<T extends readonly unknown[]> = T extends readonly [...unknown[], infer L]
  ? L
  : T extends readonly (infer E)[]
    ? E
    : never;
export type AllButLast<T extends any[]> = T extends [...infer H, infer _] ? H : any[];

/** The events whose last argument is a function, to answer by. */
export type EventNamesWithAck<Map extends EventsMap, K extends EventNames<Map> = EventNames<Map>> = IfAny<
  Last<Parameters<Map[K]>> | Map[K],
  K,
  K extends (
    Parameters<Map[K]> extends never[] ? never : Last<Parameters<Map[K]>> extends (...args: any[]) => any ? K : never
  )
    ? K
    : never
>;
/** The others. */
export type EventNamesWithoutAck<Map extends EventsMap, K extends EventNames<Map> = EventNames<Map>> = IfAny<
  Last<Parameters<Map[K]>> | Map[K],
  K,
  K extends (Parameters<Map[K]> extends never[] ? K : never)
    ? K
    : K extends (Last<Parameters<Map[K]>> extends (...args: any[]) => any ? never : K)
      ? K
      : never
>;
/** The events whose answer begins with an error. */
export type EventNamesWithError<Map extends EventsMap, K extends EventNamesWithAck<Map> = EventNamesWithAck<Map>> = IfAny<
  Last<Parameters<Map[K]>> | Map[K],
  K,
  K extends (LooseParameters<Last<Parameters<Map[K]>>>[0] extends Error ? K : never) ? K : never
>;
export type RemoveAcknowledgements<E extends EventsMap> = { [K in EventNamesWithoutAck<E>]: E[K] };

type LooseParameters<T> = T extends (...args: infer P) => any ? P : never;
type FirstNonError<T extends unknown[]> = T[0] extends Error ? T[1] : T[0];
export type FirstNonErrorArg<T> = T extends (...args: infer Params) => any ? FirstNonError<Params> : any;
export type FirstArg<T> = T extends (arg: infer Param) => any ? Param : any;

/** With `timeout`, answers begin with an error. */
type PrependTimeoutError<T extends any[]> = {
  [K in keyof T]: T[K] extends (...args: infer Params) => infer Result
    ? Params[0] extends Error
      ? T[K]
      : (error: Error, ...args: Params) => Result
    : T[K];
};
export type DecorateAcknowledgements<E> = {
  [K in keyof E]: E[K] extends (...args: infer Params) => infer Result
    ? (...args: PrependTimeoutError<Params>) => Result
    : E[K];
};

/** Many answer a broadcast: the first value of each answer is in a list. */
export type MultiplyArray<T extends unknown[]> = { [K in keyof T]: T[K][] };
type FirstOnly<T extends any[]> = T extends [any, ...infer R] ? (T extends [...infer H, ...R] ? H : never) : never;
type ExpectMultipleResponses<T extends any[]> = {
  [K in keyof T]: T[K] extends (...args: infer Params) => infer Result
    ? Params extends [Error]
      ? (error: Error) => Result
      : Params extends [Error, ...infer Rest]
        ? (error: Error, ...args: FirstOnly<MultiplyArray<Rest>>) => Result
        : Params extends []
          ? () => Result
          : (...args: FirstOnly<MultiplyArray<Params>>) => Result
    : T[K];
};
export type DecorateAcknowledgementsWithMultipleResponses<E> = {
  [K in keyof E]: E[K] extends (...args: infer Params) => infer Result
    ? (...args: ExpectMultipleResponses<Params>) => Result
    : E[K];
};
export type DecorateAcknowledgementsWithTimeoutAndMultipleResponses<E> = {
  [K in keyof E]: E[K] extends (...args: infer Params) => infer Result
    ? (...args: ExpectMultipleResponses<PrependTimeoutError<Params>>) => Result
    : E[K];
};

/** Listeners for everything, of the sockets of servers and clients. */
export interface CatchAll {
  /** Adds a listener for every event that comes: its name, then its arguments. */
  onAny(listener: (...args: any[]) => void): this;
  /** The same, before the others. */
  prependAny(listener: (...args: any[]) => void): this;
  /** Removes one, or all. */
  offAny(listener?: (...args: any[]) => void): this;
  listenersAny(): ((...args: any[]) => void)[];
  /** Adds a listener for every event that is sent. Answers are not told. */
  onAnyOutgoing(listener: (...args: any[]) => void): this;
  prependAnyOutgoing(listener: (...args: any[]) => void): this;
  offAnyOutgoing(listener?: (...args: any[]) => void): this;
  listenersAnyOutgoing(): ((...args: any[]) => void)[];
}

/** An EventEmitter that knows the types of its events. */
export declare abstract class StrictEventEmitter<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ReservedEvents extends EventsMap = {},
> extends EventEmitter {
  on<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    event: Ev,
    listener: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this;
  once<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    event: Ev,
    listener: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this;
  emit<Ev extends EventNames<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;
  listeners<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    event: Ev,
  ): ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>[];
}
