'use strict';
// Which sockets are in which rooms: kept by the engine, shown in the shape of socket.io's in-memory adapter.

const EventEmitter = require('events');

const { KIND, WANTS, engine, ioBroadcast } = require('../engine');
const { calling } = require('../errors');
const { views } = require('./binary');
const { NONE, bits } = require('./flags');
const packets = require('./packets');
const { RoomsView } = require('./rooms-view');
const { throwUnlessGone } = require('./status');

/** By the engine's number. */
const ROOM_EVENTS = ['create-room', 'join-room', 'leave-room', 'delete-room'];

const NOBODY = new Set();

/** Stands for a count of missing servers where nobody could be asked. */
const FAILED = 0xffff;

class Adapter extends EventEmitter {
  /** Rooms are the engine's. */
  _isEngines = true;

  constructor(nsp) {
    super();
    this.nsp = nsp;
    /** Room → ids of its sockets. */
    this.rooms = new RoomsView(
      () => engine.ioRoomNames(nsp._handle),
      (room) => engine.ioRoom(nsp._handle, String(room)),
    );
    /** Id of a socket → its rooms. */
    this.sids = new RoomsView(
      () => [...nsp.sockets.keys()],
      (id) => [...(nsp.sockets.get(id)?._rooms ?? [])],
    );
    this.on('newListener', (event) => {
      if (ROOM_EVENTS.includes(event)) nsp.server._engine._want(WANTS.ROOMS);
    });
  }

  init() {}

  close() {}

