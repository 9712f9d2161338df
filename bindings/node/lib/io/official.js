'use strict';

const path = require('path');

/**
 * Where a module of the official client is, which this package depends on. A package that is linked, as `npm install FOLDER` does,
 * has its dependencies where the program that links it has them. Throws as `require.resolve` does.
 */
function resolveOfficial(request) {
  try {
    return require.resolve(request);
  } catch (error) {
    const program = process.argv[1];
    if (error.code !== 'MODULE_NOT_FOUND' || program === undefined) throw error;
    return require.resolve(request, { paths: [path.dirname(program)] });
  }
}

module.exports = { resolveOfficial };
