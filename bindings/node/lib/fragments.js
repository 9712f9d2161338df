'use strict';
// Messages that are sent in fragments: they go out as they come, and all that is sent meanwhile continues the message, as in ws.

const { StringDecoder } = require('string_decoder');

const { FastBuffer, sendWith } = require('./engine');
const { BINARY, LAST, PART, STRING } = require('./payloads');

const NO_TOKEN = -1;

/** A message that is being sent in fragments: of a text the decoder has the bytes of half a character. */
class Fragments {
  #binary;
  #chunks;
  #decoder;

  constructor(binary, isGathered) {
    this.#binary = binary;
    this.#chunks = isGathered ? [] : null; // what must not be compressed can't go in parts
    this.#decoder = binary ? null : new StringDecoder('utf8');
  }

  /** Whether it leaves when its last fragment is there. */
  get isGathered() {
    return this.#chunks !== null;
  }

  /** Sends a fragment: the result of the engine's `send`. */
  send(handle, data, isString, isLast) {
    const type = PART | (isLast ? LAST : 0) | (this.#binary ? BINARY : STRING);
    // The engine cuts texts between characters, the application where it likes.
    if (this.#decoder) data = this.#decoder[isLast ? 'end' : 'write'](isString ? Buffer.from(data) : toBuffer(data));
    else if (isString) data = Buffer.from(data);
    return sendWith(handle, type, data, NO_TOKEN, 0);
  }

  gather(data, isString) {
    this.#chunks.push(isString ? Buffer.from(data) : Buffer.from(toBuffer(data)));
  }

  /** All that was gathered, and its type. */
  whole() {
    return { data: Buffer.concat(this.#chunks), type: this.#binary ? BINARY : 0 };
  }
}

function toBuffer(view) {
  return new FastBuffer(view.buffer, view.byteOffset, view.byteLength);
}

module.exports = { Fragments };
