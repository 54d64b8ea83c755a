//! Source text of an expression to tokens, as minijinja splits it.
//!
//! Literals keep their source form: minijinja reads texts and serde reads numbers. What
//! minijinja has beyond this (radix prefixes, `_` in numbers) is not part of the grammar.

use super::error::TemplateError;

/// One token with its place in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'s> {
    pub kind: Kind,
    /// The token as written, quotes included.
    pub text: &'s str,
    /// Byte offset in the source.
    pub at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Text,
    Number,
    Symbol,
}

const PAIRS: [&str; 6] = ["//", "**", "==", "!=", ">=", "<="];
const SINGLES: &str = "+-*/%.,:~|=><()[]{}";

/// Splits the whole source.
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, TemplateError> {
    let mut found: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let after_dot = found.last().is_some_and(|token| token.text == ".");
        let (kind, length) = token_at(&source[at..], first, after_dot)?;
        found.push(Token { kind, text: &source[at..at + length], at });
        at += length;
    }
    Ok(found)
}

fn token_at(rest: &str, first: char, after_dot: bool) -> Result<(Kind, usize), TemplateError> {
    if first.is_ascii_alphabetic() || first == '_' {
        return Ok((Kind::Word, word_length(rest)));
    }
    if first.is_ascii_digit() {
        let length = if after_dot { digits(rest) } else { number_length(rest) };
        return Ok((Kind::Number, length));
    }
    if matches!(first, '"' | '\'') {
        let length = quoted_length(rest)
            .ok_or_else(|| TemplateError::invalid("a text in the expression is not closed: add the quote"))?;
        return Ok((Kind::Text, length));
    }
    if PAIRS.iter().any(|pair| rest.starts_with(pair)) {
        return Ok((Kind::Symbol, 2));
    }
    if SINGLES.contains(first) {
        return Ok((Kind::Symbol, 1));
    }
    Err(TemplateError::invalid(format!(
        "the character `{}` cannot stand in an expression (a member name with special characters is \
         written data[\"name\"])",
        first.escape_default()
    )))
}

/// Bytes of the identifier at the start of `rest`; 0 when there is none.
pub(super) fn word_length(rest: &str) -> usize {
    let mut bytes = rest.bytes().enumerate();
    bytes
        .find(|(index, b)| !(*b == b'_' || b.is_ascii_alphabetic() || (*index > 0 && b.is_ascii_digit())))
        .map_or(rest.len(), |(index, _)| index)
}

fn digits(rest: &str) -> usize {
    rest.bytes().take_while(u8::is_ascii_digit).count()
}

/// `12`, `12.5`, `12e3`, `1.5e-3`.
fn number_length(rest: &str) -> usize {
    let mut length = digits(rest);
    if let Some(fraction) = rest[length..].strip_prefix('.')
        && digits(fraction) > 0
    {
        length += 1 + digits(fraction);
    }
    if let Some(exponent) = rest[length..].strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        let count = digits(&exponent[sign..]);
        if count > 0 {
            length += 1 + sign + count;
        }
    }
    length
}

/// Bytes of the quoted text at the start of `rest`, quotes included; none when it is not closed.
pub(super) fn quoted_length(rest: &str) -> Option<usize> {
    let quote = rest.bytes().next()?;
    let mut escaped = false;
    for (index, byte) in rest.bytes().enumerate().skip(1) {
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = true;
        } else if byte == quote {
            return Some(index + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_falls_into_its_tokens() {
        let cases: [(&str, &[&str]); 6] = [
            ("data.a|trim", &["data", ".", "a", "|", "trim"]),
            ("data.rows.0.1", &["data", ".", "rows", ".", "0", ".", "1"]),
            ("1.5e-3+2.x", &["1.5e-3", "+", "2", ".", "x"]),
            (r#"a["b\"c"] == 'd'"#, &["a", "[", r#""b\"c""#, "]", "==", "'d'"]),
            ("a//b**c", &["a", "//", "b", "**", "c"]),
            (" \n", &[]),
        ];
        for (source, expected) in cases {
            let found: Vec<&str> = tokens(source).unwrap().iter().map(|token| token.text).collect();
            assert_eq!(found, expected, "{source}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for source in ["'open", "\"open\\\"", "a ? b", "a & b", "ä", "a; b", "#"] {
            assert!(tokens(source).is_err(), "{source}");
        }
    }
}
