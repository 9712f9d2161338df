'use strict';

const { AsyncResource } = require('async_hooks');
const { createHash } = require('crypto');
const EventEmitter = require('events');

const { attach, checkPlace, hasListener } = require('./attached');
const { KIND, addTarget, engine, removeTarget } = require('./engine');
const { ENGINE_CODE, calling, withCode } = require('./errors');
const { HttpRequest, answer } = require('./http-request');
const { redisOf, tell } = require('./io/redis/cluster');
const { amount, serverLimits } = require('./options');
const { publication } = require('./payloads');
const { identities, serverContext } = require('./tls');
const { faultOf, offerFault, originOf, protocolsOf } = require('./upgrade-check');
const { UpgradeRequest } = require('./upgrade-request');
const { ForeignUpgrade, OwnUpgrade } = require('./upgrades');
const WebSocket = require('./websocket');

const RUNNING = 0;
const CLOSING = 1;
const CLOSED = 2;

const BACKLOG = 511; // as in the net module
/** ws's own. */
const DEFAULTS = {
  allowSynchronousEvents: true,
  autoPong: true,
  maxBufferedChunks: 256 * 1024,
  maxFragments: 16 * 1024,
  maxPayload: 100 * 1024 * 1024,
  maxPendingAutoPongs: 60,
  skipUTF8Validation: false,
  perMessageDeflate: false,
  handleProtocols: null,
  clientTracking: true,
  closeTimeout: 30_000,
  verifyClient: null,
  noServer: false,
  backlog: null,
  server: null,
  host: null,
  path: null,
  port: null,
  WebSocket,
};
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455 §1.3

/**
 * Listens on a port, or takes connections of another server, and emits 'connection' with a WebSocket and the request for each
 * client.
 */
class WebSocketServer extends EventEmitter {
  /**
   * @param {object} options see index.d.ts
   * @param {Function} [callback] a listener for 'listening'
   */
  constructor(options, callback) {
    super();
    this.options = { ...DEFAULTS, ...options };
    checkPlace(this.options);
    if (this.options.perMessageDeflate === true) this.options.perMessageDeflate = {};
    const limits = serverLimits(this.options);
    this._context = this.options.tls ? serverContext(this.options.tls) : undefined;
    if (this.options.request !== undefined && typeof this.options.request !== 'function') {
      throw new TypeError('The "request" option must be a function');
    }
    checkThreads(this.options);
    if (this.options.clientTracking) this.clients = new Set();
    const { adapter } = this.options;
    this._redis = adapter == null ? undefined : clusterOf(adapter);
    /** Tells how the connection to Redis is: 'connected', 'disconnected' and 'error'. */
    if (this._redis) this.adapter = new EventEmitter();
    this._resource = new AsyncResource('SocklineWebSocketServer');
    this._key = addTarget(this);
    this._handle = 0;
    this._state = RUNNING;
    this._server = this.options.server; // Node's, as in ws
    this._detach = null;
    this._closesWithClients = false;
    if (!hasListener(this.options)) {
      this._adoptOnly(limits);
      return;
    }
    if (callback) this.once('listening', callback);
    this._listen(limits);
  }

  /** Listens nowhere: what connects is given to it. That keeps no process from ending; connections do. */
  _adoptOnly(limits) {
    const description = { ...this._description(limits), nowhere: true, unref: true, port: 0, threads: 0 };
    this._handle = calling(() => engine.listen(description, undefined));
    if (this._server) this._detach = attach(this, this._server);
  }

  /** Binds at once, so that `address()` knows the port; the events come as late as those of the net module. */
  _listen(limits) {
    const { port, fd, reusePort, ipv6Only } = this.options;
    const description = {
      ...this._description(limits),
      port: fd == null ? checkPort(port) : 0,
      fd: fd == null ? undefined : checkDescriptor(this.options),
      reusePort: Boolean(reusePort),
      ipv6Only: Boolean(ipv6Only),
    };
    let event = ['listening'];
    try {
      this._handle = calling(() => engine.listen(description, this._context));
    } catch (error) {
      if (error[ENGINE_CODE] !== 'SOCKLINE_ERR_LISTEN_FAILED') {
        removeTarget(this._key);
        throw error;
      }
      Object.assign(error, { address: this.options.host ?? '::', port: description.port });
      event = ['error', error];
    }
    process.nextTick(() => {
      if (event[0] === 'error' || this._state === RUNNING) this.emit(...event);
    });
  }

