'use strict';
// Packs what npm is given, as .tgz:
//
//   pack.js --out FOLDER --notices FILE [--platform NAME --addon FILE] [--only-platform]
//
// With the addon that scripts/build.js has put here, or with one that was built for any platform:
//
//   sockline             JavaScript and types; needs no install script; names the platforms' packages as optional
//   @sockline/PLATFORM   the addon, built for one platform (names: lib/addon.js), with the notices of what is in it
//   @sockline/source     the Rust sources, which its install script builds, for other platforms
//
// What is published differs from what is in the repository, whose package.json builds the addon where it is installed.

const { execFileSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { parseArgs } = require('util');
const { PREBUILT, SCOPE, SOURCE, thisPlatform } = require('../lib/addon');

const PACKAGE = path.dirname(__dirname);
const WORKSPACE = path.resolve(PACKAGE, '../..');
const MANIFEST = require('../package.json');
const LICENCES = ['LICENSE-APACHE', 'LICENSE-MIT'];
const PLATFORMS = Object.values(PREBUILT).flat();

function main() {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      notices: { type: 'string' },
      platform: { type: 'string' },
      addon: { type: 'string' },
      'only-platform': { type: 'boolean' },
    },
  });
  if (!values.out || !values.notices || !values.platform !== !values.addon) {
    console.error('usage: pack.js --out FOLDER --notices FILE [--platform NAME --addon FILE] [--only-platform]');
    process.exit(2);
  }
  const platform = values.platform ?? thisPlatform();
  const addon = values.addon ?? path.join(PACKAGE, 'sockline.node');
  const packages = [(folder) => writePlatform(folder, platform, addon, values.notices)];
  if (!values['only-platform']) packages.push(writeMain, writeSource);
  fs.mkdirSync(values.out, { recursive: true });
  for (const write of packages) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sockline-pack-'));
    try {
      write(folder);
      console.log(npmPack(folder, path.resolve(values.out)));
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  }
}

function writeMain(folder) {
  const { private: _, scripts, devDependencies, ...published } = MANIFEST;
  published.files = [...published.files, ...LICENCES];
  published.optionalDependencies = Object.fromEntries(PLATFORMS.map((name) => [SCOPE + name, published.version]));
  for (const entry of [...MANIFEST.files, 'README.md']) copy(PACKAGE, entry, folder);
  writeRest(folder, published);
}

function writePlatform(folder, name, addon, notices) {
  if (!PLATFORMS.includes(name)) throw new Error(`${name} is none of ${PLATFORMS.join(', ')}`);
  const [system, architecture, libc] = name.split('-');
  fs.copyFileSync(addon, path.join(folder, 'sockline.node'));
  fs.copyFileSync(notices, path.join(folder, 'LICENSE-THIRD-PARTY'));
  fs.writeFileSync(path.join(folder, 'README.md'), `The native addon of [sockline](https://www.npmjs.com/package/sockline) for ${name}.\n`);
  writeRest(folder, {
    ...common(SCOPE + name, `The native addon of sockline for ${name}`),
    main: 'sockline.node',
    files: ['sockline.node', 'LICENSE-THIRD-PARTY', ...LICENCES],
    os: [system],
    cpu: [architecture],
    ...(system === 'linux' && { libc: [libc === 'gnu' ? 'glibc' : 'musl'] }),
  });
}

/** A workspace of what the addon is made of, with the versions of its dependencies that the repository has locked. */
function writeSource(folder) {
  const members = membersOf('sockline-node');
  for (const part of ['Cargo.lock', 'bindings/node/scripts/build.js', ...members.flatMap(sourcesOf)]) copy(WORKSPACE, part, folder);
  const folders = members.map((member) => relative(path.dirname(member.manifest_path)));
  fs.writeFileSync(path.join(folder, 'Cargo.toml'), workspaceOf(folders));
  cargo(['metadata', '--format-version=1', '--offline'], folder); // takes from the lock file what nobody here needs
  const text = 'The Rust sources of [sockline](https://www.npmjs.com/package/sockline)\'s addon, built when they are installed.\n';
  fs.writeFileSync(path.join(folder, 'README.md'), text);
  writeRest(folder, {
    ...common(SOURCE, 'The Rust sources of sockline\'s addon, for platforms without a prebuilt one'),
    main: 'bindings/node/sockline.node',
    files: ['Cargo.toml', 'Cargo.lock', ...folders, 'bindings/node/scripts', ...LICENCES],
    scripts: { install: 'node bindings/node/scripts/build.js --clean' },
  });
}

/** The crate of this name and those of the workspace that it depends on. */
function membersOf(name) {
  const all = new Map(JSON.parse(cargo(['metadata', '--format-version=1', '--no-deps'], WORKSPACE)).packages.map((member) => [member.name, member]));
  const names = new Set([name]); // a set is iterated over what is added meanwhile, too
  for (const found of names) {
    for (const needed of all.get(found).dependencies) if (needed.kind === null && needed.path) names.add(needed.name);
  }
  return [...names].map((found) => all.get(found));
}

/** The files and folders that cargo wants of a crate; benchmarks are named by its manifest. */
function sourcesOf(member) {
  const named = member.targets.filter(({ kind }) => kind.includes('bench') || kind.includes('custom-build'));
  return [member.manifest_path, path.join(path.dirname(member.manifest_path), 'src'), ...named.map((target) => target.src_path)].map(relative);
}

/** The workspace's manifest with these members only. */
function workspaceOf(members) {
  const whole = fs.readFileSync(path.join(WORKSPACE, 'Cargo.toml'), 'utf8');
  return whole
    .replace(/^members = .*$/m, `members = ${JSON.stringify(members)}`)
    .replace(/^default-members = .*\n/m, '')
    .replace(/^\[profile\.release\.package\.sockline-python\]\n.*\n\n?/m, '');
}

function relative(file) {
  return path.relative(WORKSPACE, file);
}

function cargo(args, cwd) {
  return execFileSync('cargo', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 });
}

function common(name, description) {
  const { version, license, engines } = MANIFEST;
  return { name, version, description, license, engines };
}

function writeRest(folder, manifest) {
  for (const licence of LICENCES) copy(WORKSPACE, licence, folder);
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function copy(from, entry, to) {
  fs.cpSync(path.join(from, entry), path.join(to, entry), { recursive: true });
}

/** Returns the path of the .tgz. */
function npmPack(folder, out) {
  const options = { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 64 << 20 };
  const args = ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', out];
  const [packed] = Object.values(JSON.parse(execFileSync('npm', args, options)));
  return path.join(out, packed.filename.replace('@', '').replace('/', '-'));
}

main();
