'use strict';
// Clients of other protocols over WebSocket, which let the implementation be chosen, and tRPC's server: unchanged, on ours and on ws.
// docs/programs.md has a line for each of them.

const assert = require('node:assert');
const { createRequire } = require('node:module');
const path = require('node:path');
const { before, test } = require('node:test');
const { WebSocket: Browsers } = require('sockline/whatwg');
const { install } = require('./installed');
const { finish, listen, ours, theirs } = require('./support');

const FOLDER = path.join(__dirname, 'clients');
const load = createRequire(path.join(FOLDER, 'package.json'));
const SERVERS = { ws: theirs, ours };
const FACES = { "sockline's own": ours, "that of browsers": Browsers };
const PING_INTERVAL = 50; // ms

before(() => install(FOLDER));

for (const [serverName, Package] of Object.entries(SERVERS)) {
  for (const [face, WebSocket] of Object.entries(FACES)) {
    const name = `our WebSocket, ${face}; server: ${serverName}`;

    test(`@trpc/client and @trpc/server: calls, an error and a subscription; ${name}`, async () => {
      const { initTRPC, TRPCError } = load('@trpc/server');
      const { applyWSSHandler } = load('@trpc/server/adapters/ws');
      const { createTRPCClient, createWSClient, wsLink } = load('@trpc/client');
      const trpc = initTRPC.create();
      const router = trpc.router({
        greet: trpc.procedure.query(() => 'hello'),
        refuse: trpc.procedure.mutation(() => {
          throw new TRPCError({ code: 'FORBIDDEN', message: 'not you' });
        }),
        count: trpc.procedure.subscription(async function* () {
          for (let number = 1; number <= 3; number++) yield number;
        }),
      });
      const server = await listen(Package, () => {});
      applyWSSHandler({ wss: server, router, keepAlive: { enabled: true, pingMs: PING_INTERVAL, pongWaitMs: 5000 } });
      const connection = createWSClient({ url: server.url, WebSocket });
      const client = createTRPCClient({ links: [wsLink({ client: connection })] });
      assert.strictEqual(await client.greet.query(), 'hello');
      await assert.rejects(client.refuse.mutate(), ({ message, data }) => message === 'not you' && data.code === 'FORBIDDEN');
      const numbers = [];
      await new Promise((onComplete, onError) => {
        client.count.subscribe(undefined, { onData: (number) => numbers.push(number), onComplete, onError });
      });
      assert.deepStrictEqual(numbers, [1, 2, 3]);
      await connection.close();
      await finish(server);
    });

    test(`@stomp/stompjs: a subscription, binary bodies, receipts and the end; ${name}`, async () => {
      const { Client } = load('@stomp/stompjs');
      const server = await listen(Package, broker, { handleProtocols: (offered) => (offered.has('v12.stomp') ? 'v12.stomp' : false) });
      const client = new Client({
        webSocketFactory: () => new WebSocket(server.url, ['v12.stomp', 'v11.stomp']),
        reconnectDelay: 0,
        heartbeatIncoming: 0,
        heartbeatOutgoing: 0,
      });
      client.activate();
      await new Promise((resolve) => (client.onConnect = resolve));
      const heard = [];
      const both = new Promise((resolve) => {
        client.subscribe('/topic/a', (message) => heard.push([message.body, [...message.binaryBody]]) === 2 && resolve());
      });
      client.publish({ destination: '/topic/a', body: 'grüße' });
      client.publish({ destination: '/topic/a', binaryBody: new Uint8Array([1, 0, 255]), headers: { 'content-length': 3 } });
      await both;
      assert.strictEqual(heard[0][0], 'grüße');
      assert.deepStrictEqual(heard[1][1], [1, 0, 255]);
      await client.deactivate(); // it waits for the receipt
      await finish(server);
    });

    test(`phoenix: a channel joined, an answer, an event, a refusal; ${name}`, async () => {
      const { Socket } = load('phoenix');
      const server = await listen(Package, channels);
      const socket = new Socket(server.url, { transport: WebSocket, params: { token: 't' } });
      socket.connect();
      const channel = socket.channel('room:1', { name: 'ann' });
      const greeted = new Promise((resolve) => channel.on('greeting', resolve));
      assert.deepStrictEqual(await pushed(channel.join()), ['ok', { path: '/websocket', token: 't', name: 'ann' }]);
      assert.deepStrictEqual(await greeted, { text: 'hello' });
      assert.deepStrictEqual(await pushed(channel.push('shout', { text: 'hi' })), ['ok', { text: 'HI' }]);
      assert.deepStrictEqual(await pushed(socket.channel('room:none').join()), ['error', { reason: 'no such room' }]);
      await new Promise((resolve) => socket.disconnect(resolve));
      await finish(server);
    });

    test(`@rails/actioncable: a subscription, a message each way; ${name}`, async () => {
      const { adapters, createConsumer } = load('@rails/actioncable');
      Object.assign(globalThis, { document: { addEventListener() {}, removeEventListener() {}, visibilityState: 'visible' }, addEventListener() {}, removeEventListener() {} });
      adapters.WebSocket = WebSocket;
      adapters.logger = { log() {} };
      const server = await listen(Package, cable, { handleProtocols: (offered) => (offered.has('actioncable-v1-json') ? 'actioncable-v1-json' : false) });
      const consumer = createConsumer(server.url);
      const received = await new Promise((resolve) => {
        const subscription = consumer.subscriptions.create('Chat', { connected: () => subscription.perform('say', { text: 'hi' }), received: resolve });
      });
      assert.deepStrictEqual(received, { said: 'hi' });
      consumer.disconnect();
      for (const name of ['document', 'addEventListener', 'removeEventListener']) delete globalThis[name];
      await finish(server);
    });
  }
}

