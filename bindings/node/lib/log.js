'use strict';

const { AsyncResource } = require('async_hooks');
const EventEmitter = require('events');

const { addTarget, engine } = require('./engine');

/** By the addon's numbers, from 1 on. */
const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'];
const EVENT = 'log';

/** The engine's log lines, for whoever listens to 'log': `({ level, text })`. */
class Log extends EventEmitter {
  #level = 'info';
  #key = 0;

  constructor() {
    super();
    this._resource = new AsyncResource('SocklineLog');
    this.on('newListener', (event) => event === EVENT && this.listenerCount(EVENT) === 0 && this.#watch(true));
    this.on('removeListener', (event) => event === EVENT && this.listenerCount(EVENT) === 0 && this.#watch(false));
  }

  /** The finest level that is told: 'error', 'warn', 'info' (the default), 'debug' or 'trace'. */
  get level() {
    return this.#level;
  }

  set level(level) {
    if (!LEVELS.includes(level)) throw new TypeError(`level must be one of ${LEVELS.join(', ')}, not ${level}`);
    this.#level = level;
    if (this.listenerCount(EVENT) > 0) this.#watch(true);
  }

  #watch(on) {
    if (this.#key === 0) this.#key = addTarget(this);
    engine.watchLog(this.#key, on ? LEVELS.indexOf(this.#level) + 1 : 0);
  }

  /** A line from the engine. */
  _handleEvent(kind, level, data) {
    this.emit(EVENT, { level: LEVELS[level - 1], text: data.utf8Slice() });
  }
}

module.exports = new Log();
