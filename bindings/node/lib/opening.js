'use strict';
// A client's way to an open connection: its request, those that redirects ask for, and what is told of the answers.

const { MAX_REDIRECTS, describeClient, parseUrl } = require('./client');
const { checkSignal, watchSignal } = require('./aborting');
const { addTarget, engine, removeTarget } = require('./engine');
const { calling, withCode } = require('./errors');
const { Request } = require('./request');
const { Response } = require('./response');

/** What doesn't go to another host, or from TLS to without. */
const LUGGAGE = new Set(['authorization', 'cookie']);

/** The server's answer from the engine's record: the length of its head, the head, the body. */
function readAnswer(status, data) {
  const head = data.subarray(4, 4 + data.readUInt32LE(0));
  const [reason, ...rawHeaders] = head.latin1Slice().split('\0');
  return { status, reason, rawHeaders, body: Buffer.from(data.subarray(4 + head.length)) };
}

class Opening {
  #socket;
  #protocols;
  #options;
  #origin;
  #url;
  #headers = [];
  #redirects = 0;
  #next = null; // the URL that a redirect names
  #told = null; // the response that somebody else takes care of

  constructor(socket, address, protocols, options) {
    if (typeof protocols === 'object' && protocols !== null && !Array.isArray(protocols)) {
      [protocols, options] = [undefined, protocols];
    }
    this.#socket = socket;
    this.#options = options ?? {};
    this.#protocols = [protocols ?? this.#options.protocols ?? []].flat();
    checkSignal(this.#options.signal);
    this.#origin = parseUrl(address);
    const description = this.#describe(this.#origin, this.#options);
    this.#connect(description);
    socket._spaceEvents(this.#options);
    if (this.#options.signal) socket._whenOver = watchSignal(socket, this.#options.signal);
  }

  /** Whether messages are taken before there is a connection. */
  get keepsMessages() {
    return this.#options.reconnect?.outbox > 0;
  }

  #describe(url, options) {
    const description = describeClient(url, this.#protocols, options);
    this.#url = url.href;
    this.#headers = description.headers;
    return description;
  }

  #connect({ context, ...description }) {
    const socket = this.#socket;
    socket._url = this.#url;
    socket._key = addTarget(socket);
    try {
      socket._handle = calling(() => engine.connect({ key: socket._key, ...description }, context));
      socket._over = null;
    } catch (error) {
      removeTarget(socket._key);
      throw error;
    }
  }

  /** What the server has answered instead of upgrading: true if it is no error, or somebody else's business. */
  judge({ status, reason, rawHeaders, body }) {
    const response = new Response(status, reason, rawHeaders, body, this.#socket._socket);
    const { location } = response.headers;
    if (this.#options.followRedirects && location && status >= 300 && status < 400) {
      this.#next = this.#redirected(location);
      return true;
    }
    const request = new Request(this.#url, this.#headers, (error) => this.#socket._giveUp(error));
    if (!this.#socket.emit('unexpected-response', request, response)) return false;
    this.#told = response;
    return true;
  }

  #redirected(location) {
    this.#redirects += 1;
    if (this.#redirects > (this.#options.maxRedirects ?? MAX_REDIRECTS)) {
      throw withCode(new Error('Maximum redirects exceeded'), 'SOCKLINE_ERR_REDIRECT');
    }
    let url;
    try {
      url = new URL(location, this.#url.replace(/^ws/, 'http'));
    } catch {
      throw new SyntaxError(`Invalid URL: ${location}`);
    }
    url = parseUrl(url);
    if (this.#url.startsWith('wss:') && url.protocol === 'ws:') {
      const text = `${this.#url} redirects to ${url.href}, which has no TLS`;
      throw withCode(new Error(text), 'SOCKLINE_ERR_REDIRECT');
    }
    return url;
  }

  /** The attempt has ended; true if it is not over with that. `over` is called when it is, then. */
  goesOn(over) {
    if (this.#next !== null) {
      const url = this.#next;
      this.#next = null;
      this.#follow(url, over);
      return true;
    }
    if (this.#told === null || this.#told.closed) return false;
    this.#told.once('close', over);
    return true;
  }

  #follow(url, over) {
    const socket = this.#socket;
    const trusted = socket.listenerCount('redirect') > 0;
    try {
      const description = this.#describe(url, trusted ? this.#options : this.#withoutLuggage(url));
      const request = new Request(url, description.headers, (error) => socket._giveUp(error));
      socket._url = url.href;
      socket.emit('redirect', url.href, request);
      if (socket._givenUp) return over();
      this.#headers = request.rawHeaders;
      this.#connect({ ...description, headers: request.rawHeaders });
    } catch (error) {
      socket._readyState = 2; // CLOSING
      socket.emit('error', error);
      over();
    }
  }

  #withoutLuggage(url) {
    const isSameHost = url.host === this.#origin.host;
    if (isSameHost && url.protocol === this.#origin.protocol) return this.#options;
    const headers = Object.entries(this.#options.headers ?? {}).filter(([name]) => {
      const header = name.toLowerCase();
      return !LUGGAGE.has(header) && (isSameHost || header !== 'host');
    });
    return { ...this.#options, headers: Object.fromEntries(headers), auth: undefined };
  }
}

module.exports = { Opening, readAnswer };
