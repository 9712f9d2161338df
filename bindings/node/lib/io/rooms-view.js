'use strict';

const { inspect } = require('util');

/** A map from names to sets of names that others keep: what is asked for is looked up then. It can't be written to. */
class RoomsView extends Map {
  #names;
  #members;

  /** `names()` lists the names, `members(name)` those that belong to one. */
  constructor(names, members) {
    super();
    this.#names = names;
    this.#members = members;
  }

  get size() {
    return this.#names().length;
  }

  has(name) {
    return this.#members(name).length > 0;
  }

  get(name) {
    const members = this.#members(name);
    return members.length > 0 ? new Set(members) : undefined;
  }

  keys() {
    return this.#names().values();
  }

  *entries() {
    for (const name of this.#names()) {
      const members = this.get(name);
      if (members !== undefined) yield [name, members];
    }
  }

  *values() {
    for (const [, members] of this.entries()) yield members;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  forEach(callback, self) {
    for (const [name, members] of this.entries()) callback.call(self, members, name, this);
  }

  [inspect.custom]() {
    return new Map(this.entries());
  }
}

for (const name of ['set', 'delete', 'clear']) {
  RoomsView.prototype[name] = function readOnly() {
    throw new TypeError('rooms are changed by join and leave');
  };
}

module.exports = { RoomsView };
