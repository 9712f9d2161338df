'use strict';
// Options of TLS under the names of Node's tls module, as the addon takes them.

const crypto = require('crypto');
const fs = require('fs');
const v8 = require('v8');

const { ClientContext, ServerContext } = require('./engine');
const { calling, withCode } = require('./errors');
const { refuseOfTls } = require('./refused-options');

const OLDER = ['TLSv1', 'TLSv1.1', 'TLSv1.2']; // the engine speaks 1.2 and 1.3 only: nothing older is accepted either way
const NEWEST = 'TLSv1.3';
const DIGEST = 32; // bytes of SHA-256
const KEPT_CONTEXTS = 64;

/** What makes a client need a context of its own. */
const OF_CLIENT = ['ca', 'cert', 'key', 'servername', 'rejectUnauthorized', 'ALPNProtocols', 'minVersion', 'pins'];

/**
 * Contexts by their options and where they are for, the oldest first: they hold the sessions to resume. Two servers of
 * one host must not share one: a session of the other makes some servers end the handshake.
 */
const contexts = new Map();

/** The context of a client for a host and port; undefined if the engine's own will do. */
function clientContext(options, authority) {
  refuseOfTls(options, 'client');
  const insecure = !(options.rejectUnauthorized ?? process.env.NODE_TLS_REJECT_UNAUTHORIZED !== '0');
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  if (!insecure && !extra && OF_CLIENT.every((name) => options[name] === undefined)) return undefined;
  const { servername } = options;
  const certificates = identities([options]);
  return cached(authority, {
    platformRoots: options.ca == null,
    ca: options.ca == null ? extraAuthorities(extra) : buffers(options.ca),
    identity: certificates[0],
    serverName: servername,
    alpn: protocols(options.ALPNProtocols),
    pins: (options.pins ?? []).map(pinDigest),
    onlyTls13: isNewest(options.minVersion),
    insecure,
  });
}

function cached(authority, trust) {
  const key = crypto.createHash('sha256').update(v8.serialize([authority, trust])).digest('base64');
  const context = contexts.get(key) ?? calling(() => new ClientContext(trust));
  contexts.delete(key);
  contexts.set(key, context);
  if (contexts.size > KEPT_CONTEXTS) contexts.delete(contexts.keys().next().value);
  return context;
}

/** Authorities beside those of the system, as in Node. */
function extraAuthorities(file) {
  if (!file) return [];
  try {
    return [fs.readFileSync(file)];
  } catch (error) {
    process.emitWarning(`Ignoring extra certs from \`${file}\`: ${error.message}`);
    return [];
  }
}

/** The context of a server; the first of several certificates says the rest. */
function serverContext(tls) {
  const all = [tls].flat();
  const [options] = all;
  for (const one of all) refuseOfTls(one, 'server');
  const required = Boolean(options.requestCert) && options.rejectUnauthorized !== false;
  const trust = {
    identities: identities(all),
    clientCa: options.requestCert ? buffers(options.ca) : [],
    requireClientCertificate: required,
    alpn: protocols(options.ALPNProtocols),
    onlyTls13: isNewest(options.minVersion),
  };
  return calling(() => new ServerContext(trust));
}

/** Certificates with their keys: each of the options has one, or lists that belong together. */
function identities(all) {
  return all.flatMap((options) => {
    const certs = buffers(options.cert);
    const keys = [options.key ?? []].flat();
    if (certs.length !== keys.length) {
      throw withCode(new TypeError('options cert and key belong together: one key for each certificate'), 'ERR_INVALID_ARG_VALUE');
    }
    return certs.map((cert, at) => ({ cert, key: readKey(keys[at], options.passphrase) }));
  });
}

function readKey(key, ofAll) {
  const { pem = key, passphrase = ofAll } = Buffer.isBuffer(key) ? {} : Object(key);
  if (passphrase === undefined) return Buffer.from(pem);
  return crypto.createPrivateKey({ key: pem, passphrase }).export({ type: 'pkcs8', format: 'der' });
}

function buffers(value) {
  return [value ?? []].flat().map((one) => Buffer.from(one));
}

function protocols(value = ['http/1.1']) {
  if (Array.isArray(value) && value.every((protocol) => typeof protocol === 'string')) return value;
  return refuse('ALPNProtocols', 'it has to be an array of strings');
}

function isNewest(minVersion = 'TLSv1.2') {
  if (minVersion === NEWEST || OLDER.includes(minVersion)) return minVersion === NEWEST;
  const text = `"${minVersion}" is not a valid minimum TLS protocol version`;
  throw withCode(new TypeError(text), 'ERR_TLS_INVALID_PROTOCOL_VERSION');
}

/** A digest as bytes, in base64, or as curl writes it. */
function pinDigest(pin) {
  const digest = typeof pin === 'string' ? Buffer.from(pin.replace(/^sha256\/\//, ''), 'base64') : Buffer.from(pin);
  if (digest.length === DIGEST) return digest;
  throw withCode(new TypeError('option pins takes SHA-256 digests of public keys, as bytes or in base64'), 'ERR_INVALID_ARG_VALUE');
}

function refuse(name, reason) {
  throw withCode(new Error(`option ${name}: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
}

module.exports = { clientContext, identities, serverContext };
