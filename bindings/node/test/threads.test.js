'use strict';
// Servers with threads of their own, against the real ws as client.

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const { readFileSync, readdirSync } = require('node:fs');
const { test } = require('node:test');
const { promisify } = require('node:util');
const { issue, selfSigned } = require('./certificates');
const { connect, echo, finish, listen, next, ours, pattern, theirs } = require('./support');

const THREADS = { threads: 2 };

test('messages of all sizes come back, in order', async () => {
  const server = await listen(ours, echo, THREADS);
  for (const Client of [theirs, ours]) {
    const socket = await connect(Client, server.url);
    const sizes = [0, 1, 126, 5000, 70_000, 3 << 20];
    const got = new Promise((resolve) => {
      const messages = [];
      socket.on('message', (data, isBinary) => messages.push([data, isBinary]) === sizes.length + 1 && resolve(messages));
    });
    for (const size of sizes) socket.send(pattern(size));
    socket.send('κόσμε');
    const messages = await got;
    sizes.forEach((size, i) => assert.ok(pattern(size).equals(messages[i][0]), `${size} bytes differ`));
    assert.deepStrictEqual(messages.at(-1), [Buffer.from('κόσμε'), false]);
    socket.terminate();
  }
  await finish(server);
});

test('hundreds of connections over all threads, with close codes both ways', async () => {
  const server = await listen(ours, (socket) => {
    socket.on('message', (data) => socket.close(4000 + (Number(data) % 2), `number ${data}`));
  }, THREADS);
  const sockets = await Promise.all(Array.from({ length: 300 }, () => connect(theirs, server.url)));
  assert.strictEqual(server.clients.size, 300);
  const closed = sockets.map((socket) => next(socket, 'close'));
  sockets.forEach((socket, i) => socket.send(String(i)));
  (await Promise.all(closed)).forEach(([code, reason], i) => {
    assert.deepStrictEqual([code, String(reason)], [4000 + (i % 2), `number ${i}`]);
  });
  const over = new Promise((resolve) => server.close(resolve));
  await over;
  assert.strictEqual(server.clients.size, 0);
});

/** How often the threads with this name have given up their core to wait. */
function sleeps(name) {
  const tasks = readdirSync('/proc/self/task').map((task) => `/proc/self/task/${task}`);
  const named = tasks.filter((task) => readFileSync(`${task}/comm`, 'utf8') === `${name}\n`);
  return named.reduce((sum, task) => sum + Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(readFileSync(`${task}/status`))[1]), 0);
}

for (const busyPoll of [0, 1000]) {
  test(`threads that look for ${busyPoll} ms ${busyPoll ? "don't " : ''}sleep between messages`, async () => {
    const server = await listen(ours, echo, { threads: 1, busyPoll });
    const socket = await connect(theirs, server.url);
    let slept = 0;
    for (let round = 0; round < 2; round++) {
      const before = sleeps('sockline');
      for (let i = 0; i < 200; i++) {
        socket.send(String(i));
        assert.strictEqual(String((await next(socket, 'message'))[0]), String(i));
      }
      slept = sleeps('sockline') - before;
    }
    assert.ok(busyPoll ? slept < 50 : slept > 100, `slept ${slept} times`);
    socket.terminate();
    await finish(server);
  });
}

test('what can not look is refused', () => {
  assert.throws(() => new ours.WebSocketServer({ port: 0, busyPoll: 0.1 }), { code: 'SOCKLINE_ERR_UNSUPPORTED', message: /busyPoll: only with threads/ });
  assert.throws(() => new ours.WebSocketServer({ noServer: true, busyPoll: 0.1 }), { code: 'SOCKLINE_ERR_UNSUPPORTED', message: /busyPoll/ });
  for (const busyPoll of [-1, 1001, '1', NaN]) {
    assert.throws(() => new ours.WebSocketServer({ port: 0, threads: 1, busyPoll }), { code: 'ERR_OUT_OF_RANGE' });
  }
});

