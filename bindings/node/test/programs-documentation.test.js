'use strict';
// The programs in the documentation of ws, socket.io, socket.io-client and the packages for Redis, as these bring it along: each runs with
// its own package and with ours, the import changed and nothing else, and the same has to be seen. The results are in docs/programs.md.
// Here are the fragments; programs-documentation-whole.test.js runs whole programs.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, test } = require('node:test');

const official = require('@socket.io/redis-adapter');
const own = require('sockline/redis-adapter');

const { blocksOf, edited } = require('./programs/documentation/blocks');
const { onClient, onServer } = require('./programs/documentation/fragments');
const SKIPPED = require('./programs/documentation/skipped');
const { CLIENT, SERVER } = require('./programs/documentation/server-table');
const { Redis, closeClients, redisClient, ours, theirs } = { ...require('./io-redis-support'), ...require('./io-support') };

const PROGRAMS = { ws: require('./programs/documentation/ws-table'), ...require('./programs/documentation/socketio-table') };
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
