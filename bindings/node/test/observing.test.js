'use strict';
// What can be seen from outside: metrics for Prometheus, log lines.

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const { test } = require('node:test');
const { connect, finish, listen, next, ours, theirs } = require('./support');

test('metrics are there as an object, as text, and over HTTP', async () => {
  const server = await listen(ours, undefined, { metricsPath: '/metrics' });
  const socket = await connect(theirs, server.url);
  socket.send('12345');
  await next(socket, 'message');
  const { connections, accepted, messagesIn, messagesOut } = server.metrics();
  assert.deepStrictEqual({ connections, accepted, messagesIn, messagesOut }, {
    connections: 1,
    accepted: 1,
    messagesIn: 1,
    messagesOut: 1,
  });
  assert.match(server.metricsText(), /^sockline_\w*connections\S* 1$/m);
  const response = await new Promise((resolve, reject) => {
    http.get({ port: server.address().port, host: '127.0.0.1', path: '/metrics', agent: false }, resolve).on('error', reject);
  });
  assert.strictEqual(response.statusCode, 200);
  assert.match(response.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  assert.match(Buffer.concat(await response.toArray()).toString(), /^sockline_/m);
  await finish(server, socket);
});

test('a broadcast leaves together where io_uring is known to be there', () => {
  const program = `
    const { WebSocketServer, WebSocket } = require('..');
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => {
      const clients = Array.from({ length: 10 }, () => new WebSocket('ws://127.0.0.1:' + server.address().port));
      let open = 0, told = 0;
      server.on('connection', () => { if (++open === 10) server.broadcast('to all'); });
      for (const client of clients) {
        client.on('message', () => {
          if (++told < 10) return;
          console.log(server.metrics().batchedSends);
          process.exit();
        });
      }
    });`;
  const together = (setting) => {
    const env = { ...process.env, SOCKLINE_SEND_BATCH: setting };
    return Number(execFileSync(process.execPath, ['-e', program], { cwd: __dirname, env, timeout: 20_000 }));
  };
  assert.strictEqual(together('off'), 0);
  assert.strictEqual(together('1000'), 0);
  const counted = together('1');
  if (hasIoUring()) assert.ok(counted >= 10, String(counted));
});

/** False where nobody can say it without a system call. */
function hasIoUring() {
  const [major, minor] = os.release().split('.').map(Number);
  if (process.platform !== 'linux' || major < 5 || (major === 5 && minor < 17)) return false;
  const read = (path) => (fs.existsSync(path) ? fs.readFileSync(path, 'utf8') : '');
  const isOff = /[12]/.test(read('/proc/sys/kernel/io_uring_disabled'));
  return !isOff && /^Seccomp:\s*0$/m.test(read('/proc/self/status'));
}

test("the log's lines come to who listens, up to its level", async () => {
  const { log } = ours;
  const lines = [];
  const listener = (line) => lines.push(line);
  assert.throws(() => (log.level = 'all'), TypeError);
  log.level = 'debug';
  log.on('log', listener);
  const server = await listen(ours, undefined, { origins: ['https://only.example'] });
  const plain = await listen(theirs);
  const socket = new ours(plain.url.replace('ws:', 'wss:'), { rejectUnauthorized: false });
  await new Promise((resolve) => socket.on('error', resolve));
  await next(socket, 'close').catch(() => {});
  assert.ok(lines.some(({ level, text }) => level === 'warn' && /insecure TLS/.test(text)), JSON.stringify(lines));
  log.off('log', listener);
  lines.length = 0;
  const other = new ours(plain.url.replace('ws:', 'wss:'), { rejectUnauthorized: false, servername: 'x' });
  await new Promise((resolve) => other.on('error', resolve));
  assert.deepStrictEqual(lines, []);
  await finish(server);
  await finish(plain);
});
