'use strict';

const { Namespace } = require('./lib/io/namespace');
const { Server } = require('./lib/io/server');
const { Socket } = require('./lib/io/socket');

module.exports = (server, options) => new Server(server, options);
module.exports.Server = Server;
module.exports.Namespace = Namespace;
module.exports.Socket = Socket;
