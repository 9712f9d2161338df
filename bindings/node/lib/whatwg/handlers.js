'use strict';
// Event handler IDL attributes (HTML §8.1.8.1): `onopen` and its like on top of a real EventTarget.

const { isObject } = require('./webidl');

/** The handlers of one target, by the types of events. */
class Handlers {
  #entries = new Map();

  /** The attribute's value: what was set, or null. */
  get(type) {
    return this.#entries.get(type)?.value ?? null;
  }

  /** A handler that takes the place of another one is called where that was; what is no object takes it away. */
  set(target, type, value) {
    const present = this.#entries.get(type);
    if (!isObject(value)) {
      if (!present) return;
      this.#entries.delete(type);
      target.removeEventListener(type, present.listener);
    } else if (present) {
      present.value = value;
    } else {
      const entry = { value, listener: null };
      entry.listener = function handle(event) {
        call(entry.value, this, event);
      };
      this.#entries.set(type, entry);
      target.addEventListener(type, entry.listener);
    }
  }
}

/** An object that can't be called is kept, and does nothing ([LegacyTreatNonObjectAsNull]). */
function call(value, target, event) {
  if (typeof value !== 'function') return;
  if (Reflect.apply(value, target, [event]) === false) event.preventDefault();
}

module.exports = { Handlers };
