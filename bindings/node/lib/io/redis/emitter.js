'use strict';
// A process without a server says something to a cluster, in the shape of @socket.io/redis-emitter.

const { AsyncResource } = require('async_hooks');

const { addTarget, engine, removeTarget } = require('../../engine');
const { calling } = require('../../errors');
const { publication } = require('../../payloads');
const { views } = require('../binary');
const { NO_FLAGS, bits } = require('../flags');
const packets = require('../packets');
const { EVENT } = require('./cluster');
const { PYTHON_SOCKETIO, redisOptions } = require('./options');

const { RESERVED_EVENTS } = packets;
const NO_ROOMS = new Set();

/** The engine's connection, which emitters for several namespaces share. */
class Connection {
  #key;
  #onError;
  #closed;
  #resolveClosed;
  #isClosed = false;

  constructor(client, options) {
    const { onError, mode = 'classic', ...others } = options;
    if (mode !== 'classic' && mode !== PYTHON_SOCKETIO) {
      throw new TypeError(`option mode must be 'classic' or '${PYTHON_SOCKETIO}', not ${mode}`);
    }
    this._resource = new AsyncResource('SocklineRedisEmitter');
    this.#onError = onError ?? ((error) => console.warn(`sockline: an emitter without onError: ${error.message}`));
    const described = redisOptions(mode === PYTHON_SOCKETIO ? mode : 'emitter', client, others);
    this.#key = addTarget(this);
    try {
      this.native = calling(() => engine.ioEmitter(this.#key, described));
    } catch (error) {
      removeTarget(this.#key);
      throw error;
    }
  }

  /** Resolves when what was emitted has left. */
  close() {
    if (!this.#closed) {
      this.#closed = new Promise((resolve) => (this.#resolveClosed = resolve));
      this.native.close();
    }
    return this.#closed;
  }

  get open() {
    if (this.#closed) throw new Error('the emitter is closed');
    return this.native;
  }

  /** An event from the engine. */
  _handleEvent(kind, event, data) {
    if (this.#isClosed) return;
    if (event === EVENT.CLOSED) {
      this.#isClosed = true;
      removeTarget(this.#key);
      this.#resolveClosed?.();
    } else if (event !== EVENT.CONNECTED) {
      this.#onError(new Error(data.utf8Slice()));
    }
  }
}

class Emitter {
  #connection;

  /**
   * @param {object|string} redisClient a URL, or what `createAdapter` takes
   * @param {object} [options] `key`; or with `mode` of 'python-socketio' `channel`; and `onError(error)`
   * @param {string} [nsp]
   */
  constructor(redisClient, options, nsp = '/') {
    this.redisClient = redisClient;
    this.opts = options?.mode === PYTHON_SOCKETIO ? options : { key: 'socket.io', ...options };
    this.nsp = nsp;
    this.#connection = redisClient instanceof Connection ? redisClient : new Connection(redisClient, this.opts);
  }

  /** The same for another namespace, over the same connection. */
  of(nsp) {
    const other = new Emitter(this.#connection, this.opts, (nsp[0] === '/' ? '' : '/') + nsp);
    other.redisClient = this.redisClient;
    return other;
  }

  emit(event, ...args) {
    return this.#all().emit(event, ...args);
  }

  to(room) {
    return this.#all().to(room);
  }

  in(room) {
    return this.#all().in(room);
  }

  except(room) {
    return this.#all().except(room);
  }

  get volatile() {
    return this.#all().volatile;
  }

  compress(compress) {
    return this.#all().compress(compress);
  }

  socketsJoin(rooms) {
    this.#all().socketsJoin(rooms);
  }

  socketsLeave(rooms) {
    this.#all().socketsLeave(rooms);
  }

  disconnectSockets(close = false) {
    this.#all().disconnectSockets(close);
  }

  /** Has the listeners of all servers hear an event. */
  serverSideEmit(event, ...args) {
    if (typeof args.at(-1) === 'function') throw new Error('Acknowledgements are not supported');
    const text = packets.encode(args);
    const attachments = views(packets.attachmentsTaken());
    calling(() => this.#connection.open.serverSideEmit(this.nsp, String(event), text, attachments));
  }

  /** Sends a message to the subscribers of a topic at the cluster's plain servers. */
  publish(topic, data, options) {
    const { binary, view } = publication(data, options);
    calling(() => this.#connection.open.publish(String(topic), binary, view));
  }

  /** Ends the connection. Resolves when what was emitted has left, or could not. */
  close() {
    return this.#connection.close();
  }

  #all() {
    return new BroadcastOperator(this.#connection, this.nsp);
  }
}

/** An event, or another order, for some of a namespace's sockets. */
class BroadcastOperator {
  #connection;
  #nsp;
  #rooms;
  #except;
  #flags;

  constructor(connection, nsp, rooms = NO_ROOMS, except = NO_ROOMS, flags = NO_FLAGS) {
    this.#connection = connection;
    this.#nsp = nsp;
    this.#rooms = rooms;
    this.#except = except;
    this.#flags = flags;
  }

  to(room) {
    return this.#with(new Set([...this.#rooms, ...[room].flat()]), this.#except, this.#flags);
  }

  in(room) {
    return this.to(room);
  }

  except(room) {
    return this.#with(this.#rooms, new Set([...this.#except, ...[room].flat()]), this.#flags);
  }

  compress(compress) {
    return this.#with(this.#rooms, this.#except, { ...this.#flags, compress });
  }

  get volatile() {
    return this.#with(this.#rooms, this.#except, { ...this.#flags, volatile: true });
  }

  #with(rooms, except, flags) {
    return new BroadcastOperator(this.#connection, this.#nsp, rooms, except, flags);
  }

  get #whom() {
    const [rooms, except] = [this.#rooms, this.#except].map((names) => [...names].map(String));
    return { namespace: this.#nsp, rooms, except, flags: bits(this.#flags) };
  }

  emit(event, ...args) {
    if (RESERVED_EVENTS.has(event)) throw new Error(`"${String(event)}" is a reserved event name`);
    const text = packets.encode(args);
    const attachments = views(packets.attachmentsTaken());
    calling(() => this.#connection.open.emit(this.#whom, String(event), text, attachments));
    return true;
  }

  socketsJoin(rooms) {
    this.#connection.open.socketsJoin(this.#whom, [rooms].flat().map(String));
  }

  socketsLeave(rooms) {
    this.#connection.open.socketsLeave(this.#whom, [rooms].flat().map(String));
  }

  disconnectSockets(close = false) {
    this.#connection.open.disconnectSockets(this.#whom, Boolean(close));
  }
}

module.exports = { BroadcastOperator, Emitter };
