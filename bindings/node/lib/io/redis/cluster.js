'use strict';
// What makes a server one of a cluster, and what its adapters tell of the connection to Redis.

const { redisOptions } = require('./options');
const { unsupported } = require('./place');

const REDIS = Symbol('redis');

/** As `Event` in src/io/redis.rs. */
const EVENT = Object.freeze({ ERROR: 0, CONNECTED: 1, DISCONNECTED: 2, CLOSED: 3 });

/** What `createAdapter` and its like return: for the option `adapter` and `io.adapter()`. */
function adapterOf(redis) {
  const factory = () => {
    throw unsupported('adapter', 'it can\'t be called; it is for servers of sockline/socket.io');
  };
  return Object.assign(factory, { [REDIS]: redis });
}

/** The addon's options, if that is what `adapter` is. */
function redisOf(adapter) {
  if (typeof adapter === 'string' || adapter instanceof URL) return redisOptions('classic', adapter);
  return typeof adapter === 'function' ? adapter[REDIS] : undefined;
}

/** Has the adapters of a server's namespaces tell what happened. An error that nobody listens to is no reason to end. */
function tell(adapters, event, text) {
  switch (event) {
    case EVENT.CONNECTED:
      for (const adapter of adapters) adapter.emit('connected');
      return;
    case EVENT.DISCONNECTED:
      for (const adapter of adapters) adapter.emit('disconnected', new Error(text));
      return tellError(adapters, text);
    case EVENT.ERROR:
      return tellError(adapters, text);
  }
}

function tellError(adapters, text) {
  const listening = adapters.filter((adapter) => adapter.listenerCount('error') > 0);
  if (listening.length === 0) console.warn(`sockline: no adapter has a listener for 'error': ${text}`);
  for (const adapter of listening) adapter.emit('error', new Error(text));
}

module.exports = { EVENT, adapterOf, redisOf, tell };
