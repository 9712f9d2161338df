// Servers of one cluster, seen by clients on each: cluster_client.js SCENARIOS URL URL [URL…]
//
// SCENARIOS: all, emitter, going (of nodes) or recovery; for these two the first node is official and the others are ours. $PARSER
// is msgpack where that is used, $MODE that of the cluster, $ADAPTER the URL of its Redis. The nodes do what peers/README.md tells. It
// prints `ok NAME` for each scenario, and ends with the first that fails.

import { readFileSync, readdirSync } from 'node:fs';
import assert from 'node:assert/strict';

import { Redis } from 'ioredis';
import { io } from 'socket.io-client';

const PATIENCE = 30_000; // ms, for any single event
const [chosen, ...urls] = process.argv.slice(2);
const { MODE, PARSER } = process.env;
const parser = PARSER === 'msgpack' ? { parser: (await import('socket.io-msgpack-parser')).default } : {};
const bytes = Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 7) % 256));
const VALUES = [['text', { deep: ['κόσμε €😀', null, 1.5] }], [{ deep: [bytes, 'text', Buffer.alloc(0)] }, bytes], []];
// A packet has ten binary values at most: so many answers of this may be in one.
const ASKED = [VALUES[0], [{ deep: [bytes, 'text'] }], []];
const opened = [];
const lacking = new Set(); // URLs of nodes that keep no data of sockets

/* ── clients ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/** A client of a node: its `heard` are the events that came, and `until` awaits that they say something. */
class Client {
  constructor(name, url, namespace = '/') {
    Object.assign(this, { name, rooms: new Set(), heard: [], wake() {} });
    const auth = { name, token: 'secret' };
    this.socket = io(new URL(namespace, url).href, { forceNew: true, transports: ['websocket'], reconnection: false, auth, ...parser });
    opened.push(this.socket);
    this.socket.onAny((...event) => this.hear(plain(event)));
    this.socket.on('disconnect', (reason) => this.hear(['disconnect', reason]));
    this.socket.on('question', (...values) => values.pop()({ of: name, values }));
  }

  hear(event) {
    this.heard.push(event);
    this.wake();
  }

  async connected() {
    await within(this.name + ' connects', (resolve, reject) => this.socket.once('connect', resolve).once('connect_error', reject));
    return this;
  }

  /** Awaits that this is true of what it has heard. */
  async until(what, isTrue) {
    await within(() => `${this.name} hears ${what}, not ${JSON.stringify(this.heard).slice(0, 2000)}`, (resolve) => {
      this.wake = () => isTrue(this.heard) && resolve();
      this.wake();
    });
  }

  tell(...event) {
    this.socket.emit(...event);
  }

  ask(...event) {
    return this.socket.timeout(PATIENCE).emitWithAck(...event);
  }

  /** What the node answers to an event with two values. */
  both(...event) {
    return within(`answer for ${this.name} to ${JSON.stringify(plain(event)).slice(0, 300)}`, (resolve) => this.socket.emit(...event, (...values) => resolve(plain(values))));
  }

  async join(...rooms) {
    for (const room of rooms) {
      await this.ask('join', room);
      this.rooms.add(room);
    }
  }

  is(to, except) {
    const isIn = (rooms) => rooms.split(' ').some((room) => this.rooms.has(room) || room === this.socket.id);
    return (to === '' || isIn(to)) && !isIn(except);
  }
}

/** What the executor resolves with, in time. */
async function within(what, executor) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${PATIENCE / 1000} s: ${typeof what === 'function' ? what() : what}`)), PATIENCE);
  });
  try {
    return await Promise.race([new Promise(executor), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Binary values as texts, which can be told and compared. */
function plain(value) {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return `bytes ${Buffer.from(value.buffer ?? value, value.byteOffset ?? 0, value.byteLength).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
  return typeof value === 'function' ? 'ack' : value;
}

/** The same of what servers say to each other: in the classic mode by JSON, which makes objects of binary values. */
function said(value) {
  const revive = (_, part) => (part?.type === 'Buffer' ? plain(Buffer.from(part.data)) : part);
  return MODE === 'classic' ? JSON.parse(JSON.stringify(plain(value)), revive) : plain(value);
}

const sorted = (list) => list.map((item) => JSON.stringify(item)).sort();
const sameInAnyOrder = (given, wanted, what) => assert.deepEqual(sorted(given), sorted(wanted), what);

/* ── a crowd: two clients of each node ────────────────────────────────────────────────────────────────────────── */

let marks = 0;

