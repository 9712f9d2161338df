'use strict';

const { BroadcastOperator, Emitter } = require('./lib/io/redis/emitter');
const { RESERVED_EVENTS } = require('./lib/io/packets');

module.exports = { BroadcastOperator, Emitter, RESERVED_EVENTS };
