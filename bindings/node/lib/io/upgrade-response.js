'use strict';

const EventEmitter = require('events');

/** Where middlewares leave headers for the answer to an upgrade, under the names of http.ServerResponse. */
class UpgradeResponse extends EventEmitter {
  headers = {};
  #socket;

  constructor(request, socket) {
    super();
    this.req = request;
    this.#socket = socket;
    socket.once('close', () => this.emit('close'));
  }

  setHeader(name, value) {
    this.headers[name] = value;
  }

  getHeader(name) {
    return this.headers[name];
  }

  removeHeader(name) {
    delete this.headers[name];
  }

  write() {}

  writeHead() {}

  /** A middleware has answered itself: an upgrade can't be. */
  end() {
    this.emit('finish');
    this.#socket.destroy();
  }
}

module.exports = { UpgradeResponse };
