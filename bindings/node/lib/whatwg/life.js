'use strict';
// Which WebSockets have to stay though the program has let go of them (WebSockets §7, "Garbage collection").
//
// A connection holds its WebSocket weakly, unless somebody listens to what can still happen to it. Node's EventTarget
// tells of listeners by two methods whose names are symbols; where there are none a WebSocket stays until it is closed.

const { CONNECTING, OPEN, CLOSING, CLOSED } = require('./connection');

const HOOKS = { added: hook('kNewListener'), removed: hook('kRemoveListener') };
const CAN_TELL = HOOKS.added !== undefined && HOOKS.removed !== undefined;

/** The events that keep a WebSocket, by its state. */
const KEEPING = {
  [CONNECTING]: ['open', 'message', 'error', 'close'],
  [OPEN]: ['message', 'error', 'close'],
  [CLOSING]: ['error', 'close'],
  [CLOSED]: [],
};

/** Lives by the sockets that they are of. */
const lives = new WeakMap();
/** "If a WebSocket object is garbage collected while its connection is still open", it closes. */
const collected = new FinalizationRegistry((life) => life.end());

class Life {
  #socket;
  #kept = null;
  #events;
  #connection = null;
  #listeners = new Map();

  /** `events` are the owner's of a Connection, with the socket as their first argument. */
  constructor(socket, events) {
    this.#socket = new WeakRef(socket);
    this.#events = events;
    lives.set(socket, this);
    collected.register(socket, this);
  }

  /** Has the prototype's objects tell of their listeners. */
  static hear(prototype) {
    if (!CAN_TELL) return;
    for (const name of Object.values(HOOKS)) {
      const inherited = EventTarget.prototype[name];
      const value = function changed(size, type, ...rest) {
        lives.get(this)?.count(type, size);
        return Reflect.apply(inherited, this, [size, type, ...rest]);
      };
      Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
    }
  }

  watch(connection) {
    this.#connection = connection;
    this.#judge();
  }

  count(type, size) {
    this.#listeners.set(type, size);
    this.#judge();
  }

  opened() {
    this.#tell(this.#events.opened);
  }

  received(data, isBinary) {
    this.#tell(this.#events.received, data, isBinary);
  }

  closed(end) {
    this.#tell(this.#events.closed, end);
  }

  #tell(event, ...details) {
    const socket = this.#socket.deref();
    if (socket) event(socket, ...details);
    this.#judge();
  }

  /** Keeps the socket, or doesn't, as things are now. */
  #judge() {
    const { state } = this.#connection;
    const isHeard = KEEPING[state].some((type) => this.#listeners.get(type) > 0);
    this.#kept = state !== CLOSED && (isHeard || !CAN_TELL) ? this.#socket.deref() : null;
  }

  /** Its socket is gone. */
  end() {
    this.#connection?.close(undefined, '');
  }
}

function hook(name) {
  return Object.getOwnPropertySymbols(EventTarget.prototype).find(({ description }) => description === name);
}

module.exports = { Life };
