'use strict';
// Installs the browsers' interfaces where browsers have them.

const { CloseEvent, MessageEvent, WebSocket, settings } = require('./whatwg');

for (const Interface of [CloseEvent, MessageEvent, WebSocket]) {
  Object.defineProperty(globalThis, Interface.name, { value: Interface, writable: true, enumerable: false, configurable: true });
}

module.exports = { CloseEvent, MessageEvent, WebSocket, settings };
