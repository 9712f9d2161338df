//! Texts as programs send them: JSON with the keys repeated in each, the values not.

use crate::random::Random;

/// No shorter text can be made.
pub const MIN_TEXT: usize = 256;

const WORDS: [&str; 32] = [
    "account",
    "after",
    "available",
    "because",
    "before",
    "blue",
    "change",
    "customer",
    "delivery",
    "different",
    "email",
    "green",
    "house",
    "invoice",
    "large",
    "message",
    "morning",
    "number",
    "order",
    "payment",
    "people",
    "please",
    "price",
    "product",
    "question",
    "ready",
    "shipped",
    "small",
    "street",
    "today",
    "waiting",
    "yellow",
];

/// A JSON object of exactly `size` bytes, at least [`MIN_TEXT`].
pub fn text(random: &mut Random, size: usize) -> Vec<u8> {
    let mut text = format!(
        r#"{{"id":{},"type":"order.updated","user":"{}-{}","items":["#,
        random.below(1_000_000_000),
        random.of(&WORDS),
        random.below(10_000),
    );
    let end = r#"],"note":""}"#;
    loop {
        let item = item(random);
        if text.len() + item.len() + end.len() > size {
            break;
        }
        text += &item;
    }
    text.truncate(text.trim_end_matches(',').len());
    text += &end[..end.len() - 2];
    while text.len() + 2 < size {
        text += random.of(&WORDS);
        text.push(' ');
    }
    text.truncate(size - 2);
    text += r#""}"#;
    text.into_bytes()
}

fn item(random: &mut Random) -> String {
    format!(
        r#"{{"sku":"{:08x}","name":"{} {}","quantity":{},"price":{}.{:02},"available":{}}},"#,
        random.below(u64::from(u32::MAX)),
        random.of(&WORDS),
        random.of(&WORDS),
        random.below(20),
        random.below(1_000),
        random.below(100),
        random.below(2) == 0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_size_and_differ() {
        let mut random = Random::new();
        for size in [MIN_TEXT, 300, 1024, 16384] {
            let (one, other) = (text(&mut random, size), text(&mut random, size));
            assert_eq!((one.len(), other.len()), (size, size));
            assert_ne!(one, other);
            assert!(one.is_ascii() && one.starts_with(b"{\"id\":") && one.ends_with(b"\"}"));
        }
    }
}
