//! The way back after a form, as the form says it (`back=`) or the address of the sign-in
//! (`next=`): a page of ours and nothing else.
//!
//! A browser reads `//host` and `/\host` as another site, and drops tabs and line breaks from an
//! address before it reads it. So one slash must come first, and neither a second one nor a
//! backslash nor a control character may stand anywhere that it matters.

/// Longer than any address of ours.
const LONGEST: usize = 2_000;

/// The path, when it leads to a page of ours.
pub fn safe(path: &str) -> Option<&str> {
    let ours = path.starts_with('/') && !path.starts_with("//") && path.len() <= LONGEST;
    (ours && !path.contains('\\') && !path.chars().any(char::is_control)).then_some(path)
}

/// The path that was asked for, or this one.
pub fn safe_or(asked: Option<&str>, otherwise: &str) -> String {
    asked.and_then(safe).unwrap_or(otherwise).to_owned()
}

/// A path of ours that says what was done: `/runs?status=failed&done=retried`.
pub fn saying(path: &str, done: &str) -> String {
    let (path, place) = path.split_once('#').map_or((path, String::new()), |(path, id)| (path, format!("#{id}")));
    let (page, query) = path.split_once('?').unwrap_or((path, ""));
    let kept = query.split('&').filter(|part| !part.is_empty() && !part.starts_with("done="));
    let query: Vec<&str> = kept.collect();
    let and = if query.is_empty() { "" } else { "&" };
    format!("{page}?{}{and}done={done}{place}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_ours_are_gone_back_to() {
        for (path, good) in [
            ("/", true),
            ("/runs", true),
            ("/runs?status=failed&cursor=a%2Fb#row", true),
            ("/cases/0193?next=//evil.test", true),
            ("", false),
            ("runs", false),
            ("//evil.test", false),
            ("///evil.test", false),
            ("/\\evil.test", false),
            ("\\/evil.test", false),
            ("/runs\\..", false),
            ("/\t/evil.test", false),
            ("/\n/evil.test", false),
            ("\t//evil.test", false),
            (" /runs", false),
            ("/runs\r\nSet-Cookie: a=b", false),
            ("/\u{0}", false),
            ("/\u{85}", false),
            ("https://evil.test", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("http:runs", false),
        ] {
            assert_eq!(safe(path).is_some(), good, "{path:?}");
        }
        assert_eq!(safe(&format!("/{}", "a".repeat(LONGEST))), None);
        assert_eq!(safe_or(Some("//evil.test"), "/runs"), "/runs");
        assert_eq!(safe_or(Some("/cases"), "/runs"), "/cases");
    }

    #[test]
    fn what_was_done_is_said_once_and_the_rest_stays() {
        for (path, expected) in [
            ("/runs", "/runs?done=retried"),
            ("/runs?", "/runs?done=retried"),
            ("/runs?status=failed", "/runs?status=failed&done=retried"),
            ("/runs?done=cancelled&a=b#x", "/runs?a=b&done=retried#x"),
        ] {
            assert_eq!(saying(path, "retried"), expected);
        }
    }
}
