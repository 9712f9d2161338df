'use strict';
// Packages that were written for the browsers' WebSocket, unchanged, on ours: against servers of ws and ours.
// docs/programs.md has a line for each of them.

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const { createRequire } = require('node:module');
const path = require('node:path');
const { before, test } = require('node:test');
const { promisify } = require('node:util');
const { Server: OfficialServer } = require('socket.io');
const { Server: OurServer } = require('sockline/socket.io');
require('sockline/global');
const { install } = require('./installed');
const { finish, listen, ours, theirs } = require('./support');

const run = promisify(execFile);
const FOLDER = path.join(__dirname, 'clients');
const load = createRequire(path.join(FOLDER, 'package.json'));
const SERVERS = { ws: theirs, ours };

before(() => install(FOLDER));

function event(target, type) {
  return new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
}

/** Closes its first connection at the first message, and echoes on the others. */
async function listenOnce(Package) {
  let connections = 0;
  return listen(Package, (socket) => {
    connections += 1;
    const isFirst = connections === 1;
    socket.on('message', (data) => (isFirst ? socket.close(4321, 'go') : socket.send(`${connections}: ${data}`)));
  });
}

for (const [name, Package] of Object.entries(SERVERS)) {
  for (const [client, loaded] of [
    ['reconnecting-websocket', () => load('reconnecting-websocket')],
    ['partysocket', () => load('partysocket/ws').default],
  ]) {
    for (const [face, Implementation] of [['as the global', undefined], ["sockline's own", ours]]) {
      test(`${client}, with our WebSocket ${face}: comes back, and sends what waited; server: ${name}`, async () => {
        const server = await listenOnce(Package);
        const Reconnecting = loaded();
        const options = { WebSocket: Implementation, minReconnectionDelay: 1, maxReconnectionDelay: 20 };
        const socket = new Reconnecting(server.url, [], options);
        socket.send('first');
        const { code, reason } = await event(socket, 'close');
        assert.deepStrictEqual([code, reason], [4321, 'go']);
        socket.send('second');
        assert.strictEqual((await event(socket, 'message')).data, '2: second');
        socket.binaryType = 'arraybuffer';
        assert.strictEqual(socket.bufferedAmount, 0);
        const closed = event(socket, 'close');
        socket.close();
        await closed;
        await finish(server);
      });
    }
  }

  test(`graphql-ws: queries, subscriptions and a refusal; server: graphql-ws on ${name}`, async () => {
    const { createClient } = load('graphql-ws');
    const { useServer } = load('graphql-ws/use/ws');
    const { GraphQLObjectType, GraphQLSchema, GraphQLString } = load('graphql');
    const field = { type: GraphQLString };
    const greetings = {
      ...field,
      async *subscribe() {
        for (const greetings of ['hi', 'bonjour', 'γειά']) yield { greetings };
      },
    };
    const schema = new GraphQLSchema({
      query: new GraphQLObjectType({ name: 'Query', fields: { hello: { ...field, resolve: () => 'world' } } }),
      subscription: new GraphQLObjectType({ name: 'Subscription', fields: { greetings } }),
    });
    const server = new Package.WebSocketServer({ port: 0, host: '127.0.0.1', path: '/graphql' });
    await once(server, 'listening');
    const serving = useServer({ schema, onConnect: ({ connectionParams }) => connectionParams?.token === 'yes' }, server);
    const url = `ws://127.0.0.1:${server.address().port}/graphql`;
    const client = createClient({ url, connectionParams: { token: 'yes' } });
    const results = async (query) => {
      const all = [];
      for await (const { data } of client.iterate({ query })) all.push(data);
      return JSON.stringify(all);
    };
    assert.strictEqual(await results('{ hello }'), '[{"hello":"world"}]');
    const heard = await results('subscription { greetings }');
    assert.strictEqual(heard, '[{"greetings":"hi"},{"greetings":"bonjour"},{"greetings":"γειά"}]');
    await client.dispose();
    const refused = createClient({ url, retryAttempts: 0 });
    const asked = new Promise((complete, error) => refused.subscribe({ query: '{ hello }' }, { next() {}, error, complete }));
    await assert.rejects(asked, { code: 4403, reason: 'Forbidden' });
    await serving.dispose();
    await new Promise((resolve) => server.close(resolve));
  });

  test(`y-websocket: two documents become one; server: ${name}`, async () => {
    const Y = load('yjs');
    const { WebsocketProvider } = load('y-websocket');
    const server = await listen(Package, rooms());
    const documents = [new Y.Doc(), new Y.Doc()];
    const providers = documents.map((document) => new WebsocketProvider(server.url, 'room', document, { disableBc: true }));
    await Promise.all(providers.map((provider) => new Promise((resolve) => provider.once('sync', resolve))));
    const [first, second] = documents.map((document) => document.getText('text'));
    const written = new Promise((resolve) => second.observe(() => second.toString() === 'hello, wörld' && resolve()));
    first.insert(0, 'wörld');
    first.insert(0, 'hello, ');
    await written;
    const seen = new Promise((resolve) => providers[1].awareness.on('change', ({ added }) => added.length > 0 && resolve()));
    providers[0].awareness.setLocalStateField('user', { name: 'a' });
    await seen;
    for (const provider of providers) {
      provider.awareness.destroy();
      provider.destroy();
    }
    await finish(server);
  });

  test(`rxjs webSocket(): subjects, multiplexing and errors; server: ${name}`, async () => {
    const { webSocket } = load('rxjs/webSocket');
    const { firstValueFrom, take, toArray } = load('rxjs');
    const server = await listen(Package);
    const opened = [];
    const subject = webSocket({ url: server.url, openObserver: { next: ({ type }) => opened.push(type) } });
    const two = firstValueFrom(subject.pipe(take(2), toArray()));
    subject.next({ text: 'κόσμε' });
    subject.next([1, 2]);
    assert.deepStrictEqual(await two, [{ text: 'κόσμε' }, [1, 2]]);
    const only = subject.multiplex(() => ({ to: 'a' }), () => ({ bye: 'a' }), ({ to }) => to === 'a');
    assert.deepStrictEqual(await firstValueFrom(only), { to: 'a' });
    const [peer] = server.clients;
    if (peer) await once(peer, 'close');
    assert.deepStrictEqual(opened, ['open', 'open']); // one for each time that somebody listens
    const failing = webSocket('ws://127.0.0.1:1');
    await assert.rejects(firstValueFrom(failing), (error) => error.type === 'error' || error.code === 1006);
    await finish(server);
  });
}

