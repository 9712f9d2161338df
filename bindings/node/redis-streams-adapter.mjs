import adapter from './redis-streams-adapter.js';

export const { createAdapter } = adapter;
