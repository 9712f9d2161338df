'use strict';

const { engine } = require('./engine');

const LIMIT = 1 << 20; // bytes; what comes after is dropped, as reading must go on for the close to be heard

/** Messages, or their parts, that came before anybody listened: they wait for the first listener. */
class EarlyMessages {
  #socket;
  #event;
  #messages = [];
  #bytes = 0;
  #awaited = false;

  /** `name` is 'message' or 'part'. */
  constructor(socket, name) {
    this.#socket = socket;
    this.#event = name;
    const added = (event) => {
      if (event !== name) return;
      socket.removeListener('newListener', added);
      this.#awaited = true;
      process.nextTick(() => socket._resource.runInAsyncScope(this.release, this));
    };
    socket.on('newListener', added);
  }

  /** Takes a copy: a view would keep all of its slab for a long time. */
  keep(data, about) {
    const size = data.byteLength ?? data.size ?? data.reduce((sum, part) => sum + part.length, 0);
    if (this.#bytes + size > LIMIT) return;
    this.#bytes += size;
    this.#messages.push([Buffer.isBuffer(data) ? Buffer.from(data) : data, about]);
  }

  /** Delivers them, if somebody listens now. */
  release() {
    if (!this.#awaited || this.#socket._early !== this) return;
    this.#socket._early = null;
    this.#socket._heard = true;
    for (const [data, about] of this.#messages) {
      try {
        this.#socket.emit(this.#event, data, about);
      } catch (error) {
        engine.reportException(error);
      }
    }
  }
}

module.exports = { EarlyMessages };
