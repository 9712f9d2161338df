'use strict';

const { collect } = require('./foreign-adapters');
const { RESERVED_EVENTS } = require('./packets');

const EVENT = 2; // the type of the packet in the Socket.IO protocol

const NO_ROOMS = new Set();

/** An event, or another order, for some of a namespace's sockets. */
class BroadcastOperator {
  constructor(adapter, rooms = NO_ROOMS, exceptRooms = NO_ROOMS, flags = {}) {
    this.adapter = adapter;
    this.rooms = rooms;
    this.exceptRooms = exceptRooms;
    this.flags = flags;
  }

  to(room) {
    return new BroadcastOperator(this.adapter, withRooms(this.rooms, room), this.exceptRooms, this.flags);
  }

  in(room) {
    return this.to(room);
  }

  except(room) {
    return new BroadcastOperator(this.adapter, this.rooms, withRooms(this.exceptRooms, room), this.flags);
  }

  compress(compress) {
    return this.#with({ compress });
  }

  get volatile() {
    return this.#with({ volatile: true });
  }

  get local() {
    return this.#with({ local: true });
  }

  timeout(timeout) {
    return this.#with({ timeout });
  }

  #with(flag) {
    return new BroadcastOperator(this.adapter, this.rooms, this.exceptRooms, { ...this.flags, ...flag });
  }

  get #options() {
    return { rooms: this.rooms, except: this.exceptRooms, flags: this.flags };
  }

  /** Sends an event; a function as the last argument gets `(error, responses)`. */
  emit(event, ...args) {
    if (RESERVED_EVENTS.has(event)) throw new Error(`"${String(event)}" is a reserved event name`);
    const callback = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    args.unshift(typeof event === 'string' ? event : String(event));
    const packet = { type: EVENT, data: args };
    if (callback) this.#emitForAnswers(packet, callback);
    else this.adapter.broadcast(packet, this.#options);
    return true;
  }

  #emitForAnswers(packet, callback) {
    const single = this.flags.expectSingleResponse;
    const done = (timedOut, responses) => {
      if (timedOut) callback.call(this, new Error('operation has timed out'), single ? null : responses);
      else callback.call(this, null, single ? responses[0] : responses);
    };
    if (this.adapter._collect) this.adapter._collect(packet, this.#options, done);
    else collect(this.adapter, packet, this.#options, done);
  }

  /** The same with a promise for the answers. */
  emitWithAck(event, ...args) {
    return new Promise((resolve, reject) => {
      const settle = (error, responses) => (error ? reject(Object.assign(error, { responses })) : resolve(responses));
      this.emit(event, ...args, settle);
    });
  }

  allSockets() {
    return this.adapter.sockets(this.rooms);
  }

  async fetchSockets() {
    const sockets = await this.adapter.fetchSockets(this.#options);
    const found = sockets.map((socket) => (socket.server ? socket : new RemoteSocket(this.adapter, socket)));
    return Object.defineProperty(found, 'missing', { value: sockets.missing ?? 0 });
  }

  socketsJoin(rooms) {
    this.adapter.addSockets(this.#options, [rooms].flat());
  }

  socketsLeave(rooms) {
    this.adapter.delSockets(this.#options, [rooms].flat());
  }

  disconnectSockets(close = false) {
    this.adapter.disconnectSockets(this.#options, close);
  }
}

function withRooms(rooms, added) {
  const all = new Set(rooms);
  for (const room of [added].flat()) all.add(room);
  return all;
}

/** A socket of another server of the cluster. */
class RemoteSocket {
  #operator;

  constructor(adapter, { id, handshake, rooms, data }) {
    this.id = id;
    this.handshake = handshake;
    this.rooms = new Set(rooms);
    this.data = data;
    this.#operator = new BroadcastOperator(adapter, new Set([id]), new Set(), { expectSingleResponse: true });
  }

  timeout(timeout) {
    return this.#operator.timeout(timeout);
  }

  emit(event, ...args) {
    return this.#operator.emit(event, ...args);
  }

  join(rooms) {
    this.#operator.socketsJoin(rooms);
  }

  leave(room) {
    this.#operator.socketsLeave(room);
  }

  disconnect(close = false) {
    this.#operator.disconnectSockets(close);
    return this;
  }
}

module.exports = { BroadcastOperator, RemoteSocket };
