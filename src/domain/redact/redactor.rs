//! Finds the values of secrets in texts, bytes and JSON, and replaces them.
//!
//! Made once per run from the secrets that the run resolved. The leftmost longest spelling wins,
//! one pass, replacements are not read again. Without secrets nothing is copied or searched.
//! A text must be redacted before it is cut: a half secret is not found.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

use super::paths::HiddenPaths;
use super::pattern::{self, Pattern};
use super::spelling::{end_of, is_escape, readings};
use crate::domain::ids::SecretName;
use crate::domain::secret::HIDDEN;

/// Fewest bytes of a value that is searched for; shorter ones occur everywhere.
const SHORTEST: usize = 4;

/// What a value is replaced by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Label {
    /// `[secret <name>]`.
    Secret(SecretName),
    /// `[hidden]`: a credential that was typed in and has no name.
    Hidden,
    /// `[hidden]`: a token that a provider gave us, good for a while.
    Token,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "[secret {name}]"),
            Self::Hidden | Self::Token => f.write_str(HIDDEN),
        }
    }
}

/// Knows the values of some secrets and replaces them.
#[derive(Clone)]
pub struct Redactor {
    /// By first character, so that a place in a text is compared with few of them.
    entries: Vec<Entry>,
    /// First bytes of the entries' texts as they are written plainly.
    first_bytes: [bool; 256],
    /// Secrets that are numbers, which JSON may carry unquoted and reformatted.
    numbers: Vec<(f64, String)>,
    /// Where answers hold what nobody may see.
    paths: HiddenPaths,
}

#[derive(Clone)]
struct Entry {
    first: char,
    pattern: Pattern,
    replacement: String,
}

impl Default for Redactor {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            first_bytes: [false; 256],
            numbers: Vec::new(),
            paths: HiddenPaths::default(),
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} patterns)", self.entries.len())
    }
}

