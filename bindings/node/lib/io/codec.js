'use strict';
// A parser of the application's own: the engine hands each packet over as JSON, with bytes as characters up to U+00FF.

const { AsyncResource } = require('async_hooks');

const { KIND, addTarget } = require('../engine');
const packets = require('./packets');

const CONNECT = 0;
const DISCONNECT = 1;
const EVENT = 2;
const ACK = 3;
const BINARY = 3; // what a type of socket.io-parser is greater by if its packet has attachments

/** So many packets wait for their record at most: some never get one. */
const KEPT = 65_536;

class Codec {
  #parser;
  #encoder;
  #decoders = new Map();
  /** What was decoded, until the record comes in which a number stands for it: JSON can't say all that a parser can. */
  #kept = new Map();
  #last = 0;

  constructor(parser) {
    this.#parser = parser;
    this.#encoder = new parser.Encoder();
    this._resource = new AsyncResource('SocklineSocketIoParser');
    this.key = addTarget(this);
    packets.keepSent();
  }

  /** A question of the engine's. */
  _answer(kind, text) {
    const question = JSON.parse(text);
    return kind === KIND.IO_ENCODE ? this.#encode(question) : this.#decode(question);
  }

  #encode([type, nsp, id, payload, attachments]) {
    const packet = { type, nsp };
    if (payload !== null) packet.data = packets.sent(payload, attachments);
    if (id !== null) packet.id = id;
    const messages = this.#encoder.encode(packet);
    return JSON.stringify(messages.map((message) => (typeof message === 'string' ? `t${message}` : `b${latin1(message)}`)));
  }

  #decode([number, message]) {
    const decoder = this.#decoders.get(number) ?? this.#newDecoder(number);
    const content = message.slice(1);
    try {
      decoder.add(message[0] === 't' ? content : Buffer.from(content, 'latin1'));
    } catch {
      return undefined; // the engine closes the connection
    }
    const { packet } = decoder;
    decoder.packet = null;
    return JSON.stringify(packet ? this.#described(packet) : null);
  }

  #newDecoder(number) {
    const decoder = new this.#parser.Decoder();
    const wrapped = { packet: null, add: (message) => decoder.add(message), destroy: () => decoder.destroy?.() };
    decoder.on('decoded', (packet) => (wrapped.packet = packet));
    this.#decoders.set(number, wrapped);
    return wrapped;
  }

  #described({ type, nsp, id, data }) {
    const plain = type > 4 ? type - BINARY : type;
    return { type: plain, nsp, id, payload: this.#payload(plain, data) };
  }

  #payload(type, data) {
    if (type === EVENT) return JSON.stringify([data[0], this.#keep(data)]);
    if (type === ACK) return JSON.stringify([this.#keep(data)]);
    if (type === DISCONNECT || (type === CONNECT && data === undefined)) return undefined;
    return JSON.stringify(data);
  }

  #keep(data) {
    this.#last += 1;
    this.#kept.set(this.#last, data);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
    return { kept: this.#last };
  }

  /** What was decoded, for the values of the record. */
  restore(values) {
    const number = values.at(-1)?.kept;
    const data = this.#kept.get(number) ?? values;
    this.#kept.delete(number);
    return data;
  }

  /** The only event is the end of a decoder. */
  _handleEvent(kind, extra, data) {
    const number = data.readUInt32LE(0);
    this.#decoders.get(number)?.destroy();
    this.#decoders.delete(number);
  }
}

function latin1(message) {
  const bytes = ArrayBuffer.isView(message) ? message : new Uint8Array(message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).latin1Slice();
}

module.exports = { Codec };
