// Chromium's own WebSocket as a client of an echo server: node chromium_client.js URL SCENARIO
// The scenarios are in ../README.md; a page can neither ping nor fragment, so those two are not here.
// $CHROMIUM names another browser than /usr/bin/chromium, $CHROMIUM_FLAGS more flags for it.

import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { chromium } from 'playwright-core';
import { CONNECTIONS } from './fixtures.js';
import { run } from './run.js';
import { scenarios } from './scenarios.js';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const names = Object.keys(scenarios(null, 0));
run('chromium', Object.fromEntries(names.map((name) => [name, (url) => inBrowser(url, name)])));

async function inBrowser(url, name) {
  const pages = await servePages();
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...FLAGS, ...(process.env.CHROMIUM_FLAGS?.split(' ') ?? [])],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${pages.address().port}/`);
    return await page.evaluate(
      async ([url, name, connections]) => {
        const { scenarios } = await import('/scenarios.js');
        return scenarios(WebSocket, connections)[name](url);
      },
      [url, name, CONNECTIONS.chromium],
    );
  } finally {
    await browser.close();
    pages.close();
  }
}

/** The page has an origin like any other, and imports the same modules as Node. */
async function servePages() {
  const modules = new Set(['/scenarios.js', '/fixtures.js']);
  const server = http.createServer(async (request, response) => {
    if (request.url === '/') {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>interop</title>');
    } else if (modules.has(request.url)) {
      const source = await readFile(new URL(`.${request.url}`, import.meta.url));
      response.writeHead(200, { 'Content-Type': 'text/javascript; charset=utf-8' }).end(source);
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
