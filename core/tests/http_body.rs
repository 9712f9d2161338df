//! Bodies in both directions: framing chosen without doubt, chunked coding strict, limits kept while reading.

use http::Method;
use sockline::http::{
    BodyDecoder, Error, Limits, encode_chunk, encode_last_chunk, parse_request, parse_response,
};

fn for_request(fields: &str) -> Result<BodyDecoder, Error> {
    limited(fields, &Limits::default())
}

fn limited(fields: &str, limits: &Limits) -> Result<BodyDecoder, Error> {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let (request, _) = parse_request(head.as_bytes(), &Limits::default())?.expect("complete");
    BodyDecoder::for_request(&request, limits)
}

fn for_response(method: Method, head: &str) -> Result<BodyDecoder, Error> {
    let (response, _) = parse_response(head.as_bytes(), &Limits::default())
        .expect(head)
        .expect("complete");
    BodyDecoder::for_response(&response, &method, &Limits::default())
}

/// A head whose framing is in doubt is refused before anybody asks for its body.
#[track_caller]
fn refused_by_the_parser(fields: &str, status: u16) {
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    assert_eq!(
        parse_request(head.as_bytes(), &Limits::default())
            .expect_err(fields)
            .status,
        status
    );
}

/// What became of one body: its bytes, how much of the input it took, and whether it is complete.
type Outcome = Result<(Vec<u8>, usize, bool), Error>;

fn feed(decoder: &mut BodyDecoder, input: &[u8], body: &mut Vec<u8>) -> Result<usize, Error> {
    let mut used = 0;
    while used < input.len() && !decoder.is_done() {
        let piece = decoder.decode(&input[used..])?;
        assert!(piece.consumed > 0 && piece.data.len() <= piece.consumed);
        assert_eq!(piece.done, decoder.is_done());
        body.extend_from_slice(piece.data);
        used += piece.consumed;
    }
    Ok(used)
}

fn run(mut decoder: BodyDecoder, pieces: &[&[u8]]) -> Outcome {
    let (mut body, mut used) = (Vec::new(), 0);
    for piece in pieces {
        used += feed(&mut decoder, piece, &mut body)?;
    }
    Ok((body, used, decoder.is_done()))
}

/// Decodes whole, cut in two at every place, and byte by byte: all must agree.
fn split_everywhere(make: impl Fn() -> BodyDecoder, input: &[u8]) -> Outcome {
    let whole = run(make(), &[input]);
    for cut in 0..=input.len() {
        assert_eq!(
            run(make(), &[&input[..cut], &input[cut..]]),
            whole,
            "cut at {cut}"
        );
    }
    let single: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(run(make(), &single), whole);
    whole
}

fn chunked(input: &str) -> Outcome {
    split_everywhere(
        || for_request("Transfer-Encoding: chunked\r\n").unwrap(),
        input.as_bytes(),
    )
}

#[track_caller]
fn refused(fields: &str, status: u16) {
    assert_eq!(for_request(fields).expect_err(fields).status, status);
}

#[test]
fn a_request_without_framing_has_no_body() {
    let mut decoder = for_request("").unwrap();
    assert!(decoder.is_done());
    assert_eq!(decoder.remaining(), Some(0));
    assert_eq!(decoder.decode(b"GET").unwrap().consumed, 0);
    assert!(for_request("Content-Length: 0\r\n").unwrap().is_done());
}

#[test]
fn content_length_ends_the_body() {
    let outcome = split_everywhere(|| for_request("Content-Length: 5\r\n").unwrap(), b"helloGET /");
    assert_eq!(outcome, Ok((b"hello".to_vec(), 5, true)));
    let mut cut = for_request("Content-Length: 5\r\n").unwrap();
    assert_eq!(feed(&mut cut, b"hel", &mut Vec::new()), Ok(3));
    assert_eq!(cut.remaining(), Some(2));
    assert_eq!(cut.finish().unwrap_err().status, 400);
}

#[test]
fn equal_lengths_are_one_and_different_ones_are_refused() {
    assert_eq!(
        for_request("Content-Length: 5\r\nContent-Length: 5\r\n")
            .unwrap()
            .remaining(),
        Some(5)
    );
    assert_eq!(
        for_request("Content-Length: 5, 5\r\n").unwrap().remaining(),
        Some(5)
    );
    refused("Content-Length: 5\r\nContent-Length: 6\r\n", 400);
    refused("Content-Length: 5, 6\r\n", 400);
    refused("Content-Length: 0\r\nContent-Length: 6\r\n", 400);
}

