'use strict';
// Connections that Node has made or accepted, given to the engine.
//
// A plain one is given as a duplicate of its descriptor. Node's socket stays, and is read no more: it tells the addresses, its end
// is the connection's end, and so it is the other way round. What Node has to decrypt, or has no descriptor of, goes to the engine
// over a pair of descriptors, and Node's socket works on.

const { streamOn } = require('./descriptors');
const { engine } = require('./engine');

const EMPTY = Buffer.alloc(0);

/**
 * The descriptor that the engine is to duplicate, the bytes that came behind the head, and what is to be called: `given` when the engine
 * has it, `over` when the connection has ended. `gone()` is called when a plain socket has closed, and the engine can't know of it.
 */
function takeSocket(socket, head, gone, closeTimeout) {
  socket.setTimeout?.(0);
  const descriptor = descriptorOf(socket);
  return descriptor >= 0 ? takeDescriptor(socket, descriptor, head, gone) : relay(socket, head, closeTimeout);
}

/** The same for a client: what has come already, as far as Node has read it, reaches the engine as if it came now. */
function lendSocket(socket, gone, closeTimeout) {
  socket.setTimeout?.(0);
  const descriptor = socket.readableLength > 0 ? undefined : descriptorOf(socket);
  if (descriptor >= 0) return takeDescriptor(socket, descriptor, EMPTY, gone);
  return relaySocket(socket, closeTimeout);
}

/** The same where the engine doesn't say when the connection ends: over a pair of descriptors, at whose end it does. */
function relaySocket(socket, closeTimeout) {
  socket.setTimeout?.(0);
  const taken = relay(socket, EMPTY, closeTimeout);
  if (taken.rest.length > 0) socket.unshift(taken.rest);
  return taken;
}

function descriptorOf(socket) {
  return socket.encrypted || socket.writableLength > 0 ? undefined : socket._handle?.fd;
}

function takeDescriptor(socket, descriptor, head, gone) {
  socket._read = () => {}; // nothing makes Node's side read again
  socket._handle.readStop();
  socket._handle.reading = false;
  socket.once('close', gone);
  return { descriptor, rest: unread(socket, head), given() {}, over: () => socket.destroy() };
}

function relay(socket, head, closeTimeout) {
  const [near, far] = engine.ioStreamPair();
  const rest = unread(socket, head);
  const stream = streamOn(near);
  socket.setNoDelay?.(true);
  socket.pipe(stream);
  stream.pipe(socket);
  // What has come reaches the engine before the end does.
  socket.on('close', () => stream.unpipe(socket).resume().end());
  stream.on('error', () => socket.destroy());
  stream.on('end', () => {
    if (socket.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), closeTimeout); // the peer has some time to end its side
    socket.on('close', () => clearTimeout(timer));
  });
  return { descriptor: far, rest, given: () => engine.ioCloseDescriptor(far), over() {} };
}

/** What has come behind the head, as far as Node has read it. */
function unread(socket, head) {
  socket.pause();
  const read = socket.read();
  if (read === null) return head;
  return Buffer.concat([head, Buffer.from(read, socket.readableEncoding ?? undefined)]);
}

module.exports = { lendSocket, relaySocket, takeSocket };
