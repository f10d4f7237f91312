//! The sixteen words that people read to each other in place of a digest.
//!
//! The words are those of BIP-39's English list (2,048 words, no two with the same first four letters; `words/english.txt`
//! is that file byte for byte, taken from the `bip39` crate, CC0-1.0). Word *n* stands for bits 11*n* to 11*n* + 10 of the
//! digest, the first bit being the highest of the first byte, so anyone can check them with a list and `sha256sum`.
//!
//! What they promise: sixteen words carry 176 of a SHA-256's 256 bits. Finding *another* document with the words of a
//! given one takes about 2^176 tries; someone who chooses *both* documents needs about 2^88. What they do not carry, the
//! last 80 bits, machines compare: every approval names the whole digest. There is no checksum: two people who hear the
//! same sixteen words have compared 176 bits, and nothing is recovered from words.

use std::fmt;

use proto::hash::Hash;

/// How many words stand for a digest, in two lines of half as many.
pub const COUNT: usize = 16;

/// How many bits of the digest a word carries.
const BITS: usize = 11;

const LIST: &str = include_str!("words/english.txt");

/// The words of one digest. Shown as two lines of eight words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Words([&'static str; COUNT]);

impl Words {
    /// The words of `digest`.
    pub fn of(digest: &Hash) -> Self {
        let list: Vec<&'static str> = LIST.lines().collect();
        let bit = |at: usize| usize::from(digest.as_bytes()[at / 8] >> (7 - at % 8) & 1);
        let word = |word: usize| {
            let index = (word * BITS..(word + 1) * BITS).fold(0, |index, at| index << 1 | bit(at));
            list[index]
        };
        Self(std::array::from_fn(word))
    }

    /// The two lines, eight words each, separated by single spaces.
    pub fn lines(&self) -> [String; 2] {
        let (first, second) = self.0.split_at(COUNT / 2);
        [first.join(" "), second.join(" ")]
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_list_is_the_well_known_one() {
        // The SHA-256 of `english.txt` as every implementation of BIP-39 has it.
        let known = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda";
        assert_eq!(Hash::of(LIST.as_bytes()).to_string(), known);
        let beginnings: BTreeSet<&str> = LIST.lines().map(|word| &word[..word.len().min(4)]).collect();
        assert_eq!((LIST.lines().count(), beginnings.len()), (1 << BITS, 1 << BITS));
    }

    #[test]
    fn these_are_the_words_of_these_digests() {
        let shown = |digest: Hash| Words::of(&digest).to_string();
        assert_eq!(shown(Hash::ZERO), format!("{0}\n{0}", ["abandon"; 8].join(" ")));
        assert_eq!(shown(Hash::from([0xff; 32])), format!("{0}\n{0}", ["zoo"; 8].join(" ")));
        // Bits 0 to 10 are 2047, 11 to 21 are 0, bit 175 is 1: the words take bits in order and none of the last 80.
        let mut bytes = [0; 32];
        (bytes[0], bytes[1], bytes[21], bytes[22]) = (0xff, 0xe0, 0x01, 0xff);
        let expected = format!("zoo {}\n{} ability", ["abandon"; 7].join(" "), ["abandon"; 7].join(" "));
        assert_eq!(shown(Hash::from(bytes)), expected);
        assert_eq!(
            shown(Hash::of(b"")),
            "together mail awful cradle scrub apart hip leader\nsilk slice unusual embark kit can muscle nature"
        );
    }

    #[test]
    fn each_of_the_first_176_bits_changes_exactly_one_word() {
        let before = Words::of(&Hash::ZERO);
        for at in 0..256 {
            let mut bytes = [0; 32];
            bytes[at / 8] |= 1 << (7 - at % 8);
            let after = Words::of(&Hash::from(bytes));
            let changed: Vec<usize> = (0..COUNT).filter(|word| before.0[*word] != after.0[*word]).collect();
            assert_eq!(changed, if at < 176 { vec![at / BITS] } else { vec![] }, "bit {at}");
        }
    }
}
