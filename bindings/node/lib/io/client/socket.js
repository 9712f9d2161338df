'use strict';
// A namespace of a manager's connection, in the shape of socket.io-client's Socket.

const { KIND, engine, ioClientAck, ioClientEmit } = require('../../engine');
const { calling } = require('../../errors');
const { Acks } = require('../acks');
const { mixInCatchAll } = require('../catch-all');
const { NONE, NO_FLAGS, bits } = require('../flags');
const packets = require('../packets');
const { throwUnlessGone } = require('../status');
const { Emitter } = require('./emitter');
const { REASONS } = require('./reasons');
const { WeakTarget } = require('./weak-target');

const { HANDLE_SIZE, HAS_ACK, RESERVED_EVENTS } = packets;

const EVENT = 2; // the type of the packet in the Socket.IO protocol

/** Reasons that are of one namespace alone. */
const OF_NAMESPACE = new Set(['io server disconnect', 'io client disconnect']);

/** What is waited for, by all sockets. */
const acks = new Acks();

class Socket extends Emitter {
  #native;
  #handle;
  #flags = NO_FLAGS;
  /**
   * What was emitted while it was not connected, with the tokens of answers; the engine keeps the events themselves. Those that
   * are sent one after the other (`retries`) are `isQueued`.
   */
  #unsent = [];
  /** How many ends of a connection it has told of which the engine has yet to speak. */
  #endsTold = 0;

  constructor(io, nsp, options) {
    super();
    this.io = io;
    this.nsp = nsp;
    this._opts = { ...options };
    if (options?.auth) this.auth = options.auth;
    this.connected = false;
    this.recovered = false;
    this.active = false;
    this.receiveBuffer = [];
    this._anyListeners = [];
    this._anyOutgoingListeners = [];
    const { key } = new WeakTarget(this, io._resource); // the manager has it
    const { retries = 0, ackTimeout = NONE } = this._opts;
    this.#native = calling(() => io.native.socket(nsp, key, retries, ackTimeout));
    this.#handle = this.#native.raw();
    if (io._autoConnect) this.open();
  }

  get disconnected() {
    return !this.connected;
  }

  /** What waits for a connection. Another list in its place drops all of it. */
  get sendBuffer() {
    const waiting = this.#unsent.filter(({ isQueued }) => !isQueued);
    return waiting.map(({ values }) => ({ type: EVENT, nsp: this.nsp, data: values }));
  }

  set sendBuffer(_) {
    this.#unsent = [];
    this.#native.clearSendBuffer();
  }

