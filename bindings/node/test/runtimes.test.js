'use strict';
// Bun and Deno, which npm brings into a folder of their own, run the same program as Node, with the same answers.

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { promisify } = require('node:util');
const { install } = require('./installed');

const run = promisify(execFile);
const FOLDER = path.join(__dirname, 'runtimes');
const PROGRAM = path.join(FOLDER, 'program.cjs');
const bin = (name) => path.join(FOLDER, 'node_modules/.bin', name);

const RUNTIMES = {
  node: [process.execPath, PROGRAM],
  bun: [bin('bun'), PROGRAM],
  deno: [bin('deno'), 'run', '--allow-all', '--quiet', PROGRAM],
};

async function answers([program, ...args]) {
  const { stdout, stderr } = await run(program, args, { timeout: 100_000 });
  assert.strictEqual(stderr, '');
  return JSON.parse(stdout);
}

test('Bun and Deno do what Node does, and end', async (t) => {
  await install(FOLDER);
  const names = Object.keys(RUNTIMES);
  const all = await Promise.allSettled(names.map((name) => answers(RUNTIMES[name])));
  const given = Object.fromEntries(names.map((name, i) => [name, all[i].value ?? all[i].reason]));
  const expected = given.node;
  assert.deepStrictEqual(expected.timers, ['of a', 'of b']);
  assert.deepStrictEqual(expected.browsers[3], ['1', 'after 1', '2', 'after 2']);
  for (const name of ['bun', 'deno']) {
    await t.test(name, () => assert.deepStrictEqual(given[name], expected));
  }
});

test('a process of theirs ends with live connections', async () => {
  const source = `
    const { WebSocketServer, WebSocket } = require(${JSON.stringify(path.dirname(__dirname))});
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => {
      new WebSocket('ws://127.0.0.1:' + server.address().port).on('open', () => process.exit(7));
    });`;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sockline-'));
  const file = path.join(folder, 'program.cjs');
  fs.writeFileSync(file, source);
  try {
    for (const [program, ...args] of [RUNTIMES.bun, RUNTIMES.deno]) {
      const ended = run(program, args.map((arg) => (arg === PROGRAM ? file : arg)), { timeout: 60_000 });
      await assert.rejects(ended, { code: 7, stderr: '' });
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
