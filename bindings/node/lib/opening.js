'use strict';
// A client's way to an open connection: its request, those that redirects ask for, and what is told of the answers.

const { MAX_REDIRECTS, describeClient, parseUrl, withUserinfo } = require('./client');
const { checkSignal, watchSignal } = require('./aborting');
const { addTarget, engine, removeTarget } = require('./engine');
const { calling, withCode } = require('./errors');
const { lendSocket } = require('./foreign-socket');
const { Preparing } = require('./preparing');
const { Request } = require('./request');
const { Response } = require('./response');
const { wayOf } = require('./way');

const CLOSING = 2;
const ABNORMAL = 1006;
const EMPTY = Buffer.alloc(0);

/** What doesn't go to another host, or from TLS to without. */
const LUGGAGE = new Set(['authorization', 'cookie']);

/** The server's answer from the engine's record, which `answered` in `listener.rs` writes. */
function readAnswer(status, data) {
  const head = data.subarray(4, 4 + data.readUInt32LE(0));
  const [[reason, ...rawHeaders], [, ...sentHeaders]] = head.latin1Slice().split('\n').map((part) => part.split('\0'));
  return { status, reason, rawHeaders, sentHeaders, body: Buffer.from(data.subarray(4 + head.length)) };
}

class Opening {
  #socket;
  #protocols;
  #options;
  #origin;
  #url;
  #redirects = 0;
  #next = null; // the URL that a redirect names
  #told = null; // the response that somebody else takes care of
  #unwatch = null;
  #lent = null; // what Node has connected for this attempt
  #cause = null; // why that has failed

