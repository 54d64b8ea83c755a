//! Where somebody goes after signing in: a path of ours, whatever the address says.

use url::Url;

/// Where nothing else is asked for.
pub const HOME: &str = "/";

/// A path with a query, or home when it could lead elsewhere. Browsers read a backslash as a slash
/// and drop line breaks and tabs (WHATWG URL), so none of these may stand in it.
pub fn next(asked: Option<&str>) -> &str {
    ours(asked).unwrap_or(HOME)
}

/// The path, when it leads to a page of ours.
pub fn ours(asked: Option<&str>) -> Option<&str> {
    asked.filter(|asked| is_ours(asked))
}

fn is_ours(asked: &str) -> bool {
    let path = asked.starts_with('/') && !asked.starts_with("//");
    let clean = asked.is_ascii() && !asked.contains('\\') && !asked.contains(char::is_control);
    path && clean && asked.len() <= 2_000 && stays(asked)
}

/// The same question to a parser.
fn stays(asked: &str) -> bool {
    let here = Url::parse("http://here.invalid/");
    here.is_ok_and(|here| here.join(asked).is_ok_and(|there| there.origin() == here.origin()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_ours_is_gone_to() {
        for good in ["/", "/cases", "/cases?q=a%20b&sort=-title", "/cases/0193#x"] {
            assert_eq!(next(Some(good)), good);
        }
        let long = format!("/{}", "x".repeat(2_000));
        for bad in [
            "",
            "cases",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " /cases",
            "https://evil.example",
            "javascript:alert(1)",
            "/\0",
            "/cases\r\nSet-Cookie: a=b",
            "http:/cases",
            "@evil.example",
            ".evil.example",
            "/é",
            &long,
        ] {
            assert_eq!(next(Some(bad)), HOME, "{bad:?}");
        }
        assert_eq!(next(None), HOME);
    }
}
