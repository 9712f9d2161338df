'use strict';

const PORTS = { http: '80', ws: '80', https: '443', wss: '443' };

/**
 * What a URL says: where the server is (`source`), what tells it from others together with the path of the server's requests
 * (`id`), the namespace (`path`), and the query.
 */
function parseUri(uri, serverPath) {
  const url = new URL(/^(https?|wss?):\/\//.test(uri) ? uri : `https://${uri}`);
  const protocol = url.protocol.slice(0, -1);
  const port = url.port || PORTS[protocol];
  return {
    source: uri,
    id: `${protocol}://${url.hostname}:${port}${serverPath}`,
    path: url.pathname || '/',
    query: Object.fromEntries(url.searchParams),
    hasQuery: url.search.length > 1,
  };
}

module.exports = { parseUri };
