'use strict';

const { X509Certificate } = require('crypto');

const { engine } = require('./engine');

/** The other end of a connection, where programs that know ws look for it: what they read of its socket. */
class Peer {
  #handle;
  #tls;

  constructor(handle, address, port) {
    this.#handle = handle;
    this.remoteAddress = address || undefined;
    this.remotePort = port ? Number(port) : undefined;
    this.remoteFamily = address ? (address.includes(':') ? 'IPv6' : 'IPv4') : undefined;
  }

  /** Whether there is TLS. */
  get encrypted() {
    return this.#info !== null;
  }

  /** Whether it has shown a certificate: one that is not good would not have got so far. */
  get authorized() {
    return Boolean(this.#info?.peerCertificate);
  }

  get alpnProtocol() {
    return this.#info?.alpn ?? false;
  }

  get servername() {
    return this.#info?.serverName ?? false;
  }

  /** The version of TLS, as in the tls module; null without TLS. */
  getProtocol() {
    return this.#info?.version ?? null;
  }

  /** Its certificate in the form of the tls module; empty if it has shown none. */
  getPeerCertificate() {
    const certificate = this.getPeerX509Certificate();
    return certificate ? certificate.toLegacyObject() : {};
  }

  getPeerX509Certificate() {
    const der = this.#info?.peerCertificate;
    return der ? new X509Certificate(der) : undefined;
  }

  /** Kept, as it can be asked for when the connection has ended. */
  get #info() {
    this.#tls ??= engine.tlsInfo(this.#handle);
    return this.#tls;
  }
}

module.exports = { Peer };
