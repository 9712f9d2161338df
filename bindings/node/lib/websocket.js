'use strict';

const { AsyncResource } = require('async_hooks');
const EventEmitter = require('events');
const { STATUS_CODES } = require('http');

const { KIND, addTarget, awaitSent, engine, removeTarget, send, sendWith } = require('./engine');
const { ENGINE_CODE, calling, fromRecord, fromStatus, withCode } = require('./errors');
const { mixInto } = require('./events');
const { extensionNames } = require('./compression');
const { EarlyMessages } = require('./early-messages');
const { Fragments } = require('./fragments');
const { InTurn, isBlob } = require('./in-turn');
const { Opening, readAnswer } = require('./opening');
const { Outgoing } = require('./outgoing');
const { Peer } = require('./peer');
const { offerAttempt, readReconnecting } = require('./reconnecting');
const { Response } = require('./response');
const { SpacedEvents } = require('./spaced-events');
const { BINARY, COMPRESSED, PLAIN, STRING, closeReason, controlPayload, publication, toView } = require('./payloads');

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;
const STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];

const EMPTY = Buffer.alloc(0);
const BINARY_TYPES = ['nodebuffer', 'arraybuffer', 'fragments', 'blob'];
/** Results of `send`: nothing to wait for; the connection is not open any more; what was said is no text. */
const QUEUED = 0;
const NOT_OPEN = -3;
const ENDED = -4;
const INVALID_UTF8 = -6;
const NO_TOKEN = -1;
/** After the handshake, ws tells of these only by the close code 1006. */
const TOLD_BY_CLOSE = new Set(['SOCKLINE_ERR_IO', 'SOCKLINE_ERR_TLS', 'SOCKLINE_ERR_CLOSE_TIMEOUT']);

/**
 * A WebSocket: a client's, made with a URL, or one that a WebSocketServer hands out.
 * An EventEmitter as in npm ws, and an EventTarget as in browsers.
 */
class WebSocket extends EventEmitter {
  /**
   * @param {string|URL|null} address where to connect to; null is the server's way to make one
   * @param {string|string[]} [protocols] the subprotocols to offer
   * @param {object} [options] see index.d.ts
   */
  constructor(address, protocols, options) {
    super();
    this._resource = new AsyncResource('SocklineWebSocket');
    this._handle = 0;
    this._key = 0;
    this._readyState = CONNECTING;
    this._binaryType = 'nodebuffer';
    this._isServer = address === null;
    this._paused = false;
    this._protocol = '';
    this._extensions = '';
    this._url = undefined;
    this._wasClean = false;
    this._isEnding = false; // its last events are being emitted
    this._givenUp = null; // closed while connecting: the error that tells so
    this._opening = null; // a client's way to an open connection
    this._answer = null; // what a server has answered instead of upgrading
    this._over = null; // ends what has no connection any more
    this._whenOver = null; // lets go of Node's socket
    this._wasOpen = this._isServer;
    this._keepsMessages = false; // takes messages before there is a connection
    this._outgoing = null; // callbacks of `send`
    this._whenOpen = null; // hands a server's connection out, where that has to wait
    this._heard = false; // a message has found a listener
    this._early = null; // messages that have found none
    this._part = null; // a message that is being sent in fragments
    this._inTurn = null; // what waits until a Blob was read
    this._spaced = null; // events that come one at a time
    this._pending = null; // other callbacks, with how many bytes have to be taken before
    this._bufferedAfterClose = 0;
    this._peer = undefined;
    if (address === null) {
      this._spaceEvents(options);
      return;
    }
    this._opening = new Opening(this, address, protocols, options);
    this._keepsMessages = this._opening.keepsMessages;
  }

  _spaceEvents(options) {
    if (options?.allowSynchronousEvents === false) this._spaced = new SpacedEvents(this);
  }

  /** Becomes the server's end of a connection; `accept(key)` answers the client. */
  _accept(handle, protocol, peer, accept) {
    this._key = addTarget(this);
    try {
      accept(this._key);
    } catch (error) {
      removeTarget(this._key);
      throw error;
    }
    this._handle = handle;
    this._protocol = protocol;
    this._peer = peer;
  }

