'use strict';
// Finds the native addon. In this order: what was built beside this package (scripts/build.js), the package with what was
// built for this platform, which npm installs as an optional dependency, and what @sockline/source has built.

const { version } = require('../package.json');

/** What packages there are, as `${process.platform}-${process.arch}`; for Linux also by C library. */
const PREBUILT = Object.freeze({
  'darwin-arm64': ['darwin-arm64'],
  'darwin-x64': ['darwin-x64'],
  'linux-arm64': ['linux-arm64-gnu', 'linux-arm64-musl'],
  'linux-x64': ['linux-x64-gnu', 'linux-x64-musl'],
});
const SCOPE = '@sockline/';
const SOURCE = `${SCOPE}source`;

/** Returns the addon's exports. Throws an error that says what is missing, and how it is had. */
function loadAddon() {
  if (isInstalled('../sockline.node')) return require('../sockline.node');
  const name = [prebuilt(), SOURCE].find((candidate) => candidate && isInstalled(candidate));
  if (!name) throw missing();
  const found = require(`${name}/package.json`).version;
  if (found !== version) throw new Error(`sockline ${version} needs ${name} ${version}, and ${found} is installed`);
  return require(name);
}

/** The package for this platform that is installed, if any is. */
function prebuilt() {
  const installed = names().map((name) => SCOPE + name).filter(isInstalled);
  // Some package managers install both of Linux. Asking for the C library takes longer than loading all else.
  return installed.length > 1 ? SCOPE + thisPlatform() : installed[0];
}

function names() {
  return PREBUILT[`${process.platform}-${process.arch}`] ?? [];
}

/** The name of what would be prebuilt for this platform, such as `'linux-x64-gnu'`; `undefined`: nothing is. */
function thisPlatform() {
  const [only, ...others] = names();
  if (others.length === 0) return only;
  const report = process.report?.getReport();
  const libc = !report || report.header.glibcVersionRuntime ? 'gnu' : 'musl';
  return names().find((name) => name.endsWith(libc));
}

function isInstalled(request) {
  try {
    require.resolve(request);
    return true;
  } catch {
    return false;
  }
}

function missing() {
  const name = thisPlatform();
  if (process.platform === 'win32') return new Error('sockline: the engine does not run on Windows; the Subsystem for Linux has it');
  const why = name
    ? `${SCOPE}${name} is not installed. It is an optional dependency: reinstall on this platform without --omit=optional`
    : `there is none prebuilt for ${process.platform}-${process.arch}`;
  const error = new Error(
    `sockline: the native addon is missing: ${why}; or build it with Rust (https://rustup.rs): ` +
      `npm install ${SOURCE}@${version}, or npm run build in a checkout's bindings/node`,
  );
  error.code = 'MODULE_NOT_FOUND';
  return error;
}

module.exports = { PREBUILT, SCOPE, SOURCE, loadAddon, thisPlatform };
