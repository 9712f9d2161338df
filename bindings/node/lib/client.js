'use strict';
// From the arguments of `new WebSocket(address, protocols, options)` to what the engine takes.

const net = require('net');
const { unescape } = require('querystring'); // takes any text

const { withCode } = require('./errors');
const { flatten } = require('./headers');
const { amount, clientLimits } = require('./options');
const { refuseOfClient } = require('./refused-options');
const { reconnectOption } = require('./reconnecting');
const { clientContext } = require('./tls');

const TOKEN = /^[!#$%&'*+\-.0-9A-Z^_`|a-z~]+$/; // RFC 9110 §5.6.2
/** Header lines that belong to the handshake; the application's are passed over, as in ws. */
const OWN_HEADERS = new Set(['sec-websocket-version', 'sec-websocket-key', 'connection', 'upgrade']);
const PROTOCOL_VERSION = 13;
const MAX_REDIRECTS = 10;

/** What the engine needs to connect, as its `ConnectOptions`, without the key; and the context of TLS. */
function describeClient(url, protocols, options) {
  const version = options.protocolVersion ?? PROTOCOL_VERSION;
  if (version !== PROTOCOL_VERSION) {
    throw new RangeError(`Unsupported protocol version: ${version} (supported versions: ${PROTOCOL_VERSION})`);
  }
  refuseOfClient(options, url.protocol === 'wss:');
  const reconnect = reconnectOption(options.reconnect);
  return {
    limits: clientLimits(options),
    url: url.href,
    context: clientContext(options, url.host),
    protocols: checkProtocols(protocols),
    headers: headerLines(options),
    ...localAddress(options),
    proxy: proxyUrl(options),
    reconnect,
    // Where the engine comes back by itself it has to find the way by itself, too.
    maxRedirects: reconnect && options.followRedirects ? amount(options, 'maxRedirects', MAX_REDIRECTS) : 0,
  };
}

/** A URL of a WebSocket; `http:` stands for `ws:`. */
function parseUrl(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    throw new SyntaxError(`Invalid URL: ${address}`);
  }
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if (!['ws:', 'wss:', 'ws+unix:'].includes(url.protocol)) {
    throw new SyntaxError('The URL\'s protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"');
  }
  if (url.protocol === 'ws+unix:' && !url.pathname) throw new SyntaxError("The URL's pathname is empty");
  if (url.hash) throw new SyntaxError('The URL contains a fragment identifier');
  return url;
}

function checkProtocols(protocols) {
  const valid = protocols.every((protocol) => typeof protocol === 'string' && TOKEN.test(protocol));
  if (!valid || new Set(protocols).size < protocols.length) {
    throw new SyntaxError('An invalid or duplicated subprotocol was specified');
  }
  return protocols;
}

/** Of names that differ only in their case the last one counts, as in Node's http module. */
function headerLines({ headers, origin, auth }) {
  const lines = new Map();
  const set = (name, value) => lines.set(name.toLowerCase(), [name, value]);
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (value === undefined) {
      throw withCode(new TypeError(`Invalid value "undefined" for header "${name}"`), 'ERR_HTTP_INVALID_HEADER_VALUE');
    }
    if (!OWN_HEADERS.has(name.toLowerCase())) set(name, value);
  }
  if (origin) set('Origin', origin);
  if (auth && !lines.has('authorization')) set('Authorization', `Basic ${Buffer.from(auth).toString('base64')}`);
  return [...lines.values()].flatMap(([name, value]) => flatten({ [name]: value }));
}

/** The options with the URL's userinfo as `auth`, before which it counts, also at redirects, as in ws. */
function withUserinfo(options, { username, password }) {
  return username || password ? { ...options, auth: `${unescape(username)}:${unescape(password)}` } : options;
}

/** Empty for what the environment says; undefined for none. */
function proxyUrl({ proxy = false }) {
  if (proxy === true) return '';
  return proxy ? String(proxy) : undefined;
}

/** The address of any interface stands for the whole family: the host's addresses of the other one can't be reached. */
const ANY = { 4: '0.0.0.0', 6: '::' };

function localAddress(options) {
  const { localAddress: address, family = 0 } = options;
  if (address && !net.isIP(address)) {
    throw withCode(new TypeError(`Invalid IP address: ${address}`), 'ERR_INVALID_IP_ADDRESS');
  }
  if (![0, 4, 6].includes(family)) {
    throw withCode(new TypeError(`option family must be 0, 4 or 6, not ${family}`), 'ERR_INVALID_ARG_VALUE');
  }
  const localPort = amount(options, 'localPort', 0);
  if (localPort > 65_535 || (localPort > 0 && !address && family === 0)) {
    throw withCode(new RangeError('option localPort must be below 65536, and needs localAddress or family'), 'ERR_OUT_OF_RANGE');
  }
  return { localAddress: address || ANY[family], localPort };
}

module.exports = { describeClient, parseUrl, withUserinfo, MAX_REDIRECTS, TOKEN };
