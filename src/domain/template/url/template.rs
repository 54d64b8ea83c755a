//! The URL template: compiled once, rendered against a base.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::layout::{Head, Layout, check_origin, is_dots};
use crate::domain::template::error::{RenderError, TemplateError};
use crate::domain::template::expression::{Expression, secrets_in};
use crate::domain::template::parts::{Parts, plain, push, text};
use crate::domain::template::placeholder::{Part, Reading};
use crate::domain::template::roots::Roots;
use crate::domain::template::scope::Scope;
use crate::domain::template::work::Work;

/// All but the unreserved characters of RFC 3986, so that no reader of URLs finds a separator,
/// an escape or a character that it drops in a value.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A compiled URL.
#[derive(Debug, Clone)]
pub struct UrlTemplate {
    source: String,
    layout: Layout,
    references: BTreeSet<String>,
}

impl UrlTemplate {
    /// Reads a URL for a place that knows `roots`.
    pub fn compile(source: &str, roots: &Roots) -> Result<Self, TemplateError> {
        let parts = Parts::compile(source.trim(), roots, Reading::Strict)?;
        let layout = Layout::read(&parts.all)?;
        Ok(Self { source: source.to_owned(), layout, references: parts.references })
    }

    /// The URL with its values. `base` is the connection's: a relative URL is appended to its
    /// path, an absolute one ignores it.
    pub fn render(&self, scope: &Scope, base: Option<&Url>) -> Result<Url, RenderError> {
        let work = &Work::new();
        let head = self.render_head(scope, work);
        let path = self.render_path(scope, work);
        let query =
            self.layout.query.as_ref().map(|parts| text(parts, scope, work, query_encoded)).transpose();
        // All three are looked at before one stops the others, so that everything missing is named.
        let missing = [head.as_ref().err(), path.as_ref().err(), query.as_ref().err()];
        RenderError::gather(missing.into_iter().flatten().map(|error| Err::<(), _>(error.clone())))?;
        assemble(head?, &path?, query?, base)
    }

    /// True when it needs a connection's base URL.
    pub fn is_relative(&self) -> bool {
        matches!(self.layout.head, Head::Relative)
    }

    /// Scheme, host and port, when they are written out.
    pub fn literal_origin(&self) -> Option<&Url> {
        match &self.layout.head {
            Head::Fixed(url) => Some(url),
            Head::Relative | Head::Params(_) => None,
        }
    }

    /// The dotted paths it reads, as far as they are static.
    pub fn references(&self) -> &BTreeSet<String> {
        &self.references
    }

