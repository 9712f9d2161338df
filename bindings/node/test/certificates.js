'use strict';
// Certificates for the tests, made by OpenSSL as they run: keys in a repository are found by scanners, and expire.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sockline-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true }));

let serial = 0;

function openssl(...args) {
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
}

const read = (file) => fs.readFileSync(path.join(folder, file));
const FRESH_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** A certificate that nobody but itself vouches for; an authority, too. */
function selfSigned(name) {
  const file = `${serial++}`;
  openssl('req', '-x509', ...FRESH_KEY, '-keyout', `${file}.key`, '-out', `${file}.pem`, '-subj', `/CN=${name}`,
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '30');
  return { file, path: path.join(folder, `${file}.pem`), cert: read(`${file}.pem`), key: read(`${file}.key`) };
}

/** A certificate that an issuer vouches for, for these names, from now on for so many days. */
function issue(issuer, { names = 'DNS:localhost,IP:127.0.0.1', days = 30, authority = false, subject = 'leaf' } = {}) {
  const file = `${serial++}`;
  openssl('req', ...FRESH_KEY, '-keyout', `${file}.key`, '-out', `${file}.csr`, '-subj', `/CN=${subject}`);
  const extensions = [`subjectAltName=${names}`, ...(authority ? ['basicConstraints=critical,CA:TRUE'] : [])];
  fs.writeFileSync(path.join(folder, `${file}.ext`), `${extensions.join('\n')}\n`);
  openssl('x509', '-req', '-in', `${file}.csr`, '-CA', `${issuer.file}.pem`, '-CAkey', `${issuer.file}.key`,
    '-CAcreateserial', '-out', `${file}.pem`, '-extfile', `${file}.ext`, '-days', String(days));
  return { file, cert: read(`${file}.pem`), key: read(`${file}.key`) };
}

module.exports = { issue, selfSigned };
