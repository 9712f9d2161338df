// Clients of servers that are behind a balancer: sticky_client.js SCENARIO URL TRANSPORTS [NODES]
//
// SCENARIO: together, killed or apart. TRANSPORTS: polling, websocket or upgrade. NODES is how many servers there are, which do what
// peers/README.md tells. $COOKIES: clients keep cookies; $ADDRESSES: each has an address of its own. It prints `ok SCENARIO`.

import assert from 'node:assert/strict';
import http from 'node:http';

import { io } from 'socket.io-client';

const PATIENCE = 30_000; // ms, for any single event
const ENOUGH = 2; // clients of each server
const MOST = 250; // clients, among which there are enough for each
const TIMES = 10; // that each is asked

const [scenario, url, transports, nodes] = process.argv.slice(2);
const { COOKIES, ADDRESSES } = process.env;
const way = transports === 'upgrade' ? {} : { transports: [transports] };

/** What the executor resolves with, in time. */
async function within(what, executor) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${PATIENCE / 1000} s: ${what}`)), PATIENCE);
  });
  try {
    return await Promise.race([new Promise(executor), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One of them; `ups` and `downs` count how often it was connected, and was not any more. */
class Client {
  constructor(number) {
    Object.assign(this, { number, ups: 0, downs: 0, heard: [], wake() {} });
    this.address = ADDRESSES ? `127.0.1.${number + 1}` : '127.0.0.1';
    const agent = ADDRESSES ? new http.Agent({ keepAlive: true, localAddress: this.address }) : undefined;
    this.socket = io(url, {
      forceNew: true,
      reconnectionDelay: 10,
      reconnectionDelayMax: 50,
      timeout: PATIENCE,
      withCredentials: Boolean(COOKIES),
      agent,
      // What anybody can say. Not where clients come back: engine.io-client 6.6.8 keeps cookies of former connections in this object.
      extraHeaders: scenario === 'together' ? { 'X-Forwarded-For': '192.0.2.1' } : undefined,
      ...way,
    });
    const note = (name, act) => this.socket.on(name, (...values) => this.wake(act(...values)));
    note('connect', () => (this.ups += 1));
    note('disconnect', (reason) => (this.downs += 1) && (this.reason = reason));
    note('connect_error', (error) => (this.error = error));
    note('said', (value) => this.heard.push(value));
  }

  /** Awaits that this is true of it. */
  async until(what, isTrue) {
    await within(`client ${this.number} (${this.node}, ${this.reason ?? this.error}): ${what}`, (resolve) => {
      this.wake = () => isTrue(this) && resolve();
      this.wake();
    });
  }

  ask(...event) {
    return this.socket.timeout(PATIENCE).emitWithAck(...event);
  }

  /** Finds out which server it has, and that it stays the same, and on which transport it is. */
  async settle() {
    const { engine } = this.socket.io;
    if (transports === 'upgrade' && engine.transport.name === 'polling') {
      await within(`client ${this.number} upgrades`, (resolve) => engine.once('upgrade', resolve));
    }
    for (let time = 0; time < TIMES; time += 1) {
      const { name, pid } = await this.ask('node');
      this.node ??= name;
      this.pid ??= pid;
      assert.equal(name, this.node);
    }
    assert.equal(this.socket.io.engine.transport.name, transports === 'polling' ? 'polling' : 'websocket');
  }
}

/** Clients of all servers, enough of each. */
async function gather() {
  const clients = [];
  const counts = new Map();
  const isEnough = () => counts.size === Number(nodes) && [...counts.values()].every((count) => count >= ENOUGH);
  while (!isEnough()) {
    assert.ok(clients.length < MOST, `not ${ENOUGH} clients of each server: ${JSON.stringify([...counts])}`);
    const client = new Client(clients.length);
    clients.push(client);
    await client.until('connects', ({ ups }) => ups > 0);
    await client.settle();
    counts.set(client.node, (counts.get(client.node) ?? 0) + 1);
  }
  return clients;
}

let words = 0;

/** Each says something to all. */
async function speak(clients) {
  for (const client of clients) {
    const word = `word ${(words += 1)}`;
    client.socket.emit('do-broadcast', '', '', word);
    for (const other of clients) await other.until(`hears ${word}`, ({ heard }) => heard.includes(word));
  }
  for (const { heard } of clients) assert.equal(new Set(heard).size, heard.length);
}

const scenarios = {
  /** All requests of a client reach its server, and events reach all. */
  async together() {
    const clients = await gather();
    await speak(clients);
    for (const client of clients) {
      const { address, forwarded } = await client.ask('from'); // the former is nginx's; Node shows IPv4 as IPv6 may
      assert.deepEqual([address.replace('::ffff:', ''), forwarded], ['127.0.0.1', client.address]);
      assert.deepEqual([client.ups, client.downs, client.error], [1, 0, undefined], client.reason);
    }
    return clients;
  },

  /** A server dies: its clients come back, on one of the others, and nobody else is concerned. */
  async killed() {
    const clients = await gather();
    const [{ node: victim, pid }] = clients;
    process.kill(pid, 'SIGKILL');
    for (const client of clients.filter(({ node }) => node === victim)) {
      await client.until('comes back', ({ ups, downs, socket }) => downs > 0 && ups > downs && socket.connected);
      client.node = undefined;
      await client.settle();
      assert.notEqual(client.node, victim);
      client.hasMoved = true;
    }
    await speak(clients);
    for (const client of clients.filter(({ hasMoved }) => !hasMoved)) {
      assert.deepEqual([client.ups, client.downs, client.error], [1, 0, undefined], client.reason);
    }
    return clients;
  },

  /** Nothing is sticky: no session gets further than to its second request, but for WebSockets. */
  async apart() {
    const client = new Client(0);
    if (transports === 'websocket') {
      await client.until('connects', ({ ups }) => ups > 0);
      await client.settle();
    } else {
      await client.until('fails', ({ error }) => error !== undefined);
      const { message, context } = client.error;
      assert.match(message, /^xhr (poll|post) error$/);
      assert.deepEqual([context.status, client.ups], [400, 0]); // the body has not come yet
    }
    return [client];
  },
};

try {
  for (const { socket } of await scenarios[scenario]()) socket.disconnect();
} catch (error) {
  console.error(`${scenario}: ${error.stack ?? error}`);
  process.exit(1);
}
console.log(`ok ${scenario}`);
process.exit(0);
