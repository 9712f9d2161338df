'use strict';

const EventEmitter = require('events');

const { collect, flatten } = require('./headers');

const PORTS = { 'ws:': 80, 'wss:': 443 };

/** What a client asks a server for, with what programs and agents use of http.ClientRequest. */
class Request extends EventEmitter {
  #headers = new Map();
  #end;
  #send = null;
  #isEnded = false;

  /** `rawHeaders` are names and values in turn; `giveUp(error)` gives the attempt up. */
  constructor(url, rawHeaders, giveUp) {
    super();
    const { protocol, hostname, host, port, pathname, search } = new URL(url);
    this.method = 'GET';
    this.protocol = protocol === 'wss:' ? 'https:' : 'http:';
    this.host = hostname;
    this.port = port || String(PORTS[protocol] ?? '');
    this.path = pathname + search;
    this.destroyed = false;
    this.#end = giveUp;
    for (const [name, value] of Object.entries(collect(rawHeaders))) this.setHeader(name, value);
    if (host && !this.hasHeader('host')) this.#headers.set('host', { name: 'Host', value: host, isImplied: true });
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

  /** Names and values in turn, without what the engine writes itself. */
  get rawHeaders() {
    return [...this.#headers.values()].flatMap(({ name, value, isImplied }) => (isImplied ? [] : flatten({ [name]: value })));
  }

  /** Sends it, where the program is to say when: once. */
  end() {
    this.#isEnded = true;
    this.#send?.();
    return this;
  }

  /** Resolves when `end` was called. */
  _whenEnded() {
    return new Promise((resolve) => {
      this.#send = resolve;
      if (this.#isEnded) resolve();
    });
  }

  /** What it is sent over, from an agent. */
  onSocket(socket, error) {
    if (error) {
      this.emit('error', error);
      return;
    }
    this.socket = socket;
    this.emit('socket', socket);
  }

  /** Gives the attempt up. */
  destroy(error) {
    this.destroyed = true;
    this.#end(error);
    return this;
  }

  abort() {
    this.destroy();
  }
}

module.exports = { Request };
