'use strict';
// Listeners for all events, whatever their name: of those that come (`onAny`) and of those that are sent
// (`onAnyOutgoing`). For the sockets of servers and of clients.

const METHODS = {
  _anyListeners: { add: 'onAny', prepend: 'prependAny', remove: 'offAny', list: 'listenersAny' },
  _anyOutgoingListeners: {
    add: 'onAnyOutgoing',
    prepend: 'prependAnyOutgoing',
    remove: 'offAnyOutgoing',
    list: 'listenersAnyOutgoing',
  },
};

const NOBODY = [];

function addMethods(prototype, field, names) {
  const changed = (socket) => {
    if (field === '_anyOutgoingListeners') socket._outgoingListenersChanged?.(socket[field].length > 0);
    return socket;
  };
  const methods = {
    [names.add](listener) {
      (this[field] ??= []).push(listener);
      return changed(this);
    },
    [names.prepend](listener) {
      (this[field] ??= []).unshift(listener);
      return changed(this);
    },
    [names.remove](listener) {
      if (!this[field]) return this;
      const at = listener ? this[field].indexOf(listener) : 0;
      if (at >= 0) this[field].splice(at, listener ? 1 : Infinity);
      return changed(this);
    },
    [names.list]() {
      return this[field] || [];
    },
  };
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  }
}

function notify(socket, listeners, values) {
  for (const listener of [...listeners]) listener.apply(socket, values);
}

/** Adds the methods to a class of sockets. */
function mixInCatchAll(prototype) {
  for (const [field, names] of Object.entries(METHODS)) addMethods(prototype, field, names);
  prototype._notifyAny = function _notifyAny(values) {
    if ((this._anyListeners ?? NOBODY).length > 0) notify(this, this._anyListeners, values);
  };
  prototype._notifyOutgoing = function _notifyOutgoing(values) {
    if ((this._anyOutgoingListeners ?? NOBODY).length > 0) notify(this, this._anyOutgoingListeners, values);
  };
}

module.exports = { mixInCatchAll };
