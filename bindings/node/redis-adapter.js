'use strict';

const { Adapter } = require('./lib/io/adapter');
const { adapterOf } = require('./lib/io/redis/cluster');
const { PYTHON_SOCKETIO, redisOptions } = require('./lib/io/redis/options');

exports.createAdapter = (pub, sub, options) => adapterOf(redisOptions('classic', pub, options, [sub]));
exports.createShardedAdapter = (pub, sub, options) => adapterOf(redisOptions('sharded', pub, options, [sub]));
exports.createStreamsAdapter = (client, options) => adapterOf(redisOptions('streams', client, options));
exports.createPythonSocketioAdapter = (client, options) => adapterOf(redisOptions(PYTHON_SOCKETIO, client, options));
exports.RedisAdapter = Adapter;
