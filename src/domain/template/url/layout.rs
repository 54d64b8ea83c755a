//! A URL's source cut into head (scheme, host, port), path segments and query.

use url::Url;

use crate::domain::template::error::TemplateError;
use crate::domain::template::expression::Expression;
use crate::domain::template::placeholder::Part;

/// What comes before the path.
#[derive(Debug, Clone)]
pub(super) enum Head {
    /// Nothing: the path is appended to a base URL.
    Relative,
    /// Written out.
    Fixed(Url),
    /// With values of `params`; may hold a whole URL with a path of its own.
    Params(Vec<Part>),
}

/// The cut source. A segment without parts is an empty one that was written so.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub head: Head,
    pub path: Vec<Vec<Part>>,
    pub query: Option<Vec<Part>>,
}

impl Layout {
    pub(super) fn read(parts: &[Part]) -> Result<Self, TemplateError> {
        check_literals(parts)?;
        let (head, rest) = split_head(parts)?;
        let (rest, fragment) = split(&rest, '#');
        if fragment.iter().flatten().any(|part| part.expression().is_some()) {
            return Err(TemplateError::invalid("the part behind `#` is never sent: leave it out"));
        }
        let (path, query) = split(&rest, '?');
        Ok(Self { head: read_head(head)?, path: segments(path)?, query })
    }
}

/// True for a segment that a URL reader takes as `.` or `..`, `%2e` included.
pub(super) fn is_dots(segment: &str) -> bool {
    let plain = segment.replace("%2e", ".").replace("%2E", ".");
    plain == "." || plain == ".."
}

fn check_literals(parts: &[Part]) -> Result<(), TemplateError> {
    if parts.is_empty() {
        return Err(TemplateError::invalid("the url is empty"));
    }
    let strange = |part: &Part| match part {
        Part::Literal(text) => text.contains(|c: char| c == '\\' || c.is_control()),
        Part::Value(_) => false,
    };
    if parts.iter().any(strange) {
        return Err(TemplateError::invalid(
            "a url cannot hold a backslash, a line break or a tab: write %5C for \\",
        ));
    }
    Ok(())
}

/// Cuts off everything before the path; nothing for a path alone.
fn split_head(parts: &[Part]) -> Result<(Vec<Part>, Vec<Part>), TemplateError> {
    let (before, from) = split_before(parts, &['/', '?', '#']);
    let authority = matches!((before.last(), from.first()), (Some(Part::Literal(scheme)), Some(Part::Literal(rest)))
        if scheme.ends_with(':') && rest.starts_with("//"));
    if authority {
        let (slashes, behind) = take_slashes(from);
        let (host, rest) = split_before(&behind, &['/', '?', '#']);
        return Ok((merged([before, slashes, host].concat()), rest));
    }
    match (before.first(), from.first()) {
        (None, Some(Part::Literal(rest))) if rest.starts_with("//") => Err(TemplateError::invalid(
            "a url starts with https://, http:// or, below a connection, with one `/`",
        )),
        (Some(Part::Literal(text)), _) if text.contains(':') => {
            Err(TemplateError::invalid("this is no absolute url: it starts with https:// or http://"))
        }
        (Some(Part::Value(_)), _) => Ok((before, from)),
        _ => Ok((Vec::new(), merged([before, from].concat()))),
    }
}

fn take_slashes(mut from: Vec<Part>) -> (Vec<Part>, Vec<Part>) {
    if let Some(Part::Literal(text)) = from.first_mut() {
        *text = text.split_off(2);
    }
    (vec![Part::Literal("//".to_owned())], from)
}

fn read_head(head: Vec<Part>) -> Result<Head, TemplateError> {
    for expression in head.iter().filter_map(Part::expression) {
        check_params_only(expression)?;
    }
    match head.as_slice() {
        [] => Ok(Head::Relative),
        [Part::Literal(text)] => {
            let url = Url::parse(text)
                .map_err(|error| TemplateError::invalid(format!("the url cannot be read: {error}")))?;
            check_origin(&url).map_err(TemplateError::invalid)?;
            Ok(Head::Fixed(url))
        }
        _ => {
            check_written_scheme(&head)?;
            Ok(Head::Params(head))
        }
    }
}