  _description(limits) {
    const { host, backlog, static: folder } = this.options;
    return {
      key: this._key,
      host: host ?? '',
      backlog: backlog ?? BACKLOG,
      threads: amount(this.options, 'threads', 0),
      busyPoll: this.options.busyPoll || undefined,
      metricsPath: this.options.metricsPath == null ? undefined : String(this.options.metricsPath),
      folder: folder == null ? undefined : String(folder),
      endpoint: this._endpoint,
      maxConnections: amount(this.options, 'maxConnections', 0),
      maxConnectionsPerAddress: amount(this.options, 'maxConnectionsPerAddress', 0),
      maxRequests: amount(this.options, 'maxRequests', 0),
      origins: [this.options.origins ?? []].flat().map(String),
      asksRequests: this.options.request !== undefined,
      io: [this.options.io ?? []].flat().map((server) => server._attached(this)),
      redis: this._redis,
      limits,
    };
  }

  /** Where the server listens: `{ address, family, port }`; null if it doesn't. */
  address() {
    if (this.options.noServer) throw new Error('The server is operating in "noServer" mode');
    if (this.options.server) return this._server === null ? null : this._server.address();
    const [address, port] = this._handle === 0 ? [] : engine.localAddress(this._handle);
    if (address === undefined) return null;
    return { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port: Number(port) };
  }

  /** Takes other certificates and keys from the next handshake on, as a tls.Server does. */
  setSecureContext(tls) {
    if (!this._context) throw withCode(new Error('The server has no option tls'), 'SOCKLINE_ERR_UNSUPPORTED');
    const certificates = identities([tls].flat());
    calling(() => this._context.reload(certificates));
  }

  /** What it has done so far. */
  metrics() {
    return calling(() => engine.serverMetrics(this._handle));
  }

  /** The same in Prometheus's text format, as at the option `metricsPath`. */
  metricsText() {
    return calling(() => engine.serverMetricsText(this._handle));
  }

  /** Sends a message to all subscribers of a topic, at all servers of its cluster; it is encoded once. */
  publish(topic, data, options) {
    const { binary, view } = publication(data, options);
    calling(() => engine.publish(this._handle, String(topic), binary, view));
  }

  /** Sends a message to all connections; it is encoded once. */
  broadcast(data, options) {
    const { binary, view } = publication(data, options);
    calling(() => engine.broadcast(this._handle, binary, view));
  }

  /**
   * Stops listening, and closes the connections with 1001, spread over half of so many milliseconds; what is not over
   * when they have passed is cut. `callback` as for `close`.
   */
  drain(within, callback) {
    if (this._state === RUNNING && this._handle !== 0) engine.drain(this._handle, amount({ within }, 'within', 0));
    this.close(callback);
  }

  /** Stops listening. Connections live on; 'close' comes when the last of them has ended. */
  close(callback) {
    if (this._state === CLOSED) {
      if (callback) this.once('close', () => callback(new Error('The server is not running')));
      process.nextTick(() => this.emit('close'));
      return;
    }
    if (callback) this.once('close', callback);
    if (this._state === CLOSING) return;
    this._state = CLOSING;
    if (!hasListener(this.options)) this._leave();
    else if (this._handle === 0) process.nextTick(() => this._closed());
    if (this._handle !== 0) engine.closeServer(this._handle);
  }

  /** Takes no connections of others any more; 'close' comes when the last of those that are known has ended. */
  _leave() {
    this._detach?.();
    this._server = null;
    if (this.clients?.size > 0) this._closesWithClients = true;
    else process.nextTick(() => this._isClosed());
  }

  /** The engine has done with it. */
  _closed() {
    this._handle = 0;
    if (this._redis) engine.leaveCluster(this._key);
    removeTarget(this._key);
    if (hasListener(this.options)) this._isClosed();
  }

  _isClosed() {
    this._state = CLOSED;
    this.emit('close');
  }

  /** Whether a request is for this server; a subclass may know better. */
  shouldHandle(request) {
    const { path } = this.options;
    return !path || request.url.split('?', 1)[0] === path;
  }

  /**
   * Takes over a connection of a server of Node's http or https module, which has got a request for an upgrade.
   * `callback(webSocket, request)` is called when it is accepted. Throws if the socket is taken already.
   */
  handleUpgrade(request, socket, head, callback) {
    const upgrade = new ForeignUpgrade(request, socket, head);
    const fault = faultOf(request);
    if (fault) this._faulty(upgrade, fault);
    else this._upgrade(upgrade, callback);
  }

  /** Listeners of 'wsClientError' answer the client themselves. */
  _faulty(upgrade, { status, message, headers }) {
    if (this.listenerCount('wsClientError') === 0 || !upgrade.socket) {
      upgrade.refuse(status, message, headers);
      return;
    }
    this.emit('wsClientError', new Error(message), upgrade.socket, upgrade.request);
  }

  /** An event from the engine. */
  _handleEvent(kind, extra, data) {
    if (kind === KIND.UPGRADE) {
      const { handle, request } = UpgradeRequest.fromRecord(data.latin1Slice());
      this._upgrade(new OwnUpgrade(handle, request), (socket) => this.emit('connection', socket, request));
    } else if (kind === KIND.REQUEST) {
      answer(this.options.request, HttpRequest.fromRecord(data));
    } else if (kind === KIND.IO_REDIS) {
      tell([this.adapter], extra, data.utf8Slice());
    } else if (kind === KIND.SERVER_CLOSED) {
      setImmediate(() => this._closed()); // after the ends of its connections, which come as late
    }
  }

