'use strict';
// Builds the addon with cargo and puts it beside index.js: the install script of a checkout and of @sockline/source.
//
//   build.js [--clean]    with --clean nothing stays but the addon, unless CARGO_TARGET_DIR says where the rest is to be
//
// SOCKLINE_PROFILE=dev builds it unoptimized, which is faster, for work on the addon itself. CARGO names another cargo.
// What cargo has fetched before it doesn't fetch again, so this works without a network, too.

const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');

const PACKAGE = path.dirname(__dirname);
const WORKSPACE = path.resolve(PACKAGE, '../..');
const CRATE = 'sockline-node';
const LIBRARIES = { darwin: 'libsockline_node.dylib', win32: 'sockline_node.dll' };

function main() {
  if (!fs.existsSync(path.join(WORKSPACE, 'core/Cargo.toml'))) {
    fail('this folder is not in a checkout of sockline, whose Rust code it needs');
  }
  const profile = process.env.SOCKLINE_PROFILE ?? 'release';
  cargo(['build', '--profile', profile, '--locked', '--package', CRATE], 'inherit');
  const folder = profile === 'dev' ? 'debug' : profile;
  const target = targetDirectory();
  const library = path.join(target, folder, LIBRARIES[process.platform] ?? 'libsockline_node.so');
  // A process may have the old addon mapped: it keeps its file, and this one gets the name in one step.
  const fresh = path.join(PACKAGE, `sockline.${process.pid}.node`);
  fs.copyFileSync(library, fresh);
  fs.renameSync(fresh, path.join(PACKAGE, 'sockline.node'));
  const own = target.startsWith(WORKSPACE + path.sep); // not one that several projects share
  if (own && process.argv.includes('--clean')) fs.rmSync(target, { recursive: true });
}

/** The workspace's, wherever its configuration puts it. */
function targetDirectory() {
  const metadata = cargo(['metadata', '--format-version=1', '--no-deps', '--locked'], ['ignore', 'pipe', 'inherit']);
  return JSON.parse(metadata).target_directory;
}

function cargo(args, stdio) {
  const program = process.env.CARGO ?? 'cargo';
  try {
    return execFileSync(program, args, { cwd: WORKSPACE, stdio, maxBuffer: 64 << 20 });
  } catch (error) {
    if (error.code === 'ENOENT') fail(`${program} was not found: install Rust from https://rustup.rs`);
    return fail(`"cargo ${args.join(' ')}" failed (${error.message})`);
  }
}

function fail(reason) {
  console.error(`sockline: the native addon can't be built: ${reason}`);
  process.exit(1);
}

main();
