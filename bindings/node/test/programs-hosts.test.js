'use strict';
// Packages that are made for ws, unchanged, on ours: by an option where they have one, else `require('ws')` finds sockline in its
// place, as npm's `overrides` would have it. Their peers are the real ws and ours. docs/programs.md has a line for each.

const assert = require('node:assert');
const http = require('node:http');
const Module = require('node:module');
const path = require('node:path');
const { before, after, test } = require('node:test');

const { install } = require('./installed');
const { connect, next, opened, ours, theirs } = require('./support');

const FOLDER = path.join(__dirname, 'hosts');
const load = Module.createRequire(path.join(FOLDER, 'package.json'));
const CLIENTS = { ws: theirs, ours };

const resolveFilename = Module._resolveFilename;

before(async () => {
  await install(FOLDER);
  Module._resolveFilename = function resolve(request, parent, ...rest) {
    const isTheirs = request === 'ws' && parent?.filename?.startsWith(FOLDER);
    return isTheirs ? require.resolve('sockline') : resolveFilename.call(this, request, parent, ...rest);
  };
});
after(() => (Module._resolveFilename = resolveFilename));

async function listening(server) {
  server.listen(0, '127.0.0.1');
  await next(server, 'listening');
  opened.servers.add({ clients: [], close: () => server.close() && server.closeAllConnections() });
  return `ws://127.0.0.1:${server.address().port}`;
}

function request(url) {
  return fetch(url.replace('ws:', 'http:')).then((response) => response.text());
}

for (const [name, Client] of Object.entries(CLIENTS)) {
  test(`express-ws: routes, parameters, routers, broadcasts and pages; client: ${name}`, async () => {
    const express = load('express');
    const app = express();
    const server = http.createServer(app);
    const { getWss } = load('express-ws')(app, server);
    const seen = [];
    app.use((asked, response, go) => seen.push(asked.url) && go());
    app.ws('/echo/:name', (socket, { params, query }) => {
      socket.on('message', (data) => socket.send(`${params.name}, ${query.q}: ${data}`));
    });
    const router = express.Router();
    router.ws('/all', (socket) => socket.on('message', (data) => getWss().clients.forEach((one) => one.send(`all: ${data}`))));
    app.use('/router', router);
    app.get('/page', (asked, response) => response.send('a page'));
    const url = await listening(server);
    assert.ok(getWss() instanceof ours.Server);
    const one = await connect(Client, `${url}/echo/me?q=x`);
    one.send('hello');
    assert.strictEqual((await next(one, 'message'))[0].toString(), 'me, x: hello');
    const other = await connect(Client, `${url}/router/all`);
    const both = [next(one, 'message'), next(other, 'message')];
    other.send('news');
    for (const [data] of await Promise.all(both)) assert.strictEqual(data.toString(), 'all: news');
    assert.strictEqual(await request(`${url}/page`), 'a page');
    assert.deepStrictEqual(seen.map((target) => target.split('?')[0]), ['/echo/me/.websocket', '/router/all/.websocket', '/page']);
    // Where there is no route the client is let in, and sent away.
    const lost = new Client(`${url}/nowhere`);
    await next(lost, 'close');
  });

  test(`@fastify/websocket: routes, hooks, headers and refusals; client: ${name}`, async () => {
    const fastify = load('fastify')();
    await fastify.register(load('@fastify/websocket'), { options: { maxPayload: 1000, verifyClient: ({ req }, settle) => settle(req.url !== '/echo?q=no') } });
    const hooks = [];
    fastify.addHook('preValidation', async ({ headers }) => hooks.push(headers['x-token']));
    fastify.get('/echo', { websocket: true }, (socket, { query }) => {
      socket.on('message', (data, isBinary) => socket.send(`${query.q}, ${isBinary}: ${data}`));
    });
    fastify.get('/both', { handler: async () => 'over http', wsHandler: (socket) => socket.close(4000, 'over ws') });
    await fastify.listen({ port: 0, host: '127.0.0.1' });
    const url = `ws://127.0.0.1:${fastify.server.address().port}`;
    const socket = await connect(Client, `${url}/echo?q=x`, [], { headers: { 'X-Token': 'secret' } });
    socket.send(Buffer.from('bytes'));
    assert.strictEqual((await next(socket, 'message'))[0].toString(), 'x, true: bytes');
    assert.deepStrictEqual(hooks, ['secret']);
    assert.ok(fastify.websocketServer instanceof ours.Server);
    const closing = new Client(`${url}/both`);
    const [code, reason] = await next(closing, 'close');
    assert.deepStrictEqual([code, reason.toString()], [4000, 'over ws']);
    assert.strictEqual(await request(`${url}/both`), 'over http');
    await assert.rejects(connect(Client, `${url}/echo?q=no`), { message: 'Unexpected server response: 401' });
    const closed = next(socket, 'close');
    await fastify.close();
    await closed;
  });

  test(`graphql-ws: its server for ws on our WebSocketServer, at a server of Node's; client: ${name}`, async () => {
    const { GraphQLObjectType, GraphQLSchema, GraphQLString } = load('graphql');
    const { useServer } = load('graphql-ws/use/ws');
    const { createClient } = load('graphql-ws');
    const hello = { type: GraphQLString, resolve: (root, args, { extra }) => `hello ${extra.request.headers['x-who'] ?? 'you'}` };
    const greetings = {
      type: GraphQLString,
      async *subscribe() {
        for (const greetings of ['Hi', 'Bonjour', 'Hola']) yield { greetings };
      },
    };
    const schema = new GraphQLSchema({
      query: new GraphQLObjectType({ name: 'Query', fields: { hello } }),
      subscription: new GraphQLObjectType({ name: 'Subscription', fields: { greetings } }),
    });
    const http1 = http.createServer();
    const server = new ours.WebSocketServer({ server: http1, path: '/graphql' });
    const { dispose } = useServer({ schema, context: (context) => context }, server);
    const url = `${await listening(http1)}/graphql`;
    const client = createClient({ url, webSocketImpl: Client });
    const results = [];
    for (const query of ['{ hello }', 'subscription { greetings }']) {
      for await (const { data } of client.iterate({ query })) results.push(Object.values(data)[0]);
    }
    assert.deepStrictEqual(results, ['hello you', 'Hi', 'Bonjour', 'Hola']);
    const stranger = new Client(url);
    assert.strictEqual((await next(stranger, 'close'))[0], 4406);
    await client.dispose();
    await dispose();
  });

  test(`http-proxy: forwards to ours at a server of Node's; client: ${name}`, async () => {
    const target = http.createServer();
    const server = new ours.WebSocketServer({ server: target });
    server.on('connection', (socket, { headers, url }) => {
      socket.send(`${headers['x-forwarded-for']} ${url}`);
      socket.on('message', (data) => socket.send(data));
    });
    const proxy = load('http-proxy').createProxyServer({ target: await listening(target), ws: true, xfwd: true });
    proxy.on('error', () => {});
    const front = http.createServer();
    front.on('upgrade', (...args) => proxy.ws(...args));
    const socket = new Client(`${await listening(front)}/path`);
    assert.strictEqual((await next(socket, 'message'))[0].toString(), '127.0.0.1 /path');
    const big = 'x'.repeat(1_000_000);
    socket.send(big);
    assert.strictEqual((await next(socket, 'message'))[0].toString(), big);
    socket.close(1000);
    assert.strictEqual((await next(socket, 'close'))[0], 1000);
  });
}

