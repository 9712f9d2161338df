'use strict';
// A client under test on npm ws, with the native masking of bufferutil: ws_client.js PORT CONNECTIONS PIPELINE SIZE

require('bufferutil'); // ws takes it when it is there, silently goes without when it is not
require('../../ours/client.js')(require('ws'));
