'use strict';
// The native engine, and the way of its events to the objects that they are for.
//
// The addon collects the events of a turn in a table of records, [key, kind, offset, length], with payloads in a slab
// (src/batch.rs), and calls `deliver` once. Keys are indexes into `targets`, which JavaScript gives out.

const { markAsUntransferable } = require('worker_threads');

const { ClientContext, Engine, ServerContext } = loadAddon();

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
});
const OWN_MEMORY = 0x100;
const EXTRA_SHIFT = 16;
const RECORDS = 1024;
const WORDS = 4;
const NOBODY = 0;

const table = new Uint32Array(RECORDS * WORDS);
/** Who has which key: WebSockets and servers, both with `_resource` and `_handleEvent(kind, extra, data)`. */
const targets = [null];
const freeKeys = [];
/** Slabs and memory of single payloads, in the order of the records that speak of them. */
let memories = [];
let taken = 0;
let slab = null;
/** Those who want to know when what they sent has left. */
const waiting = new Set();

const engine = new Engine(table.buffer, deliver, allocate);
/** send(handle, type, data): 0, 1 over the high-water mark, 4 dropped, or a negative number of an error. */
const send = engine.sender(false);
/** sendWith(handle, type, data, token, deadline): the same; the token is a negative number for none. */
const sendWith = engine.sender(true);

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
    let end = first + 1;
    while (end < count && table[end * WORDS] === key) end++;
    const target = targets[key];
    if (key === NOBODY) slab = memories[taken++];
    else target._resource.runInAsyncScope(run, null, target, first, end);
    first = end;
  }
  if (taken === memories.length) {
    memories = [];
    taken = 0;
  }
  if (waiting.size > 0) tellFlushed();
}

function run(target, first, end) {
  for (let at = first * WORDS; at < end * WORDS; at += WORDS) {
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
  targets[key] = null;
  freeKeys.push(key);
}

function loadAddon() {
  try {
    return require('../sockline.node');
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    const text = 'sockline: the native addon is not built; run "npm run build" in the package\'s folder';
    throw new Error(text, { cause: error });
  }
}

module.exports = { ClientContext, ServerContext, KIND, FastBuffer, engine, send, sendWith, addTarget, removeTarget, awaitSent };
