'use strict';
// What the engine answers to emitting.

const { engine } = require('../engine');
const { fromStatus } = require('../errors');

const GONE = new Set(['SOCKLINE_ERR_CLOSED', 'SOCKLINE_ERR_NOT_OPEN', 'SOCKLINE_ERR_ALREADY_ANSWERED']);

/** Throws what a negative status stands for, unless it is that the other side has gone. */
function throwUnlessGone(status) {
  if (status >= 0) return;
  const error = fromStatus(status, (number) => engine.describeStatus(number));
  if (!GONE.has(error.code)) throw error;
}

module.exports = { throwUnlessGone };
