//! The folder that a server was told to serve, and no way out of it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::sys;
use crate::error::{Error, ErrorCode};
use crate::http::{self, files::FileMeta};

/// Its path with all links followed: files are compared with it.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

pub(crate) enum Found {
    File {
        file: File,
        path: String,
        meta: FileMeta,
    },
    /// The path means a folder but does not end with `/`: links in its page would go astray.
    Folder,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Folder, Error> {
        let fail = |why: String| {
            let text = format!("can't serve the folder {}: {why}", path.display());
            Error::new(ErrorCode::InvalidArgument, text)
        };
        let root = path.canonicalize().map_err(|error| fail(error.to_string()))?;
        if !root.is_dir() {
            return Err(fail("it is not a folder".to_owned()));
        }
        Ok(Folder { root })
    }

    /// The file that a request's path means.
    pub(crate) fn find(&self, request_path: &str) -> Result<Found, http::Error> {
        let path = http::files::relative_path(request_path)?;
        let missing = || http::Error {
            status: 404,
            text: format!("there is no {request_path} here"),
        };
        // A link inside the folder may point out of it; what it points to is what counts.
        let full = self.root.join(&path).canonicalize().map_err(|_| missing())?;
        if !full.starts_with(&self.root) {
            return Err(missing());
        }
        // The file may well be there if the machine is at its limits, and a client that remembers 404 would not ask again.
        let file = sys::open_itself(&full).map_err(|error| match sys::is_exhausted(&error) {
            true => busy(&error),
            false => missing(),
        })?;
        let found = file.metadata().map_err(|_| missing())?;
        if found.is_dir() {
            return Ok(Found::Folder);
        }
        if !found.is_file() {
            return Err(missing());
        }
        let modified = found
            .modified()
            .ok()
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        let meta = FileMeta {
            len: found.len(),
            modified: modified.unwrap_or(Duration::ZERO),
        };
        Ok(Found::File { file, path, meta })
    }
}

fn busy(error: &io::Error) -> http::Error {
    log::error!("a file can't be opened: {error}");
    http::Error {
        status: 503,
        text: "the server can't open this file for now".to_owned(),
    }
}
