// The Socket.IO server of the interop tests, in whichever package with the official API: socketio_server.js PORT [OPTIONS]
//
// OPTIONS is JSON, for the Server; with "parser": "msgpack" that parser is used. $SOCKETIO names the package. It prints
// `listening PORT`. What its events do is said in peers/README.md; other servers of the tests do the same.

import { cluster } from './socketio_cluster.js';

const { Server } = await import(process.env.SOCKETIO ?? 'socket.io');

const [port, given = '{}'] = process.argv.slice(2);
const options = JSON.parse(given);
if (options.parser === 'msgpack') options.parser = (await import('socket.io-msgpack-parser')).default;

const node = await cluster();

const io = new Server(Number(port), { ...options, ...node.options });
for (const namespace of ['/', '/admin']) node.serve(io, namespace);
const { httpServer } = io;
if (!httpServer.listening) await new Promise((resolve) => httpServer.once('listening', resolve));
console.log(`listening ${httpServer.address().port}`);

io.on('connection', serve);

io.of('/admin').use((socket, next) => {
  if (socket.handshake.auth.token === 'secret') return next();
  const error = new Error('not allowed');
  error.data = { code: 7 };
  return next(error);
});
io.of('/admin').on('connection', serve);
io.of(/^\/dynamic-\d+$/).on('connection', serve);

function serve(socket) {
  socket.on('echo', (...values) => values.pop()(...values));
  socket.on('bounce', (...values) => socket.emit('bounced', ...values));
  socket.on('ask', async (...values) => socket.emit('answer', await socket.emitWithAck('question', ...values)));
  socket.on('ask-timeout', (milliseconds) => {
    socket.timeout(milliseconds).emit('unanswered', (error) => socket.emit('answer', error ? 'timeout' : 'in time'));
  });
  socket.on('join', async (room, done) => done(await socket.join(room)));
  socket.on('leave', async (room, done) => done(await socket.leave(room)));
  socket.on('rooms', (done) => done([...socket.rooms].filter((room) => room !== socket.id).sort()));
  socket.on('say', (room, ...values) => socket.to(room).emit('said', ...values));
  socket.on('say-except', (room, ...values) => socket.nsp.except(room).emit('said', ...values));
  socket.on('all', (...values) => socket.nsp.emit('all', ...values));
  socket.on('ask-room', (room, done) => {
    socket.nsp.to(room).timeout(5000).emit('question', 'all', (error, answers) => done(error ? 'timeout' : answers.sort()));
  });
  socket.on('who', (done) => done({ auth: socket.handshake.auth, who: socket.handshake.query.who ?? null }));
  socket.on('from', (done) => {
    const { address, headers } = socket.handshake;
    done({ address, forwarded: headers['x-forwarded-for'] ?? null });
  });
  socket.on('members', async (room, done) => done((await socket.nsp.in(room).fetchSockets()).length));
  socket.on('kick', (close) => socket.disconnect(close));
}
