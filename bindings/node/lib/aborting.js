'use strict';
// The option `signal` of the http module.

const { withCode } = require('./errors');

function checkSignal(signal) {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw withCode(new TypeError('The "signal" argument must be an instance of AbortSignal'), 'ERR_INVALID_ARG_TYPE');
}

/** Has the signal give a client's attempt up, with the http module's error; open connections stay. Returns what ends that. */
function watchSignal(socket, signal) {
  const abort = () => {
    if (!socket._wasOpen) socket._giveUp(abortError(signal.reason));
  };
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return () => signal.removeEventListener('abort', abort);
}

function abortError(reason) {
  const error = withCode(new Error('The operation was aborted', { cause: reason }), 'ABORT_ERR');
  error.name = 'AbortError';
  return error;
}

module.exports = { checkSignal, watchSignal };
