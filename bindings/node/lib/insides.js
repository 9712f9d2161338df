'use strict';
// Classes that ws exports of its inside. Their work is the engine's: there is nothing that could be made of them.

const { withCode } = require('./errors');

function refused(name, reason) {
  return {
    [name]: class {
      constructor() {
        throw withCode(new Error(`${name}: ${reason}`), 'SOCKLINE_ERR_UNSUPPORTED');
      }
    },
  }[name];
}

const Receiver = refused('Receiver', 'frames are read by the engine');
const Sender = refused('Sender', 'frames are written by the engine');
const PerMessageDeflate = refused('PerMessageDeflate', 'messages are compressed by the engine; use the option perMessageDeflate');
Object.defineProperty(PerMessageDeflate, 'extensionName', { value: 'permessage-deflate', enumerable: true });

module.exports = { PerMessageDeflate, Receiver, Sender };
