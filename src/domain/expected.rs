//! What a conditional request expects: `If-Match` (RFC 9110, 13.1.1), read as versions, or with
//! `If-None-Match: *` that nothing is there.
//!
//! An `ETag` of ours is `"<version>.<revision>"`, or `"<version>"` where there is no revision. Only
//! the version counts here: the engine raises the revision, and what it fetched is no reason to
//! refuse a person's change. Weak tags and tags that are none of ours never match.

/// Which versions of a thing a change is meant for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Expected {
    /// Nothing was said.
    #[default]
    Anything,
    /// `*`: any version, as long as the thing is there.
    Present,
    /// Nothing is there yet (`If-None-Match: *`).
    Absent,
    /// One of these; empty: none of the tags can match.
    OneOf(Vec<i64>),
}

impl Expected {
    /// Reads all `If-Match` headers of a request; none is [`Expected::Anything`].
    pub fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Self {
        let mut headers = headers.into_iter().peekable();
        if headers.peek().is_none() {
            return Self::Anything;
        }
        let tags: Vec<&str> = headers.flat_map(|header| header.split(',')).map(str::trim).collect();
        if tags.contains(&"*") {
            return Self::Present;
        }
        Self::OneOf(tags.into_iter().filter_map(version).collect())
    }

    /// Whether a thing at this version is as expected.
    pub fn allows(&self, version: i64) -> bool {
        match self {
            Self::Anything | Self::Present => true,
            Self::Absent => false,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }

    /// The newest expected version before this one: changes since then are news.
    pub fn newest_before(&self, version: i64) -> Option<i64> {
        match self {
            Self::Anything | Self::Present | Self::Absent => None,
            Self::OneOf(versions) => versions.iter().copied().filter(|known| *known < version).max(),
        }
    }
}

/// The version in a strong tag of ours.
fn version(tag: &str) -> Option<i64> {
    let inner = tag.strip_prefix('"')?.strip_suffix('"')?;
    let (version, revision) = inner.split_once('.').unwrap_or((inner, "1"));
    number(revision)?;
    number(version)
}

/// A number as we write it: digits, without a leading zero.
fn number(text: &str) -> Option<i64> {
    let ours = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    ours.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_versions() {
        let one_of = |versions: &[i64]| Expected::OneOf(versions.to_vec());
        let cases: &[(&[&str], Expected)] = &[
            (&[], Expected::Anything),
            (&["*"], Expected::Present),
            (&["\"3.17\""], one_of(&[3])),
            (&["\"3\""], one_of(&[3])),
            (&["\"3.1\", \"5.9\""], one_of(&[3, 5])),
            (&["\"3.1\"", "\"5.9\""], one_of(&[3, 5])),
            (&["W/\"3.17\""], one_of(&[])),
            (&["3.17"], one_of(&[])),
            (&["\"abc\""], one_of(&[])),
            (&["\"03.1\""], one_of(&[])),
            (&["\"3.x\""], one_of(&[])),
            (&["\"3.\""], one_of(&[])),
            (&["\"-3.1\""], one_of(&[])),
            (&["\"99999999999999999999.1\""], one_of(&[])),
            (&[""], one_of(&[])),
        ];
        for (headers, expected) in cases {
            assert_eq!(Expected::parse(headers.iter().copied()), *expected, "{headers:?}");
        }
    }

    #[test]
    fn only_the_version_counts() {
        let expected = Expected::parse(["\"3.17\", \"5.1\", \"9.1\""]);
        assert!(expected.allows(3) && expected.allows(9) && !expected.allows(4));
        assert_eq!((expected.newest_before(7), expected.newest_before(3)), (Some(5), None));
        assert!(Expected::Present.allows(1) && Expected::Anything.allows(1));
        assert!(!Expected::parse([""]).allows(1));
    }
}
