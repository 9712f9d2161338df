//! The committed header is what cbindgen makes of the sources, in the order in which it is to be read.
//!
//! After a change of the sources: `SOCKLINE_WRITE_HEADER=1 cargo test -p sockline-ffi --test header`.

#[path = "header/layout.rs"]
mod layout;
#[path = "header/pieces.rs"]
mod pieces;

use std::fs;
use std::path::{Path, PathBuf};

use layout::{LAYOUT, Section, initialisers, version};
use pieces::{Pieces, split};

const REWRITE: &str = "SOCKLINE_WRITE_HEADER=1 cargo test -p sockline-ffi --test header";

#[test]
fn the_committed_header_is_the_generated_one() {
    let wanted = arrange(split(&generate()));
    let path = here().join("../include/sockline.h");
    if std::env::var_os("SOCKLINE_WRITE_HEADER").is_some() {
        fs::write(&path, &wanted).expect("include/sockline.h can be written");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == wanted,
        "include/sockline.h is not what the sources say; rewrite it with\n    {REWRITE}"
    );
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn generate() -> String {
    let config = cbindgen::Config::from_file(here().join("cbindgen.toml")).expect("cbindgen.toml is valid");
    let bindings = cbindgen::Builder::new()
        .with_crate(here())
        .with_config(config)
        .generate();
    let mut header = Vec::new();
    bindings
        .expect("cbindgen understands the sources")
        .write(&mut header);
    String::from_utf8(header).expect("the header is UTF-8")
}

/// Puts the generated pieces in the order of the layout, each exactly once.
fn arrange(mut pieces: Pieces) -> String {
    let mut out = pieces.before.clone() + &version();
    for Section { title, names } in LAYOUT {
        out += &format!("/*\n * {title}\n */\n\n");
        for name in *names {
            let piece = pieces.take(name);
            out += &piece.unwrap_or_else(|| panic!("tests/header/layout.rs has {name}, the sources don't"));
            out += "\n";
        }
        if *title == layout::TYPES_END {
            out += &initialisers();
        }
    }
    let left: Vec<&str> = pieces.names().collect();
    assert!(
        left.is_empty(),
        "give these a place in tests/header/layout.rs: {left:?}"
    );
    out += &pieces.after;
    out
}

/// cbindgen leaves out in silence what it doesn't understand.
#[test]
fn every_function_of_the_sources_is_declared() {
    let header = arrange(split(&generate()));
    let mut count = 0;
    for source in sources(&here().join("src")) {
        let text = fs::read_to_string(source).expect("a source can be read");
        for line in text
            .lines()
            .filter(|line| line.contains("extern \"C\" fn sockline_"))
        {
            let name = line
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next())
                .unwrap_or_default();
            assert!(
                header.contains(&format!("{name}(")),
                "{name} is not in the header"
            );
            count += 1;
        }
    }
    assert!(count > 40, "only {count} functions were found");
}

/// All files of a folder and of those in it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("ffi/src can be listed");
    let paths = entries.map(|entry| entry.expect("ffi/src can be read").path());
    paths
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .collect()
}
