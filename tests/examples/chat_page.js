'use strict';
// The chat's page in a headless browser, as one more chat client: node chat_page.js URL NAME
//
// Types the lines of the standard input into the page, prints `name: text` for each message that appears there, and ends
// with the input. $SCREENSHOT names a file for a picture of the page at its end, $CHROMIUM another browser.

const { createRequire } = require('module');
const path = require('path');
const readline = require('readline');

const { chromium } = createRequire(path.join(__dirname, '../interop/peers/node/package.json'))('playwright-core');

const PHONE = { width: 390, height: 844 };
const [url, name] = process.argv.slice(2);

async function main() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const page = await browser.newPage({ viewport: PHONE });
    page.on('pageerror', (error) => fail(error.message));
    page.on('console', (message) => message.type() === 'error' && fail(message.text()));
    await page.exposeFunction('printLine', (line) => console.log(line));
    await page.goto(url);
    await page.evaluate(printMessages, name);
    await page.fill('#name', name);
    await page.click('#name-done');
    await page.waitForSelector('#state[data-state="open"]');
    for await (const line of readline.createInterface({ input: process.stdin })) {
      await page.fill('#text', line);
      await page.click('#send');
    }
    if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });
  } finally {
    await browser.close();
  }
}

/** In the page: prints each message that is added, as chat_client does. */
function printMessages(ownName) {
  new MutationObserver((changes) => {
    for (const item of changes.flatMap((change) => [...change.addedNodes])) {
      const bubble = item.querySelector('.bubble');
      if (!bubble) continue; // a note, not a message
      const author = item.classList.contains('own') ? ownName : item.querySelector('.author').textContent;
      printLine(`${author}: ${bubble.firstChild.textContent}`);
    }
  }).observe(document.getElementById('messages'), { childList: true });
}

function fail(reason) {
  console.error(`chat_page: ${reason.split('\n', 1)[0]}`);
  process.exitCode = 1;
}

main().catch((error) => fail(error.message));