  constructor(socket, address, protocols, options) {
    if (typeof protocols === 'object' && protocols !== null && !Array.isArray(protocols)) {
      [protocols, options] = [undefined, protocols];
    }
    this.#socket = socket;
    this.#options = options ?? {};
    this.#protocols = [protocols === undefined ? (this.#options.protocols ?? []) : protocols].flat();
    checkSignal(this.#options.signal);
    this.#origin = parseUrl(address);
    this.#options = withUserinfo(this.#options, this.#origin);
    this.#begin(this.#describe(this.#origin, this.#options));
    socket._spaceEvents(this.#options);
    if (!this.#options.signal) return;
    socket._whenOver = () => this.#over();
    this.#unwatch = watchSignal(socket, this.#options.signal);
  }

  /** Whether messages are taken before there is a connection. */
  get keepsMessages() {
    return this.#options.reconnect?.outbox > 0;
  }

  /** The socket of Node's that the connection is over, if it is. */
  get peer() {
    return this.#lent?.socket;
  }

  /** The reason, if Node knows it: of a connection of its own, the engine only sees the end. */
  reasonFor(error) {
    return this.#cause ?? error;
  }

  /** Why the server's answer is not what was asked for, beyond the engine's judgement: browsers and ws insist on an offered subprotocol. */
  faultOf(protocol) {
    if (protocol !== '' || this.#protocols.length === 0) return null;
    return withCode(new Error('Server sent no subprotocol'), 'SOCKLINE_ERR_HANDSHAKE_FAILED');
  }

  /** An attempt: where to, by which options, which way, and what the engine is told. */
  #describe(url, options) {
    const way = wayOf(url, options);
    const description = describeClient(way.make ? plainUrl(url) : url, this.#protocols, way.options);
    if (way.make) description.headers = withHost(description.headers, url);
    this.#url = url.href;
    return { url, options, way, description };
  }

  /** `request` is the one that is asked with, if there is one already. */
  #begin({ url, options, way, description }, request) {
    const socket = this.#socket;
    socket._url = this.#url;
    if (!way.make && !way.lookup && !way.finishRequest) return this.#connect(description);
    const asked = request ?? new Request(this.#url, description.headers, (error) => socket._giveUp(error));
    const preparing = new Preparing(way, asked);
    socket._over = () => {
      preparing.end();
      socket._isOver(ABNORMAL, EMPTY);
    };
    const limit = description.limits.handshakeTimeout;
    preparing.begin({ url, given: options, limit, webSocket: socket }, (error, found) => {
      if (error) return this.#failed(error);
      try {
        this.#goOn({ ...description, headers: asked.rawHeaders }, found);
      } catch (unusable) {
        this.#failed(unusable);
      }
    });
    return undefined;
  }

  /** What had to come before is done. */
  #goOn({ limits, ...description }, { socket, addresses, left }) {
    const plan = { ...description, limits: { ...limits, handshakeTimeout: left } };
    if (socket === undefined) return this.#connect({ ...plan, addresses });
    const lent = { socket };
    const gone = () => this.#lent === lent && engine.terminate(this.#socket._handle);
    this.#cause = null;
    socket.on('error', (error) => (this.#cause ??= error));
    const { descriptor, given, over } = lendSocket(socket, gone, limits.closeTimeout);
    this.#lent = Object.assign(lent, { over });
    this.#socket._whenOver = () => this.#over();
    try {
      this.#connect({ ...plan, descriptor });
    } finally {
      given();
    }
    this.#socket._peer = socket;
    return undefined;
  }

  #connect({ context, ...description }) {
    const socket = this.#socket;
    socket._key = addTarget(socket);
    try {
      socket._handle = calling(() => engine.connect({ key: socket._key, keepRequest: true, ...description }, context));
      socket._over = null;
    } catch (error) {
      removeTarget(socket._key);
      throw error;
    }
  }

  /** There will be no connection, of which the engine knows nothing. */
  #failed(error) {
    const socket = this.#socket;
    const over = socket._over;
    socket._readyState = CLOSING;
    try {
      socket.emit('error', error);
    } finally {
      over();
    }
  }

  #over() {
    this.#unwatch?.();
    this.#takeBack();
  }

  #takeBack() {
    const lent = this.#lent;
    this.#lent = null;
    if (this.#socket._wasOpen) lent?.over();
    else lent?.socket.destroy(); // nothing is on its way to the server
  }

  /** What the server has answered instead of upgrading: true if it is no error, or somebody else's business. */
  judge({ status, reason, rawHeaders, sentHeaders, body }) {
    const response = new Response(status, reason, rawHeaders, body, this.#socket._socket);
    const { location } = response.headers;
    if (this.#options.followRedirects && location && status >= 300 && status < 400) {
      this.#next = this.#redirected(location);
      return true;
    }
    const request = new Request(this.#url, sentHeaders, (error) => {
      if (error) this.#socket._giveUp(error);
      else response.resume(); // the answer is there: reading it is all that is left
    });
    response.req = request;
    if (!this.#socket.emit('unexpected-response', request, response)) return false;
    this.#told = response;
    return true;
  }

  /** How many redirects were followed. */
  get redirects() {
    return this.#redirects;
  }

  /** The request as it was sent. */
  sent(headers) {
    return new Request(this.#url, headers, (error) => this.#socket._giveUp(error));
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
    this.#takeBack();
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
    socket._over = over;
    try {
      const attempt = this.#describe(url, trusted ? this.#options : this.#withoutLuggage(url));
      const request = new Request(this.#url, attempt.description.headers, (error) => socket._giveUp(error));
      socket._url = url.href;
      socket.emit('redirect', url.href, request);
      if (socket._givenUp) return over();
      attempt.description.headers = request.rawHeaders;
      this.#begin(attempt, request);
    } catch (error) {
      this.#failed(error);
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

/** Where Node does TLS the engine sees none of it; and it is given the connection, wherever that goes. */
function plainUrl(url) {
  if (url.protocol === 'ws+unix:') return new URL(`ws://localhost${url.pathname.split(':')[1] ?? '/'}${url.search}`);
  return new URL(url.href.replace(/^wss:/, 'ws:'));
}

/** The header Host is about the URL that was given. */
function withHost(headers, { host }) {
  const isThere = headers.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'host');
  return isThere || !host ? headers : [...headers, 'Host', host];
}

module.exports = { Opening, readAnswer };
