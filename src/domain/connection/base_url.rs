//! The address that the paths of fields follow.
//!
//! It is written out, so that everybody who reads the connection sees where its credentials go.
//! Messages never quote it: it may hold a password that somebody put there by mistake.

use url::Url;

use crate::domain::case_type::findings::unknown_word;

/// Characters of a base URL.
pub(super) const LONGEST: usize = 2048;

/// Reads a base URL: absolute, http or https, without credentials, query and fragment. The error
/// completes "`base_url` …".
pub(super) fn read(text: &str) -> Result<Url, String> {
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err("holds a space, a backslash or a control character: take it out".to_owned());
    }
    if text.contains(['{', '}']) {
        let remedy = "is no template: write it out, and put what varies into the `url` of the fields";
        return Err(remedy.to_owned());
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("is not a whole address: begin it with `https://` or `http://`".to_owned());
    };
    if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(unknown_word(&scheme.to_lowercase(), "a scheme that is called", &["https", "http"]));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if rest.split(['?', '#']).next().unwrap_or_default().split('/').skip(1).any(is_dots) {
        return Err("has a part `.` or `..` in its path: write out where it leads".to_owned());
    }
    if authority.contains('@') {
        return Err("holds credentials: take them out and put them into `auth`".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("cannot be read: {error}"))?;
    if authority.is_empty() {
        return Err("names no host: give one behind `://`".to_owned());
    }
    if url.port() == Some(0) {
        return Err("has the port 0, where nobody answers: give one from 1 to 65535".to_owned());
    }
    if url.query().is_some() {
        return Err("has a query: take it out and put it into the `params` of the fields".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a part behind `#`, which is never sent: leave it out".to_owned());
    }
    Ok(url)
}

/// A segment that a URL reader drops, or takes back the one before for, percent-encoded or not
/// (<https://url.spec.whatwg.org/#double-dot-path-segment>).
fn is_dots(segment: &str) -> bool {
    [".", ".."].contains(&segment.to_ascii_lowercase().replace("%2e", ".").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_a_whole_plain_address() {
        for good in [
            "https://api.example",
            "http://api.example:8080/v1/",
            "HTTPS://API.example/v1",
            "http://127.0.0.1:1",
            "http://[::1]:8080/x",
            "https://api.example/v1.2/...",
            "https://api.example/.well-known/x..y/%2e%2e%2e",
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("api.example", "begin it with"),
            ("/v1", "begin it with"),
            ("https:/api.example", "begin it with"),
            ("htps://api.example", "did you mean `https`"),
            ("file:///etc/passwd", "is not a scheme"),
            ("https://", "cannot be read"),
            ("https://:80/", "cannot be read"),
            ("https://api.example:99999", "cannot be read"),
            ("https://ann:secret@api.example", "`auth`"),
            ("https://@api.example", "`auth`"),
            ("https://api.example/?a=1", "query"),
            ("https://api.example/?", "query"),
            ("https://api.example/#x", "behind `#`"),
            ("https://{params.host}/v1", "no template"),
            ("https://api.example/a b", "space"),
            ("https://api.example\\x", "backslash"),
            ("https://api.example/..", "write out"),
            ("https://api.example/v1/../admin", "write out"),
            ("https://api.example/./v1", "write out"),
            ("https://api.example/v1/.", "write out"),
            ("https://api.example/v1/%2e%2E/admin", "write out"),
            ("https://api.example/v1/.%2e", "write out"),
            ("https://api.example/%2E/v1", "write out"),
        ] {
            let found = read(bad).unwrap_err();
            assert!(found.contains(why), "{bad}: {found}");
            assert!(!found.contains("secret"), "{found}");
        }
    }
}