  /** By which the engine knows the namespace; 0 before the server is attached to anything, unless it is one of a cluster. */
  get #handle() {
    if (this.nsp._handle === 0) this.nsp.server._startForCluster();
    return this.nsp._handle;
  }

  /** How many servers of the cluster have this namespace. */
  serverCount() {
    return this.#asked(1, (token) => engine.ioServerCount(this.nsp._handle, token));
  }

  /** Resolves with what the engine finds for a token; with `otherwise` if the server is not attached to anything. */
  #asked(otherwise, ask, convert = (value) => value) {
    if (this.#handle === 0) return Promise.resolve(otherwise);
    const acks = this.nsp.server._acks;
    return new Promise((resolve, reject) => {
      const token = acks.keep({ nsp: this.nsp, resolve, reject, convert });
      try {
        calling(() => ask(token));
      } catch (error) {
        acks.take(token);
        reject(error);
      }
    });
  }

  addAll(id, rooms) {
    this.#socket(id)?._join([...rooms]);
  }

  del(id, room) {
    this.#socket(id)?._leaveRoom(room);
  }

  delAll(id) {
    for (const room of this.socketRooms(id) ?? []) this.del(id, room);
  }

  #socket(id) {
    return this.nsp.sockets.get(id) ?? this.nsp._preConnectSockets.get(id);
  }

  /** Sends an event to the sockets that the options name. */
  broadcast(packet, { rooms = NOBODY, except = NOBODY, flags = {} }) {
    this.#emit(packet.data, rooms, except, flags, NONE, NONE);
  }

  #emit(values, rooms, except, flags, token, timeout) {
    const handle = this.#handle;
    if (handle === 0) return; // there is nobody
    const text = packets.encode(values);
    const attachments = packets.attachmentsTaken();
    throwUnlessGone(
      ioBroadcast(handle, text, names(rooms), names(except), bits(flags), token, timeout, attachments),
    );
    if (this.nsp.server._engine._tellsDrain) this.#sent(names(rooms), names(except));
  }

  /** Somebody waits to hear when connections have drained: those of this process that are meant will tell. */
  #sent(rooms = [], except = []) {
    for (const socket of this.nsp.sockets.values()) {
      const own = socket.rooms;
      const isMeant = rooms.length === 0 || rooms.some((room) => own.has(room));
      if (isMeant && !except.some((room) => own.has(room))) socket.client.conn._sent?.(false);
    }
  }

  /** The same; `done(timedOut, responses)` follows. */
  _collect(packet, { rooms = NOBODY, except = NOBODY, flags = {} }, done) {
    if (this.#handle === 0) {
      process.nextTick(done, false, []);
      return;
    }
    const token = this.nsp.server._acks.keep({ nsp: this.nsp, done });
    // As setTimeout of what isn't a number: at once.
    const timeout = typeof flags.timeout === 'number' ? Math.max(flags.timeout, 1) : 1;
    try {
      this.#emit(packet.data, rooms, except, flags, token, timeout);
    } catch (error) {
      this.nsp.server._acks.take(token);
      throw error;
    }
  }

  /** The same as in socket.io's adapters: how many were asked, then each answer. */
  broadcastWithAck(packet, options, clientCountCallback, ack) {
    this._collect(packet, options, (timedOut, responses) => {
      clientCountCallback(responses.length);
      for (const response of responses) ack(response);
    });
  }

  /** Resolves with the ids of all servers' sockets in any of these rooms. */
  sockets(rooms = NOBODY) {
    const ask = (token) => engine.ioAllSockets(this.nsp._handle, names(rooms), token);
    return this.#asked(withMissing(new Set(), 0), ask, (ids, missing) => withMissing(new Set(ids), missing));
  }

  /** Resolves with the names of all servers' rooms. */
  allRooms() {
    const ask = (token) => engine.ioAllRooms(this.nsp._handle, token);
    return this.#asked(withMissing(new Set(), 0), ask, (rooms, missing) => withMissing(new Set(rooms), missing));
  }

  socketRooms(id) {
    return this.#socket(id)?._rooms;
  }

  /** Resolves with the sockets, or with the details of those at other servers; `missing` servers have not said theirs. */
  fetchSockets({ rooms = NOBODY, except = NOBODY, flags = {} }) {
    const timeout = typeof flags.timeout === 'number' ? flags.timeout : undefined;
    const ask = (token) =>
      engine.ioFetchSockets(this.nsp._handle, names(rooms), names(except), Boolean(flags.local), timeout, token);
    const convert = (found, missing) => {
      const sockets = found.map((socket) => this.nsp.sockets.get(socket.id) ?? (socket.local ? null : socket));
      return withMissing(sockets.filter(Boolean), missing);
    };
    return this.#asked(withMissing([], 0), ask, convert);
  }

  addSockets({ rooms = NOBODY, except = NOBODY, flags = {} }, joined) {
    engine.ioSocketsJoin(this.#handle, names(rooms), names(except), Boolean(flags.local), joined.map(String));
  }

  delSockets({ rooms = NOBODY, except = NOBODY, flags = {} }, left) {
    engine.ioSocketsLeave(this.#handle, names(rooms), names(except), Boolean(flags.local), left.map(String));
  }

  disconnectSockets({ rooms = NOBODY, except = NOBODY, flags = {} }, close) {
    const leaving = this.#here(rooms, except);
    engine.ioDisconnectSockets(this.#handle, names(rooms), names(except), Boolean(flags.local), Boolean(close));
    for (const socket of leaving) socket._leave();
  }

  /** The sockets of this server that the options mean. */
  #here(rooms, except) {
    const members = (names) => [...names].flatMap((name) => [...(this.rooms.get(name) ?? [])]);
    const ids = new Set(rooms.size === 0 ? this.nsp.sockets.keys() : members(rooms));
    for (const id of members(except)) ids.delete(id);
    return [...ids].flatMap((id) => this.nsp.sockets.get(id) ?? []);
  }

  /** Has the other servers hear an event; a function as the last value gets `(error, answers)`. */
  serverSideEmit(packet) {
    if (!this.nsp.server._isClustered) {
      console.warn('this adapter does not support the serverSideEmit() functionality');
      return;
    }
    const handle = this.#handle;
    const [event, ...args] = packet;
    const ack = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    if (handle === 0) {
      if (ack) process.nextTick(ack, null, withMissing([], 0));
      return;
    }
    const text = packets.encode(args);
    const attachments = views(packets.attachmentsTaken());
    const acks = this.nsp.server._acks;
    const token = ack ? acks.keep({ nsp: this.nsp, ack, reject: (error) => ack(error, []) }) : NONE;
    try {
      calling(() => engine.ioServerSideEmit(handle, String(event), text, attachments, token));
    } catch (error) {
      if (ack) acks.take(token);
      throw error;
    }
  }

  /** A record for the namespace that is the adapter's. */
  _handleEvent(kind, extra, data) {
    const { server } = this.nsp;
    const entry = server._acks.take(data.readUInt32LE(0));
    if (entry === undefined) return;
    if (kind === KIND.IO_BROADCAST_ACK) entry.done(extra !== 0, responses(data, server._codec));
    else if (extra === FAILED) entry.reject(new Error(data.utf8Slice(4)));
    else if (kind === KIND.IO_FETCHED) entry.resolve(entry.convert(JSON.parse(data.utf8Slice(4)), extra));
    else answered(entry.ack, responses(data, null), extra);
  }

  /** The name of the room, and the id of the socket, if there is one. */
  _roomEvent(number, text) {
    this.emit(ROOM_EVENTS[number], ...JSON.parse(text));
  }
}

/**
 * The first argument of each answer. The record: the token, how many answers, for each how many attachments it has (4 bytes
 * each), and the JSON of a list of lists.
 */
function responses(data, codec) {
  const count = data.readUInt32LE(4);
  const start = 8 + 4 * count;
  const text = data.utf8Slice(start);
  const answers = JSON.parse(text);
  return answers.map((answer, index) => {
    const attachments = data.readUInt32LE(8 + 4 * index);
    const values = packets.withArrived(answer, attachments);
    return (codec ? codec.restore(values) : values)[0];
  });
}

/** Says how many servers of the cluster have not answered in time, beside what the others have answered. */
function withMissing(found, missing) {
  return Object.defineProperty(found, 'missing', { value: missing });
}

function answered(ack, answers, missing) {
  const all = answers.length + missing;
  const text = `timeout reached: only ${answers.length} responses received out of ${all}`;
  ack(missing > 0 ? new Error(text) : null, withMissing(answers, missing));
}

function names(rooms) {
  if (rooms.size === 0) return undefined;
  const list = [];
  for (const room of rooms) list.push(String(room));
  return list;
}

module.exports = { Adapter };
