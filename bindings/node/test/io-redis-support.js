'use strict';
// What the tests of clusters share: a Redis on a port of its own, and servers of both kinds in one cluster.

const { spawn } = require('node:child_process');
const { randomInt } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const official = require('@socket.io/redis-adapter');
const officialStreams = require('@socket.io/redis-streams-adapter');
const { createClient } = require('redis');
const own = require('sockline/redis-adapter');

const { next, opened, ours, pair, serve, theirs } = require('./io-support');

const LIMIT = 20_000; // ms

/** A server of Redis that can be killed and come back. */
class Redis {
  #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sockline-redis-'));
  #process;

  #arguments;

  /** On a free port, with these settings more. */
  static async start(more = []) {
    const redis = new Redis();
    redis.port = await freePort();
    redis.url = `redis://127.0.0.1:${redis.port}`;
    const options = ['--port', redis.port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', redis.#folder, ...more];
    redis.#arguments = options.map(String);
    await redis.begin();
    return redis;
  }

  /** A sentinel that calls a server `main`, with these lines more in its file. */
  static async sentinel(master, lines) {
    const redis = new Redis();
    redis.port = await freePort();
    const file = path.join(redis.#folder, 'sentinel.conf');
    const first = [`port ${redis.port}`, 'bind 127.0.0.1', `sentinel monitor main 127.0.0.1 ${master.port} 1`];
    fs.writeFileSync(file, [...first, ...lines, ''].join('\n'));
    redis.#arguments = [file, '--sentinel'];
    await redis.begin();
    return redis;
  }

  async begin() {
    this.#process = spawn('redis-server', this.#arguments, { stdio: ['ignore', 'pipe', 'inherit'] });
    const isReady = () => log.includes('Ready to accept connections') || log.includes('Sentinel ID is');
    let log = '';
    for await (const chunk of this.#process.stdout.iterator({ destroyOnReturn: false })) {
      log += chunk;
      if (isReady()) break;
    }
    if (!isReady()) throw new Error(`no redis-server: ${log}`);
    this.#process.stdout.resume();
  }

  async kill() {
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }

  async end() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
    fs.rmSync(this.#folder, { recursive: true });
  }
}

/** Below those that systems give to outgoing connections, which could take it before it is listened on. */
async function freePort() {
  for (;;) {
    const port = randomInt(11_000, 22_000);
    const server = net.createServer().listen(port);
    try {
      await once(server, 'listening');
    } catch {
      continue; // somebody has it
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** Each way for servers to tell each other: the options of one cluster, and the adapters of both kinds. */
const MODES = [
  {
    mode: 'classic',
    options: (key) => ({ key }),
    own: (url, options) => own.createAdapter(url, url, options),
    official: (pub, sub, options) => official.createAdapter(pub, sub, options),
  },
  {
    mode: 'sharded',
    options: (key) => ({ channelPrefix: key }),
    own: (url, options) => own.createShardedAdapter(url, url, options),
    official: (pub, sub, options) => official.createShardedAdapter(pub, sub, options),
  },
  {
    mode: 'streams',
    options: (key) => ({ streamName: key, channelPrefix: key }),
    own: (url, options) => own.createStreamsAdapter(url, options),
    official: (pub, sub, options) => officialStreams.createAdapter(pub, { ...options, blockTimeInMs: 50 }),
  },
];

const clients = new Set();
let clusters = 0;

/** A connected client of npm's redis. */
async function redisClient(url) {
  const client = createClient({ url });
  client.on('error', () => {});
  clients.add(client);
  await client.connect();
  return client;
}

/** Closes what `redisClient` has made, after the servers, when what these have sent was answered. */
async function closeClients() {
  const all = [...clients];
  clients.clear();
  await Promise.all(all.map((client) => client.quit()));
}

function ownNode(redis, { own: adapter, options }, key, more) {
  return serve(ours.Server, { adapter: adapter(redis.url, { ...options(key), ...more }) });
}

async function officialNode(redis, { official: adapter, options }, key) {
  const [pub, sub] = await Promise.all([redisClient(redis.url), redisClient(redis.url)]);
  return serve(theirs.Server, { adapter: adapter(pub, sub, options(key)) });
}

/** A server of ours and an official one, which hear each other. */
async function cluster(redis, mode) {
  const key = `cluster-${++clusters}`;
  const [a, b] = await Promise.all([ownNode(redis, mode, key), officialNode(redis, mode, key)]);
  await Promise.all([hears(a, b), hears(b, a)]);
  return { a, b, key };
}

/** Until one hears what the other emits, to servers and to clients: the official adapter of streams sends the former by other
 * ways, and forgets of the latter what was emitted before it has read anything. */
async function hears(to, from, namespace = '/') {
  const { socket, peer } = await pair(ours.connect, to, undefined, namespace);
  const missing = new Set([to.of(namespace), socket]);
  for (const one of missing) one.once('are you there', () => missing.delete(one));
  for (const begin = Date.now(); missing.size > 0; ) {
    if (Date.now() - begin > LIMIT) throw new Error('servers do not hear each other');
    from.of(namespace).serverSideEmit('are you there');
    from.of(namespace).emit('are you there');
    await sleep(20);
  }
  const gone = next(peer, 'disconnect');
  socket.disconnect();
  await gone;
}

/** Until that is so. */
async function until(isSo) {
  for (const begin = Date.now(); !(await isSo()); ) {
    if (Date.now() - begin > LIMIT) throw new Error('it is not so');
    await sleep(10);
  }
}

module.exports = { MODES, Redis, closeClients, cluster, freePort, hears, next, officialNode, opened, ownNode, redisClient, until };
