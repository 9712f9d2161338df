'use strict';
// HTTP header fields, in the shapes that Node's http module gives them.

/** What is joined with "; " instead of ", " when it comes more than once. */
const COOKIE = 'cookie';
/** What stays a list, even of one. */
const SET_COOKIE = 'set-cookie';
/** What must not come twice: the first counts, as in Node's http module. */
const SINGLE = new Set(
  `age authorization content-length content-type etag expires from host if-modified-since if-unmodified-since
  last-modified location max-forwards proxy-authorization referer retry-after server user-agent`.split(/\s+/),
);

/** From names and values in turn to an object: names in lower case, values of a name that comes more than once joined. */
function joinHeaders(raw) {
  const headers = {};
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at].toLowerCase();
    const value = raw[at + 1];
    if (name === SET_COOKIE) (headers[name] ??= []).push(value);
    else if (!Object.hasOwn(headers, name)) headers[name] = value;
    else if (!SINGLE.has(name)) headers[name] += (name === COOKIE ? '; ' : ', ') + value;
  }
  return headers;
}

/** From names and values in turn to an object that `flatten` takes: names as they are, a list of values where there are several. */
function collect(raw) {
  const headers = {};
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at];
    headers[name] = Object.hasOwn(headers, name) ? [headers[name], raw[at + 1]].flat() : raw[at + 1];
  }
  return headers;
}

/** Headers as names and values in turn, as the addon takes them. */
function flatten(headers) {
  return Object.entries(headers ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).flatMap((one) => [name, String(one)]),
  );
}

module.exports = { collect, flatten, joinHeaders };
