/// <reference types="node" />

// TLS: options under the names of Node's tls module, and what was agreed on.

type Pem = string | Buffer;

/** A certificate with its key; as in Node's tls module. */
export interface Certificate {
  /** The certificate, and behind it those that lead towards a root: PEM, or one as DER. */
  cert?: Pem | Pem[];
  key?: Pem | (Pem | { pem: Pem; passphrase?: string })[];
  /** Of keys that are encrypted. */
  passphrase?: string;
}

/** Of a `wss:` URL. Certificates that are not good fail with the codes of Node, as `CERT_HAS_EXPIRED`. */
export interface ClientTlsOptions extends Certificate {
  /** Whom to trust in place of the system's authorities. Default: those, and the file of NODE_EXTRA_CA_CERTS. */
  ca?: Pem | Pem[];
  /** False trusts anybody, for tests only. Default: true, unless NODE_TLS_REJECT_UNAUTHORIZED is 0. */
  rejectUnauthorized?: boolean;
  /** The name to ask for and to expect. Default: the URL's host. */
  servername?: string;
  /** Default: `['http/1.1']`. */
  ALPNProtocols?: string[];
  /** Default: 'TLSv1.2'; nothing older is ever accepted. */
  minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  /** SHA-256 of public keys (SPKI), one of which must be in the chain: bytes, base64 or `sha256//…`. */
  pins?: readonly (string | Uint8Array)[];
}

export interface ServerTlsOptions extends Certificate {
  /** Ask clients for certificates that `ca` vouches for. Default: false. */
  requestCert?: boolean;
  ca?: Pem | Pem[];
  /** With `requestCert`: refuse clients without a certificate. Default: true. */
  rejectUnauthorized?: boolean;
  ALPNProtocols?: string[];
  minVersion?: ClientTlsOptions['minVersion'];
}

export interface TlsInfo {
  readonly version: 'TLSv1.2' | 'TLSv1.3';
  /** By its IANA name, as `TLS_AES_128_GCM_SHA256`. */
  readonly cipherSuite: string;
  readonly alpn: string | null;
  /** The name that the client has asked for. */
  readonly serverName: string | null;
  /** DER. */
  readonly peerCertificate: Buffer | null;
  /** Whether an earlier session was resumed. */
  readonly resumed: boolean;
}
