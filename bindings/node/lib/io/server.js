'use strict';
// A Socket.IO server, in the shape of socket.io's: namespaces, and what it is attached to.

const { AsyncResource } = require('async_hooks');
const EventEmitter = require('events');

const { KIND, WANTS, addTarget, engine, removeTarget } = require('../engine');
const { calling, withCode } = require('../errors');
const { Acks } = require('./acks');
const { Adapter } = require('./adapter');
const { adminOptions } = require('./admin');
const { attach, isHttpServer } = require('./attaching');
const { OPTIONS: BOUND, bridge } = require('./bound-engines');
const { Client } = require('./connection');
const { parseDetails } = require('./details');
const { EngineServer } = require('./engine-server');
const { checkOptions, encoder, unsupported } = require('./foreign-adapters');
const { Kept } = require('./kept');
const { Listener } = require('./listener');
const { Namespace } = require('./namespace');
const { ParentNamespace } = require('./parent-namespace');
const { REASONS } = require('./reasons');
const { redisOf, tell } = require('./redis/cluster');
const { serverOptions } = require('./server-options');
const { SharedData } = require('./shared-data');

const CONNECT_TIMEOUT = 45_000; // ms

class Server extends EventEmitter {
  /** By which the engine knows it; 0 before it is attached to anything. */
  _handle = 0;
  /** A parser of the application's own. */
  _codec = null;
  /** For adapters of other packages. */
  encoder = encoder;
  _key = 0;
  #path;
  #connectTimeout;
  #serveClient;
  #asksConnecting = false;
  #clients = new Map();
  /** Sessions of other engines, by the requests that have begun them. */
  _bridged = new WeakMap();
  /** Other engines. */
  #bound = [];
  #kept;
  /** What the engine is told of the cluster that it is of, and what others there see of sockets. */
  #redis;
  #adapter = Adapter;
  /** Called with sockets whose `data` the program has in its hands, if others want to see it. */
  _touched;
  /** What the engine is told of the admin namespace, if there is to be one. */
  #admin;
  /** Called when the engine has closed it. */
  #closed = [];
  #isClosing = false;

  /**
   * @param {object|number} [server] a server of the http module, or a port to listen on
   * @param {object} [options] see socket.io.d.ts
   */
  constructor(server, options = {}) {
    super();
    if (typeof server === 'object' && server !== null && !server.listen) [server, options] = [undefined, server];
    this.opts = options;
    this._resource = new AsyncResource('SocklineSocketIoServer');
    this._acks = new Acks();
    this._nsps = new Map();
    this.parentNsps = new Map();
    this.path(options.path || '/socket.io');
    this.connectTimeout(options.connectTimeout || CONNECT_TIMEOUT);
    this.serveClient(options.serveClient !== false);
    if (options.adapter) this.adapter(options.adapter);
    this._engine = new EngineServer(this);
    this.engine = this._engine;
    this.eio = this.engine;
    this.sockets = this.of('/');
    if (server || typeof server === 'number') this.attach(server);
  }

  get _opts() {
    return this.opts;
  }

  path(path) {
    if (arguments.length === 0) return this.#path;
    this.#path = path.replace(/\/$/, '');
    return this;
  }

  connectTimeout(timeout) {
    if (timeout === undefined) return this.#connectTimeout;
    this.#connectTimeout = timeout;
    return this;
  }

  serveClient(serves) {
    if (arguments.length === 0) return this.#serveClient;
    this.#serveClient = serves;
    return this;
  }

