'use strict';
// The native engine, and the way of its events to the objects that they are for.
//
// The addon collects the events of a turn in a table of records, [key, kind, offset, length], with payloads in a slab
// (src/batch.rs), and calls `deliver` once. Keys are indexes into `targets`, which JavaScript gives out.

const { markAsUntransferable } = require('worker_threads');
const { loadAddon } = require('./addon');

const { ClientContext, Engine, ServerContext, command } = loadAddon();

const FastBuffer = Buffer[Symbol.species]; // what Buffer.from makes, without its checks

/** As `Kind` in src/batch.rs. */
const KIND = Object.freeze({
  NEXT_SLAB: 0,
  TEXT: 1,
  BINARY: 2,
  OPEN: 3,
  PING: 4,
  PONG: 5,
  DRAIN: 6,
  ERROR: 7,
  CLOSE: 8,
  UPGRADE: 9,
  SERVER_CLOSED: 10,
  RESPONSE: 11,
  SENT: 12,
  RECONNECTING: 13,
  ATTEMPT: 14,
  RECONNECTED: 15,
  LOG: 16,
  PART: 17,
  IO_ATTACHMENT: 18,
  IO_EVENT: 19,
  IO_ACK: 20,
  IO_CONNECTED: 21,
  IO_DISCONNECTING: 22,
  IO_DISCONNECT: 23,
  IO_ABANDONED: 24,
  IO_UPGRADED: 25,
  IO_OUTGOING: 26,
  IO_CONNECTING: 27,
  IO_CONNECTION: 28,
  IO_ROOM: 29,
  IO_BROADCAST_ACK: 30,
  IO_FETCHED: 31,
  IO_REQUEST: 32,
  IO_NAMESPACE: 33,
  IO_REFUSED: 34,
  IO_HEADERS: 35,
  IO_CLOSED: 36,
  IO_ANSWER: 37,
  IO_AUTH: 38,
  IO_CONNECT: 39,
  IO_CONNECT_ERROR: 40,
  IO_CLIENT_DISCONNECT: 41,
  IO_OPEN: 42,
  IO_ERROR: 43,
  IO_CLOSE: 44,
  IO_PING: 45,
  IO_UPGRADE_ERROR: 46,
  IO_SCHEDULED: 47,
  IO_ATTEMPT: 48,
  IO_RECONNECT: 49,
  IO_RECONNECT_ERROR: 50,
  IO_RECONNECT_FAILED: 51,
  IO_NAMESPACE_MADE: 52,
  IO_SESSION: 53,
  IO_SESSION_UPGRADED: 54,
  IO_SESSION_CLOSED: 55,
  IO_INITIAL_HEADERS: 56,
  IO_ORIGIN: 57,
  IO_ENCODE: 58,
  IO_DECODE: 59,
  IO_DECODER_GONE: 60,
  REQUEST: 61,
  IO_PACKET: 62,
  IO_SERVER_ANSWERS: 63,
  IO_REDIS: 64,
  DIAL: 65,
});
/** What a Socket.IO server tells only to who wants it: as `Wants` in src/io/heard.rs. */
const WANTS = Object.freeze({ REQUESTS: 1, HEADERS: 2, ROOMS: 4, SESSIONS: 8, PACKETS: 16, UPGRADES: 32 });
const OWN_MEMORY = 0x100;
const EXTRA_SHIFT = 16;
const RECORDS = 1024;
const WORDS = 4;
const NOBODY = 0;
/** From here on a key is the slot that the addon has given to a socket of a Socket.IO server. */
const SLOTS = 0x4000_0000;

const table = new Uint32Array(RECORDS * WORDS);
/** Who has which key: WebSockets and servers, both with `_resource` and `_handleEvent(kind, extra, data)`. */
const targets = [null];
const freeKeys = [];
/** Sockets of Socket.IO servers by their slots, which the addon gives out. */
const sockets = [];
/** Slabs and memory of single payloads, in the order of the records that speak of them. */
let memories = [];
let taken = 0;
let slab = null;
/** How many deliveries in a row have to be one target's alone for it to be favoured. */
const STREAK = 64;
/** The key of the target in whose async context the addon calls `deliver` where all records are its own. */
let favourite = NOBODY;
/** Whose the latest deliveries were, and how many. */
let latest = NOBODY;
let streak = 0;
/** Those who want to know when what they sent has left. */
const waiting = new Set();

/** Bun and Deno have functions of libuv's names that end the process. */
const hasLibuv = !process.versions.bun && !process.versions.deno;
const engine = new Engine(table.buffer, deliver, allocate, hasLibuv);
/** send(handle, type, data): 0, 1 over the high-water mark, 4 dropped, or a negative number of an error. */
const send = engine.sender(false);
/** sendWith(handle, type, data, token, deadline): the same; the token is a negative number for none. */
const sendWith = engine.sender(true);

