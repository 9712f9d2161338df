'use strict';
// Runs what is no whole program: on a server, or with a client, of either package, against official peers. What a run gives
// back is all that was seen: what each peer heard, what was printed, what an error said. Identifiers become names in it.

const { inspect } = require('node:util');

const ts = require('typescript');

const { hears, until } = require('../../io-redis-support');
const { client, next, opened, serve, theirs } = require('../../io-support');

const AsyncFunction = (async () => {}).constructor;
const ROOMS = { eve: [], ann: ['room-101', 'room1'], bob: ['room-101', 'room-102', 'room1', 'room2'] };
const TURNS = 4; // an exchange of an example takes two at most

/** Without types, and with one variable for a name that an example declares for each of its ways. */
function runnable(code) {
  const seen = new Set();
  const once = code.replace(/^const (\w+)/gm, (all, name) => {
    if (seen.has(name)) return name;
    seen.add(name);
    return `let ${name}`;
  });
  const { outputText } = ts.transpileModule(once, { compilerOptions: { target: 'ES2022', module: 'ESNext' } });
  return outputText;
}

/** What was seen, with names for identifiers. */
class Record {
  #names = new Map();

  seen = {};

  name(id, name) {
    this.#names.set(id, name);
  }

  note(who, what) {
    (this.seen[who] ??= []).push(this.plain(what));
  }

