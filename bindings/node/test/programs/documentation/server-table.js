'use strict';
// The examples of socket.io's types, and its README's fragments: what each is given, and what it has to show (in the record of a
// run with the official package, as text) so that two runs in which nothing happens are no success.

const NAMED = { namespace: '/my-namespace' };
const HANDLERS = { says: [['foobar'], ['hello', 'ask'], ['my-event', 1]] };
const CLUSTER = { nodes: 2 };

/** Of all three classes that emit: what they show is the same. */
const EMITTING = {
  to: ["[ 'foo', 'bar' ]"],
  in: ['disconnect: io server disconnect'],
  except: ["[ 'foo', 'bar' ]"],
  compress: ["[ 'hello' ]"],
  volatile: ["[ 'hello' ]"],
  local: ["[ 'foo', 'bar' ]"],
  timeout: ["'eve answers'"],
  fetchSockets: ["Set(3) { '<ann>'", 'auth', "[ 'hello' ]", 'disconnect: io server disconnect'],
  socketsJoin: ["'room3'"],
  socketsLeave: ["[ '<ann>', 'room-101' ]"],
  disconnectSockets: ['disconnect: io server disconnect'],
};

const SERVER = Object.fromEntries([
  ...Object.entries(EMITTING).flatMap(([member, shows]) => [
    [`BroadcastOperator.${member}`, { shows }],
    [`Server.${member}`, { shows }],
    [`Namespace.${member}`, { shows, ...NAMED }],
  ]),
  ['BroadcastOperator.emit', { shows: ["'eve answers'", "[ 'foo', 'bar' ]"] }],
  ['BroadcastOperator.emitWithAck', { shows: ["'eve answers'"] }],
  ['RemoteSocket.timeout', { prologue: 'const someCondition = true, someConditionRoom = "room1";', shows: ["[ 'some-event', 'answered' ]"] }],
  ['Server.ListenEvents', { makesServer: true, shows: ['still connected'], ...HANDLERS }],
  ['Server.EmitEvents', { makesServer: true, shows: ["[ 'hello', 'world' ]"] }],
  ['Server.ServerSideEvents', { ...CLUSTER, prints: 2, makesServer: true, edits: [['io.on("ping", (arg) => {', 'io.on("ping", (arg) => { console.log(arg);']], shows: ['123'] }],
  ['Server.SocketData', { edits: [['socket.data.eventsCount++;', 'socket.emit("count", ++socket.data.eventsCount);']], shows: ["[ 'count', "], ...HANDLERS }],
  ['Server.engine', { epilogue: 'console.log(clientsCount);', shows: ['3'] }],
  ['Server.of', { namespace: '/dynamic-101', shows: ["[ 'hello' ]"] }],
  ['Server.use', { edits: [['// ...', 'socket.data.used = true; console.log("used");']], shows: ['used'] }],
  ['Server.send', { shows: ["[ 'message', 'hello' ]"] }],
  ['Server.serverSideEmit', { ...CLUSTER, prints: 4, shows: ['world', "[ 'pong' ]"] }],
  ['Server.serverSideEmitWithAck', { ...CLUSTER, prologue: 'io.on("ping", (cb) => cb("pong"));', shows: ["[ 'pong' ]"] }],
  ['Namespace.use', { ...NAMED, edits: [['// ...', 'console.log("used");']], shows: ['used'] }],
  ['Namespace.emit', { ...NAMED, shows: ["'2', { '3': [ '4' ], '5': <Buffer 06> }", "'eve answers'"] }],
  ['Namespace.send', { ...NAMED, shows: ["[ 'message', 'hello' ]"] }],
  ['Namespace.serverSideEmit', { ...NAMED, ...CLUSTER, prints: 4, shows: ['world', "[ 'pong' ]"] }],
  ['Namespace.serverSideEmitWithAck', { ...NAMED, ...CLUSTER, prologue: 'io.of("/my-namespace").on("ping", (cb) => cb("pong"));', shows: ["[ 'pong' ]"] }],
  // Its parenthesis is never closed.
  ['ParentNamespace', { namespace: '/dynamic-101', edits: [['nsp;\n}', 'nsp; childNamespace.emit("child", childNamespace.name);\n});']], shows: ["[ 'child', '/dynamic-101' ]"] }],
  ['Socket', { ...HANDLERS, shows: ["[ 'foo', 'bar' ]", "[ 'hello' ]", 'socket <ann> disconnected due to client namespace disconnect'] }],
  ['Socket.connected', { shows: ['false', 'true'] }],
  ['Socket.emit', { shows: ["[ 'hello', 'world', 'answered' ]", "'2', { '3': [ '4' ], '5': <Buffer 06> }"] }],
  ['Socket.emitWithAck', { edits: [['const response = await socket.timeout', 'console.log(response); const other = await socket.timeout']], shows: ['ann answers', "[ 'hello', 'world', 'answered' ]"] }],
  ['Socket.to', { shows: ["[ 'foo', 'bar' ]"] }],
  ['Socket.in', { shows: ['disconnect: io server disconnect'] }],
  ['Socket.except', { shows: ["[ 'foo', 'bar' ]"] }],
  ['Socket.send', { shows: ["[ 'message', 'hello' ]"] }],
  ['Socket.join', { shows: ["'room2'"] }],
  // Nothing can be chained to it.
  ['Socket.leave', { edits: [['("room1").leave', '("room1"); socket.leave']], shows: ["[ '<ann>', 'room-101' ]"] }],
  ['Socket.disconnect', { shows: ['disconnect: io server disconnect'] }],
  ['Socket.compress', { shows: ["[ 'hello' ]"] }],
  ['Socket.volatile', { may: "[ 'hello' ]", shows: ['still connected'] }],
  ['Socket.broadcast', { shows: ["[ 'foo', 'bar' ]"] }],
  ['Socket.local', { shows: ["[ 'foo', 'bar' ]"] }],
  ['Socket.timeout', { shows: ["[ 'my-event', 'answered' ]"] }],
  ['Socket.use', { ...HANDLERS, prologue: 'const isUnauthorized = (event) => event === "my-event";', shows: ['disconnect: io server disconnect'] }],
  ['Socket.conn', { upgrade: true, shows: ['polling', 'websocket'] }],
  ['Socket.rooms', { shows: ["'room1' }"] }],
  ['Socket.onAny', { ...HANDLERS, shows: ['got event foobar', 'got event my-event'] }],
  ['Socket.offAny', { ...HANDLERS, shows: ['still connected'] }],
  ['Socket.onAnyOutgoing', { epilogue: 'io.on("connection", (socket) => socket.emit("news"));', shows: ['sent event news'] }],
  ['Socket.prependAnyOutgoing', { epilogue: 'io.on("connection", (socket) => socket.emit("news"));', shows: ['sent event news'] }],
  ['Socket.offAnyOutgoing', { epilogue: 'io.on("connection", (socket) => socket.emit("news"));', shows: ["[ 'news' ]"] }],
  ['DecorateAcknowledgements', { edits: [[/^/, 'io.on("connection", (socket) => {\n'], [/$/, '});\n'], ['(err, val) => {', '(err, val) => { console.log(err, val);']], says: [['my-event', 'ask']], shows: ['null ann answers', "[ 'answer', '123' ]"]}],
  ['Simple and convenient API', { says: [['reply']], shows: ["[ 'request' ]", "[ 'broadcast' ]"] }],
]);

