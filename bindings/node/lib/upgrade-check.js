'use strict';
// Whether a request that Node's http module has read asks for a WebSocket, with ws's answers if it does not (RFC 6455 §4.2.1).

const { checkOffers } = require('./offers');
const { parse } = require('./subprotocol');

const KEY = /^[+/0-9A-Za-z]{22}==$/;
const VERSIONS = [13, 8]; // 8 differs by its name only

/** What is wrong with the request itself: `{ status, message, headers }`; undefined if nothing is. */
function faultOf({ method, headers }) {
  if (method !== 'GET') return { status: 405, message: 'Invalid HTTP method' };
  if (headers.upgrade?.toLowerCase() !== 'websocket') return { status: 400, message: 'Invalid Upgrade header' };
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) {
    return { status: 400, message: 'Missing or invalid Sec-WebSocket-Key header' };
  }
  if (VERSIONS.includes(Number(headers['sec-websocket-version']))) return undefined;
  const message = 'Missing or invalid Sec-WebSocket-Version header';
  return { status: 400, message, headers: { 'Sec-WebSocket-Version': VERSIONS.join(', ') } };
}

/** What is wrong with what it offers: `{ status, message }`. */
function offerFault({ headers }, perMessageDeflate) {
  const protocols = headers['sec-websocket-protocol'];
  if (protocols !== undefined && fails(() => parse(protocols))) {
    return { status: 400, message: 'Invalid Sec-WebSocket-Protocol header' };
  }
  const extensions = headers['sec-websocket-extensions'];
  if (perMessageDeflate && extensions !== undefined && fails(() => checkOffers(extensions, perMessageDeflate))) {
    return { status: 400, message: 'Invalid or unacceptable Sec-WebSocket-Extensions header' };
  }
  return undefined;
}

/** The offered subprotocols. */
function protocolsOf({ headers }) {
  const header = headers['sec-websocket-protocol'];
  return header === undefined ? new Set() : parse(header);
}

/** Version 8 has another name for the header. */
function originOf({ headers }) {
  return Number(headers['sec-websocket-version']) === 8 ? headers['sec-websocket-origin'] : headers.origin;
}

/** The head of the request as the engine reads it: only what the handshake is about. */
function headOf({ url, headers }) {
  const lines = [
    `GET ${url} HTTP/1.1`,
    `Host: ${headers.host ?? 'localhost'}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${headers['sec-websocket-key']}`,
  ];
  const kept = { Origin: 'origin', 'Sec-WebSocket-Protocol': 'sec-websocket-protocol', 'Sec-WebSocket-Extensions': 'sec-websocket-extensions' };
  for (const [name, key] of Object.entries(kept)) if (headers[key] !== undefined) lines.push(`${name}: ${headers[key]}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function fails(act) {
  try {
    act();
    return false;
  } catch {
    return true;
  }
}

module.exports = { faultOf, headOf, offerFault, originOf, protocolsOf };
