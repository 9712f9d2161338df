import WebSocket from './index.js';

export const { Server, WebSocketError, WebSocketServer, WebSocketStream, log, memoryInUse, setMemoryBudget } = WebSocket;
export { WebSocket };
export default WebSocket;
