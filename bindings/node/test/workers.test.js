'use strict';
// A hundred workers with live connections, ended cleanly and terminated: nothing crashes, nothing is left behind, and the
// main thread's own connections don't notice.

const assert = require('node:assert');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { connect, finish, listen, ours } = require('./support');

const PROGRAM = path.join(__dirname, 'programs/worker_pair.js');
const WORKERS = 100;
const AT_ONCE = 4;
const WARM_UP = 12;
const MEBI = 1 << 20;
const PATIENCE = 10_000; // ms

/** What Linux counts of this process. */
const descriptors = () => fs.readdirSync('/proc/self/fd').length;
const threads = () => fs.readdirSync('/proc/self/task').length;
const memory = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;

/** One worker's life; `end` is how it ends. */
async function live(workerData, end) {
  const worker = new Worker(PROGRAM, { workerData });
  const exited = once(worker, 'exit');
  if (end === 'at once') {
    await once(worker, 'online');
    await worker.terminate();
  } else {
    await once(worker, 'message');
    if (end === 'cleanly') worker.postMessage('end');
    else await worker.terminate();
  }
  const [code] = await exited;
  assert.strictEqual(code, end === 'cleanly' ? 0 : 1, end);
}

async function run(count, url) {
  const ends = ['cleanly', 'terminated', 'at once'];
  for (let first = 0; first < count; first += AT_ONCE) {
    const lives = Array.from({ length: AT_ONCE }, (_, i) => {
      return live({ url, hasSocketIo: i === 0 }, ends[(first + i) % ends.length]);
    });
    await Promise.all(lives);
  }
}

/** How many more there are than before, once those that are just ending have ended: the system tells no event of that. */
async function lasting(before) {
  const more = () => ({
    threads: Math.max(0, threads() - before.threads),
    descriptors: Math.max(0, descriptors() - before.descriptors),
  });
  for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
    const { threads, descriptors } = more();
    if (threads + descriptors === 0) break;
    await new Promise(setImmediate);
  }
  return more();
}

test('100 workers come and go', async () => {
  const server = await listen(ours);
  const socket = await connect(ours, server.url);
  let answers = 0;
  let wrong = 0;
  socket.on('message', (data) => {
    if (String(data) !== `number ${answers}`) wrong += 1;
    answers += 1;
    socket.send(`number ${answers}`);
  });
  socket.send('number 0');
  await run(WARM_UP, server.url);
  const settled = async () => {
    while (server.clients.size > 1) await new Promise(setImmediate);
  };
  await settled();
  const before = { answers, descriptors: descriptors(), threads: threads(), memory: memory() };
  await run(WORKERS, server.url);
  await settled();
  assert.ok(answers > before.answers + WORKERS, 'the main thread has served its own client meanwhile');
  assert.strictEqual(wrong, 0);
  assert.deepStrictEqual(await lasting(before), { threads: 0, descriptors: 0 });
  const more = (memory() - before.memory) / MEBI;
  assert.ok(more < 40, `${more} MiB more after ${WORKERS} workers`);
  await finish(server, socket);
});