  /**
   * Makes it one of a cluster, with what `createAdapter` of sockline/redis-adapter returns, or with a URL of Redis. A class of
   * another package, or what makes its objects, has the rooms itself then.
   */
  adapter(adapter) {
    if (arguments.length === 0) return this.#adapter;
    if (adapter === this.#adapter) return this;
    const redis = redisOf(adapter);
    if (redis === undefined && typeof adapter !== 'function') throw new TypeError('option adapter must be a class, or a URL of Redis');
    if (this._isClustered) throw new TypeError('the server is one of a cluster already');
    return redis === undefined ? this.#useClass(adapter) : this.#useRedis(adapter, redis);
  }

  /** The class of the adapters of namespaces. */
  get _adapterClass() {
    return this._isClustered ? Adapter : this.#adapter;
  }

  #useClass(adapter) {
    checkOptions(this.opts);
    if (this.#admin) throw unsupported('option adapter: the admin namespace shows rooms of the engine only; instrument() shows all');
    this.#adapter = adapter;
    for (const nsp of this._nsps.values()) nsp._initAdapter();
    return this;
  }

  #useRedis(adapter, redis) {
    if (this._codec !== null) throw noParserInClusters();
    if (this._handle !== 0) calling(() => engine.ioSetAdapter(this._handle, this._key, redis));
    this.#redis = redis;
    this.#adapter = adapter;
    for (const nsp of this._nsps.values()) if (!nsp.adapter._isEngines) nsp._initAdapter();
    const shared = new SharedData();
    this._touched = (socket) => shared.touched(socket);
    return this;
  }

  get _isClustered() {
    return this.#redis !== undefined;
  }

  /** A server of a cluster can do much without a port. */
  _startForCluster() {
    if (this._isClustered && !this.#isClosing) this._start();
  }

  /** Serves the clients of a server of the http module, or listens on a port. */
  attach(server, options = {}) {
    if (typeof server === 'function') {
      const text =
        'You are trying to attach socket.io to an express request handler function. Please pass a http.Server instance.';
      throw new Error(text);
    }
    this._start({ ...options, ...this.opts });
    if (typeof server !== 'object' && Number(server) == server) this.#listen(Number(server)); // eslint-disable-line eqeqeq -- '3000', too
    else if (isHttpServer(server)) attach(this, server, { ...options, ...this.opts });
    else throw new TypeError('a server of the http module or a port is needed');
    return this;
  }

  listen(server, options) {
    return this.attach(server, options);
  }

  #listen(port) {
    new Listener({ ...this.opts, port, io: this });
  }

  /** A WebSocketServer is about to listen for it, too; returns the handle. */
  _attached(listener) {
    this._start();
    this.httpServer = listener;
    return this._handle;
  }

