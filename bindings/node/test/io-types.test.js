'use strict';
// A program that is written for the types of socket.io and socket.io-client compiles with ours in their place.

const assert = require('node:assert');
const path = require('node:path');
const test = require('node:test');

const ts = require('typescript');

const PACKAGE = path.join(__dirname, '..');
const PROGRAM = path.join(__dirname, 'types/swapped.ts');

const OURS = { 'socket.io': ['./socket.io.d.ts'], 'socket.io-client': ['./socket.io-client.d.ts'] };

const THEIRS = /node_modules\/socket\.io(-client)?\//;

/** Without paths names are those of packages. */
function errors(paths) {
  const { ES2022: target } = ts.ScriptTarget;
  const program = ts.createProgram([PROGRAM], {
    ...{ strict: true, noEmit: true, skipLibCheck: true, target, types: ['node'], esModuleInterop: true },
    ...{ module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16, ...(paths && { baseUrl: PACKAGE, paths }) },
  });
  const used = program.getSourceFiles().map(({ fileName }) => path.relative(PACKAGE, fileName));
  const texts = ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  return { texts, used };
}

test('with their types', () => {
  const { texts, used } = errors();
  assert.deepStrictEqual(texts, []);
  assert.ok(used.some((file) => THEIRS.test(file)));
});

test('with ours', () => {
  const { texts, used } = errors(OURS);
  assert.deepStrictEqual(texts, []);
  assert.ok(used.includes('socket.io.d.ts') && used.includes('socket.io-client.d.ts'));
  assert.ok(!used.some((file) => THEIRS.test(file)));
});
