'use strict';
// Sends COUNT events `msg`, checks the answers and prints the rate: node io_echo_client.js URL COUNT

const { io } = require('sockline/socket.io-client');

const IN_FLIGHT = 16; // at most so many events are on their way at once

const [url, ...numbers] = process.argv.slice(2);
const count = Number(numbers[0]);
if (numbers.length !== 1 || !Number.isInteger(count) || count < 0) {
  console.error('usage: io_echo_client.js URL COUNT');
  process.exit(2);
}

const socket = connect();
let start = 0;
let sent = 0;
let answered = 0;

function connect() {
  try {
    return io(url, { reconnection: false });
  } catch (error) {
    return fail(error.message); // the URL is none
  }
}

function sendMore() {
  for (; sent < Math.min(count, answered + IN_FLIGHT); sent++) {
    const text = `event number ${sent}`;
    socket.emit('msg', text, (answer) => {
      if (answer !== text) fail('an answer differs from what was sent');
      answered++;
      if (answered === count) finish();
      else sendMore();
    });
  }
}

function finish() {
  const seconds = (performance.now() - start) / 1000;
  console.log(`${count} events in ${seconds.toFixed(3)} s: ${Math.round(count / seconds)} events/s`);
  socket.disconnect();
}

function fail(why) {
  console.error(`io_echo_client: ${why}`);
  process.exit(1);
}

socket.on('connect', () => {
  start = performance.now();
  if (count === 0) finish();
  sendMore();
});
socket.on('connect_error', (error) => fail(error.cause?.message ?? error.message));
socket.on('disconnect', (reason) => {
  if (answered < count) fail(`${reason} after ${answered} of ${count} answers`);
});
