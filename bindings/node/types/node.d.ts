/// <reference types="node" />

// What Node's own modules do for a client's connection, if they are asked to.

import type { Agent } from 'http';
import type { LookupFunction, NetConnectOpts } from 'net';
import type { Duplex } from 'stream';
import type { ConnectionOptions, SecureContextOptions } from 'tls';
import type WebSocket = require('../index.js');
import type { Request } from './http.js';

/** Options of TLS that the engine can't do: with any of them Node does all of it, and the engine gets what it has decrypted. Slower. */
type TlsOfNode = Pick<ConnectionOptions, 'checkServerIdentity' | 'enableTrace' | 'pskCallback' | 'secureContext' | 'session' | 'socket'> &
  Pick<
    SecureContextOptions,
    | 'allowPartialTrustChain'
    | 'ciphers'
    | 'clientCertEngine'
    | 'crl'
    | 'dhparam'
    | 'ecdhCurve'
    | 'honorCipherOrder'
    | 'maxVersion'
    | 'pfx'
    | 'privateKeyEngine'
    | 'privateKeyIdentifier'
    | 'secureOptions'
    | 'secureProtocol'
    | 'sigalgs'
  >;

/**
 * With `createConnection`, an agent that the engine can't read, or such options of TLS Node makes the connection, by all of the options
 * that are given, and the engine takes it over: not together with `proxy`, `pins` and `reconnect`.
 */
export interface NodeOptions extends TlsOfNode {
  /**
   * Of Node's own classes, of https-proxy-agent, http-proxy-agent and socks-proxy-agent is taken what they say of TLS, addresses and
   * proxies, and the engine connects; others make the connection. False is none.
   */
  agent?: Agent | false;
  /** Makes the connection: returns it, or calls back with it. */
  createConnection?: (options: NetConnectOpts, done: (error: Error | null, stream: Duplex) => void) => Duplex | null | undefined | void;
  /** Changes the request, and sends it by its `end()`. Not together with `reconnect`, which has the event 'attempt'. */
  finishRequest?: (request: Request, socket: WebSocket) => void;
  /** As dns.lookup, to look the host's name up. Not together with `proxy` and `reconnect`. */
  lookup?: LookupFunction;
  /** Of dns.lookup. */
  hints?: number;
  /** Of a key for Diffie and Hellman, in bits. */
  minDHSize?: number;
}
