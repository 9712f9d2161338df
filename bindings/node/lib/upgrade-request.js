'use strict';
// The request that a client asks for an upgrade with, in the shape of http.IncomingMessage.

/** What is joined with "; " instead of ", " when it comes more than once. */
const COOKIE = 'cookie';
/** What must not come twice: the first counts, as in Node's http module. */
const SINGLE = new Set(['authorization', 'content-length', 'content-type', 'from', 'host', 'referer', 'user-agent']);

/** What a handler needs of the request; the body of an upgrade is never read. */
class UpgradeRequest {
  #headers;

  constructor(method, url, socket, rawHeaders) {
    this.method = method;
    this.url = url;
    this.httpVersion = '1.1';
    this.socket = socket;
    this.rawHeaders = rawHeaders;
  }

  /** From the engine's record: handle, method, target, address, port, then names and values, between NULs. */
  static fromRecord(record) {
    const [handle, method, url, address, port, ...rawHeaders] = record.split('\0');
    const socket = {
      remoteAddress: address || undefined,
      remotePort: port ? Number(port) : undefined,
      remoteFamily: address ? (address.includes(':') ? 'IPv6' : 'IPv4') : undefined,
    };
    return { handle: Number(handle), request: new UpgradeRequest(method, url, socket, rawHeaders) };
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

function joinHeaders(raw) {
  const headers = {};
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at].toLowerCase();
    const value = raw[at + 1];
    if (!Object.hasOwn(headers, name)) headers[name] = value;
    else if (!SINGLE.has(name)) headers[name] += (name === COOKIE ? '; ' : ', ') + value;
  }
  return headers;
}

module.exports = { UpgradeRequest };
