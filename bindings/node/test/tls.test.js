'use strict';
// TLS in both roles, against the real ws over Node's own; certificates that are not good have Node's error codes.

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const crypto = require('node:crypto');
const https = require('node:https');
const net = require('node:net');
const { test } = require('node:test');
const { promisify } = require('node:util');
const { Worker } = require('node:worker_threads');
const { issue, selfSigned } = require('./certificates');
const { connect, echo, finish, listen, next, opened, ours, pattern, theirs } = require('./support');

const root = selfSigned('root');
const good = issue(root);
const trusting = { ca: root.cert };
const PEERS = [[ours, theirs], [theirs, ours], [ours, ours]];

/** An echo server over TLS, of either package. */
async function listenSecurely(Package, tls, serve = echo) {
  if (Package === ours) {
    const server = await listen(ours, serve, { tls });
    server.url = `wss://localhost:${server.address().port}`;
    return server;
  }
  const secure = https.createServer(tls).listen(0, '127.0.0.1');
  opened.servers.add({ clients: [], close: () => secure.close() });
  await next(secure, 'listening');
  const server = new theirs.WebSocketServer({ server: secure });
  server.on('connection', serve).on('close', () => secure.close());
  server.url = `wss://localhost:${secure.address().port}`;
  return server;
}

/** The code of the error that a connection attempt ends with. */
async function failure(Client, url, options) {
  const socket = new Client(url, options);
  const error = await new Promise((resolve) => {
    socket.on('error', resolve);
    socket.on('open', () => resolve({ code: 'it opened' }));
  });
  socket.terminate();
  return error.code;
}

for (const [Client, Server] of PEERS) {
  test(`TLS: ${Client === ours ? 'our' : 'their'} client, ${Server === ours ? 'our' : 'their'} server`, async () => {
    let request;
    const server = await listenSecurely(Server, good, (socket, seen) => {
      request = seen;
      echo(socket);
    });
    const perMessageDeflate = true;
    const socket = await connect(Client, server.url, [], { ...trusting, perMessageDeflate });
    for (const size of [0, 10, 20_000, 4 << 20]) {
      const payload = pattern(size);
      socket.send(payload);
      assert.ok(payload.equals((await next(socket, 'message'))[0]), `${size} bytes differ`);
    }
    assert.strictEqual(request.socket.encrypted, true);
    await finish(server, socket);
  });
}

test('tlsInfo and timings tell of TLS, and sessions are resumed', async () => {
  const server = await listenSecurely(ours, good);
  const first = await connect(ours, server.url, [], trusting);
  const { peerCertificate, ...info } = first.tlsInfo();
  assert.deepStrictEqual(info, {
    version: 'TLSv1.3',
    cipherSuite: 'TLS_AES_128_GCM_SHA256',
    alpn: 'http/1.1',
    serverName: 'localhost',
    resumed: false,
  });
  assert.ok(peerCertificate.equals(new crypto.X509Certificate(good.cert).raw));
  assert.ok(first.timings().tls > 0);
  first.send('so that the ticket has come');
  await next(first, 'message');
  const second = await connect(ours, server.url, [], trusting);
  assert.strictEqual(second.tlsInfo().resumed, true);
  await finish(server, first, second);
  const plain = await listen(ours);
  const socket = await connect(ours, plain.url);
  assert.strictEqual(socket.tlsInfo(), null);
  await finish(plain, socket);
});

test('a certificate that openssl makes in one command is trusted where it was given, and not else', async () => {
  const own = selfSigned('localhost'); // an authority's, which is the server's own, too
  assert.ok(new crypto.X509Certificate(own.cert).ca);
  const known = { ca: own.cert, servername: 'localhost' };
  const shown = { ...known, cert: own.cert, key: own.key };
  for (const Server of [theirs, ours]) {
    const server = await listenSecurely(Server, own);
    for (const Client of [theirs, ours]) {
      assert.strictEqual(await failure(Client, server.url, known), 'it opened');
      const code = await failure(Client, server.url, { ...known, servername: 'other.test' });
      assert.strictEqual(code, 'ERR_TLS_CERT_ALTNAME_INVALID');
      assert.strictEqual(await failure(Client, server.url, { ca: selfSigned('localhost').cert }), 'DEPTH_ZERO_SELF_SIGNED_CERT');
    }
    await finish(server);
    const asking = await listenSecurely(Server, { ...own, ca: own.cert, requestCert: true, rejectUnauthorized: true });
    const sockets = [];
    for (const Client of [theirs, ours]) {
      const socket = await connect(Client, asking.url, [], shown);
      socket.send('let in');
      assert.strictEqual(String((await next(socket, 'message'))[0]), 'let in');
      sockets.push(socket);
    }
    await finish(asking, ...sockets);
  }
});

