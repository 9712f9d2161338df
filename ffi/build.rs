//! What the linker has to know about the shared library.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    match system.as_str() {
        "linux" | "android" | "freebsd" | "netbsd" | "openbsd" => {
            // The number changes when a program that was linked before could not run any more.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libsockline.so.0");
            // dlclose would take the code away under the threads of started loops.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
            version_symbols();
        }
        "macos" | "ios" => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libsockline.0.dylib");
        }
        _ => {}
    }
}

/// Gives each symbol the soname as its version, so that two sonames can live in one process, and so that the loader can
/// tell a library that is too old.
///
/// rustc's own version script is anonymous, and linkers take no second one beside it. GNU ld can do without one; where the
/// linker isn't that, as with zig, symbols have no version, which is all the difference.
fn version_symbols() {
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let linker = std::env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let answer = Command::new(linker)
        .args(["-fuse-ld=bfd", "-Wl,--version"])
        .output();
    if answer.is_ok_and(|answer| answer.stdout.starts_with(b"GNU ld")) {
        println!("cargo::rustc-cdylib-link-arg=-fuse-ld=bfd");
        println!("cargo::rustc-cdylib-link-arg=-Wl,--default-symver");
    }
}
