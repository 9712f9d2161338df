'use strict';
// `io(url)`: a socket of a manager that is shared by all who ask for the same server.

const { Manager } = require('./manager');
const { Socket } = require('./socket');
const transports = require('./transports');
const { parseUri } = require('./url');

/** Revision of the Socket.IO protocol. */
const protocol = 5;

const managers = new Map();

/** The socket of the namespace that the URL's path names. */
function lookup(uri, options) {
  if (typeof uri === 'object') [uri, options] = [undefined, uri];
  options = options ?? {};
  if (uri === undefined) throw new TypeError('a URL is needed: there is no page to take it from');
  const { id, path, query, hasQuery } = parseUri(uri, options.path || '/socket.io');
  const manager = managerFor(uri, id, path, options);
  if (hasQuery && !options.query) options.query = query;
  return manager.socket(path, options);
}

function managerFor(uri, id, path, options) {
  const isOwn =
    options.forceNew ||
    options['force new connection'] ||
    options.multiplex === false ||
    path in (managers.get(id)?.nsps ?? {});
  if (isOwn) return new Manager(uri, options);
  if (!managers.has(id)) managers.set(id, new Manager(uri, options));
  return managers.get(id);
}

module.exports = Object.assign(lookup, {
  Manager,
  Socket,
  connect: lookup,
  default: lookup,
  io: lookup,
  protocol,
  ...transports,
});
