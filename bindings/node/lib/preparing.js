'use strict';
// What has to be done before the engine can connect: the steps of a way (way.js), with a limit of time, until it is given up.

const net = require('net');

const { withCode } = require('./errors');

class Preparing {
  #way;
  #request;
  #socket = null;
  #timer;

  isOver = false;

  constructor(way, request) {
    this.#way = way;
    this.#request = request;
  }

  /**
   * Calls `done(null, { socket, addresses, left })`, or `done(error)`, unless it was ended: the socket to use, or the addresses to connect
   * to, and how many milliseconds of the limit are left. A limit of 0 is none.
   */
  begin({ url, given, limit, webSocket }, done) {
    const begin = performance.now();
    const settle = (error, found) => {
      process.nextTick(() => {
        if (this.isOver) return;
        this.#stop();
        done(error, found && { ...found, left: limit > 0 ? Math.max(1, limit - (performance.now() - begin)) : 0 });
      });
    };
    if (limit > 0) this.#timer = setTimeout(() => settle(timedOut(limit)), limit);
    this.#run(url, given, webSocket).then((found) => settle(null, found), settle);
  }

  /** Gives it up; what was made is closed. */
  end() {
    this.#stop();
    this.#socket?.on('error', () => {}).destroy();
  }

  #stop() {
    this.isOver = true;
    clearTimeout(this.#timer);
  }

  async #run(url, given, webSocket) {
    const { finishRequest, lookup, make } = this.#way;
    const request = this.#request;
    if (finishRequest) {
      const ended = request._whenEnded();
      finishRequest(request, webSocket);
      await ended;
    }
    if (make && !this.isOver) return { socket: await this.#connected(await make(forNode(url, given, request), request)) };
    const host = bareHost(url);
    if (lookup && !this.isOver && net.isIP(host) === 0) return { addresses: await resolved(lookup, host) };
    return {};
  }

  async #connected(socket) {
    this.#socket = socket;
    if (this.isOver) this.end();
    else await whenConnected(socket);
    return socket;
  }
}

/** What the http module hands on to an agent or a function. */
function forNode(url, given, request) {
  const isSecure = url.protocol === 'wss:';
  const { agent, createConnection, signal, ...options } = given;
  return {
    ...options,
    method: 'GET',
    protocol: isSecure ? 'https:' : 'http:',
    host: bareHost(url) || 'localhost',
    port: url.port || (isSecure ? 443 : 80),
    path: url.protocol === 'ws+unix:' ? url.pathname.split(':')[0] : undefined,
    headers: request.getHeaders(),
  };
}

function bareHost({ hostname }) {
  return hostname.replace(/^\[|\]$/g, '');
}

function resolved(lookup, host) {
  return new Promise((resolve, reject) => {
    lookup(host, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}

/** Until a socket that still connects has done so, with TLS if it has that; other streams are there. */
function whenConnected(socket) {
  if (!socket.connecting && !socket.secureConnecting) return undefined;
  return new Promise((resolve, reject) => {
    const lost = () => reject(withCode(new Error('the connection was closed while it was made'), 'ECONNRESET'));
    const settled = { [socket.secureConnecting ? 'secureConnect' : 'connect']: resolve, error: reject, close: lost };
    for (const [event, settle] of Object.entries(settled)) socket.once(event, settle);
  });
}

function timedOut(limit) {
  return withCode(new Error(`the connection was not there within ${limit} ms`), 'SOCKLINE_ERR_HANDSHAKE_TIMEOUT');
}

module.exports = { Preparing, forNode, whenConnected };
