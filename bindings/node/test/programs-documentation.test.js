'use strict';
// The programs in the documentation of ws, socket.io, socket.io-client and the packages for Redis, as these bring it along: each runs with
// its own package and with ours, the import changed and nothing else, and the same has to be seen. The results are in docs/programs.md.

const assert = require('node:assert');
const { after, afterEach, before, test } = require('node:test');

const official = require('@socket.io/redis-adapter');
const own = require('sockline/redis-adapter');

const { blocksOf } = require('./programs/documentation/blocks');
const { onClient, onServer } = require('./programs/documentation/fragments');
const { CLIENT, SERVER } = require('./programs/documentation/server-table');
const { Redis, redisClient, closeClients, ours, theirs } = { ...require('./io-redis-support'), ...require('./io-support') };

const FRAGMENTS = { 'socket.io': { table: SERVER, run: onServer }, 'socket.io-client': { table: CLIENT, run: onClient } };

const PACKAGES = { ours: { ...ours }, theirs: { ...theirs } };
let redis;

before(async () => {
  redis = await Redis.start();
  PACKAGES.theirs.adapter = async () => official.createAdapter(await redisClient(redis.url), await redisClient(redis.url));
  PACKAGES.ours.adapter = () => own.createAdapter(redis.url, redis.url);
});

afterEach(closeClients);
after(() => redis.end());

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

for (const [name, { table, run }] of Object.entries(FRAGMENTS)) {
  for (const block of blocksOf(name)) {
    const entry = table[block.name.slice(name.length + 2)];
    if (!entry) continue;
    test(block.name, async () => {
      const { edits, epilogue = '', shows, may, ...options } = entry;
      const code = edited(block.code, edits) + epilogue;
      const seen = await run(PACKAGES.theirs, code, options);
      const text = JSON.stringify(seen);
      for (const part of shows) assert(text.includes(JSON.stringify(part).slice(1, -1)), `${part}: ${JSON.stringify(seen, null, 1)}`);
      assert.deepStrictEqual(comparable(await run(PACKAGES.ours, code, options), may), comparable(seen, may));
    });
  }
}
