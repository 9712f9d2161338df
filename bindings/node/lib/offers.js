'use strict';
// What clients offer of permessage-deflate (RFC 7692 §7.1), judged as ws judges it. What is agreed on is the engine's to say.

const { parse } = require('./extension');

const NAME = 'permessage-deflate';

/** What each parameter may be, where true stands for no value. */
const VALUES = {
  client_max_window_bits: (value) => value === true || isWindow(value),
  server_max_window_bits: isWindow,
  client_no_context_takeover: (value) => value === true,
  server_no_context_takeover: (value) => value === true,
};

/** Throws if the header is malformed, or no offer can be accepted with this option `perMessageDeflate`. */
function checkOffers(header, option) {
  const offers = parse(header)[NAME];
  if (!offers) return;
  for (const offer of offers) Object.entries(offer).forEach(checkParameter);
  if (!offers.some((offer) => isAcceptable(offer, option))) throw new Error('None of the extension offers can be accepted');
}

function checkParameter([name, values]) {
  if (values.length > 1) throw new Error(`Parameter "${name}" must have only a single value`);
  const isValid = Object.hasOwn(VALUES, name) && VALUES[name](values[0]);
  if (!isValid) throw new TypeError(`Invalid value for parameter "${name}": ${values[0]}`);
}

function isWindow(value) {
  const bits = value === true ? NaN : Number(value);
  return Number.isInteger(bits) && bits >= 8 && bits <= 15;
}

function isAcceptable(offer, { serverMaxWindowBits, clientMaxWindowBits }) {
  const [server] = offer.server_max_window_bits ?? [];
  const [client] = offer.client_max_window_bits ?? [];
  if (server !== undefined && typeof serverMaxWindowBits === 'number' && serverMaxWindowBits > server) return false;
  if (typeof clientMaxWindowBits !== 'number') return true;
  return client !== undefined && (client === true || clientMaxWindowBits <= client);
}

module.exports = { checkOffers };
