'use strict';
// Packets of Engine.IO, which the engine tells of only while somebody listens: for both ends.

const TYPES = ['open', 'close', 'ping', 'pong', 'message', 'upgrade', 'noop'];

/** Bits of the extra half word of the record (src/io/records.rs). */
const OUTGOING = 1;
const BINARY = 2;
const TYPE_SHIFT = 2;
const TYPE = 7;
const PLAIN = 32;

/** The events that need them. */
const PACKET_EVENTS = new Set(['packet', 'packetCreate', 'data', 'message', 'heartbeat']);

/** Emits what the official engine's sockets do for a packet, and returns it. `heartbeat` is the type of packet by which the other side lives. */
function emitPacket(emitter, extra, content, heartbeat) {
  const type = TYPES[(extra >>> TYPE_SHIFT) & TYPE];
  const packet = { type };
  const data = (extra & BINARY) === 0 ? content.utf8Slice() : content;
  if (data.length > 0 || type === 'message') packet.data = data;
  if (isOutgoing(extra)) {
    packet.options = { compress: (extra & PLAIN) === 0 };
    emitter.emit('packetCreate', packet);
    return packet;
  }
  emitter.emit('packet', packet);
  if (type === heartbeat) emitter.emit('heartbeat');
  if (type !== 'message') return packet;
  emitter.emit('data', data);
  emitter.emit('message', data);
  return packet;
}

/** What a program sends itself, as bytes: binary is what has some, and everything else text, as there. */
function contentOf(data) {
  if (ArrayBuffer.isView(data)) return { isBinary: true, bytes: Buffer.from(data.buffer, data.byteOffset, data.byteLength) };
  if (data instanceof ArrayBuffer) return { isBinary: true, bytes: Buffer.from(data) };
  return { isBinary: false, bytes: Buffer.from(String(data || '')) };
}

function isOutgoing(extra) {
  return (extra & OUTGOING) !== 0;
}

module.exports = { PACKET_EVENTS, contentOf, emitPacket, isOutgoing };
