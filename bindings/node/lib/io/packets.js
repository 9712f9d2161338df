'use strict';
// Between the values of an application and what the engine takes and gives: JSON as text, binary values beside it.

const { putBack, someBinary, takeOut } = require('./binary');

/** Bits of the extra half word of a record with JSON (src/io/records.rs). */
const ATTACHMENTS = 0x3ff;
const RESULT_SHIFT = 10;
const RESULT = 0x3;
const HAS_ACK = 0x4000;
const ASCII = 0x8000;

/** The bytes of a number in front of the JSON: an ack's handle. */
const HANDLE_SIZE = 8;
/** The bytes of a token in front of the JSON. */
const TOKEN_SIZE = 4;

/** Event names that are not for applications. */
const RESERVED_EVENTS = new Set([
  'connect', // used on the client side
  'connect_error', // used on the client side
  'disconnect', // used on both sides
  'disconnecting', // used on the server side
  'newListener', // used by the Node.js EventEmitter
  'removeListener', // used by the Node.js EventEmitter
]);

/** Attachments whose event comes next. */
const arrived = [];

function attachmentArrived(data) {
  arrived.push(data);
}

/** The values of a record: a list, with its attachments in their places. Throws if that is not possible. */
function decode(extra, data, start) {
  const count = extra & ATTACHMENTS;
  const attachments = count === 0 ? null : takeArrived(count);
  const values = JSON.parse((extra & ASCII) === 0 ? data.utf8Slice(start) : data.latin1Slice(start));
  return attachments === null ? values : putBack(values, attachments);
}

/** The same, as a parser of the application's own has it; null if that is not possible, because it is nested deeper than V8 can go. */
function tryDecode(extra, data, start, codec) {
  try {
    const values = decode(extra, data, start);
    return codec ? codec.restore(values) : values;
  } catch {
    return null;
  }
}

function takeArrived(count) {
  return arrived.splice(0, count);
}

/** Puts the next attachments into their places in a value. */
function withArrived(value, count) {
  return count === 0 ? value : putBack(value, takeArrived(count));
}

/** The binary values of what was encoded last. */
let taken;
/** That itself and its JSON, where a parser of an application's own wants to know. */
let keepsSent = false;
let sentValues;
let sentText = '';

/** The JSON of a list; its binary values are in `attachmentsTaken()` until the next call. */
function encode(values) {
  const attachments = someBinary(values) ? [] : undefined;
  const text = JSON.stringify(attachments ? takeOut(values, attachments) : values);
  taken = attachments; // only now: a toJSON may have sent something itself
  if (keepsSent) [sentValues, sentText] = [values, text];
  return text;
}

/** From now on `sent` is asked. */
function keepSent() {
  keepsSent = true;
}

/** The values behind a JSON: those that are being sent, or else as far as JSON has them. Attachments are Latin-1. */
function sent(text, attachments) {
  if (text === sentText) return sentValues;
  const views = attachments.map((bytes) => Buffer.from(bytes, 'latin1'));
  return putBack(JSON.parse(text), views);
}

function attachmentsTaken() {
  return taken;
}

module.exports = {
  HANDLE_SIZE,
  HAS_ACK,
  RESERVED_EVENTS,
  RESULT,
  RESULT_SHIFT,
  TOKEN_SIZE,
  attachmentArrived,
  attachmentsTaken,
  decode,
  encode,
  keepSent,
  sent,
  tryDecode,
  withArrived,
};
