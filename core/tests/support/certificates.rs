//! Certificates for tests, made as they run: keys in a repository are found by scanners, and expire.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use sockline::{ClientTls, ClientTlsOptions, Identity, ServerTls, ServerTlsOptions};

/// A certification authority.
pub struct Authority(pub CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::self_signed(authority_params(name), key).unwrap())
    }

    /// One that this one vouches for.
    pub fn intermediate(&self, name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::signed_by(authority_params(name), key, &self.0).unwrap())
    }

    pub fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// Its own certificate, with its key.
    pub fn itself(&self) -> Identity {
        Identity {
            certificates: self.pem(),
            private_key: self.0.key().serialize_pem().into_bytes(),
        }
    }

    pub fn identity(&self, names: &[&str]) -> Identity {
        self.identity_with(names, |_| {})
    }

    pub fn identity_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity {
            certificates: certificate.pem().into_bytes(),
            private_key: key.serialize_pem().into_bytes(),
        }
    }

    /// A client that trusts this authority alone.
    pub fn client(&self) -> ClientTls {
        self.client_with(|_| {})
    }

    pub fn client_with(&self, change: impl FnOnce(&mut ClientTlsOptions)) -> ClientTls {
        let mut options = ClientTlsOptions {
            platform_roots: false,
            ca: vec![self.pem()],
            ..ClientTlsOptions::default()
        };
        change(&mut options);
        ClientTls::new(options).unwrap()
    }

    /// A server that has certificates of this authority for localhost and its addresses.
    pub fn server(&self) -> ServerTls {
        self.server_with(|_| {})
    }

    pub fn server_with(&self, change: impl FnOnce(&mut ServerTlsOptions)) -> ServerTls {
        let identity = self.identity(&["localhost", "127.0.0.1", "::1"]);
        let mut options = ServerTlsOptions::new(vec![identity]);
        change(&mut options);
        ServerTls::new(options).unwrap()
    }
}

/// An authority that is for `localhost` itself, as `openssl req -x509` makes them, with changes.
pub fn authority_for(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Authority {
    let mut params = authority_params(name);
    params.subject_alt_names = CertificateParams::new(["localhost".to_owned()])
        .unwrap()
        .subject_alt_names;
    params.key_usages.clear();
    change(&mut params);
    Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}
