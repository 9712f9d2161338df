export { createStreamsAdapter as createAdapter } from './redis-adapter.js';
export type { RedisStreamsAdapterOptions } from './redis-adapter.js';
