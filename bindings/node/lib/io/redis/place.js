'use strict';
// Where Redis is: a URL as the engine takes it, from a URL, from options, or from a client of npm's redis or ioredis, whose
// connection the engine can't use, but whose options it can.

const { withCode } = require('../../errors');

const PORT = 6379;
const SENTINEL_PORT = 26379;

/** What else may be said beside a URL. */
const BESIDE_URL = ['url', 'tls', 'commandTimeout', 'pingInterval', 'maxQueued', 'sentinelUsername', 'sentinelPassword', 'sentinelTLS'];

/** The URL and, with TLS, whom to trust: fields of the addon's `IoRedis`. */
function place(given, name = 'client') {
  if (typeof given === 'string' || given instanceof URL) return { url: String(given) };
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(`${name} must be a URL of Redis, options with a url, or a client of npm's redis or ioredis, not ${given}`);
  }
  if (given.isCluster === true && Array.isArray(given.startupNodes)) return ofIoredisCluster(given);
  if (Array.isArray(given.masters) && given.masters.length > 0) return ofConnectedCluster(given);
  const isClient = typeof given.on === 'function';
  const options = given.options ?? given._options ?? (isClient ? undefined : given);
  if (typeof options !== 'object' || options === null) throw unreadable(name);
  if (Array.isArray(options.rootNodes)) return ofCluster(options);
  if (!isClient && typeof options.url === 'string' && !options.socket) return ofUrl(options, name);
  if (typeof options.credentialsProvider === 'object' && options.password === undefined) {
    throw unsupported(name, 'a credentialsProvider can\'t be asked by the engine: give a URL with user and password');
  }
  if (isIoredis(options)) return ofIoredis(options, name);
  if (isClient || options.socket) return ofNodeRedis(options);
  throw unreadable(name);
}

