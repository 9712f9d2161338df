//! Files: no path leads out of the folder, and conditions and ranges are answered as RFC 9110 says.

use std::time::Duration;

use sockline::http::files::{FileMeta, FileResponse, content_type, relative_path, respond};
use sockline::http::{Limits, Request, Response, parse_request, parse_response};

/// Sun, 06 Nov 1994 08:49:37 GMT, and half a second: the dates of HTTP have none.
const MODIFIED: Duration = Duration::from_millis(784_111_777_500);
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const META: FileMeta = FileMeta {
    len: 1000,
    modified: MODIFIED,
};

fn request(method: &str, fields: &str) -> Request {
    let head = format!("{method} /page.html HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    parse_request(head.as_bytes(), &Limits::default())
        .expect(fields)
        .expect("complete")
        .0
}

/// The answer to a GET: first its raw form, then its head as a client reads it.
fn get(fields: &str) -> (FileResponse, Response) {
    ask("GET", fields, &META)
}

fn ask(method: &str, fields: &str, meta: &FileMeta) -> (FileResponse, Response) {
    let answer = respond(&request(method, fields), "page.html", meta, None, true);
    let (head, _) = parse_response(&answer.head, &Limits::default())
        .expect("valid head")
        .expect("complete head");
    assert_eq!(head.status, answer.status);
    (answer, head)
}

fn etag() -> String {
    get("").1.header("etag").expect("an entity tag").to_owned()
}

/// What a Range leads to: the status and the bytes that follow.
fn range(value: &str) -> (u16, std::ops::Range<u64>) {
    let (answer, head) = get(&format!("Range: {value}\r\n"));
    if answer.status == 206 {
        let part = format!("bytes {}-{}/1000", answer.range.start, answer.range.end - 1);
        assert_eq!(head.header("content-range"), Some(part.as_str()));
        let length = (answer.range.end - answer.range.start).to_string();
        assert_eq!(head.header("content-length"), Some(length.as_str()));
    }
    (answer.status, answer.range)
}

#[test]
fn plain_paths_name_files() {
    for (path, file) in [
        ("/", "index.html"),
        ("/a/", "a/index.html"),
        ("/a/b.js", "a/b.js"),
        ("/a%20b.txt", "a b.txt"),
        ("/%C3%A9.png", "é.png"),
        ("/é.png", "é.png"),
        ("/a..b/c.", "a..b/c."),
        ("/100%", "100%"),
    ] {
        assert_eq!(relative_path(path).as_deref(), Ok(file), "{path}");
    }
}

#[test]
fn no_path_leads_out_of_the_folder() {
    for path in [
        "/..",
        "/../etc/passwd",
        "/a/../b",
        "/a/..",
        "/./a",
        "/%2e%2e/etc/passwd",
        "/%2E%2e%2Fetc/passwd",
        "/.%2e/a",
        "/..%2fa",
        "/a%2f..%2fb",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/a//b",
        "/a//",
        "/..\\a",
        "/a\\..\\b",
        "/%5c..%5ca",
        "/..%5ca",
        "/.git/config",
        "/a/.env",
        "/.well-known",
        "/%2ehtaccess",
        "/.../a",
        "",
        "*",
        "a",
        "a:80",
        "..",
    ] {
        assert_eq!(relative_path(path).expect_err(path).status, 404, "{path}");
    }
}

#[test]
fn double_encoding_is_decoded_once() {
    // The file is really called "%2e%2e", and no such part leads upwards.
    assert_eq!(relative_path("/%252e%252e/a").as_deref(), Ok("%2e%2e/a"));
    assert_eq!(relative_path("/%25252e").as_deref(), Ok("%252e"));
}

#[test]
fn nul_and_broken_utf8_are_bad_requests() {
    for path in ["/a%00.html", "/%00", "/%ff", "/%c0%ae%c0%ae/", "/%e0%80%ae/"] {
        assert_eq!(relative_path(path).expect_err(path).status, 400, "{path}");
    }
}

#[test]
fn types_come_from_the_ending() {
    for (path, expected) in [
        ("index.html", "text/html; charset=utf-8"),
        ("a.HTM", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a/b.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "application/javascript; charset=utf-8"),
        ("a.json", "application/json; charset=utf-8"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.wasm", "application/wasm"),
        ("a.woff2", "font/woff2"),
        ("a.ico", "image/x-icon"),
        ("a", "application/octet-stream"),
        ("a.unknownending", "application/octet-stream"),
    ] {
        assert_eq!(content_type(path), expected, "{path}");
    }
}

#[test]
fn a_get_is_answered_with_the_whole_file() {
    let (answer, head) = get("");
    assert_eq!((answer.status, answer.range), (200, 0..1000));
    for (name, value) in [
        ("content-length", "1000"),
        ("content-type", "text/html; charset=utf-8"),
        ("last-modified", DATE),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(head.header(name), Some(value), "{name}");
    }
    assert_eq!((head.header("date"), head.header("connection")), (None, None));
}

#[test]
fn head_has_the_same_head_and_no_body() {
    let (answer, _) = ask("HEAD", "", &META);
    assert_eq!(answer.head, get("").0.head);
    assert_eq!(answer.range, 0..0);
    // A range is defined for GET only.
    assert_eq!(ask("HEAD", "Range: bytes=0-1\r\n", &META).0.status, 200);
    let (refusal, head) = ask("HEAD", "If-Match: \"x\"\r\n", &META);
    assert_eq!(refusal.status, 412);
    assert_ne!(head.header("content-length"), Some("0"));
    assert!(refusal.head.ends_with(b"\r\n\r\n"));
}

#[test]
fn other_methods_are_refused() {
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let (answer, head) = ask(method, "", &META);
        assert_eq!((answer.status, answer.range), (405, 0..0));
        assert_eq!(head.header("allow"), Some("GET, HEAD"));
        assert!(answer.head.ends_with(b"\r\n\r\nMethod Not Allowed"));
    }
}

#[test]
fn date_and_connection_are_told() {
    let answer = respond(&request("GET", ""), "a", &META, Some(MODIFIED), false);
    let (head, _) = parse_response(&answer.head, &Limits::default()).unwrap().unwrap();
    assert_eq!(head.header("date"), Some(DATE));
    assert!(!head.keep_alive());
}

#[test]
fn the_tag_changes_with_length_and_time() {
    let tag = |len, modified| {
        ask("GET", "", &FileMeta { len, modified })
            .1
            .header("etag")
            .unwrap()
            .to_owned()
    };
    let one = tag(1000, MODIFIED);
    assert!(one.starts_with('"') && one.ends_with('"') && one.len() > 2);
    assert_eq!(one, etag());
    assert_ne!(one, tag(1001, MODIFIED));
    assert_ne!(one, tag(1000, MODIFIED + Duration::from_nanos(1)));
}

#[test]
fn a_known_tag_is_not_modified() {
    let etag = etag();
    for list in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"x\", {etag}"),
        "*".to_owned(),
    ] {
        let (answer, head) = get(&format!("If-None-Match: {list}\r\n"));
        assert_eq!((answer.status, answer.range), (304, 0..0), "{list}");
        assert_eq!(head.header("etag"), Some(etag.as_str()));
        assert_eq!(head.header("content-length"), None);
    }
    assert_eq!(
        get(&format!("If-None-Match: \"x\"\r\nIf-None-Match: {etag}\r\n"))
            .0
            .status,
        304
    );
    assert_eq!(get("If-None-Match: \"x\"\r\n").0.status, 200);
    assert_eq!(
        ask("HEAD", &format!("If-None-Match: {etag}\r\n"), &META).0.status,
        304
    );
}

