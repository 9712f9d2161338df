'use strict';
// A server without a listener of its own: connections come from a server of Node's http or https module, or by `handleUpgrade`.

const { withCode } = require('./errors');

/** What only a listener of one's own can do. */
const OF_LISTENERS = {
  tls: 'the server of the https module has certificates',
  static: 'the server of the http module answers requests',
  request: 'the server of the http module answers requests',
  metricsPath: 'the server of the http module answers requests; metricsText() has the text',
  maxRequests: 'the server of the http module has maxRequestsPerSocket',
  io: 'a Socket.IO server attaches itself to a server of the http module',
  busyPoll: 'the loop of Node waits by itself',
  threads: 'threads deal with what they have accepted themselves',
};

/** Whether it listens itself. */
function hasListener({ port, fd }) {
  return port != null || fd != null;
}

/** Where a server's connections come from has to be said, once. */
function checkPlace({ server, noServer, ...options }) {
  if ([hasListener(options), Boolean(server), Boolean(noServer)].filter(Boolean).length !== 1) {
    throw new TypeError('One and only one of the "port", "server", or "noServer" options must be specified');
  }
  if (hasListener(options)) return;
  for (const [name, reason] of Object.entries(OF_LISTENERS)) {
    if (options[name] && [options[name]].flat().length > 0) {
      throw withCode(new Error(`option ${name}: only with a port of its own: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
    }
  }
}

/** Listens to a server of the http module; returns what ends that. */
function attach(webSocketServer, httpServer) {
  const listeners = {
    listening: () => webSocketServer.emit('listening'),
    error: (error) => webSocketServer.emit('error', error),
    upgrade: (request, socket, head) => {
      webSocketServer.handleUpgrade(request, socket, head, (client) => webSocketServer.emit('connection', client, request));
    },
  };
  for (const [name, listener] of Object.entries(listeners)) httpServer.on(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) httpServer.removeListener(name, listener);
  };
}

module.exports = { attach, checkPlace, hasListener };
