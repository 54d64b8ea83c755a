//! Whether a caller has already what it asks for: `If-None-Match`, compared as a whole.
//!
//! What a change is meant for (`If-Match`) is another question; `extract.rs` reads it.

use actix_web::http::header::{self, HeaderMap};

/// Whether this tag is among those that the caller has. Compares weakly (RFC 9110, 13.1.2).
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn what_the_caller_has_is_recognised() {
        let cases = [
            ("\"1.2\"", true),
            ("W/\"1.2\"", true),
            ("*", true),
            ("\"1.1\", \"1.2\"", true),
            ("\"1.1\"", false),
            ("1.2", false),
            ("", false),
        ];
        for (value, expected) in cases {
            let request = TestRequest::get().insert_header((header::IF_NONE_MATCH, value)).to_http_request();
            assert_eq!(is_known(request.headers(), "\"1.2\""), expected, "{value}");
        }
    }
}
