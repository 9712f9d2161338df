// What an implementation of the browsers' WebSocket does, told by itself: the same questions to each of them, browsers too.
// `Api` is { WebSocket, CloseEvent, MessageEvent }, `url` that of an echo server; answers are JSON.
//
// The server echoes, chooses the subprotocol 'b', and does what a text asks it to: 'close 3001 why', 'break' (the protocol).

/** The error that a call throws, by its class and name; 'nothing' for none. */
function thrown(call) {
  try {
    call();
    return 'nothing';
  } catch (error) {
    return error instanceof DOMException ? `DOMException ${error.name}` : error.constructor.name;
  }
}

function soon(socket, type) {
  return new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));
}

function constructing({ WebSocket }, url) {
  const answers = {};
  const ask = (name, make) => (answers[name] = thrown(() => make().close()));
  const bad = ['ws://foo bar.com/', 'ftp://localhost/', 'about:blank', 'mailto:a@b.c', 'ws://a:99999/', 'ws://'];
  for (const text of [...bad, `${url}#`, `${url}#x`]) ask(text.replace(url, ''), () => new WebSocket(text));
  const lists = [[], ['a', 'b'], ['a', 'a'], ['a', 'A'], [''], [{}], [null]];
  const protocols = ['', ' ', 'a b', 'a,b', 'ä', '\u0000', 'a', ...lists, null, undefined, {}, 5];
  for (const names of protocols) ask(`protocols ${JSON.stringify(names) ?? names}`, () => new WebSocket(url, names));
  ask('protocols of a set', () => new WebSocket(url, new Set(['x', 'y'])));
  ask('protocols with a bad iterator', () => new WebSocket(url, { [Symbol.iterator]: 1 }));
  ask('protocols with a symbol', () => new WebSocket(url, [Symbol('x')]));
  answers['no argument'] = thrown(() => new WebSocket());
  answers['without new'] = thrown(() => WebSocket(url));
  answers['a symbol'] = thrown(() => new WebSocket(Symbol('x')));
  const made = (text) => {
    const socket = new WebSocket(text);
    socket.close();
    return socket.url;
  };
  answers['url of http'] = made(url.replace('ws:', 'http:')) === made(url);
  answers['url with spaces'] = made(`${url}a b?c d`).replace(url, '');
  answers['url with a lone surrogate'] = made(`${url}\ud800`).replace(url, '');
  answers['url of an object'] = made({ toString: () => `${url}x` }).replace(url, '');
  answers['url with a name'] = made('wss://me:you@LOCALHOST:443/x');
  return answers;
}

async function closing({ WebSocket }, url) {
  const answers = {};
  const numbers = [0, 500, 999, 1000, 1001, 1005, 2999, 3000, 4999, 5000, NaN, 66536, -1, 999.5, 2999.5, 1000.5];
  const codes = [...numbers, null, 'x', '1000', true, {}];
  for (const code of codes) {
    const socket = new WebSocket(url);
    answers[`close(${typeof code} ${String(code)})`] = thrown(() => socket.close(code));
    socket.close();
  }
  const socket = new WebSocket(url);
  answers['close(1n)'] = thrown(() => socket.close(1n));
  answers['close of a symbol'] = thrown(() => socket.close(1000, Symbol('x')));
  answers['reason of 124 bytes'] = thrown(() => socket.close(1000, 'x'.repeat(124)));
  answers['reason of 41 characters, 123 bytes, and one'] = thrown(() => socket.close(1000, '€'.repeat(41) + 'x'));
  answers['state after all that'] = socket.readyState;
  answers['reason of 123 bytes'] = thrown(() => socket.close(1000, '€'.repeat(41)));
  answers['state then'] = socket.readyState;
  const order = [];
  for (const type of ['open', 'error', 'close']) socket.addEventListener(type, ({ type }) => order.push(type));
  const { code, reason, wasClean } = await soon(socket, 'close');
  return { ...answers, end: { order, code, reason, wasClean } };
}

