'use strict';
// The whole programs in the documentation of ws, socket.io and the packages for Redis, in processes of their own: each with its own package and
// with ours, the import changed and nothing else, and the same has to be seen. The results are in docs/programs.md.

const assert = require('node:assert');
const path = require('node:path');
const { after, before, test } = require('node:test');

const { issue, selfSigned } = require('./certificates');
const { blocksOf, edited } = require('./programs/documentation/blocks');
const { run } = require('./programs/documentation/programs');
const { redisCluster } = require('./programs/documentation/redis-cluster');
const { Redis, freePort } = require('./io-redis-support');

const AUTHORITY = selfSigned('authority');
const CERTIFICATE = issue(AUTHORITY);
const FILES = Object.fromEntries(['pem', 'key'].map((kind) => [kind, path.join(path.dirname(AUTHORITY.path), `${CERTIFICATE.file}.${kind}`)]));
const PROGRAMS = { ws: require('./programs/documentation/ws-table'), ...require('./programs/documentation/socketio-table') };

let redis;
let nodes;

before(async () => {
  redis = await Redis.start();
  nodes = await redisCluster();
  redis.ports = nodes.ports;
});

after(() => Promise.all([redis.end(), nodes.end()]));

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
