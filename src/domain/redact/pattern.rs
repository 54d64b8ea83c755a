//! What is searched for when a value is to be found: texts that `super::spelling` then reads
//! leniently, so percent, JSON and HTML need no entry here.

use base64::prelude::{
    BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine as _,
};
use secrecy::zeroize::Zeroizing;

/// Shortest base64 that is searched for inside a longer one; shorter ones occur by chance.
const SHORTEST_PART: usize = 8;

/// A text that stands for a value; wiped when dropped.
pub type Pattern = Zeroizing<String>;

/// The value, its hex and its base64, also of its form encoding (RFC 6749, section 2.3.1), and the value
/// as it reads when its UTF-8 is taken for Latin-1 (a header that is no UTF-8 is read so), without
/// repetitions. What stands at the ends of a header's value and is white is gone when it arrives.
pub fn of_value(value: &str) -> Vec<Pattern> {
    let trimmed = value.trim();
    let mut all = of_text(value);
    if trimmed.len() != value.len() && trimmed.len() >= SHORTEST_PART {
        all.extend(of_text(trimmed));
    }
    without_repetitions(all)
}

fn of_text(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let hex = hex::encode(bytes);
    let mistaken = bytes.iter().copied().map(char::from).collect();
    let mut all = vec![value.to_owned(), mistaken, hex.to_uppercase(), hex];
    let form: Zeroizing<String> = Zeroizing::new(url::form_urlencoded::byte_serialize(bytes).collect());
    for bytes in [bytes, form.as_bytes()] {
        all.extend(base64_whole(bytes));
        all.extend((0..3).flat_map(|before| base64_inside(bytes, before)));
    }
    all
}

/// The credentials of HTTP Basic (RFC 7617): base64 of `username:password`.
pub fn of_basic(username: &str, password: &str) -> Vec<Pattern> {
    let pair = Zeroizing::new(format!("{username}:{password}"));
    without_repetitions(base64_whole(pair.as_bytes()))
}

fn without_repetitions(mut all: Vec<String>) -> Vec<Pattern> {
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(Zeroizing::new).collect()
}

/// Both alphabets (RFC 4648, sections 4 and 5), with and without padding.
fn base64_whole(bytes: &[u8]) -> Vec<String> {
    let mut all = base64_digits(bytes);
    all.push(BASE64_STANDARD.encode(bytes));
    all.push(BASE64_URL_SAFE.encode(bytes));
    all
}

fn base64_digits(bytes: &[u8]) -> Vec<String> {
    vec![BASE64_STANDARD_NO_PAD.encode(bytes), BASE64_URL_SAFE_NO_PAD.encode(bytes)]
}

/// The digits of `bytes` that are the same in the base64 of every longer text in which
/// `before` bytes (modulo 3) stand in front of them.
fn base64_inside(bytes: &[u8], before: usize) -> Vec<String> {
    let shifted = Zeroizing::new([&[0; 3][..before], bytes].concat());
    // A digit holds 6 bits; those that share bits with a neighbour are not ours alone.
    let (first, last) = ((8 * before).div_ceil(6), 8 * shifted.len() / 6);
    if last < first + SHORTEST_PART {
        return Vec::new();
    }
    let digits = base64_digits(&shifted);
    digits.iter().map(|digits| digits[first..last].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_value_has_few_patterns() {
        let patterns = of_value("correct-horse");
        let texts: Vec<&str> = patterns.iter().map(|pattern| pattern.as_str()).collect();
        for expected in ["correct-horse", "636f72726563742d686f727365", "Y29ycmVjdC1ob3JzZQ"] {
            assert!(texts.contains(&expected), "{texts:?}");
        }
        assert!(patterns.len() <= 8, "{texts:?}");
    }

    #[test]
    fn white_ends_may_be_gone() {
        let patterns = of_value(" correct-horse\n");
        for expected in [" correct-horse\n", "correct-horse", "Y29ycmVjdC1ob3JzZQ"] {
            assert!(patterns.iter().any(|pattern| pattern.as_str() == expected), "{expected}");
        }
        // What is left must not be too short to be told from other texts.
        assert!(!of_value("  short  ").iter().any(|pattern| pattern.as_str() == "short"));
    }

    #[test]
    fn base64_is_found_at_every_alignment() {
        let value = "correct-horse?>~";
        for (before, after) in
            [("", ""), ("x", ""), ("xx", ""), ("", "y"), ("x", "yy"), ("xx", "y"), ("abcd", "z")]
        {
            for digits in base64_whole(format!("{before}{value}{after}").as_bytes()) {
                let found = of_value(value).iter().any(|pattern| digits.contains(pattern.as_str()));
                assert!(found, "{before} {after} {digits}");
            }
        }
    }
}
