import WebSocket from './index.js';

export const {
  PerMessageDeflate,
  Receiver,
  Sender,
  Server,
  WebSocketError,
  WebSocketServer,
  WebSocketStream,
  createWebSocketStream,
  extension,
  log,
  memoryInUse,
  setMemoryBudget,
  subprotocol,
} = WebSocket;
export { WebSocket };
export default WebSocket;