  /** The client has its answer, or will have it before anything else. */
  _isAccepted() {
    this._extensions = extensionNames(engine.extensions(this._handle));
    this._readyState = OPEN;
    this.emit('open');
  }

  get binaryType() {
    return this._binaryType;
  }

  set binaryType(type) {
    if (BINARY_TYPES.includes(type)) this._binaryType = type;
  }

  get bufferedAmount() {
    const waiting = this._readyState === CLOSED ? 0 : engine.bufferedAmount(this._handle);
    return waiting + this._bufferedAfterClose + (this._inTurn?.bytes ?? 0);
  }

  get extensions() {
    return this._extensions;
  }

  get isPaused() {
    return this._paused;
  }

  get protocol() {
    return this._protocol;
  }

  get readyState() {
    if (this._readyState !== OPEN) return this._readyState;
    if (this._inTurn?.isClosing) return CLOSING;
    // The peer may have closed, which is known before the messages that came with it are all delivered.
    return engine.readyState(this._handle) === OPEN ? OPEN : CLOSING;
  }

  get url() {
    return this._url;
  }

  /** The peer's address, where programs that know ws look for it. */
  get _socket() {
    if (this._handle === 0) return null;
    if (this._peer === undefined) {
      this._peer = new Peer(this._handle, ...engine.remoteAddress(this._handle));
    }
    return this._peer;
  }

  /** How long each step to the open connection took, in milliseconds; null for a step that was not needed. */
  timings() {
    return engine.timings(this._handle);
  }

  /** What was agreed on in the TLS handshake; null without TLS. */
  tlsInfo() {
    return engine.tlsInfo(this._handle);
  }

  /** The counters of this connection since it was made; null once it has ended. */
  metrics() {
    return engine.metrics(this._handle);
  }

  /** The round trip of the last answered ping, in milliseconds; null before. */
  get latency() {
    return this._handle === 0 ? null : engine.latency(this._handle);
  }

  /**
   * Sends a message; `callback(error)` is called when the system has taken it, or never will.
   * False asks to wait for 'drain' before sending more.
   */
  send(data, options, callback) {
    if (this._readyState === CONNECTING && !this._keepsMessages) throw notOpen(CONNECTING);
    if (typeof options === 'function') {
      callback = options;
      options = undefined;
    }
    if (typeof data === 'number') data = data.toString();
    const isString = typeof data === 'string';
    if (this._inTurn !== null || (!isString && isBlob(data))) return this._sendInTurn(data, options, callback);
    if (!isString) data = toView(data);
    if (options?.fin === false || this._part !== null) {
      return this._sendPart(data, isString, options, callback);
    }
    const binary = options?.binary ?? !isString;
    return this._send(data, (binary ? BINARY : 0) | (isString ? STRING : 0), options, callback);
  }

  _send(data, type, options, callback) {
    let result = NOT_OPEN;
    if (this._readyState === OPEN || this._keepsMessages) {
      const isUsual = !callback && options?.compress == null && !options?.deadline;
      result = isUsual ? send(this._handle, type, data) : this._sendWith(data, type, options, callback);
    }
    if (result < 0) return this._notSent(result, data, callback);
    return result === QUEUED;
  }

  _sendWith(data, type, options, callback) {
    if (options?.compress != null) type |= options.compress ? COMPRESSED : PLAIN;
    const deadline = options?.deadline ?? 0;
    if (!callback) return sendWith(this._handle, type, data, NO_TOKEN, deadline);
    this._outgoing ??= new Outgoing();
    const token = this._outgoing.add(callback);
    const result = sendWith(this._handle, type, data, token, deadline);
    if (result < 0) this._outgoing.forget(token);
    return result;
  }

