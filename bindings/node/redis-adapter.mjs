import adapter from './redis-adapter.js';

export const { RedisAdapter, createAdapter, createShardedAdapter, createStreamsAdapter } = adapter;
