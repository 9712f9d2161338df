'use strict';
// WebSocket as in browsers: the interface of the WHATWG's standard (https://websockets.spec.whatwg.org, §3).

const { FastBuffer } = require('../engine');
const { TOKEN } = require('../client');
const { syntaxError, urlRecord } = require('./address');
const { Connection, CONNECTING, OPEN, CLOSING, CLOSED } = require('./connection');
const { CloseEvent, MessageEvent, illegalUnless, trusted } = require('./events');
const { Handlers } = require('./handlers');
const { Life } = require('./life');
const settings = require('./settings');
const { bufferSource, clampedShort, domString, makeInterface, needArguments, stringOrSequence, usvString } = require('./webidl');

const BINARY_TYPES = ['blob', 'arraybuffer'];
const STATES = { CONNECTING, OPEN, CLOSING, CLOSED };
const MAX_REASON = 123; // bytes; RFC 6455 §5.5.1
const NORMAL = 1000;
const CONSTRUCT = "Failed to construct 'WebSocket'";

class WebSocket extends EventTarget {
  #connection;
  #handlers = new Handlers();
  #binaryType = 'blob';

  /** Connects to `url`, with these subprotocols to choose from. */
  constructor(url, protocols = []) {
    needArguments(arguments.length, 1, CONSTRUCT);
    const [text, names] = [usvString(url), stringOrSequence(protocols)];
    const record = urlRecord(text, settings.baseURL);
    checkProtocols(names);
    super();
    const life = new Life(this, {
      opened: (socket) => socket.dispatchEvent(trusted(Event, 'open')),
      received: (socket, data, isBinary) => socket.#receive(data, isBinary),
      closed: (socket, end) => socket.#closed(end),
    });
    this.#connection = new Connection(record, names, life);
    life.watch(this.#connection);
    this.#connection.begin();
  }

  get url() {
    illegalUnless(#connection in this);
    return this.#connection.url.href;
  }

  get readyState() {
    illegalUnless(#connection in this);
    return this.#connection.state;
  }

  get bufferedAmount() {
    illegalUnless(#connection in this);
    return this.#connection.bufferedAmount;
  }

  get onopen() {
    return this.#handler('open');
  }

  set onopen(value) {
    this.#setHandler('open', value);
  }

  get onerror() {
    return this.#handler('error');
  }

  set onerror(value) {
    this.#setHandler('error', value);
  }

  get onclose() {
    return this.#handler('close');
  }

  set onclose(value) {
    this.#setHandler('close', value);
  }

  get extensions() {
    illegalUnless(#connection in this);
    return this.#connection.extensions;
  }

  get protocol() {
    illegalUnless(#connection in this);
    return this.#connection.protocol;
  }

  get onmessage() {
    return this.#handler('message');
  }

  set onmessage(value) {
    this.#setHandler('message', value);
  }

  get binaryType() {
    illegalUnless(#connection in this);
    return this.#binaryType;
  }

  set binaryType(value) {
    illegalUnless(#connection in this);
    const type = domString(value);
    if (BINARY_TYPES.includes(type)) this.#binaryType = type;
  }

  /** Starts the closing handshake. */
  close(code = undefined, reason = undefined) {
    illegalUnless(#connection in this);
    const number = code === undefined ? undefined : clampedShort(code);
    const text = reason === undefined ? '' : usvString(reason);
    if (number !== undefined && number !== NORMAL && !(number >= 3000 && number <= 4999)) {
      const rule = `The close code must be either 1000, or between 3000 and 4999. ${number} is neither.`;
      throw new DOMException(`Failed to execute 'close' on 'WebSocket': ${rule}`, 'InvalidAccessError');
    }
    if (Buffer.byteLength(text) > MAX_REASON) {
      const rule = `The close reason must not be greater than ${MAX_REASON} UTF-8 bytes.`;
      throw new DOMException(`Failed to execute 'close' on 'WebSocket': ${rule}`, 'SyntaxError');
    }
    this.#connection.close(number, text);
  }

  /** Sends a string, a Blob, an ArrayBuffer or a view of one; anything else is made a string. */
  send(data) {
    illegalUnless(#connection in this);
    needArguments(arguments.length, 1, "Failed to execute 'send' on 'WebSocket'");
    const isBlob = data instanceof Blob;
    const payload = isBlob ? data : (bufferSource(data) ?? usvString(data));
    if (this.#connection.state === CONNECTING) {
      const text = "Failed to execute 'send' on 'WebSocket': Still in CONNECTING state.";
      throw new DOMException(text, 'InvalidStateError');
    }
    this.#connection.send(payload, isBlob ? data.size : Buffer.byteLength(payload));
  }

  #handler(type) {
    illegalUnless(#connection in this);
    return this.#handlers.get(type);
  }

  #setHandler(type, value) {
    illegalUnless(#connection in this);
    this.#handlers.set(this, type, value);
  }

  /** `bytes` is a view on memory that others have parts of. */
  #receive(bytes, isBinary) {
    const { origin } = this.#connection.url;
    this.dispatchEvent(trusted(MessageEvent, 'message', { data: isBinary ? this.#binary(bytes) : bytes.utf8Slice(), origin }));
  }

  #binary(bytes) {
    if (this.#binaryType === 'blob') return new Blob([bytes]);
    const { buffer, byteOffset, byteLength } = bytes;
    return buffer.slice(byteOffset, byteOffset + byteLength);
  }

  #closed({ failed, code, reason, wasClean }) {
    if (failed) this.dispatchEvent(trusted(Event, 'error'));
    this.dispatchEvent(trusted(CloseEvent, 'close', { code, reason, wasClean }));
  }
}

function checkProtocols(names) {
  for (const name of names) {
    if (!TOKEN.test(name)) throw syntaxError(`The subprotocol '${name}' is invalid.`);
  }
  // RFC 6455 §11.5 has them registered without regard to case, and so does Web Platform Tests.
  const different = new Set(names.map((name) => name.toLowerCase()));
  if (different.size < names.length) throw syntaxError('A subprotocol is duplicated.');
}

for (const method of ['close', 'send']) {
  Object.defineProperty(WebSocket.prototype[method], 'length', { value: method === 'send' ? 1 : 0 });
}
makeInterface(WebSocket, [
  'url',
  'readyState',
  'bufferedAmount',
  'onopen',
  'onerror',
  'onclose',
  'extensions',
  'protocol',
  'close',
  'onmessage',
  'binaryType',
  'send',
]);
for (const [name, value] of Object.entries(STATES)) {
  for (const owner of [WebSocket, WebSocket.prototype]) Object.defineProperty(owner, name, { enumerable: true, value });
}
Life.hear(WebSocket.prototype);

module.exports = { CloseEvent, MessageEvent, WebSocket, settings };
