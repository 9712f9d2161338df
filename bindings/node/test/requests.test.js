'use strict';
// The option `request`: HTTP requests that are no upgrades, answered by the application or left to the server.

const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { after, test } = require('node:test');
const { Server } = require('sockline/socket.io');
const { connect, echo, finish, listen, next, ours, theirs } = require('./support');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sockline-requests-'));
fs.writeFileSync(path.join(folder, 'file.txt'), 'a file');
after(() => fs.rmSync(folder, { recursive: true }));

/** The answer to a request: status, headers and body. */
async function fetched(server, target, { body, ...options } = {}) {
  const request = http.request(`http://127.0.0.1:${server.address().port}${target}`, options);
  request.end(body);
  const [response] = await next(request, 'response');
  const chunks = await response.toArray();
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() };
}

for (const threads of [0, 2]) {
  test(`request answers what it wants, and the server the rest (threads: ${threads})`, async () => {
    const seen = [];
    const request = (asked) => {
      const { method, url, headers, body, socket } = asked;
      seen.push([method, url, headers['x-test'], body.toString(), socket.remoteAddress, socket.encrypted]);
      if (url.startsWith('/text')) return { body: 'plain' };
      if (url === '/bytes') return { status: 201, headers: { 'Content-Type': 'x/y', 'content-length': 99 }, body: body.subarray(1) };
      if (url === '/empty') return { status: 204 };
      return undefined;
    };
    const server = await listen(ours, echo, { static: folder, metricsPath: '/metrics', threads, request });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const headers = { 'X-Test': '1' };
    const text = await fetched(server, '/text?a=b', { agent, headers });
    assert.deepStrictEqual([text.status, text.body], [200, 'plain']);
    const bytes = await fetched(server, '/bytes', { agent, headers, method: 'POST', body: 'body' });
    assert.deepStrictEqual([bytes.status, bytes.headers['content-type'], bytes.body], [201, 'x/y', 'ody']);
    assert.strictEqual((await fetched(server, '/empty', { agent, headers })).status, 204);
    assert.strictEqual((await fetched(server, '/file.txt', { agent, headers })).body, 'a file');
    assert.match((await fetched(server, '/metrics', { agent, headers })).body, /^# HELP/);
    assert.strictEqual((await fetched(server, '/no', { agent, headers })).status, 404);
    agent.destroy();
    assert.deepStrictEqual(seen, [
      ['GET', '/text?a=b', '1', '', '127.0.0.1', false],
      ['POST', '/bytes', '1', 'body', '127.0.0.1', false],
      ['GET', '/empty', '1', '', '127.0.0.1', false],
      ['GET', '/file.txt', '1', '', '127.0.0.1', false],
      ['GET', '/metrics', '1', '', '127.0.0.1', false],
      ['GET', '/no', '1', '', '127.0.0.1', false],
    ]);
    const socket = await connect(theirs, server.url);
    socket.send('still a WebSocket server');
    assert.strictEqual(String((await next(socket, 'message'))[0]), 'still a WebSocket server');
    assert.strictEqual(seen.length, 6);
    await finish(server, socket);
  });

  test(`request may answer later, and with a Response (threads: ${threads})`, async () => {
    const request = async ({ url }) => {
      await new Promise(setImmediate);
      if (url === '/none') return null;
      return url === '/json' ? Response.json({ a: 1 }, { status: 202 }) : { body: new Uint8Array([65, 66]) };
    };
    const server = await listen(ours, echo, { threads, request });
    const json = await fetched(server, '/json');
    assert.deepStrictEqual([json.status, json.headers['content-type'], json.body], [202, 'application/json', '{"a":1}']);
    assert.strictEqual((await fetched(server, '/')).body, 'AB');
    assert.strictEqual((await fetched(server, '/none')).status, 426);
    await finish(server);
  });

  test(`a client that goes before the answer hurts nobody (threads: ${threads})`, async () => {
    let asked;
    const came = new Promise((resolve) => (asked = resolve));
    let release;
    const released = new Promise((resolve) => (release = resolve));
    const request = async ({ url }) => {
      if (url === '/slow') {
        asked();
        await released;
      }
      return { body: 'ok' };
    };
    const server = await listen(ours, echo, { threads, request });
    const socket = net.connect(server.address().port, '127.0.0.1');
    socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await came;
    socket.destroy();
    assert.strictEqual((await fetched(server, '/')).body, 'ok');
    release();
    assert.strictEqual((await fetched(server, '/')).body, 'ok');
    await finish(server);
  });
}

test('a body that is too long is refused, a request of Socket.IO is its own', async () => {
  const seen = [];
  const request = ({ url }) => {
    seen.push(url);
    return { body: 'ours' };
  };
  const server = await listen(ours, echo, { request, io: new Server(), path: '/ws' });
  assert.strictEqual((await fetched(server, '/', { method: 'POST', body: 'x'.repeat((1 << 20) + 1) })).status, 413);
  assert.match((await fetched(server, '/socket.io/?EIO=4&transport=polling')).body, /^0\{"sid"/);
  assert.strictEqual((await fetched(server, '/ws')).body, 'ours');
  assert.deepStrictEqual(seen, ['/ws']);
  const socket = await connect(theirs, `${server.url}/ws`);
  await finish(server, socket);
});

test('what request throws, or answers wrongly, is uncaught, and the client gets 500', async () => {
  const { stdout } = await new Promise((resolve, reject) => {
    execFile(process.execPath, [path.join(__dirname, 'programs/failing_requests.js')], (error, out, errors) =>
      error ? reject(new Error(`${error.message}\n${errors}`)) : resolve({ stdout: out }),
    );
  });
  assert.deepStrictEqual(JSON.parse(stdout), {
    '/throw': [500, 'on purpose'],
    '/reject': [500, 'on purpose'],
    '/status': [500, 'the status of a response must be 200 to 999, not 99'],
    '/body': [500, 'the body of a response must be a string, an ArrayBuffer or a view on one'],
  });
});

test('request has to be a function', () => {
  assert.throws(() => new ours.WebSocketServer({ port: 0, request: 'no' }), TypeError);
});
