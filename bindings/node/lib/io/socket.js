'use strict';
// A client in a namespace of our server, in the shape of socket.io's Socket.

const EventEmitter = require('events');

const { KIND, engine, ioAck, ioEmit, putSocket, takeSocket } = require('../engine');
const { BroadcastOperator } = require('./broadcast-operator');
const { mixInCatchAll } = require('./catch-all');
const { NONE, NO_FLAGS, bits } = require('./flags');
const { handshakeOf, parseDetails } = require('./details');
const packets = require('./packets');
const { REASONS } = require('./reasons');
const { runMiddlewares } = require('./middlewares');
const { throwUnlessGone } = require('./status');

const { HANDLE_SIZE, HAS_ACK, RESERVED_EVENTS } = packets;
const emitLocally = EventEmitter.prototype.emit;

const QUEUED = 0;
const OVER_MARK = 1;

class Socket extends EventEmitter {
  /** The slot by which the engine knows it; 0 when it has gone. */
  #slot;
  #flags = NO_FLAGS;
  #middlewares = [];
  /** What the engine tells of the connection; kept as text when it has gone, for who asks later. */
  #details;
  #handshake;
  #client;
  #rooms;
  #acks;
  #data;
  /** What the engine has of it, for other servers. */
  #copied = '{}';
  /** What was emitted before it was connected. */
  #early = [];

  constructor(nsp, slot, id, recovered) {
    super();
    this.nsp = nsp;
    this.server = nsp.server;
    this.id = id;
    this.recovered = recovered;
    this.connected = false;
    this._isLeaving = false;
    this.#slot = slot;
    this.#data = (recovered && (this.server._recover(id) ?? this.#recoveredElsewhere())) || {};
    putSocket(slot, this);
  }

  /** In whose async context its events run. */
  get _resource() {
    return this.server._resource;
  }

  get adapter() {
    return this.nsp.adapter;
  }

  get disconnected() {
    return !this.connected;
  }

  /** Middlewares are asked about it. */
  get _isConnecting() {
    return this.nsp._preConnectSockets.get(this.id) === this;
  }

  /** The application's own. */
  get data() {
    this.server._touched?.(this);
    return this.#data;
  }

  set data(data) {
    this.server._touched?.(this);
    this.#data = data;
  }