  plain(what) {
    let text = typeof what === 'string' ? what : inspect(what, { depth: 5, breakLength: Infinity });
    for (const [id, name] of this.#names) text = text.replaceAll(id, `<${name}>`);
    return text;
  }

  get console() {
    return { log: (...values) => this.note('printed', values.map((value) => this.plain(reduced(value))).join(' ')) };
  }
}

/** Of a handshake: its parts; of answers, which come as they come: all in order; of the rest: all. */
function reduced(value) {
  if (Array.isArray(value)) return [...value].sort();
  return value?.handshake || value?.issued ? `parts: ${Object.keys(value).sort()}` : value;
}

/** Runs the code with these variables, until it has ended or thrown. */
async function perform(record, code, variables) {
  try {
    await new AsyncFunction('console', ...Object.keys(variables), runnable(code))(record.console, ...Object.values(variables));
  } catch (error) {
    record.note('thrown', error.message);
  }
}

/** A client's part: it notes what it hears, answers what wants an answer, and says so when it has heard all. */
function listener(record, socket, name) {
  socket.onAny((event, ...args) => {
    const answer = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    if (event === 'turn') return answer();
    record.note(name, [event, ...args, ...(answer ? ['answered'] : [])]);
    answer?.(`${name} answers`);
  });
  socket.on('disconnect', (reason) => record.note(name, `disconnect: ${reason}`));
}

/** Both sides have done what the other one has sent so far, and what this has led to. */
async function turns(sockets) {
  for (let i = 0; i < TURNS; i++) {
    for (const socket of sockets) {
      if (!socket.connected) continue;
      const gone = new Promise((resolve) => socket.once('disconnect', resolve));
      await Promise.race([socket.emitWithAck('turn'), gone]);
    }
    await new Promise(setImmediate);
  }
}

function say(socket, event, args, answered) {
  if (args[0] === 'ask') socket.emit(event, answered);
  else socket.emit(event, ...args);
}

/** An example of the server: `io`, with three clients in rooms, before it or (when it waits for connections) after it. */
async function onServer({ Server, adapter }, code, { namespace = '/', says = [], prologue = '', nodes = 1, upgrade = false, prints = 0, makesServer = false }) {
  const record = new Record();
  const servers = [];
  for (let i = 0; i < nodes; i++) servers.push(await serve(Server, nodes > 1 ? { adapter: await adapter() } : {}));
  for (const server of servers.slice(1)) await Promise.all([hears(servers[0], server, namespace), hears(server, servers[0], namespace)]);
  const [io] = servers;
  const waits = /\.on\(['"]connection['"]|\bio\.use|myNamespace\.use/.test(code);
  const sockets = [];
  const ended = [];
  const prepare = (socket) => {
    const { name } = socket.handshake.auth;
    record.name(socket.id, name);
    socket.join(ROOMS[name]);
    socket.on('turn', (answer) => answer());
    ended.push(next(socket, 'disconnect'));
  };
  const connect = async () => {
    for (const name of Object.keys(ROOMS)) {
      const socket = client(theirs.connect, io.url + namespace, { auth: { name }, transports: upgrade ? ['polling', 'websocket'] : ['websocket'] });
      listener(record, socket, name);
      socket.on('connect_error', (error) => record.note(name, `refused: ${error.message}`));
      sockets.push(socket);
      await Promise.all([next(socket, 'connect'), upgrade && next(socket.io.engine, 'upgrade')]);
      await turns(sockets);
    }
  };
  const asked = namespace.startsWith('/dynamic') ? io : io.of(namespace);
  asked.on('connection', prepare);
  if (namespace.startsWith('/dynamic')) io.on('new_namespace', (made) => made.on('connection', prepare));
  if (!waits) await connect();
  const running = servers.map((io) => perform(record, prologue + code, makesServer ? { Server: function Server() { return io; } } : { io }));
  if (waits) await connect();
  await Promise.all(running);
  await turns(sockets);
  if (prints) await until(() => record.seen.printed?.length === prints);
  for (const [event, ...args] of says) {
    for (const socket of sockets) {
      say(socket, event, args, (...answer) => record.note(socket.auth.name, ['answer', ...answer]));
      await turns(sockets);
    }
  }
  for (const socket of sockets) {
    record.note(socket.auth.name, socket.connected ? 'still connected' : 'not connected');
    for (const server of servers) record.note('rooms', [...(server.of(namespace).sockets.get(socket.id)?.rooms ?? [])].map((room) => record.plain(room)).sort());
    socket.disconnect();
  }
  await Promise.all(ended);
  await Promise.all(servers.map((server) => server.close()));
  for (const server of servers) opened.servers.delete(server);
  return record.seen;
}

/** An example of the client: `socket`, or `io()` for one of its own, at an official server that says something of its own. */
async function onClient({ connect }, code, { says = [], prologue = '', variables = {}, leaves }) {
  const record = new Record();
  const server = await serve(theirs.Server);
  const made = [];
  const io = (options) => {
    const socket = client(connect, server.url, { transports: ['websocket'], ...options });
    made.push(socket);
    return socket;
  };
  const peers = [];
  const arrived = new Promise((resolve) => {
    server.on('connection', (peer) => {
      peers.push(peer);
      record.name(peer.id, `the ${peers.length}th`);
      record.note('auth', peer.handshake.auth);
      peer.on('disconnect', (reason) => record.note('server', `disconnect: ${reason}`));
      peer.onAny((event, ...args) => {
        const answer = typeof args.at(-1) === 'function' ? args.pop() : undefined;
        if (event === 'turn') return answer();
        record.note('server', [event, ...args, ...(answer ? ['answered'] : [])]);
        answer?.('the server answers');
      });
      resolve();
    });
  });
  const own = /\bio\(/.test(code) ? undefined : io();
  if (own) await next(own, 'connect');
  const running = perform(record, prologue + code, { io, ...(own && { socket: own }), ...variables });
  if (!/\.disconnect\(\)/.test(code)) await Promise.race([arrived, running.then(() => record.seen.thrown ?? arrived)]);
  await running;
  for (const socket of made) if (socket.active && !socket.connected) await next(socket, 'connect');
  await turns(made);
  for (const [event, ...args] of says) {
    for (const peer of peers) say(peer, event, args, (...answer) => record.note('server', ['answer', ...answer]));
    await turns(made);
  }
  for (const peer of peers) if (leaves === 'server') peer.disconnect();
  await Promise.all(made.map((socket) => leaves !== 'server' || !socket.connected || next(socket, 'disconnect')));
  for (const socket of made) socket.disconnect();
  await Promise.all(peers.map((peer) => !peer.connected || next(peer, 'disconnect')));
  await server.close();
  opened.servers.delete(server);
  return record.seen;
}

module.exports = { onClient, onServer };
