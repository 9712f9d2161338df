'use strict';
// Names of transports in the shape in which engine.io-client exports their classes: for the option `transports`.

class Transport {}

class Fetch extends Transport {
  static transport = 'polling';
}
class NodeXHR extends Fetch {}
class XHR extends Fetch {}

class WebSocket extends Transport {
  static transport = 'websocket';
}
class NodeWebSocket extends WebSocket {}

class WebTransport extends Transport {
  static transport = 'webtransport';
}

module.exports = { Fetch, NodeXHR, XHR, NodeWebSocket, WebSocket, WebTransport };
