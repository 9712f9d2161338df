'use strict';

const { AsyncResource } = require('async_hooks');

const { KIND, engine } = require('../../engine');
const { calling, fromRecord } = require('../../errors');
const { resolveOfficial } = require('../official');
const { Emitter } = require('./emitter');
const { EngineSocket } = require('./engine-socket');
const { managerOptions } = require('./manager-options');
const { REASONS } = require('./reasons');
const { Socket } = require('./socket');
const { WeakTarget } = require('./weak-target');

const TIMEOUT = 20_000; // ms
const RECONNECTION_DELAY = 1000; // ms
const RECONNECTION_DELAY_MAX = 5000; // ms
const RANDOMIZATION_FACTOR = 0.5;

/** A connection to a server, made again when it is lost, which the sockets of its namespaces share. */
class Manager extends Emitter {
  /** The engine's manager, once there was something to connect. */
  _native;
  /** A parser of the application's own. */
  _codec = null;
  #target;
  #isHeld = false;
  /** Neither was it closed, nor has its last socket left. */
  #isWanted = false;
  #reconnection;
  #reconnectionAttempts;
  #reconnectionDelay;
  #reconnectionDelayMax;
  #randomizationFactor;
  #timeout;
  /** Who waits for the end of the present attempt. */
  #waiting = [];
  /** While the end is told of a connection that nobody needed any more, because its server has sent the last socket away. */
  _wasLeft = false;
  #wantsPackets = false;
  /** Makes the connections, if the engine doesn't. */
  #dialer;
  /** For who listens to packets of Socket.IO. */
  #parser;
  #decoder;
  /** How many connections have ended of which the engine has yet to say so. */
  #endsTold = 0;

  constructor(uri, options) {
    super();
    if (uri && typeof uri === 'object') [uri, options] = [undefined, uri];
    this.opts = options ?? {};
    this.opts.path = this.opts.path || '/socket.io';
    this.uri = uri ?? uriOf(this.opts);
    this.nsps = {};
    this._resource = new AsyncResource('SocklineSocketIoManager');
    this.#target = new WeakTarget(this, this._resource);
    this.#reconnection = this.opts.reconnection !== false;
    this.#reconnectionAttempts = this.opts.reconnectionAttempts || Infinity;
    this.#reconnectionDelay = this.opts.reconnectionDelay || RECONNECTION_DELAY;
    this.#reconnectionDelayMax = this.opts.reconnectionDelayMax || RECONNECTION_DELAY_MAX;
    this.#randomizationFactor = this.opts.randomizationFactor ?? RANDOMIZATION_FACTOR;
    this.#timeout = this.opts.timeout ?? TIMEOUT;
    this._readyState = 'closed';
    this._reconnecting = false;
    this._autoConnect = this.opts.autoConnect !== false;
    if (this._autoConnect) this.open();
  }

