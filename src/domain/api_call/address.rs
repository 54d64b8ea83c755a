//! Where a url goes, as far as it can be told before a case is there.
//!
//! Scheme, host and port never come from a case, so they are mostly known when the field is
//! saved: literally, or by the params as they are now.

use std::sync::Arc;

use serde_json::{Map, Value};
use url::Url;

use crate::domain::template::{Roots, Scope, Template};

/// Why a url cannot stand without a connection that completes it. Only literal parts are judged:
/// params may change.
pub fn problem(source: &str) -> Option<&'static str> {
    if source.starts_with('{') {
        return None;
    }
    let Some((scheme, _)) = source.split_once("://") else {
        return Some("is not a whole address: begin it with `https://` or `http://`");
    };
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Some("is not possible: an address begins with `https://` or `http://`");
    }
    let head = head(source);
    if head.contains('@') {
        return Some("holds a user name or password: put them into `auth`");
    }
    let whole = head.contains('{') || Url::parse(head).is_ok_and(|url| url.has_host());
    (!whole).then_some("names no host that could be reached: write it as `https://host/path`")
}

/// Scheme, host and port, when literals and these params say them.
pub fn origin(source: &str, params: &Map<String, Value>) -> Option<Url> {
    let scope = Scope::new().with("params", Arc::new(Value::Object(params.clone())));
    let text = Template::compile(head(source), &Roots::request(&[])).ok()?.render_text(&scope).ok()?;
    Url::parse(&text).ok().filter(Url::has_host)
}

/// The part of a url template before its path.
fn head(source: &str) -> &str {
    let after_scheme = source.find("://").map_or(0, |at| at + 3);
    let mut depth = 0_usize;
    for (at, byte) in source.bytes().enumerate().skip(after_scheme) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'/' | b'?' | b'#' | b'\\' if depth == 0 => return &source[..at],
            _ => {}
        }
    }
    source
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_head_of_a_url_ends_where_its_path_begins() {
        for (source, expected) in [
            ("https://a.example/x/{data.y}", "https://a.example"),
            ("https://a.example?x=1", "https://a.example"),
            ("https://{params.host}/x", "https://{params.host}"),
            ("{params.base}/x", "{params.base}"),
            ("{{ params.base | replace('/', '') }}/x", "{{ params.base | replace('/', '') }}"),
            ("https://a.example", "https://a.example"),
        ] {
            assert_eq!(head(source), expected);
        }
    }

    #[test]
    fn an_address_that_cannot_be_one_is_refused() {
        for good in [
            "https://a.example",
            "HTTP://a.example:80/{data.x}",
            "https://{params.host}/x",
            "{params.base}/x",
        ] {
            assert_eq!(problem(good), None, "{good}");
        }
        for bad in [
            "/x",
            "a.example",
            "ftp://a.example",
            "https://",
            "https:///",
            "https://u:p@a.example",
            "https://a b/",
        ] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_origin_is_read_from_literals_and_params() {
        let params = json!({"base": "https://b.example:8443/api"});
        let params = params.as_object().unwrap();
        let host = |source: &str| origin(source, params).and_then(|url| url.host_str().map(str::to_owned));
        assert_eq!(host("https://a.example/{data.x}").as_deref(), Some("a.example"));
        assert_eq!(host("{params.base}/x").as_deref(), Some("b.example"));
        assert_eq!(host("{params.nope}/x"), None);
    }
}
