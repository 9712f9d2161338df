'use strict';
// "Get a URL record" of the WebSockets standard (§3.1), and the ports that Fetch blocks (§2.9).

const BLOCKED = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113,
  115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556,
  563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
  6668, 6669, 6679, 6697, 10080,
]);
const SCHEMES = { 'http:': 'ws:', 'https:': 'wss:' };

/** The URL of a WebSocket; a SyntaxError if it is none. */
function urlRecord(text, base) {
  let url;
  try {
    url = new URL(text, base ?? undefined);
  } catch {
    throw syntaxError(`The URL '${text}' is invalid.`);
  }
  if (Object.hasOwn(SCHEMES, url.protocol)) url.protocol = SCHEMES[url.protocol];
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
    throw syntaxError(`The URL's scheme must be either 'http', 'https', 'ws', or 'wss'. '${url.protocol}' is not allowed.`);
  }
  // An empty fragment is one, too, and `hash` doesn't tell of it.
  if (url.href.includes('#')) {
    throw syntaxError(`The URL contains a fragment identifier ('${url.hash || '#'}'), which is not allowed.`);
  }
  return url;
}

function portOf(url) {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'wss:' ? 443 : 80;
}

function isBlocked(url) {
  return url.port !== '' && BLOCKED.has(Number(url.port));
}

function syntaxError(text) {
  return new DOMException(`Failed to construct 'WebSocket': ${text}`, 'SyntaxError');
}

module.exports = { isBlocked, portOf, syntaxError, urlRecord };
