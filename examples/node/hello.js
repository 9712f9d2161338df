'use strict';
// The first connection: says hello, prints what comes back, closes. node hello.js URL

const WebSocket = require('sockline');

const ws = new WebSocket(process.argv[2]);
ws.onopen = () => ws.send('hello');
ws.onmessage = ({ data }) => {
  console.log(data);
  ws.close();
};
ws.onerror = ({ message }) => {
  console.error(`hello: ${message}`);
  process.exitCode = 1;
};
