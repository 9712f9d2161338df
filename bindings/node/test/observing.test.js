'use strict';
// What can be seen from outside: metrics for Prometheus, log lines.

const assert = require('node:assert');
const http = require('node:http');
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
