// The official client at servers of one cluster behind a load balancer that knows nothing of sessions:
// forwarding_client.js SCENARIO URL
//
// SCENARIO: talking, upgrading, crowd, leaving or killed. $TRANSPORTS is JSON. The servers do what peers/README.md tells. It prints
// `ok NAME`, or ends with what failed.

import assert from 'node:assert/strict';

import { io } from 'socket.io-client';

const PATIENCE = 30_000; // ms, for any single event
const NODES = 3;
const [scenario, url] = process.argv.slice(2);
const { TRANSPORTS } = process.env;
const transports = TRANSPORTS ? { transports: JSON.parse(TRANSPORTS) } : {};
const bytes = Buffer.from(Array.from({ length: 3000 }, (_, index) => (index * 7) % 256));
const opened = [];

class Client {
  constructor(name, options = {}) {
    Object.assign(this, { name, heard: [], waiting: new Set() });
    const query = { who: name };
    this.socket = io(url, { forceNew: true, reconnection: false, auth: { name }, query, ...transports, ...options });
    opened.push(this.socket);
    this.socket.onAny((...event) => this.hear(event));
    for (const event of ['connect', 'disconnect', 'connect_error']) {
      this.socket.on(event, (reason) => this.hear([event, reason instanceof Error ? reason.message : reason]));
    }
    this.socket.on('question', (...values) => values.pop()({ of: name, values }));
    this.upgraded = new Promise((resolve) => {
      this.socket.io.once('open', () => {
        const { engine } = this.socket.io;
        engine.once('upgrade', () => resolve('upgraded'));
        engine.once('upgradeError', () => resolve('refused'));
      });
    });
  }

  hear(event) {
    this.heard.push(event);
    for (const look of this.waiting) look();
  }

  /** Awaits an event of this name, and takes it and what was before it away. */
  next(...wanted) {
    return within(() => `${this.name} hears ${wanted}, not ${JSON.stringify(this.heard).slice(0, 500)}`, (resolve) => {
      const look = () => {
        const place = this.heard.findIndex(([name]) => wanted.includes(name));
        if (place < 0) return;
        this.waiting.delete(look);
        resolve(this.heard.splice(0, place + 1).at(-1));
      };
      this.waiting.add(look);
      look();
    });
  }

  async ask(...event) {
    try {
      return await this.socket.timeout(PATIENCE).emitWithAck(...event);
    } catch (error) {
      throw new Error(`${this.name} (${JSON.stringify(this.node)}) asks ${event[0]}: ${error.message}; heard ${JSON.stringify(this.heard)}`);
    }
  }
}

