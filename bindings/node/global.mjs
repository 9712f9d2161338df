import './global.js';

export { CloseEvent, MessageEvent, WebSocket, default, settings } from './whatwg.mjs';
