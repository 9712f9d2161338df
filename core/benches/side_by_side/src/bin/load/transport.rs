//! The byte stream of a connection: TCP, or TLS over it. Reads and writes as the socket under it is set to: blocking
//! while connections are opened and closed, not blocking in between.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// The name in the server's certificate.
const SERVER_NAME: &str = "localhost";

pub struct Transport {
    socket: TcpStream,
    session: Option<Box<ClientConnection>>,
}

/// How to speak TLS to a server with that certificate (a file in PEM). Only one version, cipher suite and key exchange are
/// offered, and no session is resumed, so that all servers do the same work for a byte and for a handshake.
pub fn tls(certificate: &str) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let provider = CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

impl Transport {
    /// With `tls` the handshake begins here, and `socket` must be blocking until it is done.
    pub fn new(mut socket: TcpStream, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let Some(tls) = tls else {
            return Ok(Self {
                socket,
                session: None,
            });
        };
        let name = ServerName::try_from(SERVER_NAME).map_err(invalid)?;
        let mut session = ClientConnection::new(tls.clone(), name).map_err(invalid)?;
        session.write_tls(&mut socket)?;
        Ok(Self {
            socket,
            session: Some(Box::new(session)),
        })
    }

    /// Ends the handshake.
    pub fn handshake(&mut self) -> io::Result<()> {
        if let Some(session) = &mut self.session {
            while session.is_handshaking() {
                session.complete_io(&mut self.socket)?;
            }
        }
        Ok(())
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether there may be more to read at once after a read of `length` bytes into `room`.
    pub fn may_have_more(&self, length: usize, room: usize) -> bool {
        match self.session {
            None => length == room,
            Some(_) => length > 0, // a read ends where a record does
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(session) = &mut self.session else {
            return self.socket.read(buffer);
        };
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if session.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            session.process_new_packets().map_err(invalid)?;
        }
    }
}

impl Write for Transport {
    /// What TLS has taken may wait for `flush`.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let Some(session) = &mut self.session else {
            return self.socket.write(bytes);
        };
        let length = session.writer().write(bytes)?;
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(length),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        while session.wants_write() {
            session.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}

fn invalid(error: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
