'use strict';
// CloseEvent and MessageEvent as browsers define them (WebSockets §6, HTML §9.1), on top of the runtime's own Event.

const { dictionary, domString, makeInterface, needArguments, unsignedShort, usvString } = require('./webidl');

/** What Node's Event looks for in its options to be one that the platform has made; undefined elsewhere. */
const TRUST = findTrust();

/** The end of a connection. */
class CloseEvent extends Event {
  #wasClean;
  #code;
  #reason;

  /** `{ wasClean, code, reason }` beside what Event takes. */
  constructor(type, eventInitDict = {}) {
    needArguments(arguments.length, 1, "Failed to construct 'CloseEvent'");
    const init = dictionary(eventInitDict, "Failed to construct 'CloseEvent'");
    super(domString(type), ofEvent(init));
    const { code = 0, reason = '', wasClean = false } = init;
    this.#code = unsignedShort(code);
    this.#reason = usvString(reason);
    this.#wasClean = Boolean(wasClean);
  }

  get wasClean() {
    illegalUnless(#wasClean in this);
    return this.#wasClean;
  }

  get code() {
    illegalUnless(#code in this);
    return this.#code;
  }

  get reason() {
    illegalUnless(#reason in this);
    return this.#reason;
  }
}

/** A message that has come. */
class MessageEvent extends Event {
  #data;
  #origin;
  #lastEventId;
  #source;
  #ports;

  /** `{ data, origin, lastEventId, source, ports }` beside what Event takes. */
  constructor(type, eventInitDict = {}) {
    needArguments(arguments.length, 1, "Failed to construct 'MessageEvent'");
    const init = dictionary(eventInitDict, "Failed to construct 'MessageEvent'");
    super(domString(type), ofEvent(init));
    const { data = null, lastEventId = '', origin = '', ports = [], source = null } = init;
    this.#data = data;
    this.#lastEventId = domString(lastEventId);
    this.#origin = usvString(origin);
    this.#ports = portsOf(ports);
    this.#source = sourceOf(source);
  }

  get data() {
    illegalUnless(#data in this);
    return this.#data;
  }

  get origin() {
    illegalUnless(#origin in this);
    return this.#origin;
  }

  get lastEventId() {
    illegalUnless(#lastEventId in this);
    return this.#lastEventId;
  }

  get source() {
    illegalUnless(#source in this);
    return this.#source;
  }

  get ports() {
    illegalUnless(#ports in this);
    return this.#ports;
  }

  /** Legacy: makes it another event, unless it is on its way. */
  initMessageEvent(
    type,
    bubbles = false,
    cancelable = false,
    data = null,
    origin = '',
    lastEventId = '',
    source = null,
    ports = [],
  ) {
    illegalUnless(#data in this);
    needArguments(arguments.length, 1, "Failed to execute 'initMessageEvent' on 'MessageEvent'");
    const [newType, newOrigin, newId] = [domString(type), usvString(origin), domString(lastEventId)];
    const [newSource, newPorts] = [sourceOf(source), portsOf(ports)];
    if (this.eventPhase !== Event.NONE) return;
    this.initEvent(newType, Boolean(bubbles), Boolean(cancelable));
    this.#data = data;
    this.#origin = newOrigin;
    this.#lastEventId = newId;
    this.#source = newSource;
    this.#ports = newPorts;
  }
}

Object.defineProperty(MessageEvent.prototype.initMessageEvent, 'length', { value: 1 });
makeInterface(CloseEvent, ['wasClean', 'code', 'reason']);
makeInterface(MessageEvent, ['data', 'origin', 'lastEventId', 'source', 'ports', 'initMessageEvent']);

/** An event that we have made ourselves, which `isTrusted` tells where the runtime lets us. */
function trusted(Interface, type, init) {
  return new Interface(type, TRUST ? { ...init, [TRUST]: true } : init);
}

/** What Event takes of it: Node's own takes no functions for dictionaries. */
function ofEvent(init) {
  const { bubbles, cancelable, composed } = init;
  return TRUST && init[TRUST] ? { [TRUST]: true } : { bubbles, cancelable, composed };
}

function findTrust() {
  let found;
  const look = (target, name) => {
    if (typeof name === 'symbol') found = name;
  };
  new Event('', new Proxy({}, { get: look }));
  return found?.description === 'kTrustEvent' ? found : undefined;
}

function portsOf(value) {
  const ports = [...value];
  if (ports.every(isPort)) return Object.freeze(ports);
  throw new TypeError("Failed to convert value to 'MessagePort'.");
}

/** MessageEventSource: there are no windows here. */
function sourceOf(value) {
  if (value == null) return null;
  if (isPort(value)) return value;
  throw new TypeError("The 'source' member must be a MessagePort or null.");
}

function isPort(value) {
  return value instanceof MessagePort;
}

function illegalUnless(isRight) {
  if (!isRight) throw new TypeError('Illegal invocation');
}

module.exports = { CloseEvent, MessageEvent, illegalUnless, trusted };
