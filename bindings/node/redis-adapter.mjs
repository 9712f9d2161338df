import adapter from './redis-adapter.js';

export const { RedisAdapter, createAdapter, createPythonSocketioAdapter, createShardedAdapter, createStreamsAdapter } = adapter;
