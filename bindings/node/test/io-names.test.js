'use strict';
// Every public name of socket.io 4.8 and socket.io-client 4.8 is here, too, in the types and in living objects, or is in the
// list of differences with its reason. The official names are read off the types of the packages.

const assert = require('node:assert');
const { once } = require('node:events');
const http = require('node:http');
const path = require('node:path');
const test = require('node:test');

const ts = require('typescript');

const { next, opened, ours, pair, serve, theirs } = require('./io-support');

const BYTES_STAY = 'packets are made and read in the engine, which takes what sockets emit';
const HTTP3 = 'WebTransport needs HTTP/3, which the engine does not have';
const BROWSERS = 'has no effect outside of browsers, there neither';

/** Names of theirs that are not in our types. A name that is an error when it is used is in `REFUSED`, too. */
const MISSING = {
  Server: {
    attachApp: 'refused: uWebSockets.js would do what the engine does',
    bind: 'refused: another engine',
    encoder: 'marked as private',
  },
  Adapter: {
    persistSession: 'the engine keeps what may be recovered',
    restoreSession: 'the engine keeps what may be recovered',
  },
  engine: { onWebTransportSession: HTTP3 },
  conn: {
    upgrading: 'whether a WebSocket is being tried is known to the engine only; "upgrade" tells when it has succeeded',
    send: BYTES_STAY,
    write: BYTES_STAY,
  },
  transport: Object.fromEntries(
    [
      ...['sid', 'writable', 'protocol', 'readyState', 'discard', 'onRequest', 'close', 'send', 'doClose'],
      ...['addListener', 'on', 'once', 'removeListener', 'off', 'removeAllListeners', 'setMaxListeners'],
      ...['getMaxListeners', 'listeners', 'rawListeners', 'emit', 'listenerCount', 'prependListener'],
      ...['prependOnceListener', 'eventNames'],
    ].map((name) => [name, 'a transport is only a name: requests and WebSockets are in the engine']),
  ),
  'options of servers': {
    wsEngine: 'refused: WebSockets are the engine\'s own',
    initialPacket: 'refused: Socket.IO does not use it',
  },
  'engine of clients': {
    binaryType: 'binary values are Buffers, as there in Node',
    writeBuffer: BYTES_STAY,
    write: BYTES_STAY,
    send: BYTES_STAY,
  },
  'options of managers': {
    agent: 'refused: connections are not made by the http module',
    closeOnBeforeunload: BROWSERS,
    useNativeTimers: 'timers are always native',
  },
};

/** Names of ours that they don't have. */
const ADDED = {
  Adapter: ['allRooms'], // of @socket.io/redis-adapter
  Server: ['enableAdmin'],
  Client: ['id'], // private there
  conn: ['id'], // private there
  'options of servers': ['maxAttachments', 'forwardRequests', 'host', 'tls', 'static', 'highWaterMark', 'hardLimit', 'slowConsumer'],
  'exports of socket.io': ['BroadcastOperator', 'RemoteSocket'], // as types, which theirs are
  Manager: ['disconnect'], // private there
  'options of managers': [
    ...['maxAttachments', 'sendBufferLimit', 'servername', 'proxy', 'localAddress', 'family', 'highWaterMark'],
  ],
};

/** What is refused, by a use. */
const REFUSED = {
  attachApp: () => new ours.Server().attachApp({}),
  bind: () => new ours.Server().bind({}),
  wsEngine: () => new ours.Server(0, { wsEngine: class {} }),
  initialPacket: () => new ours.Server(0, { initialPacket: 'x' }),
  agent: () => ours.connect('http://localhost:1', { forceNew: true, agent: new http.Agent() }),
};

test('what is refused is refused in words', () => {
  const said = Object.values(MISSING).flatMap((names) => Object.entries(names));
  const refused = said.filter(([, reason]) => reason.startsWith('refused')).map(([name]) => name);
  assert.deepStrictEqual(Object.keys(REFUSED).sort(), refused.sort());
  for (const [name, use] of Object.entries(REFUSED)) {
    assert.throws(use, { code: 'SOCKLINE_ERR_UNSUPPORTED' }, name);
  }
});

test('adapters of other packages are refused', () => {
  const { createAdapter } = require('@socket.io/redis-adapter');
  for (const adapter of [class {}, createAdapter({}, {}), 'http://localhost']) {
    assert.throws(() => new ours.Server(0, { adapter }), { code: /SOCKLINE_ERR_(UNSUPPORTED|INVALID_URL)/ });
  }
});

test('the types have the names of the official ones', () => {
  const differences = {};
  const expected = {};
  for (const { name, official, own } of typePairs()) {
    differences[name] = {
      missing: official.filter((one) => !own.includes(one)).sort(),
      added: own.filter((one) => !official.includes(one)).sort(),
    };
    expected[name] = { missing: Object.keys(MISSING[name] ?? {}).sort(), added: [...(ADDED[name] ?? [])].sort() };
  }
  assert.ok(Object.keys(differences).length > 15);
  assert.deepStrictEqual(differences, expected);
});

