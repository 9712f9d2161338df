#!/usr/bin/env node
'use strict';
// The command `sockline`: `npx sockline --help` says what it does.

const { command } = require('../lib/engine');

if (command) {
  process.exitCode = command(process.argv.slice(2));
} else {
  console.error('error: this build of sockline has no command (its feature is named so)');
  process.exitCode = 1;
}
