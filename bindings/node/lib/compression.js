'use strict';
// ws's option perMessageDeflate, as the engine takes it (RFC 7692).

const { withCode } = require('./errors');

const THRESHOLD = 1024; // bytes
const LEVEL = 6; // zlib's own default, of old
const MEMORY_LEVEL = 8;
const WINDOW_BITS = 15;

/** What changes only how zlib's own streams in Node work. */
const HARMLESS = new Set(['chunkSize', 'windowBits']);

const LIMITABLE = 'its window is limited if the peer says so';
/** Where false is a demand that the engine can't make, by role. */
const DEMANDS = {
  client: { clientNoContextTakeover: 'it keeps no context if the server says so', clientMaxWindowBits: LIMITABLE },
  server: { serverNoContextTakeover: 'it keeps no context if the client says so', serverMaxWindowBits: LIMITABLE },
};

/** The addon's `Compression`; undefined for none. `role` is 'client' or 'server'. */
function compression(option, role) {
  if (!option) return undefined;
  const given = option === true ? {} : option;
  for (const [name, reason] of Object.entries(DEMANDS[role])) {
    if (given[name] === false) refuse(`${name}: false`, reason);
  }
  const { level = LEVEL, memLevel = MEMORY_LEVEL, ...others } = given.zlibDeflateOptions ?? {};
  checkHarmless('zlibDeflateOptions', others);
  checkHarmless('zlibInflateOptions', given.zlibInflateOptions ?? {});
  return {
    threshold: number(given.threshold ?? THRESHOLD, 'threshold', 0, Number.MAX_SAFE_INTEGER),
    level: level === -1 ? LEVEL : number(level, 'zlibDeflateOptions.level', 0, 9),
    memoryLevel: number(memLevel, 'zlibDeflateOptions.memLevel', 1, 9),
    serverNoContextTakeover: Boolean(given.serverNoContextTakeover),
    clientNoContextTakeover: Boolean(given.clientNoContextTakeover),
    serverMaxWindowBits: windowBits(given.serverMaxWindowBits, 'serverMaxWindowBits'),
    clientMaxWindowBits: windowBits(given.clientMaxWindowBits, 'clientMaxWindowBits'),
  };
}

function windowBits(value, name) {
  return value == null || typeof value === 'boolean' ? WINDOW_BITS : number(value, name, 9, 15);
}

function number(value, name, least, most) {
  if (typeof value === 'number' && value >= least && value <= most) return Math.ceil(value);
  const text = `option perMessageDeflate.${name} must be a number from ${least} to ${most}, not ${value}`;
  throw withCode(new RangeError(text), 'ERR_OUT_OF_RANGE');
}

function checkHarmless(where, options) {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !HARMLESS.has(name)) refuse(`${where}.${name}`, 'there is no such option here');
  }
}

function refuse(what, reason) {
  throw withCode(new Error(`option perMessageDeflate, ${what}: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
}

/** The names in a Sec-WebSocket-Extensions header, as ws's `extensions` has them. */
function extensionNames(header) {
  return header
    .split(',')
    .map((extension) => extension.split(';', 1)[0].trim())
    .join();
}

module.exports = { compression, extensionNames };
