'use strict';

/** Listeners by name, as in @socket.io/component-emitter: other than in Node's EventEmitter, 'error' needs no listener. */
class Emitter {
  #listeners = new Map();

  on(event, listener) {
    const key = String(event);
    const list = this.#listeners.get(key);
    if (list) list.push(listener);
    else this.#listeners.set(key, [listener]);
    return this;
  }

  addEventListener(event, listener) {
    return this.on(event, listener);
  }

  once(event, listener) {
    const once = (...args) => {
      this.off(event, once);
      listener.apply(this, args);
    };
    once.fn = listener;
    return this.on(event, once);
  }

  /** Without a listener all of the event, without an event all listeners. */
  off(event, listener) {
    const key = String(event);
    if (arguments.length === 0) this.#listeners.clear();
    else if (arguments.length === 1) this.#listeners.delete(key);
    else this.#remove(key, listener);
    return this;
  }

  #remove(key, listener) {
    const list = this.#listeners.get(key);
    const at = list ? list.findIndex((one) => one === listener || one.fn === listener) : -1;
    if (at < 0) return;
    list.splice(at, 1);
    if (list.length === 0) this.#listeners.delete(key);
  }

  removeListener(...args) {
    return this.off(...args);
  }

  removeEventListener(...args) {
    return this.off(...args);
  }

  removeAllListeners(...args) {
    return this.off(...args);
  }

  emit(event, ...args) {
    return this.emitReserved(event, ...args);
  }

  /** The same for subclasses in which `emit` is something else. */
  emitReserved(event, ...args) {
    const list = this.#listeners.get(String(event));
    if (list === undefined) return this;
    if (list.length === 1) list[0].apply(this, args);
    else for (const listener of [...list]) listener.apply(this, args);
    return this;
  }

  listeners(event) {
    return this.#listeners.get(String(event)) ?? [];
  }

  hasListeners(event) {
    return this.listeners(event).length > 0;
  }
}

module.exports = { Emitter };