#[test]
fn a_tag_counts_more_than_a_date() {
    assert_eq!(
        get(&format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {DATE}\r\n"))
            .0
            .status,
        200
    );
}

#[test]
fn a_date_is_compared_by_seconds_in_all_three_forms() {
    for date in [DATE, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
        assert_eq!(
            get(&format!("If-Modified-Since: {date}\r\n")).0.status,
            304,
            "{date}"
        );
    }
    for date in [BEFORE, "yesterday", "0", ""] {
        assert_eq!(
            get(&format!("If-Modified-Since: {date}\r\n")).0.status,
            200,
            "{date}"
        );
    }
}

#[test]
fn preconditions_are_kept() {
    let etag = etag();
    assert_eq!(get(&format!("If-Match: {etag}\r\n")).0.status, 200);
    assert_eq!(get("If-Match: *\r\n").0.status, 200);
    assert_eq!(get("If-Match: \"x\"\r\n").0.status, 412);
    assert_eq!(get(&format!("If-Match: W/{etag}\r\n")).0.status, 412);
    assert_eq!(get(&format!("If-Unmodified-Since: {DATE}\r\n")).0.status, 200);
    assert_eq!(get(&format!("If-Unmodified-Since: {BEFORE}\r\n")).0.status, 412);
}

#[test]
fn single_ranges_are_sent_in_part() {
    assert_eq!(range("bytes=0-0"), (206, 0..1));
    assert_eq!(range("bytes=10-19"), (206, 10..20));
    assert_eq!(range("bytes=990-"), (206, 990..1000));
    assert_eq!(range("bytes=0-"), (206, 0..1000));
    assert_eq!(range("bytes=990-5000"), (206, 990..1000));
    assert_eq!(range("bytes=0-18446744073709551615"), (206, 0..1000));
    assert_eq!(range("bytes=0-99999999999999999999999"), (206, 0..1000));
    assert_eq!(range("Bytes=1-2"), (206, 1..3));
}

#[test]
fn suffix_ranges_count_from_the_end() {
    assert_eq!(range("bytes=-1"), (206, 999..1000));
    assert_eq!(range("bytes=-1000"), (206, 0..1000));
    assert_eq!(range("bytes=-5000"), (206, 0..1000));
}

#[test]
fn a_range_beyond_the_end_is_unsatisfiable() {
    for value in [
        "bytes=1000-",
        "bytes=1000-1001",
        "bytes=-0",
        "bytes=99999999999999999999999-",
    ] {
        let (answer, head) = get(&format!("Range: {value}\r\n"));
        assert_eq!((answer.status, answer.range), (416, 0..0), "{value}");
        assert_eq!(head.header("content-range"), Some("bytes */1000"));
    }
}

#[test]
fn what_is_no_single_range_is_ignored() {
    for value in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=5-a",
        "bytes=+5-9",
        "items=0-1",
        "bytes=0-1,5-6",
        "bytes=0-,5-",
        "bytes=-1,-2",
        "bytes=2000-1500",
        "bytes=2000-x",
        "bytes=1-2-3",
    ] {
        assert_eq!(range(value), (200, 0..1000), "{value:?}");
    }
}

