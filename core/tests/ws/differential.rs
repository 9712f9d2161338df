//! Our decoder against tungstenite's, on random streams and on the fuzzer's corpus.

use std::fs;
use std::path::Path;

use sockline::ws::Role;

#[path = "../../fuzz/differential.rs"]
mod oracle;

use oracle::Verdict;

/// SplitMix64: the same streams on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A stream of frames that are valid but for the faults that `faulty` permits.
fn stream(random: &mut Random, role: Role, faulty: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut in_message = false;
    for _ in 0..1 + random.below(12) {
        let control = random.one_in(3);
        let mut fin = control || random.below(3) > 0;
        let mut opcode = match (control, in_message) {
            (true, _) => random.pick(&[9, 9, 10, 10, 10, 8]),
            (false, true) => 0,
            (false, false) => random.pick(&[1, 2]),
        };
        if !control {
            in_message = !fin;
        }
        let mut payload = payload(random, control, opcode, faulty);
        if faulty && random.one_in(20) {
            opcode = random.below(16) as u8;
        }
        if faulty && random.one_in(20) {
            fin = !fin;
        }
        let reserved = if faulty && random.one_in(30) {
            random.below(8) as u8
        } else {
            0
        };
        bytes.push(u8::from(fin) << 7 | reserved << 4 | opcode);
        let masked = (role == Role::Server) != (faulty && random.one_in(40));
        push_length(random, payload.len(), masked, &mut bytes);
        if masked {
            let mask = (random.next() as u32).to_le_bytes();
            bytes.extend(mask);
            payload
                .iter_mut()
                .zip(mask.iter().cycle())
                .for_each(|(byte, mask)| *byte ^= mask);
        }
        bytes.extend(payload);
    }
    if faulty {
        mutate(random, &mut bytes);
    }
    bytes
}

fn payload(random: &mut Random, control: bool, opcode: u8, faulty: bool) -> Vec<u8> {
    if opcode == 8 {
        return close_payload(random, faulty);
    }
    let len = match (control, random.below(8)) {
        (true, 0) if faulty => random.pick(&[126, 200]),
        (true, _) => random.below(126),
        (false, 0) => random.pick(&[0, 1, 125, 126, 127, oracle::LIMIT, oracle::LIMIT / 2]),
        (false, 1) if faulty => oracle::LIMIT + 1,
        (false, _) => random.below(60),
    };
    let mut bytes: Vec<u8> = "aß€😀".bytes().cycle().skip(random.below(10)).take(len).collect();
    // Whole characters, mostly, so that most text is valid.
    if !random.one_in(4) {
        bytes = "aß€😀".repeat(len / 10).into_bytes();
    }
    if faulty && !bytes.is_empty() && random.one_in(10) {
        let at = random.below(bytes.len());
        bytes[at] = random.next() as u8;
    }
    bytes
}

fn close_payload(random: &mut Random, faulty: bool) -> Vec<u8> {
    let code: u16 = match random.below(4) {
        0 if faulty => random.next() as u16,
        1 => 1000 + random.below(20) as u16,
        _ => random.pick(&[1000, 1001, 1011, 3000, 4999]),
    };
    match random.below(5) {
        0 => Vec::new(),
        1 if faulty => vec![3],
        2 if faulty => [&code.to_be_bytes()[..], &[0xe2, 0x82]].concat(),
        _ => [&code.to_be_bytes()[..], "späte".as_bytes()].concat(),
    }
}

/// The shortest form, mostly: a longer one is understood by both.
fn push_length(random: &mut Random, len: usize, masked: bool, bytes: &mut Vec<u8>) {
    let mask_bit = u8::from(masked) << 7;
    if len < 126 && !random.one_in(20) {
        bytes.push(mask_bit | len as u8);
    } else if !random.one_in(10) {
        bytes.push(mask_bit | 126);
        bytes.extend((len as u16).to_be_bytes());
    } else {
        bytes.push(mask_bit | 127);
        bytes.extend((len as u64).to_be_bytes());
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len().max(1));
        match random.below(4) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 => bytes.insert(at, random.next() as u8),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            _ => bytes.truncate(bytes.len() - at / 2),
        }
    }
}

/// How often each verdict came.
#[derive(Debug, Default)]
struct Verdicts {
    open: usize,
    closed: usize,
    bad_code: usize,
    protocol: usize,
    utf8: usize,
    too_big: usize,
}

impl Verdicts {
    fn count(&mut self, verdict: Option<Verdict>) {
        match verdict {
            Some(Verdict::Open) => self.open += 1,
            Some(Verdict::Closed(..)) => self.closed += 1,
            Some(Verdict::BadCode) => self.bad_code += 1,
            Some(Verdict::Protocol) => self.protocol += 1,
            Some(Verdict::Utf8) => self.utf8 += 1,
            Some(Verdict::TooBig) => self.too_big += 1,
            None => {}
        }
    }
}

fn compare_random(seed: u64, streams: usize, faulty: bool) -> Verdicts {
    let mut random = Random(seed);
    let mut verdicts = Verdicts::default();
    for _ in 0..streams {
        let role = random.pick(&[Role::Client, Role::Server]);
        let bytes = stream(&mut random, role, faulty);
        let piece = random.pick(&[0, 0, 1, 2, 7, 100]);
        verdicts.count(oracle::compare(role, piece, &bytes));
    }
    verdicts
}

#[test]
fn valid_streams() {
    let v = compare_random(1, 10_000, false);
    assert!(
        v.open > 2000 && v.closed > 2000,
        "the streams are not varied: {v:?}"
    );
}

#[test]
fn faulty_streams() {
    let v = compare_random(2, 40_000, true);
    let least = v
        .open
        .min(v.closed)
        .min(v.bad_code)
        .min(v.protocol)
        .min(v.utf8)
        .min(v.too_big);
    assert!(least > 400, "the streams are not varied: {v:?}");
}

#[test]
fn noise() {
    let mut random = Random(3);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..random.below(40)).map(|_| random.next() as u8).collect();
        oracle::compare(
            random.pick(&[Role::Client, Role::Server]),
            random.below(4),
            &bytes,
        );
    }
}

#[test]
fn corpus_of_the_fuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/frames");
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        oracle::compare_input(&fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files >= 20, "{files} files in the corpus");
}
