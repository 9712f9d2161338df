import WebSocket from './index.js';

export const { Server, WebSocketError, WebSocketServer, WebSocketStream, log } = WebSocket;
export { WebSocket };
export default WebSocket;
