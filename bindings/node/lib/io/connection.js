'use strict';
// One client's connection, shared by its sockets: socket.io's Client, and the Engine.IO socket below it.

const EventEmitter = require('events');

const { WANTS } = require('../engine');
const { PACKET_EVENTS, contentOf, emitPacket, isOutgoing } = require('./engine-packets');
const { Transport } = require('./transport');

/** What sending says: more than the high-water mark waits now. */
const OVER_MARK = 1;

/** Reasons that are the end of one namespace only. */
const OF_NAMESPACE = new Set(['server namespace disconnect', 'client namespace disconnect']);

/** What programs read of the Engine.IO socket (`socket.conn`); the bytes themselves stay in the engine. */
class Connection extends EventEmitter {
  /** Packets that leave at the end of the turn. */
  #made = [];
  #transport;
  #willDrain = false;
  #isOverMark = false;
  /** Who is told when what was sent has left. */
  #waiting = [];

  constructor(server, { sessionId, protocol, transport, address }, request) {
    super();
    this.server = server;
    this.id = sessionId;
    this.protocol = protocol;
    this.#transport = transport;
    this.request = request;
    this.remoteAddress = address ?? request.socket?.remoteAddress;
    this.readyState = 'open';
    this.upgrading = false;
    this.upgraded = false;
    this.on('newListener', (event) => {
      if (PACKET_EVENTS.has(event) || event === 'flush') server._want(WANTS.PACKETS);
      if (event === 'drain') server._tellsDrain = true;
    });
  }

  /** Made when it is first asked for: most programs don't. */
  get transport() {
    if (typeof this.#transport === 'string') this.#transport = new Transport(this, this.#transport);
    return this.#transport;
  }

  /** Closes it, whatever namespaces it has joined. What was sent before goes out first; `discard`: over polling, it is lost. */
  close(discard = false) {
    if (this.readyState !== 'open' && !(discard && this.readyState === 'closing')) return;
    this.readyState = 'closing';
    this.server._closeSession(this.id, Boolean(discard));
  }

  /** Sends a message of Engine.IO, between the packets of Socket.IO. `callback(transport)` is called when it has left. */
  send(data, options, callback) {
    if (typeof options === 'function') [callback, options] = [options, undefined];
    if (this.readyState !== 'open') return this;
    const status = this.server._sendMessage(this.id, contentOf(data), options?.compress === false ? false : undefined);
    if (callback) this.#waiting.push(callback);
    this._sent(status === OVER_MARK);
    return this;
  }

  write(data, options, callback) {
    return this.send(data, options, callback);
  }

  _packet(extra, content) {
    const packet = emitPacket(this, extra, content, this.protocol === 3 ? 'ping' : 'pong');
    if (!isOutgoing(extra)) return;
    if (this.#made.length === 0) process.nextTick(() => this.#flushed());
    this.#made.push(packet);
  }

  /** The engine writes what was made in a turn when that ends. */
  #flushed() {
    const packets = this.#made;
    this.#made = [];
    this.emit('flush', packets);
    this.server.emit('flush', this, packets);
  }

  /** One of its sockets has sent something: it is written by the end of the turn, or too much waits, of which the engine tells. */
  _sent(isOverMark) {
    this.#isOverMark ||= isOverMark;
    if (this.#isOverMark || this.#willDrain) return;
    this.#willDrain = true;
    setImmediate(() => {
      this.#willDrain = false;
      if (this.readyState === 'open' && !this.#isOverMark) this.#tellDrained();
    });
  }

  /** It has moved from requests to a WebSocket; each of its sockets is told. */
  _upgraded() {
    const former = this.transport;
    if (former.name === 'websocket') return;
    const transport = new Transport(this, 'websocket');
    this.upgrading = true;
    this.emit('upgrading', transport);
    this.#transport = transport;
    former._over();
    this.upgrading = false;
    this.upgraded = true;
    this.emit('upgrade', transport);
  }

  _drained() {
    this.#isOverMark = false;
    this.#tellDrained();
  }

  #tellDrained() {
    this.emit('drain');
    this.server.emit('drain', this);
    for (const callback of this.#waiting.splice(0)) callback(this.transport);
  }

  _closed(reason, description) {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    if (this.#transport instanceof Transport) this.#transport._over();
    this.emit('close', reason, description);
  }
}

class Client {
  constructor(server, details, request) {
    this.server = server;
    this.id = details.sessionId;
    this.request = request;
    this.sockets = new Map();
    this.nsps = new Map();
    /** Another engine's, if that was bound. */
    this._bound = server._bridged.get(request);
    this.conn = this._bound ?? new Connection(server._engine, details, request);
  }

  /** What an adapter has encoded, for one of its sockets. */
  writeToEngine(encodedPackets, { volatile, compress } = {}) {
    for (const encoded of encodedPackets) this.nsps.get(encoded.packet.nsp)?._write(encoded, { volatile, compress });
  }

  _add(socket) {
    this.sockets.set(socket.id, socket);
    this.nsps.set(socket.nsp.name, socket);
  }

  _remove(socket) {
    this.sockets.delete(socket.id);
    this.nsps.delete(socket.nsp.name);
  }

  /** One of its sockets has gone; all the others too, if the reason is the connection's. */
  _left(reason, description) {
    if (!OF_NAMESPACE.has(reason) && this.sockets.size === 0) this._closed(reason, description);
  }

  _closed(reason, description) {
    this.server._clientGone(this);
    if (!this._bound) this.conn._closed(reason, description);
  }

  _upgraded() {
    if (!this._bound) this.conn._upgraded();
  }

  _packet(extra, content) {
    if (!this._bound) this.conn._packet(extra, content);
  }

  _drained() {
    if (!this._bound) this.conn._drained();
  }

  /** Why its sockets go, if another engine has known it. */
  _reasonFor(reason) {
    return (this._bound && reason === 'transport close' && this._bound._reason) || reason;
  }

  /** Closes the connection. */
  _disconnect() {
    for (const socket of this.sockets.values()) return socket.disconnect(true);
  }
}

module.exports = { Client, Connection };
