//! The masking of RFC 6455 §5.3: XOR with four bytes, over and over. Masking twice is unmasking.

/// XORs `bytes` with `mask` in place and returns the mask as the byte after `bytes` needs it, so that a payload
/// may come in pieces of any length.
#[inline]
pub(super) fn apply(bytes: &mut [u8], mut mask: [u8; 4]) -> [u8; 4] {
    // Blocks as wide as a vector register, so that the compiler uses one; byte by byte is a hundred times slower.
    let wide = u128::from_ne_bytes([mask; 4].as_flattened().try_into().unwrap_or_default());
    let (blocks, rest) = bytes.as_chunks_mut::<16>();
    for block in blocks {
        *block = (u128::from_ne_bytes(*block) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    mask.rotate_left(rest.len() % 4);
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(bytes: &mut [u8], mask: [u8; 4]) {
        bytes
            .iter_mut()
            .enumerate()
            .for_each(|(i, byte)| *byte ^= mask[i % 4]);
    }

    #[test]
    fn equals_the_plain_loop_for_every_length_and_alignment() {
        let mask = [0x12, 0x9a, 0xff, 0x01];
        for start in 0..32 {
            for len in 0..200 {
                let mut ours: Vec<u8> = (0..start + len).map(|i| i as u8).collect();
                let mut theirs = ours.clone();
                apply(&mut ours[start..], mask);
                plain(&mut theirs[start..], mask);
                assert_eq!(ours, theirs, "start {start}, length {len}");
            }
        }
    }

    #[test]
    fn pieces_equal_the_whole() {
        let whole: Vec<u8> = (0..100).collect();
        let mut expected = whole.clone();
        apply(&mut expected, [1, 2, 3, 4]);
        for first in 0..whole.len() {
            for second in first..whole.len() {
                let mut bytes = whole.clone();
                let mask = apply(&mut bytes[..first], [1, 2, 3, 4]);
                let mask = apply(&mut bytes[first..second], mask);
                apply(&mut bytes[second..], mask);
                assert_eq!(bytes, expected, "cut at {first} and {second}");
            }
        }
    }
}
