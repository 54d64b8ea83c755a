//! What a list of cases is searched by: folded words, and values written so that equal ones are
//! equal texts.
//!
//! Both sides of a comparison pass here, what a case holds when it is written and what somebody
//! looks for, so they cannot drift apart. A case keeps the words that it was written with, so
//! whoever changes the folding has to write those of older cases anew (`store/fillings.rs`).
//! Nothing here knows where it is kept. Words are letters and digits in a row, folded: in lower
//! case, without accents, `ß` as `ss`. `Café-Müller 42` has `cafe`, `muller` and `42`.

use std::collections::BTreeSet;

use ring::digest::{SHA256, digest};
use serde_json::{Number, Value};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Characters of a word that count; two that differ only behind them are one.
pub const LONGEST_WORD: usize = 64;

/// Bytes of a value that are kept as they are; longer ones are told apart by their hash.
const LONGEST_VALUE: usize = 128;

/// Whole numbers beyond this are not exact as floating point.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Letters that lower case and the removal of accents leave apart from what people type instead:
/// what full case folding makes one (Unicode 16, CaseFolding.txt), strokes, and two in one.
const FOLDED: [(char, &str); 13] = [
    ('ß', "ss"),
    ('ς', "σ"),
    ('ı', "i"),
    ('ł', "l"),
    ('ø', "o"),
    ('đ', "d"),
    ('ð', "d"),
    ('ħ', "h"),
    ('ŧ', "t"),
    ('þ', "th"),
    ('æ', "ae"),
    ('œ', "oe"),
    ('ŋ', "n"),
];

/// The words of a text, each once.
pub fn words(text: &str) -> BTreeSet<String> {
    let lower = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let folded = lower.fold(String::with_capacity(text.len()), |mut folded, letter| {
        match FOLDED.iter().find(|(from, _)| *from == letter) {
            Some((_, to)) => folded.push_str(to),
            None => folded.push(letter),
        }
        folded
    });
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(LONGEST_WORD).collect()).collect()
}

/// The words by which a case is found.
pub fn case_words(reference: Option<&str>, title: Option<&str>) -> BTreeSet<String> {
    [reference, title].into_iter().flatten().flat_map(words).collect()
}

/// The first text behind all that begin with this prefix.
pub fn behind(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

/// A scalar as it is kept to be found; none: objects and arrays are not found by their value.
pub fn value_key(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("z".to_owned()),
        Value::Bool(flag) => Some(format!("b{flag}")),
        Value::Number(number) => Some(format!("n{}", spelled(number))),
        Value::String(text) => Some(text_key(text)),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// The keys of all values that a text in a filter stands for: the JSON scalar that it spells, if it
/// spells one, and itself as a text.
pub fn wanted_keys(text: &str) -> BTreeSet<String> {
    let scalar = serde_json::from_str::<Value>(text).ok().and_then(|value| value_key(&value));
    scalar.into_iter().chain([text_key(text)]).collect()
}

fn text_key(text: &str) -> String {
    if text.len() <= LONGEST_VALUE {
        return format!("t{text}");
    }
    format!("h{}", hex::encode(digest(&SHA256, text.as_bytes())))
}

/// `5`, `5.0` and `5e0` are one number.
fn spelled(number: &Number) -> String {
    match number.as_f64() {
        _ if number.is_i64() || number.is_u64() => number.to_string(),
        Some(float) if float.fract() == 0.0 && float.abs() < EXACT => {
            format!("{float:.0}").replace("-0", "0")
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_folded() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            (" -./ ", &[]),
            ("KYB-1042", &["1042", "kyb"]),
            ("Café Müller & Söhne", &["cafe", "muller", "sohne"]),
            ("Acme acme ACME", &["acme"]),
            ("ŁÓDŹ ﬁnance Ⅳ", &["finance", "iv", "lodz"]),
            ("Straße STRASSE STRAẞE strasse", &["strasse"]),
            ("İstanbul ISPARTA Isparta ısparta", &["isparta", "istanbul"]),
            ("ΟΔΥΣΣΕΥΣ Οδυσσεύς", &["οδυσσευσ"]),
            ("Ærø Þór Œuvre Đurđevac", &["aero", "durdevac", "oeuvre", "thor"]),
            ("東京 Ελλάδα", &["ελλαδα", "東京"]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text).into_iter().collect::<Vec<_>>(), *expected, "{text}");
        }
        assert_eq!(words(&"é".repeat(100)).first().map(|word| word.chars().count()), Some(LONGEST_WORD));
    }

    #[test]
    fn a_prefix_ends_before_what_does_not_begin_with_it() {
        let end = behind("ab");
        for inside in ["ab", "abz", "ab\u{fffd}", "ab漢字"] {
            assert!(*inside < *end && *inside >= *"ab", "{inside}");
        }
        for outside in ["aa", "ac", "b"] {
            assert!(!(*outside < *end && *outside >= *"ab"), "{outside}");
        }
    }

    #[test]
    fn a_filter_finds_the_scalar_and_the_text() {
        let long = "x".repeat(129);
        let cases = [
            ("5", json!(5), true),
            ("5", json!(5.0), true),
            ("5.0", json!(5), true),
            ("-0.0", json!(0), true),
            ("5", json!("5"), true),
            ("5.5", json!(5.5), true),
            ("5.0", json!("5"), false),
            ("0123", json!("0123"), true),
            ("0123", json!(123), false),
            ("true", json!(true), true),
            ("true", json!("true"), true),
            ("null", Value::Null, true),
            ("", json!(""), true),
            ("", Value::Null, false),
            ("\"5\"", json!("5"), true),
            ("\"5\"", json!(5), false),
            ("Acme", json!("Acme"), true),
            ("Acme", json!("acme"), false),
            ("9007199254740993", json!(9_007_199_254_740_993_i64), true),
            ("9007199254740993", json!(9_007_199_254_740_992_i64), false),
            (long.as_str(), json!(long), true),
            (long.as_str(), json!(format!("{}y", &long[1..])), false),
        ];
        for (text, value, found) in cases {
            let key = value_key(&value).unwrap();
            assert_eq!(wanted_keys(text).contains(&key), found, "{text} {value}");
        }
        assert_eq!((value_key(&json!([])), value_key(&json!({}))), (None, None));
    }
}
