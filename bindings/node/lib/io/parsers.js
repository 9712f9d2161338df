'use strict';
// The option `parser`: an object with the classes Encoder and Decoder, as socket.io-parser and its like export.

const { Codec } = require('./codec');

/** Numbers of the addon. */
const JSON_PARSER = 0;
const MSGPACK_PARSER = 1;
const OWN_PARSER = 2;

/** A packet, and what the two make of it. */
const EVENT = Object.freeze({ type: 2, nsp: '/a', id: 3, data: Object.freeze(['b', 4]) });
const AS_JSON = '2/a,3["b",4]';
const AS_MSGPACK = Buffer.from('84a47479706502a36e7370a22f61a2696403a46461746192a16204', 'hex');

/** What the addon is told: its number, and the key of a parser in JavaScript; and that, if there is one. */
function parserOption(parser) {
  const number = parserKind(parser);
  const codec = number === OWN_PARSER ? new Codec(parser) : null;
  return { codec, description: { parser: number, parserKey: codec?.key ?? 0 } };
}

/** Which of the engine's parsers writes what this one does. */
function parserKind(parser) {
  if (parser == null) return JSON_PARSER;
  const [message, ...others] = new parser.Encoder().encode({ ...EVENT, data: [...EVENT.data] });
  if (others.length === 0 && message === AS_JSON) return JSON_PARSER;
  if (others.length === 0 && message instanceof Uint8Array && AS_MSGPACK.equals(message)) return MSGPACK_PARSER;
  return OWN_PARSER;
}

module.exports = { parserOption };
