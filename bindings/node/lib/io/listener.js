'use strict';

const WebSocketServer = require('../websocket-server');

/** Listens for a Socket.IO server on a port of its own: what the http module's server is to socket.io. */
class Listener extends WebSocketServer {
  constructor({ port, host, backlog, tls, static: folder, io }) {
    super({ port, host, backlog, tls, static: folder, io, clientTracking: false });
  }

  get listening() {
    return this.address() !== null;
  }

  /** The Socket.IO server has all of that path: other WebSockets have no business here. */
  get _endpoint() {
    return `${this.options.io.path()}/`;
  }
}

module.exports = { Listener };
