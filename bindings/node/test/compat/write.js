'use strict';
// Writes docs/compat/ for the packages of npm: `make compat`.

const fs = require('node:fs');

const { Said, page, untrue } = require('./tables');

const { TYPES, sections } = require('./socketio-names');

/** What makes the tables of each page. */
const PAGES = { ws: require('./ws-names').sections };
for (const name of Object.keys(TYPES)) PAGES[name] = () => sections(name);


/** What the lists of a package say that is not so, the lists, and the page that follows from them. */
async function compared(name) {
  const said = new Said(name);
  const sections = await PAGES[name]();
  return { lies: untrue(said, sections), said, text: page(said, sections) };
}

async function write() {
  for (const name of Object.keys(PAGES)) {
    const { lies, said, text } = await compared(name);
    fs.writeFileSync(said.page, text);
    for (const lie of lies) console.error(`${name}, ${lie}`);
    if (lies.length > 0) process.exitCode = 1;
  }
}

module.exports = { PAGES, compared };

if (require.main === module) write().then(() => process.exit());