    /// Names of the secrets it reads.
    pub fn secrets(&self) -> BTreeSet<String> {
        secrets_in(&self.references)
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn render_head(&self, scope: &Scope, work: &Work) -> Result<Start, RenderError> {
        match &self.layout.head {
            Head::Relative => Ok(Start::Path(String::new())),
            Head::Fixed(url) => Ok(Start::Url(url.clone())),
            Head::Params(parts) => start(&text(parts, scope, work, plain)?),
        }
    }

    /// The path below the start, with its leading slash; empty when there is none.
    fn render_path(&self, scope: &Scope, work: &Work) -> Result<String, RenderError> {
        let segments = self.layout.path.iter().map(|parts| segment(parts, scope, work));
        let mut path = String::new();
        for segment in RenderError::gather(segments)? {
            push(&mut path, "/")?;
            push(&mut path, &segment)?;
        }
        Ok(path)
    }
}

/// Where the path is appended.
enum Start {
    Url(Url),
    /// To the base URL, below this path (with its leading slash, or empty).
    Path(String),
}

/// What params made of the head: a URL, or a path below the base.
fn start(head: &str) -> Result<Start, RenderError> {
    let strange = |c: char| c == '\\' || c == '?' || c == '#' || c.is_control() || c.is_whitespace();
    if head.contains(strange) {
        return Err(failed("the start of the url, from params, has a character that cannot stand there"));
    }
    if head.contains("://") {
        if head.matches("://").count() > 1 {
            return Err(failed("the start of the url, from params, has two schemes"));
        }
        let url = Url::parse(head).map_err(|_| failed("the start of the url, from params, is no url"))?;
        check_origin(&url).map_err(failed)?;
        return Ok(Start::Url(url));
    }
    let path = head.strip_prefix('/').unwrap_or(head);
    if path.contains(':') || path.starts_with('/') || path.split('/').any(is_dots) {
        return Err(failed("the start of the url, from params, is neither a url nor a path"));
    }
    Ok(Start::Path(if path.is_empty() { String::new() } else { format!("/{}", path.trim_end_matches('/')) }))
}

fn segment(parts: &[Part], scope: &Scope, work: &Work) -> Result<String, RenderError> {
    let segment = text(parts, scope, work, path_encoded)?;
    let filled: Vec<&str> = parts.iter().filter_map(Part::expression).map(Expression::source).collect();
    if !filled.is_empty() && (segment.is_empty() || is_dots(&segment)) {
        let paths: BTreeSet<&String> =
            parts.iter().filter_map(Part::expression).flat_map(Expression::references).collect();
        let named: Vec<&str> = paths.into_iter().map(String::as_str).collect();
        let why = format!("the path segment that {} fills in would be empty, `.` or `..`", named.join(", "));
        return Err(RenderError::Failed(why));
    }
    Ok(segment)
}

fn assemble(start: Start, path: &str, query: Option<String>, base: Option<&Url>) -> Result<Url, RenderError> {
    let (mut url, below) = match (start, base) {
        (Start::Url(url), _) => (url, String::new()),
        (Start::Path(below), Some(base)) => {
            check_origin(base).map_err(failed)?;
            (base.clone(), below)
        }
        (Start::Path(_), None) => {
            return Err(failed(
                "the url is only a path, and there is no connection whose base url it could follow",
            ));
        }
    };
    let whole = match format!("{below}{path}") {
        nothing if nothing.is_empty() => url.path().to_owned(),
        more => format!("{}{more}", url.path().strip_suffix('/').unwrap_or(url.path())),
    };
    url.set_path(&whole);
    // Belt and braces: the URL library must have read the segments as they were meant.
    if url.path().split('/').count() != whole.split('/').count() {
        return Err(failed("the path of the url would not keep its segments"));
    }
    let query = match (url.query(), query) {
        (Some(held), Some(own)) => Some(format!("{held}&{own}")),
        (held, own) => own.or(held.map(str::to_owned)),
    };
    url.set_query(query.as_deref());
    url.set_fragment(None);
    Ok(url)
}

fn path_encoded(value: &Value) -> String {
    utf8_percent_encode(&plain(value), SEGMENT).to_string()
}

fn query_encoded(value: &Value) -> String {
    form_urlencoded::byte_serialize(plain(value).as_bytes()).collect()
}

fn failed(why: &str) -> RenderError {
    RenderError::Failed(why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn scope(data: Value) -> Scope {
        let params = json!({
            "base": "https://api.example/v1", "slash": "https://api.example/v1/", "host": "api.example", "port": 8443,
            "bad": "ftp://x", "user": "https://a:b@x", "query": "https://x?a=1", "prefix": "/v2", "up": "/../x",
            "spaced": "https://x y", "scheme": "http",
        });
        Scope::new()
            .with("data", Arc::new(data))
            .with("params", Arc::new(params))
            .with("secret", Arc::new(json!({"key": "a/b c"})))
    }

    fn compile(source: &str) -> Result<UrlTemplate, TemplateError> {
        UrlTemplate::compile(source, &Roots::request(&[]))
    }

    #[test]
    fn values_are_encoded_where_they_stand() {
        let data = json!({"a": "x/y?#%&= ü\\", "n": 7.0, "dot": ".", "e": "é"});
        let base = Url::parse("https://base.example/api/?k=1").unwrap();
        let cases = [
            ("https://h.example/a", "https://h.example/a"),
            ("https://h.example", "https://h.example/"),
            ("https://h.example:8443/c/{data.n}/", "https://h.example:8443/c/7/"),
            ("https://h.example/{data.a}/z", "https://h.example/x%2Fy%3F%23%25%26%3D%20%C3%BC%5C/z"),
            ("https://h.example/v{data.n}.json", "https://h.example/v7.json"),
            ("https://h.example/a?q={data.a}", "https://h.example/a?q=x%2Fy%3F%23%25%26%3D+%C3%BC%5C"),
            ("https://h.example?q={data.n}", "https://h.example/?q=7"),
            ("https://h.example/a?a=1&b={secret.key}#top", "https://h.example/a?a=1&b=a%2Fb+c"),
            ("https://h.example/{secret.key}", "https://h.example/a%2Fb%20c"),
            ("https://h.example//a//", "https://h.example//a//"),
            ("https://h.example/a b/é", "https://h.example/a%20b/%C3%A9"),
            ("https://h.example/a%2Fb", "https://h.example/a%2Fb"),
            ("https://h.example/{data.dot}a", "https://h.example/.a"),
            ("{params.base}/c/{data.n}", "https://api.example/v1/c/7"),
            ("{params.slash}/c", "https://api.example/v1/c"),
            ("{params.base}", "https://api.example/v1"),
            ("{params.base}?q=1", "https://api.example/v1?q=1"),
            ("https://{params.host}:{params.port}/x", "https://api.example:8443/x"),
            ("{params.scheme}://{params.host}/x", "http://api.example/x"),
            ("https://eu.{params.host}", "https://eu.api.example/"),
            ("{{ params.none | default('https://d.example') }}/x", "https://d.example/x"),
            ("{params.prefix}/c/{data.n}", "https://base.example/api/v2/c/7?k=1"),
            ("/c/{data.n}", "https://base.example/api/c/7?k=1"),
            ("c/{data.n}?x=1", "https://base.example/api/c/7?k=1&x=1"),
            ("/", "https://base.example/api/?k=1"),
            ("?x={data.n}", "https://base.example/api/?k=1&x=7"),
            (" https://h.example/a ", "https://h.example/a"),
        ];
        for (source, expected) in cases {
            let template = compile(source).unwrap_or_else(|e| panic!("{source}: {e}"));
            let url = template.render(&scope(data.clone()), Some(&base));
            assert_eq!(url.as_ref().map(Url::as_str), Ok(expected), "{source}");
        }
    }

    #[test]
    fn a_segment_that_is_nothing_or_moves_is_refused() {
        for value in ["", ".", ".."] {
            for source in
                ["https://h.example/a/{data.v}/b", "https://h.example/{data.v}", "https://h/{data.v}{data.v}"]
            {
                let rendered = compile(source).unwrap().render(&scope(json!({"v": value})), None);
                match (value, source.contains("}{")) {
                    // `....` is an ordinary name.
                    ("..", true) => assert!(rendered.is_ok()),
                    _ => assert!(matches!(rendered, Err(RenderError::Failed(_))), "{source} {value}"),
                }
            }
        }
        let scope = scope(json!({"v": ".", "e": "E"}));
        for source in
            ["https://h.example/%2e{data.v}", "https://h.example/.{data.v}", "https://h.example/%2{data.e}"]
        {
            let rendered = compile(source).unwrap().render(&scope, None);
            assert!(matches!(rendered, Err(RenderError::Failed(_))), "{source}: {rendered:?}");
        }
    }

    #[test]
    fn heads_from_params_are_checked_and_missing_is_named() {
        let scope = scope(json!({"a": 1}));
        let base = Url::parse("https://base.example/root").unwrap();
        for source in [
            "{params.bad}/x",
            "{params.user}/x",
            "{params.query}/x",
            "{params.up}/x",
            "{params.spaced}/x",
            "https://{params.base}/x",
            "https://{params.host}:x{params.port}/",
            "{params.host}:1/x",
        ] {
            let rendered = compile(source).unwrap().render(&scope, Some(&base));
            assert!(matches!(rendered, Err(RenderError::Failed(_))), "{source}: {rendered:?}");
        }
        let rendered = compile("/a").unwrap().render(&scope, None);
        assert!(matches!(rendered, Err(RenderError::Failed(_))));
        let rendered = compile("{params.x}/{data.b}/{data.a}?q={data.c}").unwrap().render(&scope, None);
        let missing = ["params.x", "data.b", "data.c"].map(str::to_owned).to_vec();
        assert_eq!(rendered, Err(RenderError::Missing(missing)));
    }

    #[test]
    fn what_is_no_url_is_refused_when_compiling() {
        let cases = [
            ("", "empty"),
            ("ftp://x/y", "https://"),
            ("javascript:alert(1)", "no absolute url"),
            ("//h.example/x", "one `/`"),
            ("localhost:8080/x", "no absolute url"),
            ("https:///x", "cannot be read"),
            ("https://", "cannot be read"),
            ("https://a:b@h.example/x", "no user"),
            ("https://u@{params.host}/x", "no user"),
            ("file://{params.host}/x", "https://"),
            ("https://{data.host}/x", "`data.host` cannot stand"),
            ("https://h.example:{input.port}/x", "`input.port` cannot stand"),
            ("https://{secret.key}.example/x", "`secret.key` cannot stand"),
            ("https://{{ params.a ~ data.b }}/x", "`data.b` cannot stand"),
            ("{data.url}", "`data.url` cannot stand"),
            ("{data.url}/x", "`data.url` cannot stand"),
            ("h{data.x}://y/", "`data.x` cannot stand"),
            ("https://h.example/a/../b", "`..`"),
            ("https://h.example/%2e%2E/b", "`..`"),
            ("https://h.example\\@evil/", "backslash"),
            ("https://h.example/a\nb", "line break"),
            ("https://h.example/#{data.a}", "never sent"),
            ("https://h.example/{dta.a}", "`data`"),
        ];
        for (source, hint) in cases {
            let error = compile(source).map(|template| template.source().to_owned()).expect_err(source);
            assert!(error.message.contains(hint), "{source}: {error}");
        }
        assert_eq!(
            compile("https://h.example/{data.a}").unwrap().literal_origin().unwrap().as_str(),
            "https://h.example/"
        );
        assert!(compile("/x").unwrap().is_relative() && compile("x").unwrap().is_relative());
        assert!(!compile("{params.base}/x").unwrap().is_relative());
    }

    fn nasty() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "/",
            "\\",
            "..",
            ".",
            "%2e",
            "%2F",
            "?",
            "#",
            "@",
            ":",
            "//",
            "\t",
            "\n",
            "\r",
            "\0",
            " ",
            "ü",
            "&",
            "=",
            "+",
            "a",
            "http://evil.example",
            "{{ data.b }}",
            "{data.b}",
            ";",
            "%",
            "%00",
            "\u{3002}",
            "\u{ff0f}",
        ]);
        prop_oneof![any::<String>(), prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())]
    }

    proptest! {
        #[test]
        fn no_value_moves_the_url(a in nasty(), b in nasty()) {
            let base = Url::parse("https://base.example:444/root").unwrap();
            for (source, host, segments) in [
                ("https://h.example:8443/x/{data.a}/{data.b}-y?q={data.b}&r={data.a}", "h.example", 3),
                ("/x/{data.a}/{data.b}-y?q={data.b}&r={data.a}", "base.example", 4),
                ("{params.base}/x/{data.a}/{data.b}-y?q={data.b}&r={data.a}", "api.example", 4),
            ] {
                let scope = scope(json!({"a": a, "b": b}));
                match compile(source).unwrap().render(&scope, Some(&base)) {
                    Ok(url) => {
                        prop_assert_eq!(url.scheme(), "https");
                        prop_assert_eq!(url.host_str(), Some(host));
                        prop_assert!(url.username().is_empty() && url.password().is_none());
                        prop_assert_eq!(url.fragment(), None);
                        let found: Vec<&str> = url.path_segments().unwrap().collect();
                        prop_assert_eq!(found.len(), segments);
                        let last = percent_encoding::percent_decode_str(found[segments - 2]).decode_utf8_lossy();
                        prop_assert_eq!(last, a.as_str());
                        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
                        prop_assert_eq!(query, vec![("q".to_owned(), b.clone()), ("r".to_owned(), a.clone())]);
                        // What another reader makes of it is the same.
                        prop_assert_eq!(Url::parse(url.as_str()).unwrap(), url);
                    }
                    Err(RenderError::Failed(_)) => prop_assert!(["", ".", ".."].contains(&a.as_str())),
                    Err(other) => prop_assert!(false, "{}", other),
                }
            }
        }
    }
}
