'use strict';
// Options under ws's names, with ws's defaults; and clear words about what sockline does not have.

const { compression } = require('./compression');
const { withCode } = require('./errors');

const MAX_PAYLOAD = 100 * 1024 * 1024;
const CLOSE_TIMEOUT = 30_000; // ms
const HIGH_WATER_MARK = 1024 * 1024; // bytes
const KEEP_ALIVE = 7_200_000; // ms, Linux's own
const HEAD_TIMEOUT = 60_000; // ms, as http.Server's headersTimeout

/** What becomes of messages over the hard limit, by the addon's numbers. */
const POLICIES = ['error', 'drop-newest', 'drop-oldest', 'close'];

/** What ws can and sockline can't yet: ignoring these would change what a program does. */
const REFUSED = {
  autoPong: (value) => value === false && 'pings are always answered',
  allowSynchronousEvents: (value) => value === false && 'events of one read come in one go',
};
const REFUSED_OF_CLIENT = {
  ...REFUSED,
  agent: (value) => Boolean(value) && 'there are no agents: connections are not made by the http module',
  createConnection: (value) => Boolean(value) && 'connections are not made by the net module',
  lookup: (value) => Boolean(value) && 'names are looked up by the system',
  generateMask: (value) => Boolean(value) && 'masks come from the system\'s random numbers (RFC 6455 §5.3)',
  finishRequest: (value) => Boolean(value) && 'requests are not made by the http module; use headers',
};
const REFUSED_OF_SERVER = {
  ...REFUSED,
  server: (value) => Boolean(value) && 'attaching to a server of the http module is not possible yet; use port',
  noServer: (value) => Boolean(value) && 'there is no handleUpgrade yet; use port',
};

function refuse(options, refused) {
  for (const [name, judge] of Object.entries(refused)) {
    const reason = judge(options[name]);
    if (reason) throw withCode(new Error(`option ${name}: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
  }
}

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

function clientLimits(options) {
  refuse(options, REFUSED_OF_CLIENT);
  return limits(options, 0, 'client');
}

function serverLimits(options) {
  refuse(options, REFUSED_OF_SERVER);
  return limits(options, HEAD_TIMEOUT, 'server');
}

module.exports = { amount, clientLimits, serverLimits };
