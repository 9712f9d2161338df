//! The masking of RFC 6455 §5.3: XOR with four bytes, over and over. Masking twice is unmasking.

/// What is masked at once: two registers of the narrowest vector unit there is. Of blocks from 8 to 64 bytes, these
/// make the fastest code; byte by byte is a hundred times slower.
const BLOCK: usize = 32;

/// XORs `bytes` with `mask` in place and returns the mask as the byte after `bytes` needs it, so that a payload
/// may come in pieces of any length.
#[inline]
pub(super) fn apply(bytes: &mut [u8], mask: [u8; 4]) -> [u8; 4] {
    let wide = [mask; BLOCK / 4];
    let (blocks, rest) = bytes.as_chunks_mut::<BLOCK>();
    for block in blocks {
        xor(block, wide.as_flattened());
    }
    let (words, rest) = rest.as_chunks_mut::<4>();
    for word in words {
        xor(word, &mask);
    }
    xor(rest, &mask);
    // Little-endian, so that the byte whose turn it is comes to the front when the number turns right.
    u32::from_le_bytes(mask)
        .rotate_right(8 * rest.len() as u32)
        .to_le_bytes()
}

#[inline(always)]
fn xor(bytes: &mut [u8], key: &[u8]) {
    for (byte, key) in bytes.iter_mut().zip(key) {
        *byte ^= key;
    }
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
        // An interpreter takes hours for all; these are on both sides of each block's and word's edge.
        let (starts, lens): (Vec<usize>, Vec<usize>) = if cfg!(miri) {
            (vec![0, 1, 31], vec![0, 1, 3, 4, 5, 31, 32, 33, 71])
        } else {
            ((0..32).collect(), (0..200).collect())
        };
        let mask = [0x12, 0x9a, 0xff, 0x01];
        for &start in &starts {
            for &len in &lens {
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
        let whole: Vec<u8> = (0..if cfg!(miri) { 9 } else { 100 }).collect();
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