async function ending({ WebSocket }, url) {
  const answers = {};
  const end = async (name, act) => {
    const socket = new WebSocket(url);
    const events = [];
    for (const type of ['message', 'error', 'close']) socket.addEventListener(type, () => events.push([type, socket.readyState]));
    await soon(socket, 'open');
    const closed = soon(socket, 'close');
    const error = thrown(() => act(socket));
    if (error !== 'nothing') socket.close();
    const { code, reason, wasClean } = await closed;
    answers[name] = { error, events, code, reason, wasClean };
  };
  await end('close()', (socket) => socket.close());
  await end('close(3000, …)', (socket) => socket.close(3000, 'a\ud800b'));
  await end('close(undefined, reason)', (socket) => socket.close(undefined, 'why'));
  await end('close(1000, null)', (socket) => socket.close(1000, null));
  await end('send, close', (socket) => {
    socket.send('hello');
    socket.close();
  });
  await end('server closes', (socket) => socket.send('close 3001 why'));
  await end('server breaks the protocol', (socket) => socket.send('break'));
  return answers;
}

async function sending({ WebSocket }, url) {
  const answers = {};
  const socket = new WebSocket(url);
  answers['while connecting'] = thrown(() => socket.send('x'));
  answers['nothing, while connecting'] = thrown(() => socket.send());
  answers['a symbol, while connecting'] = thrown(() => socket.send(Symbol('x')));
  await soon(socket, 'open');
  socket.binaryType = 'arraybuffer';
  answers.nothing = thrown(() => socket.send());
  const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  const forms = {
    string: 'κόσμε',
    surrogates: 'a\udc00xb\ud800xc\udc00\ud800x\ud83d\ude00',
    empty: '',
    number: 1,
    null: null,
    undefined: undefined,
    object: {},
    array: [1, 2],
    blob: new Blob(['abc', bytes]),
    'array buffer': bytes.buffer,
    'part of a view': bytes.subarray(2, 5),
    'data view': new DataView(bytes.buffer, 1, 2),
    doubles: new Float64Array([1.5]),
  };
  for (const [name, data] of Object.entries(forms)) {
    const before = socket.bufferedAmount;
    const result = socket.send(data);
    const amount = socket.bufferedAmount - before;
    await null;
    const { data: got } = await soon(socket, 'message');
    const told = typeof got === 'string' ? got : [...new Uint8Array(got)];
    answers[name] = { result: String(result), amount, got: told, after: socket.bufferedAmount };
  }
  // In order, also behind a Blob, whatever becomes of the memory.
  const got = [];
  const all = new Promise((resolve) => {
    socket.onmessage = ({ data }) => got.push(typeof data === 'string' ? data : data.byteLength) === 4 && resolve();
  });
  socket.send(new Blob(['x'.repeat(100_000)]));
  socket.send('behind');
  const changing = new Uint8Array(3);
  socket.send(changing);
  socket.send(new Blob([]));
  await all;
  answers['behind a blob'] = got;
  const closed = soon(socket, 'close');
  socket.close();
  socket.send('κό');
  socket.send(new Blob(['abc']));
  answers['after close()'] = [socket.bufferedAmount, thrown(() => socket.send())];
  await closed;
  socket.send(bytes);
  answers['after the end'] = socket.bufferedAmount;
  return answers;
}

