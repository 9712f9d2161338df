// The typed example of Socket.IO's documentation (https://socket.io/docs/v4/typescript/), with other names of packages.

import { createServer } from 'http';
import { Server } from 'sockline/socket.io';
import { io as connect, Socket } from 'sockline/socket.io-client';

interface ServerToClientEvents {
  noArg: () => void;
  basicEmit: (a: number, b: string, c: Buffer) => void;
  withAck: (d: string, callback: (e: number) => void) => void;
}

interface ClientToServerEvents {
  hello: () => void;
}

interface InterServerEvents {
  ping: () => void;
}

interface SocketData {
  name: string;
  age: number;
}

const io = new Server<ClientToServerEvents, ServerToClientEvents, InterServerEvents, SocketData>();

io.on('connection', (socket) => {
  socket.emit('noArg');
  socket.emit('basicEmit', 1, '2', Buffer.from([3]));
  socket.emit('withAck', '4', (e) => {
    // e is inferred as number
    e.toFixed();
  });

  // works when broadcast to all
  io.emit('noArg');

  // works when broadcasting to a room
  io.to('room1').emit('basicEmit', 1, '2', Buffer.from([3]));

  socket.on('hello', () => {});
  socket.data.name = 'john';
  socket.data.age = 42;
});

io.serverSideEmit('ping');
io.on('ping', () => {});

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = connect('http://localhost');

socket.emit('hello');

socket.on('noArg', () => {});

socket.on('basicEmit', (a, b, c) => {
  // a is inferred as number, b as string and c as buffer
  console.log(a.toFixed(), b.length, c.byteLength);
});

socket.on('withAck', (d, callback) => {
  // d is inferred as string and callback as a function that takes a number as argument
  callback(d.length);
});

// Custom types for each namespace

interface NamespaceSpecificClientToServerEvents {
  foo: (arg: string) => void;
}

interface NamespaceSpecificServerToClientEvents {
  bar: (arg: string) => void;
}

const myNamespace = io.of('/my-namespace');
myNamespace.on('connection', (socket) => socket.on('hello', () => {}));

type MyServer = Server<NamespaceSpecificClientToServerEvents, NamespaceSpecificServerToClientEvents>;
const other: MyServer = new Server(createServer());
other.on('connection', (socket) => {
  socket.on('foo', (arg) => arg.length);
  socket.emit('bar', '123');
});

// Acknowledgements with a timeout, and promises

async function acknowledgements() {
  io.on('connection', async (socket) => {
    socket.timeout(5000).emit('withAck', '4', (err, e) => {
      if (err) console.log(err.message);
      else e.toFixed();
    });
    const answer: number = await socket.timeout(5000).emitWithAck('withAck', '4');
    const answers: number[] = await io.timeout(5000).emitWithAck('withAck', '4');
    io.to('room1').timeout(5000).emit('withAck', '4', (err, responses) => {
      console.log(err, responses.map((response) => response.toFixed()), answer, answers);
    });
  });
}

// What is wrong is an error.

io.on('connection', async (socket) => {
  // @ts-expect-error no such event
  socket.emit('noarg');
  // @ts-expect-error it has no arguments
  socket.emit('noArg', 1);
  // @ts-expect-error the arguments are in another order
  socket.emit('basicEmit', '2', 1, Buffer.from([3]));
  // @ts-expect-error the answer is a number
  socket.emit('withAck', '4', (e: string) => e.length);
  // @ts-expect-error with a timeout, an error comes first
  socket.timeout(5000).emit('withAck', '4', (e: number) => e.toFixed());
  // @ts-expect-error nobody answers it
  await socket.emitWithAck('noArg');
  // @ts-expect-error the answer is a number
  const text: string = await socket.emitWithAck('withAck', '4');
  // @ts-expect-error the callback is the promise's
  await socket.emitWithAck('withAck', '4', () => {});
  // @ts-expect-error of the other direction
  socket.on('noArg', () => {});
  // @ts-expect-error it has no arguments
  socket.on('hello', (name: string) => name);
  // @ts-expect-error an age is a number
  socket.data.age = '42';
  // @ts-expect-error no such data
  socket.data.surname = 'doe';
  // @ts-expect-error no such event
  socket.to('room1').emit('hello');
  console.log(text);
});
// @ts-expect-error an event for clients
io.serverSideEmit('noArg');
// @ts-expect-error without a timeout nobody could be waited for
io.emit('withAck', '4', (e: number) => e.toFixed());
// @ts-expect-error of the other direction
socket.emit('noArg');
// @ts-expect-error no such event
socket.on('basicemit', () => {});
// @ts-expect-error b is a string
socket.on('basicEmit', (a: number, b: number) => a + b);
// @ts-expect-error an option of another kind
new Server({ pingInterval: '1000' });
// @ts-expect-error WebSockets are the engine's own
new Server({ wsEngine: Object });
// @ts-expect-error an option of another kind
connect('http://localhost', { reconnection: 'yes' });

console.log(acknowledgements);
