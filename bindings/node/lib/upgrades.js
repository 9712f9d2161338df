'use strict';
// A client that has asked for an upgrade, and how it gets its answer: through the engine, which has read the request, or at first
// through Node, if its http module has.

const { STATUS_CODES } = require('http');

const { engine } = require('./engine');
const { calling } = require('./errors');
const { takeSocket } = require('./foreign-socket');
const { flatten } = require('./headers');
const { headOf } = require('./upgrade-check');

/** The WebSocket that has a socket of Node's. */
const TAKEN = Symbol('webSocket');

/** A client of the server's own listener. */
class OwnUpgrade {
  constructor(handle, request) {
    this.handle = handle;
    this.request = request;
  }

  /** Answers with a status instead. */
  refuse(status, message, headers) {
    refuse(this.handle, status, message, headers);
  }

  /** Whether the client still waits. */
  isWaiting() {
    return true;
  }

  /** Makes `socket` the server's end; false if the client has gone. */
  accept(server, socket, protocol, headers) {
    return accept(this.handle, server, socket, this.request.socket, protocol, headers);
  }
}

/** A client that a server of Node's http or https module has let in. */
class ForeignUpgrade {
  #socket;
  #head;

  constructor(request, socket, head) {
    this.request = request;
    this.#socket = socket;
    this.#head = head;
    socket.on('error', destroy);
  }

  get socket() {
    return this.#socket;
  }

  refuse(status, message = STATUS_CODES[status], headers = {}) {
    const socket = this.#socket;
    const lines = { Connection: 'close', 'Content-Type': 'text/html', 'Content-Length': Buffer.byteLength(message), ...headers };
    const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...Object.entries(lines).map(([name, value]) => `${name}: ${value}`)];
    socket.once('finish', socket.destroy);
    socket.end(`${head.join('\r\n')}\r\n\r\n${message}`);
  }

  isWaiting() {
    const socket = this.#socket;
    if (!socket.readable || !socket.writable) {
      socket.destroy();
      return false;
    }
    if (socket[TAKEN]) {
      throw new Error('server.handleUpgrade() was called more than once with the same socket, possibly due to a misconfiguration');
    }
    return true;
  }

  accept(server, socket, protocol, headers) {
    const theirs = this.#socket;
    const gone = () => socket._handle !== 0 && socket.terminate();
    const taken = takeSocket(theirs, this.#head, gone, server.options.closeTimeout);
    theirs[TAKEN] = socket;
    theirs.removeListener('error', destroy);
    theirs.on('error', () => theirs.destroy());
    try {
      const handle = calling(() => engine.adopt(server._handle, taken.descriptor, headOf(this.request), taken.rest));
      // Without a handle the engine has refused it, and told the client why.
      if (handle !== null && accept(handle, server, socket, theirs, protocol, headers)) {
        socket._whenOver = taken.over;
        return true;
      }
      return false;
    } finally {
      taken.given();
      if (!socket._whenOver) taken.over();
    }
  }
}

function accept(handle, server, socket, peer, protocol, headers) {
  try {
    socket._accept(handle, protocol, peer, (key) =>
      calling(() => engine.accept(handle, server._key, key, protocol || undefined, headers)));
    return true;
  } catch (error) {
    if (error.code === 'SOCKLINE_ERR_CLOSED') return false;
    refuse(handle, 500);
    throw error;
  }
}

/** To a client that has gone there is nothing to answer. */
function refuse(handle, status, message = STATUS_CODES[status] ?? '', headers = {}) {
  const lines = flatten({ 'Content-Type': 'text/html', ...headers });
  try {
    calling(() => engine.refuse(handle, status, lines, message));
  } catch (error) {
    if (error.code !== 'SOCKLINE_ERR_CLOSED') throw error;
  }
}

function destroy() {
  this.destroy();
}

module.exports = { ForeignUpgrade, OwnUpgrade };
