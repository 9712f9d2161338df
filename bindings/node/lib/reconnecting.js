'use strict';
// Clients that come back: the option, and what is told of it.

const { engine } = require('./engine');
const { fromRecord } = require('./errors');
const { collect, flatten } = require('./headers');
const { amount } = require('./options');

/** As the core documents them; milliseconds. */
const DEFAULTS = { baseDelay: 1000, maxDelay: 30_000, stableAfter: 10_000, outbox: 0 };
const FACTOR = 2;

/** The addon's `Return`; undefined for none. */
function reconnectOption(option) {
  if (!option) return undefined;
  const given = option === true ? {} : option;
  const times = Object.entries(DEFAULTS).map(([name, byDefault]) => [name, amount(given, name, byDefault)]);
  const { factor = FACTOR, maxAttempts, noRetry } = given;
  return {
    ...Object.fromEntries(times),
    factor,
    maxAttempts: maxAttempts == null || maxAttempts === Infinity ? undefined : amount(given, 'maxAttempts', 0),
    noRetry: noRetry && [...noRetry],
  };
}

/** The event 'reconnecting' from the engine's record. */
function readReconnecting(code, data) {
  const [attempt, delay, reason, ...error] = data.utf8Slice().split('\0');
  return {
    attempt: Number(attempt),
    delay: Number(delay),
    error: error.length > 0 ? fromRecord(error.join('\0')) : null,
    code,
    reason,
  };
}

/** Lets listeners of 'attempt' change what is about to be asked for. */
function offerAttempt(socket, data) {
  if (socket.listenerCount('attempt') === 0) return;
  const [number, url, ...rawHeaders] = data.utf8Slice().split('\0');
  const attempt = { url, headers: collect(rawHeaders), number: Number(number) };
  socket.emit('attempt', attempt);
  engine.answerAttempt(String(attempt.url), flatten(attempt.headers));
}

module.exports = { offerAttempt, readReconnecting, reconnectOption };
