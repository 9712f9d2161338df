'use strict';

/** `allowSynchronousEvents: false`: each event of a socket comes in a turn of Node's loop of its own. */
class SpacedEvents {
  #socket;
  #waiting = [];

  constructor(socket) {
    this.#socket = socket;
  }

  add(...event) {
    this.#waiting.push(event);
    if (this.#waiting.length === 1) setImmediate(() => this.#next());
  }

  #next() {
    const [kind, extra, data] = this.#waiting[0];
    try {
      this.#socket._handleOne(kind, extra, data);
    } finally {
      this.#waiting.shift();
      if (this.#waiting.length > 0) setImmediate(() => this.#next());
    }
  }
}

module.exports = { SpacedEvents };
