'use strict';
// Prints what a feed_server publishes, and comes back when the connection is lost: node feed_client.js URL FILTER [CA]
//
// FILTER is a topic, or several of them with + and # as in MQTT; CA a file with the authority to trust for wss://.

const fs = require('fs');

const WebSocket = require('sockline');

const [url, filter, ca] = process.argv.slice(2);
if (![4, 5].includes(process.argv.length)) {
  console.error('usage: feed_client.js URL FILTER [CA]');
  process.exit(2);
}

const socket = connect();

function connect() {
  try {
    return new WebSocket(url, { ca: ca && fs.readFileSync(ca), reconnect: { baseDelay: 500 } });
  } catch (error) {
    return fail(error.message);
  }
}

function fail(why) {
  console.error(`feed_client: ${why}`);
  process.exit(1);
}

/** A connection knows nothing of the one before it: the filter is sent again. */
function subscribe() {
  socket.send(filter);
}

socket.on('open', subscribe);
socket.on('reconnected', subscribe);
socket.on('message', (data) => console.log(data.toString()));
socket.on('reconnecting', ({ error, attempt, delay }) => {
  console.error(`lost (${error ? error.message : 'closed'}); attempt ${attempt} in ${delay} ms`);
});
socket.on('error', (error) => fail(error.message));
socket.on('close', (code, reason) => {
  if (reason.length > 0) fail(`closed with ${code}: ${reason}`);
});
