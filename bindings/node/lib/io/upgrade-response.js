'use strict';

const EventEmitter = require('events');

/** Where middlewares leave headers for the answer to an upgrade, under the names of http.ServerResponse. */
class UpgradeResponse extends EventEmitter {
  headers = {};
  #isAnswered = false;
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

  /** Called by express-session. The head is written already. */
  _implicitHeader() {}

  /** A middleware has answered itself: an upgrade can't be. */
  end() {
    this.emit('finish');
    if (!this.#isAnswered) this.#socket.destroy();
  }

  /** The engine answers: middlewares that wait for the end of the response do what they do then. */
  _answered() {
    this.#isAnswered = true;
    this.end();
  }
}

module.exports = { UpgradeResponse };