  connect() {
    if (this.connected) return this;
    this.active = true;
    if (!this.io.listeners('close').includes(this.#onEnd)) this.io.on('close', this.#onEnd);
    if (!this.io._reconnecting) this.io._opening();
    calling(() => this.#native.connect());
    return this;
  }

  open() {
    return this.connect();
  }

  /** Leaves the namespace; the manager closes the connection if it was the last one. */
  disconnect() {
    this.#deactivate();
    this.#native.disconnect();
    this.io._endsUnused();
    if (this.connected) this.#close('io client disconnect');
    return this;
  }

  close() {
    return this.disconnect();
  }

  #deactivate() {
    this.active = false;
    this.io.off('close', this.#onEnd);
    this.io._left();
  }

  /** Its connection has ended: heard in the order in which it and the program have begun to listen, as in socket.io-client. */
  #onEnd = (reason, description) => {
    if (this.io._wasLeft) return; // its last socket was sent away, as the next record says
    this.#endsTold += 1;
    this.#ended(reason, description);
  };

  send(...args) {
    this.emit('message', ...args);
    return this;
  }

  /** Sends an event; a function as the last argument gets the answer. Without a connection it waits for one. */
  emit(event, ...args) {
    if (RESERVED_EVENTS.has(event)) throw new Error(`"${String(event)}" is a reserved event name`);
    const callback = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    const flags = this.#flags;
    this.#flags = NO_FLAGS;
    args.unshift(typeof event === 'string' ? event : String(event));
    if (this.connected) this._notifyOutgoing(args);
    const token = this.#send(args, callback, flags);
    const isQueued = this._opts.retries > 0;
    if (!this.connected && !flags.volatile) this.#unsent.push({ values: args, token, isQueued });
    return this;
  }

  /** Hands it to the engine; returns the token of its answer. */
  #send(values, callback, flags) {
    const { retries, ackTimeout } = this._opts;
    const withError = callback?.withError || flags.timeout !== undefined || ackTimeout !== undefined || retries > 0;
    const token = callback ? acks.expect(this, callback, withError) : NONE;
    const text = packets.encode(values);
    const timeout = flags.timeout ?? NONE;
    const status = ioClientEmit(this.#handle, text, bits(flags), token, timeout, packets.attachmentsTaken());
    if (status < 0) {
      if (token !== NONE) acks.giveUp(token);
      throwUnlessGone(status);
    }
    return token;
  }

  /** As `emit`, with a promise for the answer. */
  emitWithAck(event, ...args) {
    return new Promise((resolve, reject) => {
      const settle = (error, value) => (error ? reject(error) : resolve(value));
      settle.withError = true;
      this.emit(event, ...args, settle);
    });
  }

  compress(compress) {
    this.#flags = { ...this.#flags, compress };
    return this;
  }

  get volatile() {
    this.#flags = { ...this.#flags, volatile: true };
    return this;
  }

  timeout(timeout) {
    this.#flags = { ...this.#flags, timeout };
    return this;
  }

  /** An event from the engine. */
  _handleEvent(kind, extra, data) {
    switch (kind) {
      case KIND.IO_EVENT:
        return this.#event(extra, data);
      case KIND.IO_ACK:
        return this.#settled(extra, data);
      case KIND.IO_ATTACHMENT:
        return packets.attachmentArrived(this.io.engine?.binaryType === 'arraybuffer' ? arrayBufferOf(data) : data);
      case KIND.IO_AUTH:
        return this.#authAsked(data.readDoubleLE(0));
      case KIND.IO_CONNECT:
        return this.#connected(data.latin1Slice(), extra !== 0);
      case KIND.IO_CONNECT_ERROR:
        return this.#refused(extra !== 0, data.utf8Slice());
      case KIND.IO_CLIENT_DISCONNECT:
        return this.#disconnected(REASONS[extra], data.utf8Slice());
    }
  }

  /** What has become of an event with a token: one that had to wait too long is not sent any more. */
  #settled(extra, data) {
    if (this.#unsent.length > 0) {
      const token = data.readUInt32LE(0);
      this.#unsent = this.#unsent.filter((event) => event.token !== token);
    }
    acks.settle(extra, data);
  }

  /** What the socket says of itself when it connects, asked anew each time. */
  #authAsked(question) {
    const answer = (auth) => engine.ioAnswerAuth(question, auth === undefined ? '' : JSON.stringify(auth));
    if (typeof this.auth === 'function') this.auth(answer);
    else answer(this.auth);
  }

  #connected(id, recovered) {
    this.id = id;
    this.recovered = recovered;
    this.connected = true;
    for (const values of this.receiveBuffer.splice(0)) this.#dispatch(values);
    for (const { values } of this.#unsent.splice(0)) this._notifyOutgoing(values);
    this.emitReserved('connect');
  }

  /** By the server, with a JSON of message and data; or an error on the way to it. */
  #refused(byServer, record) {
    if (!byServer) {
      if (!this.connected) this.emitReserved('connect_error', this.io._error(record));
      return;
    }
    this.#deactivate();
    const { message, data } = JSON.parse(record);
    this.emitReserved('connect_error', Object.assign(new Error(message), { data }));
  }

  /** Also while it was still on its way: whoever is active hears of the connection's end. */
  #disconnected(reason, detail) {
    if (this.#endsTold > 0 && !OF_NAMESPACE.has(reason)) {
      this.#endsTold -= 1;
      return;
    }
    if (!this.active) return; // left meanwhile, and told then
    if (reason === 'io client disconnect') return; // told at once, and connected again meanwhile
    if (reason === 'io server disconnect') this.#deactivate();
    this.#ended(reason, detail ? new Error(detail) : undefined);
  }

  #ended(reason, description) {
    this.receiveBuffer = [];
    this.#close(reason, description);
  }

  #close(reason, description) {
    this.connected = false;
    this.id = undefined;
    this.emitReserved('disconnect', reason, description);
  }

  #event(extra, data) {
    const hasAck = (extra & HAS_ACK) !== 0;
    const values = packets.tryDecode(extra, data, hasAck ? HANDLE_SIZE : 0, this.io._codec);
    if (values === null || !this.active) return;
    if (hasAck) values.push(this.#answer(data.readDoubleLE(0)));
    if (this.connected) this.#dispatch(values);
    else this.receiveBuffer.push(values);
  }

  #dispatch(values) {
    this._notifyAny(values);
    this.emitReserved(...values);
  }

  /** The function that answers the server, once. */
  #answer(handle) {
    let answered = false;
    return (...args) => {
      if (answered) return;
      answered = true;
      const text = packets.encode(args);
      ioClientAck(handle, text, packets.attachmentsTaken());
    };
  }
}

/** A copy, for the memory has others' parts. */
function arrayBufferOf({ buffer, byteOffset, byteLength }) {
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

mixInCatchAll(Socket.prototype);

module.exports = { Socket };
