'use strict';
// The options of socket.io-client and engine.io-client under their names and with their defaults, as the addon's
// `IoManagerOptions`.

const { parseUrl } = require('../../client');
const { describeDialing } = require('../../dialing');
const { withCode } = require('../../errors');
const { flatten } = require('../../headers');
const { amount } = require('../../options');
const { parserOption } = require('../parsers');

const TRANSPORTS = ['polling', 'websocket'];
const COMPRESSION_THRESHOLD = 1024; // bytes
const SEND_BUFFER = 16 << 20; // bytes
const MAX_ATTACHMENTS = 10; // as in socket.io-parser
const MOST_ATTACHMENTS = 1023;
const MAX_PAYLOAD = 100 << 20; // bytes; ws's default

/** Reconnection and timeout are the manager's own properties. */
function managerOptions(manager, key) {
  const { opts: options } = manager;
  const { description: { context, ...client }, dialer } = describeConnection(manager.uri, options);
  const parser = parserOption(options.parser);
  manager._codec = parser.codec;
  return {
    context,
    dialer,
    description: {
      ...parser.description,
      client: { ...client, key },
      path: options.path.replace(/\/$/, ''),
      addTrailingSlash: options.addTrailingSlash !== false,
      transports: transports(transportsOf(options)),
      upgrade: options.upgrade !== false,
      rememberUpgrade: Boolean(options.rememberUpgrade),
      tryAllTransports: Boolean(options.tryAllTransports),
      query: flatten(options.query ?? {}),
      timestampRequests: options.timestampRequests ?? undefined,
      timestampParam: options.timestampParam ?? 't',
      forceBase64: Boolean(options.forceBase64),
      keepCookies: Boolean(options.withCredentials),
      requestTimeout: amount(options, 'requestTimeout', 0),
      reconnection: manager.reconnection(),
      reconnectionAttempts: attempts(manager.reconnectionAttempts()),
      reconnectionDelay: manager.reconnectionDelay(),
      reconnectionDelayMax: manager.reconnectionDelayMax(),
      randomizationFactor: manager.randomizationFactor(),
      timeout: manager.timeout() === false ? -1 : Number(manager.timeout()),
      maxAttachments: Math.min(amount(options, 'maxAttachments', MAX_ATTACHMENTS), MOST_ATTACHMENTS),
      sendBuffer: amount(options, 'sendBufferLimit', SEND_BUFFER),
    },
  };
}

function attempts(number) {
  return number === Infinity ? undefined : number;
}

function transportsOf({ transports, transportImplementations }) {
  if (transports && transportImplementations) {
    throw new Error("specifying both 'transportImplementations' and 'transports' options is not supported");
  }
  return transportImplementations ?? transports ?? TRANSPORTS;
}

/** Classes stand for their names. */
function transports(given) {
  const names = given.map((one) => (typeof one === 'string' ? one : (one.transport ?? one.prototype?.name)));
  const numbers = names.map((name) => TRANSPORTS.indexOf(name)).filter((number) => number >= 0);
  if (numbers.length > 0) return numbers;
  throw withCode(new Error(`option transports: none of ${names} is possible`), 'SOCKLINE_ERR_UNSUPPORTED');
}

/** As for a WebSocket: headers, TLS, proxy, limits. */
function describeConnection(uri, options) {
  const { extraHeaders, perMessageDeflate = { threshold: COMPRESSION_THRESHOLD }, transportOptions } = options;
  for (const [name, own] of Object.entries(transportOptions ?? {})) {
    const other = Object.keys(own ?? {}).find((option) => option !== 'extraHeaders');
    if (other !== undefined) {
      const text = `option transportOptions.${name}.${other}: a transport can have extraHeaders of its own only`;
      throw withCode(new Error(text), 'SOCKLINE_ERR_UNSUPPORTED');
    }
  }
  const ofTransports = TRANSPORTS.map((name) => transportOptions?.[name]?.extraHeaders);
  const headers = Object.assign({}, ...ofTransports, extraHeaders);
  const url = parseUrl(uri);
  const protocols = [options.protocols ?? []].flat();
  const own = { ...tlsOptions(options), ...connectionOptions(options), headers, perMessageDeflate };
  return describeDialing(url, protocols, { ...own, agent: options.agent });
}

const TLS_OPTIONS = ['pfx', 'key', 'passphrase', 'cert', 'ca', 'ciphers', 'rejectUnauthorized', 'servername', 'minVersion', 'maxVersion',
  'checkServerIdentity'];
const CONNECTION_OPTIONS = [
  'proxy',
  'origin',
  'maxPayload',
  'protocolVersion',
  'localAddress',
  'family',
  'highWaterMark',
  'hardLimit',
  'slowConsumer',
  'keepAlive',
  'noDelay',
];

function tlsOptions(options) {
  return pick(options, TLS_OPTIONS);
}

function connectionOptions(options) {
  return { maxPayload: MAX_PAYLOAD, ...pick(options, CONNECTION_OPTIONS) };
}

function pick(options, names) {
  const given = names.filter((name) => options[name] != null).map((name) => [name, options[name]]);
  return Object.fromEntries(given);
}

module.exports = { managerOptions };