  reconnection(enabled) {
    if (arguments.length === 0) return this.#reconnection;
    this.#reconnection = Boolean(enabled);
    this._native?.setReconnection(this.#reconnection);
    return this;
  }

  // These four and the timeout count from the first attempt to connect on.

  reconnectionAttempts(attempts) {
    if (attempts === undefined) return this.#reconnectionAttempts;
    this.#reconnectionAttempts = attempts;
    return this;
  }

  reconnectionDelay(delay) {
    if (delay === undefined) return this.#reconnectionDelay;
    this.#reconnectionDelay = delay;
    return this;
  }

  randomizationFactor(factor) {
    if (factor === undefined) return this.#randomizationFactor;
    this.#randomizationFactor = factor;
    return this;
  }

  reconnectionDelayMax(delay) {
    if (delay === undefined) return this.#reconnectionDelayMax;
    this.#reconnectionDelayMax = delay;
    return this;
  }

  timeout(timeout) {
    if (arguments.length === 0) return this.#timeout;
    this.#timeout = timeout;
    return this;
  }

  /** Connects; `callback(error)` is called when that has succeeded or failed. */
  open(callback) {
    if (this._readyState.includes('open')) return this;
    if (callback) this.#waiting.push(callback);
    this._opening();
    calling(() => this.native.open());
    return this;
  }

  connect(callback) {
    return this.open(callback);
  }

  /** An attempt begins. */
  _opening() {
    this.#isWanted = true;
    if (this._readyState !== 'closed') return;
    this.engine = new EngineSocket(this, this.native.firstTransport());
    this._readyState = 'opening';
    this.#hold(true);
  }

  /** The engine's manager. */
  get native() {
    if (this._native === undefined) {
      const { key } = this.#target;
      const { context, description, dialer } = managerOptions(this, key);
      this.#dialer = dialer;
      this._native = calling(() => engine.ioManager(key, description, context));
      if (this.#wantsPackets) this._native.setPacketEvents(true);
    }
    return this._native;
  }

  on(event, listener) {
    if (event === 'packet') this.#hearPackets();
    return super.on(event, listener);
  }

  /** Packets of Engine.IO are to be told from now on. */
  _wantPackets() {
    this.#wantsPackets = true;
    this._native?.setPacketEvents(true);
  }

  /** Those of Socket.IO are read a second time, for who listens to them. */
  #hearPackets() {
    this.#parser ??= this.opts.parser ?? officialParser();
    this._wantPackets();
  }

  /** What a message of Engine.IO has carried. */
  _heard(data) {
    if (this.#parser === undefined) return;
    this.#decoder ??= this.#newDecoder();
    try {
      this.#decoder.add(data);
    } catch {
      this.#decoder = undefined; // the engine closes the connection
    }
  }

  #newDecoder() {
    const decoder = new this.#parser.Decoder();
    decoder.on('decoded', (packet) => process.nextTick(() => this.emitReserved('packet', packet)));
    return decoder;
  }

  /** The socket of a namespace. */
  socket(nsp, options) {
    const socket = this.nsps[nsp];
    if (!socket) return (this.nsps[nsp] = new Socket(this, nsp, options));
    if (this._autoConnect && !socket.active) socket.connect();
    return socket;
  }

  /** Closes the connection, and gives up coming back to one. */
  disconnect() {
    this._close();
  }

  _close() {
    this._native?.close();
    this.#giveUp();
  }

  /** A socket will not connect any more by itself; without another one, neither will the manager. */
  _left() {
    if (Object.values(this.nsps).every((socket) => !socket.active)) this.#giveUp();
  }

  /** The last socket has left: the connection ends, and is told to have ended before the socket is. */
  _endsUnused() {
    if (this._readyState !== 'open' || this.#isWanted) return;
    this.#endsTold += 1;
    this.#ended('forced close');
  }

  #giveUp() {
    this.#isWanted = false;
    this._reconnecting = false;
    if (this._readyState === 'closed') this.#hold(false);
  }

  /** Keeps the process alive, or doesn't any more. */
  #hold(held) {
    this.#target.hold(held);
    if (held === this.#isHeld || this.opts.autoUnref) return;
    this.#isHeld = held;
    if (held) engine.ioHold();
    else engine.ioLetGo();
  }

  /** An event from the engine. */
  _handleEvent(kind, extra, data) {
    switch (kind) {
      case KIND.IO_OPEN:
        return this.#opened(data.latin1Slice());
      case KIND.IO_ERROR:
        return this.#failed(this._error(data.utf8Slice()));
      case KIND.IO_CLOSE:
        return this.#closed(REASONS[extra], data.utf8Slice());
      case KIND.IO_PING:
        return this.emitReserved('ping');
      case KIND.IO_UPGRADED:
        return this.engine._upgraded();
      case KIND.IO_UPGRADE_ERROR:
        return this.engine.emit('upgradeError', this._error(data.utf8Slice()));
      case KIND.IO_PACKET:
        return this.engine._packet(extra, data);
      case KIND.DIAL:
        return void this.#dialer.dial(data);
      case KIND.DRAIN:
        return undefined; // `EngineSocket` looks itself
      default:
        return this.#reconnecting_(kind, data);
    }
  }

  #reconnecting_(kind, data) {
    switch (kind) {
      case KIND.IO_SCHEDULED:
        this._reconnecting = this.#isWanted;
        return this.#hold(this.#isWanted);
      case KIND.IO_ATTEMPT:
        this.emitReserved('reconnect_attempt', Number(data.latin1Slice()));
        return this._opening();
      case KIND.IO_RECONNECT:
        this._reconnecting = false;
        return this.emitReserved('reconnect', Number(data.latin1Slice()));
      case KIND.IO_RECONNECT_ERROR:
        return this.emitReserved('reconnect_error', this._error(data.utf8Slice()));
      case KIND.IO_RECONNECT_FAILED:
        this._reconnecting = false;
        this.#hold(false);
        return this.emitReserved('reconnect_failed');
    }
  }

  /** The record: the id of the session, and the transport. */
  #opened(record) {
    const [id, transport] = record.split('\0');
    this._readyState = 'open';
    this.engine._opened(id, transport);
    this.emitReserved('open');
    for (const callback of this.#waiting.splice(0)) callback();
  }

  #failed(error) {
    if (this._readyState === 'opening') {
      this.engine._failed(error);
      this._readyState = 'closed';
      this.#hold(this._reconnecting);
    }
    this.emitReserved('error', error);
    for (const callback of this.#waiting.splice(0)) callback(error);
  }

  #closed(reason, detail) {
    if (this.#endsTold > 0) {
      this.#endsTold -= 1;
      if (this._readyState === 'closed') this.#hold(false); // else it was opened again meanwhile
      return;
    }
    this.#hold(false);
    this._wasLeft = reason === 'forced close' && this.#isWanted;
    this.#ended(reason, detail ? this.#description(reason, detail) : undefined);
    this._wasLeft = false;
  }

  #ended(reason, description) {
    this._readyState = 'closed';
    this.#decoder?.destroy?.();
    this.#decoder = undefined;
    this.engine?._closed(reason, description);
    this.emitReserved('close', reason, description);
  }

  /** The engine's error, under the words that engine.io-client has for it. */
  _error(record) {
    const told = fromRecord(record);
    if (told.code === 'SOCKLINE_ERR_HANDSHAKE_TIMEOUT' || told.message === 'timeout') return new Error('timeout');
    return this.#transportError(this.#dialer?.error ?? told);
  }

  /** What an end of a connection says of itself (DisconnectDescription). */
  #description(reason, detail) {
    if (reason === 'transport close') return { description: detail };
    const error = new Error(detail);
    return reason === 'transport error' ? this.#transportError(error) : error;
  }

  #transportError(cause) {
    const isPolling = this.engine?.transport.name !== 'websocket';
    const error = new Error(isPolling ? 'xhr poll error' : 'websocket error', { cause });
    error.type = 'TransportError';
    error.description = cause.statusCode ?? cause;
    error.code = cause.code;
    return error;
  }
}

/** socket.io-parser, as npm's socket.io-client has it. */
function officialParser() {
  return require(require.resolve('socket.io-parser', { paths: [resolveOfficial('socket.io-client/package.json')] }));
}

/** Where the server is, if options say it as engine.io-client's do. */
function uriOf({ secure, hostname = 'localhost', host = hostname, port }) {
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `${secure ? 'https' : 'http'}://${name}${port ? `:${port}` : ''}`;
}

module.exports = { Manager };
