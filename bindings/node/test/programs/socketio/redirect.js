'use strict';
// Whoever requires socket.io or socket.io-client from here on gets ours: what changing the import does to a program of one's own.

const Module = require('node:module');

const OURS = { 'socket.io': 'sockline/socket.io', 'socket.io-client': 'sockline/socket.io-client' };

const resolve = Module._resolveFilename;
Module._resolveFilename = function redirected(request, ...others) {
  return Object.hasOwn(OURS, request) ? require.resolve(OURS[request]) : resolve.call(this, request, ...others);
};