class Crowd {
  static async gather(namespace = '/') {
    const crowd = new Crowd();
    crowd.namespace = namespace;
    const at = (url, node) => [1, 2].map((number) => new Client('abc'[node] + number, url, namespace).connected());
    crowd.clients = await Promise.all(urls.flatMap(at));
    crowd.firsts = crowd.clients.filter((client) => client.name.endsWith('1'));
    for (const first of crowd.firsts) {
      await crowd.counts(first, urls.length);
      first.lacks = (await first.ask('node')).lacks ?? [];
      if (first.lacks.includes('data')) lacking.add(first.socket.io.uri);
    }
    for (const client of crowd.clients) await client.join(client.name[1] === '1' ? 'ones' : 'twos', client.name[0]);
    for (const name of ['a1', 'b2', 'c1']) await crowd.client(name)?.join('mixed');
    for (const room of ['ones', 'twos', 'mixed']) await crowd.reaches(room);
    for (const node of 'abc'.slice(0, urls.length)) await crowd.reaches(node);
    return crowd;
  }

  /** The first client of each node that can do this. */
  origins(event) {
    return this.firsts.filter(({ lacks }) => !lacks.includes(event) && !lacks.includes(event.split('-')[0]));
  }

  client(name) {
    return this.clients.find((client) => client.name === name);
  }

  /** Asks until the node knows so many. */
  async counts(client, nodes) {
    while ((await client.ask('do-count')) !== nodes);
  }

  /** All have heard what the node of this one, or its emitter, has sent them by now. */
  async fence(client, from = 'do') {
    const mark = `fence ${(marks += 1)}`;
    client.tell(`${from}-broadcast`, '', '', mark);
    for (const each of this.clients) await each.until(mark, (heard) => heard.some(([, value]) => value === mark));
  }

  /** Broadcasts to a room until all that are in it hear of it: a node's subscription to a room takes its time. */
  async reaches(room) {
    const missing = () => this.clients.filter((client) => client.rooms.has(room) && !client.heard.some(([, value]) => value === `warm ${room}`));
    for (let origin = 0; missing().length > 0; origin = (origin + 1) % this.firsts.length) {
      this.firsts[origin].tell('do-broadcast', room, '', `warm ${room}`);
      await this.fence(this.firsts[origin]);
    }
  }

  /** What each has heard since, of these events, without what was sent to try. */
  take(name) {
    return this.clients.map((client) => {
      const heard = client.heard.filter((event) => event[0] === name && !/^(fence|warm) /.test(event[1]));
      client.heard = [];
      return heard;
    });
  }

  /** All ways to say whom a broadcast is for. */
  targets() {
    const { id } = this.client('b2').socket;
    return [['', ''], ['ones', ''], ['mixed a', ''], ['', 'twos'], ['ones', 'a mixed'], ['ones b', 'mixed'], [id, ''], ['', id], ['nobody', ''], ['twos', 'nobody']];
  }

  close() {
    for (const { socket } of this.clients) socket.disconnect();
  }
}

/* ── the scenarios ────────────────────────────────────────────────────────────────────────────────────────────── */

async function broadcasts(crowd, event = 'do-broadcast', isFor = () => true) {
  for (const origin of crowd.origins(event)) {
    crowd.take('said');
    const wanted = crowd.clients.map(() => []);
    for (const [to, except] of crowd.targets()) {
      for (const values of VALUES) {
        const number = (marks += 1);
        origin.tell(event, to, except, number, ...values);
        crowd.clients.forEach((client, place) => {
          if (client.is(to, except) && isFor(client, origin)) wanted[place].push(plain(['said', number, ...values]));
        });
      }
    }
    await crowd.fence(origin, event.split('-')[0]);
    // Between rooms of their own channels and all others there is no order.
    crowd.take('said').forEach((heard, place) => sameInAnyOrder(heard, wanted[place], `${event} by ${origin.name} to ${crowd.clients[place].name}`));
  }
}

/** What the node of this client finds, as names and rooms; it may take a while until others have done what they were told. */
async function found(client, to = '', except = '') {
  const [sockets, note] = await client.both('do-fetch', to, except);
  return [sockets.map(({ id, data, rooms }) => [nameOf(id, data), rooms.sort()]), note];
}

/** As its data says; some nodes keep none, and these are told by the id. */
function nameOf(id, data) {
  return data.name ?? opened.find((socket) => socket.id === id && lacking.has(socket.io.uri))?.auth.name;
}

