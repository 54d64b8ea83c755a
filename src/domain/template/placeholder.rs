//! Finds the placeholders in a string: `{{ expression }}` and `{path}`.
//!
//! Two readings. A *strict* place (url, header, param, auth, strings of a JSON body) takes every
//! `{dotted.path}` for a placeholder, so that a misspelt root is found when the case type is
//! saved. A *loose* place (JSON text, free text) only takes those whose first word is a known
//! root: everything else in braces is the text's own.
//!
//! In both, braces that cannot be a dotted path (`{"a": 1}`, `{}`, `{2,3}`) are literal, and a
//! literal `{{` is written `{{ "{{" }}`.

use super::error::TemplateError;
use super::expression::Expression;
use super::lexer::{Kind, Token, quoted_length, tokens, word_length};
use super::roots::Roots;

/// Who owns the braces that are no placeholder of a known root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Strict,
    Loose,
}

/// A piece of a template.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Literal(String),
    Value(Expression),
}

/// Longest template, in bytes: the same as what it may render.
const LONGEST: usize = super::work::LONGEST_TEXT;

/// Farthest that the end of an expression is looked for, in bytes, and deepest in brackets.
const FARTHEST: usize = 16 * 1024;
const DEEPEST: usize = 64;

/// Splits a source into its parts; literals are never empty and never neighbours.
pub(super) fn parts(source: &str, roots: &Roots, reading: Reading) -> Result<Vec<Part>, TemplateError> {
    if source.len() > LONGEST {
        return Err(TemplateError::invalid("the template is longer than 1 MiB"));
    }
    let mut found = Vec::new();
    let mut literal_from = 0;
    let mut at = 0;
    while let Some(brace) = source[at..].find('{') {
        at += brace;
        let (length, expression) = at_brace(&source[at..], roots, reading)?;
        if let Some(expression) = expression {
            push_literal(&mut found, &source[literal_from..at]);
            found.push(Part::Value(expression));
            literal_from = at + length;
        }
        at += length;
    }
    push_literal(&mut found, &source[literal_from..]);
    Ok(found)
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Literal(text.to_owned()));
    }
}

/// What starts at a `{`: how many bytes it takes, and the expression when it is a placeholder.
fn at_brace(
    rest: &str,
    roots: &Roots,
    reading: Reading,
) -> Result<(usize, Option<Expression>), TemplateError> {
    if let Some(inside) = rest.strip_prefix("{{") {
        return double(inside, roots, reading);
    }
    if rest.starts_with("{%") && reading == Reading::Strict {
        let message =
            "there are no statements here: write an expression, e.g. {{ data.a if data.b else 'c' }}";
        return Err(TemplateError::invalid(message));
    }
    single(rest, roots, reading)
}

/// `{{ … }}`; `inside` starts behind the opening braces.
fn double(
    inside: &str,
    roots: &Roots,
    reading: Reading,
) -> Result<(usize, Option<Expression>), TemplateError> {
    let strict = reading == Reading::Strict;
    let Some(length) = closing(inside) else {
        if strict || starts_with_root(inside, roots) {
            return Err(TemplateError::invalid(
                "a `{{` is not closed: add `}}`, or write {{ \"{{\" }} for the braces themselves",
            ));
        }
        return Ok((2, None));
    };
    let content = &inside[..length];
    let whole = length + 4;
    if !strict && !is_ours(content, roots) {
        return Ok((whole, None));
    }
    if content.starts_with(['-', '+']) || content.ends_with(['-', '+']) {
        return Err(TemplateError::invalid(
            "`{{-` and `-}}` are not supported: leave a space after the braces",
        ));
    }
    Expression::compile(content.trim(), roots).map(|expression| (whole, Some(expression)))
}

/// In a loose place: does the content mention a known root, or is it a bare literal such as
/// `"{{"`?
fn is_ours(content: &str, roots: &Roots) -> bool {
    let Ok(tokens) = tokens(content) else {
        return mentions_root(content, roots);
    };
    let starts_path = |index: usize, token: &Token| {
        token.kind == Kind::Word && (index == 0 || !matches!(tokens[index - 1].text, "." | "|" | "is"))
    };
    let known =
        tokens.iter().enumerate().any(|(index, token)| starts_path(index, token) && roots.knows(token.text));
    known || matches!(tokens.as_slice(), [Token { kind: Kind::Text, .. }])
}

/// As far as that can be told of something that is no expression.
fn mentions_root(content: &str, roots: &Roots) -> bool {
    content.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| roots.knows(word))
}

fn starts_with_root(text: &str, roots: &Roots) -> bool {
    let text = text.trim_start();
    roots.knows(&text[..word_length(text)])
}

/// Where the closing `}}` is, past quoted texts and nested brackets. Nothing is nested so deep
/// or is so long as what is given up on here, and a text full of braces stays cheap to read.
fn closing(inside: &str) -> Option<usize> {
    let bytes = inside.as_bytes();
    let bytes = &bytes[..bytes.len().min(FARTHEST)];
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at += quoted_length(&inside[at..])?;
                continue;
            }
            b'(' | b'[' | b'{' if open == DEEPEST => return None,
            b'(' | b'[' | b'{' => open += 1,
            b'}' if open == 0 && bytes.get(at + 1) == Some(&b'}') => return Some(at),
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// `{path}`.
fn single(rest: &str, roots: &Roots, reading: Reading) -> Result<(usize, Option<Expression>), TemplateError> {
    let literal = Ok((1, None));
    let content = &rest[1..];
    let Some((content, "}")) = content.find(['{', '}']).map(|end| (&content[..end], &content[end..=end]))
    else {
        return literal;
    };
    if is_path(content) {
        let root = content.split('.').next().unwrap_or_default();
        if reading == Reading::Loose && !roots.knows(root) {
            return literal;
        }
        let expression = Expression::from_path(content, roots)?;
        return Ok((content.len() + 2, Some(expression)));
    }
    if reading == Reading::Strict && almost_path(content, roots) {
        return Err(TemplateError::invalid(
            "the short form `{…}` takes a bare dotted path, e.g. {data.name}: write {{ … }} for anything else",
        ));
    }
    literal
}

