'use strict';
// What of npm's socket.io, socket.io-client, and the packages for clusters is here. Names are read off the types of the packages.

const http = require('node:http');

const { eventsOf } = require('./socketio-events');
const { MISSING, REFUSED, SUPPORTED, tried } = require('./tables');
const { typePairs, typeSection } = require('./types');

const ours = { ...require('sockline/socket.io'), ...require('sockline/socket.io-client') };
const theirs = { ...require('socket.io'), ...require('socket.io-client') };
const redis = require('sockline/redis-adapter');
const { Emitter } = require('sockline/redis-emitter');

const NOWHERE = 'redis://127.0.0.1:1';

/** Sections of each page, as `types/names.ts` names them. */
const TYPES = {
  'socket.io': [
    ...['exports of socket.io', 'Server', 'options of servers', 'Namespace', 'Socket', 'handshake', 'BroadcastOperator', 'RemoteSocket'],
    ...['Adapter', 'Client', 'engine', 'conn', 'transport'],
  ],
  'socket.io-client': [
    ...['exports of socket.io-client', 'Manager', 'options of managers', 'Socket of clients', 'options of sockets', 'engine of clients'],
  ],
  'redis-adapter': ['exports of redis-adapter', 'options of createAdapter', 'options of createShardedAdapter', 'RedisAdapter'],
  'redis-streams-adapter': ['exports of redis-streams-adapter', 'options of streams'],
  'redis-emitter': ['exports of redis-emitter', 'Emitter', 'BroadcastOperator of emitters', 'options of emitters'],
};

/** How names are used: what throws in words is refused, what is taken without being in our types is ignored. */
const USES = {
  'Server: attachApp': () => new ours.Server().attachApp({}),
  'options of servers: wsEngine': () => new ours.Server(0, { wsEngine: class {} }),
  'options of servers: initialPacket': () => new ours.Server(0, { initialPacket: 'x' }),
  'options of createAdapter: parser': () => redis.createAdapter(NOWHERE, null, { parser: {} }),
  'options of emitters: parser': () => new Emitter(NOWHERE, { parser: {} }),
};

const OPTIONS = {
  servers: {
    path: '/path',
    serveClient: false,
    connectTimeout: 1000,
    connectionStateRecovery: { maxDisconnectionDuration: 1000, skipMiddlewares: false },
    cleanupEmptyChildNamespaces: true,
    pingTimeout: 1000,
    pingInterval: 1000,
    upgradeTimeout: 1000,
    maxHttpBufferSize: 1000,
    allowRequest: () => {},
    transports: ['polling'],
    allowUpgrades: false,
    perMessageDeflate: { threshold: 1 },
    httpCompression: { threshold: 1 },
    cookie: { name: 'io', maxAge: 1 },
    cors: { origin: '*' },
    allowEIO3: true,
    destroyUpgrade: false,
    destroyUpgradeTimeout: 1000,
    addTrailingSlash: false,
  },
  managers: {
    agent: new http.Agent(),
    pfx: Buffer.of(1),
    ciphers: 'HIGH',
    closeOnBeforeunload: true,
    useNativeTimers: true,
    multiplex: false,
    path: '/path',
    reconnection: false,
    reconnectionAttempts: 1,
    reconnectionDelay: 1,
    reconnectionDelayMax: 1,
    randomizationFactor: 0,
    timeout: 1000,
    query: { a: 'b' },
    upgrade: false,
    forceBase64: true,
    timestampParam: 'x',
    timestampRequests: true,
    transports: ['websocket'],
    tryAllTransports: true,
    rememberUpgrade: true,
    requestTimeout: 1000,
    transportOptions: { polling: { extraHeaders: { a: 'b' } } },
    rejectUnauthorized: false,
    extraHeaders: { a: 'b' },
    withCredentials: true,
    autoUnref: true,
    perMessageDeflate: { threshold: 1 },
    addTrailingSlash: false,
    protocols: ['a'],
  },
};
for (const [name, value] of Object.entries(OPTIONS.servers)) {
  USES[`options of servers: ${name}`] = () => new ours.Server(0, { [name]: value }).close();
}
for (const [name, value] of Object.entries(OPTIONS.managers)) {
  USES[`options of managers: ${name}`] = () => ours.connect('http://127.0.0.1:1', { forceNew: true, [name]: value }).disconnect();
}

/** What readers call what `types/names.ts` has other names for. */
const HEADINGS = {
  'exports of socket.io': 'Exports',
  'options of servers': 'Options of Server',
  handshake: '`socket.handshake`',
  Adapter: 'Adapter (`io.of(…).adapter`)',
  Client: 'Client (`socket.client`)',
  engine: '`io.engine`',
  conn: '`socket.conn`',
  transport: '`socket.conn.transport`',
  'Events of engine': 'Events of `io.engine`',
  'Events of conn': 'Events of `socket.conn`',
  'exports of socket.io-client': 'Exports',
  'options of managers': 'Options of Manager, and of `io()`',
  'Socket of clients': 'Socket',
  'options of sockets': 'Options of Socket',
  'engine of clients': '`manager.engine`',
  'Events of Socket of clients': 'Events of Socket',
  'Events of engine of clients': 'Events of `manager.engine`',
  'exports of redis-adapter': 'Exports',
  'options of createAdapter': 'Options of createAdapter',
  'options of createShardedAdapter': 'Options of createShardedAdapter',
  'exports of redis-streams-adapter': 'Exports',
  'options of streams': 'Options of createAdapter',
  'exports of redis-emitter': 'Exports',
  'BroadcastOperator of emitters': 'BroadcastOperator',
  'options of emitters': 'Options of Emitter',
};

async function sections(page) {
  const pairs = typePairs();
  const found = TYPES[page].map((title) => tryEach(typeSection(title, pairs.find(({ name }) => name === title))));
  const all = EMITTERS[page] ? [...found, ...(await events(EMITTERS[page]))] : found;
  return all.map((section) => ({ ...section, heading: HEADINGS[section.title] }));
}

function tryEach({ title, names, added }) {
  const tables = names.map((name) => {
    const use = USES[`${title}: ${name.name}`];
    if (!use) return name;
    const outcome = tried(use);
    if (name.found === SUPPORTED || outcome === REFUSED) return { ...name, found: outcome };
    return { ...name, today: outcome === SUPPORTED ? 'ignored' : 'an error' };
  });
  return { title, names: tables, added };
}

/** Whose events are told of on which page. */
const EMITTERS = {
  'socket.io': ['Server', 'Socket', 'Adapter', 'engine', 'conn'],
  'socket.io-client': ['Manager', 'Socket of clients', 'engine of clients'],
};

let stories;

/** Events, by what is heard in the same story of either package. */
async function events(emitters) {
  stories ??= { told: await eventsOf(theirs), heard: await eventsOf(ours) };
  const { told, heard } = stories;
  return emitters.map((who) => ({
    title: `Events of ${who}`,
    names: [...told[who]].map(([name, count]) => {
      const own = heard[who].get(name);
      if (own === undefined) return { name, found: MISSING, isEvent: true };
      return { name, found: SUPPORTED, difference: own >= count ? '' : `comes with ${own} arguments, not ${count}` };
    }),
  }));
}

module.exports = { TYPES, USES, sections };
