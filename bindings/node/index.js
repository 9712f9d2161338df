'use strict';

const log = require('./lib/log');
const WebSocket = require('./lib/websocket');
const WebSocketServer = require('./lib/websocket-server');
const { WebSocketError, WebSocketStream } = require('./lib/websocket-stream');

WebSocket.Server = WebSocketServer;
WebSocket.WebSocket = WebSocket;
WebSocket.WebSocketServer = WebSocketServer;
WebSocket.WebSocketStream = WebSocketStream;
WebSocket.WebSocketError = WebSocketError;
WebSocket.log = log;

module.exports = WebSocket;
