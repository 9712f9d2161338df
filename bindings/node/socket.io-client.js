'use strict';

module.exports = require('./lib/io/client');
