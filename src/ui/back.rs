//! The way back after a form, as the form says it (`back=`): a page of ours by the rule of
//! `next.rs`, which then says what was done.

use super::next::ours;

/// The path that was asked for, or this one.
pub fn safe_or(asked: Option<&str>, otherwise: &str) -> String {
    ours(asked).unwrap_or(otherwise).to_owned()
}

/// A path of ours that says what was done: `/runs?status=failed&done=retried`.
pub fn saying(path: &str, done: &str) -> String {
    let (path, place) =
        path.split_once('#').map_or((path, String::new()), |(path, id)| (path, format!("#{id}")));
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
        assert_eq!(safe_or(Some("/runs?status=failed#x"), "/"), "/runs?status=failed#x");
        for bad in
            ["//evil.test", "/\\evil.test", "/\t/evil.test", "https://evil.test", "javascript:x", "runs", ""]
        {
            assert_eq!(safe_or(Some(bad), "/runs"), "/runs", "{bad:?}");
        }
        assert_eq!(safe_or(None, "/runs"), "/runs");
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
