'use strict';
// A page in a headless Chromium, for the tests of the examples' pages.

const { createRequire } = require('module');
const path = require('path');

const { chromium } = createRequire(path.join(__dirname, '../interop/peers/node/package.json'))('playwright-core');

/**
 * Has `use` drive a new page, and takes a picture at the end if $SCREENSHOT names a file. What the page throws, or
 * complains of on its console, fails the program, but with `ignoreNetwork` not that the server is going or gone, or that another
 * one does not know its session (400).
 */
async function browse(program, { viewport, ignoreNetwork = false }, use) {
  const fail = (reason) => {
    console.error(`${program}: ${reason.split('\n', 1)[0]}`);
    process.exitCode = 1;
  };
  const isNetwork = (text) => /net::ERR_(CONNECTION|EMPTY_RESPONSE|INCOMPLETE|SOCKET_NOT_CONNECTED)|status of (400|503)/.test(text);
  try {
    const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
    try {
      const page = await browser.newPage({ viewport });
      page.on('pageerror', (error) => fail(error.message));
      page.on('console', (message) => {
        const text = message.text();
        if (message.type() === 'error' && !(ignoreNetwork && isNetwork(text))) fail(text);
      });
      await use(page);
      if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
    } finally {
      await browser.close();
    }
  } catch (error) {
    fail(error.message);
  }
}

module.exports = { browse };