test('living objects have the names of the official types', async () => {
  const server = await serve(ours.Server);
  const { socket, peer } = await pair(ours.connect, server, { auth: {} });
  const living = {
    Server: server,
    Namespace: server.of('/'),
    Socket: peer,
    BroadcastOperator: server.to('room'),
    RemoteSocket: remote(server),
    Client: peer.client,
    handshake: peer.handshake,
    Adapter: server.of('/').adapter,
    engine: server.engine,
    conn: peer.conn,
    transport: peer.conn.transport,
    'exports of socket.io': require('sockline/socket.io'),
    Manager: socket.io,
    'Socket of clients': socket,
    'engine of clients': socket.io.engine,
    'exports of socket.io-client': await import('sockline/socket.io-client'),
  };
  const types = ['BroadcastOperator', 'RemoteSocket']; // of which there is no value in theirs, either
  for (const { name, official } of typePairs()) {
    if (name.startsWith('options')) continue;
    const absent = official.filter((one) => !(one in living[name]) && !types.includes(one));
    const known = Object.keys(MISSING[name] ?? {});
    assert.deepStrictEqual(absent.filter((one) => !known.includes(one)), [], name);
  }
});

test('parent namespaces have the names of the official ones', () => {
  const own = new ours.Server().of(/a/);
  const official = new theirs.Server().of(/a/);
  // Those that its types show; the other ones are its own affairs.
  const names = ['createChild', 'emit', 'fetchSockets', 'use', 'on', 'to', 'except', 'timeout', 'volatile', 'local', 'name'];
  for (const name of [...names, 'adapter', 'server', 'sockets']) {
    assert.ok(name in official, name);
    assert.strictEqual(typeof own[name], typeof official[name], name);
  }
  assert.throws(() => own.fetchSockets(), /not supported on parent namespaces/);
  assert.throws(() => official.fetchSockets(), /not supported on parent namespaces/);
});

test('the packages export the same', () => {
  for (const name of ['socket.io', 'socket.io-client']) {
    const [own, official] = [require(`sockline/${name}`), require(name)];
    assert.strictEqual(typeof own, typeof official);
    for (const exported of Object.keys(official)) assert.strictEqual(typeof own[exported], typeof official[exported], exported);
  }
});

for (const { Server, connect, name } of [{ ...ours, name: 'ours' }, { ...theirs, name: 'socket.io (for comparison)' }]) {
  test(`${name}: settings can be read and changed before there is a port`, async () => {
    const server = new Server();
    opened.servers.add(server);
    assert.deepStrictEqual([server.path(), server.connectTimeout(), server.serveClient()], ['/socket.io', 45_000, true]);
    assert.strictEqual(typeof server.adapter(), 'function');
    assert.strictEqual(server.adapter(server.adapter()), server);
    assert.strictEqual(server.path('/other/').connectTimeout(1000).serveClient(false), server);
    assert.deepStrictEqual([server.path(), server.connectTimeout(), server.serveClient()], ['/other', 1000, false]);
    assert.strictEqual(server.listen(0), server);
    if (!server.httpServer.address()) await once(server.httpServer, 'listening');
    assert.strictEqual(server.engine.httpServer ?? server.httpServer, server.httpServer);
    const url = `http://127.0.0.1:${server.httpServer.address().port}`;
    assert.deepStrictEqual(server.engine.upgrades('polling').slice(0, 1), ['websocket']); // theirs knows WebTransport, too
    assert.deepStrictEqual(server.engine.upgrades('websocket'), []);
    const { status } = await fetch(`${url}/other/socket.io.js`);
    assert.strictEqual(status, 400); // it is no file there
    const socket = connect(url, { path: '/other', forceNew: true });
    opened.sockets.add(socket);
    await next(socket, 'connect');
  });

  test(`${name}: a manager is told by options where the server is`, async () => {
    const server = await serve(Server);
    const { Manager } = require(name === 'ours' ? 'sockline/socket.io-client' : 'socket.io-client');
    const { port } = server.httpServer.address();
    for (const where of [{ hostname: '127.0.0.1' }, { host: '127.0.0.1', hostname: 'nowhere.invalid' }]) {
      const socket = new Manager({ ...where, port, reconnection: false }).socket('/');
      opened.sockets.add(socket);
      await next(socket, 'connect');
    }
  });
}

/** As if it were another server's. */
function remote(server) {
  const { RemoteSocket } = require('../lib/io/broadcast-operator');
  return new RemoteSocket(server.of('/').adapter, { id: 'x', handshake: {}, rooms: [], data: {} });
}

let cachedPairs;

/** The public names of the types that `types/names.ts` puts beside each other. */
function typePairs() {
  cachedPairs ??= readPairs();
  return cachedPairs;
}

function readPairs() {
  const file = path.join(__dirname, 'types/names.ts');
  const { Node16 } = ts.ModuleKind;
  const target = ts.ScriptTarget.ES2022;
  const options = { strict: true, module: Node16, moduleResolution: ts.ModuleResolutionKind.Node16, target, types: ['node'] };
  const program = ts.createProgram([file], { ...options, skipLibCheck: true, noEmit: true });
  const errors = ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  assert.deepStrictEqual(errors, []);
  const checker = program.getTypeChecker();
  const [symbol] = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)));
  return checker.getPropertiesOfType(checker.getTypeOfSymbol(symbol)).map((property) => {
    const both = checker.getTypeArguments(checker.getTypeOfSymbol(property));
    const [official, own] = both.map((type) => checker.getPropertiesOfType(type).filter(isPublic).map(({ name }) => name));
    return { name: property.name, official, own };
  });
}

/** Names that begin with an underscore are private by convention. */
function isPublic({ name, declarations = [] }) {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return !/^[_#]/.test(name) && !declarations.some((one) => ts.getCombinedModifierFlags(one) & hidden);
}
