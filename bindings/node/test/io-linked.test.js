'use strict';

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');
const { promisify } = require('node:util');

const PACKAGE = path.join(__dirname, '..');
const PROGRAM = `
const { Server } = require('sockline/socket.io');
const { io } = require('sockline/socket.io-client');
const server = new Server();
server.on('connection', (socket) => socket.on('echo', (data, answer) => answer(data)));
server.listen(0);
server.httpServer.once('listening', async () => {
  const url = 'http://localhost:' + server.httpServer.address().port;
  console.log((await fetch(url + '/socket.io/socket.io.js')).status);
  const socket = io(url);
  console.log(await socket.emitWithAck('echo', 'x'));
  socket.close();
  server.close();
});
`;

test('a package that is linked, as npm does with a folder, finds the official client where the program has it', async () => {
  const room = fs.mkdtempSync(path.join(os.tmpdir(), 'sockline-linked-'));
  try {
    const linked = path.join(room, 'package');
    const { files } = require('../package.json');
    for (const file of ['package.json', 'sockline.node', ...files]) {
      const from = path.join(PACKAGE, file);
      if (fs.existsSync(from)) fs.cpSync(from, path.join(linked, file), { recursive: true });
    }
    const modules = path.join(room, 'program/node_modules');
    fs.mkdirSync(modules, { recursive: true });
    fs.symlinkSync(linked, path.join(modules, 'sockline'));
    fs.symlinkSync(path.dirname(require.resolve('socket.io-client/package.json')), path.join(modules, 'socket.io-client'));
    fs.writeFileSync(path.join(room, 'program/index.js'), PROGRAM);
    const { stdout } = await promisify(execFile)(process.execPath, [path.join(room, 'program/index.js')]);
    assert.strictEqual(stdout, '200\nx\n');
  } finally {
    fs.rmSync(room, { recursive: true });
  }
});
