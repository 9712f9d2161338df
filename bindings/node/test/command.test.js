'use strict';
// `npx sockline` against ws and socket.io, and ws against it.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { after, test } = require('node:test');
const { Server } = require('socket.io');
const WebSocket = require('ws');

const { issue, selfSigned } = require('./certificates');
const { listen, next, theirs } = require('./support');

const PACKAGE = path.dirname(__dirname);
const { bin } = require('../package.json');
const COMMAND = path.join(PACKAGE, bin.sockline);
const MANUAL = path.resolve(PACKAGE, '../../docs/command.md');
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name) && name !== 'NO_COLOR'),
);

const running = new Set();
after(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** The command as it runs. */
function start(...args) {
  const child = spawn(process.execPath, [COMMAND, ...args], { env: ENVIRONMENT, timeout: 30_000 });
  running.add(child);
  child.on('close', () => running.delete(child));
  return child;
}

/** The command at its end, with these lines in a pipe. */
async function run(args, typed = '') {
  return finished(start(...args), typed);
}

async function finished(child, typed) {
  const done = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (data) => (done.out += data));
  child.stderr.setEncoding('utf8').on('data', (data) => (done.err += data));
  child.stdin.end(typed);
  [done.code] = await once(child, 'close');
  assert.doesNotMatch(done.err, /panicked|    at /);
  return done;
}

function lines(stream) {
  const all = readline.createInterface({ input: stream })[Symbol.asyncIterator]();
  return async () => (await all.next()).value;
}

for (const command of ['', 'connect', 'listen', 'io', 'bench']) {
  test(`the manual has the help of ${command || 'all'}`, async () => {
    const { code, out } = await run([...command.split(' ').filter(Boolean), '--help']);
    assert.equal(code, 0);
    assert.ok(fs.readFileSync(MANUAL, 'utf8').includes(`\`\`\`text\n${out}\`\`\`\n`));
  });
}

test('the command can be started by its name', async () => {
  fs.accessSync(COMMAND, fs.constants.X_OK);
  assert.match(fs.readFileSync(COMMAND, 'utf8'), /^#!\/usr\/bin\/env node\n/);
  assert.ok(require('../package.json').files.includes('bin/'));
});

test('piped lines are sent, and what comes is printed', async () => {
  const server = await listen(theirs, (socket, request) => {
    socket.send(`${request.headers['x-one']} ${socket.protocol}`);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  }, { handleProtocols: () => 'chat' });
  const { code, out, err } = await run(['connect', server.url, '-H', 'X-One: 1', '-s', 'chat'], 'a\n/b\n');
  assert.deepEqual([code, out], [0, '1 chat\na\n/b\n']);
  assert.match(err, /closed: 1000 \(normal closure\)/);
});

test('pings and closing, and what a server closes with', async () => {
  const server = await listen(theirs, (socket, request) => {
    if (request.url === '/busy') socket.close(1013, 'busy');
  });
  const connected = next(server, 'connection');
  const closing = run(['connect', server.url, '-x', '/ping abc', '-x', '/close 4001 bye']);
  const [socket] = await connected;
  const [ping] = await next(socket, 'ping');
  const [closeCode, reason] = await next(socket, 'close');
  assert.deepEqual([`${ping}`, closeCode, `${reason}`], ['abc', 4001, 'bye']);
  const { code, err } = await closing;
  assert.equal(code, 0);
  assert.match(err, /pong abc after/);
  const busy = await run(['connect', `${server.url}/busy`, '-w', 'forever']);
  assert.deepEqual([busy.code, /1013 \(try again later\): busy/.test(busy.err)], [3, true]);
});

for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15]]) {
  test(`${signal} closes in good order`, async () => {
    const server = await listen(theirs, (socket) => socket.send('hello'));
    const connected = next(server, 'connection');
    const child = start('connect', server.url);
    const [socket] = await connected;
    await next(child.stdout, 'data');
    child.kill(signal);
    const [code] = await next(socket, 'close');
    assert.equal(code, 1000);
    assert.deepEqual(await once(child, 'exit'), [128 + number, null]);
  });
}

