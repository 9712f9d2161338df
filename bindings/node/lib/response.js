'use strict';

const { Readable } = require('stream');

const { joinHeaders } = require('./headers');

/** What a server has answered to the opening handshake, in the shape of http.IncomingMessage. */
class Response extends Readable {
  #headers;

  /** `rawHeaders` are names and values in turn; `socket` tells the peer's address. */
  constructor(statusCode, statusMessage, rawHeaders, body, socket) {
    super();
    this.statusCode = statusCode;
    this.statusMessage = statusMessage;
    this.httpVersion = '1.1';
    this.rawHeaders = rawHeaders;
    this.socket = socket;
    this.complete = true;
    if (body.length > 0) this.push(body);
    this.push(null);
  }

  /** Names in lower case; values of a name that comes more than once are joined. */
  get headers() {
    this.#headers ??= joinHeaders(this.rawHeaders);
    return this.#headers;
  }

  /** The same as `socket`. */
  get connection() {
    return this.socket;
  }

  /** All of it is there already. */
  _read() {}
}

module.exports = { Response };
