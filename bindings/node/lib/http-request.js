'use strict';
// Requests that ask for no upgrade, in the shape of http.IncomingMessage, and what a server's option `request` makes of them.

const { engine } = require('./engine');
const { flatten, joinHeaders } = require('./headers');

/** What the engine writes itself. */
const FRAMING = new Set(['content-length', 'transfer-encoding']);

/** A request with all of its body. */
class HttpRequest {
  #headers;

  constructor(method, url, socket, rawHeaders, body) {
    this.method = method;
    this.url = url;
    this.httpVersion = '1.1';
    this.socket = socket;
    this.rawHeaders = rawHeaders;
    this.body = body;
  }

  /** From the engine's record (src/requests.rs). */
  static fromRecord(record) {
    const start = 4 + record.readUInt32LE(0);
    const [exchange, secure, method, url, address, port, ...rawHeaders] = record.latin1Slice(4, start).split('\0');
    const socket = {
      remoteAddress: address || undefined,
      remotePort: port ? Number(port) : undefined,
      remoteFamily: address ? (address.includes(':') ? 'IPv6' : 'IPv4') : undefined,
      encrypted: secure === '1',
    };
    const request = new HttpRequest(method, url, socket, rawHeaders, record.subarray(start));
    return { exchange: Number(exchange), request };
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
}

/** Has `handler` answer now, or by a promise. Its failure is answered with 500, and is an uncaught exception. */
function answer(handler, { exchange, request }) {
  try {
    const answered = handler(request);
    if (typeof answered?.then === 'function') respondLater(exchange, answered);
    else respond(exchange, answered);
  } catch (error) {
    engine.respond(exchange, 500, [], Buffer.alloc(0));
    throw error;
  }
}

async function respondLater(exchange, promise) {
  try {
    await respond(exchange, await promise);
  } catch (error) {
    engine.respond(exchange, 500, [], Buffer.alloc(0));
    throw error;
  }
}

/** Nothing leaves the request to the server. */
function respond(exchange, answered) {
  if (answered === undefined || answered === null) return engine.passRequest(exchange);
  if (typeof answered.arrayBuffer === 'function') return respondAsFetch(exchange, answered);
  const { status = 200, headers, body = '' } = answered;
  return engine.respond(exchange, checkStatus(status), ownHeaders(flatten(headers)), bytes(body));
}

/** A Response of the Fetch standard. */
async function respondAsFetch(exchange, response) {
  try {
    const body = Buffer.from(await response.arrayBuffer());
    engine.respond(exchange, checkStatus(response.status), ownHeaders([...response.headers].flat()), body);
  } catch (error) {
    engine.respond(exchange, 500, [], Buffer.alloc(0));
    throw error;
  }
}

function checkStatus(status) {
  if (Number.isInteger(status) && status >= 200 && status <= 999) return status;
  throw new RangeError(`the status of a response must be 200 to 999, not ${status}`);
}

function bytes(body) {
  if (typeof body === 'string') return Buffer.from(body);
  if (ArrayBuffer.isView(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (body instanceof ArrayBuffer) return Buffer.from(body);
  throw new TypeError('the body of a response must be a string, an ArrayBuffer or a view on one');
}

function ownHeaders(lines) {
  return lines.filter((_, at) => !FRAMING.has(lines[at - (at % 2)].toLowerCase()));
}

module.exports = { HttpRequest, answer };
