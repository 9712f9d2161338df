'use strict';
// sockline's Node face on both sides of the interop tests: probe.js server PORT [PATIENCE_MS], probe.js client URL SCENARIO
// What the paths and the scenarios are is in README.md.

const { readFileSync } = require('fs');
const { createRequire } = require('module');
const path = require('path');

// The package as the examples have it: a copy that npm installed.
const WebSocket = createRequire(path.join(__dirname, '../../../examples/node/package.json'))('sockline');

const TIMEOUT = 120_000; // ms, for a whole scenario
const SOON = 200; // ms, until a peer that says nothing is given up
const LISTENERS = 3; // of a broadcast
const MAX_PAYLOAD = 64 << 20;
// What the environment asks for, as ../peers/README.md has it.
const { ADAPTER, PERMESSAGE_DEFLATE, PROXY, TLS_AUTHORITY, TLS_CERTIFICATE, TLS_KEY } = process.env;
const ROOMY = { maxPayload: MAX_PAYLOAD, perMessageDeflate: PERMESSAGE_DEFLATE !== undefined };
const TRUST = TLS_AUTHORITY ? { ca: readFileSync(TLS_AUTHORITY) } : {};
const GREETING = 'hello before you asked';

// The server

async function serve(port, patience) {
  const { SIZES, PADDING, pattern } = await import('../peers/node/fixtures.js');
  const patient = patience === undefined ? {} : patienceOf(Number(patience));
  const server = new WebSocket.WebSocketServer({
    port,
    backlog: 1024, // the queue of the kernel has to hold 1,000 connections that come at once
    tls: TLS_KEY ? { cert: readFileSync(TLS_CERTIFICATE), key: readFileSync(TLS_KEY) } : undefined,
    adapter: ADAPTER,
    ...ROOMY,
    ...patient,
    verifyClient: ({ req }, settle) => verify(urlOf(req), settle),
    handleProtocols: (offered, request) => urlOf(request).pathname === '/subprotocol-ok' && [...offered].at(-1),
  });
  const echo = (ws) => ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  const routes = {
    '/echo': echo,
    '/subprotocol-ok': echo,
    '/connection': (ws) => ws.on('message', () => ws.send(JSON.stringify({ ...stateOf(ws), padding: PADDING }))),
    '/close': (ws, query) => ws.close(Number(query.get('code') ?? 1000), query.get('reason') ?? ''),
    '/ping'(ws) {
      ws.on('pong', (payload) => payload.equals(Buffer.from('are you there')) && ws.send('pong ok'));
      ws.ping('are you there');
    },
    '/sizes'(ws) {
      for (const size of SIZES) ws.send(pattern(size));
    },
    '/greet'(ws) {
      ws.send(GREETING);
      echo(ws);
    },
    '/stall': (ws) => ws.pause(),
    '/kill': (ws) => ws.terminate(),
    '/broadcast'(ws) {
      ws.on('message', (data, isBinary) => {
        for (const client of server.clients) client.send(data, { binary: isBinary });
      });
    },
    '/topics'(ws) {
      ws.subscribe('news/#');
      ws.send('subscribed');
      ws.on('message', (data, isBinary) => {
        if (!isBinary && String(data).startsWith('all ')) server.publish('news/all', data, { binary: false });
        else ws.publish('news/said', data, { binary: isBinary });
      });
    },
  };

  function verify({ pathname, searchParams }, settle) {
    if (Object.hasOwn(routes, pathname)) return settle(true);
    const status = pathname === '/refuse' ? Number(searchParams.get('status') ?? 403) : 404;
    settle(false, status, `refused with ${status}\n`, { 'Content-Type': 'text/plain', 'X-Reason': 'interop' });
  }

  server.on('connection', (ws, request) => {
    ws.on('error', () => {}); // clients may go as they like
    const { pathname, searchParams } = urlOf(request);
    routes[pathname](ws, searchParams);
  });
  server.on('listening', () => console.log(`listening ${server.address().port}`));
}

function patienceOf(ms) {
  return { pingInterval: ms, pingTimeout: ms, closeTimeout: ms };
}

/** What was agreed on for a connection. */
function stateOf(ws) {
  return { extensions: ws.extensions, tls: ws.tlsInfo()?.version ?? '' };
}

function urlOf(request) {
  return new URL(request.url, 'ws://probe');
}

// The client

const CLIENT = { ...ROOMY, ...TRUST, proxy: PROXY ?? false };

