'use strict';

/** What the engine's number of a reason means (DisconnectReason). */
const REASONS = [
  'transport error',
  'transport close',
  'ping timeout',
  'parse error',
  'server namespace disconnect',
  'client namespace disconnect',
  'server shutting down',
  'forced close',
  'forced server close',
];

module.exports = { REASONS };
