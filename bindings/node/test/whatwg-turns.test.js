'use strict';
// No more than one connection at a time is CONNECTING to an address (RFC 6455 §4.1); which WebSockets stay; the global.

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { test } = require('node:test');
const { promisify } = require('node:util');
const { WebSocket, settings } = require('sockline/whatwg');
const { listen, theirs } = require('./support');
const { bare, noted, requestOn, soon, upgrade } = require('./whatwg/servers');

const run = promisify(execFile);
const PACKAGE = path.dirname(__dirname);

/** A server that answers requests when the test says so: `next()` gives the oldest that has no answer. */
async function patient(t, host) {
  const requests = [];
  let arrived = () => {};
  const server = await bare(
    t,
    async (socket) => {
      const request = await requestOn(socket);
      requests.push({ name: /^GET \/(\S*)/.exec(request)[1], accept: () => upgrade(socket, request), socket });
      arrived();
    },
    host,
  );
  return {
    requests,
    port: server.address().port,
    async next() {
      while (requests.length === 0) await new Promise((resolve) => (arrived = resolve));
      return requests.shift();
    },
  };
}

/** Long enough for a connection to come that must not: another one, made meanwhile, has come. */
async function settle(t) {
  const other = await patient(t);
  const socket = new WebSocket(`ws://127.0.0.1:${other.port}`);
  (await other.next()).accept();
  await soon(socket, 'open');
  socket.close();
}

test('connections to one address wait for each other, in their order', async (t) => {
  const server = await patient(t);
  const base = `ws://127.0.0.1:${server.port}`;
  const sockets = ['a', 'b', 'c', 'd'].map((name) => new WebSocket(`${base}/${name}`));
  const types = sockets.map(noted);
  const first = await server.next();
  assert.strictEqual(first.name, 'a');
  await settle(t);
  assert.deepStrictEqual(server.requests, []);
  assert.deepStrictEqual(sockets.map((socket) => socket.readyState), [0, 0, 0, 0]);
  first.accept();
  await soon(sockets[0], 'open');

  const second = await server.next(); // success frees the next, and so does failure
  assert.strictEqual(second.name, 'b');
  sockets[2].close(); // which has not begun
  second.socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
  const last = await server.next();
  assert.strictEqual(last.name, 'd');
  last.accept();
  await soon(sockets[3], 'open');
  assert.deepStrictEqual(types, [['open'], ['error', 'close'], ['error', 'close'], ['open']]);
});

test('giving up frees the next', async (t) => {
  const server = await patient(t);
  const [first, second] = ['a', 'b'].map((name) => new WebSocket(`ws://127.0.0.1:${server.port}/${name}`));
  await server.next();
  first.close();
  (await server.next()).accept();
  await soon(second, 'open');
});

test('another name for the same address waits, too; another port or address does not', async (t) => {
  const server = await patient(t);
  const same = await patient(t, '127.0.0.2');
  const waiting = new WebSocket(`ws://localhost:${server.port}/name`);
  const first = await server.next();
  const address = new WebSocket(`ws://127.0.0.1:${server.port}/address`);
  await settle(t); // a connection to another port
  assert.deepStrictEqual(server.requests, []);
  first.accept();
  const [, second] = await Promise.all([soon(waiting, 'open'), server.next()]);
  assert.strictEqual(second.name, 'address');
  // That one still waits for its answer.
  const elsewhere = new WebSocket(`ws://127.0.0.2:${same.port}`);
  (await same.next()).accept();
  await soon(elsewhere, 'open');
  assert.strictEqual(address.readyState, WebSocket.CONNECTING);
  second.accept();
  await soon(address, 'open');
});

test('behind a proxy names are all that is known', async (t) => {
  t.after(() => (settings.options = {}));
  const proxy = await bare(t, async (socket) => {
    const [, target] = /^CONNECT (\S+)/.exec(await requestOn(socket));
    seen.push(target);
    if (seen.length === 2) both();
  });
  const seen = [];
  let both;
  const all = new Promise((resolve) => (both = resolve));
  settings.options = { proxy: `http://127.0.0.1:${proxy.address().port}` };
  const sockets = ['one.invalid', 'two.invalid', 'one.invalid'].map((name) => new WebSocket(`ws://${name}`));
  await all;
  assert.deepStrictEqual(seen.sort(), ['one.invalid:80', 'two.invalid:80']);
  for (const socket of sockets.reverse()) socket.close();
});

