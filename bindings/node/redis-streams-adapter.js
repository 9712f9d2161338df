'use strict';

exports.createAdapter = require('./redis-adapter').createStreamsAdapter;
