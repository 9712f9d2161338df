'use strict';
// The requests that began sessions: what the application has seen of one (`allowRequest`, middlewares) is what it finds at
// the socket later.

const { joinHeaders } = require('../headers');

/** Names a request of Node's http module in the head that the engine sees. */
const MARK = 'x-sockline-request';

/** So many are remembered that nobody may come for any more. */
const REMEMBERED = 4096;

/** The query of a URL, as Engine.IO leaves it on a request. */
function queryOf(url) {
  return Object.fromEntries(new URL(url, 'https://socket.io').searchParams);
}

/** The request that began a session, in the shape of http.IncomingMessage. */
class SessionRequest {
  #headers;
  #query;

  constructor({ method = 'GET', url, rawHeaders, address, port, secure }) {
    this.method = method;
    this.url = url;
    this.httpVersion = '1.1';
    this.rawHeaders = rawHeaders;
    this.socket = {
      remoteAddress: address || undefined,
      remotePort: port ? Number(port) : undefined,
      remoteFamily: address ? (address.includes(':') ? 'IPv6' : 'IPv4') : undefined,
      encrypted: secure,
    };
  }

  /** The same as `socket`. */
  get connection() {
    return this.socket;
  }

  /** Names in lower case; values of a name that comes more than once are joined. */
  get headers() {
    this.#headers ??= joinHeaders(this.rawHeaders);
    return this.#headers;
  }

  /** The query of the URL, as Engine.IO leaves it on a request. */
  get _query() {
    this.#query ??= queryOf(this.url);
    return this.#query;
  }

  set _query(query) {
    this.#query = query;
  }
}

/** By what the engine tells of them: what tells it from others, URL, address, port, TLS, names and values of headers. */
class Requests {
  /** Node's requests by their marks, ours by what tells them from others. */
  #known = new Map();
  /** Ours whose answers get headers that middlewares have set, by the questions that let them in. */
  #unanswered = new Map();
  #last = 0;

  get isEmpty() {
    return this.#known.size === 0;
  }

  /** Remembers a request of Node's, which the engine will see with this URL; returns its mark. */
  mark(request, url = request.url) {
    this.#last += 1;
    const mark = `${MARK} ${this.#last}`;
    this.#remember(mark, request, url);
    return this.#last;
  }

  /** A session is asked for. */
  begin(fields) {
    const [key, request] = this.#read(fields);
    this.#remember(key, request, request.url);
    return request;
  }

  /** The request that these fields speak of. */
  find(fields) {
    return this.#read(fields)[1];
  }

  /** Middlewares have left headers on a request, which a question is about. */
  willBeAnswered(question, request) {
    this.#unanswered.set(question, request);
    if (this.#unanswered.size > REMEMBERED) this.#unanswered.delete(this.#unanswered.keys().next().value);
  }

  /** Of a request that is being answered the engine tells no more than the question that let it in, URL and headers. */
  findAnswered(fields) {
    const request = this.#unanswered.get(fields[0]);
    this.#unanswered.delete(fields[0]);
    return request ?? this.find(fields);
  }

  /** The same for who keeps it. */
  take(fields) {
    const [key, request] = this.#read(fields);
    this.#known.delete(key);
    return request;
  }

  #read([identity, url, address, port, secure, ...rawHeaders]) {
    const at = rawHeaders.findIndex((name, index) => index % 2 === 0 && name === MARK);
    const key = at < 0 ? identity : `${MARK} ${rawHeaders[at + 1]}`;
    if (at >= 0) rawHeaders.splice(at, 2);
    const known = this.#known.get(key);
    if (known?.url === url) return [key, known.request];
    return [key, new SessionRequest({ url, address, port, secure: secure === '1', rawHeaders })];
  }

  #remember(key, request, url) {
    this.#known.delete(key); // to be the youngest
    this.#known.set(key, { request, url });
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value);
  }
}

module.exports = { MARK, Requests, SessionRequest, queryOf };