test('isomorphic-ws is ours, in all its names', async () => {
  const WebSocket = load('isomorphic-ws');
  assert.strictEqual(WebSocket, ours);
  assert.strictEqual(WebSocket.WebSocketServer, ours.WebSocketServer);
});

test('socket.io with its option wsEngine: polling, upgrade, binary values, and the end', async () => {
  const { Server } = load('socket.io');
  const { io } = load('socket.io-client');
  const engines = [];
  class Engine extends ours.Server {
    constructor(...args) {
      super(...args);
      engines.push(this);
    }
  }
  const server = http.createServer();
  const sockets = new Server(server, { wsEngine: Engine, perMessageDeflate: true });
  sockets.on('connection', (socket) => socket.on('echo', (...args) => args.pop()(...args)));
  const url = (await listening(server)).replace('ws:', 'http:');
  for (const transports of [['websocket'], ['polling', 'websocket']]) {
    const client = io(url, { transports, forceNew: true });
    const upgraded = new Promise((resolve) => client.io.engine.once('upgrade', resolve));
    await next(client, 'connect');
    if (transports.length > 1) await upgraded;
    assert.strictEqual(await client.emitWithAck('echo', 'text', Buffer.alloc(100_000, 7)), 'text');
    const received = new Promise((resolve) => client.once('all', resolve));
    sockets.emit('all', Buffer.from('bytes'));
    assert.strictEqual((await received).toString(), 'bytes');
    const [peer] = sockets.sockets.sockets.values();
    assert.strictEqual(peer.conn.transport.name, 'websocket');
    const gone = new Promise((resolve) => peer.once('disconnect', resolve));
    client.close();
    assert.strictEqual(await gone, 'client namespace disconnect');
  }
  assert.ok(engines.length > 0);
  await sockets.close();
});
