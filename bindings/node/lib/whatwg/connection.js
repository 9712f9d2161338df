'use strict';
// What is behind a WebSocket of browsers: its connection, its state, and the tasks in which that changes.
//
// Each event of the engine becomes a task of its own, as the standard has it: microtasks run between two of them.

const { AsyncResource } = require('async_hooks');
const diagnostics = require('diagnostics_channel');

const { describeDialing } = require('../dialing');
const { KIND, addTarget, engine, removeTarget } = require('../engine');
const { calling, fromRecord } = require('../errors');
const { isBlocked, portOf } = require('./address');
const { Outbox } = require('./outbox');
const settings = require('./settings');
const { Turn } = require('./turns');

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

const ABNORMAL = 1006;
const CLEAN = 0x31; // '1'
/** Errors have no details in browsers; whoever subscribes here gets them as `{ url, error }`. */
const errors = diagnostics.channel('sockline:whatwg:error');

class Connection {
  #description;
  #dialer;
  #owner;
  #turn;
  #key = 0;
  #handle = 0;
  #state = CONNECTING;
  #failed = false;
  #tasks = 0;
  #outbox = null;
  #bufferedAfterClose = 0;

  /** `owner` hears of it: opened(), received(data, isBinary), closed({ failed, code, reason, wasClean }). */
  constructor(url, protocols, owner) {
    this._resource = new AsyncResource('SocklineWebSocket');
    this.url = url;
    this.protocols = protocols;
    this.protocol = '';
    this.extensions = '';
    this.#owner = owner;
    const { origin, options } = settings;
    const { description, dialer } = describeDialing(url, protocols, { ...options, origin });
    this.#description = description;
    this.#dialer = dialer;
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const way = { host, port: portOf(url), isProxied: description.proxy !== undefined || dialer !== undefined };
    this.#turn = new Turn(way, () => this.#connect());
  }

  /** Goes to connect when it is this connection's turn. */
  begin() {
    if (isBlocked(this.url)) this.#endUnmade(new Error(`port ${this.url.port} is blocked`));
    else this.#turn.begin();
  }

  get state() {
    // The peer's close frame is known before the messages that came with it are all delivered.
    if (this.#state !== OPEN || this.#tasks > 0) return this.#state;
    return engine.readyState(this.#handle) === OPEN ? OPEN : CLOSING;
  }

  get bufferedAmount() {
    return this.#bufferedAfterClose + (this.#outbox?.bytes ?? 0);
  }

  /** A string, bytes that may change afterwards, or a Blob; `size` is that of the payload. */
  send(data, size) {
    if (this.state !== OPEN) this.#bufferedAfterClose += size;
    else this.#outbox.send(data, size);
  }

  /** Starts the closing handshake; while connecting, fails. */
  close(code, reason) {
    if (this.#state === CONNECTING) {
      this.#state = CLOSING;
      this.#fail(new Error('closed before the connection was established'));
    } else if (this.#state === OPEN) {
      this.#state = CLOSING;
      this.#outbox.close(code, reason);
    }
  }

  #connect() {
    const { context, ...description } = this.#description;
    this.#description = null;
    this.#key = addTarget(this);
    try {
      this.#handle = calling(() => engine.connect({ key: this.#key, ...description }, context));
    } catch (error) {
      removeTarget(this.#key);
      this.#endUnmade(error);
    }
  }

  /** "Fail the WebSocket connection", whatever there is of it; its end follows in tasks. */
  #fail(error) {
    this.#failing(error);
    if (this.#handle === 0) this.#endUnmade();
    else engine.terminate(this.#handle);
  }

  #failing(error) {
    if (this.#failed) return;
    this.#failed = true;
    if (errors.hasSubscribers) errors.publish({ url: this.url.href, error });
  }

  #endUnmade(error) {
    if (error) this.#failing(error);
    this.#turn.end();
    this.#task(() => this.#ended(ABNORMAL, '', false));
  }

  /** An event from the engine. */
  _handleEvent(kind, extra, data) {
    switch (kind) {
      case KIND.TEXT:
        this.#task(() => this.#received(data, false));
        break;
      case KIND.BINARY:
        this.#task(() => this.#received(data, true));
        break;
      case KIND.DIAL:
        this.#dialer.dial(data);
        break;
      case KIND.SENT:
        this.#outbox.settle(data.readUInt32LE(0), extra);
        break;
      case KIND.OPEN:
        this.#turn.end();
        this.#task(() => this.#opened());
        break;
      case KIND.ERROR:
        this.#failing(this.#dialer?.error ?? fromRecord(data.utf8Slice()));
        break;
      case KIND.CLOSE: {
        removeTarget(this.#key);
        this.#turn.end();
        const [wasClean, reason] = [data[0] === CLEAN, data.utf8Slice(1)];
        // Whatever is lost without a close frame has failed (RFC 6455 §7.2.1), also if nothing but the end came.
        if (extra === ABNORMAL) this.#failed = true;
        this.#task(() => this.#ended(extra, reason, wasClean));
        break;
      }
    }
  }

  #task(run) {
    this.#tasks += 1;
    setImmediate(() => {
      this.#tasks -= 1;
      run();
    });
  }

  #opened() {
    if (this.#state !== CONNECTING) return;
    const protocol = engine.protocol(this.#handle);
    if (this.protocols.length > 0 && protocol === '') {
      this.#fail(new Error('the server has chosen none of the subprotocols'));
      return;
    }
    this.#state = OPEN;
    this.protocol = protocol;
    this.extensions = engine.extensions(this.#handle);
    this.#outbox = new Outbox(this.#handle, (error) => this.#fail(error));
    this.#owner.opened();
  }

  #received(data, isBinary) {
    if (this.#state === OPEN) this.#owner.received(data, isBinary);
  }

  #ended(code, reason, wasClean) {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#outbox?.end();
    this.#owner.closed({ failed: this.#failed, code, reason, wasClean });
  }
}

module.exports = { Connection, CONNECTING, OPEN, CLOSING, CLOSED };
