'use strict';
// The header Sec-WebSocket-Extensions (RFC 6455 §9.1), as ws's `extension` reads and writes it.

const { Scanner } = require('./scanner');

/** From the header's value to `{ name: [{ parameter: [value, …] }, …] }`; a parameter without a value has true. */
function parse(header) {
  const offers = Object.create(null);
  const scanner = new Scanner(header);
  do {
    const name = scanner.token();
    const parameters = Object.create(null);
    let isOver = endsAfter(scanner);
    while (!isOver && scanner.take(';')) {
      scanner.skipSpace();
      (parameters[scanner.token()] ??= []).push(valueOf(scanner));
      isOver = endsAfter(scanner);
    }
    (offers[name] ??= []).push(parameters);
    if (isOver) return offers;
    if (!scanner.take(',')) scanner.fail();
    scanner.skipSpace();
  } while (true);
}

function valueOf(scanner) {
  if (!scanner.take('=')) return true;
  return scanner.take('"') ? scanner.quoted() : scanner.token();
}

/** Whether all of it is read: white space must not be the last. */
function endsAfter(scanner) {
  return !scanner.skipSpace() && scanner.isAtEnd;
}

/** From what `parse` makes back to a header's value. */
function format(extensions) {
  return Object.entries(extensions)
    .flatMap(([name, offers]) => [offers].flat().map((parameters) => [name, ...Object.entries(parameters).flatMap(written)].join('; ')))
    .join(', ');
}

function written([name, values]) {
  return [values].flat().map((value) => (value === true ? name : `${name}=${value}`));
}

module.exports = { format, parse };