/** ioEmit(slot, JSON, flags, token, timeout, attachments): as `send`; token and timeout are negative for none. */
const ioEmit = engine.ioFunction(0);
/** ioBroadcast(namespace, JSON, rooms, except, flags, token, timeout, attachments). */
const ioBroadcast = engine.ioFunction(1);
/** ioAck(handle, JSON, attachments). */
const ioAck = engine.ioFunction(2);
/** ioClientEmit(handle, JSON, flags, token, timeout, attachments). */
const ioClientEmit = engine.ioFunction(3);
/** ioClientAck(handle, JSON, attachments). */
const ioClientAck = engine.ioFunction(4);

engine.ioAsker((key, kind, text) => targets[key]._answer(kind, text));

/** Memory for the addon. It must not be transferred: that would take it from under all views on it. */
function allocate(size) {
  const memory = Buffer.allocUnsafeSlow(size).buffer;
  markAsUntransferable(memory);
  memories.push(memory);
  return memory;
}

/** Takes `count` records: the events of one target that follow each other run in one go, in its async context. */
function deliver(count) {
  for (let first = 0; first < count; ) {
    const key = table[first * WORDS];
    if (key >= SLOTS) {
      first = deliverToSockets(first, count);
      continue;
    }
    let end = first + 1;
    while (end < count && table[end * WORDS] === key) end++;
    const target = targets[key];
    if (key === NOBODY) slab = memories[taken++];
    else if (target === null) skip(first, end);
    else if (end - first < count) target._resource.runInAsyncScope(run, null, target, first, end);
    else deliverAlone(key, target, count);
    first = end;
  }
  if (taken === memories.length) {
    memories = [];
    taken = 0;
  }
  if (waiting.size > 0) tellFlushed();
}

/** All records are one target's: it may have its async context already. */
function deliverAlone(key, target, count) {
  if (key === favourite) {
    latest = key; // or two that alternate would take its place from each other
    return run(target, 0, count);
  }
  target._resource.runInAsyncScope(run, null, target, 0, count);
  if (key !== latest) {
    latest = key;
    streak = 0;
  } else if (++streak === STREAK && hasLibuv && targets[key] === target) {
    favourite = target._resource.runInAsyncScope(favour, null, key, target._resource);
  }
}

function favour(key, resource) {
  return engine.favour(key, resource) ? key : NOBODY;
}

/** Leaves out what was on its way to a target that has gone meanwhile. */
function skip(first, end) {
  for (let at = first * WORDS; at < end * WORDS; at += WORDS) {
    if ((table[at + 1] & OWN_MEMORY) !== 0) taken++;
  }
}

/** Events of one Socket.IO server's sockets that follow each other run in one go, in the server's async context. */
function deliverToSockets(first, count) {
  const resource = sockets[table[first * WORDS] - SLOTS]._resource;
  let end = first + 1;
  while (end < count && sockets[table[end * WORDS] - SLOTS]?._resource === resource) end++;
  resource.runInAsyncScope(runSockets, null, first, end);
  return end;
}

function runSockets(first, end) {
  for (let at = first * WORDS; at < end * WORDS; at += WORDS) handle(sockets[table[at] - SLOTS], at);
}

function run(target, first, end) {
  for (let at = first * WORDS; at < end * WORDS; at += WORDS) handle(target, at);
}

function handle(target, at) {
  const kind = table[at + 1];
  const length = table[at + 3];
  const data =
    (kind & OWN_MEMORY) === 0
      ? new FastBuffer(slab, table[at + 2], length)
      : new FastBuffer(memories[taken++], 0, length);
  try {
    target._handleEvent(kind & 0xff, kind >>> EXTRA_SHIFT, data);
  } catch (error) {
    engine.reportException(error); // and the others get their events
  }
}

/** Calls back those whose data has left, in the context in which they asked. */
function tellFlushed() {
  for (const target of waiting) {
    if (target._settleSent()) waiting.delete(target);
  }
  if (waiting.size === 0) engine.watchFlushes(false);
}

/** Has `target._settleSent()` called after each flush until it returns true. */
function awaitSent(target) {
  if (waiting.size === 0) engine.watchFlushes(true);
  waiting.add(target);
}

/** Gives a target a key; from then on its events come. */
function addTarget(target) {
  const key = freeKeys.length > 0 ? freeKeys.pop() : targets.length;
  targets[key] = target;
  return key;
}

/** Takes the key back, after the target's last event. */
function removeTarget(key) {
  if (key === latest) latest = NOBODY;
  if (key === favourite) {
    favourite = NOBODY;
    engine.favourNobody();
  }
  targets[key] = null;
  freeKeys.push(key);
}

/** A socket has the slot from now on. */
function putSocket(slot, socket) {
  sockets[slot] = socket;
}

/** Takes the slot back, after the socket's last event; returns what the engine knows of its connection. */
function takeSocket(slot) {
  sockets[slot] = undefined;
  return engine.ioForgetSocket(slot);
}

module.exports = {
  ClientContext,
  ServerContext,
  command,
  KIND,
  WANTS,
  FastBuffer,
  engine,
  send,
  sendWith,
  ioAck,
  ioBroadcast,
  ioClientAck,
  ioClientEmit,
  ioEmit,
  addTarget,
  removeTarget,
  awaitSent,
  putSocket,
  takeSocket,
};
