//! The rules of the house, read off the sources: who may know whom, and where the library may give up.

use std::fs;
use std::path::{Path, PathBuf};

/// All sources below a folder, without their comments and tests: path, and numbered lines.
fn sources(folder: &str) -> Vec<(PathBuf, Vec<(usize, String)>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join(folder);
    let mut found = Vec::new();
    let mut of_tests = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                of_tests.extend(modules_of_tests(&path, &source));
                found.push((path, code_of(&source)));
            }
        }
    }
    found.retain(|(path, _)| !of_tests.iter().any(|module| path.starts_with(module)));
    found.retain(|(path, _)| !of_tests.contains(&path.with_extension("")));
    assert!(!found.is_empty(), "{} has no sources", root.display());
    found
}

/// The modules of a source that are there for tests only, as paths without an ending.
fn modules_of_tests(path: &Path, source: &str) -> Vec<PathBuf> {
    let folder = match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib") => path.parent().unwrap().to_owned(),
        _ => path.with_extension(""),
    };
    let lines = source.lines().zip(source.lines().skip(1));
    lines
        .filter(|(line, _)| line.trim() == "#[cfg(test)]")
        .filter_map(|(_, next)| next.split_once("mod ")?.1.strip_suffix(';'))
        .map(|name| folder.join(name))
        .collect()
}

/// The lines of a source before its tests, which come last, without what is only a comment.
fn code_of(source: &str) -> Vec<(usize, String)> {
    source
        .lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line.to_owned()))
        .collect()
}

/// Fails with every line of the folders that contains one of the words.
#[track_caller]
fn nowhere(folders: &[&str], words: &[&str]) {
    let mut sins = Vec::new();
    for (path, code) in folders.iter().flat_map(|folder| sources(folder)) {
        for (number, line) in code {
            if words.iter().any(|word| line.contains(word)) {
                sins.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(sins.is_empty(), "{}", sins.join("\n"));
}

const MACHINES: [&str; 6] = [
    "core/src/json",
    "core/src/ws",
    "core/src/http",
    "core/src/proxy",
    "core/src/engineio",
    "core/src/socketio",
];
const CALLERS: [&str; 4] = [
    "ffi/src",
    "bindings/command/src",
    "bindings/python/src",
    "bindings/node/src",
];

#[test]
fn the_machines_know_no_socket_thread_or_clock() {
    let words = [
        "std::net",
        "std::os::",
        "std::thread",
        "Instant",
        "SystemTime::now",
        "mio::",
        "socket2",
        "nix::",
        "libc",
        "crossbeam",
        "parking_lot",
        "event_loop",
        "std::fs",
    ];
    nowhere(&MACHINES, &words);
}

#[test]
fn the_machines_have_no_unsafe_code() {
    nowhere(&MACHINES, &["unsafe ", "unsafe{"]);
    for module in MACHINES {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .unwrap()
            .join(module)
            .join("mod.rs");
        assert!(
            fs::read_to_string(&root)
                .unwrap()
                .contains("#![forbid(unsafe_code)]"),
            "{}",
            root.display()
        );
    }
}

#[test]
fn http_does_not_know_websockets() {
    nowhere(&["core/src/http"], &["crate::ws", "tungstenite"]);
}

#[test]
fn engineio_does_not_know_socketio() {
    nowhere(&["core/src/engineio", "core/src/json"], &["socketio"]);
}

#[test]
fn only_the_event_loop_touches_sockets_threads_and_the_clock() {
    let words = [
        "mio::",
        "socket2::",
        "std::thread",
        "Instant::now",
        "TcpStream",
        "UnixStream",
        "nix::",
    ];
    let sins: Vec<String> = sources("core/src")
        .into_iter()
        .filter(|(path, _)| !path.components().any(|part| part.as_os_str() == "event_loop"))
        .flat_map(|(path, code)| {
            code.into_iter()
                .map(move |(number, line)| (path.clone(), number, line))
        })
        .filter(|(_, _, line)| words.iter().any(|word| line.contains(word)))
        .map(|(path, number, line)| format!("{}:{number}: {}", path.display(), line.trim()))
        .collect();
    assert!(sins.is_empty(), "{}", sins.join("\n"));
}

#[test]
fn the_callers_of_the_core_know_nothing_below_it() {
    let words = [
        "mio::",
        "tungstenite",
        "httparse",
        "socket2",
        "crossbeam",
        "parking_lot",
        "simdutf8",
        "std::net::Tcp",
    ];
    nowhere(&CALLERS, &words);
}

#[test]
fn giving_up_needs_a_reason() {
    let words = [
        ".unwrap()",
        ".expect(",
        "panic!(",
        "unreachable!(",
        "todo!(",
        "unimplemented!(",
    ];
    let mut sins = Vec::new();
    for (path, code) in ["core/src"]
        .iter()
        .chain(&CALLERS)
        .flat_map(|folder| sources(folder))
    {
        let source = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = source.lines().collect();
        for (number, line) in code {
            let has_reason = line.contains("//")
                || lines[number.saturating_sub(4)..number - 1]
                    .iter()
                    .any(|before| before.contains("//"))
                || states_it(line.as_str());
            if words.iter().any(|word| line.contains(word)) && !has_reason {
                sins.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(
        sins.is_empty(),
        "an unwrap needs its invariant beside it:\n{}",
        sins.join("\n")
    );
}

/// `expect` and `unreachable!` may say the invariant in their text.
fn states_it(line: &str) -> bool {
    ["expect(\"", "unreachable!(\""].iter().any(|word| {
        line.split_once(word)
            .is_some_and(|(_, text)| text.split_whitespace().count() >= 4)
    })
}

#[test]
fn files_stay_short() {
    for folder in [
        "core/src",
        "core/tests",
        "ffi/src",
        "bindings/command/src",
        "bindings/python/src",
        "bindings/node/src",
    ] {
        for (path, _) in sources(folder) {
            let length = fs::read_to_string(&path).unwrap().lines().count();
            assert!(length <= 600, "{} has {length} lines", path.display());
        }
    }
}
