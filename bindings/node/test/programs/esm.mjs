// The names that ES modules get.
import assert from 'node:assert';
import WebSocket, { Server, WebSocketServer, WebSocketStream, WebSocket as Named, log } from 'sockline';

assert.strictEqual(Named, WebSocket);
assert.strictEqual(Server, WebSocketServer);
assert.strictEqual(WebSocketStream, WebSocket.WebSocketStream);
assert.strictEqual(log.level, 'info');
const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
server.on('connection', (socket) => socket.close(1000));
const socket = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
socket.on('close', (code) => {
  server.close();
  console.log(`closed with ${code}`);
});
