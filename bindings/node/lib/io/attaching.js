'use strict';
// On a port that a server of the http module listens on.

const DESTROY_UPGRADE_TIMEOUT = 1000; // ms

function isHttpServer(server) {
  return typeof server?.on === 'function' && typeof server.listeners === 'function';
}

/** Takes the requests below the path; the others go to who has listened for them before. */
function attach(io, server, options) {
  const path = options.addTrailingSlash === false ? io.path() : `${io.path()}/`;
  const isOurs = (request) => request.url.startsWith(path);
  const others = server.listeners('request').slice();
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    if (isOurs(request)) return io._engine.handleRequest(request, response);
    for (const listener of others) listener.call(server, request, response);
  });
  server.on('upgrade', (request, socket, head) => {
    if (isOurs(request)) io._engine.handleUpgrade(request, socket, head);
    else if (options.destroyUpgrade !== false) endUnlessTaken(socket, options.destroyUpgradeTimeout);
  });
  server.on('close', () => io._engine.close());
  io.httpServer = server;
}

/** With a listener for upgrades, Node leaves the connection open for ever, should nobody take it. */
function endUnlessTaken(socket, timeout = DESTROY_UPGRADE_TIMEOUT) {
  socket.on('error', () => {});
  setTimeout(() => {
    if (socket.writable && socket.bytesWritten <= 0) socket.end();
  }, timeout);
}

module.exports = { attach, isHttpServer };