  _notSent(result, data, callback) {
    if (result === INVALID_UTF8) {
      throw withCode(new TypeError('a text message must be valid UTF-8'), 'SOCKLINE_ERR_INVALID_UTF8');
    }
    if (result === NOT_OPEN || result === ENDED) {
      this._sendAfterClose(data, callback);
      return true; // nothing waits, so no 'drain' will come
    }
    const error = fromStatus(result, (status) => engine.describeStatus(status));
    if (!callback) throw error;
    process.nextTick(callback, error);
    return false;
  }

  _sendPart(data, isString, options, callback) {
    const isLast = options?.fin !== false;
    this._part ??= new Fragments(options?.binary ?? !isString, options?.compress === false && this._extensions !== '');
    const part = this._part;
    if (part.isGathered) return this._gatherPart(part, data, isString, isLast, callback);
    const result = this._readyState === OPEN ? part.send(this._handle, data, isString, isLast) : NOT_OPEN;
    if (result < 0) return this._notSent(result, data, callback);
    if (isLast) this._part = null;
    if (callback) this._awaitSent(callback);
    return result === QUEUED;
  }

  _gatherPart(part, data, isString, isLast, callback) {
    part.gather(data, isString);
    if (isLast) {
      this._part = null;
      const whole = part.whole();
      return this._send(whole.data, whole.type, { compress: false }, callback);
    }
    if (callback) process.nextTick(callback);
    return true;
  }

  /** A Blob, or what is sent while one is being read. */
  _sendInTurn(data, options, callback) {
    if (this._inTurn === null && this._readyState === OPEN) {
      this._inTurn = new InTurn(this);
      const fail = (error, isOver) => {
        callback?.(error);
        if (!isOver) this._blobFailed(error);
      };
      this._inTurn.read(data, (bytes) => this.send(bytes, options, callback), fail);
      return true;
    }
    if (this._inTurn === null || this._inTurn.isClosing) this._sendAfterClose(data, callback);
    else this._inTurn.add(() => this.send(data, options, callback), sizeOf(data));
    return true;
  }

  _blobFailed(error) {
    this.emit('error', error);
    this.close(1011);
  }

  _sendAfterClose(data, callback) {
    this._bufferedAfterClose += sizeOf(data);
    if (callback) process.nextTick(callback, notOpen(this.readyState));
  }

  _awaitSent(callback) {
    if (this._whenOpen) {
      setImmediate(callback); // its thread has it, and tells of messages only
      return;
    }
    this._pending ??= [];
    const mark = engine.bytesTaken(this._handle) + engine.bufferedAmount(this._handle);
    this._pending.push({ mark, callback });
    awaitSent(this);
  }

  /** Calls back those whose data has left. True if nobody is left. */
  _settleSent(error) {
    const pending = this._pending;
    if (pending === null) return true;
    // Of what a policy dropped meanwhile the bytes are never taken.
    const isEmpty = this._readyState === CLOSED || engine.bufferedAmount(this._handle) === 0;
    const taken = isEmpty ? Infinity : engine.bytesTaken(this._handle);
    let done = 0;
    while (done < pending.length && pending[done].mark <= taken) done++;
    const settled = pending.splice(0, done);
    if (pending.length === 0) this._pending = null;
    this._resource.runInAsyncScope(callAll, null, settled, error);
    return this._pending === null;
  }

  /** Subscribes a server's connection to the topics of its server that match; wildcards as in MQTT. */
  subscribe(filter) {
    calling(() => engine.subscribe(this._handle, String(filter)));
  }

  /** Takes one `subscribe` back. */
  unsubscribe(filter) {
    calling(() => engine.unsubscribe(this._handle, String(filter)));
  }

  /** Publishes a message at this connection's server; to itself only if asked to. */
  publish(topic, data, options) {
    const { binary, view } = publication(data, options);
    calling(() => engine.publishFrom(this._handle, String(topic), binary, view, Boolean(options?.includeSelf)));
  }

  /** Sends a ping of at most 125 bytes. */
  ping(data, mask, callback) {
    this._sendControl(false, data, mask, callback);
  }