  /** Makes it known to the engine, once. */
  _start(options = this.opts) {
    if (this._handle !== 0) return;
    if (!this.sockets.adapter._isEngines) checkOptions(options);
    this._key = addTarget(this);
    const description = { ...serverOptions(this, options), redis: this.#redis };
    if (this._isClustered && this._codec !== null) throw noParserInClusters();
    this._handle = calling(() => engine.ioServer(this._key, description));
    this._engine._started(options);
    this.#kept = new Kept(options.connectionStateRecovery);
    if (this.#asksConnecting) engine.ioAskConnecting(this._handle, true);
    for (const nsp of this._nsps.values()) nsp._start(this._handle);
    if (this.#admin) calling(() => engine.ioEnableAdmin(this._handle, this.#admin));
    if (this.parentNsps.size > 0) engine.ioSetDynamicNamespaces(this._handle, true);
  }

  attachApp() {
    throw withCode(new Error('uWebSockets.js is not possible: give the port to attach()'), 'SOCKLINE_ERR_UNSUPPORTED');
  }

  /** Serves the sessions of another Engine.IO server, too: what has an event `connection`. */
  bind(bound) {
    this.engine = bound;
    this.#bound.push(bound);
    bound.on('connection', (conn) => this.onconnection(conn));
    return this;
  }

  /** Serves one session of another Engine.IO server. */
  onconnection(conn) {
    const { maxHttpBufferSize } = conn.server?.opts ?? {};
    this._start({ ...this.opts, ...BOUND, maxHttpBufferSize: maxHttpBufferSize ?? this.opts.maxHttpBufferSize });
    bridge(this, conn);
    return this;
  }

  /** The namespace of this name; or what is common to all whose name a regular expression or a function accepts. */
  of(name, listener) {
    if (typeof name === 'function' || name instanceof RegExp) return this.#parent(name, listener);
    const path = String(name)[0] === '/' ? String(name) : `/${name}`;
    const nsp = this._nsps.get(path) ?? this.#childByPattern(path) ?? this._addNamespace(new Namespace(this, path));
    if (listener) nsp.on('connect', listener);
    return nsp;
  }

  #parent(name, listener) {
    if (name instanceof RegExp && (name.global || name.sticky)) {
      throw new Error('stateful regular expressions are not supported');
    }
    const parent = new ParentNamespace(this);
    this.parentNsps.set(name, parent);
    if (this._handle !== 0) engine.ioSetDynamicNamespaces(this._handle, true);
    if (listener) parent.on('connect', listener);
    return parent;
  }

  #childByPattern(path) {
    for (const [name, parent] of this.parentNsps) {
      if (name instanceof RegExp && name.test(path)) return parent.createChild(path);
    }
    return undefined;
  }

  _addNamespace(nsp, isClients = false) {
    this._nsps.set(nsp.name, nsp);
    if (this._handle !== 0 && !isClients) nsp._start(this._handle);
    if (nsp.name !== '/') this.sockets._tell('new_namespace', nsp);
    return nsp;
  }

  _removeNamespace(nsp) {
    this._nsps.delete(nsp.name);
    this._acks.abandon(nsp);
    nsp._stop();
  }

  /** From now on each socket is asked about. */
  _askConnecting() {
    this.#asksConnecting = true;
    if (this._handle !== 0) engine.ioAskConnecting(this._handle, true);
  }

  /** Adds a namespace to which the front end of @socket.io/admin-ui connects. The program hears nothing of its sockets. */
  enableAdmin(options) {
    const admin = adminOptions(options);
    if (!this.sockets.adapter._isEngines) {
      throw unsupported('enableAdmin: the admin namespace shows rooms of the engine only; use instrument() with this adapter');
    }
    if (this.#admin || this._nsps.has(admin.namespace)) {
      throw new TypeError(`there is an admin namespace, or the application has ${admin.namespace} itself`);
    }
    if (this._handle !== 0) calling(() => engine.ioEnableAdmin(this._handle, admin));
    this.#admin = admin;
    return this;
  }

  /** Disconnects all, and stops listening. `callback` is called, and the promise resolved, when that is done. */
  async close(callback) {
    this.#isClosing = true;
    for (const { sockets } of this._nsps.values()) for (const socket of sockets.values()) socket._leave();
    if (this._handle !== 0) await this._closeEngine();
    else for (const { adapter } of this._nsps.values()) adapter.close();
    for (const bound of this.#bound) bound.close?.();
    if (!this.httpServer) return callback?.();
    const error = await new Promise((resolve) => this.httpServer.close(resolve));
    callback?.(error);
  }

  /** Ends all sessions. */
  _closeEngine() {
    return new Promise((resolve) => {
      this.#closed.push(resolve);
      if (this.#closed.length === 1) engine.ioClose(this._handle);
    });
  }

  use(middleware) {
    this.sockets.use(middleware);
    return this;
  }

  send(...args) {
    this.sockets.send(...args);
    return this;
  }

  write(...args) {
    return this.send(...args);
  }

  get volatile() {
    return this.sockets.volatile;
  }

  get local() {
    return this.sockets.local;
  }

  /** An event from the engine. */
  _handleEvent(kind, extra, data) {
    switch (kind) {
      case KIND.IO_NAMESPACE:
        return this.#namespaceAsked(data.utf8Slice());
      case KIND.IO_CLOSED:
        return this.#isClosed();
      case KIND.IO_SESSION:
        return this._engine.emit('connection', this.#clientFor(parseDetails(data.latin1Slice())).conn);
      case KIND.IO_SESSION_UPGRADED:
        return this.#clients.get(data.latin1Slice())?._upgraded();
      case KIND.IO_SESSION_CLOSED:
        return this.#clients.get(data.latin1Slice())?._closed(REASONS[extra]);
      case KIND.IO_REDIS:
        return tell([...this._nsps.values()].map(({ adapter }) => adapter), extra, data.utf8Slice());
      case KIND.IO_PACKET:
        return this.#packet(extra, data);
      default:
        return this._engine._handleEvent(kind, extra, data);
    }
  }

  /** The record: the length of the session's id (1 byte), the id, and what the packet carries. */
  #packet(extra, data) {
    const end = 1 + data[0];
    this.#clients.get(data.latin1Slice(1, end))?._packet(extra, data.subarray(end));
  }

  /** A question of the engine's that has to be answered at once. */
  _answer(kind, text) {
    return this._engine._answer(kind, text);
  }

  /** A client wants a namespace that isn't there. The record: question, name, what it says of itself. */
  #namespaceAsked(record) {
    const [question, name, auth] = JSON.parse(record);
    const answer = (allowed) => {
      if (allowed) this._nsps.get(name)._expect(this._key);
      engine.ioAnswerNamespace(question, allowed);
    };
    const parents = [...this.parentNsps];
    const ask = (at) => {
      if (this._nsps.has(name)) return answer(true);
      if (at === parents.length) return answer(false);
      const [accepts, parent] = parents[at];
      const next = (error, allowed) => {
        if (error || !allowed) return ask(at + 1);
        if (!this._nsps.has(name)) parent.createChild(name, true);
        answer(true);
      };
      if (accepts instanceof RegExp) next(null, accepts.test(name));
      else accepts(name, JSON.parse(auth || '{}'), next);
    };
    ask(0);
  }

  #isClosed() {
    this._engine._exchanges.close();
    for (const nsp of this._nsps.values()) {
      nsp.adapter.close();
      nsp._stop();
    }
    this._acks.abandon();
    engine.ioForget(this._handle, this._key);
    removeTarget(this._key);
    this._handle = 0;
    this.#asksConnecting = [...this._nsps.values()].some((nsp) => nsp._fns.length > 0);
    for (const resolve of this.#closed.splice(0)) resolve();
  }

  _socketConnected(socket) {
    // Who has seen the request before the engine did finds it again, however much later.
    if (!this._engine._requests.isEmpty || this.#clients.size > 0) socket._meetClient();
  }

  /** The connection of a socket. */
  _clientOf(socket) {
    const client = this.#clientFor(socket._details, socket.connected || socket._isConnecting || socket._isLeaving);
    if (socket.connected) client._add(socket);
    return client;
  }

  #clientFor(details, isThere = true) {
    const known = this.#clients.get(details.sessionId);
    if (known) return known;
    const client = new Client(this, details, this._engine._requests.take(details.request));
    this._engine._want(WANTS.SESSIONS);
    if (isThere) this.#clients.set(client.id, client);
    return client;
  }

  /** What the engine's clients are known by so far. */
  _connections() {
    for (const { sockets } of this._nsps.values()) for (const socket of sockets.values()) this._clientOf(socket);
    return Object.fromEntries([...this.#clients].map(([id, { conn }]) => [id, conn]));
  }

  _clientGone(client) {
    this.#clients.delete(client.id);
  }

  /** Of a session that ended before anybody asked for its end the engine doesn't tell; of others it has by then. */
  _mayBeGone(client) {
    setImmediate(() => {
      if (this._handle !== 0 && !engine.ioHasSession(this._handle, client.id)) client._closed('transport close');
    });
  }

  /** Keeps the data of a socket that may come back. */
  _keep(socket, reason) {
    this.#kept.keep(socket, reason);
  }

  _recover(id) {
    return this.#kept.take(id);
  }
}

/** What other servers send is written for this one's clients on the thread that hears of it. */
function noParserInClusters() {
  const text = 'option parser: servers of a cluster have those of socket.io-parser and socket.io-msgpack-parser only';
  return withCode(new Error(text), 'SOCKLINE_ERR_UNSUPPORTED');
}

/** What is the main namespace's: listeners, broadcasts, and more. */
const OF_MAIN_NAMESPACE = [
  ...Object.keys(EventEmitter.prototype).filter((name) => typeof EventEmitter.prototype[name] === 'function'),
  ...['to', 'in', 'except', 'compress', 'timeout', 'emitWithAck', 'serverSideEmit', 'serverSideEmitWithAck'],
  ...['allSockets', 'fetchSockets', 'socketsJoin', 'socketsLeave', 'disconnectSockets'],
];
for (const name of OF_MAIN_NAMESPACE) {
  Server.prototype[name] = function ofMainNamespace(...args) {
    return this.sockets[name](...args);
  };
}

module.exports = { Server };
