import emitter from './redis-emitter.js';

export const { BroadcastOperator, Emitter, RESERVED_EVENTS } = emitter;
