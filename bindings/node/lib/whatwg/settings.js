'use strict';
// What a browser takes from the page, and from its user.

const { describeDialing } = require('../dialing');
const { withCode } = require('../errors');

/** What would change the interface's own semantics. */
const REFUSED = {
  origin: 'use settings.origin',
  protocols: 'they are an argument of the constructor',
  followRedirects: 'a redirect fails the connection (Fetch, redirect mode "error")',
  maxRedirects: 'a redirect fails the connection (Fetch, redirect mode "error")',
  reconnect: 'a WebSocket of browsers has one connection',
  messageParts: 'events carry whole messages',
  slowConsumer: 'no message may be dropped',
};

let baseURL = null;
let origin = null;
let options = {};

const settings = {
  /** What relative URLs are relative to, as a page's own address; null for none. */
  get baseURL() {
    return baseURL;
  },

  set baseURL(value) {
    baseURL = value == null ? null : new URL(value).href;
  },

  /** The header Origin; null for that of the base URL, and none without that. */
  get origin() {
    return origin ?? originOf(baseURL);
  },

  set origin(value) {
    origin = value == null ? null : checkOrigin(`${value}`);
  },

  /** Options as those of `new WebSocket` of the package's main entry: `ca`, `headers`, `proxy`, `maxPayload`, … */
  get options() {
    return options;
  },

  set options(value) {
    const given = { ...value };
    for (const [name, reason] of Object.entries(REFUSED)) {
      if (given[name] !== undefined) throw withCode(new Error(`option ${name}: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
    }
    describeDialing(new URL('wss://localhost'), [], given); // throws if it can't be
    options = Object.freeze(given);
  },
};

/** Opaque origins are 'null', as in browsers. */
function originOf(url) {
  return url === null ? null : new URL(url).origin;
}

function checkOrigin(value) {
  if (/^[\x21-\x7e]+$/.test(value)) return value;
  throw new TypeError('an origin is made of visible ASCII characters');
}

module.exports = Object.freeze(settings);
