//! I-Regexp (RFC 9485), the patterns of `match()` and `search()`, in the syntax of `regex`.
//!
//! A pattern is a literal of the path and compiled with it, within a small memory limit, so
//! that an answer can neither bring a pattern along nor make us compile one per element.

use regex::{Regex, RegexBuilder};

/// Bytes a compiled pattern may take.
const MAX_COMPILED: usize = 512 * 1024;

/// The pattern, anchored at both ends when `whole`.
pub(super) fn compile(pattern: &str, whole: bool) -> Result<Regex, String> {
    let body = translate(pattern);
    let source = if whole { format!(r"\A(?:{body})\z") } else { body };
    RegexBuilder::new(&source)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .build()
        .map_err(|_| format!("`{pattern}` is no regular expression (RFC 9485), or too large a one"))
}

/// A `.` outside a class is anything but a line break (RFC 9485, section 5.3): `regex` would
/// let `\r` through.
fn translate(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len());
    let mut in_class = false;
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                translated.push(char);
                translated.extend(chars.next());
            }
            '.' if !in_class => translated.push_str(r"[^\n\r]"),
            _ => {
                in_class = (in_class || char == '[') && char != ']';
                translated.push(char);
            }
        }
    }
    translated
}