#[test]
fn an_empty_file_has_no_part() {
    let empty = FileMeta {
        len: 0,
        modified: MODIFIED,
    };
    assert_eq!(ask("GET", "", &empty).0.range, 0..0);
    assert_eq!(ask("GET", "Range: bytes=0-\r\n", &empty).0.status, 416);
    assert_eq!(ask("GET", "Range: bytes=-5\r\n", &empty).0.status, 200);
}

#[test]
fn if_range_decides_between_part_and_whole() {
    let etag = etag();
    let status = |validator: &str| {
        get(&format!("Range: bytes=0-1\r\nIf-Range: {validator}\r\n"))
            .0
            .status
    };
    assert_eq!((status(&etag), status(DATE)), (206, 206));
    for stale in [
        "\"x\"",
        &format!("W/{etag}"),
        BEFORE,
        "Mon, 07 Nov 1994 08:49:37 GMT",
        "nonsense",
        "",
    ] {
        assert_eq!(status(stale), 200, "{stale}");
    }
    // An unsatisfiable range of another version is the whole of this one.
    assert_eq!(get("Range: bytes=5000-\r\nIf-Range: \"x\"\r\n").0.status, 200);
}

#[test]
fn times_that_http_cannot_write_are_clamped() {
    for modified in [
        Duration::ZERO,
        Duration::MAX,
        Duration::from_secs(253_402_300_800),
    ] {
        let (_, head) = ask("GET", "", &FileMeta { len: 1, modified });
        let year = if modified.is_zero() { "1970" } else { "9999" };
        assert!(head.header("last-modified").unwrap().contains(year));
    }
}
