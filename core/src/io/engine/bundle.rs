//! The JavaScript client's files (`serveClient`), as npm's package `socket.io-client` has them in its folder `dist`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::answers::{Headers, set};
use crate::engineio::coding::{self, Coding};
use crate::error::{Error, ErrorCode, Result};
use crate::route::{HttpAnswer, HttpRequest};

/// The files that there are, and no others.
const NAMES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

/// A file in a coding.
type Variant = (&'static str, Coding);

pub(super) struct Bundle {
    folder: PathBuf,
    /// The package's version, quoted.
    etag: String,
    /// What was compressed; a package's files don't change.
    compressed: Mutex<HashMap<Variant, Arc<Vec<u8>>>>,
}

impl Bundle {
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a folder that isn't one with these files, with the package's `package.json` in it or
    /// above.
    pub(super) fn open(folder: &Path) -> Result<Bundle> {
        let wrong = |text: String| Error::new(ErrorCode::InvalidArgument, text);
        if !NAMES.iter().any(|name| folder.join(name).is_file()) {
            let text = format!("client_folder {} has no file {}", folder.display(), NAMES[0]);
            return Err(wrong(text));
        }
        let places = [folder.join("package.json"), folder.join("../package.json")];
        let version = places.iter().find_map(|path| version_in(path));
        let version = version.ok_or_else(|| {
            wrong(format!(
                "client_folder {} has no package.json with a version, in it or above",
                folder.display()
            ))
        })?;
        Ok(Bundle {
            folder: folder.to_owned(),
            etag: format!("\"{version}\""),
            compressed: Mutex::default(),
        })
    }

    /// The file that a path means, if it is one of these.
    pub(super) fn find(&self, below: &str, path: &str) -> Option<&'static str> {
        let name = path.strip_prefix(below)?.strip_prefix('/')?;
        NAMES.into_iter().find(|known| *known == name)
    }

    /// As the official server does, whatever the method.
    pub(super) fn serve(&self, name: &'static str, request: HttpRequest, mut headers: Headers) {
        let known = request.head.header("if-none-match");
        if known.is_some_and(|known| known.strip_prefix("W/").unwrap_or(known) == self.etag) {
            return request.exchange.respond(HttpAnswer {
                headers,
                ..HttpAnswer::new(304)
            });
        }
        let wanted = [Coding::Br, Coding::Gzip, Coding::Deflate];
        let has_brotli = self.folder.join(format!("{name}.br")).is_file();
        let wanted = if has_brotli { &wanted[..] } else { &wanted[1..] };
        let coding = coding::negotiate(&request.head.headers, wanted);
        let Some((body, coding)) = self.read(name, coding) else {
            return request.exchange.respond(HttpAnswer {
                headers,
                ..HttpAnswer::new(404)
            });
        };
        let kind = if name.ends_with(".map") {
            "json"
        } else {
            "javascript"
        };
        set(&mut headers, "Cache-Control", "public, max-age=0");
        set(
            &mut headers,
            "Content-Type",
            &format!("application/{kind}; charset=utf-8"),
        );
        set(&mut headers, "ETag", &self.etag);
        if let Some(coding) = coding {
            set(&mut headers, "Content-Encoding", coding.name());
        }
        request.exchange.respond(HttpAnswer {
            status: 200,
            headers,
            body,
        });
    }

    /// The file, in this coding if that can be.
    fn read(&self, name: &'static str, coding: Option<Coding>) -> Option<(Vec<u8>, Option<Coding>)> {
        match coding {
            None => Some((std::fs::read(self.folder.join(name)).ok()?, None)),
            Some(Coding::Br) => {
                let body = std::fs::read(self.folder.join(format!("{name}.br"))).ok()?;
                Some((body, coding))
            }
            Some(other) => match self.compressed(name, other) {
                Some(body) => Some((body.as_ref().clone(), coding)),
                None => self.read(name, None),
            },
        }
    }

    fn compressed(&self, name: &'static str, coding: Coding) -> Option<Arc<Vec<u8>>> {
        if let Some(body) = self.compressed.lock().get(&(name, coding)) {
            return Some(body.clone());
        }
        let body = std::fs::read(self.folder.join(name)).ok()?;
        let body = Arc::new(coding::compress(&body, coding)?);
        self.compressed.lock().insert((name, coding), body.clone());
        Some(body)
    }
}

/// What a package.json says of its version.
fn version_in(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    let version = package.get("version")?.as_str()?;
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    (!version.is_empty() && version.bytes().all(is_plain)).then(|| version.to_owned())
}
