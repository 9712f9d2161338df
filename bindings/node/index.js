'use strict';

const extension = require('./lib/extension');
const insides = require('./lib/insides');
const log = require('./lib/log');
const { memoryInUse, setMemoryBudget } = require('./lib/memory');
const createWebSocketStream = require('./lib/stream');
const subprotocol = require('./lib/subprotocol');
const WebSocket = require('./lib/websocket');
const WebSocketServer = require('./lib/websocket-server');
const { WebSocketError, WebSocketStream } = require('./lib/websocket-stream');

Object.assign(WebSocket, { createWebSocketStream, extension, subprotocol, ...insides });
WebSocket.Server = WebSocketServer;
WebSocket.WebSocket = WebSocket;
WebSocket.WebSocketServer = WebSocketServer;
WebSocket.WebSocketStream = WebSocketStream;
WebSocket.WebSocketError = WebSocketError;
WebSocket.log = log;
WebSocket.memoryInUse = memoryInUse;
WebSocket.setMemoryBudget = setMemoryBudget;

module.exports = WebSocket;
