'use strict';
// What a Blob holds is read later; all that is sent meanwhile waits behind it, as in ws.

const CLOSED_MEANWHILE = 'The socket was closed while the blob was being read';

/** Blobs of this realm and of others, and what looks like them, as in ws. */
function isBlob(value) {
  if (typeof value !== 'object' || value === null || typeof value.arrayBuffer !== 'function') return false;
  return typeof value.type === 'string' && typeof value.stream === 'function' && /^(Blob|File)$/.test(value[Symbol.toStringTag]);
}

/** The line of what waits at a socket, from a Blob on; it is gone when nothing waits any more. */
class InTurn {
  bytes = 0;
  /** Whether a close is among what waits: nothing more is taken. */
  isClosing = false;
  #socket;
  #waiting = [];

  constructor(socket) {
    this.#socket = socket;
  }

  /** `act()` sends so many bytes, when it is its turn. */
  add(act, bytes) {
    this.bytes += bytes;
    this.#waiting.push({ act, bytes });
  }

  /** Reads a Blob; `send(data)` is called with its bytes, `fail(error)` if there is nothing to send them to, or none. */
  async read(blob, send, fail) {
    this.bytes += blob.size;
    let act;
    try {
      const data = await blob.arrayBuffer();
      act = this.isOver ? () => fail(new Error(CLOSED_MEANWHILE), true) : () => send(data);
    } catch (error) {
      act = () => fail(error, this.isOver);
    }
    this.bytes -= blob.size;
    process.nextTick(() => this.#socket._resource.runInAsyncScope(this.#goOn, this, act));
  }

  /** The connection has ended. */
  end() {
    this.isOver = true;
  }

  #goOn(act) {
    const socket = this.#socket;
    socket._inTurn = null;
    try {
      act();
    } finally {
      this.#takeTurns();
    }
  }

  /** Up to the next Blob. */
  #takeTurns() {
    const socket = this.#socket;
    while (this.#waiting.length > 0 && socket._inTurn === null) {
      const { act, bytes } = this.#waiting.shift();
      this.bytes -= bytes;
      act();
    }
    if (this.#waiting.length === 0) return;
    socket._inTurn.isClosing = this.isClosing;
    for (const { act, bytes } of this.#waiting) socket._inTurn.add(act, bytes);
  }
}

module.exports = { InTurn, isBlob };
