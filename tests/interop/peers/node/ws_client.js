// npm ws as a client of an echo server: node ws_client.js URL SCENARIO
// The scenarios are in ../README.md; websockets_client.py has the same.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { CONNECTIONS, FRAGMENT, FRAGMENTED_TEXT, pattern } from './fixtures.js';
import { run } from './run.js';
import { scenarios } from './scenarios.js';

const state = ({ extensions, _socket }) => ({ extensions, tls: _socket.getProtocol?.() ?? '' });

run('ws', {
  ...scenarios(WebSocket, CONNECTIONS.ws, state),

  async fragments(url) {
    const ws = new WebSocket(url);
    await once(ws, 'open');
    await echoFragments(ws, Buffer.from(FRAGMENTED_TEXT), false);
    await echoFragments(ws, Buffer.from(pattern(100_000)), true);
    ws.close(1000);
    await once(ws, 'close');
    return { fragment: FRAGMENT };
  },

  async ping(url) {
    const ws = new WebSocket(url);
    await once(ws, 'open');
    const payloads = ['', 'are you there', 'x'.repeat(125)];
    for (const payload of payloads) {
      ws.ping(payload);
      const [answer] = await answerOf(ws, 'pong');
      if (answer.toString() !== payload) throw new Error(`pinged with '${payload}', got the pong '${answer}'`);
    }
    ws.close(1000);
    await once(ws, 'close');
    return { pings: payloads.length };
  },
});

/** Sends one message in fragments, an empty one among them and pings between, and awaits its echo. */
async function echoFragments(ws, payload, binary) {
  const reply = answerOf(ws, 'message');
  for (let start = 0; start < payload.length; start += FRAGMENT) {
    ws.send(payload.subarray(start, start + FRAGMENT), { binary, fin: false });
    if (start === 5 * FRAGMENT) {
      ws.send('', { binary, fin: false });
      ws.ping('between');
    }
  }
  ws.send('', { binary, fin: true });
  const [data, isBinary] = await reply;
  if (isBinary !== binary || !data.equals(payload)) {
    throw new Error(`sent ${payload.length} bytes in fragments, got ${data.length} (binary: ${isBinary})`);
  }
}

/** The next event of that name, unless the connection closes first. */
function answerOf(ws, name) {
  const closed = once(ws, 'close').then(([code]) => {
    throw new Error(`closed with ${code} instead of a ${name}`);
  });
  return Promise.race([once(ws, name), closed]);
}
