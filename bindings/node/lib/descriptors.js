'use strict';

const net = require('net');

/** A socket of Node's on a descriptor; Bun takes one only to connect by it. */
function streamOn(fd) {
  if (process.versions.bun) return new net.Socket({ allowHalfOpen: true }).connect({ fd });
  return new net.Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
}

module.exports = { streamOn };
