'use strict';

const { AsyncResource } = require('async_hooks');
const EventEmitter = require('events');
const { STATUS_CODES } = require('http');

const { KIND, addTarget, engine, removeTarget } = require('./engine');
const { ENGINE_CODE, calling, fromRecord } = require('./errors');
const { mixInto } = require('./events');
const { extensionNames } = require('./compression');
const { EarlyMessages } = require('./early-messages');
const { Opening, readAnswer } = require('./opening');
const { Peer } = require('./peer');
const { offerAttempt, readReconnecting } = require('./reconnecting');
const { Response } = require('./response');
const { STATES, addSending, notOpen } = require('./sending');
const { SpacedEvents } = require('./spaced-events');
const { closeReason, publication } = require('./payloads');

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

const EMPTY = Buffer.alloc(0);
const NO_TIMINGS = { dns: null, tcp: null, proxy: null, tls: null, upgrade: null };
const BINARY_TYPES = ['nodebuffer', 'arraybuffer', 'fragments', 'blob'];
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
    this._answerSize = 0; // of a server's answer, in bytes, while it waits
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
    this._answerSize = engine.bufferedAmount(this._handle);
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
    return this._waiting + this._bufferedAfterClose + (this._inTurn?.bytes ?? 0);
  }

  /** What waits of messages: the answer that opens a server's connection is none. */
  get _waiting() {
    if (this._handle === 0 || this._readyState === CLOSED) return 0;
    const waiting = engine.bufferedAmount(this._handle);
    if (this._answerSize === 0) return waiting;
    if (engine.bytesTaken(this._handle) > 0) this._answerSize = 0; // it goes first
    return Math.max(0, waiting - this._answerSize);
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
    return this._handle === 0 ? { ...NO_TIMINGS } : engine.timings(this._handle);
  }

  /** What was agreed on in the TLS handshake; null without TLS. */
  tlsInfo() {
    return this._handle === 0 ? null : engine.tlsInfo(this._handle);
  }

  /** The counters of this connection since it was made; null once it has ended. */
  metrics() {
    return this._handle === 0 ? null : engine.metrics(this._handle);
  }

  /** The round trip of the last answered ping, in milliseconds; null before. */
  get latency() {
    return this._handle === 0 ? null : engine.latency(this._handle);
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
    if (this._givenUp !== null) return; // it came with the answer that was refused
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
    this._peer = this._opening.peer;
    if (this.listenerCount('upgrade') > 0) {
      const headers = engine.responseHeaders(this._handle);
      const response = new Response(101, STATUS_CODES[101], headers, EMPTY, this._socket);
      response.req = this._opening.sent(engine.requestHeaders(this._handle));
      this.emit('upgrade', response);
      if (this._readyState !== CONNECTING) return; // a listener has closed it
    }
    const fault = this._opening.faultOf(engine.protocol(this._handle));
    if (fault !== null) {
      this._giveUp(fault);
      return;
    }
    this._agreed();
    this.emit('open');
  }

  /** There is a connection, with what both ends have agreed on. */
  _agreed() {
    this._protocol = engine.protocol(this._handle);
    this._extensions = extensionNames(engine.extensions(this._handle));
    this._peer = this._opening.peer;
    this._wasOpen = true;
    this._readyState = OPEN;
  }

  _failed(error) {
    const wasConnecting = this._readyState === CONNECTING;
    if (this._isServer && wasConnecting) return; // it was never handed out
    if (this._givenUp || (!wasConnecting && TOLD_BY_CLOSE.has(error[ENGINE_CODE]))) return;
    if (wasConnecting) error = this._opening.reasonFor(error);
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

addSending(WebSocket.prototype);
mixInto(WebSocket.prototype);

module.exports = WebSocket;
