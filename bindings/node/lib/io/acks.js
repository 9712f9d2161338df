'use strict';
// Answers that are waited for.

const packets = require('./packets');

const { RESULT, RESULT_SHIFT, TOKEN_SIZE } = packets;

/** How an event with a token has ended, by the engine's number. */
const ANSWERED = 0;
const TIMED_OUT = 1;

const LAST_TOKEN = 0xffff_ffff;

/** Callbacks by the tokens that the engine brings back, each exactly once. */
class Acks {
  #waiting = new Map();
  #last = 0;

  /** A token for what `callback` waits for; `withError`: its first argument is an error or null. */
  expect(socket, callback, withError) {
    return this.keep({ socket, callback, withError });
  }

  /** A token for anything. */
  keep(entry) {
    do {
      this.#last = this.#last === LAST_TOKEN ? 0 : this.#last + 1;
    } while (this.#waiting.has(this.#last));
    this.#waiting.set(this.#last, entry);
    return this.#last;
  }

  take(token) {
    const entry = this.#waiting.get(token);
    this.#waiting.delete(token);
    return entry;
  }

  /** The server has closed, or one namespace of it: nobody answers any more. */
  abandon(nsp) {
    for (const [token, entry] of [...this.#waiting]) {
      if (nsp !== undefined && entry.nsp !== nsp) continue;
      this.#waiting.delete(token);
      entry.reject?.(new Error(nsp ? 'the namespace is closed' : 'the server is closed'));
      entry.done?.(true, []);
    }
  }

  /** What was to be acknowledged was not sent. */
  giveUp(token) {
    const { socket, callback, withError } = this.take(token);
    if (withError) process.nextTick(() => callback.call(socket, new Error('socket has been disconnected')));
  }

  /** A record of what became of an event. */
  settle(extra, data) {
    const { socket, callback, withError } = this.take(data.readUInt32LE(0)) ?? {};
    const result = (extra >>> RESULT_SHIFT) & RESULT;
    if (result === ANSWERED) {
      const values = packets.tryDecode(extra, data, TOKEN_SIZE, (socket?.server ?? socket?.io)?._codec);
      if (values === null) socket.disconnect(true);
      else if (withError) callback?.call(socket, null, ...values);
      else callback?.apply(socket, values);
    } else if (withError) {
      const text = result === TIMED_OUT ? 'operation has timed out' : 'socket has been disconnected';
      callback.call(socket, new Error(text));
    }
  }
}

module.exports = { Acks };
