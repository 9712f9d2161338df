'use strict';
// What `volatile`, `compress`, `timeout` and `local` say about the next event, as the engine takes it.

const VOLATILE = 1;
const COMPRESS = 2;
const PLAIN = 4;
const LOCAL = 8;
/** Stands for no token and no timeout. */
const NONE = -1;

const NO_FLAGS = Object.freeze({});

function bits({ volatile, compress, local }) {
  let bits = 0;
  if (volatile) bits |= VOLATILE;
  if (compress === false) bits |= PLAIN;
  if (local) bits |= LOCAL;
  return bits;
}

module.exports = { COMPRESS, NONE, NO_FLAGS, bits };
