'use strict';
// Which sockets are in which rooms: kept by the engine, shown in the shape of socket.io's in-memory adapter.

const EventEmitter = require('events');

const { KIND, WANTS, engine, ioBroadcast } = require('../engine');
const { NONE, bits } = require('./flags');
const packets = require('./packets');
const { RoomsView } = require('./rooms-view');
const { throwUnlessGone } = require('./status');

/** By the engine's number. */
const ROOM_EVENTS = ['create-room', 'join-room', 'leave-room', 'delete-room'];

const NOBODY = new Set();

class Adapter extends EventEmitter {
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
      (id) => [...(nsp.sockets.get(id)?.rooms ?? [])],
    );
    this.on('newListener', (event) => {
      if (ROOM_EVENTS.includes(event)) nsp.server.engine._want(WANTS.ROOMS);
    });
  }

  init() {}

  close() {}

  serverCount() {
    return Promise.resolve(1);
  }

  addAll(id, rooms) {
    this.#socket(id)?.join([...rooms]);
  }

  del(id, room) {
    this.#socket(id)?.leave(room);
  }

  delAll(id) {
    this.#socket(id)?.leaveAll();
  }

  #socket(id) {
    return this.nsp.sockets.get(id) ?? this.nsp._preConnectSockets.get(id);
  }

  /** Sends an event to the sockets that the options name. */
  broadcast(packet, { rooms = NOBODY, except = NOBODY, flags = {} }) {
    this.#emit(packet.data, rooms, except, flags, NONE, NONE);
  }

  #emit(values, rooms, except, flags, token, timeout) {
    const { _handle: handle } = this.nsp;
    if (handle === 0) return; // there is nobody
    const text = packets.encode(values);
    const attachments = packets.attachmentsTaken();
    throwUnlessGone(
      ioBroadcast(handle, text, names(rooms), names(except), bits(flags), token, timeout, attachments),
    );
  }

  /** The same; `done(timedOut, responses)` follows. */
  _collect(packet, { rooms = NOBODY, except = NOBODY, flags = {} }, done) {
    if (this.nsp._handle === 0) {
      process.nextTick(done, false, []);
      return;
    }
    const token = this.nsp.server._acks.keep({ done });
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

  sockets(rooms) {
    return this.fetchSockets({ rooms }).then((sockets) => new Set(sockets.map(({ id }) => id)));
  }

  socketRooms(id) {
    return this.#socket(id)?.rooms;
  }

  /** Resolves with the sockets, or with the details of those at other servers. */
  fetchSockets({ rooms = NOBODY, except = NOBODY, flags = {} }) {
    if (this.nsp._handle === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const token = this.nsp.server._acks.keep({ resolve, reject });
      engine.ioFetchSockets(this.nsp._handle, names(rooms), names(except), Boolean(flags.local), token);
    });
  }

  addSockets({ rooms = NOBODY, except = NOBODY }, joined) {
    engine.ioSocketsJoin(this.nsp._handle, names(rooms), names(except), joined.map(String));
  }

  delSockets({ rooms = NOBODY, except = NOBODY }, left) {
    engine.ioSocketsLeave(this.nsp._handle, names(rooms), names(except), left.map(String));
  }

  disconnectSockets({ rooms = NOBODY, except = NOBODY }, close) {
    engine.ioDisconnectSockets(this.nsp._handle, names(rooms), names(except), Boolean(close));
  }

  serverSideEmit() {
    console.warn('this adapter does not support the serverSideEmit() functionality');
  }

  /** A record for the namespace that is the adapter's. */
  _handleEvent(kind, extra, data) {
    const entry = this.nsp.server._acks.take(data.readUInt32LE(0));
    if (kind === KIND.IO_BROADCAST_ACK) entry.done(extra !== 0, responses(data, this.nsp.server._codec));
    else this.#fetched(entry, extra, data.utf8Slice(4));
  }

  #fetched({ resolve, reject }, failed, text) {
    if (failed) return reject(new Error(text));
    const found = JSON.parse(text).map((socket) => this.nsp.sockets.get(socket.id) ?? (socket.local ? null : socket));
    resolve(found.filter(Boolean));
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

function names(rooms) {
  if (rooms.size === 0) return undefined;
  const list = [];
  for (const room of rooms) list.push(String(room));
  return list;
}

module.exports = { Adapter };
