'use strict';
// The programs in the documentation that packages bring along: fenced blocks of their Markdown, `@example`s of their types.
// They are read from the packages as installed, and are nowhere in this repository.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '../../../node_modules');

/** All blocks of a package, each once, with names to find them by: what is above, or what they are an example of. */
function blocksOf(name) {
  const blocks = [];
  const seen = new Map();
  for (const file of filesOf(path.join(ROOT, name))) {
    const text = fs.readFileSync(file, 'utf8');
    const found = file.endsWith('.md') ? fences(text) : examples(text);
    for (const { place, language, code } of found) {
      // Types are there once for each module system.
      const twin = `${place}\n${code}`;
      if (seen.has(twin)) continue;
      seen.set(twin, true);
      const before = blocks.filter((block) => block.place === place).length;
      blocks.push({ name: `${name}: ${place}${before ? ` (${before + 1})` : ''}`, place, package: name, language, code });
    }
  }
  return blocks;
}

function* filesOf(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'node_modules') yield* filesOf(full);
    else if (/\.(md|d\.ts)$/i.test(entry.name)) yield full;
  }
}

function* fences(text) {
  let place = 'README';
  let open;
  for (const line of text.split('\n')) {
    const fence = /^ *```(\w*)/.exec(line);
    if (open && fence) {
      yield open;
      open = undefined;
    } else if (open) open.code += `${line}\n`;
    else if (fence) open = { place, language: fence[1] || 'text', code: '' };
    else place = /^#+ +(.*?)[ #]*$/.exec(line)?.[1] ?? place;
  }
}

/** What follows `@example` in a comment; its place is the declaration below. */
function* examples(text) {
  let outer = '';
  for (const { 0: comment, index } of text.matchAll(/\/\*\*.*?\*\//gs)) {
    outer = [...text.slice(0, index).matchAll(/^export (?:declare )?(?:abstract )?(?:class|type|interface) (\w+)/gm)].at(-1)?.[1] ?? outer;
    const below = text.slice(index + comment.length).trimStart();
    const place = declared(below, outer);
    const parts = comment.replace(/\*\/$/, '').replace(/^[ \t]*\* ?/gm, '').split(/^@example\n/m).slice(1);
    for (const part of parts) yield { place, language: 'ts', code: `${part.split(/^@\w+/m)[0].trim()}\n` };
  }
}

function declared(below, outer) {
  const own = /^export (?:declare )?(?:abstract )?(?:class|type|interface) (\w+)/.exec(below);
  if (own) return own[1];
  const [, member] = /^(?:get |readonly |private |protected |static )*(\w+)/.exec(below);
  return `${outer}.${member}`;
}

/** With what has to be different here, which has to be there. */
function edited(code, edits = []) {
  return edits.reduce((text, [from, to]) => {
    assert(typeof from !== 'string' || text.includes(from), `it no longer says ${from}`);
    return text.replace(from, to);
  }, code);
}

module.exports = { ROOT, blocksOf, edited };
