'use strict';
// Through a proxy of Node's http module; other kinds of proxies are the core's tests'.

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const http = require('node:http');
const net = require('node:net');
const { test } = require('node:test');
const { promisify } = require('node:util');
const { connect, finish, listen, next, ours, theirs } = require('./support');

/** A proxy that takes only `me:pass`; `asked` are the hosts that it was asked for. */
async function startProxy() {
  const proxy = http.createServer();
  proxy.asked = [];
  proxy.on('connect', (request, socket) => {
    proxy.asked.push(request.url);
    if (request.headers['proxy-authorization'] !== `Basic ${btoa('me:pass')}`) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const [host, port] = request.url.split(':');
    const beyond = net.connect(port, host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(beyond).pipe(socket);
    });
    for (const end of [socket, beyond]) end.on('error', () => socket.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await next(proxy, 'listening');
  return proxy;
}

test('a proxy is asked for the way, and timed', async () => {
  const proxy = await startProxy();
  const server = await listen(theirs);
  const socket = await connect(ours, server.url, [], { proxy: `http://me:pass@127.0.0.1:${proxy.address().port}` });
  socket.send('through it');
  assert.strictEqual(String((await next(socket, 'message'))[0]), 'through it');
  assert.deepStrictEqual(proxy.asked, [server.url.slice('ws://'.length)]);
  assert.ok(socket.timings().proxy >= 0);
  await finish(server, socket);
  proxy.close();
});

test('a proxy that refuses is named in the error', async () => {
  const proxy = await startProxy();
  const { port } = proxy.address();
  const socket = new ours('ws://host.test', { proxy: new URL(`http://me:wrong@127.0.0.1:${port}`) });
  const error = await new Promise((resolve) => socket.on('error', resolve));
  assert.strictEqual(error.code, 'SOCKLINE_ERR_PROXY');
  assert.match(error.message, new RegExp(`127.0.0.1:${port}.*407`, 's'));
  proxy.close();
});

test('the environment counts with proxy: true, and only then', async () => {
  const proxy = await startProxy();
  const script = `
    const WebSocket = require('sockline');
    for (const proxy of [true, undefined]) {
      new WebSocket('ws://host.invalid:1', { proxy, family: 4 }).on('error', ({ code }) => console.log(proxy, code));
    }`;
  const env = { ...process.env, http_proxy: `http://127.0.0.1:${proxy.address().port}`, no_proxy: '' };
  const options = { env, cwd: __dirname, timeout: 20_000 };
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], options);
  assert.deepStrictEqual(stdout.trim().split('\n').sort(), [
    'true SOCKLINE_ERR_PROXY',
    'undefined SOCKLINE_ERR_NAME_NOT_RESOLVED',
  ]);
  assert.deepStrictEqual(proxy.asked, ['host.invalid:1']);
  proxy.close();
});

test('a proxy of a kind that is not known is refused at once', () => {
  assert.throws(() => new ours('ws://localhost', { proxy: 'gopher://proxy' }), { code: /^SOCKLINE_ERR_/ });
});
