//! Just enough of Rust's grammar to see which modules a file names: tokens without comments and
//! literals, and every path that starts at `crate`, `self` or `super`, groups included.

/// A word or a single mark, and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A path that the source names, made absolute: `super::runs::Run` in `store::cases` is
/// `["store", "runs", "Run"]`; a glob ends in `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub path: Vec<String>,
    pub line: usize,
}

/// The tokens of a source; strings, characters, lifetimes and comments are left out.
pub fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let end = token_end(&chars, at);
        let text = &chars[at..end];
        if is_code(text) {
            tokens.push(Token { text: text.iter().collect(), line });
        }
        line += text.iter().filter(|c| **c == '\n').count();
        at = end;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_code(text: &[char]) -> bool {
    if text.len() == 1 {
        return !text[0].is_whitespace();
    }
    text.iter().all(|c| is_word(*c))
}

/// Where the token, comment or literal that starts at `at` ends.
fn token_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => find(chars, at, |rest| rest[0] == '\n'),
        '/' if next == Some('*') => block_comment_end(chars, at),
        '"' => string_end(chars, at),
        '\'' => quote_end(chars, at),
        c if is_word(c) => {
            let end = find(chars, at, |rest| !is_word(rest[0]));
            literal_after_prefix(chars, at, end).unwrap_or(end)
        }
        _ => at + 1,
    }
}

/// The first place from `at` on where the rest fits, else the end.
fn find(chars: &[char], at: usize, fits: impl Fn(&[char]) -> bool) -> usize {
    (at..chars.len()).find(|i| fits(&chars[*i..])).unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut i) = (1, at + 2);
    while depth > 0 && i < chars.len() {
        match chars[i..] {
            ['/', '*', ..] => (depth, i) = (depth + 1, i + 2),
            ['*', '/', ..] => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    i
}

fn string_end(chars: &[char], at: usize) -> usize {
    let mut i = at + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// A character ends at its quote, a lifetime with its name.
fn quote_end(chars: &[char], at: usize) -> usize {
    match chars[at + 1..] {
        ['\\', _, ..] => (find(chars, at + 3, |rest| rest[0] == '\'') + 1).min(chars.len()),
        [_, '\'', ..] => at + 3,
        _ => find(chars, at + 1, |rest| !is_word(rest[0])),
    }
}

/// The end of `b"…"`, `c"…"`, `r#"…"#`, `b'…'`, when the word is such a prefix.
fn literal_after_prefix(chars: &[char], at: usize, end: usize) -> Option<usize> {
    let prefix: String = chars[at..end].iter().collect();
    let hashes = chars[end..].iter().take_while(|c| **c == '#').count();
    let opened = chars.get(end + hashes).copied();
    match prefix.as_str() {
        "r" | "br" | "cr" if opened == Some('"') => {
            let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let quote = find(chars, end + hashes + 1, |rest| rest.starts_with(&close));
            Some((quote + close.len()).min(chars.len()))
        }
        "b" | "c" if hashes == 0 && opened == Some('"') => Some(string_end(chars, end)),
        "b" if hashes == 0 && opened == Some('\'') => Some(quote_end(chars, end)),
        _ => None,
    }
}

/// Every path of the source that starts at `crate`, `self` or `super`; `module` is the file's own.
pub fn references(tokens: &[Token], module: &[String]) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut inside = module.to_vec();
    let mut opened = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" => {
                let name = names_module(tokens, at);
                inside.extend(name.clone());
                opened.push(name.is_some());
            }
            "}" if opened.pop() == Some(true) => drop(inside.pop()),
            "crate" | "self" | "super" if starts_path(tokens, at) => {
                read_path(tokens, at, &inside, &mut found);
            }
            _ => {}
        }
    }
    found
}

/// The name in `mod name {`, for the brace at `at`.
fn names_module(tokens: &[Token], at: usize) -> Option<String> {
    (at >= 2 && tokens[at - 2].text == "mod").then(|| tokens[at - 1].text.clone())
}

/// Not the `super` inside `super::super::x`, and not the one of `pub(super)` or `pub(in super::super)`.
fn starts_path(tokens: &[Token], at: usize) -> bool {
    let follows_path = at >= 2 && is_path_separator(tokens, at - 2);
    let before = |back: usize| at.checked_sub(back).map_or("", |at| tokens[at].text.as_str());
    let limits_sight = (before(3), before(2), before(1)) == ("pub", "(", "in");
    !follows_path && !limits_sight && is_path_separator(tokens, at + 1)
}

fn is_path_separator(tokens: &[Token], at: usize) -> bool {
    tokens.len() > at + 1 && tokens[at].text == ":" && tokens[at + 1].text == ":"
}

/// Reads one path or group from `at` on, resolved from `base`; answers where it ends.
fn read_path(tokens: &[Token], at: usize, base: &[String], found: &mut Vec<Reference>) -> usize {
    let mut path = base.to_vec();
    let mut at = at;
    let line = tokens[at].line;
    loop {
        match tokens.get(at).map_or("", |token| token.text.as_str()) {
            "crate" => path.clear(),
            "super" => drop(path.pop()),
            "self" => {}
            "{" => return read_group(tokens, at + 1, &path, found),
            word => path.push(word.to_owned()),
        }
        if !goes_on(tokens, at + 1) {
            found.push(Reference { path, line });
            return at + 1;
        }
        at += 3;
    }
}

/// Whether `::` and a further segment follow, not the `<` of generic arguments.
fn goes_on(tokens: &[Token], at: usize) -> bool {
    is_path_separator(tokens, at)
        && tokens.get(at + 2).is_some_and(|token| matches!(token.text.as_str(), "{" | "*") || is_name(token))
}

fn is_name(token: &Token) -> bool {
    token.text.chars().all(is_word)
}

fn read_group(tokens: &[Token], mut at: usize, base: &[String], found: &mut Vec<Reference>) -> usize {
    while at < tokens.len() && tokens[at].text != "}" {
        at = if is_name(&tokens[at]) || tokens[at].text == "*" {
            read_path(tokens, at, base, found)
        } else {
            at + 1
        };
        if tokens.get(at).is_some_and(|token| token.text == "as") {
            at += 2;
        }
    }
    at + 1
}
