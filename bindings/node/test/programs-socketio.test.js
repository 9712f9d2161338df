'use strict';
// Packages that nobody here wrote, which use socket.io or socket.io-client: unchanged, they get ours. The results are in docs/programs.md.

require('./programs/socketio/redirect');

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const { createServer } = require('node:http');
const path = require('node:path');
const test = require('node:test');
const { promisify } = require('node:util');

const { authorize } = require('@thream/socketio-jwt');
const express = require('express');
const session = require('express-session');
const helmet = require('helmet');
const jwt = require('jsonwebtoken');
const passport = require('passport');
const { ExtractJwt, Strategy } = require('passport-jwt');
const { Server } = require('socket.io');
const { io } = require('socket.io-client');

const { CARRIERS, client, next, opened } = require('./io-support');

const SECRET = 'a secret that is only for the tests of these programs';

test('socket.io is ours here', () => {
  assert.strictEqual(Server, require('sockline/socket.io').Server);
  assert.strictEqual(io, require('sockline/socket.io-client').io);
});

/** On a server of express, or on a port of the engine's own. */
async function served(hasApp) {
  const app = hasApp ? express() : undefined;
  const httpServer = app && createServer(app);
  const server = httpServer ? new Server(httpServer) : new Server(0);
  opened.servers.add(server);
  httpServer?.listen(0);
  await next(server.httpServer, 'listening');
  return { app, server, url: `http://127.0.0.1:${server.httpServer.address().port}` };
}

for (const hasApp of [true, false]) {
  const where = hasApp ? 'on a server of express' : 'on a port of its own';

  test(`express-session and helmet, ${where}`, async () => {
    const { app, server, url } = await served(hasApp);
    const sessions = session({ secret: SECRET, resave: false, saveUninitialized: true });
    app?.use(sessions).get('/visits', (request, response) => response.json(request.session.visits));
    server.engine.use(helmet());
    server.engine.use(sessions);
    server.on('connection', (socket) => {
      const { request } = socket;
      request.session.visits = (request.session.visits ?? 0) + 1;
      request.session.save(() => socket.emit('visits', request.session.visits));
      socket.use((_, goOn) => request.session.reload((error) => goOn(error)));
      socket.on('again', (answer) => answer(request.session.visits));
    });
    const answer = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    assert.match(answer.headers.get('content-security-policy'), /default-src 'self'/);
    const [cookie] = answer.headers.get('set-cookie').split(';');
    let visits = 0;
    for (const { transports } of CARRIERS) {
      const socket = client(io, url, { transports, extraHeaders: { cookie } });
      assert.deepStrictEqual(await next(socket, 'visits'), [++visits]);
      assert.strictEqual(await socket.emitWithAck('again'), visits);
    }
    if (app) assert.strictEqual(await (await fetch(`${url}/visits`, { headers: { cookie } })).json(), visits);
  });

  test(`passport and passport-jwt, ${where}`, async () => {
    const { server, url } = await served(hasApp);
    const options = { jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: SECRET };
    passport.use(new Strategy(options, ({ name }, done) => done(null, { name })));
    server.engine.use((request, response, goOn) => {
      const begins = request._query.sid === undefined;
      if (begins) passport.authenticate('jwt', { session: false })(request, response, goOn);
      else goOn();
    });
    server.on('connection', (socket) => socket.on('who', (answer) => answer(socket.request.user.name)));
    for (const { transports } of CARRIERS) {
      const authorization = `bearer ${jwt.sign({ name: 'Ann' }, SECRET)}`;
      assert.strictEqual(await client(io, url, { transports, extraHeaders: { authorization } }).emitWithAck('who'), 'Ann');
      await next(client(io, url, { transports }), 'connect_error');
    }
    const refused = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    assert.strictEqual(refused.status, 401);
  });
}

test('@thream/socketio-jwt', async () => {
  const { server, url } = await served(false);
  server.use(authorize({ secret: SECRET, onAuthentication: ({ id }) => ({ id, name: 'Ann' }) }));
  server.on('connection', (socket) => socket.emit('you', socket.user, socket.decodedToken.id));
  const token = `Bearer ${jwt.sign({ id: 7 }, SECRET)}`;
  assert.deepStrictEqual(await next(client(io, url, { auth: { token } }), 'you'), [{ id: 7, name: 'Ann' }, 7]);
  for (const [auth, code] of [[{}, 'credentials_required'], [{ token: 'Bearer x' }, 'invalid_token']]) {
    const [error] = await next(client(io, url, { auth }), 'connect_error');
    assert.deepStrictEqual([error.data.type, error.data.code], ['UnauthorizedError', code]);
  }
});

test('@feathersjs/socketio and @feathersjs/socketio-client', async () => {
  const { feathers } = require('@feathersjs/feathers');
  const socketio = require('@feathersjs/socketio');
  const overSocket = require('@feathersjs/socketio-client');
  class Messages {
    all = [];

    async find() {
      return this.all;
    }

    async create({ text }, { provider, headers }) {
      this.all.push({ text, provider, who: headers['x-who'] });
      return this.all.at(-1);
    }

    async get() {
      throw Object.assign(new Error('none'), { name: 'NotFound', code: 404 });
    }
  }
  const app = feathers();
  app.configure(socketio((server) => server.use((socket, goOn) => goOn(socket.feathers ? undefined : new Error('not ready')))));
  app.use('messages', new Messages());
  app.on('connection', (connection) => app.channel('all').join(connection));
  app.publish(() => app.channel('all'));
  const httpServer = await app.listen(0);
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  const sockets = [client(io, url, { extraHeaders: { 'X-Who': 'Ann' } }), client(io, url, { transports: ['websocket'] })];
  await Promise.all(sockets.map((socket) => next(socket, 'connect')));
  const [ann, other] = sockets.map((socket) => feathers().configure(overSocket(socket)).service('messages'));
  const created = next(other, 'created');
  const message = { text: 'hello', provider: 'socketio', who: 'Ann' };
  assert.deepStrictEqual(await ann.create({ text: 'hello' }), message);
  assert.deepStrictEqual((await created)[0], message);
  assert.deepStrictEqual(await other.find(), [message]);
  await assert.rejects(other.get(1), { name: 'NotFound', code: 404 });
  for (const socket of sockets) socket.close();
  await app.io.close();
});

