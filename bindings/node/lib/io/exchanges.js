'use strict';
// Requests that Node's http module has read, on their way through the engine.

const { engine } = require('../engine');
const { Adopter } = require('./adopter');
const { MARK, queryOf } = require('./requests');
const { UpgradeResponse } = require('./upgrade-response');

const BAD_REQUEST = 3; // Engine.IO's code
const REFUSED_UPGRADE =
  'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\nContent-Length: 11\r\n\r\nBad request';
/** Where a request has the headers that middlewares add to the answer to its upgrade. */
const ADDED_HEADERS = Symbol('addedHeaders');
const TOO_LARGE = 413;

class Exchanges {
  #server;
  #io;
  /** Responses that are owed, by the numbers of the engine's exchanges. */
  #owed = new Map();
  #adopter;
  #last = 0;

  constructor(server, io) {
    this.#server = server;
    this.#io = io;
    this.#adopter = new Adopter(io);
  }

  handleRequest(request, response) {
    request.res = response;
    request._query ??= queryOf(request.url);
    this.#server._applyMiddlewares(request, response, (error) => {
      if (error) this.#middlewareFailed(request, response);
      else this.#readBody(request, response);
    });
  }

  handleUpgrade(request, socket, head) {
    const response = new UpgradeResponse(request, socket);
    request._query ??= queryOf(request.url);
    this.#server._applyMiddlewares(request, response, (error) => {
      if (error) {
        this.#tellOfFailure(request);
        socket.end(REFUSED_UPGRADE);
        return;
      }
      response.writeHead(); // some middlewares add their headers only then
      request[ADDED_HEADERS] = response.headers;
      this.#adopter.adopt(socket, this.#head(request), Buffer.from(head));
    });
  }

  /** A stream to the engine, which begins with this head. */
  connect(head) {
    return this.#adopter.connect(head);
  }

  /** Takes no connection any more. */
  close() {
    this.#adopter.close();
  }

  #tellOfFailure(req) {
    const context = { name: 'MIDDLEWARE_FAILURE' };
    this.#server.emit('connection_error', { req, code: BAD_REQUEST, message: 'Bad request', context });
  }

  #middlewareFailed(req, response) {
    this.#tellOfFailure(req);
    if (response.headersSent) {
      if (!response.writableEnded) response.end();
      return;
    }
    response.writeHead(400, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ code: BAD_REQUEST, message: 'Bad request' }));
  }

  /** Reads no more than the server takes. */
  #readBody(request, response) {
    const chunks = [];
    let length = 0;
    request.on('data', (chunk) => {
      length += chunk.length;
      if (length <= this.#server.opts.maxHttpBufferSize) chunks.push(chunk);
      else if (!response.headersSent) response.writeHead(TOO_LARGE, response.stream ? {} : { Connection: 'close' }).end();
    });
    request.on('end', () => {
      if (!response.headersSent && !response.destroyed) this.#hand(request, response, Buffer.concat(chunks));
    });
  }

  #hand(request, response, body) {
    const { socket } = request;
    const number = ++this.#last;
    this.#owed.set(number, { response, begins: request._query?.sid === undefined });
    const exchange = engine.ioRequest(this.#io._handle, this.#io._key, {
      number,
      head: this.#head(request),
      body,
      address: socket.remoteAddress ?? '',
      port: socket.remotePort ?? 0,
      secure: Boolean(socket.encrypted),
    });
    response.on('close', () => {
      if (this.#owed.delete(number)) engine.ioCut(this.#io._handle, exchange);
    });
  }

  /** As it was on the wire, with the mark. */
  #head(request) {
    const { method, url, rawHeaders } = request;
    const lines = [`${method} ${url} HTTP/1.1`];
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at].toLowerCase();
      if (name === ':authority' && !request.headers.host) lines.push(`host: ${rawHeaders[at + 1]}`);
      else if (name !== MARK && name[0] !== ':') lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`); // of HTTP/2
    }
    lines.push(`${MARK}: ${this.#server._requests.mark(request)}`, '', '');
    return Buffer.from(lines.join('\r\n'), 'latin1');
  }

  /** The record: the exchange (8 bytes), the status (2), the length of the head (4), the head, the body. */
  answered(data) {
    const id = data.readDoubleLE(0);
    const { response, begins } = this.#owed.get(id) ?? {};
    if (!response) return;
    this.#owed.delete(id);
    const body = 14 + data.readUInt32LE(10);
    const head = data.latin1Slice(14, body);
    const lines = head === '' ? [] : head.split('\0');
    for (let at = 0; at + 1 < lines.length; at += 2) addHeader(response, lines[at], lines[at + 1]);
    const [status, content] = [data.readUInt16LE(8), Buffer.from(data.subarray(body))];
    const send = () => response.writeHead(status).end(content);
    // Who hears of a session hears of it before its client does: the event comes later in this turn.
    if (begins) process.nextTick(send);
    else send();
  }
}

/** Beside those of the same name that middlewares have set. HTTP/2 has no such connections as are kept alive or not. */
function addHeader(response, name, value) {
  if (response.stream && name.toLowerCase() === 'connection') return;
  const before = response.getHeader(name);
  response.setHeader(name, before === undefined ? value : [before, value].flat());
}

module.exports = { ADDED_HEADERS, Exchanges };
