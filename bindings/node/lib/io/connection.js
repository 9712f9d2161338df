'use strict';
// One client's connection, shared by its sockets: socket.io's Client, and the Engine.IO socket below it.

const EventEmitter = require('events');

const { WANTS } = require('../engine');
const { PACKET_EVENTS, emitPacket } = require('./engine-packets');

/** Reasons that are the end of one namespace only. */
const OF_NAMESPACE = new Set(['server namespace disconnect', 'client namespace disconnect']);

/** What programs read of the Engine.IO socket (`socket.conn`); the bytes themselves stay in the engine. */
class Connection extends EventEmitter {
  constructor(server, { sessionId, protocol, transport, address }, request) {
    super();
    this.server = server;
    this.id = sessionId;
    this.protocol = protocol;
    this.transport = { name: transport };
    this.request = request;
    this.remoteAddress = address ?? request.socket?.remoteAddress;
    this.readyState = 'open';
    this.upgraded = false;
    this.on('newListener', (event) => {
      if (PACKET_EVENTS.has(event)) server._want(WANTS.PACKETS);
    });
  }

  /** Closes it, whatever namespaces it has joined. What was sent before goes out first; `discard`: over polling, it is lost. */
  close(discard = false) {
    if (this.readyState !== 'open' && !(discard && this.readyState === 'closing')) return;
    this.readyState = 'closing';
    this.server._closeSession(this.id, Boolean(discard));
  }

  _packet(extra, content) {
    emitPacket(this, extra, content, this.protocol === 3 ? 'ping' : 'pong');
  }

  /** It has moved from requests to a WebSocket; each of its sockets is told. */
  _upgraded() {
    if (this.transport.name === 'websocket') return;
    this.transport = { name: 'websocket' };
    this.upgraded = true;
    this.emit('upgrade', this.transport);
  }

  _drained() {
    this.emit('drain');
  }

  _closed(reason) {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.emit('close', reason);
  }
}

class Client {
  constructor(server, details, request) {
    this.server = server;
    this.id = details.sessionId;
    this.request = request;
    this.sockets = new Map();
    this.nsps = new Map();
    this.conn = new Connection(server.engine, details, request);
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
  _left(reason) {
    if (!OF_NAMESPACE.has(reason) && this.sockets.size === 0) this._closed(reason);
  }

  _closed(reason) {
    this.server._clientGone(this);
    this.conn._closed(reason);
  }

  /** Closes the connection. */
  _disconnect() {
    for (const socket of this.sockets.values()) return socket.disconnect(true);
  }
}

module.exports = { Client, Connection };
