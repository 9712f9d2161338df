'use strict';
// Runs whole programs in processes of their own, in a folder where they find the packages that are installed here, and ours.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const ts = require('typescript');

const { ROOT } = require('./blocks');

const OURS = {
  ws: 'sockline',
  'socket.io': 'sockline/socket.io',
  '@socket.io/redis-adapter': 'sockline/redis-adapter',
  '@socket.io/redis-streams-adapter': 'sockline/redis-streams-adapter',
  '@socket.io/redis-emitter': 'sockline/redis-emitter',
};
const REDIRECT = path.join(__dirname, '../socketio/redirect.js');
const LIMIT = 15_000; // ms
let folder;
let programs = 0;

/** A folder with `node_modules`, as a user of sockline has it. */
function place() {
  if (folder) return folder;
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sockline-documentation-'));
  process.on('exit', () => fs.rmSync(folder, { recursive: true }));
  const modules = path.join(folder, 'node_modules');
  fs.mkdirSync(modules);
  for (const name of fs.readdirSync(ROOT)) if (!name.startsWith('.')) fs.symlinkSync(path.join(ROOT, name), path.join(modules, name));
  fs.symlinkSync(path.dirname(ROOT), path.join(modules, 'sockline'));
  return folder;
}

/** The one thing that changes. */
function swapped(code) {
  return code.replace(/(\bfrom |\brequire\()(['"])([^'"]+)\2/g, (all, before, quote, name) => `${before}${quote}${OURS[name] ?? name}${quote}`);
}

class Program {
  #process;

  output = '';

  errors = '';

  constructor(code, { isOurs, language, environment = {} }) {
    const isModule = /^import /m.test(code);
    const file = path.join(place(), `program-${++programs}.${isModule ? 'mjs' : 'cjs'}`);
    const plain = language === 'ts' ? ts.transpileModule(code, { compilerOptions: { target: 'ES2022', module: 'ESNext' } }).outputText : code;
    fs.writeFileSync(file, isOurs ? swapped(plain) : plain);
    const options = isOurs ? ['--require', REDIRECT] : [];
    this.#process = spawn(process.execPath, [...options, file], { cwd: place(), env: { ...process.env, NODE_OPTIONS: '', ...environment } });
    this.#process.stdout.on('data', (chunk) => (this.output += chunk));
    this.#process.stderr.on('data', (chunk) => (this.errors += chunk));
    this.ended = once(this.#process, 'close').then(([code, signal]) => (this.end = signal ?? code));
    this.stdin = this.#process.stdin;
  }

  /** Until it has printed that, so many times. */
  async prints(text, times = 1) {
    const isThere = () => this.output.split(text).length > times;
    const signal = AbortSignal.timeout(LIMIT);
    while (!isThere()) {
      if (this.end !== undefined) throw new Error(`it has ended with ${this.end}: ${this.output}${this.errors}`);
      await Promise.race([once(this.#process.stdout, 'data', { signal }), this.ended]);
    }
  }

  /** Tries again and again until something succeeds at a program that has begun, as listening isn't told. */
  async when(attempt) {
    for (const begin = Date.now(); ; ) {
      try {
        return await attempt();
      } catch (error) {
        if (this.end !== undefined) throw new Error(`it has ended with ${this.end}: ${this.errors}`, { cause: error });
        if (Date.now() - begin > LIMIT) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** Until it has ended by itself. */
  async ends() {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), LIMIT);
    await this.ended;
    clearTimeout(timer);
  }

  async kill() {
    if (this.end === undefined) this.#process.kill();
    await this.ended;
  }
}

/** All that was seen while a program did what an exchange asks of it, and how it ended. */
async function run(code, exchange, options) {
  const program = new Program(code, options);
  const notes = [];
  try {
    await exchange({ program, note: (...what) => notes.push(what.length > 1 ? what : what[0]), ...options });
  } catch (error) {
    throw new Error(`${error.message}; printed: ${program.output}${program.errors}`, { cause: error });
  } finally {
    await program.kill();
  }
  return { notes, output: program.output.replace(/\d+ ms/g, 'N ms'), errors: program.errors.replace(/\(node:\d+\)/g, ''), end: program.end };
}

module.exports = { run };