async function finds(crowd, client, to = '', except = '') {
  const wanted = crowd.clients.filter((each) => each.is(to, except)).map(({ name, rooms }) => [name, [...rooms].sort()]);
  const [sockets, note] = await found(client, to, except);
  assert.equal(note, 'complete');
  sameInAnyOrder(sockets, wanted, `found by ${client.name}: ${to} but ${except}`);
}

/** Asks until the nodes have done what they were told by another. */
async function comesToFind(crowd, client) {
  const wanted = sorted(crowd.clients.map(({ name, rooms }) => [name, [...rooms].sort()]));
  const end = Date.now() + PATIENCE;
  for (;;) {
    const [sockets] = await found(client);
    if (sorted(sockets).join() === wanted.join()) return;
    assert.ok(Date.now() < end, `${client.name} finds ${sorted(sockets)}, not ${wanted}`);
  }
}

async function moves(crowd, from) {
  for (const origin of crowd.origins(`${from}-join`)) {
    for (const [to, except] of crowd.targets().slice(2, 6)) {
      origin.tell(`${from}-join`, to, except, 'new newer');
      const moved = crowd.clients.filter((client) => client.is(to, except));
      for (const { rooms } of moved) rooms.add('new').add('newer');
      for (const first of crowd.firsts) await comesToFind(crowd, first);
      origin.tell(`${from}-leave`, 'new', except, 'new');
      for (const { rooms } of moved) rooms.delete('new');
      for (const first of crowd.firsts) await comesToFind(crowd, first);
      origin.tell(`${from}-leave`, '', '', 'newer');
      for (const { rooms } of moved) rooms.delete('newer');
      await comesToFind(crowd, origin);
    }
  }
}

async function disconnects(crowd, from) {
  for (const origin of crowd.origins(`${from}-disconnect`)) {
    for (const close of [false, true]) {
      const doomed = await Promise.all(urls.map((url, node) => new Client(`${'abc'[node]}-doomed`, url, crowd.namespace).connected()));
      for (const client of doomed) await client.join('doomed');
      await doomed[0].ask('join', 'spared');
      origin.tell(`${from}-disconnect`, 'doomed', 'spared', close);
      for (const client of doomed.slice(1)) await client.until('disconnect', (heard) => heard.some(([name, reason]) => name === 'disconnect' && reason === 'io server disconnect'));
      assert.equal(doomed[0].socket.connected, true);
      doomed[0].socket.disconnect();
      for (const first of crowd.firsts) await comesToFind(crowd, first);
    }
  }
}

async function serverEmits(crowd, event, isFor) {
  for (const origin of crowd.firsts) {
    const node = (await origin.ask('node')).name;
    for (const values of VALUES) {
      crowd.take('heard');
      origin.tell(event, ...values);
      const hearing = crowd.clients.filter((client) => isFor(client, origin));
      for (const client of hearing) await client.until('heard', (heard) => heard.some(([name]) => name === 'heard'));
      await crowd.fence(origin);
      const heard = crowd.take('heard');
      for (const [place, client] of crowd.clients.entries()) {
        const [first, ...more] = heard[place];
        assert.deepEqual(more, []);
        if (!hearing.includes(client)) assert.equal(first, undefined, `${client.name} of ${node}`);
        else assert.deepEqual(said(first.slice(2)), plain(values), `${event} by ${origin.name} to ${client.name}`);
      }
    }
  }
}

const elsewhere = (client, origin) => client.name[0] !== origin.name[0];
const locally = (client, origin) => !elsewhere(client, origin);

/** What the clients of all nodes see, in a namespace. */
const crowdScenarios = {
  'a broadcast reaches whom it is for, on every node': (crowd) => broadcasts(crowd),
  'a local broadcast stays on its node': (crowd) => broadcasts(crowd, 'do-local', locally),

  async 'a broadcast is acknowledged by whom it is for, on every node'(crowd) {
    for (const origin of crowd.origins('do-ask')) {
      for (const [to, except] of crowd.targets()) {
        for (const values of ASKED) {
          const wanted = crowd.clients.filter((client) => client.is(to, except)).map(({ name }) => plain({ of: name, values }));
          const [answers, note] = await origin.both('do-ask', to, except, PATIENCE, ...values);
          assert.equal(note, 'complete', `answers: ${JSON.stringify(answers).slice(0, 3000)}`);
          sameInAnyOrder(answers, wanted, `asked by ${origin.name}: ${to} but ${except}`);
        }
      }
    }
  },

  async 'every node finds the sockets of all'(crowd) {
    for (const origin of crowd.firsts) {
      for (const [to, except] of crowd.targets()) await finds(crowd, origin, to, except);
    }
  },

  'sockets of every node join and leave rooms': (crowd) => moves(crowd, 'do'),
  'sockets of every node are disconnected': (crowd) => disconnects(crowd, 'do'),
  'the other servers hear what one emits to them': (crowd) => serverEmits(crowd, 'do-server-emit', elsewhere),

  async 'the other servers answer what one asks them'(crowd) {
    const nodes = await Promise.all(crowd.firsts.map((first) => first.ask('node')));
    for (const [place, origin] of crowd.firsts.entries()) {
      for (const values of VALUES) {
        const [answers, note] = await origin.both('do-server-ask', ...values);
        assert.equal(note, 'complete');
        sameInAnyOrder(said(answers), nodes.filter((_, node) => node !== place).map(({ name }) => plain([name, ...values])));
      }
    }
  },
};

