'use strict';
// Runs a program in a worker thread: node in_worker.js PROGRAM ARGUMENTS…

const path = require('path');
const { Worker } = require('worker_threads');

const [program, ...argv] = process.argv.slice(2);
const worker = new Worker(path.resolve(program), { argv });
worker.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
worker.on('exit', (code) => (process.exitCode ||= code));
