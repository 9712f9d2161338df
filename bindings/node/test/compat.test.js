'use strict';
// The tables in docs/compat are true, and no name of the packages is left out.

const assert = require('node:assert');
const fs = require('node:fs');
const test = require('node:test');

const { Said, members, untrue } = require('./compat/tables');
const { typeSection } = require('./compat/types');
const { PAGES, compared } = require('./compat/write');

const sockline = require('sockline');
const { Server } = require('sockline/socket.io');

for (const name of Object.keys(PAGES)) {
  test(`${name}: what the tables say is so`, async () => {
    const { lies, said, text } = await compared(name);
    assert.deepStrictEqual(lies, []);
    assert.strictEqual(fs.readFileSync(said.page, 'utf8'), text, 'out of date: make compat');
  });
}

test('what is in no list, or said wrongly, is noticed', () => {
  const names = [
    { name: 'newName', found: 'missing' },
    { name: 'options', found: 'refused' },
    { name: 'close', found: 'supported', difference: 'has 0 arguments, not 1' },
    { name: 'completeUpgrade', found: 'missing', today: 'ignored' },
  ];
  const [first, second, third, fourth] = untrue(new Said('ws'), [{ title: 'WebSocketServer', names }]);
  assert.strictEqual(first, 'WebSocketServer: newName is missing, and the list says supported');
  assert.strictEqual(second, 'WebSocketServer: options is refused, and the list says differs');
  assert.strictEqual(third, 'WebSocketServer: close differs, and is in no list: has 0 arguments, not 1');
  assert.match(fourth, /^WebSocketServer: completeUpgrade is ignored, and the list says /);
});

test('what is in a list without being a name is noticed', () => {
  const lies = untrue(new Said('ws'), []);
  assert.ok(lies.includes('WebSocket: send is in a list, and there is no such name'));
});

test('other arguments are noticed', () => {
  const theirs = { same() {}, fewer(a, b) {}, value: 1, absent() {} };
  const ours = { same() {}, fewer(a) {}, value() {}, more() {} };
  const { names, added } = members('x', theirs, ours);
  assert.deepStrictEqual(added, ['more']);
  assert.deepStrictEqual(Object.fromEntries(names.map(({ name, found, difference }) => [name, difference || found])), {
    absent: 'missing',
    fewer: 'has 1 arguments, not 2',
    same: 'supported',
    value: 'is of the type function, not number',
  });
  const official = new Map([['call', [{ least: 0, most: 2 }]], ['rest', [{ least: 1, most: Infinity }]]]);
  const own = new Map([['call', [{ least: 0, most: 0 }, { least: 2, most: 2 }]], ['rest', [{ least: 1, most: 3 }]]]);
  assert.deepStrictEqual(
    typeSection('x', { official, own }).names.map(({ difference }) => difference),
    ["can't be called with 1 arguments", "can't be called with Infinity arguments"],
  );
});

function compressing(perMessageDeflate) {
  return new sockline('ws://127.0.0.1:1', { perMessageDeflate });
}

for (const [what, use] of Object.entries({
  'a reader of frames': () => new sockline.Receiver(),
  'a writer of frames': () => new sockline.Sender(),
  'a compressor': () => new sockline.PerMessageDeflate(),
  'another default port': () => new sockline('ws://127.0.0.1:1', { defaultPort: 81 }),
  'no header Host': () => new sockline('ws://127.0.0.1:1', { setHost: false }),
  'names looked up here, with a proxy': () => new sockline('ws://name.test', { lookup() {}, proxy: 'http://127.0.0.1:1' }),
  'requests changed here, with reconnect': () => new sockline('ws://127.0.0.1:1', { finishRequest() {}, reconnect: true }),
  'a context that has to be kept': () => compressing({ clientNoContextTakeover: false }),
  'a strategy of zlib': () => compressing({ zlibDeflateOptions: { strategy: 1 } }),
  'transports over HTTP/3': () => new Server(0, { transports: ['webtransport'] }),
  'adapters of others, with recovery': () => new Server(0, { adapter: class {}, connectionStateRecovery: {} }),
})) {
  test(`${what}: refused, as the tables say`, () => {
    assert.throws(use, { code: 'SOCKLINE_ERR_UNSUPPORTED' });
  });
}
