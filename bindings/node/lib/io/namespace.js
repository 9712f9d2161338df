'use strict';

const EventEmitter = require('events');

const { KIND, addTarget, engine, removeTarget } = require('../engine');
const { calling } = require('../errors');
const { views } = require('./binary');
const { BroadcastOperator } = require('./broadcast-operator');
const { runMiddlewares } = require('./middlewares');
const packets = require('./packets');
const { Socket } = require('./socket');

const RESERVED_EVENTS = new Set(['connect', 'connection', 'new_namespace']);
const { HANDLE_SIZE, HAS_ACK } = packets;
const emitLocally = EventEmitter.prototype.emit;

/** In the record of a new socket, after its slot and its question: whether it was recovered. */
const RECOVERED = 1;

/** A part of a server's clients and events, by name; the sockets in it can be in rooms. */
class Namespace extends EventEmitter {
  /** By which the engine knows it; 0 before the server is attached to anything. */
  _handle = 0;
  #key = 0;

  constructor(server, name) {
    super();
    this.server = server;
    this.name = name;
    this.sockets = new Map();
    this._preConnectSockets = new Map();
    this._fns = [];
    /** Adapters number packets by it. */
    this._ids = 0;
    this._initAdapter();
  }

  get _resource() {
    return this.server._resource;
  }

  _initAdapter() {
    const Made = this.server._adapterClass;
    this.adapter = new Made(this);
    // As there: an adapter that can't begin tells so itself.
    Promise.resolve(this.adapter.init()).catch(() => {});
  }

  /** Makes it known to the engine. */
  _start(serverHandle) {
    this.#key = addTarget(this);
    this._handle = engine.ioOf(serverHandle, this.name, this.#key);
  }

  /** The engine will make it, for a client. */
  _expect(serverKey) {
    if (this.#key === 0) this.#key = addTarget(this);
    engine.ioExpectNamespace(serverKey, this.name, this.#key);
  }

  /** Whether the engine still has it: it drops what it made for clients, if it is told to. */
  get _isKept() {
    return this._handle === 0 || engine.ioHasNamespace(this._handle);
  }

  _stop() {
    if (this._handle !== 0) engine.ioGiveUp(this._handle);
    if (this.#key !== 0) removeTarget(this.#key);
    this.#key = 0;
    this._handle = 0;
  }

  /** Adds a function that is asked about each socket before it is connected: `(socket, next)`. */
  use(middleware) {
    this._fns.push(middleware);
    this.server._askConnecting();
    return this;
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

  compress(compress) {
    return this.#all().compress(compress);
  }

  get volatile() {
    return this.#all().volatile;
  }

  get local() {
    return this.#all().local;
  }

  timeout(timeout) {
    return this.#all().timeout(timeout);
  }

  /** Sends an event to all sockets. */
  emit(event, ...args) {
    return this.#all().emit(event, ...args);
  }

  emitWithAck(event, ...args) {
    return this.#all().emitWithAck(event, ...args);
  }

  send(...args) {
    this.emit('message', ...args);
    return this;
  }

  write(...args) {
    return this.send(...args);
  }

  serverSideEmit(event, ...args) {
    if (RESERVED_EVENTS.has(event)) throw new Error(`"${String(event)}" is a reserved event name`);
    this.adapter.serverSideEmit([event, ...args]);
    return true;
  }

  serverSideEmitWithAck(event, ...args) {
    return new Promise((resolve, reject) => {
      const settle = (error, responses) => (error ? reject(Object.assign(error, { responses })) : resolve(responses));
      this.serverSideEmit(event, ...args, settle);
    });
  }

  /** An event from another server of the cluster. */
  _onServerSideEmit(args) {
    Reflect.apply(emitLocally, this, args);
  }

  #serverEvent(extra, data) {
    const hasAck = (extra & HAS_ACK) !== 0;
    const args = packets.tryDecode(extra, data, hasAck ? HANDLE_SIZE : 0, null);
    // An error without a listener would end the process, and it is another server's.
    if (args === null || (args[0] === 'error' && this.listenerCount('error') === 0)) return;
    if (hasAck) args.push(answerTo(data.readDoubleLE(0)));
    this._onServerSideEmit(args);
  }

  allSockets() {
    return this.#all().allSockets();
  }

  fetchSockets() {
    return this.#all().fetchSockets();
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

  #all() {
    return new BroadcastOperator(this.adapter);
  }

  /** An event from the engine. */
  _handleEvent(kind, extra, data) {
    switch (kind) {
      case KIND.IO_CONNECTING:
        return this.#connecting(data);
      case KIND.IO_CONNECTION:
        return this._connected(this.#newSocket(data, 4));
      case KIND.IO_ATTACHMENT:
        return packets.attachmentArrived(data);
      case KIND.IO_BROADCAST_ACK:
      case KIND.IO_FETCHED:
      case KIND.IO_SERVER_ANSWERS:
        return this.adapter._handleEvent(kind, extra, data);
      case KIND.IO_EVENT:
        return this.#serverEvent(extra, data);
      case KIND.IO_NAMESPACE_MADE:
        this._handle = data.readDoubleLE(0);
        return undefined;
      case KIND.IO_ROOM:
        return this.adapter._roomEvent(extra, data.utf8Slice());
    }
  }

  /** From the record: the slot (4 bytes), flags (1 byte), the id. */
  #newSocket(data, at) {
    const slot = data.readUInt32LE(at - 4);
    return new Socket(this, slot, data.latin1Slice(at + 1), (data[at] & RECOVERED) !== 0);
  }

  /** A client asks to be connected. The record: the question (8 bytes), and as for `#newSocket`. */
  #connecting(data) {
    const question = data.readDoubleLE(0);
    const socket = this.#newSocket(data, 12);
    this._preConnectSockets.set(socket.id, socket);
    runMiddlewares(this._fns, socket, (error) => this.#judged(question, error));
  }

  #judged(question, error) {
    if (!error) return engine.ioAllowConnecting(question);
    const data = error.data === undefined ? undefined : JSON.stringify(error.data);
    engine.ioDenyConnecting(question, String(error.message ?? ''), data);
  }

  _connected(socket) {
    this._preConnectSockets.delete(socket.id);
    this.sockets.set(socket.id, socket);
    socket._open();
    this.server._socketConnected(socket);
    emitLocally.call(this, 'connect', socket);
    emitLocally.call(this, 'connection', socket);
  }

  _remove(socket) {
    if (!this.sockets.delete(socket.id)) this._preConnectSockets.delete(socket.id);
  }

  /** What the server tells its listeners itself. */
  _tell(event, ...args) {
    return emitLocally.call(this, event, ...args);
  }
}

/** The function that answers another server, once. */
function answerTo(handle) {
  let answered = false;
  return (value) => {
    if (answered) return;
    answered = true;
    const text = packets.encode([value]);
    const attachments = views(packets.attachmentsTaken());
    calling(() => engine.ioServerAck(handle, text, attachments));
  };
}

module.exports = { Namespace };
