'use strict';
// In which order handlers, next ticks and microtasks run: as with ws, since programs rely on it.

const assert = require('node:assert');
const { test } = require('node:test');
const { connect, finish, listen, next, ours, theirs } = require('./support');

/** What a socket hears up to its close, and when the next ticks and microtasks run that its handlers ask for. */
function watch(socket) {
  const steps = [];
  const heard = (what) => {
    steps.push(what);
    process.nextTick(() => {
      steps.push(`tick of ${what}`);
      queueMicrotask(() => steps.push(`microtask of the tick of ${what}`));
    });
    queueMicrotask(() => steps.push(`microtask of ${what}`));
    Promise.resolve().then(() => steps.push(`promise of ${what}`));
  };
  socket.on('message', (data) => heard(String(data)));
  socket.on('ping', (data) => heard(`ping ${data}`));
  return next(socket, 'close').then(([code]) => [...steps, `close ${code}`]);
}

/** What a socket of `Tested` goes through whose peer sends several frames at once, and the last ones with its close. */
async function story(Tested, isServer) {
  let tested;
  const lead = (peer) => {
    const atOnce = (send) => {
      peer._socket.cork();
      send();
      peer._socket.uncork();
    };
    peer.once('message', () => {
      atOnce(() => {
        for (const word of ['one', 'two']) peer.send(word);
        peer.ping('three');
        peer.send('four');
      });
      peer.once('message', () =>
        atOnce(() => {
          for (const word of ['five', 'six']) peer.send(word);
          peer.close(4000);
        }),
      );
    });
  };
  const follow = (socket) => {
    tested = watch(socket);
    socket.on('message', (data) => {
      if (String(data) === 'four') queueMicrotask(() => socket.send('go on'));
    });
    socket.send('begin');
  };
  const server = await listen(isServer ? Tested : theirs, isServer ? follow : lead);
  const socket = new (isServer ? theirs : Tested)(server.url, { perMessageDeflate: false });
  if (isServer) lead(socket);
  else socket.on('open', () => follow(socket));
  await next(socket, 'close');
  const steps = await tested;
  await finish(server);
  return steps;
}

for (const isServer of [false, true]) {
  test(`next ticks and microtasks run when they do with ws, in a ${isServer ? 'server' : 'client'}`, async () => {
    const expected = await story(theirs, isServer);
    assert.deepStrictEqual(await story(ours, isServer), expected);
    // What one read has brought is heard in one go; then come the ticks, and all of that before what the next one brings.
    const order = ['one', 'two', 'ping three', 'four', 'tick of one', 'microtask of one', 'five', 'tick of six', 'close 4000'];
    assert.deepStrictEqual(expected.filter((step) => order.includes(step)), order);
  });
}

test('what next ticks and microtasks answer leaves before the answer to the close frame that was there already', async () => {
  const server = await listen(ours, (socket) => {
    socket.on('message', (data) => {
      process.nextTick(() => socket.send(`tick of ${data}`));
      Promise.resolve().then(() => socket.send(`promise of ${data}`));
    });
  });
  const socket = await connect(theirs, server.url);
  const got = [];
  socket.on('message', (data) => got.push(String(data)));
  socket._socket.cork(); // so that all of it arrives at once
  for (const word of ['one', 'two']) socket.send(word);
  socket.close(1000);
  socket._socket.uncork();
  assert.strictEqual((await next(socket, 'close'))[0], 1000);
  assert.deepStrictEqual(got, ['tick of one', 'tick of two', 'promise of one', 'promise of two']);
  await finish(server);
});