  _upgrade(upgrade, callback) {
    const { request } = upgrade;
    if (!this.shouldHandle(request)) {
      upgrade.refuse(400);
      return;
    }
    const fault = offerFault(request, this.options.perMessageDeflate);
    if (fault) {
      this._faulty(upgrade, fault);
      return;
    }
    const { verifyClient } = this.options;
    if (!verifyClient) {
      this._complete(upgrade, callback);
      return;
    }
    const secure = Boolean(request.socket.authorized || request.socket.encrypted);
    const settle = (verified, status, message, headers) => {
      if (verified) this._complete(upgrade, callback);
      else upgrade.refuse(status || 401, message || undefined, headers);
    };
    const info = { origin: originOf(request), secure, req: request };
    if (verifyClient.length === 2) verifyClient(info, settle);
    else settle(verifyClient(info));
  }

  _complete(upgrade, callback) {
    if (!upgrade.isWaiting()) return;
    if (this._state !== RUNNING) {
      upgrade.refuse(503);
      return;
    }
    const { request } = upgrade;
    const socket = new this.options.WebSocket(null, undefined, this.options);
    const protocol = this._chooseProtocol(protocolsOf(request), request);
    const headers = this._extraHeaders(protocol, request);
    if (!upgrade.accept(this, socket, protocol || '', headers)) return;
    // A thread has still to take the answer: nothing can be sent before it has.
    if (this.options.threads > 0) socket._whenOpen = () => this._connected(socket, request, callback);
    else this._connected(socket, request, callback);
  }

  _connected(socket, request, callback) {
    socket._isAccepted();
    if (this.clients) {
      this.clients.add(socket);
      socket.on('close', () => this._gone(socket));
    }
    callback(socket, request);
  }

  _gone(socket) {
    this.clients.delete(socket);
    if (this._closesWithClients && this.clients.size === 0) process.nextTick(() => this._isClosed());
  }

  /** RFC 6455 §4.2.2: one of those offered, or none. It is the client's doing if the program's choice is not among them. */
  _chooseProtocol(protocols, request) {
    if (protocols.size === 0) return '';
    const { handleProtocols } = this.options;
    const chosen = handleProtocols ? handleProtocols(protocols, request) : protocols.values().next().value;
    return protocols.has(chosen) ? chosen : '';
  }

  /** Lets listeners of 'headers' add lines to the response; names and values in turn. */
  _extraHeaders(protocol, request) {
    if (this.listenerCount('headers') === 0) return [];
    const digest = createHash('sha1').update(request.headers['sec-websocket-key'] + GUID);
    const lines = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${digest.digest('base64')}`,
    ];
    if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
    const own = new Set(lines);
    this.emit('headers', lines, request);
    return lines.filter((line) => !own.has(line)).flatMap(splitHeader);
  }
}

/** What makes a server one of a cluster, as the addon's options. */
function clusterOf(adapter) {
  const redis = redisOf(adapter);
  if (redis) return redis;
  throw new TypeError('The "adapter" option must be the URL of a Redis, or what createAdapter of sockline/redis-adapter returns');
}

function checkPort(port) {
  const number = Number(port);
  if (!Number.isInteger(number) || number < 0 || number > 65_535) {
    const error = new RangeError(`option port must be 0 to 65535, not ${port}`);
    error.code = 'ERR_SOCKET_BAD_PORT';
    throw error;
  }
  return number;
}

function checkDescriptor({ fd, host, port }) {
  if (!Number.isInteger(fd) || fd < 0) throw new TypeError(`option fd must be a descriptor, not ${fd}`);
  if (host != null || port != null) throw new TypeError('option fd: a socket that is given has its host and port already');
  return fd;
}

/** What the engine's threads can't do, and what only they can. */
function checkThreads({ threads, busyPoll, io }) {
  const refuse = (text) => {
    throw withCode(new Error(text), 'SOCKLINE_ERR_UNSUPPORTED');
  };
  if (threads > 0 && [io ?? []].flat().length > 0) {
    refuse('option threads: a server with io has none, because events of Socket.IO are heard on the thread of their connection');
  }
  if (busyPoll == null) return;
  if (typeof busyPoll !== 'number' || !(busyPoll >= 0 && busyPoll <= 1000)) {
    throw withCode(new RangeError(`option busyPoll must be 0 to 1000 milliseconds, not ${busyPoll}`), 'ERR_OUT_OF_RANGE');
  }
  if (busyPoll > 0 && !(threads > 0)) refuse("option busyPoll: only with threads, because Node's own loop waits by itself");
}

function splitHeader(line) {
  const at = line.indexOf(':');
  return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}

module.exports = WebSocketServer;
