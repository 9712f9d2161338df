'use strict';
// What of npm's socket.io, socket.io-client, and the packages for clusters is here. Names are read off the types of the packages.

const http = require('node:http');

const { eventsOf } = require('./socketio-events');
const { MISSING, SUPPORTED, tried } = require('./tables');
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

/** How what is not in our types is used; what throws in words is refused, what is taken is ignored. */
const USES = {
  'Server: attachApp': () => new ours.Server().attachApp({}),
  'Server: bind': () => new ours.Server().bind({}),
  'options of servers: wsEngine': () => new ours.Server(0, { wsEngine: class {} }),
  'options of servers: initialPacket': () => new ours.Server(0, { initialPacket: 'x' }),
  'options of managers: agent': () => ours.connect('http://localhost:1', { forceNew: true, agent: new http.Agent() }),
  'options of managers: closeOnBeforeunload': () => ours.connect('http://localhost:1', { autoConnect: false, closeOnBeforeunload: true }),
  'options of managers: useNativeTimers': () => ours.connect('http://localhost:1', { autoConnect: false, useNativeTimers: true }),
  'options of createAdapter: parser': () => redis.createAdapter(NOWHERE, null, { parser: {} }),
  'options of emitters: parser': () => new Emitter(NOWHERE, { parser: {} }),
};

async function sections(page) {
  const pairs = typePairs();
  const found = TYPES[page].map((title) => tryWhatIsMissing(typeSection(title, pairs.find(({ name }) => name === title))));
  return EMITTERS[page] ? [...found, ...(await events(EMITTERS[page]))] : found;
}

function tryWhatIsMissing({ title, names, added }) {
  const tables = names.map((name) => {
    const use = USES[`${title}: ${name.name}`];
    if (name.found !== MISSING || !use) return name;
    const outcome = tried(use);
    return outcome === SUPPORTED ? { ...name, today: 'ignored' } : { ...name, found: outcome };
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