/** What a program prints that has to end by itself. */
async function program(source, ...flags) {
  const { stdout } = await run(process.execPath, [...flags, '-e', source], { cwd: PACKAGE, timeout: 60_000 });
  return JSON.parse(stdout);
}

test('a WebSocket that somebody listens to stays, another one may go, and closes', async () => {
  const server = await listen(theirs, (peer, { url }) => {
    peer.on('message', (data) => peer.send(data));
    peer.on('close', (code) => ended.push([url, code]));
  });
  const ended = [];
  const source = `
    const { WebSocket } = require('sockline/whatwg');
    const { setTimeout: wait } = require('node:timers/promises');
    const refs = {};
    const open = (name) => new Promise((resolve) => {
      const socket = new WebSocket('${server.url}/' + name);
      refs[name] = new WeakRef(socket);
      socket.addEventListener('open', resolve, { once: true });
      if (name === 'message') socket.onmessage = () => {};
      if (name === 'close') socket.addEventListener('close', () => {});
      if (name === 'openers') socket.onopen = () => {};
      if (name === 'taken') { socket.onmessage = () => {}; socket.onmessage = null; }
      if (name === 'aborted') {
        const controller = new AbortController();
        socket.addEventListener('message', () => {}, { signal: controller.signal });
        controller.abort();
      }
    });
    (async () => {
      for (const name of ['message', 'close', 'openers', 'taken', 'aborted', 'nobody']) await open(name);
      const isLeft = (name) => refs[name].deref() !== undefined;
      for (let i = 0; i < 100 && Object.keys(refs).filter(isLeft).length > 2; i++) { await wait(5); gc(); }
      for (let i = 0; i < 10; i++) { await wait(1); gc(); }
      console.log(JSON.stringify(Object.keys(refs).filter(isLeft)));
      for (const name of ['message', 'close']) refs[name].deref().close(4000);
    })();`;
  assert.deepStrictEqual(await program(source, '--expose-gc'), ['message', 'close']);
  while (ended.length < 6) await new Promise(setImmediate);
  const closed = ended.sort().map(([url, code]) => `${url} ${code}`);
  assert.deepStrictEqual(closed, ['/aborted 1005', '/close 4000', '/message 4000', '/nobody 1005', '/openers 1005', '/taken 1005']);
});

test('sockline/global puts the classes where browsers have them, by require and by import', async () => {
  const look = `
    const names = ['CloseEvent', 'MessageEvent', 'WebSocket'];
    const whatwg = require('sockline/whatwg');
    const about = (name) => {
      const { value, writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(globalThis, name);
      return [value === whatwg[name], writable, enumerable, configurable];
    };`;
  const expected = [1, 2, 3].map(() => [true, true, false, true]);
  assert.deepStrictEqual(await program(`require('sockline/global'); ${look} console.log(JSON.stringify(names.map(about)))`), expected);
  const imported = `import('sockline/global').then((module) => { ${look}
    console.log(JSON.stringify([names.map(about), module.WebSocket === WebSocket, module.default === whatwg])); });`;
  assert.deepStrictEqual(await program(imported), [expected, true, true]);
  const without = `const before = globalThis.WebSocket;
    require('sockline/whatwg'); console.log(before === globalThis.WebSocket);`;
  assert.strictEqual(await program(without), true);
});

test('what a handler throws is an uncaught exception, and the others are called all the same', async () => {
  const server = await listen(theirs, (peer) => {
    peer.send('1');
    peer.send('2');
  });
  const source = `
    require('sockline/global');
    const seen = [];
    process.on('uncaughtException', ({ message }) => seen.push(message));
    process.on('unhandledRejection', ({ message }) => seen.push('rejected ' + message));
    const socket = new WebSocket('${server.url}');
    socket.onopen = async () => { throw new Error('open'); };
    socket.onmessage = ({ data }) => { if (data === '2') socket.close(); throw new Error(data); };
    socket.addEventListener('message', ({ data }) => seen.push('second ' + data));
    socket.onclose = () => console.log(JSON.stringify(seen));`;
  const seen = await program(source);
  assert.deepStrictEqual(seen.sort(), ['1', '2', 'rejected open', 'second 1', 'second 2']);
  await Promise.all([...server.clients].map((peer) => once(peer, 'close')));
});
