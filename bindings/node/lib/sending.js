'use strict';
// What a WebSocket sends: messages whole, in fragments and from Blobs, pings and pongs, and who is told when they have left.

const { awaitSent, engine, send, sendWith } = require('./engine');
const { calling, fromStatus, withCode } = require('./errors');
const { Fragments } = require('./fragments');
const { InTurn, isBlob } = require('./in-turn');
const { Outgoing } = require('./outgoing');
const { BINARY, COMPRESSED, PLAIN, STRING, checkControlSize, controlPayload, toView } = require('./payloads');

const STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];
const [CONNECTING, OPEN, , CLOSED] = STATES.keys();

/** Results of `send`: nothing to wait for; the connection is not open any more; what was said is no text. */
const QUEUED = 0;
const NOT_OPEN = -3;
const ENDED = -4;
const INVALID_UTF8 = -6;
const NO_TOKEN = -1;

/** Its methods are those of WebSocket (websocket.js), which has all of the state. */
class Sending {
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
      this._readBlob(data, (bytes) => this.send(bytes, options, callback), callback);
      return true;
    }
    if (this._inTurn === null || this._inTurn.isClosing) this._sendAfterClose(data, callback);
    else this._inTurn.add(() => this.send(data, options, callback), sizeOf(data));
    return true;
  }

  /** What is sent from here on waits until `send(bytes)` was called, or `callback(error)`. */
  _readBlob(blob, send, callback) {
    this._inTurn = new InTurn(this);
    this._inTurn.read(blob, send, (error, isOver) => {
      callback?.(error);
      if (!isOver) this._blobFailed(error);
    });
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
    const isFromBlob = isBlob(data);
    const payload = isFromBlob ? data : controlPayload(data);
    if (this.readyState !== OPEN) {
      this._sendAfterClose(payload, callback);
      return;
    }
    const size = sizeOf(payload);
    checkControlSize(size);
    const act = () => {
      if (this.readyState !== OPEN) return this._sendAfterClose(payload, callback);
      if (isFromBlob) return this._readForControl(isPong, payload, callback);
      calling(() => engine.sendControl(this._handle, isPong, payload));
      if (callback) this._awaitSent(callback);
    };
    if (this._inTurn === null) act();
    else this._inTurn.add(act, size);
  }

  _readForControl(isPong, blob, callback) {
    this._readBlob(blob, (bytes) => this._sendControl(isPong, bytes, undefined, callback), callback);
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

/** Gives a class these methods. */
function addSending(prototype) {
  const { constructor, ...methods } = Object.getOwnPropertyDescriptors(Sending.prototype);
  Object.defineProperties(prototype, methods);
}

module.exports = { STATES, addSending, notOpen };
