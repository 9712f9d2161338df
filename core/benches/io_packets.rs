//! What Socket.IO's packets cost, without any I/O: `cargo bench --bench io_packets`.
//!
//! Nanoseconds per packet, the best of several runs: what the code costs when nothing disturbs it. Events have one
//! argument of about so many bytes: an object of an application's usual kind, or a string.

use std::hint::black_box;
use std::time::Instant;

use sockline::engineio::Data;
use sockline::socketio::{Encoded, Limits, Outgoing, ParserKind, event_array};

const RUNS: usize = 15;

fn main() {
    println!(
        "{:<8} {:<7} {:>7} {:>10} {:>10}",
        "encoding", "what", "bytes", "decode", "encode"
    );
    for parser in [ParserKind::Json, ParserKind::Msgpack] {
        for (what, arg) in [
            ("string", "\"hello\"".to_owned()),
            ("object", object(100)),
            ("object", object(1 << 10)),
            ("object", object(16 << 10)),
            ("string", format!("\"{}\"", "a".repeat(1 << 10))),
            ("string", format!("\"{}\"", "a".repeat(16 << 10))),
            ("numbers", numbers(1 << 10)),
        ] {
            measure(&parser, what, &arg, &[]);
        }
        let placeholder = r#"{"name":"a.png","data":{"_placeholder":true,"num":0}}"#;
        measure(&parser, "binary", placeholder, &[&[7; 1 << 10]]);
    }
}

fn measure(parser: &ParserKind, what: &str, arg: &str, attachments: &[&[u8]]) {
    let mut array = String::new();
    event_array("message", arg, &mut array);
    let packet = Outgoing::event("/", &array).with_attachments(attachments);
    let (limits, mut encoded, mut decoder) = (Limits::default(), Encoded::default(), parser.decoder());
    let encode = best(|| {
        let messages = parser.encode(black_box(&packet), &mut encoded).unwrap();
        black_box(messages.len());
    });
    let messages: Vec<Data<'_>> = parser.encode(&packet, &mut encoded).unwrap().collect();
    let bytes: usize = messages.iter().map(Data::len).sum();
    let decode = best(|| {
        for message in &messages {
            black_box(decoder.decode(*black_box(message), &limits).unwrap());
        }
    });
    println!(
        "{:<8} {what:<7} {bytes:>7} {decode:>10.1} {encode:>10.1}",
        format!("{parser:?}")
    );
}

/// What a service would send: some names again and again, and values that differ.
fn object(len: usize) -> String {
    let mut text = String::from("[");
    let mut random = 1_u32;
    while text.len() < len {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (id, price) = (random >> 12, f64::from(random >> 20) / 100.0);
        text += &format!(
            r#"{{"id":{id},"symbol":"S{}","price":{price},"bid":true}},"#,
            random >> 24
        );
    }
    text.pop();
    text + "]"
}

fn numbers(len: usize) -> String {
    let all: Vec<String> = (0..len / 4).map(|n| (n * 7919 % 1000).to_string()).collect();
    format!("[{}]", all.join(","))
}

/// Nanoseconds of one call, the least of several runs.
fn best(mut run: impl FnMut()) -> f64 {
    let mut count = 1;
    loop {
        let start = Instant::now();
        (0..count).for_each(|_| run());
        if start.elapsed().as_millis() >= 5 {
            break;
        }
        count *= 2;
    }
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        (0..count).for_each(|_| run());
        least = least.min(start.elapsed().as_nanos() as f64 / f64::from(count));
    }
    least
}
