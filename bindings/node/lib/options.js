'use strict';
// Options under ws's names, with ws's defaults; `refused-options.js` has those that are refused.

const { compression } = require('./compression');
const { withCode } = require('./errors');

const MAX_PAYLOAD = 100 * 1024 * 1024;
const MAX_FRAGMENTS = 16 * 1024;
const MAX_U32 = 2 ** 32 - 1;
const CLOSE_TIMEOUT = 30_000; // ms
const HIGH_WATER_MARK = 1024 * 1024; // bytes
const KEEP_ALIVE = 7_200_000; // ms, Linux's own
const HEAD_TIMEOUT = 60_000; // ms, as http.Server's headersTimeout

/** What becomes of messages over the hard limit, by the addon's numbers. */
const POLICIES = ['error', 'drop-newest', 'drop-oldest', 'close'];

/** A number of bytes or milliseconds, 0 for none. */
function amount(options, name, byDefault) {
  const value = options[name] ?? byDefault;
  if (typeof value !== 'number' || !(value >= 0)) {
    throw withCode(new RangeError(`option ${name} must be a number from 0 on, not ${value}`), 'ERR_OUT_OF_RANGE');
  }
  return Math.min(Math.ceil(value), Number.MAX_SAFE_INTEGER);
}

/** What the addon's `Limits` holds. */
function limits(options, handshakeTimeout, role) {
  return {
    maxPayload: amount(options, 'maxPayload', MAX_PAYLOAD) || Number.MAX_SAFE_INTEGER,
    maxFragments: Math.min(amount(options, 'maxFragments', MAX_FRAGMENTS), MAX_U32),
    autoPong: options.autoPong ?? true,
    handshakeTimeout: amount(options, 'handshakeTimeout', handshakeTimeout),
    closeTimeout: amount(options, 'closeTimeout', CLOSE_TIMEOUT),
    pingInterval: amount(options, 'pingInterval', 0),
    pingTimeout: amount(options, 'pingTimeout', options.pingInterval ?? 0),
    highWaterMark: amount(options, 'highWaterMark', HIGH_WATER_MARK),
    hardLimit: amount(options, 'hardLimit', 0),
    slowConsumer: policy(options.slowConsumer ?? POLICIES[0]),
    messageParts: Boolean(options.messageParts),
    tcp: tcp(options),
    compression: compression(options.perMessageDeflate ?? role === 'client', role),
  };
}

function policy(name) {
  const number = POLICIES.indexOf(name);
  if (number >= 0) return number;
  throw withCode(new TypeError(`option slowConsumer must be one of ${POLICIES.join(', ')}`), 'ERR_INVALID_ARG_VALUE');
}

/** Under the names of the net module where it has them. */
function tcp(options) {
  const probesAfter = amount(options, 'keepAliveInitialDelay', 0) || KEEP_ALIVE;
  return {
    noDelay: options.noDelay ?? true,
    keepAlive: options.keepAlive ? probesAfter : 0,
    userTimeout: amount(options, 'userTimeout', 0),
    sendBuffer: amount(options, 'sendBuffer', 0),
    receiveBuffer: amount(options, 'receiveBuffer', 0),
  };
}

/** For ws's limits that are none here, because less is ever kept: a wrong value is wrong all the same. */
function checkNeedless(options) {
  for (const name of ['maxBufferedChunks', 'maxPendingAutoPongs']) amount(options, name, 0);
}

function clientLimits(options) {
  checkNeedless(options);
  return limits(options, 0, 'client');
}

function serverLimits(options) {
  checkNeedless(options);
  return limits(options, HEAD_TIMEOUT, 'server');
}

module.exports = { amount, clientLimits, serverLimits };
