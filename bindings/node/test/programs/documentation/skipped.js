'use strict';
// Blocks that are not run, and why. A block that is neither here nor in a table fails a test, as does an entry without a block.

const SHELL = 'a command of a shell';
const PARSER = 'sockline has no package in place of socket.io-parser';

module.exports = {
  ws: { Installing: SHELL },
  'socket.io': {
    Installation: SHELL,
    'Debug / logging': SHELL,
    Testing: SHELL,
    'In conjunction with Koa': 'it is for koa 1: `require("koa")()` throws since koa 2, which exports a class',
  },
  'socket.io-client': { 'Debug / logging': 'a line for the console of a browser' },
  'socket.io-parser': { 'Encoding and decoding a packet': PARSER, 'Encoding and decoding a packet with binary data': PARSER },
  'socket.io-adapter': {},
  '@socket.io/redis-adapter': { Installation: SHELL },
  '@socket.io/redis-streams-adapter': { Installation: SHELL },
  '@socket.io/redis-emitter': {
    'How to use': SHELL,
    'CommonJS (2)': 'it is for redis 3, whose clients connect by themselves: with redis 4 the official package throws, too',
    'Migrating from `socket.io-emitter`': 'it shows the package that was there before, which is another one',
  },
};
