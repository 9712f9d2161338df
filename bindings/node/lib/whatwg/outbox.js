'use strict';
// What a connection has still to send: the bytes of which `bufferedAmount` tells, and what waits for a Blob to be read.

const { engine, sendWith } = require('../engine');
const { calling, fromStatus } = require('../errors');
const { BINARY, STRING } = require('../payloads');

const NOT_OPEN = -3;
const ENDED = -4;
const SENT = 0;
const NO_DEADLINE = 0;
const NORMAL = 1000;

class Outbox {
  #handle;
  #fail;
  #sizes = new Map(); // of messages on their way, by their tokens
  #token = 0;
  #jobs = []; // what waits behind a Blob, and the Blob itself
  #reading = false;
  #over = false;
  /** Payload bytes that the system has not taken yet. */
  bytes = 0;

  /** `fail(error)` ends the connection. */
  constructor(handle, fail) {
    this.#handle = handle;
    this.#fail = fail;
  }

  send(data, size) {
    this.bytes += size;
    if (data instanceof Blob) this.#wait(() => this.#read(data));
    else if (this.#jobs.length > 0 || this.#reading) this.#wait(this.#sending(copied(data), size));
    else this.#send(data, size);
  }

  /** Behind all that was sent before. */
  close(code, reason) {
    const job = () => calling(() => engine.close(this.#handle, code ?? (reason ? NORMAL : undefined), reason));
    if (this.#jobs.length > 0 || this.#reading) this.#wait(job);
    else job();
  }

  /** The system has taken a message, or never will: what is lost stays counted. */
  settle(token, outcome) {
    const size = this.#sizes.get(token);
    this.#sizes.delete(token);
    if (outcome === SENT) this.bytes -= size;
  }

  end() {
    this.#over = true;
    this.#jobs = [];
    this.#sizes.clear();
  }

  #send(data, size) {
    const token = this.#token;
    this.#token = (token + 1) >>> 0;
    this.#sizes.set(token, size);
    const type = typeof data === 'string' ? STRING : BINARY;
    const result = sendWith(this.#handle, type, data, token, NO_DEADLINE);
    if (result >= 0) return;
    this.#sizes.delete(token);
    if (result === NOT_OPEN || result === ENDED) return; // counted, and lost
    // There is no room: "flag the WebSocket as full and then close the WebSocket connection".
    this.#fail(fromStatus(result, (status) => engine.describeStatus(status)));
  }

  #sending(data, size) {
    return () => this.#send(data, size);
  }

  #wait(job) {
    this.#jobs.push(job);
    if (!this.#reading) this.#goOn();
  }

  async #goOn() {
    this.#reading = true;
    while (this.#jobs.length > 0 && !this.#over) await this.#jobs.shift()();
    this.#reading = false;
  }

  async #read(blob) {
    try {
      const bytes = new Uint8Array(await blob.arrayBuffer());
      if (!this.#over) this.#send(bytes, blob.size);
    } catch (error) {
      if (!this.#over) this.#fail(error);
    }
  }
}

/** The program may change its memory while this waits. */
function copied(data) {
  return typeof data === 'string' ? data : Uint8Array.from(data);
}

module.exports = { Outbox };
