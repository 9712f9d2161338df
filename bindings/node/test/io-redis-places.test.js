'use strict';
// Sentinels that want to know who asks, and want it over TLS.

const assert = require('node:assert');
const path = require('node:path');
const { after, before, test } = require('node:test');

const ioredis = require('ioredis');
const { createAdapter } = require('sockline/redis-adapter');

const { issue, selfSigned } = require('./certificates');
const { next, ours, serve } = require('./io-support');
const { Redis, freePort, until } = require('./io-redis-support');

let master;
before(async () => {
  master = await Redis.start();
});
after(() => master.end());

/** Two servers at this place hear each other. */
async function isWell(place) {
  const [a, b] = await Promise.all([0, 1].map(() => serve(ours.Server, { adapter: createAdapter(place) })));
  await until(async () => (await a.of('/').adapter.serverCount()) === 2);
  const said = next(b, 'said');
  await until(async () => (await b.of('/').adapter.serverCount()) === 2);
  a.serverSideEmit('said', 1);
  assert.deepStrictEqual(await said, [1]);
  await Promise.all([a.close(), b.close()]);
}

async function isRefused(place, reason) {
  const server = new ours.Server(0, { adapter: createAdapter(place) });
  const [error] = await next(server.of('/').adapter, 'error');
  assert.match(error.message, reason);
  assert.doesNotMatch(error.message, /geheim/);
  await server.close();
}

test('users and passwords of sentinels are not the master\'s', async () => {
  const sentinel = await Redis.sentinel(master, ['requirepass geheim', 'user asker on >geheim2 ~* &* +@all']);
  const url = `redis+sentinel://127.0.0.1:${sentinel.port}/main`;
  await isWell(`${url}?sentinel_password=geheim`);
  await isWell({ url, sentinelUsername: 'asker', sentinelPassword: 'geheim2' });
  const sentinels = [{ host: '127.0.0.1', port: sentinel.port }];
  await isWell(new ioredis({ lazyConnect: true, name: 'main', sentinels, sentinelPassword: 'geheim' }));
  await isRefused(url, /wants a password/);
  await isRefused({ url, sentinelPassword: 'not-geheim' }, /refused user and password/);
  await sentinel.end();
});

test('sentinels are asked over TLS', async () => {
  const port = await freePort();
  const authority = selfSigned('authority');
  const identity = path.join(path.dirname(authority.path), issue(authority).file);
  const caFile = authority.path;
  const files = [`tls-cert-file ${identity}.pem`, `tls-key-file ${identity}.key`, `tls-ca-cert-file ${caFile}`, 'tls-auth-clients no'];
  const sentinel = await Redis.sentinel(master, [`tls-port ${port}`, ...files]);
  const url = `redis+sentinel://localhost:${port}/main`;
  await isWell({ url, sentinelTLS: true, tls: { caFile } });
  await isRefused({ url, sentinelTLS: true }, /certificate/);
  await sentinel.end();
});