test('certificates that are not good fail with the codes of Node', async () => {
  const stranger = selfSigned('stranger');
  const intermediate = issue(stranger, { authority: true, subject: 'intermediate' });
  const leaf = issue(intermediate);
  const chain = (...above) => ({ key: leaf.key, cert: Buffer.concat([leaf, ...above].map(({ cert }) => cert)) });
  const cases = [
    ['CERT_HAS_EXPIRED', issue(root, { days: -1 })],
    ['ERR_TLS_CERT_ALTNAME_INVALID', issue(root, { names: 'DNS:other.test' })],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', stranger],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', chain()],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', chain(intermediate)],
    ['SELF_SIGNED_CERT_IN_CHAIN', chain(intermediate, stranger)],
  ];
  for (const [code, identity] of cases) {
    for (const Server of [theirs, ours]) {
      const server = await listenSecurely(Server, identity);
      assert.strictEqual(await failure(theirs, server.url, trusting), code);
      assert.strictEqual(await failure(ours, server.url, trusting), code);
      assert.strictEqual(await failure(ours, server.url, { ...trusting, rejectUnauthorized: false }), 'it opened');
      await finish(server);
    }
  }
});

test('a peer that speaks no TLS, or another one, fails with the codes of Node', async () => {
  const plain = net.createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  });
  plain.listen(0, '127.0.0.1');
  await next(plain, 'listening');
  const old = await listenSecurely(theirs, { ...good, maxVersion: 'TLSv1.2' });
  const strict = await listenSecurely(theirs, { ...good, requestCert: true, ...trusting });
  for (const [code, url, options] of [
    ['ERR_SSL_WRONG_VERSION_NUMBER', `wss://localhost:${plain.address().port}`],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', old.url, { minVersion: 'TLSv1.3' }],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', strict.url],
  ]) {
    assert.strictEqual(await failure(ours, url, { ...trusting, ...options }), code);
    // Node's is another one where a write finds out before a read.
    assert.ok([code, 'EPROTO'].includes(await failure(theirs, url, { ...trusting, ...options })), code);
  }
  await finish(old);
  await finish(strict);
  plain.close();
});

test('clients show certificates, and servers see them', async () => {
  const subject = 'the client';
  const identity = issue(root, { subject });
  for (const [Client, Server] of PEERS) {
    let request;
    const server = await listenSecurely(Server, { ...good, ...trusting, requestCert: true }, (socket, seen) => {
      request = seen;
    });
    assert.notStrictEqual(await failure(Client, server.url, trusting), 'it opened');
    const { cert, key } = identity;
    const socket = await connect(Client, server.url, [], { ...trusting, cert, key });
    assert.strictEqual(request.socket.authorized, true);
    assert.strictEqual(request.socket.getPeerCertificate().subject.CN, subject);
    await finish(server, socket);
  }
});

test('a server has several certificates, by name, and takes others while it runs', async () => {
  const other = issue(root, { names: 'DNS:*.other.test' });
  const server = await listenSecurely(ours, [good, other]);
  const shown = async (Client, servername) => {
    const socket = await connect(Client, server.url, [], { ...trusting, servername });
    const shown = socket._socket.getPeerX509Certificate().raw;
    socket.terminate();
    return shown;
  };
  const { X509Certificate } = crypto;
  for (const Client of [theirs, ours]) {
    assert.ok((await shown(Client, 'localhost')).equals(new X509Certificate(good.cert).raw));
    assert.ok((await shown(Client, 'any.other.test')).equals(new X509Certificate(other.cert).raw));
  }
  const renewed = issue(root);
  server.setSecureContext(renewed);
  assert.ok((await shown(theirs, 'localhost')).equals(new X509Certificate(renewed.cert).raw));
  assert.throws(() => server.setSecureContext({ cert: good.cert, key: renewed.key }), /private key/);
  await finish(server);
});

