'use strict';
// The options of the official adapters over Redis under their names, as the addon's `IoRedis`. None is ignored: what the
// engine can't do is refused.

const { place, unsupported } = require('./place');

const PYTHON_SOCKETIO = 'python-socketio';
const MODE = { classic: 0, sharded: 1, streams: 2, [PYTHON_SOCKETIO]: 3 };
const SUBSCRIPTION_MODES = ['dynamic', 'static', 'dynamic-private'];

const text = (name) => (value) => {
  if (typeof value !== 'string') throw new TypeError(`option ${name} must be a string, not ${value}`);
  return value;
};
const count = (name) => (value) => {
  if (!Number.isInteger(value) || value < 1) throw new TypeError(`option ${name} must be a positive integer, not ${value}`);
  return value;
};
const flag = () => Boolean;
const only = (expected, reason) => (name) => (value) => {
  if (value !== expected) throw unsupported(`option ${name}`, reason);
  return undefined;
};
const never = (reason) => only(undefined, reason);

const OWN_FORMAT = never('messages are written in the engine, as MessagePack and JSON');
const NO_HEARTBEAT = never('servers are counted by their subscriptions, there are no heartbeats');

/** For each option of a mode: how it is checked, and its name in the addon. */
const OPTIONS = {
  classic: {
    key: [text, 'key'],
    requestsTimeout: [count, 'requestsTimeout'],
    publishOnSpecificResponseChannel: [flag, 'publishOnSpecificResponseChannel'],
    parser: [OWN_FORMAT],
  },
  sharded: {
    channelPrefix: [text, 'key'],
    subscriptionMode: [subscriptionMode, 'subscriptionMode'],
    requestsTimeout: [count, 'requestsTimeout'],
  },
  streams: {
    streamName: [text, 'streamName'],
    streamCount: [count, 'streamCount'],
    channelPrefix: [text, 'key'],
    maxLen: [count, 'maxLen'],
    readCount: [count, 'readCount'],
    sessionKeyPrefix: [text, 'sessionKeyPrefix'],
    requestsTimeout: [count, 'requestsTimeout'],
    onlyPlaintext: [flag], // without it binary values are found, too, which costs nothing
    useShardedPubSub: [only(false, 'servers ask each other over plain channels')],
    blockTimeInMs: [only(5_000, 'it is 5,000 ms')],
    heartbeatInterval: [NO_HEARTBEAT],
    heartbeatTimeout: [NO_HEARTBEAT],
  },
  [PYTHON_SOCKETIO]: {
    channel: [text, 'channel'],
    requestsTimeout: [count, 'requestsTimeout'],
  },
  emitter: {
    key: [text, 'key'],
    sharded: [sharded, 'mode'],
    parser: [OWN_FORMAT],
  },
};

function subscriptionMode() {
  return (value) => {
    const number = SUBSCRIPTION_MODES.indexOf(value);
    if (number < 0) throw new TypeError(`option subscriptionMode must be of ${SUBSCRIPTION_MODES.join(', ')}, not ${value}`);
    return number;
  };
}

/** What is published to topics goes by a sharded channel. Events never do. */
function sharded() {
  return (value) => (value ? MODE.sharded : MODE.classic);
}

/** The addon's options. `others` are clients that have to lead to the same Redis. */
function redisOptions(mode, client, options, others = []) {
  const where = place(client);
  for (const other of others) {
    if (other === undefined || other === null || other === client) continue;
    if (place(other).url !== where.url) throw new TypeError('both clients must be of the same Redis: the engine needs one');
  }
  const described = { mode: MODE[mode] ?? MODE.classic, ...where };
  for (const [name, value] of Object.entries(options ?? {})) {
    if (!Object.hasOwn(OPTIONS[mode], name)) throw new TypeError(`unknown option ${name}`);
    if (value === undefined) continue;
    const [check, own] = OPTIONS[mode][name];
    const checked = check(name)(value);
    if (own) described[own] = checked;
  }
  return described;
}

module.exports = { PYTHON_SOCKETIO, redisOptions };
