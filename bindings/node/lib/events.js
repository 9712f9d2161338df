'use strict';
// The browsers' way to listen, on top of EventEmitter: addEventListener, onopen and its like, and their events.

const LISTENER = Symbol('listener');
const IS_ATTRIBUTE = Symbol('isAttribute');

/** An event of a WebSocket. */
class Event {
  #type;
  #target = null;

  constructor(type) {
    this.#type = type;
  }

  get type() {
    return this.#type;
  }

  get target() {
    return this.#target;
  }

  /** Calls a listener, a function or an object with `handleEvent`, as the target's. */
  static dispatch(event, target, listener) {
    event.#target = target;
    if (typeof listener === 'object' && listener.handleEvent) listener.handleEvent(event);
    else listener.call(target, event);
  }
}

/** The end of a connection: `code`, `reason`, `wasClean`. */
class CloseEvent extends Event {
  #init;

  constructor(type, { code = 0, reason = '', wasClean = false } = {}) {
    super(type);
    this.#init = { code, reason, wasClean };
  }

  get code() {
    return this.#init.code;
  }

  get reason() {
    return this.#init.reason;
  }

  get wasClean() {
    return this.#init.wasClean;
  }
}

/** A failure: `error` and its `message`. */
class ErrorEvent extends Event {
  #init;

  constructor(type, { error = null, message = '' } = {}) {
    super(type);
    this.#init = { error, message };
  }

  get error() {
    return this.#init.error;
  }

  get message() {
    return this.#init.message;
  }
}

/** A message: `data` is a string, or of the socket's binaryType. */
class MessageEvent extends Event {
  #data;

  constructor(type, { data = null } = {}) {
    super(type);
    this.#data = data;
  }

  get data() {
    return this.#data;
  }
}

for (const [type, names] of [
  [Event, ['type', 'target']],
  [CloseEvent, ['code', 'reason', 'wasClean']],
  [ErrorEvent, ['error', 'message']],
  [MessageEvent, ['data']],
]) {
  for (const name of names) Object.defineProperty(type.prototype, name, { enumerable: true });
}

/** From the arguments of the emitter's event to the browsers' event. */
const MAKE = {
  open: () => new Event('open'),
  message: (socket, data, isBinary) => new MessageEvent('message', { data: isBinary ? data : data.toString() }),
  error: (socket, error) => new ErrorEvent('error', { error, message: error.message }),
  close: (socket, code, reason) =>
    new CloseEvent('close', { code, reason: reason.toString(), wasClean: socket._wasClean }),
};

function listen(socket, type, listener, isAttribute, once) {
  const make = MAKE[type];
  const wrapper = function wrapper(...args) {
    Event.dispatch(make(this, ...args), this, listener);
  };
  wrapper[LISTENER] = listener;
  wrapper[IS_ATTRIBUTE] = isAttribute;
  if (once) socket.once(type, wrapper);
  else socket.on(type, wrapper);
}

/** The wrappers that `listen` made, among all listeners: those that `once` wraps once more, too. */
function find(socket, type, isAttribute, listener) {
  return socket
    .rawListeners(type)
    .map((raw) => (raw[LISTENER] ? raw : raw.listener))
    .find((one) => one?.[LISTENER] && one[IS_ATTRIBUTE] === isAttribute && (!listener || one[LISTENER] === listener));
}

/** Gives a class that extends EventEmitter the browsers' methods and attributes. */
function mixInto(prototype) {
  prototype.addEventListener = function addEventListener(type, listener, options = {}) {
    if (!Object.hasOwn(MAKE, type) || find(this, type, false, listener)) return;
    listen(this, type, listener, false, Boolean(options?.once));
  };

  prototype.removeEventListener = function removeEventListener(type, listener) {
    const wrapper = Object.hasOwn(MAKE, type) && find(this, type, false, listener);
    if (wrapper) this.removeListener(type, wrapper);
  };

  for (const type of Object.keys(MAKE)) {
    Object.defineProperty(prototype, `on${type}`, {
      enumerable: true,
      configurable: true,
      get() {
        return find(this, type, true)?.[LISTENER] ?? null;
      },
      set(listener) {
        const present = find(this, type, true);
        if (present) this.removeListener(type, present);
        if (typeof listener === 'function') listen(this, type, listener, true, false);
      },
    });
  }
}

module.exports = { mixInto, Event, CloseEvent, ErrorEvent, MessageEvent };
