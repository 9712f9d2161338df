'use strict';
// What carries a client's connection (`socket.conn.transport`): requests and WebSockets themselves are in the engine.

const EventEmitter = require('events');

/** The events of its connection that it emits, too. */
const OF_CONNECTION = new Set(['packet', 'drain', 'close']);

class Transport extends EventEmitter {
  #connection;

  constructor(connection, name) {
    super();
    this.#connection = connection;
    this.name = name;
    this.discarded = false;
    this.readyState = 'open';
    this.on('newListener', (event) => this.#hear(event));
  }

  get protocol() {
    return this.#connection.protocol;
  }

  get sid() {
    return this.#connection.id;
  }

  /** Whether something can be sent: to a client that polls, what is sent waits for its next request. */
  get writable() {
    return this.readyState === 'open';
  }

  /** Ends the connection, as `close` of the connection does. */
  close(callback) {
    if (this.readyState !== 'open') return;
    if (callback) this.once('close', () => callback());
    this.readyState = 'closing';
    this.#connection.close();
  }

  /** What it carries goes on elsewhere, or nowhere. */
  _over() {
    this.discarded = this.#connection.readyState === 'open';
    this.readyState = 'closed';
  }

  #hear(event) {
    if (!OF_CONNECTION.has(event) || this.listenerCount(event) > 0) return;
    this.#connection.on(event, (...args) => {
      const isMine = this.#connection.transport === this;
      if (isMine) this.emit(event, ...(event === 'packet' ? args : []));
    });
  }
}

module.exports = { Transport };
