'use strict';
// What servers answer instead of upgrading: refusals and redirects, side by side with the real ws.

const assert = require('node:assert');
const http = require('node:http');
const { test } = require('node:test');
const { finish, listen, next, opened, ours, theirs } = require('./support');

/** An HTTP server that answers upgrades with what `answer(request)` says: status, headers, body. */
async function answering(answer) {
  const server = http.createServer().listen(0, '127.0.0.1');
  server.on('upgrade', (request, socket) => {
    const [status, headers, body = ''] = answer(request);
    const all = { Connection: 'close', 'Content-Length': body.length, ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  });
  await next(server, 'listening');
  opened.servers.add({ clients: [], close: () => server.close() });
  return `ws://127.0.0.1:${server.address().port}`;
}

/** All events of a socket up to 'close'. */
function story(socket) {
  const events = [];
  socket.on('open', () => events.push('open') && socket.close(1000));
  socket.on('error', (error) => events.push(`error: ${error.message}`));
  return new Promise((resolve) => socket.on('close', (code) => resolve([...events, `close: ${code}`])));
}

test("'unexpected-response' has the status, the headers and the body", async () => {
  const url = await answering(() => [403, { 'X-Why': 'so', 'Set-Cookie': 'a=b' }, 'not for you']);
  const sent = [];
  for (const Client of [theirs, ours]) {
    const socket = new Client(`${url}/path?query`, { headers: { 'X-Mine': 'yes' } });
    const events = story(socket);
    const [request, response] = await next(socket, 'unexpected-response');
    assert.strictEqual(request.path, '/path?query');
    assert.strictEqual(request.getHeader('x-mine'), 'yes');
    assert.strictEqual(response.req, request);
    const { 'sec-websocket-key': key, ...headers } = request.getHeaders();
    assert.match(key, /^[\w+/]{22}==$/);
    headers['sec-websocket-extensions'] = headers['sec-websocket-extensions'].split('; ').sort();
    sent.push(headers);
    assert.strictEqual(response.statusCode, 403);
    assert.strictEqual(response.statusMessage, 'Forbidden');
    assert.strictEqual(response.headers['x-why'], 'so');
    assert.deepStrictEqual(response.headers['set-cookie'], ['a=b']);
    assert.strictEqual(Buffer.concat(await response.toArray()).toString(), 'not for you');
    if (Client === ours) assert.deepStrictEqual(await events, ['close: 1006']); // from ws comes nothing more
    else socket.terminate();
  }
  assert.deepEqual(sent[1], sent[0]); // ws has a number where it gave one
});

test("the response of 'upgrade' has the request as it was sent", async () => {
  const server = await listen(theirs, (socket, request) => socket.send(JSON.stringify(request.headers)));
  const socket = new ours(server.url, { headers: { 'X-Mine': 'yes' } });
  const [[{ req }], [received]] = await Promise.all([next(socket, 'upgrade'), next(socket, 'message')]);
  assert.deepEqual(req.getHeaders(), JSON.parse(received));
  assert.strictEqual(req.getHeader('X-Mine'), 'yes');
  await finish(server, socket);
});

test("a listener of 'unexpected-response' may give up, as in ws", async () => {
  const url = await answering(() => [401, {}, 'who are you']);
  const stories = [];
  for (const Client of [theirs, ours]) {
    const socket = new Client(url);
    socket.on('unexpected-response', () => socket.terminate());
    stories.push(await story(socket));
  }
  assert.deepStrictEqual(stories[1], stories[0]);
  assert.strictEqual(stories[1].length, 2);
  const socket = new ours(url);
  socket.on('unexpected-response', (request) => request.destroy(new Error('of the listener')));
  assert.deepStrictEqual(await story(socket), ['error: of the listener', 'close: 1006']);
});

test("a request that is given up when its 'unexpected-response' is there makes no error, as in ws", async () => {
  const url = await answering(() => [401, {}, 'who are you']);
  for (const Client of [theirs, ours]) {
    for (const giveUp of ['abort', 'destroy']) {
      const socket = new Client(url);
      socket.on('error', (error) => assert.fail(`${error}`));
      await new Promise((resolve) => {
        socket.on('unexpected-response', (request, response) => {
          response.on('end', resolve);
          request[giveUp]();
        });
      });
    }
  }
});

test('without a listener a refusal is an error', async () => {
  const url = await answering(() => [502, {}]);
  const socket = new ours(url);
  const error = new Promise((resolve) => socket.once('error', resolve));
  assert.deepStrictEqual(await story(socket), ['error: Unexpected server response: 502', 'close: 1006']);
  assert.strictEqual((await error).statusCode, 502);
});

test('redirects are followed if that is asked for, as far as it is', async () => {
  const server = await listen(theirs);
  let asked = 0;
  const first = await answering(({ url }) => {
    asked += 1;
    if (url === '/away') return [307, { Location: `${server.url.replace('ws:', 'http:')}/there` }];
    if (url === '/loop') return [302, { Location: '/loop' }];
    return [301, { Location: url === '/bad' ? 'http://[' : 'away' }];
  });
  for (const [path, options, expected] of [
    ['/start', { followRedirects: true }, ['open', 'close: 1000']],
    ['/start', {}, ['error: Unexpected server response: 301', 'close: 1006']],
    ['/loop', { followRedirects: true, maxRedirects: 3 }, ['error: Maximum redirects exceeded', 'close: 1006']],
    ['/bad', { followRedirects: true }, ['error: Invalid URL: http://[', 'close: 1006']],
  ]) {
    const told = [];
    for (const Client of [theirs, ours]) {
      asked = 0;
      const socket = new Client(first + path, options);
      told.push([...(await story(socket)), socket.url, asked]);
    }
    assert.deepStrictEqual(told[1].slice(0, -2), expected);
    assert.deepStrictEqual(told[1], told[0]);
  }
  await finish(server);
});

test('credentials stay with their host, unless a listener takes care of them', async () => {
  const seen = [];
  const server = await listen(theirs, (socket, request) => seen.push(request.headers));
  const url = await answering(() => [302, { Location: server.url }]);
  const luggage = { headers: { Authorization: 'secret', Cookie: 'a=b', 'X-Other': 'kept' }, followRedirects: true };
  const told = [];
  for (const Client of [theirs, ours]) {
    for (const listener of [null, (to, request) => request.setHeader('X-New', to) && request.removeHeader('cookie')]) {
      const socket = new Client(url, luggage);
      if (listener) socket.on('redirect', listener);
      await story(socket);
    }
    told.push(seen.splice(0).map(({ authorization, cookie, 'x-other': other, 'x-new': added, host }) => {
      return { authorization, cookie, other, added, host };
    }));
  }
  assert.deepStrictEqual(told[1], told[0]);
  assert.deepStrictEqual(told[1].map(({ authorization }) => authorization), [undefined, 'secret']);
  await finish(server);
});

test("the first URL's userinfo counts before the option auth and redirects' own; a header Authorization before both", async () => {
  const seen = [];
  const server = await listen(theirs, (socket, request) => seen.push(request.headers.authorization) && socket.close());
  const second = await answering(({ headers }) => {
    seen.push(headers.authorization);
    return [302, { Location: server.url }];
  });
  const first = await answering(({ url, headers }) => {
    seen.push(headers.authorization);
    return [302, { Location: url === '/own' ? first.replace('://', '://other:word@') : second }];
  });
  const me = (url) => url.replace('://', '://me%40home:%C3%A4%zz@');
  for (const [url, options] of [
    [me(server.url), { auth: 'option:word' }],
    [me(server.url), { auth: 'option:word', headers: { authorization: 'given' } }],
    [server.url, { auth: 'option:word', headers: { authorization: 'given' } }],
    [me(`${first}/own`), { followRedirects: true }],
  ]) {
    const told = [];
    for (const Client of [theirs, ours]) {
      await story(new Client(url, options));
      told.push(seen.splice(0));
    }
    assert.deepStrictEqual(told[1], told[0]);
    assert.notStrictEqual(told[1][0], undefined);
  }
  await finish(server);
});

test("a listener of 'redirect' may close", async () => {
  const url = await answering(() => [302, { Location: '/' }]);
  for (const Client of [theirs, ours]) {
    const socket = new Client(url, { followRedirects: true });
    socket.on('redirect', () => socket.close());
    const expected = ['error: WebSocket was closed before the connection was established', 'close: 1006'];
    assert.deepStrictEqual(await story(socket), expected);
  }
});