impl Redactor {
    /// A redactor for these values. Values of fewer than 4 bytes are left out; leave out
    /// yourself what is marked `redact: false`.
    pub fn new<'a>(values: impl IntoIterator<Item = (Label, &'a str)>) -> Self {
        let mut redactor = Self::default();
        for (label, value) in values {
            if value.len() >= SHORTEST {
                redactor.add(&label, pattern::of_value(value));
                redactor.add_number(&label, value);
            }
        }
        redactor.sort();
        redactor
    }

    /// Also replaces this value.
    #[must_use]
    pub fn with_value(mut self, label: &Label, value: &str) -> Self {
        if value.len() >= SHORTEST {
            self.add(label, pattern::of_value(value));
            self.sort();
        }
        self
    }

    /// Also replaces the credentials of HTTP Basic that are made of these two.
    #[must_use]
    pub fn with_basic(mut self, label: &Label, username: &str, password: &str) -> Self {
        if username.len() + password.len() >= SHORTEST {
            self.add(label, pattern::of_basic(username, password));
            self.sort();
        }
        self
    }

    /// Also hides these places of answers.
    #[must_use]
    pub fn with_paths(mut self, paths: &HiddenPaths) -> Self {
        self.paths = self.paths.and(paths);
        self
    }

    /// The places of answers that nobody may see.
    pub const fn paths(&self) -> &HiddenPaths {
        &self.paths
    }

    /// True when no value is searched for.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn add(&mut self, label: &Label, patterns: Vec<Pattern>) {
        let replacement = label.to_string();
        for pattern in patterns {
            if let (Some(first), Some(byte)) = (pattern.chars().next(), pattern.bytes().next()) {
                self.first_bytes[usize::from(byte)] = true;
                self.entries.push(Entry { first, pattern, replacement: replacement.clone() });
            }
        }
    }

    fn add_number(&mut self, label: &Label, value: &str) {
        let digits = value.bytes().any(|byte| byte.is_ascii_digit());
        if let Some(number) = value.parse::<f64>().ok().filter(|number| digits && number.is_finite()) {
            self.numbers.push((number, label.to_string()));
        }
    }

    /// Stable, so that of two secrets with one value the first names it.
    fn sort(&mut self) {
        self.entries.sort_by_key(|entry| entry.first);
    }

    /// The text with every value replaced.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.redact_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // Matches begin and end between characters, so nothing is lost here.
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The bytes with every value replaced; they need not be UTF-8.
    pub fn redact_bytes<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let Some(mut found) = self.find(text, 0) else { return Cow::Borrowed(text) };
        let mut redacted = Vec::with_capacity(text.len());
        let mut copied = 0;
        loop {
            redacted.extend_from_slice(&text[copied..found.start]);
            redacted.extend_from_slice(found.replacement.as_bytes());
            copied = found.end;
            while let Some(next) = self.reaching_out_of(text, &found) {
                if next.replacement != found.replacement {
                    redacted.extend_from_slice(next.replacement.as_bytes());
                }
                copied = next.end;
                found = next;
            }
            match self.find(text, copied) {
                Some(next) => found = next,
                None => break,
            }
        }
        redacted.extend_from_slice(&text[copied..]);
        Cow::Owned(redacted)
    }

    /// Replaces in all texts and member names, and each number that is or contains a value.
    pub fn redact_value(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.redact(text) {
                    *text = redacted;
                }
            }
            Value::Number(number) => {
                if let Some(redacted) = self.redact_number(number) {
                    *value = Value::String(redacted);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Value::Object(members) => self.redact_members(members),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn redact_members(&self, members: &mut Map<String, Value>) {
        members.values_mut().for_each(|value| self.redact_value(value));
        if members.keys().any(|name| matches!(self.redact(name), Cow::Owned(_))) {
            let old = std::mem::take(members);
            *members =
                old.into_iter().map(|(name, value)| (self.redact(&name).into_owned(), value)).collect();
        }
    }

    fn redact_number(&self, number: &serde_json::Number) -> Option<String> {
        let equal = |secret: f64| number.as_f64().is_some_and(|found| found.total_cmp(&secret).is_eq());
        if let Some((_, replacement)) = self.numbers.iter().find(|(secret, _)| equal(*secret)) {
            return Some(replacement.clone());
        }
        match self.redact(&number.to_string()) {
            Cow::Owned(redacted) => Some(redacted),
            Cow::Borrowed(_) => None,
        }
    }

    fn find(&self, text: &[u8], from: usize) -> Option<Found<'_>> {
        if self.is_empty() {
            return None;
        }
        (from..text.len())
            .filter(|at| self.may_begin(text[*at]))
            .find_map(|start| self.longest_at(text, start))
    }

    /// A value that begins inside of a found one and goes on behind it: of that, too, nothing may stay.
    fn reaching_out_of(&self, text: &[u8], found: &Found<'_>) -> Option<Found<'_>> {
        let inside = (found.start + 1..found.end).filter(|at| self.may_begin(text[*at]));
        let reaching = inside.filter_map(|start| self.longest_at(text, start));
        reaching.filter(|next| next.end > found.end).max_by_key(|next| next.end)
    }

    fn may_begin(&self, byte: u8) -> bool {
        self.first_bytes[usize::from(byte)] || is_escape(byte)
    }

    fn longest_at(&self, text: &[u8], start: usize) -> Option<Found<'_>> {
        let mut longest: Option<Found<'_>> = None;
        readings(text, start, &mut |first, after| {
            for entry in self.starting_with(first) {
                let Some(end) = end_of(text, after, &entry.pattern[first.len_utf8()..]) else { continue };
                if longest.as_ref().is_none_or(|found| end > found.end) {
                    longest = Some(Found { start, end, replacement: &entry.replacement });
                }
            }
        });
        longest
    }

    fn starting_with(&self, first: char) -> &[Entry] {
        if u8::try_from(first).is_ok_and(|byte| byte.is_ascii() && !self.first_bytes[usize::from(byte)]) {
            return &[];
        }
        let from = self.entries.partition_point(|entry| entry.first < first);
        let length = self.entries[from..].partition_point(|entry| entry.first == first);
        &self.entries[from..from + length]
    }
}

struct Found<'r> {
    start: usize,
    end: usize,
    replacement: &'r str,
}

#[cfg(test)]
mod tests {
    use base64::prelude::{
        BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine as _,
    };
    use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn label() -> Label {
        Label::Secret("k".parse().unwrap())
    }

    fn redactor(value: &str) -> Redactor {
        Redactor::new([(label(), value)])
    }

    /// What a path segment escapes, roughly as the URL library does it.
    const PATH: AsciiSet = CONTROLS.add(b' ').add(b'"').add(b'#').add(b'/').add(b'?').add(b'%');

    fn ascii_json(text: &str) -> String {
        text.encode_utf16().fold(String::new(), |text, unit| format!("{text}\\u{unit:04X}"))
    }

