'use strict';
// What programs use of engine.io's server (`io.engine`): its events, middlewares and numbers.

const { randomBytes } = require('crypto');
const EventEmitter = require('events');

const { KIND, WANTS, engine } = require('../engine');
const { collect, flatten } = require('../headers');
const { isAllowed } = require('./cors');
const { ADDED_HEADERS, Exchanges } = require('./exchanges');
const { runMiddlewares } = require('./middlewares');
const { PortResponse } = require('./port-response');
const { Requests, SessionRequest } = require('./requests');
const { idsSayWhose } = require('./server-options');

const DEFAULTS = {
  pingTimeout: 20_000,
  pingInterval: 25_000,
  upgradeTimeout: 10_000,
  maxHttpBufferSize: 1e6,
  transports: ['polling', 'websocket'],
  allowUpgrades: true,
  httpCompression: { threshold: 1024 },
  cors: false,
  allowEIO3: false,
};

class EngineServer extends EventEmitter {
  #io;
  #wants = 0;
  #generateId;
  /** Somebody waits to hear that all has been written, of whatever connection. */
  _tellsDrain = false;
  /** Why there was no id, by request. */
  #idErrors = new WeakMap();

  constructor(io) {
    super();
    this.#io = io;
    this.opts = { ...DEFAULTS };
    this.middlewares = [];
    this._requests = new Requests();
    this._exchanges = new Exchanges(this, io);
    this.on('newListener', (event) => {
      if (event === 'headers' || event === 'initial_headers') this._want(WANTS.HEADERS);
      if (event === 'connection' || event === 'drain') this._want(WANTS.SESSIONS);
      if (event === 'drain') this._tellsDrain = true;
      if (event === 'flush') this._want(WANTS.SESSIONS | WANTS.PACKETS);
    });
  }

  /** How many clients there are. */
  get clientsCount() {
    return this.#io._handle === 0 ? 0 : engine.ioClientsCount(this.#io._handle);
  }

  /** Clients' connections by their ids: those that have a namespace, and all that have come since this was first asked for. */
  get clients() {
    this._want(WANTS.SESSIONS);
    return this.#io._connections();
  }