test('on a terminal there is a prompt, and Ctrl-D leaves', async () => {
  const server = await listen(theirs);
  const terminal = spawn('script', ['-qec', `'${process.execPath}' '${COMMAND}' connect ${server.url}`, '/dev/null'], {
    env: { ...ENVIRONMENT, TERM: 'xterm-256color' },
    timeout: 30_000,
  });
  running.add(terminal);
  let seen = '';
  const shown = async (text) => {
    while (!seen.includes(text)) seen += (await next(terminal.stdout, 'data'))[0];
  };
  await shown('> ');
  terminal.stdin.write('hello\r');
  await shown('<\x1b[0m hello\r\n');
  terminal.stdin.write('\x04');
  await shown('closed: 1000');
  const [code] = await once(terminal, 'exit');
  assert.equal(code, 0);
});

test('ws talks to the server', async () => {
  const child = start('listen', '0', '--echo', '-s', 'chat');
  const [printed, said] = [lines(child.stdout), lines(child.stderr)];
  const url = (await said()).replace('listening on ', '');
  const socket = new WebSocket(url, ['chat']);
  await next(socket, 'open');
  assert.equal(socket.protocol, 'chat');
  socket.send('text');
  assert.equal(`${(await next(socket, 'message'))[0]}`, 'text');
  assert.equal(await printed(), 'text');
  child.stdin.write('for all\n');
  assert.equal(`${(await next(socket, 'message'))[0]}`, 'for all');
  child.kill('SIGINT');
  assert.equal((await next(socket, 'close'))[0], 1001);
  assert.deepEqual(await once(child, 'exit'), [130, null]);
});

test('ws talks to the server over TLS', async () => {
  const authority = selfSigned('the authority');
  const { file } = issue(authority, { subject: 'the leaf' });
  const at = (ending) => path.join(path.dirname(authority.path), `${file}.${ending}`);
  const child = start('listen', '0', '--cert', at('pem'), '--key', at('key'), '--echo', '--compress');
  const url = (await lines(child.stderr)()).replace('listening on ', '');
  const socket = new WebSocket(url, { ca: authority.cert });
  await next(socket, 'open');
  assert.match(socket.extensions, /permessage-deflate/);
  socket.send('x'.repeat(10_000));
  assert.equal((await next(socket, 'message'))[0].length, 10_000);
  const seen = await run(['connect', url, '--ca', authority.path, '--tls', '-x', 'hi']);
  assert.deepEqual([seen.code, seen.out], [0, 'hi\n']);
  assert.match(seen.err, /subject +CN=the leaf/);
  const distrusted = await run(['connect', url, '-x', 'hi']);
  assert.equal(distrusted.code, 1);
  assert.match(distrusted.err, /hint: --ca FILE/);
  child.kill();
  await once(child, 'exit');
});

test('events and answers of socket.io', async () => {
  const io = new Server(0, { transports: ['polling', 'websocket'] });
  const gone = new Promise((resolve) => {
    io.of('/admin').on('connection', (socket) => {
      socket.emit('token', socket.handshake.auth.token);
      socket.on('add', (one, two, answer) => answer(one + two));
      socket.on('disconnect', resolve);
    });
  });
  const url = `http://127.0.0.1:${io.httpServer.address().port}/admin`;
  const { code, out } = await run(['io', url, '--auth', '{"token":"abc"}'], 'emit add 1 2\n');
  assert.equal(code, 0);
  assert.deepEqual(out.split('\n'), ['["token","abc"]', '{"ack":"add","args":[3]}', '']);
  assert.equal(await gone, 'client namespace disconnect');
  await io.close();
});

test('an echo server is measured, another is found out', async () => {
  const server = await listen(theirs);
  const { code, out } = await run(['bench', server.url, '-c', '4', '-n', '1000', '-p', '8', '--json']);
  assert.equal(code, 0);
  assert.equal(JSON.parse(out).messages, 1000);
  const liar = await listen(theirs, (socket) => socket.on('message', () => socket.send('no')));
  const found = await run(['bench', liar.url]);
  assert.equal(found.code, 4);
  assert.match(found.err, /error: not an echo server: a text of 2 bytes \("no"\)/);
});
