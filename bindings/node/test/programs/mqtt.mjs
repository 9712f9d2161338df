// mqtt, as it is bundled for browsers, on our WebSocket: node mqtt.mjs BUNDLE URL; tells what it got of its own message.

import { once } from 'node:events';
import 'sockline/global';

// What the bundle takes for a browser.
globalThis.window = Object.assign(globalThis, { document: {} });
globalThis.navigator ??= { userAgent: 'tests' };

const [bundle, url] = process.argv.slice(2);
const { default: mqtt } = await import(bundle);
const client = mqtt.connect(url, { reconnectPeriod: 0, timerVariant: 'native' });
await once(client, 'connect');
await client.subscribeAsync('a/+', { qos: 1 });
const got = once(client, 'message');
await client.publishAsync('a/b', Buffer.alloc(70_000, 'x'), { qos: 1 });
const [topic, payload] = await got;
await client.endAsync();
console.log(topic, payload.length);
