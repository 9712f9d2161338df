'use strict';
// WebIDL's conversions of JavaScript values, as far as the WebSocket interfaces need them (Web IDL §3.2).

const { types, toUSVString: wellFormed } = require('util');

const MAX_SHORT = 0xffff;

/** Throws unless an operation was called with as many arguments as it needs. */
function needArguments(given, needed, where) {
  if (given >= needed) return;
  const noun = needed === 1 ? 'argument' : 'arguments';
  throw new TypeError(`${where}: ${needed} ${noun} required, but only ${given} present.`);
}

/** DOMString: a Symbol has no string, and throws. */
function domString(value) {
  return `${value}`;
}

/** USVString: what is half of a surrogate pair becomes U+FFFD. */
function usvString(value) {
  return wellFormed(`${value}`);
}

/** unsigned short: modulo 2^16. */
function unsignedShort(value) {
  return Number.isFinite(+value) ? Math.trunc(+value) & MAX_SHORT : 0;
}

/** [Clamp] unsigned short: the nearest, and of two that are as near the even one. */
function clampedShort(value) {
  const number = +value;
  if (Number.isNaN(number)) return 0;
  const clamped = Math.min(Math.max(number, 0), MAX_SHORT);
  const below = Math.floor(clamped);
  const rest = clamped - below;
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
}

/** sequence<DOMString>, by whatever the object iterates over; or the one string. */
function stringOrSequence(value) {
  if (!isObject(value)) return [domString(value)];
  const method = value[Symbol.iterator];
  if (method == null) return [domString(value)];
  if (typeof method !== 'function') throw new TypeError('The object must have a callable @@iterator property.');
  return Array.from({ [Symbol.iterator]: () => Reflect.apply(method, value, []) }, domString);
}

/** A dictionary: undefined and null are empty ones. */
function dictionary(value, where) {
  if (value == null) return {};
  if (!isObject(value)) throw new TypeError(`${where}: The provided value is not of type 'object'.`);
  return value;
}

/**
 * BufferSource: its bytes, uncopied; undefined for what is none. What is detached has no bytes; shared and resizable
 * memory is refused, as neither [AllowShared] nor [AllowResizable] is said anywhere here.
 */
function bufferSource(value) {
  const isView = ArrayBuffer.isView(value);
  if (!isView && !types.isArrayBuffer(value)) return undefined;
  const memory = isView ? value.buffer : value;
  if (types.isSharedArrayBuffer(memory)) throw new TypeError('The view must not be shared.');
  if (memory.resizable) throw new TypeError('The memory must not be resizable.');
  if (value.byteLength === 0) return new Uint8Array(0);
  return isView ? new Uint8Array(memory, value.byteOffset, value.byteLength) : new Uint8Array(memory);
}

/** Object in the sense of ECMAScript: functions are objects. */
function isObject(value) {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** Gives a class the shape of an interface: enumerable members, and the name that `toString` tells. */
function makeInterface(Interface, members) {
  for (const member of members) Object.defineProperty(Interface.prototype, member, { enumerable: true });
  Object.defineProperty(Interface.prototype, Symbol.toStringTag, { value: Interface.name, configurable: true });
}

module.exports = {
  bufferSource,
  clampedShort,
  dictionary,
  domString,
  isObject,
  makeInterface,
  needArguments,
  stringOrSequence,
  unsignedShort,
  usvString,
};