function unsupported(name, reason) {
  return withCode(new Error(`${name}: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
}

function unreadable(name) {
  const reason = 'it can\'t be read where it connects to, which the engine needs for connections of its own: give a URL';
  return unsupported(name, reason);
}

/** Options of our own. */
function ofUrl(options, name) {
  const other = Object.keys(options).find((key) => !BESIDE_URL.includes(key));
  if (other !== undefined) throw unsupported(`${name}.${other}`, `beside a url there are ${BESIDE_URL.slice(1).join(', ')}`);
  const { url, tls, commandTimeout, pingInterval, maxQueued } = options;
  return { url, ...trust(tls, `${name}.tls`), ...sentinelLogin(options), commandTimeout, pingInterval, maxQueued };
}

function isIoredis(options) {
  return !options.socket && (options.sentinels !== undefined || (options.port !== undefined && options.db !== undefined));
}

/** `client.options` of npm's redis 4 and 5. What its URL says is in the other options, but in clients that were duplicated. */
function ofNodeRedis({ url, socket = {}, username, password, database }) {
  const { host, port, path, tls } = socket;
  if (url && host === undefined && path === undefined) return { url, ...trust(tls && socket, 'socket') };
  const target = { isTls: Boolean(tls), path, hosts: [address(host ?? 'localhost', port)] };
  return { url: toUrl({ ...target, username, password, database }), ...trust(tls && socket, 'socket') };
}

/** Options of `createCluster` of the same. */
function ofCluster({ rootNodes, defaults = {} }) {
  const nodes = rootNodes.map((node) => {
    if (!node.url) return node.socket ?? {};
    const { hostname, port, protocol, username, password } = new URL(node.url);
    return { host: hostname, port, tls: protocol === 'rediss:', username: decodeURIComponent(username), password: decodeURIComponent(password) };
  });
  const [first = {}] = nodes;
  const tls = defaults.socket?.tls || first.tls;
  const { username = first.username || rootNodes[0]?.username, password = first.password || rootNodes[0]?.password } = defaults;
  const hosts = nodes.map(({ host = 'localhost', port }) => address(host, port));
  return { url: toUrl({ kind: '+cluster', isTls: Boolean(tls), hosts, username, password }), ...trust(tls && (defaults.socket ?? {}), 'socket') };
}

/** A cluster of `createCluster` keeps its options to itself, but says whom it is connected to, and with which options. */
function ofConnectedCluster({ masters }) {
  const options = masters.map(({ client }) => client?.options).find(Boolean);
  const rootNodes = masters.map(({ host, port, client }) => ({ socket: client?.options?.socket ?? { host, port } }));
  return ofCluster({ rootNodes, defaults: options });
}

/** `client.options` of ioredis. */
function ofIoredis(options, name) {
  const { host, port, path, username, password, db, tls, sentinels, keyPrefix } = options;
  if (keyPrefix) throw unsupported(`${name}.keyPrefix`, 'use the option key or channelPrefix');
  const common = { isTls: Boolean(tls), username, password, database: db };
  const trusted = trust(tls, `${name}.tls`);
  if (!sentinels) return { url: toUrl({ ...common, path, hosts: [address(host, port)] }), ...trusted };
  const hosts = sentinels.map((one) => address(one.host ?? 'localhost', one.port ?? SENTINEL_PORT));
  const isTls = Boolean(tls && options.enableTLSForSentinelMode); // to the master
  const url = toUrl({ ...common, isTls, kind: '+sentinel', hosts, master: options.name });
  const ofSentinels = trust(options.sentinelTLS, `${name}.sentinelTLS`);
  if (isTls && options.sentinelTLS && JSON.stringify(trusted) !== JSON.stringify(ofSentinels)) {
    throw unsupported(`${name}.sentinelTLS`, 'sentinels and the master have to be trusted by the same certificates');
  }
  return { url, ...(isTls ? trusted : ofSentinels), ...sentinelLogin(options) };
}

/** How sentinels are asked, under ioredis' names. */
function sentinelLogin({ sentinelUsername, sentinelPassword, sentinelTLS }) {
  return {
    sentinelUser: sentinelUsername ?? undefined,
    sentinelPassword: sentinelPassword ?? undefined,
    sentinelTls: sentinelTLS ? true : undefined,
  };
}

function ofIoredisCluster({ startupNodes, options }) {
  const { username, password, tls, keyPrefix } = { ...options, ...options?.redisOptions };
  if (keyPrefix) throw unsupported('keyPrefix', 'use the option key or channelPrefix');
  const hosts = startupNodes.map((node) => {
    if (typeof node === 'number') return address('localhost', node);
    if (typeof node === 'string') return address(new URL(node).hostname, new URL(node).port);
    return address(node.host ?? 'localhost', node.port);
  });
  return { url: toUrl({ kind: '+cluster', isTls: Boolean(tls), hosts, username, password }), ...trust(tls, 'tls') };
}

function address(host, port) {
  const isBare = host.includes(':') && !host.startsWith('[');
  return `${isBare ? `[${host}]` : host}:${port || PORT}`;
}

function toUrl({ kind = '', isTls, path, hosts, master, username, password, database }) {
  const number = database ? Number(database) : 0;
  if (path) return unixUrl(path, username, password, number);
  const user = password || username ? `${encodeURIComponent(username ?? '')}:${encodeURIComponent(password ?? '')}@` : '';
  const name = master === undefined ? '' : `/${encodeURIComponent(master)}`;
  return `${isTls ? 'rediss' : 'redis'}${kind}://${user}${hosts.join(',')}${name}${number ? `/${number}` : ''}`;
}

function unixUrl(path, username, password, database) {
  const query = [];
  if (database) query.push(`db=${database}`);
  if (username) query.push(`user=${encodeURIComponent(username)}`);
  if (password) query.push(`password=${encodeURIComponent(password)}`);
  const whole = path.split('/').map(encodeURIComponent).join('/');
  return `unix://${whole}${query.length > 0 ? `?${query.join('&')}` : ''}`;
}

/** Options of TLS: the engine reads certificates from files. `caFile`, `certFile` and `keyFile` name them. */
function trust(tls, name) {
  if (!tls || tls === true) return {};
  for (const given of ['ca', 'cert', 'key', 'pfx', 'secureContext', 'servername', 'checkServerIdentity']) {
    if (tls[given] === undefined) continue;
    throw unsupported(`${name}.${given}`, 'the engine needs { url, tls: { caFile, certFile, keyFile, rejectUnauthorized } }, which name files');
  }
  const trusted = {
    caFile: tls.caFile,
    certificateFile: tls.certFile,
    keyFile: tls.keyFile,
    insecure: tls.rejectUnauthorized === false ? true : undefined,
  };
  return Object.fromEntries(Object.entries(trusted).filter(([, value]) => value !== undefined));
}

module.exports = { place, unsupported };
