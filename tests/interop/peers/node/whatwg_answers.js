// What Chromium's WebSocket answers to the questions of bindings/node/test/whatwg/probes.mjs, as JSON: node whatwg_answers.js
// $CHROMIUM names another browser than /usr/bin/chromium.

import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { chromium } from 'playwright-core';
import { WebSocketServer } from 'ws';

const PROBES = new URL('../../../../bindings/node/test/whatwg/probes.mjs', import.meta.url);
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'];

/** The server that the probes ask for. */
function serve() {
  const handleProtocols = (offered) => (offered.has('b') ? 'b' : [...offered][0]);
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => {
      const [order, code, reason] = isBinary ? [] : String(data).split(' ');
      if (order === 'close' && code) socket.close(Number(code), reason);
      else if (order === 'break') socket._socket.write(Buffer.from([0x83, 0])); // a reserved opcode
      else socket.send(data, { binary: isBinary });
    });
  });
  return new Promise((resolve) => server.on('listening', () => resolve(server)));
}

async function servePages() {
  const server = http.createServer(async (request, response) => {
    const isPage = request.url === '/';
    response.writeHead(200, { 'Content-Type': isPage ? 'text/html' : 'text/javascript; charset=utf-8' });
    response.end(isPage ? '<!doctype html><title>probes</title>' : await readFile(PROBES));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const [server, pages] = await Promise.all([serve(), servePages()]);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);
  const answers = await page.evaluate(async (url) => {
    const { probe } = await import('/probes.mjs');
    return probe({ WebSocket, CloseEvent, MessageEvent }, url);
  }, `ws://127.0.0.1:${server.address().port}/`);
  console.log(JSON.stringify(answers));
} finally {
  await browser.close();
  pages.close();
  for (const socket of server.clients) socket.terminate();
  server.close();
}
