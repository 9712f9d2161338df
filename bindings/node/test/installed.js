'use strict';
// Packages that only some tests need, in folders of their own with lock files of their own.

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');

/** Brings what a folder's lock file says, unless it is there already. */
async function install(folder) {
  const time = (file) => fs.statSync(path.join(folder, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (time('node_modules/.package-lock.json') > time('package-lock.json')) return;
  await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, timeout: 100_000 });
}

module.exports = { install };
