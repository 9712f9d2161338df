'use strict';
// What an application may hand over, in the forms that the engine takes.

/**
 * Bits of the engine's type of a message: binary, given as a string, to be compressed, not to be compressed; a part of a
 * message, and the last one.
 */
const BINARY = 1;
const STRING = 2;
const COMPRESSED = 4;
const PLAIN = 8;
const PART = 16;
const LAST = 32;

const EMPTY = Buffer.alloc(0);
const MAX_CONTROL = 125; // RFC 6455 §5.5
const MAX_REASON = MAX_CONTROL - 2; // §5.5.1: the code comes first

/** A view of an ArrayBuffer of what is not a string: nothing for what is falsy, as in ws. */
function toView(data) {
  if (ArrayBuffer.isView(data)) return data;
  if (!data) return EMPTY;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return Buffer.from(data);
}

/** A message for many, always as bytes: it is encoded once. */
function publication(data, options) {
  if (typeof data === 'number') data = data.toString();
  const isString = typeof data === 'string';
  const view = isString ? Buffer.from(data) : toView(data);
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return { binary: options?.binary ?? !isString, view: bytes };
}

/** The payload of a ping or pong, as bytes. */
function controlPayload(data) {
  if (typeof data === 'number') data = data.toString();
  const view = typeof data === 'string' ? Buffer.from(data) : toView(data);
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

/** RFC 6455 §5.5 */
function checkControlSize(bytes) {
  if (bytes > MAX_CONTROL) throw new RangeError('The data size must not be greater than 125 bytes');
}

/** The reason of a close, as a string; checks the code, too. */
function closeReason(code, reason) {
  if (code === undefined) return '';
  if (typeof code !== 'number' || !isSendable(code)) {
    throw new TypeError('First argument must be a valid error code number');
  }
  if (reason === undefined || !reason.length) return '';
  if (Buffer.byteLength(reason) > MAX_REASON) {
    throw new RangeError('The message must not be greater than 123 bytes');
  }
  if (typeof reason === 'string') return reason;
  if (reason instanceof Uint8Array) return Buffer.from(reason).toString();
  throw new TypeError('Second argument must be a string or a Uint8Array');
}

/** RFC 6455 §7.4: 1004 to 1006 are never sent. */
function isSendable(code) {
  return (code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006)) || (code >= 3000 && code <= 4999);
}

module.exports = { BINARY, STRING, COMPRESSED, PLAIN, PART, LAST, toView, checkControlSize, controlPayload, closeReason, publication };
