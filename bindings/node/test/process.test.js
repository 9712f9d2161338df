'use strict';
// What concerns the process: its end, workers, exceptions, contexts, memory, modules and types.

const assert = require('node:assert');
const { AsyncLocalStorage, executionAsyncResource } = require('node:async_hooks');
const { execFile } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { promisify } = require('node:util');
const { Worker } = require('node:worker_threads');
const { connect, finish, listen, next, ours, theirs } = require('./support');

const run = promisify(execFile);
const PACKAGE = path.dirname(__dirname);

/** What a program prints that has to end by itself. */
async function program(...args) {
  const { stdout } = await run(process.execPath, args, { cwd: PACKAGE, timeout: 60_000 });
  return stdout.trim();
}

test('a program with nothing open ends by itself', async () => {
  await program('-e', "require('sockline')");
  const once = `
    const WebSocket = require('sockline');
    const server = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => socket.on('message', () => socket.close()));
    const socket = new WebSocket('ws://127.0.0.1:' + server.address().port);
    socket.on('open', () => socket.send('x'));
    socket.on('close', (code) => { console.log(code); server.close(); });`;
  assert.strictEqual(await program('-e', once), '1005');
  const refused = "new (require('sockline'))('ws://127.0.0.1:1').on('error', (error) => console.log(error.code))";
  assert.strictEqual(await program('-e', refused), 'ECONNREFUSED');
});

test('ES modules import it', async () => {
  assert.strictEqual(await program('test/programs/esm.mjs'), 'closed with 1000');
});

test('an exception in a handler does not stop the batch', async () => {
  const { caught, got } = JSON.parse(await program('test/programs/uncaught.js'));
  assert.deepStrictEqual(caught, ['of a handler']);
  assert.deepStrictEqual(got, ['one', 'two', 'three']);
});

test('an exception in a next tick does not keep what was sent before it from leaving', async () => {
  const script = `
    const WebSocket = require('sockline');
    const caught = [];
    process.on('uncaughtException', (error) => caught.push(error.message));
    const server = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => socket.on('message', (data) => {
      socket.send(data);
      process.nextTick(() => { throw new Error('of a tick'); });
    }));
    const socket = new WebSocket('ws://127.0.0.1:' + server.address().port);
    socket.on('open', () => socket.send('one'));
    socket.on('message', () => { socket.close(); server.close(); });
    socket.on('close', () => console.log(caught.join()));`;
  assert.strictEqual(await program('-e', script), 'of a tick');
});

test('the types are those of the package', async () => {
  const tsc = path.join(PACKAGE, 'node_modules/typescript/bin/tsc');
  for (const project of ['test/types', 'test/types/swapped.json']) {
    await run(process.execPath, [tsc, '--project', project], { cwd: PACKAGE }).catch((error) => {
      assert.fail(error.stdout);
    });
  }
});

test('a worker ends by itself when all is closed', async () => {
  const worker = new Worker(path.join(__dirname, 'programs/worker.js'));
  await next(worker, 'message');
  worker.postMessage('end');
  assert.deepStrictEqual(await next(worker, 'exit'), [0]);
});

test('handlers see the AsyncLocalStorage of the constructor', async () => {
  const storage = new AsyncLocalStorage();
  const server = await listen(theirs);
  const seen = [];
  const done = new Promise((resolve) => {
    for (const name of ['one', 'two']) {
      storage.run(name, () => {
        const socket = new ours(server.url);
        socket.on('open', () => socket.send(name));
        socket.on('message', (data) => {
          seen.push([String(data), storage.getStore()]);
          socket.close();
        });
        socket.on('close', () => seen.push(['close', storage.getStore()]) === 4 && resolve());
      });
    }
  });
  await done;
  for (const [sent, store] of seen) assert.ok(sent === 'close' || sent === store, `${sent} in ${store}`);
  await finish(server);
});

/** What handlers see of contexts in a client's messages, each in a turn of its own: there are more than it takes to be favoured. */
async function contexts(WebSocket, url, storage) {
  const seen = new Set();
  const resources = new Set();
  const echoes = (socket, count, act = () => {}) =>
    new Promise((resolve) => {
      socket.on('message', (data) => {
        const left = Number(data);
        act(left);
        const store = storage.getStore();
        seen.add(store);
        resources.add(executionAsyncResource());
        process.nextTick(() => seen.add(`${storage.getStore()} in a tick`));
        Promise.resolve().then(() => seen.add(`${storage.getStore()} in a promise`));
        if (left > 0) socket.send(String(left - 1));
        else setImmediate(resolve);
      });
      socket.once('open', () => socket.send(String(count)));
      if (socket.readyState === WebSocket.OPEN) socket.send(String(count));
    });
  const open = (name) => storage.run(name, () => new WebSocket(url));
  const [first, second] = [open('first'), open('second')];
  await next(second, 'open');
  await echoes(first, 200);
  first.removeAllListeners('message');
  await Promise.all([echoes(first, 200, (left) => left === 100 && storage.enterWith('entered')), echoes(second, 200)]);
  const told = [[...seen].sort(), resources.size];
  seen.clear();
  first.close();
  await next(first, 'close');
  const third = open('third'); // it has the key that the first one had
  await echoes(third, 200);
  third.close();
  second.close();
  return [...told, [...seen].sort()];
}

test('contexts are as with ws, however many messages a client has alone', async () => {
  const server = await listen(theirs, (socket) => socket.on('message', (data) => socket.send(String(data))));
  const [ourOnes, theirOnes] = [new AsyncLocalStorage(), new AsyncLocalStorage()];
  assert.deepStrictEqual(await contexts(ours, server.url, ourOnes), await contexts(theirs, server.url, theirOnes));
  await finish(server);
});

test('microtasks run between the open and the close that came in one turn', async () => {
  const server = await listen(ours, (socket) => socket.close(4000));
  for (let i = 0; i < 20; i++) {
    const socket = await connect(ours, server.url);
    assert.strictEqual((await next(socket, 'close'))[0], 4000);
  }
  await finish(server);
});

test('memory does not grow with the number of messages', async () => {
  const script = `
    const WebSocket = require('sockline');
    const server = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    const socket = new WebSocket('ws://127.0.0.1:' + server.address().port);
    const payload = Buffer.alloc(1000);
    let left = 200_000, half;
    const measure = () => { gc(); gc(); return process.memoryUsage.rss(); };
    socket.on('open', () => { for (let i = 0; i < 50; i++) socket.send(payload); });
    socket.on('message', () => {
      left -= 1;
      if (left === 100_000) half = measure();
      if (left > 0) return socket.send(payload);
      if (left === 0) console.log(measure() - half);
      socket.close(); server.close();
    });`;
  const grown = Number(await program('--expose-gc', '-e', script));
  assert.ok(grown < 8 << 20, `${grown} bytes more after 100,000 messages more`);
});