const ANSWERS = { says: [['foobar', 1], ['got', 'ask']] };

const CLIENT = {
  DecorateAcknowledgements: { edits: [['(err, val) => {', '(err, val) => { console.log(err, val);']], says: [['my-event', 'ask']], shows: ['null the server answers', "[ 'answer', '123' ]"] },
  Socket: { ...ANSWERS, leaves: 'server', shows: ['connected', "[ 'foo', 'bar' ]", 'disconnected due to io server disconnect'] },
  'Socket.id': { shows: ['undefined', '<the 1th>'] },
  'Socket.connected': { leaves: 'server', shows: ['true', 'false'] },
  'Socket.auth': { variables: { localStorage: { token: 'efgh' } }, shows: ["token: 'abcd'", "token: 'efgh'"] },
  'Socket.disconnected': { leaves: 'server', shows: ['false', 'true'] },
  'Socket.active': { leaves: 'server', shows: ['true', 'false'] },
  'Socket.connect': { shows: ['disconnect: client namespace disconnect'] },
  'Socket.send': { shows: ["[ 'message', 'hello' ]"] },
  'Socket.emit': { edits: [['// ...', 'console.log(val);']], shows: ["'2', { '3': [ '4' ], '5': <Buffer 06> }", 'the server answers'] },
  'Socket.emitWithAck': { epilogue: 'console.log(response);', shows: ['the server answers'] },
  'Socket.disconnect': { edits: [['// console.log(reason);', 'console.log(reason); //'], ['socket.disconnect();', 'await new Promise((resolve) => socket.on("connect", resolve));\nsocket.disconnect();']], shows: ['io client disconnect'] },
  'Socket.compress': { shows: ["[ 'hello' ]"] },
  'Socket.volatile': { shows: ["[ 'hello' ]"] },
  'Socket.timeout': { shows: ["[ 'my-event', 'answered' ]"] },
  'Socket.onAny': { ...ANSWERS, shows: ['got foobar'] },
  'Socket.prependAny': { ...ANSWERS, shows: ['got event foobar'] },
  'Socket.offAny': { ...ANSWERS, epilogue: 'socket.emit("after");', shows: ['after'] },
  'Socket.onAnyOutgoing': { epilogue: 'socket.emit("news");', shows: ['sent event news'] },
  'Socket.prependAnyOutgoing': { epilogue: 'socket.emit("news");', shows: ['sent event news'] },
  'Socket.offAnyOutgoing': { epilogue: 'socket.emit("news");', shows: ["[ 'news' ]"] },
};

module.exports = { CLIENT, SERVER };