const emitterScenarios = {
  'an emitter reaches whom it is for, on every node': (crowd) => broadcasts(crowd, 'emitter-broadcast'),
  'an emitter has sockets of every node join and leave rooms': (crowd) => moves(crowd, 'emitter'),
  'an emitter disconnects sockets of every node': (crowd) => disconnects(crowd, 'emitter'),
  'the servers hear what an emitter emits to them': (crowd) => serverEmits(crowd, 'emitter-server-emit', () => true),
};

function inNamespaces(scenarios, namespaces) {
  const named = {};
  for (const namespace of namespaces) {
    let crowd;
    for (const [name, scenario] of Object.entries(scenarios)) {
      named[`${name}, in ${namespace}`] = async () => scenario((crowd ??= await Crowd.gather(namespace)));
    }
  }
  return named;
}

/* ── nodes that go ────────────────────────────────────────────────────────────────────────────────────────────── */

const SHORT = 500; // ms, for answers of clients whose node hangs

function isStopped(pid) {
  const states = readdirSync(`/proc/${pid}/task`).map((thread) => readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'));
  return states.every((stat) => stat.slice(stat.lastIndexOf(')') + 2).startsWith('T'));
}

/** A node hangs: others of ours tell what they know, and say that it is not all; what it was sent comes late. */
async function hangs(crowd, victim) {
  const asking = crowd.client('b1');
  const there = crowd.clients.filter((client) => client.name[0] !== victim.name[0]);
  const { pid } = await victim.ask('node');
  process.kill(pid, 'SIGSTOP');
  while (!isStopped(pid)) await new Promise(setImmediate); // each thread stops when the system gets to it
  try {
    const [sockets, note] = await found(asking);
    assert.equal(note, 'partial');
    sameInAnyOrder(sockets.map(([name]) => name), there.map(({ name }) => name));
    const [answers, of] = await asking.both('do-ask', '', '', SHORT, 'anybody');
    assert.equal(of, 'partial');
    sameInAnyOrder(answers.map((answer) => answer.of), there.map(({ name }) => name));
    const [servers, ofServers] = await asking.both('do-server-ask', 'anybody');
    assert.deepEqual([servers.length, ofServers], [urls.length - 2, 'partial']);
    asking.tell('do-broadcast', '', '', 'late');
    for (const client of there) await client.until('late', (heard) => heard.some(([, value]) => value === 'late'));
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await crowd.fence(asking);
  for (const { heard } of crowd.clients) assert.equal(heard.filter(([, value]) => value === 'late').length, 1);
  crowd.take('said');
  for (const first of crowd.firsts) await comesToFind(crowd, first);
}

/** A node is killed: the others know it no longer, and go on. */
async function dies(crowd, victim) {
  const gone = crowd.clients.filter((client) => client.name[0] === victim.name[0]);
  process.kill((await victim.ask('node')).pid, 'SIGKILL');
  for (const client of gone) await client.until('disconnect', (heard) => heard.some(([name]) => name === 'disconnect'));
  crowd.clients = crowd.clients.filter((client) => !gone.includes(client));
  crowd.firsts = crowd.firsts.filter((client) => !gone.includes(client));
  for (const first of crowd.firsts) {
    await crowd.counts(first, crowd.firsts.length);
    for (const [to, except] of [['', ''], ['ones', 'mixed']]) await finds(crowd, first, to, except);
    const [answers, note] = await first.both('do-ask', '', '', PATIENCE, 'still there');
    assert.equal(note, 'complete');
    sameInAnyOrder(answers.map((answer) => answer.of), crowd.clients.map(({ name }) => name));
    await crowd.fence(first);
  }
}

let crowdOfAll;
const gathered = async () => (crowdOfAll ??= await Crowd.gather());

const hanging = {
  'an official server hangs': async () => hangs(await gathered(), (await gathered()).client('a1')),
  'one of our servers hangs': async () => hangs(await gathered(), (await gathered()).client('c1')),
};
const dying = {
  'one of our servers is killed': async () => dies(await gathered(), (await gathered()).client('c1')),
  'an official server is killed': async () => dies(await gathered(), (await gathered()).client('a1')),
};

/* ── recovery ─────────────────────────────────────────────────────────────────────────────────────────────────── */

let recoveries = 0;

/** A client of one node loses it, in this way, and comes back on another, while a third client has events sent. */
async function comesBack(from, to, witnessAt, lose) {
  const name = `traveller ${(recoveries += 1)}`;
  const traveller = await new Client(name, urls[from]).connected();
  const witness = await new Client('witness', urls[witnessAt]).connected();
  await traveller.join('ones');
  const { id } = traveller.socket;
  const first = `first of ${name}`;
  traveller.tell('do-broadcast', 'ones', '', first);
  await traveller.until(first, (heard) => heard.some(([, value]) => value === first));
  await lose(traveller, witness);
  await traveller.until('disconnect', (heard) => heard.some(([event]) => event === 'disconnect'));
  witness.tell('do-broadcast', 'ones', '', 'missed', ...VALUES[1]);
  witness.tell('do-broadcast', '', id, 'not for the traveller');
  witness.tell('do-broadcast', id, '', 'missed, too');
  witness.tell('do-broadcast', '', 'twos', 'missed last');
  await witness.until('the last', (heard) => heard.some(([, value]) => value === 'missed last'));
  traveller.socket.io.uri = urls[to];
  traveller.socket.connect();
  await within(`${name} comes back`, (resolve, reject) => traveller.socket.once('connect', resolve).once('connect_error', reject));
  const node = await traveller.ask('node');
  assert.deepEqual([traveller.socket.recovered, node.recovered, traveller.socket.id], [true, true, id]);
  witness.tell('do-broadcast', 'ones', '', 'on time');
  witness.tell('do-broadcast', '', '', 'end');
  await traveller.until('the end', (heard) => heard.some(([, value]) => value === 'end'));
  // Each ends with its place in the stream, which the client says when it comes back.
  const heard = traveller.heard.filter(([event]) => event === 'said').map(([, ...values]) => values.slice(0, -1));
  assert.deepEqual(heard, [[first], ['missed', ...plain(VALUES[1])], ['missed, too'], ['missed last'], ['on time'], ['end']]);
  for (const { socket } of [traveller, witness]) socket.disconnect();
}

/** Its connection ends, and its node is known to have seen that. */
async function disconnected(traveller, witness) {
  traveller.socket.io.engine.close();
  while ((await found(witness))[0].some(([name]) => name === traveller.name));
}

/** Its node is killed, after it has kept the session, which it does soon after a change of rooms. */
async function killed(traveller) {
  const redis = new Redis(process.env.ADAPTER);
  const kept = async () => Buffer.from((await redis.get(`sio:session:${traveller.socket._pid}`)) ?? '', 'base64');
  while (!(await kept()).includes('ones'));
  redis.disconnect();
  process.kill((await traveller.ask('node')).pid, 'SIGKILL');
}

const recovering = {
  'a client of an official server comes back on ours': () => comesBack(0, 1, 2, disconnected),
  'a client of ours comes back on an official server': () => comesBack(1, 0, 2, disconnected),
  'a client of ours comes back on another of ours': () => comesBack(1, 2, 0, disconnected),
  'a client of ours whose server is killed comes back on another of ours': () => comesBack(1, 2, 0, killed),
  'a client of ours whose server is killed comes back on an official server': () => comesBack(2, 0, 0, killed),
};

const suites = {
  all: () => inNamespaces(crowdScenarios, ['/', '/admin']),
  emitter: () => inNamespaces(emitterScenarios, ['/', '/admin']),
  going: () => ({ ...hanging, ...dying }),
  recovery: () => recovering,
};

for (const [name, scenario] of Object.entries(suites[chosen]())) {
  const started = Date.now();
  try {
    await scenario();
  } catch (error) {
    console.error(`${MODE} ${name}: ${error.stack ?? error}`);
    process.exit(1);
  }
  console.log(`ok ${name} (${Date.now() - started} ms)`);
}
for (const socket of opened) socket.disconnect();
process.exit(0);
