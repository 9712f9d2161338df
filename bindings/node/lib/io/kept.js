'use strict';
// The data of sockets that may come back (connection state recovery). Rooms and missed events are kept by the engine; an
// application's objects can only be kept here.

const RECOVERABLE = new Set([
  'transport error',
  'transport close',
  'forced close',
  'ping timeout',
  'server shutting down',
  'forced server close',
]);
const MAX_DISCONNECTION = 2 * 60 * 1000; // ms

class Kept {
  #duration;
  /** In the order in which they went. */
  #data = new Map();

  /** `recovery` is the option connectionStateRecovery. */
  constructor(recovery) {
    this.#duration = recovery ? (recovery.maxDisconnectionDuration ?? MAX_DISCONNECTION) : 0;
  }

  keep({ id, data }, reason) {
    if (this.#duration === 0 || !RECOVERABLE.has(reason)) return;
    this.#dropOld();
    this.#data.set(id, { data, until: Date.now() + this.#duration });
  }

  take(id) {
    const data = this.#data.get(id)?.data;
    this.#data.delete(id);
    return data;
  }

  #dropOld() {
    const now = Date.now();
    for (const [id, { until }] of this.#data) {
      if (until > now) return;
      this.#data.delete(id);
    }
  }
}

module.exports = { Kept };