async function receiving({ WebSocket, MessageEvent, CloseEvent }, url) {
  const answers = {};
  const socket = new WebSocket(url, ['a', 'b']);
  answers.before = [socket.binaryType, socket.protocol, socket.extensions, socket.readyState, socket.bufferedAmount];
  const opened = await soon(socket, 'open');
  answers.opened = [opened.toString(), opened.constructor === Event, opened.isTrusted, opened.bubbles, opened.cancelable];
  answers.after = [socket.protocol, socket.readyState, typeof socket.extensions];
  for (const type of ['notBlobOrArrayBuffer', 'arraybuffer', 'BLOB', '', null, undefined, 'blob', { toString: () => 'arraybuffer' }]) {
    socket.binaryType = type;
    answers[`binaryType ${typeof type === 'object' ? typeof type : type}`] = socket.binaryType;
  }
  answers['binaryType of a symbol'] = thrown(() => (socket.binaryType = Symbol('x')));
  const ask = async (data) => {
    socket.send(data);
    return soon(socket, 'message');
  };
  const message = await ask(new Uint8Array(3));
  answers.message = [message.toString(), message instanceof MessageEvent, message.isTrusted, message.bubbles, message.cancelable];
  answers['message, too'] = [message.origin === new URL(url).origin, message.lastEventId, message.source, message.ports.length];
  answers.data = [message.data.constructor.name, message.data.byteLength];
  socket.binaryType = 'blob';
  const { data: blob } = await ask(new Uint8Array(4));
  answers.blob = [blob.constructor.name, blob.size, blob.type];
  const closed = soon(socket, 'close');
  socket.close();
  const end = await closed;
  answers.end = [end.toString(), end instanceof CloseEvent, end.isTrusted, end.bubbles, end.cancelable];
  return answers;
}

async function handlers({ WebSocket }, url) {
  const answers = {};
  const socket = new WebSocket(url);
  for (const type of ['open', 'error', 'close', 'message']) {
    const name = `on${type}`;
    const got = [socket[name]];
    for (const value of [() => {}, 2, {}, { handleEvent() {} }, 'x', undefined, null, [], class {}]) {
      socket[name] = value;
      got.push(socket[name] === value);
    }
    socket[name] = null;
    answers[name] = got;
  }
  const order = [];
  const note = (name) =>
    function noted() {
      order.push(`${name} ${this === socket}`);
      return false;
    };
  socket.onopen = note('first, replaced');
  socket.addEventListener('open', note('second'));
  socket.onopen = note('first');
  socket.onclose = note('close, taken away');
  socket.onclose = null;
  socket.addEventListener('open', { handleEvent: () => order.push('object') });
  socket.onmessage = { handleEvent: () => order.push('never') };
  await soon(socket, 'open');
  socket.send('x');
  await soon(socket, 'message');
  answers.order = order;
  // Between two messages that come together there are microtasks, as they are tasks of their own.
  const steps = [];
  const second = new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      steps.push(`message ${data}`);
      Promise.resolve().then(() => steps.push(`microtask ${data}`) === 4 && resolve());
    };
  });
  socket.send('1');
  socket.send('2');
  await second;
  answers.steps = steps;
  const event = new Event('open', { cancelable: true });
  socket.onopen = () => false;
  answers.cancelled = [socket.dispatchEvent(event), event.defaultPrevented, event.isTrusted];
  socket.onclose = () => {
    socket.close();
    answers.inClose = socket.readyState;
  };
  const closed = soon(socket, 'close');
  socket.close();
  await closed;
  return answers;
}