/** What a push of phoenix is answered. */
function pushed(push) {
  return new Promise((resolve) => {
    for (const status of ['ok', 'error', 'timeout']) push.receive(status, (response) => resolve([status, response]));
  });
}

/** A broker of STOMP 1.2 with one subscriber. */
function broker(socket) {
  let subscription;
  let number = 0;
  socket.on('message', (data) => {
    const end = data.indexOf('\n\n');
    if (end < 0) return; // a heartbeat
    const [command, ...lines] = data.subarray(0, end).toString().split('\n');
    const headers = Object.fromEntries(lines.map((line) => line.split(':')));
    const body = data.subarray(end + 2, data.lastIndexOf(0));
    const frame = (name, fields, content = '') => {
      const head = [name, ...Object.entries(fields).map(([key, value]) => `${key}:${value}`)].join('\n');
      socket.send(Buffer.concat([Buffer.from(`${head}\n\n`), Buffer.from(content), Buffer.alloc(1)]));
    };
    if (command === 'CONNECT') frame('CONNECTED', { version: '1.2', 'heart-beat': '0,0' });
    if (command === 'SUBSCRIBE') subscription = headers.id;
    const about = { subscription, 'message-id': ++number, destination: headers.destination, 'content-length': body.length };
    if (command === 'SEND') frame('MESSAGE', about, body);
    if (headers.receipt) frame('RECEIPT', { 'receipt-id': headers.receipt });
  });
}

/** Channels of Phoenix: messages are arrays of the numbers of the join and of the message, topic, event and payload. */
function channels(socket, { url }) {
  const { pathname, searchParams } = new URL(url, 'ws://localhost');
  socket.on('message', (data) => {
    const [join, ref, topic, event, payload] = JSON.parse(data);
    const say = (...what) => socket.send(JSON.stringify(what));
    const reply = (status, response) => say(join, ref, topic, 'phx_reply', { status, response });
    if (topic === 'room:none') return reply('error', { reason: 'no such room' });
    if (event === 'phx_join') {
      reply('ok', { path: pathname, token: searchParams.get('token'), name: payload.name });
      return say(join, null, topic, 'greeting', { text: 'hello' });
    }
    return reply('ok', event === 'shout' ? { text: payload.text.toUpperCase() } : {});
  });
}

/** Action Cable: a welcome, confirmed subscriptions, and one action. */
function cable(socket) {
  const say = (what) => socket.send(JSON.stringify(what));
  say({ type: 'welcome' });
  socket.on('message', (text) => {
    const { command, identifier, data } = JSON.parse(text);
    if (command === 'subscribe') say({ type: 'confirm_subscription', identifier });
    if (command === 'message') say({ identifier, message: { said: JSON.parse(data).text } });
  });
}
