'use strict';
// What the process may keep of messages, over all its threads.

const { engine } = require('./engine');
const { withCode } = require('./errors');

/** Limits what the process keeps of messages, in bytes; 0 for no limit. */
function setMemoryBudget(bytes) {
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw withCode(new RangeError(`the memory budget must be a number of bytes from 0 on, not ${bytes}`), 'ERR_OUT_OF_RANGE');
  }
  engine.setMemoryBudget(bytes);
}

/** What the budget limits, in bytes, as it is now. */
function memoryInUse() {
  return engine.memoryInUse();
}

module.exports = { memoryInUse, setMemoryBudget };
