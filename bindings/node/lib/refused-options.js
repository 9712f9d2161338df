'use strict';
// What ws takes, or hands on to the http, https, net and tls modules, and sockline can't do: asking for it is an error that names it
// and says why. Each function tells whether a value asks for something; what asks for what is so anyway is taken.

const { withCode } = require('./errors');

const isThere = (value) => value !== undefined && value !== null;
const isTrue = (value) => Boolean(value);
const isFalse = (value) => value === false;

const MADE_HERE = 'connections are made in the engine here; only `WebSocket` of sockline itself can have Node make them';

/** As [whether a value asks, why not]. */
const OF_CLIENT = {
  ...each(MADE_HERE, 'agent createConnection finishRequest hints lookup', isTrue),
  generateMask: [isTrue, 'masks come from the system\'s random numbers (RFC 6455 §5.3)'],
  insecureHTTPParser: [isTrue, 'answers are not read by the http module, and have to be right'],
  joinDuplicateHeaders: [isTrue, 'answers are not read by the http module'],
  maxHeaderSize: [isThere, 'the engine has a limit of its own for answers'],
  setHost: [isFalse, 'HTTP/1.1 demands the header Host (RFC 9112 §3.2); headers may have another one'],
  uniqueHeaders: [isThere, 'requests are not made by the http module; each header is sent as it is given'],
};

const NO_CHOICE = 'rustls, which does TLS here, has no such choice';
const FOR_SERVERS = 'it is for servers only';

/** Of the tls module, for either end. */
const OF_TLS = {
  ...each(NO_CHOICE, `ALPNCallback SNICallback ciphers clientCertEngine crl dhparam ecdhCurve honorCipherOrder minDHSize pfx privateKeyEngine
    privateKeyIdentifier pskCallback secureContext secureOptions secureProtocol sessionIdContext sessionTimeout sigalgs ticketKeys`),
  allowPartialTrustChain: [isTrue, 'chains have to end at an authority that is trusted'],
  enableTrace: [isTrue, 'there is no OpenSSL to trace; use log'],
  maxVersion: [(value) => isThere(value) && value !== 'TLSv1.3', NO_CHOICE],
};
/** What has no meaning for a client. */
const OF_SERVERS = {
  ...each(FOR_SERVERS, 'ALPNCallback SNICallback sessionIdContext sessionTimeout ticketKeys'),
  requestCert: [isTrue, FOR_SERVERS],
};
const OF_TLS_CLIENT = {
  ...OF_TLS,
  ...each(NO_CHOICE, 'checkServerIdentity session'),
  socket: [isTrue, 'connections are not made by the tls module'],
  servername: [(value) => value === '', 'a name is always asked for, except of IP addresses'],
  ...OF_SERVERS,
};

function each(reason, names, asks = isThere) {
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, [asks, reason]]));
}

function refuse(options, refused) {
  for (const [name, [asks, reason]] of Object.entries(refused)) {
    if (asks(options[name])) throw withCode(new Error(`option ${name}: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
  }
}

/** The default is what the URL's scheme has; another one would only change the header Host. */
function refuseOfClient(options, isSecure) {
  refuse(options, OF_CLIENT);
  const usual = isSecure ? 443 : 80;
  const isOther = (port) => isTrue(port) && Number(port) !== usual;
  refuse(options, { defaultPort: [isOther, `the default of the URL's scheme is ${usual}; write the port into the URL`] });
}

/** The names of those that a client asks for and Node's tls module could do, but the engine can't. */
function beyondTheEngine(options) {
  const able = Object.entries(OF_TLS_CLIENT).filter(([name]) => !Object.hasOwn(OF_SERVERS, name));
  return able.filter(([name, [asks]]) => asks(options[name])).map(([name]) => name);
}

/** `role` is 'client' or 'server'. */
function refuseOfTls(options, role) {
  refuse(options, role === 'client' ? OF_TLS_CLIENT : OF_TLS);
}

module.exports = { beyondTheEngine, refuseOfClient, refuseOfTls };
