'use strict';
// The request that a client asks for an upgrade with, in the shape of http.IncomingMessage.

const { joinHeaders } = require('./headers');
const { Peer } = require('./peer');

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
    const socket = new Peer(Number(handle), address, port);
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

module.exports = { UpgradeRequest };