  /** Ends one client's session. */
  _closeSession(id, discard) {
    if (this.#io._handle !== 0) engine.ioCloseSession(this.#io._handle, id, discard);
  }

  /** Sends a message of Engine.IO to a client; returns a status as `send` of the engine. */
  _sendMessage(id, { isBinary, bytes }, compress) {
    return this.#io._handle === 0 ? 0 : engine.ioSendMessage(this.#io._handle, id, isBinary, bytes, compress);
  }

  /** The server that it is attached to. */
  get httpServer() {
    return this.#io.httpServer;
  }

  /** Makes the id of a session, or a promise of it, from its request: the program's function, or else the engine does it. */
  get generateId() {
    return this.#generateId ?? freshId;
  }

  set generateId(generateId) {
    if (this.opts.forwardRequests ?? this.#io.opts.forwardRequests) throw idsSayWhose();
    this.#generateId = generateId;
    this._want(WANTS.REQUESTS);
  }

  /** The transports that a client can go over to. */
  upgrades(transport) {
    const { allowUpgrades, transports } = this.opts;
    return transport === 'polling' && allowUpgrades && transports.includes('websocket') ? ['websocket'] : [];
  }

  /** Adds a function `(request, response, next)` that sees requests before the engine does. */
  use(middleware) {
    this.middlewares.push(middleware);
    this._want(WANTS.REQUESTS | WANTS.HEADERS | WANTS.UPGRADES);
  }

  /** Closes all clients. */
  close() {
    if (this.#io._handle !== 0) this.#io._closeEngine();
    this._exchanges.close();
    return this;
  }

  handleRequest(request, response) {
    this._exchanges.handleRequest(request, response);
  }

  handleUpgrade(request, socket, head) {
    this._exchanges.handleUpgrade(request, socket, head);
  }

  /** The same as `attach` of the Socket.IO server. */
  attach(server, options) {
    this.#io.attach(server, options);
  }

  /** The engine is to tell of this, too. */
  _want(what) {
    this.#wants |= what;
    if (this.#io._handle !== 0) engine.ioWant(this.#io._handle, this.#wants);
  }

  /** Whether the ids of sessions are the program's own. */
  get _hasOwnIds() {
    return this.#generateId !== undefined;
  }

  /** The engine knows the server now, by these options. */
  _started(options) {
    Object.assign(this.opts, options);
    if (typeof options.allowRequest === 'function') this.#wants |= WANTS.REQUESTS;
    engine.ioWant(this.#io._handle, this.#wants);
  }

  /** An event from the engine. */
  _handleEvent(kind, extra, data) {
    switch (kind) {
      case KIND.IO_REQUEST:
        return this.#requestAsked(data.latin1Slice(), extra === 1);
      case KIND.IO_REFUSED:
        return this.#refused(extra, data.utf8Slice());
      case KIND.IO_ANSWER:
        return this._exchanges.answered(data);
    }
  }

  /** A session is asked for, or a WebSocket for one. The record: the question, and the request as `Requests` reads it. */
  #requestAsked(record, isUpgrade) {
    const [question, ...fields] = record.split('\0');
    if (isUpgrade) {
      const allow = () => engine.ioAllowRequest(Number(question));
      return this.#showMiddlewares(question, this._requests.find(fields), allow);
    }
    const request = this._requests.begin(fields);
    const answer = (message, allowed) => {
      if (allowed) this.#begin(Number(question), request);
      else engine.ioDenyRequest(Number(question), text(message));
    };
    if (this.#io._bridged.has(request)) return answer(null, true); // it was let in elsewhere
    const { allowRequest = (_, allow) => allow(null, true) } = this.opts;
    this.#showMiddlewares(question, request, () => allowRequest(request, answer));
  }

  /** Has the middlewares look at a request, if it has come at the engine's own port. */
  #showMiddlewares(question, request, goOn) {
    if (this.middlewares.length === 0 || !(request instanceof SessionRequest)) return goOn();
    const answer = (status, headers, body) => engine.ioAnswerRequest(Number(question), status, headers, body);
    const response = new PortResponse(request, answer);
    this._applyMiddlewares(request, response, (error) => {
      if (response.writableEnded) return;
      if (error) return engine.ioFailRequest(Number(question));
      response.writeHead(); // some middlewares add their headers only then
      request[ADDED_HEADERS] = response.headers;
      this._requests.willBeAnswered(question, request);
      response._answered();
      goOn();
    });
  }

  /** A session may begin. */
  async #begin(question, request) {
    if (this.#generateId === undefined) return engine.ioAllowRequest(question);
    let id = '';
    try {
      id = String(await this.#generateId(request));
    } catch (error) {
      this.#idErrors.set(request, error);
    }
    engine.ioAllowRequest(question, id);
  }

  /** The record: message, context (JSON), and the request. */
  #refused(code, record) {
    const [message, json, ...fields] = record.split('\0');
    const req = this._requests.find(fields);
    const context = JSON.parse(json || '{}');
    if (this.#idErrors.has(req)) context.error = this.#idErrors.get(req);
    this.emit('connection_error', { req, code, message, context });
  }

  /** What the engine has to know at once. */
  _answer(kind, text) {
    if (kind === KIND.IO_ORIGIN) return isAllowed(text, this.opts.cors) ? 'allowed' : '';
    return this.#headersAsked(kind === KIND.IO_INITIAL_HEADERS, text);
  }

  /**
   * An answer is about to be sent, and the listeners' headers go along. The record: how many there are so far, their names
   * and values, then the request.
   */
  #headersAsked(initial, record) {
    const [count, ...fields] = record.split('\0');
    const headers = collect(fields.splice(0, 2 * Number(count)));
    const req = this._requests.findAnswered(fields);
    Object.assign(headers, req[ADDED_HEADERS]);
    if (initial) this.emit('initial_headers', headers, req);
    this.emit('headers', headers, req);
    return flatten(headers).join('\0');
  }

  /** Has the middlewares look at a request of Node's; `done(error)`. In engine.io, CORS comes before them, and ends a preflight. */
  _applyMiddlewares(request, response, done) {
    const { cors } = this.opts;
    const isAnswered = request.method === 'OPTIONS' && cors && !cors.preflightContinue;
    if (this.middlewares.length === 0 || isAnswered) return done();
    const functions = this.middlewares.map((middleware) => (_, next) => middleware(request, response, next));
    runMiddlewares(functions, request, done);
  }
}

/** As the engine's: 20 characters that nobody can guess. */
function freshId() {
  return randomBytes(15).toString('base64url');
}

function text(message) {
  return message == null ? undefined : String(message);
}

module.exports = { EngineServer };
