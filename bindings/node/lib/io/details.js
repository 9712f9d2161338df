'use strict';
// What the engine tells of a client's connection, and what socket.io makes of it.

/**
 * From the engine's record: session id, protocol, transport, when it began, what the client says of itself (JSON), then
 * the request as `Requests` reads it, between NULs.
 */
function parseDetails(record) {
  const [sessionId, protocol, transport, issued, auth, ...request] = record.split('\0');
  return {
    sessionId,
    protocol: Number(protocol),
    transport,
    issued: Number(issued),
    auth: JSON.parse(auth || '{}'),
    address: request[2] || undefined,
    secure: request[4] === '1',
    request,
  };
}

/** `socket.handshake`. */
function handshakeOf(request, { issued, auth, secure }, conn) {
  return {
    headers: request.headers ?? {},
    time: new Date(issued).toString(),
    address: conn.remoteAddress,
    xdomain: Boolean(request.headers?.origin),
    secure: secure || Boolean(request.socket?.encrypted),
    issued,
    url: request.url,
    query: request._query ?? {},
    auth,
  };
}

module.exports = { handshakeOf, parseDetails };
