'use strict';
// The client under test of Autobahn|Testsuite's fuzzing server: node autobahn_client.js URL
// Asks for the number of cases, runs each with every message echoed, and has the reports written.

const WebSocket = require('sockline');

const AGENT = 'sockline';
const url = process.argv[2].replace(/\/$/, '');

/** Runs one connection to its end; resolves to the last message of one that does not echo. */
function run(path, echo) {
  return new Promise((resolve) => {
    let answer = '';
    const socket = new WebSocket(url + path, { maxPayload: 64 << 20, maxFragments: 0 });
    socket.on('message', (data, isBinary) => {
      if (echo) socket.send(data, { binary: isBinary });
      else answer = data.toString();
    });
    // Most cases end with an error on purpose; the suite judges whether it was the right one.
    socket.on('error', (error) => console.error(`${path}: ${error.message}`));
    socket.on('close', () => resolve(answer));
  });
}

async function runAll() {
  const count = Number(await run('/getCaseCount', false));
  for (let number = 1; number <= count; number++) {
    await run(`/runCase?case=${number}&agent=${AGENT}`, true);
  }
  await run(`/updateReports?agent=${AGENT}`, false);
  console.log(`ran ${count} cases`);
}

runAll();