async function scenarios() {
  const { SIZES, FRAGMENTED_TEXT, CONNECTIONS, pattern } = await import('../peers/node/fixtures.js');
  const peers = await import('../peers/node/scenarios.js');

  class Roomy extends WebSocket {
    constructor(url) {
      super(url, CLIENT);
    }
  }
  // What npm ws and Chromium run too: the same program, with another WebSocket.
  const { echo, connection, sizes, close, connections } = peers.scenarios(Roomy, CONNECTIONS.ws, stateOf);
  const half = async (url) => {
    const { end } = await open(url);
    expect(await end, { code: 1006, reason: '', error: undefined });
  };

  return {
    echo,
    connection,
    sizes,
    close,
    connections,
    half,
    kill: half,

    async receive(url) {
      const { ws, next, end } = await open(url);
      for (const size of SIZES) expect(await next(), Buffer.from(pattern(size)));
      await finish(ws, end);
    },

    async fragments(url) {
      const { ws, next, end } = await open(url);
      expect(await next(), FRAGMENTED_TEXT);
      expect(await next(), Buffer.from(pattern(100_000)));
      await finish(ws, end);
    },

    async ping(url) {
      const { ws, end } = await open(url);
      for (const payload of ['', 'are you there', 'x'.repeat(125)]) {
        const pong = new Promise((resolve) => ws.once('pong', resolve));
        ws.ping(payload);
        expect((await Promise.race([pong, end])).toString(), payload);
      }
      await finish(ws, end);
    },

    async pinged(url) {
      const { ws, next, end, pings } = await open(url);
      expect(await next(), 'pong ok');
      expect(pings, ['are you there']);
      await finish(ws, end);
    },

    async greet(url) {
      const { ws, next, end } = await open(url);
      expect(await next(), GREETING);
      ws.send('hello yourself');
      expect(await next(), 'hello yourself');
      await finish(ws, end);
    },

    async 'server-close'(url) {
      const { end } = await open(url);
      expect(await end, { code: 4321, reason: 'enough', error: undefined });
    },

    async refuse(url) {
      const { code, error } = await start(url).end;
      expect(code, 1006);
      return { status: error.statusCode };
    },

    async subprotocol(url) {
      const { code, error } = await start(url).end;
      expect({ code, named: error.message.includes('chat.v2') }, { code: 1006, named: true });
    },

    async 'subprotocol-ok'(url) {
      const { ws, end } = await open(url);
      expect(ws.protocol, 'chat.v3');
      await finish(ws, end);
    },

    async stall(url) {
      const { end } = await open(url, { pingInterval: SOON, pingTimeout: SOON });
      const { code, error } = await end;
      expect({ code, error: error?.code }, { code: 1006, error: 'SOCKLINE_ERR_PEER_DEAD' });
    },

    async 'silent-close'(url) {
      const { ws, end } = await open(url, { closeTimeout: SOON });
      ws.close(1000);
      expect(await end, { code: 1006, reason: '', error: undefined });
    },

    async broadcast(url) {
      const listeners = [];
      for (let i = 0; i < LISTENERS; i++) listeners.push(await open(url));
      for (const [i, { ws }] of listeners.entries()) {
        ws.send(`to all from ${i}`);
        for (const { next } of listeners) expect(await next(), `to all from ${i}`);
      }
      for (const { ws, end } of listeners) await finish(ws, end);
    },
  };
}

/** A connection whose messages are awaited one by one; `end` resolves to how it ended. */
function start(url, options = {}) {
  // As in ws, a server that chooses none of what is offered is refused: so only those are asked that choose.
  const offered = new URL(url).pathname.startsWith('/subprotocol') ? ['chat.v1', 'chat.v3'] : [];
  const ws = new WebSocket(url, offered, { ...CLIENT, ...options });
  const messages = [];
  const pings = [];
  let wake = () => {};
  let error;
  ws.on('ping', (data) => pings.push(data.toString()));
  ws.on('message', (data, isBinary) => {
    messages.push(isBinary ? data : data.toString());
    wake();
  });
  ws.on('error', (thrown) => (error = thrown));
  const end = new Promise((resolve) => {
    ws.on('close', (code, reason) => {
      resolve({ code, reason: reason.toString(), error });
      wake();
    });
  });
  const next = async () => {
    while (messages.length === 0) {
      if (ws.readyState === WebSocket.CLOSED) throw new Error(`closed with ${(await end).code}, not a message`);
      await new Promise((resolve) => (wake = resolve));
    }
    return messages.shift();
  };
  return { ws, next, end, pings };
}

async function open(url, options) {
  const started = start(url, options);
  const opened = new Promise((resolve) => started.ws.once('open', resolve));
  const ended = await Promise.race([opened, started.end]);
  if (ended) throw new Error(`could not connect: ${ended.error?.message}`);
  return started;
}

async function finish(ws, end) {
  ws.close(1000, 'finished');
  const { code, error } = await end;
  expect({ code, error }, { code: 1000, error: undefined });
}

function expect(found, wanted) {
  if (Buffer.isBuffer(wanted) ? !Buffer.isBuffer(found) || !wanted.equals(found) : describe(found) !== describe(wanted)) {
    throw new Error(`wanted ${describe(wanted)}, got ${describe(found)}`);
  }
}

function describe(value) {
  return Buffer.isBuffer(value) ? `${value.length} bytes` : JSON.stringify(value);
}

async function runScenario(url, name) {
  const timer = setTimeout(() => fail(`not finished after ${TIMEOUT / 1000} seconds`), TIMEOUT);
  try {
    const result = await (await scenarios())[name](url);
    console.log(JSON.stringify({ probe: 'node', scenario: name, ...result }));
    clearTimeout(timer); // and with nothing open the process ends by itself
  } catch (error) {
    fail(error.message);
  }

  function fail(reason) {
    console.error(`node ${name}: ${reason.slice(0, 500)}`);
    process.exit(1);
  }
}

const [role, ...rest] = process.argv.slice(2);
if (role === 'server' && rest.length >= 1) {
  serve(Number(rest[0]), rest[1]);
} else if (role === 'client' && rest.length === 2) {
  runScenario(...rest);
} else {
  console.error('usage: probe.js server PORT [PATIENCE_MS] | probe.js client URL SCENARIO');
  process.exit(2);
}
