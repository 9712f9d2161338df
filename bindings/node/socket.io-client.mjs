import io from './socket.io-client.js';

export const {
  Fetch,
  Manager,
  NodeWebSocket,
  NodeXHR,
  Socket,
  WebSocket,
  WebTransport,
  XHR,
  connect,
  protocol,
} = io;
export { io };
export default io;
