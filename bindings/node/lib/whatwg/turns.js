'use strict';
// "There MUST be no more than one connection in a CONNECTING state" to a host's address and port (RFC 6455 §4.1).
//
// Hosts of the same name wait for each other. Other names are looked up only if a connection to the same port is on its
// way: whatever shares an address waits, too. Behind a proxy the names are all that is known.

const dns = require('dns');
const net = require('net');

/** Those that are connecting, and those that wait for them, in the order in which they came. */
const connecting = new Set();
const waiting = new Set();

/** One connection's turn to be in the state CONNECTING. */
class Turn {
  #start;
  #isNamed;
  #addresses = null;
  #lookup = null;

  /** Calls `start` when it may connect, at once if nobody is in the way. */
  constructor({ host, port, isProxied }, start) {
    this.host = host;
    this.port = port;
    this.#isNamed = isProxied;
    this.#start = start;
    if (net.isIP(host)) this.#addresses = [host];
  }

  begin() {
    waiting.add(this);
    goOn();
  }

  /** It has a connection, has failed, or doesn't want one any more. */
  end() {
    if (connecting.delete(this) || waiting.delete(this)) goOn();
  }

  tryToStart() {
    for (const other of connecting) if (this.#meets(other)) return;
    for (const other of waiting) {
      if (other === this) break;
      if (this.#meets(other)) return;
    }
    waiting.delete(this);
    connecting.add(this);
    this.#start();
  }

  /** Whether they have an address in common; true as long as that isn't known. */
  #meets(other) {
    if (this.port !== other.port) return false;
    if (this.host === other.host) return true;
    if (this.#isNamed || other.#isNamed) return false;
    const [mine, theirs] = [this.#find(), other.#find()];
    return mine === null || theirs === null || mine.some((address) => theirs.includes(address));
  }

  #find() {
    if (this.#addresses === null) this.#lookup ??= this.#lookUp();
    return this.#addresses;
  }

  async #lookUp() {
    try {
      const found = await dns.promises.lookup(this.host, { all: true });
      this.#addresses = found.map(({ address }) => address);
    } catch {
      this.#addresses = []; // the connection itself will tell
    }
    goOn();
  }
}

function goOn() {
  for (const turn of [...waiting]) if (waiting.has(turn)) turn.tryToStart();
}

module.exports = { Turn };