test('@nestjs/platform-socket.io', async () => {
  require('reflect-metadata');
  const { Module } = require('@nestjs/common');
  const { NestFactory } = require('@nestjs/core');
  const { IoAdapter } = require('@nestjs/platform-socket.io');
  const nest = require('@nestjs/websockets');
  const { map, of } = require('rxjs');
  class Gateway {
    told = [];

    afterInit(server) {
      this.told.push(server === this.server);
    }

    handleConnection(socket) {
      this.told.push(socket.id);
    }

    handleDisconnect(socket) {
      this.told.push(`${socket.id} has gone`);
    }

    event(data) {
      return { event: 'answer', data };
    }

    ack(data) {
      return data.toUpperCase();
    }

    several() {
      return of(1, 2).pipe(map((data) => ({ event: 'number', data })));
    }

    fails() {
      throw new nest.WsException('not that');
    }
  }
  // What decorators would do.
  nest.WebSocketGateway({ namespace: 'chat' })(Gateway);
  nest.WebSocketServer()(Gateway.prototype, 'server');
  for (const name of ['event', 'ack', 'several', 'fails']) {
    nest.SubscribeMessage(name)(Gateway.prototype, name, Object.getOwnPropertyDescriptor(Gateway.prototype, name));
    nest.MessageBody()(Gateway.prototype, name, 0);
  }
  class App {}
  Module({ providers: [Gateway] })(App);
  const app = await NestFactory.create(App, { logger: false });
  app.useWebSocketAdapter(new IoAdapter(app));
  await app.listen(0, '127.0.0.1');
  const gateway = app.get(Gateway);
  const socket = client(io, `${await app.getUrl()}/chat`);
  await next(socket, 'connect');
  const answer = next(socket, 'answer');
  socket.emit('event', { a: [1] });
  assert.deepStrictEqual(await answer, [{ a: [1] }]);
  assert.strictEqual(await socket.emitWithAck('ack', 'text'), 'TEXT');
  const numbers = [];
  socket.on('number', (number) => numbers.push(number));
  const failed = next(socket, 'exception');
  socket.emit('several').emit('fails');
  assert.deepStrictEqual((await failed)[0].message, 'not that');
  assert.deepStrictEqual(numbers, [1, 2]);
  const all = next(socket, 'all');
  gateway.server.emit('all', 'there');
  assert.deepStrictEqual(await all, ['there']);
  const { id } = socket;
  const gone = next(gateway.server.sockets.get(id), 'disconnect');
  socket.disconnect();
  await gone;
  assert.deepStrictEqual(gateway.told, [true, id, `${id} has gone`]);
  await app.close();
});

test('fastify-socket.io', async () => {
  const app = require('fastify')();
  app.register(require('fastify-socket.io'));
  app.get('/', async () => {
    app.io.emit('asked');
    return 'fine';
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const socket = client(io, url);
  await next(socket, 'connect');
  const asked = next(socket, 'asked');
  assert.strictEqual(await (await fetch(url)).text(), 'fine');
  await asked;
  socket.close();
  await app.close();
});

test('laravel-echo', async () => {
  const { server, url } = await served(false);
  // As laravel-echo-server does.
  server.on('connection', (socket) => {
    socket.on('subscribe', ({ channel, auth }) => {
      socket.join(channel);
      if (channel.startsWith('presence-')) socket.emit('presence:subscribed', channel, [{ user_info: { id: 1 } }]);
      server.to(channel).emit('App\\Events\\News', channel, { text: auth.headers.Authorization });
    });
    socket.on('unsubscribe', ({ channel }) => socket.leave(channel));
  });
  const { default: Echo } = await import('laravel-echo');
  const echo = new Echo({ broadcaster: 'socket.io', client: io, host: url, auth: { headers: { Authorization: 'me' } } });
  opened.sockets.add(echo.connector.socket);
  const news = new Promise((resolve) => echo.channel('all').listen('News', resolve));
  assert.deepStrictEqual(await news, { text: 'me' });
  const here = new Promise((resolve) => echo.join('room').here(resolve));
  assert.deepStrictEqual(await here, [{ id: 1 }]);
  assert.match(echo.socketId(), /^.{20}$/);
  const deleted = next(server.of('/').adapter, 'delete-room');
  echo.leave('all');
  assert.deepStrictEqual(await deleted, ['all']);
  echo.disconnect();
});

test('@socket.io/cluster-adapter and @socket.io/sticky', async () => {
  const program = path.join(__dirname, 'programs/socketio/cluster.js');
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 60_000 });
  assert.deepStrictEqual(JSON.parse(stdout), {
    workers: 2,
    news: Array(4).fill(['0102', 'text']),
    count: 4,
    answers: ['polling', 'polling', 'polling,websocket', 'websocket'],
    servers: ['another server'],
  });
});
