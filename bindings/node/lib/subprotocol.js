'use strict';
// The header Sec-WebSocket-Protocol (RFC 6455 §11.3.4), as ws's `subprotocol` reads it.

const { Scanner } = require('./scanner');

/** The names in the header's value, in their order. */
function parse(header) {
  const names = new Set();
  const scanner = new Scanner(header);
  do {
    if (names.size > 0) scanner.skipSpace();
    const name = scanner.token();
    const isOver = !scanner.skipSpace() && scanner.isAtEnd;
    const goesOn = !isOver && scanner.take(',');
    if (!isOver && !goesOn) scanner.fail();
    if (names.has(name)) throw new SyntaxError(`The "${name}" subprotocol is duplicated`);
    names.add(name);
    if (isOver) return names;
  } while (true);
}

module.exports = { parse };
