'use strict';
// Requests whose answers fail: prints what each client got, and what was uncaught.

const { WebSocketServer } = require('sockline');

const ANSWERS = {
  '/throw': () => {
    throw new Error('on purpose');
  },
  '/reject': () => Promise.reject(new Error('on purpose')),
  '/status': () => ({ status: 99 }),
  '/body': async () => ({ body: {} }),
};

let uncaught;
process.on('uncaughtException', (error) => (uncaught = error.message)); // rejections nobody handles come here, too

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', request: ({ url }) => ANSWERS[url]() });
server.on('listening', async () => {
  const got = {};
  for (const target of Object.keys(ANSWERS)) {
    const { status } = await fetch(`http://127.0.0.1:${server.address().port}${target}`);
    await new Promise(setImmediate);
    got[target] = [status, uncaught];
    uncaught = undefined;
  }
  console.log(JSON.stringify(got));
  server.close();
  process.exit();
});
