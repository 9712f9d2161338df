'use strict';
// The page "three ways" in a headless browser: node three_ways_page.js URL
//
// Waits until each of the three has heard of so many news, and prints what the page then says of it: a line of JSON for
// each, with the texts in its fields. $SCREENSHOT and $CHROMIUM are as for chat_page.js.

const { browse } = require('./browser');

const NEWS = 3;
const WAYS = ['polling', 'long-polling', 'push'];
const [url] = process.argv.slice(2);

browse('three_ways_page', { viewport: { width: 1100, height: 760 } }, async (page) => {
  await page.goto(url);
  await page.evaluate(countNews);
  await page.waitForFunction(({ ways, news }) => ways.every((way) => heard[way] >= news), { ways: WAYS, news: NEWS });
  for (const way of WAYS) console.log(JSON.stringify(await page.evaluate(figures, way)));
});

/** In the page: counts in `heard` how often each way's number changes. */
function countNews() {
  globalThis.heard = {};
  for (const way of document.querySelectorAll('.way')) {
    heard[way.id] = 0;
    const number = way.querySelector('[data-value="number"]');
    new MutationObserver(() => (heard[way.id] += 1)).observe(number, { childList: true });
  }
}

/** In the page: what it says of a way. */
function figures(way) {
  const fields = [...document.getElementById(way).querySelectorAll('[data-value]')];
  return { way, ...Object.fromEntries(fields.map((field) => [field.dataset.value, field.textContent])) };
}
