'use strict';

const { withCode } = require('./errors');

/** As `SendOutcome` in the core: what has become of a message, and the error that tells so. */
const OUTCOMES = [
  () => undefined,
  () => withCode(new Error('The message was dropped: the peer takes them too slowly'), 'SOCKLINE_ERR_DROPPED'),
  () => withCode(new Error('The message was dropped: its deadline has passed'), 'SOCKLINE_ERR_EXPIRED'),
  () => withCode(new Error('The connection has ended before the message had left'), 'SOCKLINE_ERR_CLOSED'),
];

/** The callbacks of messages on their way, by the tokens that the engine knows them by. */
class Outgoing {
  #callbacks = new Map();
  #next = 0;

  /** A token for a callback: 32 bits, so it is used again only when billions have gone before. */
  add(callback) {
    const token = this.#next;
    this.#next = (token + 1) >>> 0;
    this.#callbacks.set(token, callback);
    return token;
  }

  /** The engine has not taken the message. */
  forget(token) {
    this.#callbacks.delete(token);
  }

  /** Calls back: with nothing if the system has taken the message, else with an error. */
  settle(token, outcome) {
    const callback = this.#callbacks.get(token);
    this.#callbacks.delete(token);
    callback(OUTCOMES[outcome]());
  }
}

module.exports = { Outgoing };
