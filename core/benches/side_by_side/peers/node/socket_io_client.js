'use strict';
// A client under test on the official socket.io-client, its ws with the native masking of bufferutil:
// socket_io_client.js PORT CONNECTIONS PIPELINE SIZE

require('bufferutil'); // ws takes it when it is there, silently goes without when it is not
require('../../ours/io_client.js')(require('socket.io-client'));
