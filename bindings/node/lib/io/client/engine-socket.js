'use strict';

const { withCode } = require('../../errors');
const { PACKET_EVENTS, contentOf, emitPacket, isOutgoing } = require('../engine-packets');
const { Emitter } = require('./emitter');

/** Those that come of packets. The first listener costs a copy of each from then on. */
const OF_PACKETS = new Set([...PACKET_EVENTS, 'ping', 'pong', 'flush', 'drain']);
/** How soon it is looked again whether all has left. */
const SOON = 20; // ms
const BINARY_TYPES = ['nodebuffer', 'arraybuffer'];

/** What programs use of the Engine.IO client (`manager.engine`); the bytes themselves stay in the engine. */
class EngineSocket extends Emitter {
  #manager;
  /** Packets were made that have yet to leave, or to be told of. */
  #isFlushing = false;
  #isDraining = false;
  #binaryType = BINARY_TYPES[0];
  /** What was to be sent before there was a connection. */
  #waiting = [];

  constructor(manager, transport) {
    super();
    this.#manager = manager;
    this.id = undefined;
    this.readyState = 'opening';
    this.transport = { name: transport };
    this.upgrading = false;
  }

  on(event, listener) {
    if (OF_PACKETS.has(event)) this.#manager._wantPackets();
    return super.on(event, listener);
  }

  /** Closes the connection; the manager comes back to one, if it is to. */
  close() {
    this.#manager.native.closeConnection();
    return this;
  }

  /** Sends a message of Engine.IO, between the packets of Socket.IO. `callback` is called when it leaves. */
  send(data, options, callback) {
    if (typeof options === 'function') [callback, options] = [options, undefined];
    if (callback) this.once('flush', callback);
    if (this.readyState === 'opening') this.#waiting.push([data, options]);
    else if (this.readyState === 'open') this.#send(data, options);
    return this;
  }

  write(data, options, callback) {
    return this.send(data, options, callback);
  }

  #send(data, options) {
    const { isBinary, bytes } = contentOf(data);
    this.#manager.native.sendMessage(isBinary, bytes, options?.compress === false ? false : undefined);
  }

  _opened(id, transport) {
    this.id = id;
    this.transport = { name: transport };
    this.readyState = 'open';
    this.emit('handshake', { sid: id });
    this.emit('open');
    for (const [data, options] of this.#waiting.splice(0)) this.#send(data, options);
  }

  _packet(extra, content) {
    const { type, data } = emitPacket(this, extra, content, 'ping');
    if (isOutgoing(extra)) return this.#willFlush();
    if (type === 'message') this.#manager._heard(data);
    if (type === 'ping') this.emit('ping').emit('pong'); // the engine has answered
  }

  /** The engine writes what was made in a turn when that ends. */
  #willFlush() {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    process.nextTick(() => {
      this.#isFlushing = false;
      if (this.readyState === 'closed') return;
      this.emit('flush');
      if (!this.#isDraining) setImmediate(() => this.#drained());
      this.#isDraining = true;
    });
  }

  #drained() {
    if (this.readyState === 'closed') return;
    if (this.#manager.native.bufferedAmount() > 0) {
      setTimeout(() => this.#drained(), SOON).unref();
      return;
    }
    this.#isDraining = false;
    this.emit('drain');
  }

  _upgraded() {
    const transport = { name: 'websocket' };
    this.upgrading = true;
    this.emit('upgrading', transport);
    this.transport = transport;
    this.emit('upgrade', transport);
    this.upgrading = false;
  }

  /** What binary values are in events: Buffers, or ArrayBuffers. */
  get binaryType() {
    return this.#binaryType;
  }

  set binaryType(type) {
    if (!BINARY_TYPES.includes(type)) {
      throw withCode(new Error(`binaryType can't be ${type}, only ${BINARY_TYPES.join(' or ')}`), 'SOCKLINE_ERR_UNSUPPORTED');
    }
    this.#binaryType = type;
  }

  /** It could not be opened. */
  _failed(error) {
    this.emit('error', error);
    this._closed('transport error', error);
  }

  _closed(reason, description) {
    if (this.readyState === 'closed') return;
    if (reason === 'transport error' && this.readyState === 'open') this.emit('error', description);
    this.readyState = 'closed';
    this.emit('close', reason, description);
  }
}

module.exports = { EngineSocket };
