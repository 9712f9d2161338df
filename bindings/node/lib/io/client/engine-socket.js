'use strict';

const { PACKET_EVENTS, emitPacket } = require('../engine-packets');
const { Emitter } = require('./emitter');

/** What programs use of the Engine.IO client (`manager.engine`); the bytes themselves stay in the engine. */
class EngineSocket extends Emitter {
  #manager;

  constructor(manager, transport) {
    super();
    this.#manager = manager;
    this.id = undefined;
    this.readyState = 'opening';
    this.transport = { name: transport };
    this.upgrading = false;
  }

  on(event, listener) {
    if (PACKET_EVENTS.has(event)) this.#manager.native.setPacketEvents(true);
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
    this.emit('open');
  }

  _packet(extra, content) {
    emitPacket(this, extra, content, 'ping');
  }

  _upgraded() {
    this.transport = { name: 'websocket' };
    this.emit('upgrade', this.transport);
  }

  _closed(reason, description) {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.emit('close', reason, description);
  }
}

module.exports = { EngineSocket };
