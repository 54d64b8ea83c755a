//! One character, however it is written.
//!
//! At a place in a text, `%41`, `\u0041`, `&#65;` and `A` all read as `A`, and what was escaped
//! twice (`%2541`, `\\u0041`) does too. There may be several readings of one place (`%25` is `%`
//! or the start of `%25`), so a comparison follows all of them. Lenient on purpose: what reads
//! like a secret is treated as one.

/// How often the same escape may be applied on top of itself.
const NESTED: usize = 3;
/// Ends that a comparison follows at once; more come only from secrets that are made of
/// escapes, and then the extremes (nothing escaped, all escaped) are the ones that occur.
const FOLLOWED: usize = 32;

/// True for a byte with which a character can begin that is written differently.
pub fn is_escape(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&' | b'+')
}

/// Calls `read` with each character that can be read at `at`, and where it ends.
pub fn readings(text: &[u8], at: usize, read: &mut impl FnMut(char, usize)) {
    if let Some(literal) = literal(text, at) {
        read(literal, at + literal.len_utf8());
    }
    match text.get(at) {
        Some(b'+') => read(' ', at + 1),
        Some(b'%') => (0..=NESTED).for_each(|nested| {
            if let Some((character, end)) = percent(text, at, nested) {
                read(character, end);
            }
        }),
        Some(b'\\') => backslash(text, at, read),
        Some(b'&') => entity(text, at, read),
        _ => {}
    }
}

/// Where the longest spelling of `pattern` ends that begins at `at`.
pub fn end_of(text: &[u8], at: usize, pattern: &str) -> Option<usize> {
    // Most comparisons end here.
    if text.get(at) != pattern.as_bytes().first() && !text.get(at).is_some_and(|byte| is_escape(*byte)) {
        return pattern.is_empty().then_some(at);
    }
    let plain = plain_prefix(text, at, pattern);
    let rest = pattern.get(plain..)?;
    if rest.is_empty() {
        return Some(at + plain);
    }
    // Of the others most end here, without having taken memory.
    text.get(at + plain).filter(|byte| is_escape(**byte))?;
    let mut ends = vec![at + plain];
    for expected in rest.chars() {
        let mut next = Vec::with_capacity(ends.len());
        for end in ends {
            readings(text, end, &mut |character, end| {
                if character == expected {
                    next.push(end);
                }
            });
        }
        ends = few(next);
        if ends.is_empty() {
            return None;
        }
    }
    ends.into_iter().max()
}

/// How many bytes agree literally, in whole characters, before the first escape.
fn plain_prefix(text: &[u8], at: usize, pattern: &str) -> usize {
    let pairs = text.get(at..).unwrap_or_default().iter().zip(pattern.as_bytes());
    let agreed = pairs.take_while(|(found, expected)| found == expected && !is_escape(**found)).count();
    (0..=agreed).rev().find(|length| pattern.is_char_boundary(*length)).unwrap_or(0)
}

fn few(mut ends: Vec<usize>) -> Vec<usize> {
    if ends.len() > 1 {
        ends.sort_unstable();
        ends.dedup();
    }
    if ends.len() > FOLLOWED {
        ends.drain(FOLLOWED / 2..ends.len() - FOLLOWED / 2);
    }
    ends
}

/// The UTF-8 character at `at` as it stands.
fn literal(text: &[u8], at: usize) -> Option<char> {
    let first = *text.get(at)?;
    if first.is_ascii() {
        return Some(char::from(first));
    }
    let bytes = text.get(at..at + width(first))?;
    std::str::from_utf8(bytes).ok()?.chars().next()
}

/// Bytes of the UTF-8 character that starts with `first`.
fn width(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

/// `%41`, `%C3%A9`; with `nested` 1 `%2541`, and so on (RFC 3986, section 2.1).
fn percent(text: &[u8], at: usize, nested: usize) -> Option<(char, usize)> {
    let (first, mut end) = percent_byte(text, at, nested)?;
    let mut bytes = [first, 0, 0, 0];
    let width = width(first);
    for slot in &mut bytes[1..width] {
        (*slot, end) = percent_byte(text, end, nested)?;
    }
    let character = std::str::from_utf8(&bytes[..width]).ok()?.chars().next()?;
    Some((character, end))
}

fn percent_byte(text: &[u8], at: usize, nested: usize) -> Option<(u8, usize)> {
    let mut rest = text.get(at..)?.strip_prefix(b"%")?;
    for _ in 0..nested {
        rest = rest.strip_prefix(b"25")?;
    }
    let value = hex_number(rest.get(..2)?)?;
    Some((u8::try_from(value).ok()?, at + 1 + 2 * nested + 2))
}

fn hex_number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0, |sum: u32, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        sum.checked_mul(16)?.checked_add(digit)
    })
}

/// `\"`, `\n`, `\u00e9`, `\ud83d\ude00` (RFC 8259, section 7) and Rust's `\u{e9}`. Escaping
/// again doubles the backslashes and adds one, so any short row of them counts.
fn backslash(text: &[u8], at: usize, read: &mut impl FnMut(char, usize)) {
    let longest = 1 << NESTED;
    let row = text[at..].iter().take(longest).take_while(|byte| **byte == b'\\').count();
    for doubled in (1..=NESTED).map(|nested| 1 << nested).filter(|doubled| *doubled <= row) {
        read('\\', at + doubled);
    }
    let after = at + row;
    let short = match text.get(after) {
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(same @ (b'"' | b'/' | b'\'')) => char::from(*same),
        Some(b'u') => {
            if let Some((character, end)) = unicode(text, at, row) {
                read(character, end);
            }
            return;
        }
        _ => return,
    };
    read(short, after + 1);
}

