// A page of version 2 of the client in Chromium, from another origin than the server's and without CORS, which polls by script tags
// and forms (forceJSONP): socketio_v2_page.js URL
//
// It prints `ok NAME` for each scenario, and ends with the first that fails. $CHROMIUM is another browser than /usr/bin/chromium.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [url] = process.argv.slice(2);
const bundle = await readFile(createRequire(import.meta.url).resolve('socket.io-client-v2/dist/socket.io.js'));

const pages = http.createServer((request, response) => {
  const isBundle = request.url === '/socket.io.js';
  response.writeHead(200, { 'Content-Type': isBundle ? 'text/javascript; charset=utf-8' : 'text/html; charset=utf-8' });
  response.end(isBundle ? bundle : '<!doctype html><title>version 2</title><script src="/socket.io.js"></script>');
});
await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));

/** Events that come back from the server, each after the other. */
const bounce = (page, values) =>
  page.evaluate(
    async ([url, values]) => {
      const socket = globalThis.io(url, { forceNew: true, forceJSONP: true, transports: ['polling'], reconnection: false });
      const got = [];
      await new Promise((resolve, reject) => {
        socket.on('connect_error', () => reject(new Error('not connected')));
        socket.on('disconnect', (reason) => reject(new Error(reason)));
        socket.on('bounced', (value) => {
          got.push(value instanceof ArrayBuffer ? { bytes: [...new Uint8Array(value)] } : value);
          if (got.length === values.length) resolve();
        });
        for (const value of values) socket.emit('bounce', value?.bytes ? new Uint8Array(value.bytes).buffer : value);
      });
      socket.off('disconnect');
      socket.close();
      return got;
    },
    [url, values],
  );

const scenarios = {
  async 'texts with ends of lines, quotes and what forms and scripts take for something else'(page) {
    const values = ['κόσμε €😀', '\n', '\\n', '\\\\n\n\\', 'a\r\nb', '\u2028\u2029', '"\'</script>', 'a&b=c+d%20%', '', null];
    assert.deepEqual(await bounce(page, values), values);
  },

  async 'binary values'(page) {
    const values = [{ bytes: [0, 1, 10, 92, 110, 255] }, { bytes: Array(3000).fill(7) }];
    assert.deepEqual(await bounce(page, values), values);
  },

  async 'many events in their order'(page) {
    const values = Array.from({ length: 200 }, (_, i) => i);
    assert.deepEqual(await bounce(page, values), values);
  },

  async 'all that came from the server were scripts'(page) {
    const kinds = await page.evaluate(
      (url) =>
        performance
          .getEntriesByType('resource')
          .filter((entry) => entry.name.startsWith(url) && !entry.name.endsWith('.js'))
          .map((entry) => entry.initiatorType),
      url,
    );
    assert(kinds.includes('script'));
    assert(!kinds.includes('xmlhttprequest') && !kinds.includes('fetch'), `${kinds}`);
  },
};

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);
  for (const [name, scenario] of Object.entries(scenarios)) {
    await scenario(page);
    console.log(`ok ${name}`);
  }
} catch (error) {
  console.error(error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
  pages.close();
}