/// A word, then any names between dots.
fn is_path(content: &str) -> bool {
    let word = word_length(content);
    let plain =
        |c: char| !c.is_whitespace() && !c.is_control() && !"{}[]()\"'`|,:;=<>+*/\\&?!#%^~$@".contains(c);
    match content[word..].strip_prefix('.') {
        Some(names) => word > 0 && names.split('.').all(|name| !name.is_empty() && name.chars().all(plain)),
        None => word > 0 && word == content.len(),
    }
}

/// Meant as a placeholder: a known root and then a filter, an index or a stray space.
fn almost_path(content: &str, roots: &Roots) -> bool {
    let content = content.trim();
    let word = word_length(content);
    let next = content[word..].trim_start().chars().next();
    roots.knows(&content[..word]) && matches!(next, None | Some('.' | '[' | '|'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(source: &str, reading: Reading) -> Result<String, TemplateError> {
        let parts = parts(source, &Roots::request(&["vat".to_owned()]), reading)?;
        let shown: Vec<String> = parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => format!("'{text}'"),
                Part::Value(expression) => format!("<{}>", expression.source()),
            })
            .collect();
        Ok(shown.join(" "))
    }

    #[test]
    fn both_spellings_are_found() {
        let cases = [
            ("", ""),
            ("plain", "'plain'"),
            ("{data.a}", "<data.a>"),
            ("a{data.a}b{{ case.id | upper }}c", "'a' <data.a> 'b' <case.id | upper> 'c'"),
            ("{{data.a}}{now}", "<data.a> <now>"),
            ("{data.items.0.name}", "<data.items.0.name>"),
            ("{data.first-name}/{data.größe}", "<data.first-name> '/' <data.größe>"),
            ("{{ '}}' }}{{ \"{{\" }}", "<'}}'> <\"{{\">"),
            ("{{ {'a': {'b': 1}} }}", "<{'a': {'b': 1}}>"),
            ("{{ data['}}'] }}", "<data['}}']>"),
            ("{vat.x}", "<vat.x>"),
            ("{}", "'{}'"),
            ("{\"a\": 1}", "'{\"a\": 1}'"),
            ("{2,3} { } }{ {", "'{2,3} { } }{ {'"),
            ("query { company(id: 1) { name } }", "'query { company(id: 1) { name } }'"),
            ("{# note #}", "'{# note #}'"),
            ("{{data.a}}}", "<data.a> '}'"),
        ];
        for (source, expected) in cases {
            assert_eq!(show(source, Reading::Strict).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn a_strict_place_refuses_what_looks_like_a_placeholder() {
        let cases = [
            ("{dta.a}", "`data`"),
            ("{id}", "not known"),
            ("{{ data.a", "not closed"),
            ("{{ 'open }}", "not closed"),
            ("{{}}", "empty"),
            ("{{ foo }}", "not known"),
            ("{% if data.a %}", "no statements"),
            ("{{- data.a -}}", "leave a space"),
            ("{ data.a }", "bare dotted path"),
            ("{data.a | upper}", "bare dotted path"),
            ("{data.items[0]}", "bare dotted path"),
            ("{data.first name}", "bare dotted path"),
            ("{secret}", "exactly one secret"),
            ("{secret.a.b}", "exactly one secret"),
            ("{{{data.a}}}", "expected `:`"),
        ];
        for (source, hint) in cases {
            let error = show(source, Reading::Strict).expect_err(source);
            assert!(error.message.contains(hint), "{source}: {error}");
        }
    }

    #[test]
    fn a_text_full_of_braces_is_read_quickly() {
        for piece in ["{", "{{", "{{'", "{{ '\"", "{{(", "{a", "{{ x }", "{{ 'a' ", "}}"] {
            let source = piece.repeat(1024 * 1024 / piece.len());
            assert!(parts(&source, &Roots::request(&[]), Reading::Loose).is_ok(), "{piece}");
        }
    }

    #[test]
    fn a_loose_place_only_takes_known_roots() {
        let cases = [
            ("{\"a\": {\"b\": {}}}", "'{\"a\": {\"b\": {}}}'"),
            ("{name} {data.a} {dta.a}", "'{name} ' <data.a> ' {dta.a}'"),
            ("Hello {{ name }}, {{ data.a }}", "'Hello {{ name }}, ' <data.a>"),
            ("{{#if x}}{{/if}}", "'{{#if x}}{{/if}}'"),
            ("{{ \"{{\" }}", "<\"{{\">"),
            ("{{ name | default('x') }}", "'{{ name | default('x') }}'"),
            ("{{ user.data }}", "'{{ user.data }}'"),
            ("{% for x in y %} {{", "'{% for x in y %} {{'"),
            ("{{ unclosed {data.a}", "'{{ unclosed ' <data.a>"),
            ("{\"a\":{{ data.a }}}", "'{\"a\":' <data.a> '}'"),
            ("query{company{name}}", "'query{company{name}}'"),
            ("{ data.a }", "'{ data.a }'"),
        ];
        for (source, expected) in cases {
            assert_eq!(show(source, Reading::Loose).as_deref(), Ok(expected), "{source}");
        }
        for source in
            ["{{ data.a | uper }}", "{{ data.a", "{{ data.a ? }}", "{secret}", "{{ data.a ~ dta.b }}"]
        {
            assert!(show(source, Reading::Loose).is_err(), "{source}");
        }
    }
}
