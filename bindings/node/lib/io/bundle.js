'use strict';

const fs = require('fs');
const path = require('path');

const { resolveOfficial } = require('./official');

/** The folder with the browsers' bundles of socket.io-client, which this package depends on; undefined if it isn't there. */
function clientFolder() {
  try {
    // Its own list of exports names two of the files only.
    const folder = path.join(path.dirname(resolveOfficial('socket.io-client/package.json')), 'dist');
    return fs.existsSync(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}

module.exports = { clientFolder };
