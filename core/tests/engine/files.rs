use std::io::Read;
use std::path::{Path, PathBuf};

use super::*;

/// A folder like the client's package, removed with this.
struct Package(PathBuf);

impl Package {
    fn new(name: &str) -> Package {
        let folder = std::env::temp_dir().join(format!("sockline-bundle-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("dist")).unwrap();
        let package = Package(folder);
        package.file(
            "package.json",
            "{\"name\":\"socket.io-client\",\"version\":\"4.8.4\"}",
        );
        package.file("dist/socket.io.js", &"var io = 1;\n".repeat(100));
        package.file("dist/socket.io.js.map", "{}");
        package.file("dist/secret.js", "no");
        package
    }

    fn file(&self, name: &str, content: &str) {
        std::fs::write(self.0.join(name), content).unwrap();
    }

    fn dist(&self) -> PathBuf {
        self.0.join("dist")
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn serving(folder: &Path) -> Scene {
    Scene::with(|options| {
        options.client_folder = Some(folder.to_owned());
        options.cors = Some(crate::engineio::Cors::default());
    })
}

#[test]
fn the_client_s_files_are_served() {
    let package = Package::new("served");
    let scene = serving(&package.dist());
    let mut http = scene.http();
    let answer = http.get("/engine.io/socket.io.js?x=1");
    assert_eq!((answer.status, answer.body.len()), (200, 1200));
    for (name, value) in [
        ("cache-control", Some("public, max-age=0")),
        ("content-type", Some("application/javascript; charset=utf-8")),
        ("etag", Some("\"4.8.4\"")),
        ("access-control-allow-origin", Some("*")),
        ("content-encoding", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let answer = http.get("/engine.io/socket.io.js.map");
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    for etag in ["\"4.8.4\"", "W/\"4.8.4\""] {
        let lines = format!("If-None-Match: {etag}\r\n");
        let answer = http.request("GET", "/engine.io/socket.io.js", &lines, b"");
        assert_eq!((answer.status, answer.body.as_str()), (304, ""));
    }
    let answer = http.request("GET", "/engine.io/socket.io.js", "If-None-Match: *\r\n", b"");
    assert_eq!(answer.status, 200);
    // All else is the engine's.
    for other in [
        "secret.js",
        "package.json",
        "../package.json",
        "dist/socket.io.js",
        "",
    ] {
        let answer = http.get(&format!("/engine.io/{other}"));
        assert_eq!(
            answer.body, r#"{"code":0,"message":"Transport unknown"}"#,
            "{other}"
        );
    }
    assert_eq!(
        http.get("/engine.io/socket.io.min.js").status,
        404,
        "there is none"
    );
}

#[test]
fn they_are_compressed() {
    let package = Package::new("compressed");
    let scene = serving(&package.dist());
    let mut http = scene.http();
    let expected = "var io = 1;\n".repeat(100);
    for _ in 0..2 {
        let answer = http.request(
            "GET",
            "/engine.io/socket.io.js",
            "Accept-Encoding: gzip, br\r\n",
            b"",
        );
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        let mut body = String::new();
        flate2::read::GzDecoder::new(&answer.bytes[..])
            .read_to_string(&mut body)
            .unwrap();
        assert_eq!(body, expected);
    }
    package.file("dist/socket.io.js.br", "brotli");
    let answer = http.request(
        "GET",
        "/engine.io/socket.io.js",
        "Accept-Encoding: br, gzip\r\n",
        b"",
    );
    assert_eq!(
        (answer.header("content-encoding"), answer.body.as_str()),
        (Some("br"), "brotli")
    );
}

#[test]
fn a_folder_without_them_is_refused() {
    let package = Package::new("refused");
    assert!(Bundle::open(&package.dist()).is_ok());
    assert!(Bundle::open(&package.0).is_err());
    package.file("package.json", "{\"version\":\"4\\u0022\\r\\n\"}");
    assert!(Bundle::open(&package.dist()).is_err());
    assert!(Bundle::open(Path::new("/nowhere/at/all")).is_err());
}
