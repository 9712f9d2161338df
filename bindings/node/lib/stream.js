'use strict';

const { Duplex } = require('stream');

/**
 * A WebSocket as a Duplex stream, as ws's `createWebSocketStream` makes it: each chunk is a message, reading pauses the socket, and
 * a write is done when the system has taken it. `options` are those of Duplex; what is written is no object.
 */
function createWebSocketStream(socket, options) {
  const bridge = new Bridge(socket, options);
  return bridge.duplex;
}

class Bridge {
  #socket;
  #terminates = true; // when the stream is destroyed
  #closing = null; // to be called when the connection has closed in good order

  constructor(socket, options) {
    this.#socket = socket;
    this.duplex = new Duplex({
      ...options,
      autoDestroy: false,
      emitClose: false,
      objectMode: false,
      writableObjectMode: false,
      read: () => socket.isPaused && socket.resume(),
      write: (chunk, encoding, callback) => this.#whenOpen(() => socket.send(chunk, callback)),
      writev: undefined,
      final: (callback) => this.#whenOpen(() => this.#final(callback)),
      destroy: (error, callback) => this.#destroy(error, callback),
    });
    this.#listen();
  }

  #listen() {
    const { duplex } = this;
    this.#socket.on('message', (data, isBinary) => {
      const isText = !isBinary && duplex.readableObjectMode;
      if (!duplex.push(isText ? data.toString() : data)) this.#socket.pause();
    });
    this.#socket.once('error', (error) => this.#failed(error));
    this.#socket.once('close', () => {
      this.#closing?.();
      if (!duplex.destroyed) duplex.push(null);
    });
    duplex.on('end', () => {
      if (!duplex.destroyed && duplex.writableFinished) duplex.destroy();
    });
    duplex.on('error', function failed(error) {
      duplex.removeListener('error', failed);
      duplex.destroy();
      if (duplex.listenerCount('error') === 0) duplex.emit('error', error); // nobody has heard it: it is thrown
    });
  }

  #failed(error) {
    if (this.duplex.destroyed) return;
    this.#terminates = false; // the socket is closing by itself, and tells its peer why
    this.duplex.destroy(error);
  }

  #whenOpen(act) {
    if (this.#socket.readyState === this.#socket.CONNECTING) this.#socket.once('open', act);
    else act();
  }

  #final(callback) {
    const socket = this.#socket;
    if (socket._socket === null) return; // it was never open: the error is on its way
    if (socket.readyState !== socket.CLOSED) {
      this.#closing = callback;
      socket.close();
      return;
    }
    callback();
    if (this.duplex.readableEnded) this.duplex.destroy();
  }

  #destroy(error, callback) {
    const socket = this.#socket;
    const tell = () => process.nextTick(() => this.duplex.emit('close'));
    if (socket.readyState === socket.CLOSED) {
      callback(error);
      tell();
      return;
    }
    let isCalled = false;
    socket.once('error', (failure) => {
      isCalled = true;
      callback(failure);
    });
    socket.once('close', () => {
      if (!isCalled) callback(error);
      tell();
    });
    if (this.#terminates) socket.terminate();
  }
}

module.exports = createWebSocketStream;
