'use strict';

const { Adapter } = require('./adapter');
const { Namespace } = require('./namespace');

let count = 0;

/** What is common to all namespaces whose names a regular expression or a function accepts. */
class ParentNamespace extends Namespace {
  children = new Set();

  constructor(server) {
    super(server, `/_${count++}`);
  }

  _initAdapter() {
    this.adapter = new ParentAdapter(this);
  }

  /** It is no namespace that a client could connect to. */
  _start() {}

  emit(event, ...args) {
    for (const child of this.children) child.emit(event, ...args);
    return true;
  }

  /** Makes a namespace of this name; `isClients`: a client asks for it, so that it can go when its last client has gone. */
  createChild(name, isClients = false) {
    const child = new Namespace(this.server, name);
    for (const middleware of this._fns) child.use(middleware);
    for (const event of ['connect', 'connection']) {
      for (const listener of this.listeners(event)) child.on(event, listener);
    }
    this.children.add(child);
    if (isClients && this.server.opts.cleanupEmptyChildNamespaces) this.#removeWhenEmpty(child);
    this.server._addNamespace(child, isClients);
    return child;
  }

  #removeWhenEmpty(child) {
    const remove = child._remove;
    child._remove = (socket) => {
      remove.call(child, socket);
      if (child.sockets.size > 0 || child._isKept) return;
      child.adapter.close();
      this.server._removeNamespace(child);
      this.children.delete(child);
    };
  }

  fetchSockets() {
    throw new Error('fetchSockets() is not supported on parent namespaces');
  }
}

/** Broadcasts to the rooms of all children. */
class ParentAdapter extends Adapter {
  broadcast(packet, options) {
    for (const child of this.nsp.children) child.adapter.broadcast(packet, options);
  }
}

module.exports = { ParentNamespace };
