'use strict';
// `data` of sockets, as other servers of a cluster see it: the engine has a copy as JSON, which follows what the program
// does. An object can't tell that it is changed, so one that was looked at is copied at the end of the turn, and again a
// little later: `socket.data.user = await find()` looks at it before it waits.

const LATER = 250; // ms

class SharedData {
  #now = new Set();
  #later = new Set();

  /** The program has `data` of this socket in its hands. */
  touched(socket) {
    if (this.#now.size === 0) setImmediate(() => copy(this.#now));
    if (this.#later.size === 0) setTimeout(() => copy(this.#later), LATER).unref();
    this.#now.add(socket);
    this.#later.add(socket);
  }
}

function copy(sockets) {
  const all = [...sockets];
  sockets.clear();
  for (const socket of all) socket._copyData();
}

module.exports = { SharedData };