  /** The engine gets a copy of it. */
  _copyData() {
    if (this.#slot === 0) return;
    let copy = '{}';
    try {
      copy = JSON.stringify(this.#data) ?? copy;
    } catch {
      return; // what has no form in JSON stays here
    }
    if (copy !== this.#copied) engine.ioSetData(this.#slot, copy);
    this.#copied = copy;
  }

  #recoveredElsewhere() {
    const copy = engine.ioData(this.#slot);
    if (copy) this.#copied = copy;
    return copy && JSON.parse(copy);
  }

  /** What the client has said when it connected. */
  get handshake() {
    this.#handshake ??= handshakeOf(this.client.request, this._details, this.conn);
    return this.#handshake;
  }

  set handshake(handshake) {
    this.#handshake = handshake;
  }

  get _details() {
    this.#details ??= engine.ioDetails(this.#slot);
    if (typeof this.#details === 'string') this.#details = parseDetails(this.#details);
    return this.#details;
  }

  /** Its connection, which it may share with sockets in other namespaces. */
  get client() {
    return this._meetClient();
  }

  _meetClient() {
    this.#client ??= this.server._clientOf(this);
    return this.#client;
  }

  get conn() {
    return this.client.conn;
  }

  get request() {
    return this.client.request;
  }

  get rooms() {
    if (this.#rooms) return this.#rooms;
    return this.adapter._isEngines ? this._rooms : (this.adapter.socketRooms(this.id) ?? new Set());
  }

  /** Those that the engine knows of. */
  get _rooms() {
    return this.#rooms ?? new Set(engine.ioRooms(this.#slot));
  }

  /** Sends an event; true, or false if more than the high-water mark waits now, until `conn` emits 'drain'. */
  emit(event, ...args) {
    if (RESERVED_EVENTS.has(event)) throw new Error(`"${String(event)}" is a reserved event name`);
    const callback = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    const flags = this._takeFlags();
    args.unshift(typeof event === 'string' ? event : String(event));
    this._notifyOutgoing(args);
    if (this.#early !== null && !this.connected) {
      this.#early.push([args, callback, flags]);
      return true;
    }
    return this.#send(args, callback, flags);
  }

  #send(values, callback, flags) {
    const token = callback ? this.server._acks.expect(this, callback, flags.timeout !== undefined) : NONE;
    const text = packets.encode(values);
    const timeout = flags.timeout ?? NONE;
    const status = ioEmit(this.#slot, text, bits(flags), token, timeout, packets.attachmentsTaken());
    if (status < 0) this.#notSent(status, token);
    this.#sent(status);
    return status !== OVER_MARK;
  }

  /** Whoever waits for 'drain' hears it, also when nothing had to wait. */
  #sent(status) {
    if (!this.server._engine._tellsDrain || (status !== QUEUED && status !== OVER_MARK)) return;
    this.client.conn._sent?.(status === OVER_MARK); // another engine has its own
  }

  /** Whoever has gone hears nothing, as in socket.io; the other reasons are the application's to know. */
  #notSent(status, token) {
    if (token !== NONE) this.server._acks.giveUp(token);
    throwUnlessGone(status);
  }

  /** As `emit`, with a promise for the answer. */
  emitWithAck(event, ...args) {
    const withError = this.#flags.timeout !== undefined;
    return new Promise((resolve, reject) => {
      const settle = withError ? (error, value) => (error ? reject(error) : resolve(value)) : resolve;
      this.emit(event, ...args, settle);
    });
  }

  send(...args) {
    this.emit('message', ...args);
    return this;
  }

  write(...args) {
    return this.send(...args);
  }

  to(room) {
    return this.#others().to(room);
  }

  in(room) {
    return this.#others().to(room);
  }

  except(room) {
    return this.#others().except(room);
  }

  get broadcast() {
    return this.#others();
  }

  get local() {
    return this.#others().local;
  }

  get volatile() {
    this.#flags = { ...this.#flags, volatile: true };
    return this;
  }

  compress(compress) {
    this.#flags = { ...this.#flags, compress };
    return this;
  }

  timeout(timeout) {
    this.#flags = { ...this.#flags, timeout };
    return this;
  }

  _takeFlags() {
    const flags = this.#flags;
    this.#flags = NO_FLAGS;
    return flags;
  }

  #others() {
    return new BroadcastOperator(this.adapter, new Set(), new Set([this.id]), this._takeFlags());
  }

  join(rooms) {
    if (this.#slot !== 0) return this.adapter.addAll(this.id, new Set(Array.isArray(rooms) ? rooms : [rooms]));
  }

  leave(room) {
    return this.adapter.del(this.id, room);
  }

  leaveAll() {
    this.adapter.delAll(this.id);
  }

  _join(rooms) {
    engine.ioJoin(this.#slot, rooms.map(String));
  }

  _leaveRoom(room) {
    engine.ioLeave(this.#slot, String(room));
  }

  /** A packet that an adapter has encoded. What asks for an answer has its callback in `acks`. */
  _write({ packet, text, attachments }, flags) {
    const { id } = packet;
    const callback = id === undefined ? undefined : this.acks.get(id);
    const settle = (...values) => {
      this.acks.delete(id);
      callback.apply(this, values);
    };
    const token = callback ? this.server._acks.expect(this, settle, false) : NONE;
    const status = ioEmit(this.#slot, text, bits(flags), token, NONE, attachments);
    if (status < 0) this.#notSent(status, token);
    this.#sent(status);
  }

  /** For adapters. */
  notifyOutgoingListeners(packet) {
    this._notifyOutgoing(packet.data);
  }

  /** Callbacks of adapters, by the numbers of the packets that they wait for the answers of. */
  get acks() {
    this.#acks ??= new Map();
    return this.#acks;
  }

  disconnect(close = false) {
    if (!this.connected) return this;
    engine.ioDisconnect(this.#slot, close);
    this._leave();
    if (close) for (const socket of this.#client?.sockets.values() ?? []) socket._leave();
    return this;
  }

  /** It is on its way out, as the engine will tell: events that came before are not heard any more. */
  _leave() {
    this._isLeaving = this.connected || this._isLeaving;
    this.connected = false;
  }

  /** Adds a function that is asked about each event that comes: `(event, next)`. */
  use(middleware) {
    this.#middlewares.push(middleware);
    return this;
  }

  /** An event from the engine. */
  _handleEvent(kind, extra, data) {
    switch (kind) {
      case KIND.IO_EVENT:
        return this.#event(extra, data);
      case KIND.IO_ACK:
        return this.server._acks.settle(extra, data);
      case KIND.IO_ATTACHMENT:
        return packets.attachmentArrived(data);
      case KIND.IO_CONNECTED:
        return this.nsp._connected(this);
      case KIND.IO_OUTGOING:
        return this._notifyOutgoing(packets.decode(extra, data, 0));
      case KIND.DRAIN:
        return this.client._drained();
      case KIND.IO_DISCONNECTING:
        return this.#disconnecting(extra, data);
      case KIND.IO_DISCONNECT:
        return this.#gone(extra, data.utf8Slice());
      case KIND.IO_ABANDONED:
        this.#forget();
        if (this.#client) this.server._mayBeGone(this.#client);
        return undefined;
    }
  }

  #event(extra, data) {
    const hasAck = (extra & HAS_ACK) !== 0;
    const values = packets.tryDecode(extra, data, hasAck ? HANDLE_SIZE : 0, this.server._codec);
    if (values === null) return this.disconnect(true);
    if (this._isLeaving) return;
    if (hasAck) values.push(this.#answer(data.readDoubleLE(0)));
    this._notifyAny(values);
    if (this.#middlewares.length === 0) this.#dispatch(values);
    else runMiddlewares(this.#middlewares, values, (error) => this.#judged(values, error));
  }

  #judged(values, error) {
    process.nextTick(() => {
      if (error) this._error(error);
      else if (this.connected) this.#dispatch(values);
    });
  }

  #dispatch(values) {
    if (values[0] === 'error') this._error(...values.slice(1));
    else Reflect.apply(emitLocally, this, values);
  }

  /** 'error' without a listener is no reason to end the process: the client may have sent it. */
  _error(...args) {
    if (this.listenerCount('error') > 0) emitLocally.call(this, 'error', ...args);
  }

  /** The function that answers the client, once. */
  #answer(handle) {
    let answered = false;
    return (...args) => {
      if (answered) return;
      answered = true;
      const text = packets.encode(args);
      this.#sent(ioAck(handle, text, packets.attachmentsTaken()));
    };
  }

  /** It is connected: what was emitted before that leaves now. */
  _open() {
    this.connected = true;
    if (!this.adapter._isEngines) this.join(this.id);
    const early = this.#early;
    this.#early = null;
    for (const [values, callback, flags] of early) this.#send(values, callback, flags);
  }

  #disconnecting(reason, data) {
    if (this.adapter._isEngines) this.#rooms = new Set(JSON.parse(data.utf8Slice()));
    this.connected = true; // to the listeners it still is
    emitLocally.call(this, 'disconnecting', this.#reason(reason), undefined);
    if (!this.adapter._isEngines) this.leaveAll();
    this.#rooms = new Set();
  }

  #gone(reason, detail) {
    this.#rooms = new Set();
    this.server._keep(this, REASONS[reason]);
    this.#forget();
    this.connected = false;
    this.#client?._remove(this);
    if (REASONS[reason] === 'forced close' && detail) this._error(new Error(detail)); // it has sent what is no packet
    const description = detail ? new Error(detail) : undefined;
    emitLocally.call(this, 'disconnect', this.#reason(reason), description);
    this.#client?._left(this.#reason(reason), description);
  }

  #reason(number) {
    return this.#client?._reasonFor(REASONS[number]) ?? REASONS[number];
  }

  /** The engine forgets it. */
  #forget() {
    if (!this.adapter._isEngines && !this.#rooms) this.leaveAll(); // a middleware has refused it, or nobody asked
    const record = takeSocket(this.#slot);
    this.#details ??= record;
    this.#early = null;
    this.#slot = 0;
    this.nsp._remove(this);
  }

  /** Has the engine tell of broadcasts while somebody listens to what is sent. */
  _outgoingListenersChanged(has) {
    engine.ioHearOutgoing(this.#slot, has);
  }
}

mixInCatchAll(Socket.prototype);

module.exports = { Socket };
