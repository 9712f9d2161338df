'use strict';

const log = require('./lib/log');
const { memoryInUse, setMemoryBudget } = require('./lib/memory');
const WebSocket = require('./lib/websocket');
const WebSocketServer = require('./lib/websocket-server');
const { WebSocketError, WebSocketStream } = require('./lib/websocket-stream');

WebSocket.Server = WebSocketServer;
WebSocket.WebSocket = WebSocket;
WebSocket.WebSocketServer = WebSocketServer;
WebSocket.WebSocketStream = WebSocketStream;
WebSocket.WebSocketError = WebSocketError;
WebSocket.log = log;
WebSocket.memoryInUse = memoryInUse;
WebSocket.setMemoryBudget = setMemoryBudget;

module.exports = WebSocket;
