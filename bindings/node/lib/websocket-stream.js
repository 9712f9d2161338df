'use strict';
// WebSocketStream as in browsers: a connection as two streams, with back-pressure in both directions.

const { ReadableStream, WritableStream } = require('stream/web');

const WebSocket = require('./websocket');

const NORMAL = 1000;
const ABNORMAL = 1006;

/** Why a stream has ended that did not end well. */
class WebSocketError extends DOMException {
  #init;

  constructor(message = '', { closeCode = null, reason = '' } = {}) {
    super(message, 'WebSocketError');
    this.#init = { closeCode: closeCode ?? (reason ? NORMAL : null), reason };
  }

  get closeCode() {
    return this.#init.closeCode;
  }

  get reason() {
    return this.#init.reason;
  }
}

class WebSocketStream {
  #socket;
  #opened = promise();
  #closed = promise();
  #reading;
  #writing;
  #wasOpen = false;
  #error = null;
  #isClosing = false;

  /** `options` are those of WebSocket, and `protocols` and `signal`. */
  constructor(url, { signal, ...options } = {}) {
    signal?.throwIfAborted();
    this.#socket = new WebSocket(url, options);
    this.#listen();
    const abort = () => {
      if (this.#wasOpen) return;
      this.#error = signal.reason;
      this.#socket.terminate();
    };
    signal?.addEventListener('abort', abort, { once: true });
    this.#opened.promise.catch(() => {}).finally(() => signal?.removeEventListener('abort', abort));
    this.#closed.promise.catch(() => {}); // who doesn't ask doesn't have to handle it
  }

  get url() {
    return this.#socket.url;
  }

  /** Resolves to `{ readable, writable, protocol, extensions }`. */
  get opened() {
    return this.#opened.promise;
  }

  /** Resolves to `{ closeCode, reason }`; rejects with a WebSocketError if it did not close in good order. */
  get closed() {
    return this.#closed.promise;
  }

  /** Starts the closing handshake. */
  close({ closeCode, reason = '' } = {}) {
    this.#socket.close(closeCode ?? (reason ? NORMAL : undefined), reason);
    this.#goOn();
  }

  #listen() {
    const socket = this.#socket;
    socket.on('message', (data, isBinary) => this.#received(data, isBinary));
    socket.on('error', (error) => (this.#error ??= error));
    socket.on('close', (code, reason) => this.#ended(code, reason.toString()));
    socket.once('open', () => {
      this.#wasOpen = true;
      const { protocol, extensions } = socket;
      this.#opened.resolve({ ...this.#streams(), protocol, extensions });
    });
  }

  #streams() {
    const socket = this.#socket;
    const readable = new ReadableStream({
      start: (controller) => (this.#reading = controller),
      pull: () => socket.resume(),
      cancel: (reason) => this.#closeWith(reason),
    });
    const writable = new WritableStream({
      start: (controller) => (this.#writing = controller),
      write: (chunk) => this.#write(chunk),
      close: () => this.#closeAndWait(),
      abort: (reason) => this.#closeWith(reason),
    });
    return { readable, writable };
  }

  #received(data, isBinary) {
    if (!this.#reading || this.#isClosing) return;
    this.#reading.enqueue(isBinary ? new Uint8Array(data) : data.toString());
    if (this.#reading.desiredSize <= 0) this.#socket.pause();
  }

  /** Done when there is room for more: the peer takes what is sent, or the high-water mark is not reached. */
  #write(chunk) {
    const socket = this.#socket;
    const data = typeof chunk === 'string' || ArrayBuffer.isView(chunk) || chunk instanceof ArrayBuffer ? chunk : `${chunk}`;
    if (socket.readyState !== WebSocket.OPEN) return undefined; // what is written while it closes is lost, as in browsers
    if (socket.send(data)) return undefined;
    return new Promise((resolve) => {
      const settle = () => {
        socket.removeListener('drain', settle).removeListener('close', settle);
        resolve();
      };
      socket.on('drain', settle).on('close', settle);
    });
  }

  #closeAndWait() {
    this.#socket.close();
    this.#goOn();
    return this.#closed.promise.then(() => {});
  }

  /** The peer's close frame comes after what nobody reads any more. */
  #goOn() {
    this.#isClosing = true;
    this.#socket.resume();
  }

  #closeWith(reason) {
    const isError = reason instanceof WebSocketError;
    this.close(isError ? { closeCode: reason.closeCode ?? undefined, reason: reason.reason } : {});
  }

  #ended(code, reason) {
    const isClean = this.#wasOpen && code !== ABNORMAL;
    if (isClean) {
      this.#finish(() => this.#reading.close());
      this.#finish(() => this.#writing.error(new DOMException('The connection has closed', 'InvalidStateError')));
      this.#closed.resolve({ closeCode: code, reason });
      return;
    }
    const message = this.#error?.message ?? 'The connection was lost';
    const failure = this.#error instanceof DOMException ? this.#error : new WebSocketError(message, { closeCode: code, reason });
    failure.cause ??= this.#error ?? undefined;
    this.#opened.reject(failure);
    this.#finish(() => this.#reading?.error(failure));
    this.#finish(() => this.#writing?.error(failure));
    this.#closed.reject(failure);
  }

  /** A stream that the application has ended itself refuses to be ended again. */
  #finish(end) {
    try {
      end();
    } catch (error) {
      if (error.code !== 'ERR_INVALID_STATE') throw error;
    }
  }
}

function promise() {
  const settle = {};
  settle.promise = new Promise((resolve, reject) => Object.assign(settle, { resolve, reject }));
  return settle;
}

module.exports = { WebSocketError, WebSocketStream };