  /** Sends a pong of at most 125 bytes. Pings are answered without it. */
  pong(data, mask, callback) {
    this._sendControl(true, data, mask, callback);
  }

  _sendControl(isPong, data, mask, callback) {
    if (this._readyState === CONNECTING) throw notOpen(CONNECTING);
    if (typeof data === 'function') [data, callback] = [undefined, data];
    else if (typeof mask === 'function') callback = mask;
    const payload = controlPayload(data);
    if (this.readyState !== OPEN) {
      this._sendAfterClose(payload, callback);
      return;
    }
    const act = () => {
      if (this.readyState !== OPEN) return this._sendAfterClose(payload, callback);
      calling(() => engine.sendControl(this._handle, isPong, payload));
      if (callback) this._awaitSent(callback);
    };
    if (this._inTurn === null) act();
    else this._inTurn.add(act, payload.length);
  }

  /** Starts the closing handshake; while connecting, gives up. */
  close(code, data) {
    if (this._readyState === CLOSED || this._readyState === CLOSING) return;
    if (this._readyState === CONNECTING && !this._wasOpen) {
      this._giveUp();
      return;
    }
    if (this._inTurn?.isClosing) return;
    const reason = closeReason(code, data);
    if (this._inTurn !== null) {
      this._inTurn.isClosing = true;
      this._inTurn.add(() => this.close(code, data), 0);
      return;
    }
    this._readyState = CLOSING;
    calling(() => engine.close(this._handle, code, reason));
  }

  /** Cuts the connection without a closing handshake. */
  terminate() {
    if (this._readyState === CLOSED) return;
    if (this._readyState === CONNECTING && !this._wasOpen) {
      this._giveUp();
      return;
    }
    this._readyState = CLOSING;
    engine.terminate(this._handle);
  }

  _giveUp(error = new Error('WebSocket was closed before the connection was established')) {
    if (this._givenUp || this._readyState === CLOSED) return;
    this._givenUp = error;
    this._readyState = CLOSING;
    if (this._over) process.nextTick(this._over);
    else engine.terminate(this._handle);
  }

  /** Stops reading from the socket. */
  pause() {
    this._setPaused(true);
  }

  /** Reads on. */
  resume() {
    this._setPaused(false);
  }

  _setPaused(paused) {
    if (this._readyState === CONNECTING || this._readyState === CLOSED) return;
    this._paused = paused;
    engine.setPaused(this._handle, paused);
  }

  /** An event from the engine. */
  _handleEvent(kind, extra, data) {
    if (this._spaced === null) this._handleOne(kind, extra, data);
    else this._spaced.add(kind, extra, data);
  }

  _handleOne(kind, extra, data) {
    switch (kind) {
      case KIND.BINARY:
        this._receive(this._binaryType === 'nodebuffer' ? data : toBinaryType(data, this._binaryType), true);
        break;
      case KIND.TEXT:
        this._receive(data, false);
        break;
      case KIND.PART:
        this._receive(data, { binary: (extra & 1) !== 0, first: (extra & 2) !== 0, last: (extra & 4) !== 0 }, 'part');
        break;
      case KIND.PING:
        this.emit('ping', data);
        break;
      case KIND.PONG:
        this.emit('pong', data);
        break;
      case KIND.DRAIN:
        this.emit('drain');
        break;
      case KIND.SENT:
        this._outgoing.settle(data.readUInt32LE(0), extra);
        break;
      case KIND.RECONNECTING:
        this._readyState = CONNECTING;
        this._part = null; // what was sent of it is lost with the connection
        this.emit('reconnecting', readReconnecting(extra, data));
        break;
      case KIND.ATTEMPT:
        offerAttempt(this, data);
        break;
      case KIND.RECONNECTED:
        this._agreed();
        this.emit('reconnected');
        break;
      case KIND.RESPONSE:
        this._answer = readAnswer(extra, data);
        break;
      case KIND.OPEN:
        this._opened();
        break;
      // The end may come in the same turn as what was before it. Whoever awaits that must have had the chance to
      // listen for the end, so the microtasks run first, as they do in ws.
      case KIND.ERROR:
        setImmediate(() => this._failed(fromRecord(data.utf8Slice())));
        break;
      case KIND.CLOSE:
        setImmediate(() => this._ended(extra, data));
        break;
    }
  }

