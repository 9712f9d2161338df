'use strict';
// The chat's page in a headless browser, as one more chat client: node chat_page.js URL NAME
//
// Types the lines of the standard input into the page, prints `name: text` for each message that appears there, and ends
// with the input. Fails if the page does not use the transport that it was asked for: WebSocket, unless the URL says
// `?transport=polling`. $SCREENSHOT names a file for a picture of the page at its end, $CHROMIUM another browser. With
// $RESTARTS the server may go away: then each new state of the page is printed in brackets, as `(open)`.

const readline = require('readline');

const { browse } = require('./browser');

const PHONE = { width: 390, height: 844 };
const [url, name] = process.argv.slice(2);
const polls = new URL(url).searchParams.get('transport') === 'polling';
const restarts = Boolean(process.env.RESTARTS);

browse('chat_page', { viewport: PHONE, ignoreNetwork: restarts }, async (page) => {
  let sockets = 0;
  page.on('websocket', () => (sockets += 1));
  const upgraded = polls || page.waitForEvent('websocket');
  await page.exposeFunction('printLine', (line) => console.log(line));
  await page.goto(url);
  await page.evaluate(printMessages, name);
  await page.fill('#name', name);
  await page.click('#name-done');
  await page.waitForSelector('#state[data-state="open"]');
  await upgraded;
  if (restarts) await page.evaluate(printStates);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    await page.fill('#text', line);
    await page.click('#send');
  }
  if (polls && sockets > 0) throw new Error('the page opened a WebSocket, though it was asked to poll');
});

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

/** In the page: prints each new state of its connection. */
function printStates() {
  const state = document.getElementById('state');
  new MutationObserver(() => printLine(`(${state.dataset.state})`)).observe(state, { attributeFilter: ['data-state'] });
}
