'use strict';
// Binary values in events: they leave beside the JSON, and a placeholder takes the place of each.
// https://socket.io/docs/v4/socket-io-protocol/#binary-event

function isBinary(value) {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || (typeof Blob === 'function' && value instanceof Blob);
}

/** Whether there is a binary value anywhere inside; as JSON.stringify goes through it. */
function hasBinary(value, isJson = false) {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return someBinary(value);
  if (isBinary(value)) return true;
  if (!isJson && typeof value.toJSON === 'function') return hasBinary(value.toJSON(), true);
  for (const key in value) {
    if (hasBinary(value[key]) && Object.hasOwn(value, key)) return true;
  }
  return false;
}

/** The same for a list, where most have none of it and nothing to look into. */
function someBinary(values) {
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    if (typeof value === 'object' && value !== null && hasBinary(value)) return true;
  }
  return false;
}

/** A copy with placeholders; the binary values are added to `attachments` as views. */
function takeOut(value, attachments, isJson = false) {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (isBinary(value)) {
    attachments.push(toView(value));
    return { _placeholder: true, num: attachments.length - 1 };
  }
  if (Array.isArray(value)) return value.map((one) => takeOut(one, attachments));
  if (!isJson && typeof value.toJSON === 'function') return takeOut(value.toJSON(), attachments, true);
  const copy = {};
  for (const key in value) {
    if (Object.hasOwn(value, key)) copy[key] = takeOut(value[key], attachments);
  }
  return copy;
}

function toView(value) {
  if (ArrayBuffer.isView(value)) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new TypeError('a Blob can only be read later; send what its arrayBuffer() resolves to');
}

/** The same as Uint8Arrays, for functions that want these. */
function views(attachments) {
  const bytes = ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength);
  return attachments ? attachments.map(bytes) : [];
}

/** Puts the attachments back where the placeholders are, in place. */
function putBack(value, attachments) {
  if (typeof value !== 'object' || value === null) return value;
  if (value._placeholder === true) {
    const attachment = attachments[value.num];
    if (attachment === undefined) throw new Error('illegal attachments');
    return attachment;
  }
  for (const key of Object.keys(value)) value[key] = putBack(value[key], attachments);
  return value;
}

module.exports = { putBack, someBinary, takeOut, views };
