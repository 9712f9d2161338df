'use strict';
// What of npm's ws is here. Its names are read off its living objects and its sources, which document all options.

const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');

const { codesOf } = require('./ws-codes');
const { eventsOf } = require('./ws-events');
const { MISSING, REFUSED, SUPPORTED, members, tried } = require('./tables');
const { typeNames } = require('./types');

const ours = require('sockline');
const theirs = require('ws');

/** What ws sets itself, whatever is asked for: the URL says it. */
const OVERWRITTEN = new Set(['socketPath', 'hostname', 'protocol', 'timeout', 'method', 'host', 'path', 'port']);
/** What it gives to its compression itself. */
const GIVEN = new Set(['isServer', 'maxPayload']);

const MAKER = 'constructor(options';

/** Values that ask for something; of other options an object does. */
const VALUES = {
  generateMask: () => {},
  setHost: false,
};

/** Values of options that are taken. Those of certificates and keys are left to the tests of TLS. */
const VALID = {
  allowSynchronousEvents: false,
  autoPong: false,
  maxBufferedChunks: 1,
  maxFragments: 1,
  maxPendingAutoPongs: 1,
  signal: new AbortController().signal,
  skipUTF8Validation: true,
  ALPNProtocols: ['http/1.1'],
  agent: new http.Agent(),
  auth: 'user:password',
  backlog: 5,
  clientTracking: false,
  closeTimeout: 1000,
  checkServerIdentity: () => {},
  ciphers: 'HIGH',
  concurrencyLimit: 1,
  createConnection: () => net.connect(1, '127.0.0.1'),
  finishRequest: (request) => request.end(),
  hints: 1,
  lookup: () => {},
  clientMaxWindowBits: 10,
  clientNoContextTakeover: true,
  family: 4,
  followRedirects: true,
  handleProtocols: () => false,
  handshakeTimeout: 1000,
  headers: { 'X-A': 'b' },
  host: '127.0.0.1',
  localAddress: '127.0.0.1',
  maxPayload: 1000,
  maxRedirects: 1,
  minVersion: 'TLSv1.3',
  origin: 'http://a.example',
  path: '/path',
  perMessageDeflate: { threshold: 1 },
  port: 0,
  protocolVersion: 13,
  rejectUnauthorized: false,
  noServer: true,
  server: http.createServer(),
  serverMaxWindowBits: 10,
  serverNoContextTakeover: true,
  servername: 'a.example',
  threshold: 1,
  verifyClient: () => true,
  WebSocket: class extends ours {},
  zlibDeflateOptions: { level: 1, memLevel: 1, chunkSize: 1024 },
  zlibInflateOptions: { chunkSize: 1024 },
};

async function sections() {
  const [esm, theirEsm] = [await import('sockline'), await import('ws')];
  const server = new ours.WebSocketServer({ port: 0 });
  const theirServer = new theirs.WebSocketServer({ port: 0 });
  server.close();
  theirServer.close();
  return [
    members('Exports of `require`', theirs, ours),
    members('Exports of `import`', { ...theirEsm }, { ...esm }),
    members('WebSocket', theirs.prototype, ours.prototype),
    members('WebSocketServer', theirServer, server),
    ...(await events()),
    options('Options of WebSocket', clientOptions(), 'options of WebSocket', (given) => connectNowhere(given)),
    options('Options of WebSocketServer', documented('websocket-server.js', MAKER), 'options of WebSocketServer', listenBriefly),
    options('Options of perMessageDeflate', documented('permessage-deflate.js', MAKER).filter((name) => !GIVEN.has(name)), 'options of perMessageDeflate', compressNowhere),
    options('Options of send', documented('websocket.js', 'send(data'), 'options of send', () => {}),
    await codes(),
  ];
}

/** The options that the comment above a function of ws speaks of. */
function documented(file, start) {
  const source = fs.readFileSync(path.join(path.dirname(require.resolve('ws')), 'lib', file), 'utf8');
  const comment = source.slice(0, source.indexOf(`\n  ${start}`) + 1 || source.indexOf(`\n${start}`)).split('/**').pop();
  const names = [...comment.matchAll(/\[options\.(\w+)/g)].map(([, name]) => name);
  if (names.length === 0) throw new Error(`${file} documents no options of ${start}`);
  return [...new Set(names)].sort();
}

/** ws's own, and those that it passes on to the http and https modules. */
function clientOptions() {
  const passed = [...typeNames('options of http.request'), ...typeNames('options of https.request')];
  const names = new Set([...documented('websocket.js', 'function initAsClient'), ...passed]);
  return [...names].filter((name) => !OVERWRITTEN.has(name)).sort();
}

/** Options that our types speak of are taken, with good values; the others are refused, or ignored. */
function options(title, names, ownTypes, use) {
  const own = typeNames(ownTypes);
  const tables = names.map((name) => {
    if (own.includes(name)) return { name, found: name in VALID ? tried(() => use({ [name]: VALID[name] })) : SUPPORTED };
    const found = tried(() => use({ [name]: VALUES[name] ?? {} }));
    return found === REFUSED ? { name, found } : { name, found: MISSING, today: found === SUPPORTED ? 'ignored' : 'an error' };
  });
  return { title, names: tables, added: own.filter((name) => !names.includes(name)).sort() };
}

function connectNowhere(given) {
  const socket = new ours('wss://127.0.0.1:1', given);
  socket.on('error', () => {});
}

function compressNowhere(given) {
  connectNowhere({ perMessageDeflate: given });
}

function listenBriefly(given) {
  const place = given.server || given.noServer ? {} : { port: 0, host: '127.0.0.1' };
  new ours.WebSocketServer({ ...place, ...given }).close();
}

/** Events, by what is heard in the same story of either package. */
async function events() {
  const [told, heard] = [await eventsOf(theirs), await eventsOf(ours)];
  return Object.entries(told).map(([who, events]) => ({
    title: `Events of ${who}`,
    names: [...events].map(([name, count]) => {
      const own = heard[who].get(name);
      const difference = own === count ? '' : `comes with ${own} arguments, not ${count}`;
      return own === undefined ? { name, found: MISSING, isEvent: true } : { name, found: SUPPORTED, difference };
    }),
  }));
}

/** Error codes, by what each package says of the same bytes. */
async function codes() {
  const all = fs.readdirSync(path.join(path.dirname(require.resolve('ws')), 'lib')).flatMap((file) => {
    return fs.readFileSync(path.join(path.dirname(require.resolve('ws')), 'lib', file), 'utf8').match(/WS_ERR_[A-Z0-9_]+/g) ?? [];
  });
  const [told, heard] = [await codesOf(theirs), await codesOf(ours)];
  const names = [...new Set(all)].sort().map((name) => {
    if (told.get(name) !== name) throw new Error(`ws says ${told.get(name)} where it should say ${name}`);
    return { name, found: heard.get(name) === name ? SUPPORTED : MISSING };
  });
  return { title: 'Error codes', names };
}

module.exports = { sections };
