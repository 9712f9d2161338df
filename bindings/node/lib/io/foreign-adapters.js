'use strict';
// Adapters of other packages, classes that extend socket.io-adapter's: rooms are theirs then, and each packet comes back from
// them by `encoder` and `writeToEngine`, for one client after the other. Bytes are the engine's all the same.

const { withCode } = require('../errors');
const packets = require('./packets');

/** What `encoder.encode` of a server returns: a packet whose values are JSON already, for any number of clients. */
class EncodedPacket {
  constructor(packet) {
    this.packet = packet;
    this.text = packets.encode(packet.data);
    this.attachments = packets.attachmentsTaken();
  }
}

/** In the shape of socket.io-parser's, for adapters. */
const encoder = { encode: (packet) => [new EncodedPacket(packet)] };

/** What can't be, while rooms are an adapter's own. */
const ENGINES = {
  connectionStateRecovery: 'what a client has missed is known to the engine only while rooms are the engine\'s',
  forwardRequests: 'requests are forwarded by the engine\'s own adapters',
};

function checkOptions(options) {
  for (const [name, reason] of Object.entries(ENGINES)) {
    if (options[name]) throw unsupported(`option ${name}: ${reason}, not those of an adapter of another package`);
  }
}

function unsupported(text) {
  return withCode(new Error(text), 'SOCKLINE_ERR_UNSUPPORTED');
}

/**
 * Sends to some, and collects the answers as socket.io does: `done(timedOut, responses)` is called when all clients of all
 * servers have answered, or the time is up.
 */
function collect(adapter, packet, options, done) {
  const responses = [];
  let ended = false;
  let servers = { asked: -1, heard: 0 };
  let clients = 0;
  const end = (timedOut) => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    done(timedOut, responses);
  };
  const endIfComplete = () => servers.asked === servers.heard && responses.length === clients && end(false);
  const timer = setTimeout(end, options.flags.timeout, true);
  const counted = (count) => {
    clients += count;
    servers.heard += 1;
    endIfComplete();
  };
  const answered = (response) => {
    responses.push(response);
    endIfComplete();
  };
  adapter.broadcastWithAck(packet, options, counted, answered);
  adapter.serverCount().then((count) => {
    servers.asked = count;
    endIfComplete();
  });
}

module.exports = { EncodedPacket, checkOptions, collect, encoder, unsupported };