test('keys may be encrypted', async () => {
  const passphrase = 'open sesame';
  const key = crypto
    .createPrivateKey(good.key)
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase });
  const server = await listenSecurely(ours, { cert: good.cert, key, passphrase });
  await finish(server, await connect(ours, server.url, [], trusting));
});

test('TLS and compression work in workers, which end with live connections', async () => {
  const server = await listenSecurely(theirs, good);
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const WebSocket = require(workerData.module);
    const own = new WebSocket.Server({ port: 0, host: '127.0.0.1', tls: workerData.tls, perMessageDeflate: true });
    own.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    const echoed = [workerData.url, 'wss://127.0.0.1:' + own.address().port].map((url) => {
      const socket = new WebSocket(url, { ca: workerData.ca });
      socket.on('open', () => socket.send('x'.repeat(5000)));
      return new Promise((resolve) => socket.on('message', (data) => resolve([data.length, socket.extensions])));
    });
    Promise.all(echoed).then((all) => parentPort.postMessage(all));`;
  const workerData = {
    module: require.resolve('sockline'),
    url: server.url,
    ca: root.cert.toString(),
    tls: { cert: good.cert.toString(), key: good.key.toString() },
  };
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(program, { eval: true, workerData });
    assert.deepStrictEqual(await next(worker, 'message'), [[[5000, ''], [5000, 'permessage-deflate']]]);
    await worker.terminate();
  }
  await finish(server);
});

test('the environment counts as in Node', async () => {
  const server = await listenSecurely(theirs, good);
  const script = `
    const WebSocket = require('sockline');
    const socket = new WebSocket(process.argv[1]);
    const tell = (text) => { console.log(text); process.exit(); };
    socket.on('open', () => tell('it opened'));
    socket.on('error', ({ code }) => tell(code));`;
  const run = async (added) => {
    const options = { cwd: __dirname, env: { ...process.env, NODE_NO_WARNINGS: '1', ...added }, timeout: 20_000 };
    return (await promisify(execFile)(process.execPath, ['-e', script, server.url], options)).stdout.trim();
  };
  assert.strictEqual(await run({}), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  assert.strictEqual(await run({ NODE_EXTRA_CA_CERTS: root.path }), 'it opened');
  assert.strictEqual(await run({ SSL_CERT_FILE: root.path }), 'it opened');
  assert.strictEqual(await run({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }), 'it opened');
  await finish(server);
});

test('pins are keys that must be in the chain', async () => {
  const pin = (cert) => {
    const spki = new crypto.X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
    return crypto.createHash('sha256').update(spki).digest();
  };
  const server = await listenSecurely(theirs, good);
  const stranger = pin(selfSigned('stranger').cert);
  const attempt = (...pins) => failure(ours, server.url, { ...trusting, pins });
  assert.strictEqual(await attempt(stranger), 'SOCKLINE_ERR_TLS');
  assert.strictEqual(await attempt(stranger, pin(good.cert)), 'it opened');
  assert.strictEqual(await attempt(`sha256//${pin(root.cert).toString('base64')}`), 'it opened');
  await finish(server);
});

test('options that can\'t be honoured are refused: those that Node knows where it can\'t make the connection', () => {
  for (const options of [{ ciphers: 'ALL' }, { pfx: Buffer.alloc(1) }, { maxVersion: 'TLSv1.2' }, { servername: '' }]) {
    assert.throws(() => new ours('wss://localhost', { ...options, proxy: 'http://127.0.0.1:1' }), { code: 'SOCKLINE_ERR_UNSUPPORTED' });
  }
  assert.throws(() => new ours('wss://localhost', { minVersion: 'TLSv3' }), { code: 'ERR_TLS_INVALID_PROTOCOL_VERSION' });
  assert.throws(() => new ours('wss://localhost', { cert: good.cert }), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => new ours('wss://localhost', { pins: ['short'] }), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => new ours.Server({ port: 0, tls: {} }), { code: 'SOCKLINE_ERR_INVALID_ARGUMENT' });
  assert.throws(() => new ours.Server({ port: 0, tls: { ...good, key: root.key } }), /private key/);
});
