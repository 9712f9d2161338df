'use strict';
// Sessions of another Engine.IO server (`bind`, `onconnection`): each becomes a WebSocket of a session of ours, over a pair of
// descriptors. Engine.IO's packets pass through; Socket.IO's are read and written in the engine, as ever.

const { randomBytes } = require('crypto');

const { Frames, frame } = require('./frames');
const { MARK } = require('./requests');

const DAY = 24 * 60 * 60 * 1000; // ms

/** Types of Engine.IO's packets, as characters. */
const [CLOSE, PING, PONG, MESSAGE] = ['1', '2', '3', '4'];

/** What a server's options are for the other engine: its sessions were let in there, and are alive there. */
const OPTIONS = Object.freeze({
  transports: ['websocket'],
  pingInterval: DAY,
  cors: undefined,
  allowRequest: undefined,
  perMessageDeflate: undefined,
  cookie: undefined,
});

/** Serves one session of another engine: `conn` has `send`, `close`, `request`, and events `data` and `close`, as engine.io's. */
function bridge(io, conn) {
  if (conn.protocol === 3) return conn.close(); // of clients of Socket.IO 2, whose heartbeats are the other way round
  // Nobody else can ask for this URL, and so be taken for who was let in.
  const url = `${io.path()}/?EIO=4&transport=websocket&t=${randomBytes(16).toString('hex')}`;
  const stream = io._engine._exchanges.connect(headOf(url, io._engine._requests.mark(conn.request, url)));
  io._bridged.set(conn.request, conn);
  const write = (text) => stream.write(frame(text));
  const toClient = (data, isBinary) => {
    if (isBinary || data[0] === MESSAGE) conn.send(isBinary ? data : data.slice(1));
    else if (data[0] === PING) write(PONG + data.slice(1));
    else if (data[0] === CLOSE) conn.close();
  };
  const frames = new Frames(toClient, () => conn.close());
  stream.on('data', (chunk) => frames.add(chunk)).on('error', () => {}).on('close', () => conn.close());
  conn.on('data', (data) => stream.write(typeof data === 'string' ? frame(MESSAGE + data) : frame(data)));
  conn.on('close', (reason) => {
    conn._reason = reason;
    stream.destroy();
  });
}

function headOf(url, mark) {
  const lines = [
    `GET ${url} HTTP/1.1`,
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    `${MARK}: ${mark}`,
  ];
  return Buffer.from([...lines, '', ''].join('\r\n'), 'latin1');
}

module.exports = { OPTIONS, bridge };
