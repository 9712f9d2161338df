'use strict';

const { CloseEvent, MessageEvent, WebSocket, settings } = require('./lib/whatwg/websocket');

module.exports = { CloseEvent, MessageEvent, WebSocket, settings };
