'use strict';
// Connections that Node makes whenever the engine needs one: by an agent or a function of the program's, or with what only Node's tls
// module can do, for clients that connect more than once. The engine gets each over a pair of descriptors.

const { describeClient } = require('./client');
const { engine } = require('./engine');
const { withCode } = require('./errors');
const { relaySocket } = require('./foreign-socket');
const { forNode, whenConnected } = require('./preparing');
const { Request } = require('./request');
const { wayOf } = require('./way');

const CLOSE_TIMEOUT = 30_000; // ms, as of a WebSocket
const OF_REQUESTS = ['finishRequest', 'hints', 'lookup'];

class Dialer {
  #url;
  #options;
  #headers;
  #make;

  /** Why there was no connection at the latest attempt: the engine knows the words only. */
  error = null;

  /** `make(options, request)` is that of a way (way.js); `headers` are names and values in turn. */
  constructor(url, options, headers, make) {
    this.#url = url;
    this.#options = options;
    this.#headers = headers;
    this.#make = make;
  }

  /** Answers the engine, which asks by this record: the number of its question. */
  async dial(data) {
    const number = data.readDoubleLE(0);
    let socket;
    this.error = null;
    try {
      const request = new Request(this.#url.href, this.#headers, () => {});
      socket = await this.#make(forNode(this.#url, this.#options, request), request);
      await whenConnected(socket);
      socket.on('error', () => {}); // the engine sees the end
      this.#give(number, socket);
    } catch (error) {
      this.error = error;
      socket?.on('error', () => {}).destroy();
      engine.notDialed(number, String(error?.message ?? error));
    }
  }

  #give(number, socket) {
    const { descriptor, given } = relaySocket(socket, CLOSE_TIMEOUT);
    try {
      engine.dialed(number, descriptor);
    } finally {
      given();
    }
  }
}

/** What the engine is told of a connection, and the Dialer, if Node has to make it. */
function describeDialing(url, protocols, options) {
  const other = OF_REQUESTS.find((name) => options[name]);
  if (other !== undefined) {
    const text = `option ${other}: only \`WebSocket\` of sockline itself has it`;
    throw withCode(new Error(text), 'SOCKLINE_ERR_UNSUPPORTED');
  }
  const way = wayOf(url, options);
  const description = describeClient(url, protocols, way.options);
  if (!way.make) return { description };
  return { description: { ...description, dials: true }, dialer: new Dialer(url, options, description.headers, way.make) };
}

module.exports = { describeDialing };
