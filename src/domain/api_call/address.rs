//! Where a url goes, as far as it can be told before a case is there.
//!
//! Scheme, host and port never come from a case, so they are mostly known when the field is
//! saved: literally, or by the params as they are now.

use std::sync::Arc;

use serde_json::{Map, Value};
use url::Url;

use crate::domain::template::{Roots, Scope, Template, UrlTemplate};

/// Scheme, host and port, when literals and these params say them.
pub fn origin(url: &UrlTemplate, params: &Map<String, Value>) -> Option<Url> {
    if let Some(origin) = url.literal_origin() {
        return Some(origin.clone());
    }
    let scope = Scope::new().with("params", Arc::new(Value::Object(params.clone())));
    let text = Template::compile(head(url.source()), &Roots::request(&[])).ok()?.render_text(&scope).ok()?;
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
            b'/' | b'?' | b'#' if depth == 0 => return &source[..at],
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
            ("https://{params.host}/x/{data.y}", "https://{params.host}"),
            ("https://{params.host}?x=1", "https://{params.host}"),
            ("{params.base}/x", "{params.base}"),
            ("{{ params.base | replace('/', '') }}/x", "{{ params.base | replace('/', '') }}"),
            ("https://a.example", "https://a.example"),
        ] {
            assert_eq!(head(source), expected);
        }
    }

    #[test]
    fn the_origin_is_read_from_literals_and_params() {
        let params = json!({"base": "https://b.example:8443/api", "host": "c.example"});
        let host = |source: &str| {
            let url = UrlTemplate::compile(source, &Roots::request(&[])).unwrap();
            origin(&url, params.as_object().unwrap()).and_then(|url| url.host_str().map(str::to_owned))
        };
        assert_eq!(host("https://a.example/{data.x}").as_deref(), Some("a.example"));
        assert_eq!(host("{params.base}/x").as_deref(), Some("b.example"));
        assert_eq!(host("https://{params.host}:8443/x").as_deref(), Some("c.example"));
        assert_eq!(host("{params.nope}/x"), None);
    }
}
