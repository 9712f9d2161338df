'use strict';
// The client's side of RFC 6455 as far as a connection inside the process needs it: no compression, no check of the answer.

const [CONTINUATION, TEXT, BINARY, END] = [0, 1, 2, 8];
const END_OF_HEAD = '\r\n\r\n';

/** A message in one frame, masked as a client's have to be: a mask of zeros leaves the payload as it is. */
function frame(data) {
  const isText = typeof data === 'string';
  const payload = isText ? Buffer.from(data) : Buffer.from(data.buffer ?? data, data.byteOffset, data.byteLength);
  const length = payload.length;
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + size + 4);
  head[0] = 0x80 | (isText ? TEXT : BINARY);
  head[1] = 0x80 | (size === 0 ? length : size === 2 ? 126 : 127);
  if (size === 2) head.writeUInt16BE(length, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

/** Reads the answer to the handshake, and messages: `onMessage(data, isBinary)`; `onEnd()` when the other side closes. */
class Frames {
  #rest = Buffer.alloc(0);
  #isOpen = false;
  #parts = [];
  #isBinary = false;
  #onMessage;
  #onEnd;

  constructor(onMessage, onEnd) {
    this.#onMessage = onMessage;
    this.#onEnd = onEnd;
  }

  add(chunk) {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#isOpen) this.#readHead();
    while (this.#isOpen && this.#readFrame());
  }

  #readHead() {
    const end = this.#rest.indexOf(END_OF_HEAD);
    if (end < 0) return;
    if (this.#rest.latin1Slice(9, 12) !== '101') return this.#onEnd();
    this.#isOpen = true;
    this.#rest = this.#rest.subarray(end + END_OF_HEAD.length);
  }

  /** Whether there was a whole one. */
  #readFrame() {
    const rest = this.#rest;
    if (rest.length < 2) return false;
    const short = rest[1] & 0x7f;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.length < start) return false;
    const length = short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    if (rest.length < start + length) return false;
    this.#rest = rest.subarray(start + length);
    this.#take(rest[0] & 0x0f, (rest[0] & 0x80) !== 0, rest.subarray(start, start + length));
    return true;
  }

  #take(opcode, isLast, payload) {
    if (opcode === END) return this.#onEnd();
    if (opcode > BINARY) return;
    if (opcode !== CONTINUATION) this.#isBinary = opcode === BINARY;
    this.#parts.push(payload);
    if (!isLast) return;
    const whole = this.#parts.length === 1 ? payload : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#onMessage(this.#isBinary ? whole : whole.utf8Slice(), this.#isBinary);
  }
}

module.exports = { Frames, frame };
