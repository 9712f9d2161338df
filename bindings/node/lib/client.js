'use strict';
// From the arguments of `new WebSocket(address, protocols, options)` to what the engine takes.

const { clientLimits, flatten } = require('./options');

const TOKEN = /^[!#$%&'*+\-.0-9A-Z^_`|a-z~]+$/; // RFC 9110 §5.6.2
/** Header lines that belong to the handshake; the application's are passed over, as in ws. */
const OWN_HEADERS = new Set(['sec-websocket-version', 'sec-websocket-key', 'connection', 'upgrade']);
const PROTOCOL_VERSION = 13;

/** What the engine needs to connect, as its `ConnectOptions`, without the key. */
function describeClient(address, protocols, options) {
  if (typeof protocols === 'object' && protocols !== null && !Array.isArray(protocols)) {
    [protocols, options] = [undefined, protocols];
  }
  options ??= {};
  const version = options.protocolVersion ?? PROTOCOL_VERSION;
  if (version !== PROTOCOL_VERSION) {
    throw new RangeError(`Unsupported protocol version: ${version} (supported versions: ${PROTOCOL_VERSION})`);
  }
  return {
    limits: clientLimits(options),
    url: parseUrl(address),
    protocols: checkProtocols([protocols ?? options.protocols ?? []].flat()),
    headers: headerLines(options),
  };
}

function parseUrl(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    throw new SyntaxError(`Invalid URL: ${address}`);
  }
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
    throw new SyntaxError('The URL\'s protocol must be one of "ws:", "wss:", "http:", or "https:"');
  }
  if (url.hash) throw new SyntaxError('The URL contains a fragment identifier');
  return url.href;
}

function checkProtocols(protocols) {
  const valid = protocols.every((protocol) => typeof protocol === 'string' && TOKEN.test(protocol));
  if (!valid || new Set(protocols).size < protocols.length) {
    throw new SyntaxError('An invalid or duplicated subprotocol was specified');
  }
  return protocols;
}

function headerLines({ headers, origin, auth }) {
  const given = Object.entries(headers ?? {}).filter(([name]) => !OWN_HEADERS.has(name.toLowerCase()));
  const lines = Object.fromEntries(given);
  if (origin) lines.Origin = origin;
  if (auth) lines.Authorization ??= `Basic ${Buffer.from(auth).toString('base64')}`;
  return flatten(lines);
}

module.exports = { describeClient, TOKEN };