function shape({ WebSocket, CloseEvent, MessageEvent }, url) {
  const answers = {};
  const socket = new WebSocket(url);
  socket.close();
  const classes = { WebSocket, CloseEvent, MessageEvent };
  for (const [name, Class] of Object.entries(classes)) {
    const members = {};
    for (const key of Object.getOwnPropertyNames(Class.prototype).sort()) {
      const { value, writable, enumerable, configurable, get, set } = Object.getOwnPropertyDescriptor(Class.prototype, key);
      const kind = get ? `accessor ${get.name} ${set ? set.length : '-'}` : typeof value === 'function' ? `method ${value.length}` : String(value);
      members[key] = [kind, writable, enumerable, configurable].map(String).join(' ');
    }
    answers[name] = {
      members,
      name: Class.name,
      length: Class.length,
      tag: Class.prototype[Symbol.toStringTag],
      parent: Object.getPrototypeOf(Class).name,
      prototype: Object.getOwnPropertyDescriptor(Class, 'prototype').writable,
    };
  }
  for (const name of ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']) {
    answers[name] = Object.getOwnPropertyDescriptor(WebSocket, name);
  }
  answers.own = Object.getOwnPropertyNames(socket);
  answers.text = Object.prototype.toString.call(socket);
  answers.isTarget = socket instanceof EventTarget;
  answers.illegal = {};
  for (const key of Object.keys(Object.getOwnPropertyDescriptors(WebSocket.prototype))) {
    const { get, set, value } = Object.getOwnPropertyDescriptor(WebSocket.prototype, key);
    if (get) answers.illegal[`get ${key}`] = thrown(() => get.call({}));
    if (set) answers.illegal[`set ${key}`] = thrown(() => set.call({}, null));
    if (typeof value === 'function' && key !== 'constructor') answers.illegal[key] = thrown(() => value.call({}, 'x'));
  }
  answers.strict = thrown(() => {
    'use strict';
    socket.readyState = 5;
  });
  return answers;
}

function events({ CloseEvent, MessageEvent }) {
  const read = (event, names) => Object.fromEntries(names.map((name) => [name, event[name]]));
  const CLOSE = ['type', 'bubbles', 'cancelable', 'isTrusted', 'wasClean', 'code', 'reason'];
  const MESSAGE = ['type', 'bubbles', 'data', 'origin', 'lastEventId', 'source'];
  const close = (...args) => read(new CloseEvent(...args), CLOSE);
  const initialized = new MessageEvent('x');
  initialized.initMessageEvent('y', true, false, 5, 'o', 'id');
  return {
    close: close('close'),
    'close with all': close('x', { wasClean: 1, code: 65536 + 7, reason: 'a\ud800', bubbles: true, cancelable: true }),
    'close with little': close('x', { code: '12.7', reason: null, wasClean: undefined }),
    'close with -1': close('x', { code: -1 }),
    'close of null': close(null, null),
    'close of undefined': close(undefined, undefined),
    'close without arguments': thrown(() => new CloseEvent()),
    'close with a number': thrown(() => new CloseEvent('x', 5)),
    'close with a function': thrown(() => new CloseEvent('x', () => {})),
    'close of a symbol': thrown(() => new CloseEvent(Symbol('x'))),
    message: read(new MessageEvent('message'), MESSAGE),
    'message with all': read(new MessageEvent('x', { data: [1], origin: 'o\ud800', lastEventId: 7, source: null, ports: [] }), MESSAGE),
    'message without arguments': thrown(() => new MessageEvent()),
    'message with bad ports': thrown(() => new MessageEvent('x', { ports: [1] })),
    'message with ports that are none': thrown(() => new MessageEvent('x', { ports: 1 })),
    'message with a bad source': thrown(() => new MessageEvent('x', { source: {} })),
    'ports are frozen': Object.isFrozen(new MessageEvent('x').ports),
    'ports are the same': ((event) => event.ports === event.ports)(new MessageEvent('x')),
    initialized: read(initialized, MESSAGE),
    'initialized with nothing': thrown(() => initialized.initMessageEvent()),
  };
}

export const PROBES = { constructing, closing, ending, sending, receiving, handlers, shape, events };

/** All answers, as JSON can hold them; 'hung' of a probe whose events have not come in time. */
export async function probe(Api, url, limit = 20_000) {
  const answers = {};
  for (const [name, ask] of Object.entries(PROBES)) {
    const late = new Promise((resolve) => setTimeout(resolve, limit, 'hung').unref?.());
    const answer = await Promise.race([Promise.resolve(ask(Api, url)).catch(String), late]);
    answers[name] = JSON.parse(JSON.stringify(answer));
  }
  return answers;
}
