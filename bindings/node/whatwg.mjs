import whatwg from './whatwg.js';

export const { CloseEvent, MessageEvent, WebSocket, settings } = whatwg;
export default whatwg;