    fn html(text: &str) -> String {
        text.replace('&', "&amp;").replace('"', "&quot;").replace('\'', "&#39;").replace('<', "&lt;")
    }

    fn lower_hex(percent: &str) -> String {
        let mut parts = percent.split('%');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| format!("{text}%{}{}", part[..2].to_lowercase(), &part[2..]))
    }

    /// Every encoding that we produce or that providers are known to echo.
    fn encodings(value: &str) -> Vec<String> {
        let debug = format!("{value:?}");
        let quoted = json!(value).to_string();
        let json = quoted[1..quoted.len() - 1].to_owned();
        let twice = json!(json).to_string();
        let percent = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        vec![
            value.to_owned(),
            lower_hex(&percent),
            utf8_percent_encode(&percent, NON_ALPHANUMERIC).to_string(),
            utf8_percent_encode(value, &PATH).to_string(),
            url::form_urlencoded::byte_serialize(value.as_bytes()).collect(),
            BASE64_STANDARD.encode(value),
            BASE64_STANDARD_NO_PAD.encode(value),
            BASE64_URL_SAFE.encode(value),
            BASE64_URL_SAFE_NO_PAD.encode(value),
            value.bytes().map(char::from).collect(),
            utf8_percent_encode(&BASE64_STANDARD.encode(value), NON_ALPHANUMERIC).to_string(),
            hex::encode(value),
            hex::encode_upper(value),
            ascii_json(value),
            html(value),
            twice[1..twice.len() - 1].to_owned(),
            json.replace('/', "\\/"),
            json,
            debug[1..debug.len() - 1].to_owned(),
            percent,
        ]
    }

    #[test]
    fn every_encoding_is_replaced() {
        for value in
            ["correct-horse", "a b+c/d%20&e=\"f\"", "pässwörd €😀", "back\\slash'<quote>", "p\nq\tr\r\n--"]
        {
            let redactor = redactor(value);
            for encoded in encodings(value) {
                let text = format!("before {encoded} after");
                assert_eq!(redactor.redact(&text), "before [secret k] after", "{value:?} as {encoded:?}");
            }
        }
    }

    #[test]
    fn of_two_values_of_which_one_begins_the_other_each_is_named() {
        let name = |text: &str| Label::Secret(text.parse().unwrap());
        for (short, long) in
            [("correct-horse", "correct-horse-battery"), ("pä\"ss\\w\n", "pä\"ss\\w\nörd/+ %41")]
        {
            let redactor = Redactor::new([(name("short"), short), (name("long"), long)]);
            // In base64 the last digit of the shorter one is shared with what follows, so these stand alone.
            for (value, expected) in [(short, "<[secret short]>"), (long, "<[secret long]>")] {
                for encoded in encodings(value) {
                    assert_eq!(redactor.redact(&format!("<{encoded}>")), expected, "{encoded}");
                }
            }
        }
    }

    #[test]
    fn a_value_in_a_longer_texts_base64_leaves_no_digit_of_its_own() {
        let value = "pä\"ss\\w\nörd/+ %41";
        let redactor = redactor(value);
        for (before, after) in [("", "\n"), ("u:", ""), ("us:", "x"), ("use:", "xy"), ("ä:", "ö")] {
            let pair = format!("{before}{value}{after}");
            for digits in [
                BASE64_STANDARD.encode(&pair),
                BASE64_STANDARD_NO_PAD.encode(&pair),
                BASE64_URL_SAFE.encode(&pair),
                BASE64_URL_SAFE_NO_PAD.encode(&pair),
            ] {
                let shown = redactor.redact(&digits).into_owned();
                let (head, tail) = shown.split_once("[secret k]").unwrap_or_else(|| panic!("{shown}"));
                assert!(head.len() <= before.len().div_ceil(3) * 4, "{pair:?}: {shown}");
                assert!(tail.len() <= after.len().div_ceil(3) * 4 + 4, "{pair:?}: {shown}");
            }
        }
    }

    #[test]
    fn basic_credentials_are_replaced_as_one() {
        let redactor = redactor("correct-horse").with_basic(&label(), "aladdin", "correct-horse");
        let header = format!("Basic {}", BASE64_STANDARD.encode("aladdin:correct-horse"));
        assert_eq!(redactor.redact(&header), "Basic [secret k]");
        // Without being told the user name, what is the password's alone goes.
        let other = format!("Basic {}", BASE64_STANDARD.encode("somebody:correct-horse"));
        let shown = redactor.redact(&other);
        assert!(shown.contains("[secret k]") && shown.len() < other.len(), "{shown}");
    }

    #[test]
    fn the_leftmost_longest_wins_and_the_first_names_it() {
        let name = |text: &str| Label::Secret(text.parse().unwrap());
        let redactor = Redactor::new([
            (name("short"), "abcd"),
            (name("long"), "abcdefgh"),
            (name("same"), "abcdefgh"),
            (Label::Hidden, "typed-in"),
            (name("tiny"), "abc"),
            (name("next"), "ghijkl"),
            (name("last"), "klmnopqr"),
        ]);
        let cases = [
            ("abcdefgh", "[secret long]"),
            ("abcdefg", "[secret short]efg"),
            ("abcabcd", "abc[secret short]"),
            ("x typed-in y", "x [hidden] y"),
            ("abcdabcd", "[secret short][secret short]"),
            ("nothing here % \\ & +", "nothing here % \\ & +"),
            // One that begins inside of another leaves nothing behind either.
            ("abcdefgtyped-in", "[secret short]efg[hidden]"),
            ("xabcdefghijklmno", "x[secret long][secret next]mno"),
            ("abcdefghijklmnopqr", "[secret long][secret next][secret last]"),
        ];
        for (text, expected) in cases {
            assert_eq!(redactor.redact(text), expected);
        }
    }

    #[test]
    fn nothing_is_copied_when_there_is_nothing_to_replace() {
        for redactor in [Redactor::default(), Redactor::new([(label(), "abc")]), redactor("correct-horse")] {
            assert!(matches!(redactor.redact("a text with % and \\u0041"), Cow::Borrowed(_)));
            assert!(matches!(redactor.redact_bytes(&[0xff, 0x00, 0xfe]), Cow::Borrowed(_)));
        }
        assert!(Redactor::new([(label(), "abc")]).is_empty());
        assert!(!format!("{:?}", redactor("correct-horse")).contains("horse"));
    }

    #[test]
    fn json_is_redacted_in_texts_names_and_numbers() {
        let redactor = Redactor::new([(label(), "1234567890"), (Label::Hidden, "correct-horse")]);
        let mut value = json!({
            "a": ["correct-horse", 1_234_567_890, 1_234_567_890.0, 12, null, true],
            "x correct-horse": {"y": "key=1234567890;"},
            "n": 91_234_567_890_i64
        });
        redactor.redact_value(&mut value);
        let expected = json!({
            "a": ["[hidden]", "[secret k]", "[secret k]", 12, null, true],
            "x [hidden]": {"y": "key=[secret k];"},
            "n": "9[secret k]"
        });
        assert_eq!(value, expected);
        // The order of members stays.
        assert_eq!(value.to_string(), expected.to_string());
    }

    #[test]
    fn bytes_that_are_no_text_are_searched_too() {
        let text = [&[0xff, 0xe9][..], b"correct-horse", &[0xc3]].concat();
        let expected = [&[0xff, 0xe9][..], b"[secret k]", &[0xc3]].concat();
        assert_eq!(redactor("correct-horse").redact_bytes(&text).as_ref(), expected);
    }

    #[test]
    fn a_value_of_greatest_length_is_found() {
        let value = "-----BEGIN KEY-----\n".to_owned() + &"Ab3+/".repeat(3_200);
        let redactor = redactor(&value);
        for encoded in encodings(&value) {
            assert_eq!(redactor.redact(&encoded), "[secret k]");
        }
    }

    proptest! {
        /// Whatever stands around it, no encoding of a value survives.
        #[test]
        fn no_encoding_survives(
            value in r"[ -~äé€😀\n]{8,40}",
            before in r"[ -~ä]{0,12}",
            after in r"[ -~ä]{0,12}",
        ) {
            let redactor = redactor(&value);
            for encoded in encodings(&value) {
                prop_assume!(!"[secret k]".contains(&encoded));
                let text = format!("{before}{encoded}{after}");
                let redacted = redactor.redact(&text);
                prop_assert!(!redacted.contains(&encoded), "{text:?} gave {redacted:?}");
            }
        }

        /// Any bytes may come back from a provider.
        #[test]
        fn nothing_panics(
            value in r#"[%\\&+;#u0-9a-f\"]{4,20}"#,
            text in r#"[%\\&+;#ux{}0-9a-f\"]{0,60}"#,
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let redactor = redactor(&value);
            redactor.redact(&text);
            redactor.redact_bytes(&bytes);
        }
    }
}
