'use strict';

/** What the engine's number of a reason means (ClientReason). */
const REASONS = [
  'io server disconnect',
  'io client disconnect',
  'ping timeout',
  'transport close',
  'transport error',
  'parse error',
  'forced close',
];

module.exports = { REASONS };
