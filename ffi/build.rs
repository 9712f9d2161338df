//! What the linker has to know about the shared library.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    match system.as_str() {
        "linux" | "android" | "freebsd" | "netbsd" | "openbsd" => {
            // The number changes when a program that was linked before could not run any more.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libsockline.so.0");
            // dlclose would take the code away under the threads of started loops.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        "macos" | "ios" => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libsockline.0.dylib");
        }
        _ => {}
    }
}
