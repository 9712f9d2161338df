'use strict';

const { withCode } = require('../../errors');
const { PACKET_EVENTS, emitPacket, isOutgoing } = require('../engine-packets');
const { Emitter } = require('./emitter');

/** Those that come of packets. The first listener costs a copy of each from then on. */
const OF_PACKETS = new Set([...PACKET_EVENTS, 'ping', 'pong', 'flush', 'drain']);
/** How soon it is looked again whether all has left. */
const SOON = 20; // ms
const BINARY_TYPE = 'nodebuffer';

/** What programs use of the Engine.IO client (`manager.engine`); the bytes themselves stay in the engine. */
class EngineSocket extends Emitter {
  #manager;
  /** Packets were made that have yet to leave, or to be told of. */
  #isFlushing = false;
  #isDraining = false;

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

  _opened(id, transport) {
    this.id = id;
    this.transport = { name: transport };
    this.readyState = 'open';
    this.emit('handshake', { sid: id });
    this.emit('open');
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

  /** Binary values are Buffers. */
  get binaryType() {
    return BINARY_TYPE;
  }

  set binaryType(type) {
    if (type === BINARY_TYPE) return;
    throw withCode(new Error(`binaryType can only be ${BINARY_TYPE}: binary values are Buffers`), 'SOCKLINE_ERR_UNSUPPORTED');
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
