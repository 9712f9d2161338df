'use strict';
// WebSockets on connections that Node's http module has accepted.

const { AsyncResource } = require('async_hooks');
const net = require('net');

const { streamOn } = require('../descriptors');
const { addTarget, engine, removeTarget } = require('../engine');
const { calling } = require('../errors');
const { serverLimits } = require('../options');

/** Gives connections to the engine, which serves them as if it had accepted them itself. */
class Adopter {
  #io;
  #key = 0;
  #handle = 0;

  constructor(io) {
    this.#io = io;
    this._resource = new AsyncResource('SocklineSocketIoAdopter');
  }

  /** The connection behind a socket that has asked for a WebSocket by this head; `rest` came behind it. */
  adopt(socket, head, rest) {
    socket.pause();
    const unread = socket.read();
    const all = unread ? Buffer.concat([rest, unread]) : rest;
    const descriptor = socket.encrypted ? undefined : socket._handle?.fd;
    if (descriptor >= 0) this.#take(socket, descriptor, head, all);
    else this.#relay(socket, head, all);
  }

  /** The engine has the connection itself from here on. */
  #take(socket, descriptor, head, rest) {
    try {
      this.#give(descriptor, head, rest);
    } finally {
      socket.destroy();
    }
  }

  /** What Node has to decrypt, or has no descriptor of, goes to the engine over a pair of descriptors. */
  #relay(socket, head, rest) {
    const [near, far] = engine.ioStreamPair();
    try {
      this.#give(far, head, rest);
    } finally {
      engine.ioCloseDescriptor(far);
    }
    const stream = streamOn(near);
    const end = () => {
      socket.destroy();
      stream.destroy();
    };
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.on('error', end).on('close', end).pipe(stream);
    stream.on('error', end).on('close', end).pipe(socket);
  }

  /** A stream to the engine, whose side of it asks for a WebSocket by this head. */
  connect(head) {
    const [near, far] = engine.ioStreamPair();
    try {
      this.#give(far, head, Buffer.alloc(0));
    } finally {
      engine.ioCloseDescriptor(far);
    }
    return streamOn(near);
  }

  #give(descriptor, head, rest) {
    if (this.#handle === 0) this.#listen();
    calling(() => engine.ioAdopt(this.#handle, descriptor, head, rest));
  }

  /** Nowhere; it is there only since the first connection, so that it does not keep the process alive before. */
  #listen() {
    this.#key = addTarget(this);
    const description = {
      key: this.#key,
      host: '',
      port: 0,
      nowhere: true,
      backlog: 0,
      threads: 0,
      endpoint: '/',
      maxConnections: 0,
      maxConnectionsPerAddress: 0,
      maxRequests: 0,
      origins: [],
      io: [this.#io._handle],
      limits: serverLimits({}),
    };
    this.#handle = calling(() => engine.listen(description, undefined));
  }

  /** Takes no connection any more. */
  close() {
    if (this.#handle !== 0) engine.closeServer(this.#handle);
    this.#handle = 0;
  }

  /** The only event is its end. */
  _handleEvent() {
    removeTarget(this.#key);
  }
}

module.exports = { Adopter };
