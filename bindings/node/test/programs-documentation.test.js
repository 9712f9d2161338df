'use strict';
// The programs in the documentation of ws, socket.io, socket.io-client and the packages for Redis, as these bring it along: each runs with
// its own package and with ours, the import changed and nothing else, and the same has to be seen. The results are in docs/programs.md.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, test } = require('node:test');

const official = require('@socket.io/redis-adapter');
const own = require('sockline/redis-adapter');

const { issue, selfSigned } = require('./certificates');
const { blocksOf } = require('./programs/documentation/blocks');
const { onClient, onServer } = require('./programs/documentation/fragments');
const { run } = require('./programs/documentation/programs');
const { redisCluster } = require('./programs/documentation/redis-cluster');
const SKIPPED = require('./programs/documentation/skipped');
const { CLIENT, SERVER } = require('./programs/documentation/server-table');
const { Redis, closeClients, freePort, redisClient, ours, theirs } = { ...require('./io-redis-support'), ...require('./io-support') };

const AUTHORITY = selfSigned('authority');
const CERTIFICATE = issue(AUTHORITY);
const FILES = Object.fromEntries(['pem', 'key'].map((kind) => [kind, path.join(path.dirname(AUTHORITY.path), `${CERTIFICATE.file}.${kind}`)]));
const PROGRAMS = { ws: require('./programs/documentation/ws-table'), ...require('./programs/documentation/socketio-table') };
const FRAGMENTS = { 'socket.io': { table: SERVER, run: onServer }, 'socket.io-client': { table: CLIENT, run: onClient } };

const PACKAGES = { ours: { ...ours }, theirs: { ...theirs } };
let redis;
let nodes;

before(async () => {
  redis = await Redis.start();
  nodes = await redisCluster();
  redis.ports = nodes.ports;
  PACKAGES.theirs.adapter = async () => official.createAdapter(await redisClient(redis.url), await redisClient(redis.url));
  PACKAGES.ours.adapter = () => own.createAdapter(redis.url, redis.url);
});

afterEach(closeClients);
after(() => Promise.all([redis.end(), nodes.end()]));

function edited(code, edits = []) {
  return edits.reduce((text, [from, to]) => {
    assert(typeof from !== 'string' || text.includes(from), `it no longer says ${from}`);
    return text.replace(from, to);
  }, code);
}

/** What is printed of several in a room is in any order; and what may or may not be heard is left out. */
function comparable(seen, may) {
  return Object.fromEntries(Object.entries(seen).map(([who, what]) => [who, ['auth', 'printed'].includes(who) ? what.sort() : what.filter((one) => one !== may)]));
}

for (const name of Object.keys(SKIPPED)) {
  test(`${name}: every block is in a table, and every entry has its block`, () => {
    const run = Object.keys({ ...FRAGMENTS[name]?.table, ...PROGRAMS[name] });
    const listed = [...run, ...Object.keys(SKIPPED[name])].sort();
    assert.deepStrictEqual(blocksOf(name).map((block) => block.name.slice(name.length + 2)).sort(), listed);
    const rows = fs.readFileSync(path.join(__dirname, '../../../docs/programs.md'), 'utf8');
    if (run.length) assert.match(rows, new RegExp(`^\\| \\[${name}\\]\\S+, its documentation \\| .*\\| ${run.length} of ${listed.length} blocks`, 'm'));
  });
}

for (const [name, { table, run: runFragment }] of Object.entries(FRAGMENTS)) {
  for (const block of blocksOf(name)) {
    const entry = table[block.name.slice(name.length + 2)];
    if (!entry) continue;
    test(block.name, async () => {
      const { edits, epilogue = '', shows, may, ...options } = entry;
      const code = edited(block.code, edits) + epilogue;
      const seen = await runFragment(PACKAGES.theirs, code, options);
      const text = JSON.stringify(seen);
      for (const part of shows) assert(text.includes(JSON.stringify(part).slice(1, -1)), `${part}: ${JSON.stringify(seen, null, 1)}`);
      assert.deepStrictEqual(comparable(await runFragment(PACKAGES.ours, code, options), may), comparable(seen, may));
    });
  }
}

for (const [name, table] of Object.entries(PROGRAMS)) {
  for (const block of blocksOf(name)) {
    const entry = table[block.name.slice(name.length + 2)];
    if (!entry) continue;
    test(block.name, async () => {
      const seen = await runProgram(block, entry, false);
      assert(!/Error/.test(seen.errors), seen.errors);
      assert.deepStrictEqual(await runProgram(block, entry, true), seen);
    });
  }
}

/** At places of our own: its ports, hosts and files are free ones, peers here, and certificates of today. */
async function runProgram(block, { edits, prologue = '', epilogue = '', exchange, peer, ...more }, isOurs) {
  const other = await peer?.({ ...more, certificate: CERTIFICATE, redis });
  const port = other?.port ?? (await freePort());
  const code = (prologue + edited(block.code, edits) + epilogue)
    .replace(/ws:\/\/www\.host\.com/g, `ws://127.0.0.1:${port}`)
    .replace(/wss:\/\/websocket-echo\.com/g, `wss://localhost:${port}`)
    .replace(/\b(8080|3000)\b/g, port)
    .replace(/REDIS/g, redis.url)
    .replace(/\b700([012])\b/g, (all, node) => redis.ports[node])
    .replace(/\b(socketId|theSocketId)\b/g, (name) => (other?.ids ? JSON.stringify(other.ids[name]) : name))
    .replace(/\/path\/to\/(cert|key)\.pem/g, (all, part) => FILES[part === 'cert' ? 'pem' : part]);
  try {
    return await run(code, exchange, { isOurs, language: block.language, port, peer: other, redis, environment: { NODE_EXTRA_CA_CERTS: AUTHORITY.path } });
  } finally {
    await other?.close();
  }
}
