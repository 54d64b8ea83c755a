//! Texts of requests and answers: what was masked in them is seen to be masked, JSON is laid out
//! in lines, and what is long is cut, so that no page grows without bound.
//!
//! Nothing here masks anything: that was done before the text was kept. The layout of JSON moves
//! white space only, so every digit stays as the provider wrote it.

use serde::de::IgnoredAny;

use crate::domain::ids::is_key;
use crate::domain::redact::REDACTED;
use crate::domain::secret::HIDDEN;

const SECRET: &str = "[secret ";
/// JSON is laid out up to this size; what is larger is cut anyway.
const LARGEST_LAID_OUT: usize = 256 * 1024;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What is read.
    pub text: String,
    /// Whether it stands for something masked.
    pub masked: bool,
}

/// A text in its parts.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut all = Vec::new();
    let mut add = |text: &str, masked| {
        if !text.is_empty() {
            all.push(Piece { text: text.to_owned(), masked });
        }
    };
    let (mut rest, mut plain) = (text, text);
    while let Some(at) = rest.find('[') {
        let begins = &rest[at..];
        let Some(length) = mask(begins) else {
            rest = &begins[1..];
            continue;
        };
        add(&plain[..plain.len() - begins.len()], false);
        add(&begins[..length], true);
        rest = &begins[length..];
        plain = rest;
    }
    add(plain, false);
    all
}

/// How long the mask is that a text begins with.
fn mask(text: &str) -> Option<usize> {
    if let Some(mask) = [HIDDEN, REDACTED].into_iter().find(|mask| text.starts_with(mask)) {
        return Some(mask.len());
    }
    let (name, _) = text.strip_prefix(SECRET)?.split_once(']')?;
    is_key(name).then_some(SECRET.len() + name.len() + 1)
}

/// A body, or what of it there is room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Its beginning.
    pub pieces: Vec<Piece>,
    /// Whether it goes on.
    pub cut: bool,
}

/// What is left of the room for bodies on one page, in bytes of HTML.
#[derive(Debug)]
pub struct Room {
    left: usize,
    each: usize,
}

impl Room {
    /// So many bytes in all, and so many for each.
    pub const fn new(all: usize, each: usize) -> Self {
        Self { left: all, each }
    }

    /// A body, laid out and cut to the room that is left.
    pub fn take(&mut self, text: &str) -> Body {
        let laid_out = lay_out(text);
        let text = laid_out.as_deref().unwrap_or(text);
        let most = self.left.min(self.each);
        let mut used = 0;
        let end = text.char_indices().find(|(_, letter)| {
            used += size(*letter);
            used > most
        });
        let shown = &text[..end.map_or(text.len(), |(at, _)| at)];
        self.left -= shown.chars().map(size).sum::<usize>().min(self.left);
        Body { pieces: pieces(shown), cut: shown.len() < text.len() }
    }
}

/// Bytes of a character in HTML.
const fn size(letter: char) -> usize {
    match letter {
        '<' | '>' | '&' | '"' | '\'' => 5,
        other => other.len_utf8(),
    }
}

/// JSON in lines; none: it is none, or holds nothing to lay out.
pub fn lay_out(text: &str) -> Option<String> {
    let text = text.trim();
    let opens = text.starts_with(['{', '[']);
    if !opens || text.len() > LARGEST_LAID_OUT || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return None;
    }
    let mut lines = Lines::default();
    let mut letters = text.chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            _ if quoted => {
                lines.text.push(letter);
                match letter {
                    '\\' => lines.text.extend(letters.next()),
                    '"' => quoted = false,
                    _ => {}
                }
            }
            '{' | '[' => {
                while letters.next_if(char::is_ascii_whitespace).is_some() {}
                lines.text.push(letter);
                match letters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => lines.text.push(end),
                    None => lines.go(1),
                }
            }
            '}' | ']' => {
                lines.go(-1);
                lines.text.push(letter);
            }
            ',' => {
                lines.text.push(letter);
                lines.go(0);
            }
            ':' => lines.text.push_str(": "),
            ' ' | '\t' | '\r' | '\n' => {}
            _ => {
                quoted = letter == '"';
                lines.text.push(letter);
            }
        }
    }
    Some(lines.text)
}

#[derive(Default)]
struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    /// A new line, so much deeper.
    fn go(&mut self, deeper: isize) {
        self.depth = self.depth.saturating_add_signed(deeper);
        self.text.push('\n');
        // What is nested without end would fill a page with blanks.
        self.text.extend(std::iter::repeat_n("  ", self.depth.min(24)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str) -> String {
        let mark =
            |piece: &Piece| if piece.masked { format!("<{}>", piece.text) } else { piece.text.clone() };
        pieces(text).iter().map(mark).collect()
    }

    #[test]
    fn what_is_masked_is_seen_to_be() {
        for (text, expected) in [
            ("", ""),
            ("plain [x] text", "plain [x] text"),
            ("[hidden]", "<[hidden]>"),
            ("Bearer [secret vies_token]", "Bearer <[secret vies_token]>"),
            ("a[secret k][hidden]b", "a<[secret k]><[hidden]>b"),
            ("[[redacted]]", "[<[redacted]>]"),
            ("[secret No] [secret ", "[secret No] [secret "),
            ("[secret a b] é[hidden", "[secret a b] é[hidden"),
        ] {
            assert_eq!(marked(text), expected);
        }
    }

    #[test]
    fn json_gets_lines_and_keeps_every_digit() {
        for (text, expected) in [
            ("{}", Some("{}")),
            ("[ ]", Some("[]")),
            (
                r#"{"a":12345678901234567890123,"b":[1,{"c":"x, {y}: \" [z]"}],"d":{}}"#,
                Some(
                    "{\n  \"a\": 12345678901234567890123,\n  \"b\": [\n    1,\n    {\n      \"c\": \"x, {y}: \\\" [z]\"\n    }\n  ],\n  \"d\": {}\n}",
                ),
            ),
            ("12", None),
            ("<html>", None),
            (r#"{"a":"#, None),
            ("", None),
        ] {
            assert_eq!(lay_out(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_page_has_room_for_so_much() {
        let mut room = Room::new(30, 20);
        let first = room.take(&"<".repeat(10));
        assert_eq!((first.pieces[0].text.len(), first.cut), (4, true));
        let second = room.take("123456789012345");
        assert_eq!((second.pieces[0].text.as_str(), second.cut), ("1234567890", true));
        assert_eq!(room.take("x"), Body { pieces: vec![], cut: true });
        assert_eq!(room.take(""), Body { pieces: vec![], cut: false });
    }
}