#[test]
fn a_length_is_digits() {
    for value in [
        "",
        "+5",
        "-5",
        "5a",
        "0x5",
        "5 5",
        "5,",
        ",5",
        "1e3",
        "18446744073709551616",
        "\u{665}",
    ] {
        refused(&format!("Content-Length: {value}\r\n"), 400);
    }
    assert_eq!(
        for_request("Content-Length: 005\r\n").unwrap().remaining(),
        Some(5)
    );
}

#[test]
fn both_framings_at_once_are_refused() {
    refused("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400);
    refused("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400);
    refused("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", 400);
    refused("Transfer-Encoding:\r\nContent-Length: 5\r\n", 400);
}

#[test]
fn the_parser_refuses_doubtful_framing_by_itself() {
    refused_by_the_parser("Content-Length: 0\r\nContent-Length: 43\r\n", 400);
    refused_by_the_parser("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400);
    refused_by_the_parser("Content-Length: x\r\n", 400);
    refused_by_the_parser("Transfer-Encoding: gzip, chunked\r\n", 501);
}

#[test]
fn only_chunked_is_known_and_only_once() {
    assert!(for_request("Transfer-Encoding: Chunked\r\n").is_ok());
    refused("Transfer-Encoding: gzip, chunked\r\n", 501);
    refused("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501);
    refused("Transfer-Encoding: gzip\r\n", 400);
    refused("Transfer-Encoding: xchunked\r\n", 400);
    refused("Transfer-Encoding: \"chunked\"\r\n", 400);
    refused("Transfer-Encoding: chunked;q=1\r\n", 400);
    refused("Transfer-Encoding:\r\n", 400);
    assert!(for_request("Transfer-Encoding: chunked, chunked\r\n").is_err());
    let head = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(parse_request(head, &Limits::default()).unwrap_err().status, 400);
}

#[test]
fn chunks_are_joined() {
    let input = "5\r\nhello\r\n1;name=\"a;b\"\r\n \r\n0A \r\n0123456789\r\n0\r\n\r\nGET /";
    assert_eq!(
        chunked(input),
        Ok((b"hello 0123456789".to_vec(), input.len() - 5, true))
    );
    assert_eq!(chunked("0\r\n\r\n"), Ok((Vec::new(), 5, true)));
    assert_eq!(chunked("000;x\r\n\r\n"), Ok((Vec::new(), 9, true)));
}

#[test]
fn trailers_are_read_and_dropped() {
    let input = "1\r\na\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(chunked(input), Ok((b"a".to_vec(), input.len(), true)));
}

#[test]
fn bad_chunk_framing_is_refused() {
    for input in [
        "\r\n",
        ";x\r\n",
        " 5\r\nhello\r\n",
        " \r\n\r\n",
        "\t;x\r\n\r\n",
        "+5\r\nhello\r\n",
        "-1\r\n",
        "0x5\r\nhello\r\n",
        "g\r\n",
        "5 5\r\nhello",
        "5\nhello\r\n",
        "5\rXhello",
        "5;a\nhello\r\n0\r\n\r\n",
        "5;a\0\r\nhello",
        "5\r\nhelloX\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\r\n",
        "0\r\n\n",
        "0\r\nX: y\n\r\n",
        "0\r\nX: y\rZ",
        "0\r\n\rX",
        "00000000000000001\r\n",
        "11111111111111111\r\n",
    ] {
        assert_eq!(chunked(input).expect_err(input).status, 400, "{input:?}");
    }
}

#[test]
fn every_single_damage_gets_one_verdict_however_it_arrives() {
    let good = "5;x\r\nhello\r\n00a \r\n0123456789\r\n0\r\nX: y\r\n\r\n";
    for place in 0..good.len() {
        for byte in *b"\r\n 0f;\0\xff" {
            let mut damaged = good.as_bytes().to_vec();
            damaged[place] = byte;
            _ = split_everywhere(
                || for_request("Transfer-Encoding: chunked\r\n").unwrap(),
                &damaged,
            );
        }
    }
}

#[test]
fn a_body_that_is_cut_off_is_not_complete() {
    for input in [
        "",
        "5",
        "5\r\nhel",
        "5\r\nhello\r\n",
        "0\r\n",
        "0\r\nX: y\r\n",
        "0\r\n\r",
    ] {
        let mut decoder = for_request("Transfer-Encoding: chunked\r\n").unwrap();
        feed(&mut decoder, input.as_bytes(), &mut Vec::new()).unwrap();
        assert!(decoder.finish().is_err(), "{input:?}");
    }
}

#[test]
fn the_body_is_limited_while_it_comes() {
    let limits = Limits {
        max_body: 10,
        ..Limits::default()
    };
    assert!(limited("Content-Length: 10\r\n", &limits).is_ok());
    assert_eq!(
        limited("Content-Length: 11\r\n", &limits).unwrap_err().status,
        413
    );
    let make = || limited("Transfer-Encoding: chunked\r\n", &limits).unwrap();
    assert!(split_everywhere(make, b"5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n").is_ok());
    // Refused by the declared size, before the data.
    assert_eq!(
        split_everywhere(make, b"5\r\nhello\r\n6\r\n").unwrap_err().status,
        413
    );
    assert_eq!(
        split_everywhere(make, b"ffffffffffffffff\r\n")
            .unwrap_err()
            .status,
        413
    );
}

#[test]
fn extensions_and_trailers_are_limited_together() {
    let limits = Limits {
        max_head: 20,
        ..Limits::default()
    };
    let make = || limited("Transfer-Encoding: chunked\r\n", &limits).unwrap();
    assert!(split_everywhere(make, b"1;0123456789\r\na\r\n0\r\n0123456789\r\n\r\n").is_ok());
    assert_eq!(
        split_everywhere(make, b"1;0123456789\r\na\r\n0\r\n0123456789a\r\n\r\n")
            .unwrap_err()
            .status,
        400
    );
    assert!(split_everywhere(make, format!("1{}\r\n", " ".repeat(21)).as_bytes()).is_err());
}

#[test]
fn an_error_stays() {
    let mut decoder = for_request("Transfer-Encoding: chunked\r\n").unwrap();
    assert!(decoder.decode(b"zz").is_err());
    assert!(decoder.decode(b"zz").is_err() && !decoder.is_done());
    assert!(decoder.finish().is_err());
}

#[test]
fn a_response_without_framing_ends_with_the_connection() {
    let mut decoder = for_response(Method::GET, "HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let mut body = Vec::new();
    assert_eq!(feed(&mut decoder, b"all of it", &mut body), Ok(9));
    assert!(!decoder.is_done());
    decoder.finish().unwrap();
    assert!(decoder.is_done());
    assert_eq!(body, b"all of it");
}

#[test]
fn a_body_up_to_the_end_is_limited_too() {
    let (response, _) = parse_response(b"HTTP/1.1 200 OK\r\n\r\n", &Limits::default())
        .unwrap()
        .unwrap();
    let limits = Limits {
        max_body: 4,
        ..Limits::default()
    };
    let mut decoder = BodyDecoder::for_response(&response, &Method::GET, &limits).unwrap();
    assert_eq!(feed(&mut decoder, b"1234", &mut Vec::new()), Ok(4));
    assert_eq!(decoder.decode(b"5").unwrap_err().status, 502);
}

#[test]
fn responses_that_cannot_have_a_body_have_none() {
    let long = "Content-Length: 5\r\n\r\n";
    assert!(
        for_response(Method::HEAD, &format!("HTTP/1.1 200 OK\r\n{long}"))
            .unwrap()
            .is_done()
    );
    for status in [100, 101, 204, 304] {
        assert!(
            for_response(Method::GET, &format!("HTTP/1.1 {status} X\r\n{long}"))
                .unwrap()
                .is_done()
        );
    }
    assert!(
        !for_response(Method::GET, &format!("HTTP/1.1 200 OK\r\n{long}"))
            .unwrap()
            .is_done()
    );
}

#[test]
fn a_response_with_doubtful_framing_is_a_bad_gateway() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 1, 2",
        "Transfer-Encoding: gzip",
    ] {
        let error = for_response(Method::GET, &format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")).unwrap_err();
        assert_eq!(error.status, 502, "{fields}");
    }
}

#[test]
fn written_chunks_can_be_read() {
    let mut out = Vec::new();
    encode_chunk(b"hello", &mut out);
    encode_chunk(b"", &mut out);
    encode_chunk(&[b'x'; 300], &mut out);
    encode_last_chunk(&mut out);
    let decoder = for_request("Transfer-Encoding: chunked\r\n").unwrap();
    let expected = [b"hello".as_slice(), &[b'x'; 300]].concat();
    assert_eq!(run(decoder, &[&out]), Ok((expected, out.len(), true)));
}
