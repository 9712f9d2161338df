'use strict';
// How a client comes to a connection where the program, or Node, has a part in that: options of ws that are about Node's http, net, tls
// and dns modules. Otherwise the engine does all of it.
//
// An agent that says nothing which the engine can't do is read, and the engine connects. Other agents, `createConnection`, and options
// of TLS that only Node's tls module knows, have Node make the connection; the engine gets it as it gets those of a server of Node's.

const dns = require('dns');
const net = require('net');
const tls = require('tls');

const { agentOptions } = require('./agent');
const { withCode } = require('./errors');
const { beyondTheEngine } = require('./refused-options');

/** What is about the connection, and so for Node, if Node makes it. */
const OF_CONNECTION = ['localAddress', 'localPort', 'family'];
const OF_TLS = ['ca', 'cert', 'key', 'passphrase', 'rejectUnauthorized', 'ALPNProtocols', 'minVersion', 'servername'];
/** What needs the engine to make it. */
const ONLY_ENGINE = ['proxy', 'reconnect', 'pins'];

/**
 * The way for these options: `options` are what is left for the engine; of `finishRequest`, `lookup(hostname, done)` and
 * `make(options, request)`, which returns a socket or a promise of one, there is what has to come first.
 */
function wayOf(url, given) {
  const { agent, createConnection, finishRequest, hints, lookup, ...plain } = given;
  for (const [name, value] of Object.entries({ createConnection, finishRequest, lookup })) {
    if (value != null && typeof value !== 'function') throw wrongType(`option ${name} must be a function, not ${value}`);
  }
  if (finishRequest && given.reconnect) throw refused('finishRequest', "not with reconnect, whose event 'attempt' may change each request");
  const { make, by, options = plain } = makerOf(url, given, plain);
  if (make) return { finishRequest, make, options: forEngine(options, by) };
  if (!lookup && !hints) return { finishRequest, options: url.protocol === 'wss:' ? options : without(options, beyondTheEngine(options)) };
  for (const name of ['proxy', 'reconnect']) if (options[name]) throw refused(lookup ? 'lookup' : 'hints', `not with ${name}`);
  return { finishRequest, lookup: resolver(lookup ?? dns.lookup, hints, options.family), options };
}

/** Who makes the connection, if it isn't the engine. */
function makerOf(url, { agent, createConnection }, plain) {
  const isSecure = url.protocol === 'wss:';
  if (agent) {
    const options = readable(agent, plain);
    if (options && !(isSecure && beyondTheEngine(options).length > 0)) return { options };
    if (typeof agent.addRequest === 'function') return { by: 'agent', make: (its, request) => byAgent(agent, its, request) };
    throw wrongType('The "options.agent" property must be one of Agent-like Object, undefined, or false.');
  }
  if (createConnection) return { by: 'createConnection', make: (its) => byFunction(createConnection, its) };
  if (!isSecure || ONLY_ENGINE.some((name) => plain[name])) return {}; // the engine says what it can't do
  const [by] = beyondTheEngine(plain);
  return by === undefined ? {} : { by, make: secured };
}

/** These options and those of the agent, which count first, as in Node; undefined if the agent can't be read. */
function readable(agent, options) {
  try {
    return { ...options, ...agentOptions(agent) };
  } catch (error) {
    if (error.code === 'SOCKLINE_ERR_UNSUPPORTED') return undefined;
    throw error;
  }
}

function forEngine(options, by) {
  for (const name of ONLY_ENGINE) {
    if (options[name]) throw refused(name, `not with ${by}, which has Node make the connection`);
  }
  return without(options, [...OF_CONNECTION, ...OF_TLS, ...beyondTheEngine(options)]);
}

function without(options, names) {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
}

/** An agent calls `onSocket` of the request, as its http.ClientRequest, or emits an error there. */
function byAgent(agent, options, request) {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.once('socket', (socket) => {
      socket.emit('agentRemove'); // it doesn't come back
      resolve(socket);
    });
    agent.addRequest(request, options);
  });
}

/** The function of the program's returns the socket, or calls back with it. */
function byFunction(createConnection, options) {
  return new Promise((resolve, reject) => {
    const done = (error, socket) => (error ? reject(error) : resolve(socket));
    const socket = createConnection(options, done);
    if (socket) resolve(socket);
  });
}

function secured({ path, ...options }) {
  const servername = options.servername || options.servername === '' ? options.servername : net.isIP(options.host) ? '' : options.host;
  return tls.connect({ ...options, servername });
}

/** `done` gets addresses, as net's own call of the function has it. */
function resolver(lookup, hints, family = 0) {
  return (hostname, done) => {
    lookup(hostname, { family, hints, all: true }, (error, found) => {
      if (error) return done(error);
      const addresses = Array.isArray(found) ? found.map((one) => one?.address) : [found];
      const wrong = addresses.find((address) => !net.isIP(address));
      if (addresses.length > 0 && wrong === undefined) return done(null, addresses);
      return done(withCode(new TypeError(`Invalid IP address: ${wrong}`), 'ERR_INVALID_IP_ADDRESS'));
    });
  };
}

function refused(name, reason) {
  return withCode(new Error(`option ${name}: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
}

function wrongType(text) {
  return withCode(new TypeError(text), 'ERR_INVALID_ARG_TYPE');
}

module.exports = { wayOf };