async function within(what, executor) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${PATIENCE / 1000} s: ${what()}`)), PATIENCE);
  });
  try {
    return await Promise.race([new Promise(executor), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** So many clients, each of which knows its node. */
async function gather(count, options) {
  const clients = Array.from({ length: count }, (_, index) => new Client(`client ${index}`, options));
  await Promise.all(clients.map(async (client) => {
    const [event, why] = await client.next('connect', 'connect_error');
    assert.equal(event, 'connect', why);
    client.node = await client.ask('node');
  }));
  return clients;
}

/** Those of each node, by its name. */
function byNode(clients) {
  const nodes = new Map();
  for (const client of clients) nodes.set(client.node.name, [...(nodes.get(client.node.name) ?? []), client]);
  assert.equal(nodes.size, NODES, [...nodes.keys()].join());
  return nodes;
}

/** How many clients there are, of whichever node. */
async function count(client, room = '') {
  const found = await new Promise((resolve) => { client.socket.emit('do-fetch', room, '', resolve); });
  return found.length;
}

async function talk(client) {
  const values = [{ deep: [bytes, 'κόσμε €😀', null, 1.5] }, bytes];
  assert.deepEqual(await new Promise((resolve) => { client.socket.emit('echo', ...values, (...back) => resolve(back)); }), values);
  client.socket.emit('bounce', ...values);
  assert.deepEqual(await client.next('bounced'), ['bounced', ...values]);
  client.socket.emit('ask', 'κόσμε', [null]);
  assert.deepEqual((await client.next('answer'))[1], { of: client.name, values: ['κόσμε', [null]] });
  const numbers = Array.from({ length: 40 }, (_, index) => index);
  const back = numbers.map(() => client.next('bounced'));
  // Some of them in one request, and some in one each.
  for (const number of numbers) {
    client.socket.emit('bounce', number);
    if (number % 3 === 0) await client.ask('echo', number);
  }
  assert.deepEqual((await Promise.all(back)).map(([, number]) => number), numbers);
}

async function rooms(clients) {
  for (const [index, client] of clients.entries()) await client.ask('join', index % 2 ? 'odd' : 'even');
  const [first, second, ...others] = clients;
  assert.equal(await count(first, 'odd'), clients.length / 2);
  const { auth, who } = await second.ask('who');
  assert.deepEqual([auth, who], [{ name: second.name }, second.name]);
  const odd = others.filter((_, index) => index % 2);
  first.socket.emit('say', 'odd', 'to the odd', bytes);
  for (const client of [second, ...odd]) assert.deepEqual(await client.next('said'), ['said', 'to the odd', bytes]);
  await second.ask('leave', 'odd');
  second.socket.emit('all', 'everybody');
  for (const client of clients) assert.deepEqual(await client.next('all'), ['all', 'everybody']);
  first.socket.emit('do-broadcast', 'odd', '', 'again');
  for (const client of odd) assert.equal((await client.next('said'))[1], 'again');
  second.socket.emit('do-broadcast', '', 'odd', 'the others');
  assert.equal((await second.next('said'))[1], 'the others');
}

const SCENARIOS = {
  async talking() {
    const clients = await gather(2 * NODES);
    byNode(clients);
    await Promise.all(clients.map(talk));
    await rooms(clients);
  },

  /** A WebSocket is for who happens to get it at its own node, which is a's; all the others go on polling. */
  async upgrading() {
    const clients = await gather(2 * NODES);
    byNode(clients);
    for (const client of clients) {
      const isOwn = client.node.name === 'a';
      assert.equal(await within(() => 'the upgrade', (resolve) => { client.upgraded.then(resolve); }), isOwn ? 'upgraded' : 'refused', client.node.name);
      assert.equal(client.socket.io.engine.transport.name, isOwn ? 'websocket' : 'polling');
    }
    await Promise.all(clients.map(talk));
    await rooms(clients);
  },

  async crowd() {
    const clients = await gather(50);
    byNode(clients);
    await Promise.all(clients.map(talk));
    const [first, ...others] = clients;
    first.socket.emit('all', bytes);
    for (const client of clients) assert.deepEqual((await client.next('all'))[1], bytes);
    assert.equal(await count(first), clients.length);
    for (const client of others) client.socket.disconnect();
    while ((await count(first)) !== 1);
  },

  async leaving() {
    const clients = await gather(3 * NODES);
    const watching = new Client('watching');
    await watching.next('connect');
    for (const [own, kicked, closed] of byNode(clients).values()) {
      own.socket.disconnect();
      assert.deepEqual(await own.next('disconnect'), ['disconnect', 'io client disconnect']);
      kicked.socket.emit('kick', false);
      assert.deepEqual(await kicked.next('disconnect'), ['disconnect', 'io server disconnect']);
      closed.socket.emit('kick', true);
      assert.deepEqual(await closed.next('disconnect'), ['disconnect', 'io server disconnect']);
    }
    while ((await count(watching)) !== 1);
    // Whose connection breaks is gone at its node, too: a waiting GET is cancelled there.
    const broken = new Client('broken');
    await broken.next('connect');
    await broken.ask('echo');
    assert.equal(await count(watching), 2);
    broken.socket.io.engine.close();
    while ((await count(watching)) !== 1);
  },

  async killed() {
    const clients = await gather(3 * NODES, { reconnection: true, reconnectionDelay: 10 });
    const nodes = byNode(clients);
    const [victims, ...others] = [...nodes.values()];
    const begun = Date.now();
    process.kill(victims[0].node.pid, 'SIGKILL');
    for (const client of victims) {
      assert.match((await client.next('disconnect'))[1], /^transport (error|close)$/);
      await client.next('connect');
      assert.notEqual((await client.ask('node')).name, client.node.name);
    }
    assert.ok(Date.now() - begun < PATIENCE / 3, `it took ${Date.now() - begun} ms`);
    // Whose GET waited there has lost a connection, too.
    for (const client of others.flat()) if (!client.socket.connected) await client.next('connect');
    await Promise.all(clients.map(talk));
    const [first] = others[0];
    while ((await count(first)) !== clients.length);
  },
};

await SCENARIOS[scenario]();
console.log(`ok ${scenario}`);
for (const socket of opened) socket.disconnect();
