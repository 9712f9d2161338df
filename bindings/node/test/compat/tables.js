'use strict';
// Tables of what another package has and what of it is here; tests/compat/tables.py is the same for Python, and says how the lists in
// tests/compat/*.json are meant.

const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '../../../..');
const [SUPPORTED, DIFFERS, REFUSED, MISSING] = ['supported', 'differs', 'refused', 'missing'];
const COMMAND = 'make compat';
const LEGEND = [
  '*Differs*: it is here, and the table says how. *Refused*: using it is an error that says why. *Missing*: it is not here,',
  'and the table says what happens when a program uses it.',
];

/** What the lists say about a package. */
class Said {
  #entries = new Map();
  #used = new Set();

  constructor(name) {
    this.data = JSON.parse(fs.readFileSync(path.join(ROOT, `tests/compat/${name}.json`), 'utf8'));
    this.page = path.join(ROOT, `docs/compat/${name}.md`);
    for (const [sections, names] of Object.entries(this.data.names)) {
      for (const section of sections.split(', ')) {
        for (const [several, text] of Object.entries(names)) {
          const [, state, reason] = /^(differs|refused|missing): (.+)$/.exec(text) ?? [];
          if (!state) throw new Error(`${section}, ${several}: ${text}`);
          for (const name of several.split(', ')) this.#entries.set(`${section}: ${name}`, { state, reason });
        }
      }
    }
  }

  about(section, name) {
    const key = `${section}: ${name}`;
    this.#used.add(key);
    return this.#entries.get(key) ?? { state: SUPPORTED, reason: '' };
  }

  unused() {
    return [...this.#entries.keys()].filter((key) => !this.#used.has(key)).sort();
  }
}

/**
 * What the lists say that is not so, and what they don't say. A section is `{ title, names: [{ name, found, difference, today }], added }`,
 * where `found` is what a use has shown, `difference` what a use that is right there would meet here, and `today` what becomes of one that
 * is missing.
 */
function untrue(said, sections) {
  const wrong = [];
  for (const { title, names } of sections) {
    for (const { name, found, difference, today = '', isEvent } of names) {
      const { state, reason } = said.about(title, name);
      if (isEvent && found === MISSING && state === DIFFERS) continue; // it comes in another story
      if (found !== (state === DIFFERS ? SUPPORTED : state)) wrong.push(`${title}: ${name} is ${found}, and the list says ${state}`);
      else if (state === MISSING && !reason.startsWith(today)) wrong.push(`${title}: ${name} is ${today}, and the list says ${reason}`);
      else if (state === SUPPORTED && difference) wrong.push(`${title}: ${name} differs, and is in no list: ${difference}`);
    }
  }
  return [...wrong, ...said.unused().map((key) => `${key} is in a list, and there is no such name`)];
}

function page(said, sections) {
  const lines = [`# ${said.data.title}`, '', `<!-- Written by \`${COMMAND}\` from tests/compat/; don't change it here. -->`, ''];
  lines.push(...said.data.intro, '', ...LEGEND);
  for (const section of sections) lines.push('', `## ${section.heading ?? section.title}`, '', ...table(said, section));
  return `${lines.join('\n')}\n`;
}

function table(said, { title, names, added = [] }) {
  const rows = names.map(({ name }) => ({ name, ...said.about(title, name) }));
  const supported = rows.filter(({ state }) => state === SUPPORTED).map(({ name }) => name);
  const others = new Map();
  for (const { name, state, reason } of rows) {
    if (state === SUPPORTED) continue;
    const rest = `| ${state} | ${reason} |`;
    others.set(rest, [...(others.get(rest) ?? []), name]);
  }
  const blocks = [];
  if (supported.length > 0) blocks.push([`Supported: ${listed(supported)}.`]);
  if (others.size > 0) {
    const lines = [...others].map(([rest, several]) => `| ${listed(several)} ${rest}`);
    blocks.push(['| name | here | how, or why |', '|---|---|---|', ...lines]);
  }
  if (added.length > 0) blocks.push([`Only here: ${listed(added)}.`]);
  return blocks.flatMap((block, at) => (at > 0 ? ['', ...block] : block));
}

function listed(names) {
  return names.map((name) => `\`${name}\``).join(', ');
}

/** What becomes of a use: accepted, refused, or another error. */
function tried(use) {
  try {
    use();
    return SUPPORTED;
  } catch (error) {
    return error.code === 'SOCKLINE_ERR_UNSUPPORTED' || / is not possible yet: /.test(error.message) ? REFUSED : MISSING;
  }
}

/** Names without an underscore, of an object and what it inherits, up to where Node's own classes begin. */
function publicNames(object) {
  const names = new Set();
  for (let owner = object; owner && !STOP.has(owner); owner = Object.getPrototypeOf(owner)) {
    for (const name of Object.getOwnPropertyNames(owner)) if (!/^_|^(constructor|length|name|prototype)$/.test(name)) names.add(name);
  }
  return [...names].sort();
}

const STOP = new Set([Object.prototype, Function.prototype, require('node:events').prototype, require('node:events')]);

/** The names of a living object of theirs, and whether ours has them, with as many arguments; `uses` are tried instead. */
function members(title, theirs, ours, uses = {}) {
  const names = publicNames(theirs).map((name) => {
    if (name in uses) return { name, found: tried(uses[name]) };
    const found = name in ours ? SUPPORTED : MISSING;
    return { name, found, difference: found === SUPPORTED ? differenceOf(valueOf(theirs, name), valueOf(ours, name)) : '' };
  });
  const known = new Set(names.map(({ name }) => name));
  return { title, names, added: publicNames(ours).filter((name) => !known.has(name)) };
}

/** What a name stands for; nothing if that is asked for each time. */
function valueOf(object, name) {
  let owner = object;
  while (!Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner);
  return Object.getOwnPropertyDescriptor(owner, name).value;
}

function differenceOf(theirs, ours) {
  if (typeof theirs !== 'function' && typeof ours !== 'function') return '';
  if (typeof theirs !== typeof ours) return `is of the type ${typeof ours}, not ${typeof theirs}`;
  return ours.length === theirs.length ? '' : `has ${ours.length} arguments, not ${theirs.length}`;
}

module.exports = { DIFFERS, MISSING, REFUSED, SUPPORTED, Said, members, page, publicNames, tried, untrue };
