'use strict';
// The options of socket.io and engine.io under their names and with their defaults, as the addon's `IoOptions`.

const { compression } = require('../compression');
const { withCode } = require('../errors');
const { amount, serverLimits } = require('../options');
const { clientFolder } = require('./bundle');
const { cors } = require('./cors');
const { parserOption } = require('./parsers');

const PING_INTERVAL = 25_000; // ms
const PING_TIMEOUT = 20_000; // ms
const UPGRADE_TIMEOUT = 10_000; // ms
const MAX_HTTP_BUFFER_SIZE = 1e6; // bytes
const MAX_DISCONNECTION = 2 * 60 * 1000; // ms
const COMPRESSION_THRESHOLD = 1024; // bytes
const MAX_ATTACHMENTS = 10; // as in socket.io-parser
/** What a record's attachments are counted with. */
const MOST_ATTACHMENTS = 1023;

const TRANSPORTS = ['polling', 'websocket'];
const SAME_SITE = ['strict', 'lax', 'none'];
const PRIORITY = ['low', 'medium', 'high'];

/** What engine.io can and the engine can't: ignoring these would change what a program does. */
const REFUSED = {
  wsEngine: (value) => value !== undefined && 'WebSockets are the engine\'s own',
  initialPacket: (value) => Boolean(value) && 'the first packet is the handshake',
  transports: (value) => value?.includes('webtransport') && 'WebTransport needs HTTP/3, which the engine does not have',
};

function serverOptions(server, options) {
  for (const [name, judge] of Object.entries(REFUSED)) {
    const reason = judge(options[name]);
    if (reason) throw unsupported(name, reason);
  }
  const { codec, description } = parserOption(options.parser);
  server._codec = codec;
  return {
    ...description,
    path: server.path(),
    addTrailingSlash: options.addTrailingSlash !== false,
    pingInterval: amount(options, 'pingInterval', PING_INTERVAL),
    pingTimeout: amount(options, 'pingTimeout', PING_TIMEOUT),
    upgradeTimeout: amount(options, 'upgradeTimeout', UPGRADE_TIMEOUT),
    connectTimeout: server.connectTimeout(),
    maxHttpBufferSize: amount(options, 'maxHttpBufferSize', MAX_HTTP_BUFFER_SIZE),
    transports: transports(options.transports ?? TRANSPORTS),
    allowUpgrades: options.allowUpgrades !== false,
    allowEio3: Boolean(options.allowEIO3),
    cors: options.cors ? cors(options.cors) : undefined,
    cookie: options.cookie ? cookie(options.cookie) : undefined,
    httpCompression: httpCompression(options.httpCompression ?? true),
    clientFolder: server.serveClient() ? clientFolder() : undefined,
    limits: limits(options),
    recovery: options.connectionStateRecovery ? recovery(options.connectionStateRecovery) : undefined,
    cleanupEmptyChildNamespaces: Boolean(options.cleanupEmptyChildNamespaces),
    forwardRequests: forwardRequests(server, options),
    maxAttachments: Math.min(amount(options, 'maxAttachments', MAX_ATTACHMENTS), MOST_ATTACHMENTS),
    askRequest: typeof options.allowRequest === 'function',
  };
}

/** Whether requests for sessions of other servers are forwarded to these. */
function forwardRequests(server, options) {
  if (!options.forwardRequests) return false;
  if (!server._isClustered) throw new TypeError('option forwardRequests needs the option adapter: the servers hear each other by Redis');
  if (server._engine._hasOwnIds) throw idsSayWhose();
  return true;
}

/** The ids of sessions can't be the program's own. */
function idsSayWhose() {
  return unsupported('forwardRequests', 'the ids of sessions say which server has them, so there can be no engine.generateId');
}

function unsupported(name, reason) {
  return withCode(new Error(`option ${name}: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
}

function transports(names) {
  const numbers = names.map((name) => TRANSPORTS.indexOf(name));
  if (numbers.includes(-1)) throw new TypeError(`option transports must be of ${TRANSPORTS.join(', ')}, not ${names}`);
  return numbers;
}

/** The limits of a WebSocketServer, of which those of messages and pings are not used. */
function limits(options) {
  const { highWaterMark, hardLimit, slowConsumer, noDelay, keepAlive, userTimeout, sendBuffer, receiveBuffer } = options;
  const own = { highWaterMark, hardLimit, slowConsumer, noDelay, keepAlive, userTimeout, sendBuffer, receiveBuffer };
  return { ...serverLimits(own), compression: compression(options.perMessageDeflate, 'server') };
}

function httpCompression(option) {
  if (!option) return undefined;
  const { threshold, ...others } = option === true ? {} : option;
  const [other] = Object.keys(others);
  if (other !== undefined) throw unsupported(`httpCompression.${other}`, 'compression has a threshold only');
  return amount({ threshold }, 'threshold', COMPRESSION_THRESHOLD);
}

function recovery(option) {
  const given = option === true ? {} : option;
  return {
    maxDisconnection: amount(given, 'maxDisconnectionDuration', MAX_DISCONNECTION),
    skipMiddlewares: given.skipMiddlewares ?? true,
    maxBytes: given.maxBytes === undefined ? undefined : amount(given, 'maxBytes', 0),
  };
}

/** The options of npm's cookie. */
function cookie(option) {
  const given = option === true ? {} : option;
  const sameSite = given.sameSite ?? 'lax';
  return {
    name: given.name ?? 'io',
    path: given.path === undefined ? '/' : given.path || undefined,
    httpOnly: given.httpOnly !== false,
    sameSite: sameSite === false ? undefined : choice('cookie.sameSite', sameSite === true ? 'strict' : sameSite, SAME_SITE),
    domain: given.domain || undefined,
    maxAge: given.maxAge == null ? undefined : Math.floor(given.maxAge),
    expires: given.expires ? Number(given.expires) : undefined,
    secure: Boolean(given.secure),
    partitioned: Boolean(given.partitioned),
    priority: given.priority ? choice('cookie.priority', given.priority, PRIORITY) : undefined,
  };
}

function choice(name, value, choices) {
  const number = choices.indexOf(String(value).toLowerCase());
  if (number < 0) throw new TypeError(`option ${name} is invalid`);
  return number;
}

module.exports = { idsSayWhose, serverOptions };
