'use strict';

const { collect, flatten } = require('./headers');

const PORTS = { 'ws:': '80', 'wss:': '443' };

/** What a client asks a server for, with what programs use of http.ClientRequest. */
class Request {
  #headers = new Map();
  #end;

  /** `rawHeaders` are names and values in turn; `end(error)` gives the attempt up. */
  constructor(url, rawHeaders, end) {
    const { protocol, hostname, port, pathname, search } = new URL(url);
    this.method = 'GET';
    this.protocol = protocol === 'wss:' ? 'https:' : 'http:';
    this.host = hostname;
    this.port = port || PORTS[protocol];
    this.path = pathname + search;
    this.#end = end;
    for (const [name, value] of Object.entries(collect(rawHeaders))) this.setHeader(name, value);
  }

  getHeader(name) {
    return this.#headers.get(name.toLowerCase())?.value;
  }

  hasHeader(name) {
    return this.#headers.has(name.toLowerCase());
  }

  setHeader(name, value) {
    this.#headers.set(name.toLowerCase(), { name, value });
    return this;
  }

  removeHeader(name) {
    this.#headers.delete(name.toLowerCase());
  }

  getHeaderNames() {
    return [...this.#headers.keys()];
  }

  /** By their names in lower case. */
  getHeaders() {
    return Object.fromEntries([...this.#headers].map(([name, { value }]) => [name, value]));
  }

  /** Names and values in turn. */
  get rawHeaders() {
    return [...this.#headers.values()].flatMap(({ name, value }) => flatten({ [name]: value }));
  }

  /** Gives the attempt up. */
  destroy(error) {
    this.#end(error);
    return this;
  }

  abort() {
    this.#end();
  }
}

module.exports = { Request };
