// The scenarios that the browsers' WebSocket API can run: npm ws and Chromium both run this file.
// Each resolves to what is worth printing, or rejects with the reason.

import { PADDING, SIZES, pattern } from './fixtures.js';

/** `state` is what a socket tells of what was agreed on. */
export function scenarios(WebSocket, connections, state = ({ extensions }) => ({ extensions })) {
  /** A connection whose messages are awaited one by one. */
  async function connect(url) {
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    const messages = [];
    let wake = () => {};
    socket.onmessage = (event) => {
      messages.push(event.data);
      wake();
    };
    const closed = new Promise((resolve) => {
      socket.onclose = (event) => {
        resolve({ code: event.code, reason: event.reason, wasClean: event.wasClean });
        wake();
      };
    });
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = ({ message }) => {
        // A page is not told the reason.
        reject(new Error(`could not connect to ${url}: ${message ?? 'no reason given'}`));
      };
    });
    const next = async () => {
      while (messages.length === 0) {
        if (socket.readyState === 3) throw new Error(`closed with ${JSON.stringify(await closed)}, not a message`);
        await new Promise((resolve) => (wake = resolve));
      }
      return messages.shift();
    };
    return { socket, next, closed };
  }

  async function expectEcho({ socket, next }, message) {
    socket.send(message);
    const reply = await next();
    if (!same(message, reply)) throw new Error(`sent ${describe(message)}, got ${describe(reply)}`);
  }

  async function finish({ socket, closed }) {
    socket.close(1000, 'finished');
    const close = await closed;
    if (close.code !== 1000 || !close.wasClean) throw new Error(`closed with ${JSON.stringify(close)}, not 1000`);
  }

  return {
    async echo(url) {
      const messages = ['hello', '', 'κόσμε €😀\0', pattern(64), new Uint8Array(0)];
      const connection = await connect(url);
      for (const message of messages) await expectEcho(connection, message);
      await finish(connection);
      return { messages: messages.length };
    },

    async connection(url) {
      const connection = await connect(url);
      connection.socket.send(PADDING);
      const server = JSON.parse(await connection.next());
      const agreed = state(connection.socket);
      await finish(connection);
      return { ...agreed, server };
    },

    async sizes(url) {
      const connection = await connect(url);
      for (const size of SIZES) {
        await expectEcho(connection, pattern(size));
        await expectEcho(connection, 'x'.repeat(size));
      }
      await finish(connection);
      return { sizes: SIZES };
    },

    async close(url) {
      const { socket, closed } = await connect(url);
      socket.close(4001, 'the client is done');
      const close = await closed;
      if (close.code !== 4001 || !close.wasClean) throw new Error(`closed with ${JSON.stringify(close)}, not 4001`);
      return close;
    },

    async connections(url) {
      const open = await Promise.all(Array.from({ length: connections }, () => connect(url)));
      await Promise.all(open.map((connection, i) => expectEcho(connection, `connection ${i}`)));
      await Promise.all(open.map(finish));
      return { connections };
    },

    async 'server-close'(url) {
      const { closed } = await connect(url);
      const close = await closed;
      if (close.code !== 1000 || !close.wasClean) throw new Error(`closed with ${JSON.stringify(close)}, not 1000`);
      return close;
    },
  };
}

function same(sent, got) {
  if (typeof sent === 'string') return sent === got;
  if (!(got instanceof ArrayBuffer) || got.byteLength !== sent.length) return false;
  const bytes = new Uint8Array(got);
  return sent.every((byte, i) => byte === bytes[i]);
}

function describe(message) {
  if (typeof message === 'string') return `${message.length} characters of text`;
  return `${message.byteLength} bytes`;
}