test('upgrades are decided here', async () => {
  const verifyClient = ({ req }, settle) => setTimeout(settle, 5, req.url === '/yes', 403);
  const server = await listen(ours, (socket, { socket: peer }) => socket.send(peer.remoteAddress), {
    ...THREADS,
    verifyClient,
    handleProtocols: () => 'b',
    perMessageDeflate: true,
  });
  const socket = new theirs(`${server.url}/yes`, ['a', 'b']);
  assert.strictEqual(String((await next(socket, 'message'))[0]), '127.0.0.1');
  assert.strictEqual(socket.protocol, 'b');
  const [peer] = server.clients;
  assert.deepStrictEqual([peer.protocol, peer.extensions], ['b', 'permessage-deflate']);
  const refused = new theirs(`${server.url}/no`);
  assert.match((await new Promise((resolve) => refused.on('error', resolve))).message, /403/);
  await finish(server, socket);
});

test('callbacks, pings, back-pressure and metrics work across threads', async () => {
  const server = await listen(ours, undefined, { ...THREADS, highWaterMark: 100_000 });
  const socket = await connect(theirs, server.url);
  const [peer] = server.clients;
  socket.pause();
  const chunk = Buffer.alloc(64 << 10);
  let last;
  do {
    last = new Promise((resolve) => peer.send(chunk, resolve));
  } while (peer.bufferedAmount < 8 << 20);
  const [drained, ponged] = [next(peer, 'drain'), next(peer, 'pong')];
  const pinged = new Promise((resolve) => peer.ping('x', undefined, resolve));
  socket.resume();
  assert.strictEqual(await last, undefined);
  await drained;
  await pinged;
  await ponged;
  assert.ok(peer.metrics().messagesOut > 100);
  assert.strictEqual(server.metrics().connections, 1);
  await finish(server, socket);
});

test('TLS and topics work across threads', async () => {
  const root = selfSigned('root');
  const subscribe = (socket) => {
    socket.subscribe('all');
    socket.send('subscribed');
  };
  const server = await listen(ours, subscribe, { ...THREADS, tls: issue(root) });
  const url = `wss://localhost:${server.address().port}`;
  const sockets = Array.from({ length: 10 }, () => new theirs(url, { ca: root.cert }));
  await Promise.all(sockets.map((socket) => next(socket, 'message')));
  const got = sockets.map((socket) => next(socket, 'message'));
  server.publish('all', 'hello');
  for (const [data] of await Promise.all(got)) assert.strictEqual(String(data), 'hello');
  await finish(server, ...sockets);
});

test('a client that goes before its upgrade is decided leaves nothing behind', async () => {
  let settle;
  const asked = new Promise((resolve) => {
    settle = resolve;
  });
  const server = await listen(ours, () => {}, {
    ...THREADS,
    verifyClient: (info, answer) => settle(answer),
  });
  const socket = new theirs(server.url);
  socket.on('error', () => {});
  const answer = await asked;
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.terminate();
  await closed;
  setTimeout(answer, 50, true);
  setTimeout(() => server.close(), 100);
  await next(server, 'close');
});

test('a process and a worker end with threads that run', async () => {
  const script = `
    const { Worker, isMainThread } = require('node:worker_threads');
    const WebSocket = require('sockline');
    const server = new WebSocket.Server({ port: 0, host: '127.0.0.1', threads: 2 });
    server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    const socket = new WebSocket('ws://127.0.0.1:' + server.address().port);
    let left = 100;
    socket.on('open', () => socket.send('x'));
    socket.on('message', () => {
      left -= 1;
      if (left > 0 || !isMainThread) return socket.send('x');
      const worker = new Worker(process.argv[1]);
      setTimeout(() => worker.terminate().then(() => { socket.close(); server.close(() => console.log('done')); }), 300);
    });`;
  const fs = require('node:fs');
  const os = require('node:os');
  const path = require('node:path');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sockline-'));
  const file = path.join(folder, 'program.js');
  fs.writeFileSync(file, script.replace("'sockline'", JSON.stringify(path.join(__dirname, '..'))));
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 20_000 });
    assert.strictEqual(stdout, 'done\n');
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