/// `\u00e9`, a surrogate pair or `\u{e9}`, each behind a row of backslashes.
fn unicode(text: &[u8], at: usize, row: usize) -> Option<(char, usize)> {
    let digits = at + row + 1;
    if text.get(digits) == Some(&b'{') {
        let inside = text.get(digits + 1..)?;
        let length = inside.iter().take(7).position(|byte| *byte == b'}')?;
        let character = char::from_u32(hex_number(&inside[..length])?)?;
        return Some((character, digits + 1 + length + 1));
    }
    let high = hex_number(text.get(digits..digits + 4)?)?;
    let end = digits + 4;
    if !(0xd800..0xdc00).contains(&high) {
        return Some((char::from_u32(high)?, end));
    }
    let second = text.get(end..end + row + 5)?;
    let (backslashes, rest) = second.split_at(row);
    if backslashes.iter().any(|byte| *byte != b'\\') {
        return None;
    }
    let low = hex_number(rest.strip_prefix(b"u")?)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    Some((char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)?, end + row + 5))
}

/// `&amp;`, `&quot;`, `&#39;`, `&#x27;` and, escaped again, `&amp;quot;`.
fn entity(text: &[u8], at: usize, read: &mut impl FnMut(char, usize)) {
    let mut name = at + 1;
    for _ in 0..=NESTED {
        let Some(rest) = text.get(name..) else { return };
        if let Some((character, length)) = named(rest).or_else(|| numeric(rest)) {
            read(character, name + length);
        }
        if !rest.starts_with(b"amp;") {
            return;
        }
        name += 4;
    }
}

fn named(rest: &[u8]) -> Option<(char, usize)> {
    let names: [(&[u8], char); 5] =
        [(b"amp;", '&'), (b"quot;", '"'), (b"lt;", '<'), (b"gt;", '>'), (b"apos;", '\'')];
    names.iter().find(|(name, _)| rest.starts_with(name)).map(|(name, character)| (*character, name.len()))
}

fn numeric(rest: &[u8]) -> Option<(char, usize)> {
    let length = rest.iter().take(10).position(|byte| *byte == b';')?;
    let code = match rest.get(..length)?.strip_prefix(b"#")? {
        [b'x' | b'X', digits @ ..] => hex_number(digits)?,
        digits => std::str::from_utf8(digits).ok()?.parse().ok()?,
    };
    Some((char::from_u32(code)?, length + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_read_however_it_is_written() {
        let cases = [
            ("é", 'é'),
            ("%C3%A9", 'é'),
            ("%c3%a9", 'é'),
            ("%25C3%25a9", 'é'),
            ("\\u00e9", 'é'),
            ("\\\\u00E9", 'é'),
            ("\\u{e9}", 'é'),
            ("&#233;", 'é'),
            ("&#xE9;", 'é'),
            ("&amp;#xe9;", 'é'),
            ("😀", '😀'),
            ("%F0%9F%98%80", '😀'),
            ("\\ud83d\\ude00", '😀'),
            ("\\\\ud83d\\\\ude00", '😀'),
            ("+", ' '),
            ("%20", ' '),
            ("%2520", ' '),
            ("\\\"", '"'),
            ("\\\\\\\"", '"'),
            ("&quot;", '"'),
            ("&amp;quot;", '"'),
            ("\\/", '/'),
            ("\\\\", '\\'),
            ("\\\\\\\\", '\\'),
            ("&amp;", '&'),
            ("&amp;amp;", '&'),
            ("%25", '%'),
            ("%2525", '%'),
            ("%", '%'),
            ("\\n", '\n'),
        ];
        for (text, expected) in cases {
            let mut found = Vec::new();
            readings(text.as_bytes(), 0, &mut |character, end| found.push((character, end)));
            assert!(found.contains(&(expected, text.len())), "{text}: {found:?}");
        }
    }

    #[test]
    fn broken_escapes_are_read_as_they_stand() {
        for text in ["%", "%4", "%zz", "%C3", "%C3%zz", "\\", "\\u", "\\u00", "\\ud83d", "\\ud83d\\u0041"] {
            readings(text.as_bytes(), 0, &mut |character, end| {
                assert_eq!((character, end), (char::from(text.as_bytes()[0]), 1), "{text}");
            });
        }
        for text in ["&", "&;", "&#;", "&#x;", "&#xffffffffff;", "&#4294967296;", "&nbsp;"] {
            readings(text.as_bytes(), 0, &mut |character, _| assert_eq!(character, '&', "{text}"));
        }
        readings(&[0xff, 0xfe], 0, &mut |character, _| panic!("{character}"));
    }

    #[test]
    fn a_pattern_ends_where_its_longest_spelling_ends() {
        let cases = [
            ("abc", "abc", Some(3)),
            ("abx", "abc", None),
            ("ab", "abc", None),
            ("a%62c", "abc", Some(5)),
            ("a%20b+c d", "a b c d", Some(9)),
            ("%2541", "%41", Some(5)),
            ("%41", "%41", Some(3)),
            ("a\\\\\\\"b", "a\\\"b", Some(6)),
            ("\\\\\\\\", "\\\\", Some(4)),
        ];
        for (text, pattern, expected) in cases {
            assert_eq!(end_of(text.as_bytes(), 0, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn a_secret_made_of_escapes_does_not_explode() {
        let text = "\\".repeat(4_000);
        assert!(end_of(text.as_bytes(), 0, &"\\".repeat(2_000)).is_some());
        assert_eq!(end_of("%25".repeat(1_000).as_bytes(), 0, &"%".repeat(2_000)), None);
    }
}
