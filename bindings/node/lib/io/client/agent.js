'use strict';
// The option `agent`: connections are the engine's own, so what an agent says about them is taken from it, if that is possible.

const http = require('http');
const https = require('https');

const { withCode } = require('../../errors');

/** What an agent has for https, under the names of our own options. */
const TLS = ['ca', 'cert', 'key', 'passphrase', 'rejectUnauthorized', 'servername', 'pfx', 'ciphers', 'minVersion', 'maxVersion'];
const CONNECTION = ['localAddress', 'family', 'noDelay', 'keepAlive'];
/** What is about connections that are kept for other requests: there are none. */
const POOL = ['keepAliveMsecs', 'maxSockets', 'maxTotalSockets', 'maxFreeSockets', 'maxCachedSessions', 'scheduling', 'timeout', 'path'];
const POOLS = new Set([...POOL, 'agentKeepAliveTimeoutBuffer']);
/** Of the packages http-proxy-agent, https-proxy-agent and socks-proxy-agent. */
const PROXIES = new Set(['HttpProxyAgent', 'HttpsProxyAgent', 'SocksProxyAgent']);

/** What an agent is in options of ours: of Node's own classes, or one that stands for a proxy. */
function agentOptions(agent) {
  if (!agent || typeof agent !== 'object') return {};
  const { constructor } = agent;
  if (constructor === http.Agent || constructor === https.Agent) return plain(agent);
  if (PROXIES.has(constructor?.name) && agent.proxy) return { ...known(agent.connectOpts ?? {}), proxy: proxyOf(agent.proxy) };
  throw refused(`connections are not made by the http module, so ${constructor?.name ?? 'it'} can't make them; \`proxy\` names a proxy`);
}

function plain(agent) {
  if (Object.hasOwn(agent, 'createConnection')) throw refused('connections are not made by the http module');
  const others = Object.keys(agent.options).filter((name) => !POOLS.has(name) && ![...TLS, ...CONNECTION].includes(name));
  const other = others.find((name) => agent.options[name] != null);
  if (other !== undefined) throw refused(`its option ${other} is not possible`);
  return known(agent.options);
}

function known(options) {
  const given = [...TLS, ...CONNECTION].filter((name) => options[name] != null).map((name) => [name, options[name]]);
  return Object.fromEntries(given);
}

/** socks-proxy-agent has host and type apart. */
function proxyOf(proxy) {
  if (proxy instanceof URL || typeof proxy === 'string') return String(proxy);
  if (!proxy.host) throw refused('its proxy has no address');
  const user = proxy.userId ? `${encodeURIComponent(proxy.userId)}:${encodeURIComponent(proxy.password ?? '')}@` : '';
  return `socks${proxy.type ?? 5}://${user}${proxy.host}:${proxy.port}`;
}

function refused(reason) {
  return withCode(new Error(`option agent: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
}

module.exports = { agentOptions };
