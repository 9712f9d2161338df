// The browsers' interface, as a module's and as the global.

import 'sockline/global';
import { CloseEvent as OurCloseEvent, MessageEvent as OurMessageEvent, WebSocket as OurWebSocket, settings } from 'sockline/whatwg';

settings.baseURL = new URL('https://example.com');
settings.origin = null;
settings.options = { ca: 'PEM', headers: { Cookie: 'a=b' } };
// @ts-expect-error it would change the interface
settings.options = { reconnect: true };

const socket = new OurWebSocket('/chat', new Set(['a']));
socket.onmessage = ({ data, origin }) => console.log(data, origin.length);
socket.addEventListener('close', ({ code, wasClean }) => console.log(code + 1, wasClean), { once: true });
socket.addEventListener('open', { handleEvent: (event) => console.log(event.type) });
socket.binaryType = 'arraybuffer';
// @ts-expect-error a value of npm ws
socket.binaryType = 'nodebuffer';
socket.send(new Blob(['x']));
socket.send(new DataView(new ArrayBuffer(1)));
const state: 0 | 1 | 2 | 3 = socket.readyState;
console.log(state === OurWebSocket.OPEN, new OurCloseEvent('close', { code: 1 }).reason, new OurMessageEvent<number>('x').data + 1);

const browsers = new WebSocket('ws://localhost');
browsers.onclose = ({ code }) => console.log(code);
console.log(new CloseEvent('close').wasClean);
