'use strict';

const EventEmitter = require('events');

const { flatten } = require('../headers');

/** What the engine writes itself. */
const OF_ENGINE = new Set(['content-length', 'transfer-encoding']);

/** What middlewares use of http.ServerResponse, for a request that has come at the engine's own port. */
class PortResponse extends EventEmitter {
  statusCode = 200;
  statusMessage = undefined;
  headersSent = false;
  writableEnded = false;
  #headers = new Map();
  #body = [];
  #answer;

  /** `answer(status, headers, body)` is called if a middleware answers itself; headers are names and values in turn. */
  constructor(request, answer) {
    super();
    this.req = request;
    this.#answer = answer;
  }

  get finished() {
    return this.writableEnded;
  }

  /** Of express-session: whether the head was written. */
  get _header() {
    return this.headersSent;
  }

  /** As an object, under the names that they were set by. */
  get headers() {
    return Object.fromEntries(this.#headers.values());
  }

  setHeader(name, value) {
    this.#headers.set(String(name).toLowerCase(), [name, value]);
    return this;
  }

  appendHeader(name, value) {
    const before = this.getHeader(name);
    return this.setHeader(name, before === undefined ? value : [before, value].flat());
  }

  getHeader(name) {
    return this.#headers.get(String(name).toLowerCase())?.[1];
  }

  getHeaders() {
    return Object.fromEntries([...this.#headers].map(([name, [, value]]) => [name, value]));
  }

  getHeaderNames() {
    return [...this.#headers.keys()];
  }

  hasHeader(name) {
    return this.#headers.has(String(name).toLowerCase());
  }

  removeHeader(name) {
    this.#headers.delete(String(name).toLowerCase());
  }

  /** Some middlewares add their headers only when this is called. */
  writeHead(status = this.statusCode, reason, headers = typeof reason === 'string' ? undefined : reason) {
    this.statusCode = status;
    const lines = Array.isArray(headers) ? headers.flat() : Object.entries(headers ?? {}).flat();
    for (let at = 0; at + 1 < lines.length; at += 2) this.setHeader(lines[at], lines[at + 1]);
    this.headersSent = true;
    return this;
  }

  flushHeaders() {
    this._implicitHeader();
  }

  _implicitHeader() {
    if (!this.headersSent) this.writeHead(this.statusCode);
  }

  write(chunk, encoding, callback = typeof encoding === 'function' ? encoding : undefined) {
    this._implicitHeader();
    this.#body.push(typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : Buffer.from(chunk));
    if (callback) process.nextTick(callback);
    return true;
  }

  /** A middleware has answered itself. */
  end(chunk, encoding, callback) {
    if (this.writableEnded) return this;
    if (typeof chunk === 'function') [chunk, callback] = [undefined, chunk];
    if (typeof encoding === 'function') [encoding, callback] = [undefined, encoding];
    if (chunk !== undefined && chunk !== null) this.write(chunk, encoding);
    this._implicitHeader();
    this.writableEnded = true;
    if (callback) this.once('finish', callback);
    const own = [...this.#headers].filter(([name]) => !OF_ENGINE.has(name)).map(([, header]) => header);
    this.#answer?.(this.statusCode, flatten(Object.fromEntries(own)), Buffer.concat(this.#body));
    process.nextTick(() => {
      this.emit('finish');
      this.emit('close');
    });
    return this;
  }

  /** The engine answers: middlewares that wait for the end of the response do what they do then. */
  _answered() {
    this.#answer = null;
    this.end();
  }
}

module.exports = { PortResponse };