fn check_params_only(expression: &Expression) -> Result<(), TemplateError> {
    let other = expression.references().iter().find(|path| path.split('.').next() != Some("params"));
    match other {
        None => Ok(()),
        Some(path) => Err(TemplateError::invalid(format!(
            "`{path}` cannot stand in scheme, host or port: those come from the connection, from params, or are \
             written out (a path below a connection starts with `/`)"
        ))),
    }
}

/// What can be said of a head before its params are known.
fn check_written_scheme(head: &[Part]) -> Result<(), TemplateError> {
    let written = |part: &Part| match part {
        Part::Literal(text) => text.contains('@'),
        Part::Value(_) => false,
    };
    if head.iter().any(written) {
        return Err(TemplateError::invalid("a url holds no user and password: use `auth`"));
    }
    match head.first() {
        Some(Part::Literal(text)) => match text.split_once("://") {
            Some((scheme, _)) if !is_http(scheme) => {
                Err(TemplateError::invalid("a url starts with https:// or http://"))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// http or https, a host, no user and password.
pub(super) fn check_origin(url: &Url) -> Result<(), &'static str> {
    if !is_http(url.scheme()) || !url.has_host() {
        return Err("a url starts with https:// or http:// and a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a url holds no user and password: use `auth`");
    }
    if url.port() == Some(0) {
        return Err("a url has a port from 1 to 65535, or none");
    }
    Ok(())
}

fn segments(path: Vec<Part>) -> Result<Vec<Vec<Part>>, TemplateError> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let mut segments = vec![Vec::new()];
    for part in path {
        let text = match part {
            Part::Literal(text) => text,
            value @ Part::Value(_) => {
                segments.last_mut().into_iter().for_each(|segment| segment.push(value.clone()));
                continue;
            }
        };
        for (index, piece) in text.split('/').enumerate() {
            if index > 0 {
                segments.push(Vec::new());
            }
            if !piece.is_empty() {
                let literal = Part::Literal(piece.to_owned());
                segments.last_mut().into_iter().for_each(|segment| segment.push(literal.clone()));
            }
        }
    }
    // The slash in front starts the path, it does not end a segment.
    if segments.len() > 1 && segments[0].is_empty() {
        segments.remove(0);
    }
    if segments.iter().any(|segment| matches!(segment.as_slice(), [Part::Literal(text)] if is_dots(text))) {
        return Err(TemplateError::invalid("a path cannot hold `.` or `..`: write it out"));
    }
    Ok(segments)
}

/// Cuts at the first `mark` in a literal; the mark itself is left out.
fn split(parts: &[Part], mark: char) -> (Vec<Part>, Option<Vec<Part>>) {
    let (before, mut from) = split_before(parts, &[mark]);
    match from.first_mut() {
        Some(Part::Literal(text)) => {
            text.remove(0);
            if text.is_empty() {
                from.remove(0);
            }
            (before, Some(from))
        }
        _ => (before, None),
    }
}

/// Cuts before the first of `marks` in a literal; the second half starts with the mark.
fn split_before(parts: &[Part], marks: &[char]) -> (Vec<Part>, Vec<Part>) {
    for (index, part) in parts.iter().enumerate() {
        let Part::Literal(text) = part else {
            continue;
        };
        let Some(at) = text.find(marks) else {
            continue;
        };
        let mut before = parts[..index].to_vec();
        if at > 0 {
            before.push(Part::Literal(text[..at].to_owned()));
        }
        let mut from = vec![Part::Literal(text[at..].to_owned())];
        from.extend_from_slice(&parts[index + 1..]);
        return (before, from);
    }
    (parts.to_vec(), Vec::new())
}

/// Neighbouring literals as one, empty ones dropped.
fn merged(parts: Vec<Part>) -> Vec<Part> {
    let mut merged: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match (merged.last_mut(), part) {
            (Some(Part::Literal(held)), Part::Literal(more)) => held.push_str(&more),
            (_, Part::Literal(text)) if text.is_empty() => {}
            (_, part) => merged.push(part),
        }
    }
    merged
}
