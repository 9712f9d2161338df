'use strict';
// Connections that Node has accepted, given to the engine.
//
// A plain one is given as a duplicate of its descriptor. Node's socket stays, and is read no more: it tells the addresses, its end
// is the connection's end, and so it is the other way round. What Node has to decrypt, or has no descriptor of, goes to the engine
// over a pair of descriptors, and Node's socket works on.

const { streamOn } = require('./descriptors');
const { engine } = require('./engine');

/**
 * The descriptor that the engine is to duplicate, the bytes that came behind the head, and what is to be called: `given` when the engine
 * has it, `over` when the connection has ended. `webSocket` ends with the socket.
 */
function takeSocket(socket, head, webSocket, closeTimeout) {
  socket.setTimeout?.(0);
  const descriptor = socket.encrypted || socket.writableLength > 0 ? undefined : socket._handle?.fd;
  return descriptor >= 0 ? takeDescriptor(socket, descriptor, head, webSocket) : relay(socket, head, closeTimeout);
}

function takeDescriptor(socket, descriptor, head, webSocket) {
  socket._read = () => {}; // nothing makes Node's side read again
  socket._handle.readStop();
  socket._handle.reading = false;
  socket.once('close', () => webSocket._handle !== 0 && webSocket.terminate());
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

module.exports = { takeSocket };
