// What a Socket.IO server of the tests is and does as one of a cluster: $ADAPTER is the URL of Redis, $MODE classic, sharded or
// streams, $NAME what the node calls itself, $REQUESTS_TIMEOUT how long it waits for others; with $FORWARD, ours forward requests. $REDIS_ADAPTER, $REDIS_STREAMS_ADAPTER
// and $REDIS_EMITTER name other packages than the official ones. The events are told in peers/README.md.

const { ADAPTER, FORWARD, MODE = 'classic', NAME, REQUESTS_TIMEOUT = '5000' } = process.env;
const { REDIS_ADAPTER = '@socket.io/redis-adapter', REDIS_EMITTER = '@socket.io/redis-emitter' } = process.env;
const { REDIS_STREAMS_ADAPTER = '@socket.io/redis-streams-adapter' } = process.env;

const words = (text) => text.split(' ').filter(Boolean);
const whom = (from, to, except) => from.to(words(to)).except(words(except));

/** The options of a server that is one of a cluster, if it is to be, and what its sockets do there. */
export async function cluster() {
  if (!ADAPTER) return { options: {}, serve() {} };
  const { Redis } = await import('ioredis');
  const [publishing, subscribing] = [new Redis(ADAPTER), new Redis(ADAPTER)];
  await Promise.all([publishing, subscribing].map((client) => new Promise((resolve) => client.once('ready', resolve))));
  const { Emitter } = await import(REDIS_EMITTER);
  const emitter = new Emitter(publishing);
  return {
    options: { adapter: await adapter(publishing, subscribing), forwardRequests: Boolean(FORWARD) },
    serve: (io, namespace) => serve(io.of(namespace), emitter.of(namespace)),
  };
}

async function adapter(publishing, subscribing) {
  const options = { requestsTimeout: Number(REQUESTS_TIMEOUT) }; // which official ones know in the classic mode only
  if (MODE === 'streams') return (await import(REDIS_STREAMS_ADAPTER)).createAdapter(publishing, options);
  const { createAdapter, createShardedAdapter } = await import(REDIS_ADAPTER);
  return (MODE === 'sharded' ? createShardedAdapter : createAdapter)(publishing, subscribing, options);
}

function serve(namespace, emitter) {
  namespace.on('hello', (...values) => namespace.local.emit('heard', NAME, ...values));
  namespace.on('who', (...values) => values.pop()([NAME, ...values]));
  namespace.on('connection', (socket) => {
    socket.data.name = socket.handshake.auth.name;
    socket.on('node', (ack) => ack({ name: NAME, pid: process.pid, recovered: socket.recovered }));
    for (const [from, by] of [['do', namespace], ['emitter', emitter]]) order(socket, from, by);
    ask(socket, namespace);
  });
}

/** What needs no answer of others, so that an emitter does it as well. */
function order(socket, from, by) {
  socket.on(`${from}-broadcast`, (to, except, ...values) => whom(by, to, except).emit('said', ...values));
  socket.on(`${from}-join`, (to, except, rooms) => whom(by, to, except).socketsJoin(words(rooms)));
  socket.on(`${from}-leave`, (to, except, rooms) => whom(by, to, except).socketsLeave(words(rooms)));
  socket.on(`${from}-disconnect`, (to, except, close) => whom(by, to, except).disconnectSockets(close));
  socket.on(`${from}-server-emit`, (...values) => by.serverSideEmit('hello', ...values));
}

function ask(socket, namespace) {
  socket.on('do-local', (to, except, ...values) => whom(namespace.local, to, except).emit('said', ...values));
  socket.on('do-ask', (to, except, milliseconds, ...values) => {
    const ack = values.pop();
    whom(namespace, to, except).timeout(milliseconds).emit('question', ...values, (error, answers) => ack(answers, error ? 'partial' : 'complete'));
  });
  socket.on('do-fetch', async (to, except, ack) => {
    try {
      const sockets = await whom(namespace, to, except).fetchSockets();
      const found = sockets.map(({ id, rooms, data }) => ({ id, rooms: [...rooms].filter((room) => room !== id), data }));
      ack(found, sockets.missing ? 'partial' : 'complete');
    } catch {
      ack([], 'failed');
    }
  });
  socket.on('do-server-ask', (...values) => {
    const ack = values.pop();
    namespace.serverSideEmit('who', ...values, (error, answers) => ack(answers ?? [], error ? 'partial' : 'complete'));
  });
  socket.on('do-count', async (ack) => ack(await namespace.adapter.serverCount()));
}
