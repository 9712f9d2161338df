'use strict';
// The option `agent`: connections are the engine's own, so what an agent says about them is taken from it, if that is possible.

const http = require('http');
const https = require('https');
const net = require('net');

const { withCode } = require('./errors');

/** What an agent has for https, under the names of our own options. */
const TLS = ['ca', 'cert', 'key', 'passphrase', 'rejectUnauthorized', 'servername', 'pfx', 'ciphers', 'minVersion', 'maxVersion'];
const CONNECTION = ['localAddress', 'family', 'noDelay', 'keepAlive'];
/** What programs put in the place of an agent's own, to make connections themselves. */
const OWN = ['addRequest', 'createConnection', 'createSocket'];
/** What is about connections that are kept for other requests: there are none. */
const POOL = ['keepAliveMsecs', 'maxSockets', 'maxTotalSockets', 'maxFreeSockets', 'maxCachedSessions', 'scheduling', 'timeout', 'path'];
const POOLS = new Set([...POOL, 'agentKeepAliveTimeoutBuffer']);
/** Of the packages http-proxy-agent, https-proxy-agent and socks-proxy-agent. */
const PROXIES = new Set(['HttpProxyAgent', 'HttpsProxyAgent', 'SocksProxyAgent']);

/** What an agent is in options of ours: of Node's own classes, or one that stands for a proxy. An error says why another one isn't. */
function agentOptions(agent) {
  if (!agent || typeof agent !== 'object') return {};
  const { constructor } = agent;
  if (constructor === http.Agent || constructor === https.Agent) return plain(agent);
  if (PROXIES.has(constructor?.name) && agent.proxy) return ofProxy(agent);
  throw refused(`connections are not made by the http module, so ${constructor?.name ?? 'it'} can't make them; \`proxy\` names a proxy`);
}

function plain(agent) {
  if (OWN.some((name) => Object.hasOwn(agent, name))) throw refused('connections are not made by the http module');
  return known(agent.options);
}

function ofProxy(agent) {
  const { proxyHeaders, socketOptions } = agent;
  if (typeof proxyHeaders === 'function' || isSome(proxyHeaders)) throw refused('its headers for the proxy are not possible');
  if (isSome(socketOptions)) throw refused('its socketOptions are not possible');
  const { host, port, ALPNProtocols, headers, socketOptions: same, ...options } = agent.options ?? agent.connectOpts ?? {};
  return { ...known(options), proxy: proxyOf(agent) };
}

function isSome(object) {
  return Object.keys(object ?? {}).length > 0;
}

function known(options) {
  const there = Object.keys(options).filter((name) => options[name] != null && !POOLS.has(name));
  const other = there.find((name) => ![...TLS, ...CONNECTION].includes(name));
  if (other !== undefined) throw refused(`its option ${other} is not possible`);
  return Object.fromEntries(there.map((name) => [name, options[name]]));
}

function proxyOf({ proxy, shouldLookup }) {
  if (proxy instanceof URL || typeof proxy === 'string') return String(proxy);
  if (typeof proxy.href === 'string') return proxy.href; // of version 5 of https-proxy-agent
  // That of socks-proxy-agent.
  if (!proxy.host) throw refused('its proxy has no address');
  if (proxy.type === 4) throw refused('version 4 of SOCKS is not possible');
  const user = proxy.userId ? `${encodeURIComponent(proxy.userId)}:${encodeURIComponent(proxy.password ?? '')}@` : '';
  const host = net.isIPv6(proxy.host) ? `[${proxy.host}]` : proxy.host;
  return `socks5${shouldLookup === false ? 'h' : ''}://${user}${host}:${proxy.port}`;
}

function refused(reason) {
  return withCode(new Error(`option agent: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
}

module.exports = { agentOptions };
