'use strict';
// A Redis Cluster of three masters, which share the slots.

const { execFile } = require('node:child_process');
const { promisify } = require('node:util');

const { Redis, freePort, until } = require('../../io-redis-support');

const cli = async (...args) => (await promisify(execFile)('redis-cli', args.map(String))).stdout;

/** Started; `ports` says where, `end()` ends it. */
async function redisCluster() {
  const nodes = [];
  for (let i = 0; i < 3; i++) nodes.push(await Redis.start(['--cluster-enabled', 'yes', '--cluster-port', await freePort()]));
  const ports = nodes.map(({ port }) => port);
  await cli('--cluster', 'create', ...ports.map((port) => `127.0.0.1:${port}`), '--cluster-yes');
  // All have to agree on who has what.
  for (const port of ports) await until(async () => (await cli('-p', port, 'cluster', 'info')).includes('cluster_state:ok'));
  return { ports, end: () => Promise.all(nodes.map((node) => node.end())) };
}

module.exports = { redisCluster };
