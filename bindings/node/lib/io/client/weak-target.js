'use strict';

const { addTarget, removeTarget } = require('../../engine');

/** Keys come back when nobody has their targets any more. */
const registry = new FinalizationRegistry(removeTarget);

/**
 * Stands for a target of the engine's events that may be collected while nothing is going on: then nobody can miss them.
 */
class WeakTarget {
  #target;
  #held = null;

  constructor(target, resource) {
    this.#target = new WeakRef(target);
    this._resource = resource;
    this.key = addTarget(this);
    registry.register(target, this.key);
  }

  /** Whether the target has to stay, whoever else has it. */
  hold(held) {
    this.#held = held ? this.#target.deref() : null;
  }

  _handleEvent(kind, extra, data) {
    return (this.#held ?? this.#target.deref())?._handleEvent(kind, extra, data);
  }
}

module.exports = { WeakTarget };