/** What y-websocket's own server does: one document a room, whose changes all others get. */
function rooms() {
  const Y = load('yjs');
  const sync = load('y-protocols/sync');
  const encoding = load('lib0/encoding');
  const decoding = load('lib0/decoding');
  const [SYNC, AWARENESS] = [0, 1];
  const document = new Y.Doc();
  const peers = new Set();
  document.on('update', (update) => {
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, SYNC);
    sync.writeUpdate(encoder, update);
    for (const peer of peers) peer.send(encoding.toUint8Array(encoder));
  });
  return (peer) => {
    peers.add(peer);
    peer.on('close', () => peers.delete(peer));
    peer.on('message', (data) => {
      const decoder = decoding.createDecoder(new Uint8Array(data));
      const kind = decoding.readVarUint(decoder);
      if (kind === AWARENESS) for (const other of peers) other.send(data);
      if (kind !== SYNC) return;
      const encoder = encoding.createEncoder();
      encoding.writeVarUint(encoder, SYNC);
      sync.readSyncMessage(decoder, encoder, document, peer);
      if (encoding.length(encoder) > 1) peer.send(encoding.toUint8Array(encoder));
    });
  };
}

test("socket.io-client, as it is bundled for browsers, against socket.io and ours", async () => {
  const { io } = require('socket.io-client/dist/socket.io.js');
  for (const Server of [OfficialServer, OurServer]) {
    const httpServer = http.createServer().listen(0, '127.0.0.1');
    await once(httpServer, 'listening');
    const server = new Server(httpServer);
    server.on('connection', (socket) => socket.on('event', (...args) => args.pop()(...args)));
    const socket = io(`http://127.0.0.1:${httpServer.address().port}`, { transports: ['websocket'], forceNew: true });
    const sent = ['κόσμε', new Uint8Array([1, 2, 3])];
    const [text, bytes] = await new Promise((resolve) => socket.emit('event', ...sent, (...args) => resolve(args)));
    assert.deepStrictEqual([text, [...new Uint8Array(bytes)]], ['κόσμε', [1, 2, 3]]);
    assert.ok(socket.io.engine.transport.ws instanceof WebSocket);
    socket.disconnect();
    await server.close();
  }
});

test('mqtt, as it is bundled for browsers: over a broker with ws', async () => {
  const { Aedes } = load('aedes');
  const broker = await Aedes.createBroker();
  const server = await listen(theirs, (socket, request) => broker.handle(theirs.createWebSocketStream(socket), request), {
    handleProtocols: (offered) => [...offered].find((name) => name === 'mqtt'),
  });
  const bundle = load.resolve('mqtt').replace(/build.*/, 'dist/mqtt.esm.js');
  const program = [path.join(__dirname, 'programs/mqtt.mjs'), bundle, server.url];
  const { stdout } = await run(process.execPath, program, { timeout: 30_000 });
  assert.strictEqual(stdout, 'a/b 70000\n');
  await new Promise((resolve) => broker.close(resolve));
  await finish(server);
});