  _receive(data, about, event = 'message') {
    if (this._early === null && (this.emit(event, data, about) || this._heard)) {
      this._heard = true;
      return;
    }
    this._early ??= new EarlyMessages(this, event);
    this._early.keep(data, about);
  }

  _opened() {
    if (this._isServer) {
      this._whenOpen?.(); // without threads it was handed out already
      return;
    }
    if (this._givenUp) return;
    if (this.listenerCount('upgrade') > 0) {
      const headers = engine.responseHeaders(this._handle);
      this.emit('upgrade', new Response(101, STATUS_CODES[101], headers, EMPTY, this._socket));
      if (this._readyState !== CONNECTING) return; // a listener has closed it
    }
    this._agreed();
    this.emit('open');
  }

  /** There is a connection, with what both ends have agreed on. */
  _agreed() {
    this._protocol = engine.protocol(this._handle);
    this._extensions = extensionNames(engine.extensions(this._handle));
    this._peer = undefined;
    this._wasOpen = true;
    this._readyState = OPEN;
  }

  _failed(error) {
    const wasConnecting = this._readyState === CONNECTING;
    if (this._isServer && wasConnecting) return; // it was never handed out
    if (this._givenUp || (!wasConnecting && TOLD_BY_CLOSE.has(error[ENGINE_CODE]))) return;
    if (wasConnecting && this._answer) {
      const answer = this._answer;
      this._answer = null;
      try {
        if (this._opening.judge(answer)) return;
      } catch (unusable) {
        error = unusable;
      }
    }
    this._readyState = CLOSING;
    this.emit('error', error);
  }

  _ended(code, data) {
    removeTarget(this._key);
    this._wasClean = data[0] === 0x31; // '1'
    const reason = data.length > 1 ? Buffer.from(data.subarray(1)) : EMPTY;
    this._over = () => this._isOver(code, reason);
    if (this._givenUp || this._wasOpen || !this._opening.goesOn(this._over)) this._over();
  }

  _isOver(code, reason) {
    if (this._isEnding) return;
    this._isEnding = true;
    if (this._isServer && this._readyState === CONNECTING) {
      this._readyState = CLOSED;
      return; // nobody has it
    }
    this._early?.release();
    this._inTurn?.end();
    this._whenOver?.();
    try {
      if (this._givenUp) this.emit('error', this._givenUp);
    } finally {
      this._readyState = CLOSED;
      if (this._pending !== null) this._settleSent(notOpen(CLOSED));
      this.emit('close', code, reason);
    }
  }
}

function notOpen(state) {
  return new Error(`WebSocket is not open: readyState ${state} (${STATES[state]})`);
}

function callAll(settled, error) {
  for (const { callback } of settled) {
    try {
      callback(error);
    } catch (thrown) {
      engine.reportException(thrown);
    }
  }
}

function sizeOf(data) {
  if (isBlob(data)) return data.size;
  return typeof data === 'string' ? Buffer.byteLength(data) : toView(data).byteLength;
}

/** A payload is a view on memory that others have parts of. */
function toBinaryType(data, type) {
  switch (type) {
    case 'arraybuffer':
      return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
    case 'blob':
      return new Blob([data]);
    default:
      return [data]; // fragments are put together before they come here
  }
}

STATES.forEach((name, state) => {
  for (const owner of [WebSocket, WebSocket.prototype]) {
    Object.defineProperty(owner, name, { enumerable: true, value: state });
  }
});

for (const name of ['binaryType', 'bufferedAmount', 'extensions', 'isPaused', 'protocol', 'readyState', 'url']) {
  Object.defineProperty(WebSocket.prototype, name, { enumerable: true });
}

mixInto(WebSocket.prototype);

module.exports = WebSocket;
