//! What series are told apart by: closed sets of words.

use std::borrow::Cow;

use prometheus_client::encoding::EncodeLabelSet;

/// What stands where there is no connection, no error or no route.
pub(super) const NONE: &str = "none";

/// In the place of a code: a call that brought a token.
pub(super) const TOKEN: &str = "token";

/// Over which connection; [`NONE`] for fields that name none.
pub(super) type Connection = Cow<'static, str>;

/// The label of a connection's key.
pub(super) fn connection(key: Option<&str>) -> Connection {
    key.map_or(Cow::Borrowed(NONE), |key| Cow::Owned(key.to_owned()))
}

/// What came of a question to the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheOutcome {
    /// The answer was there.
    Hit,
    /// It was not, so the provider was asked.
    Miss,
    /// Somebody else was just asking the same; both got one answer.
    Shared,
    /// The look-up was skipped on purpose.
    Forced,
}

impl CacheOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hit, Self::Miss, Self::Shared, Self::Forced];

    /// The spelling in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Shared => "shared",
            Self::Forced => "forced",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Call {
    pub(super) connection: Connection,
    pub(super) outcome: &'static str,
    pub(super) code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CallDuration {
    pub(super) connection: Connection,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Retry {
    pub(super) connection: Connection,
    pub(super) code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Queue {
    pub(super) priority: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Circuit {
    pub(super) connection: Connection,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Cache {
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) route: Cow<'static, str>,
    pub(super) status: &'static str,
}

/// The method, unless it is one that somebody made up.
pub(super) fn method(name: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == name).unwrap_or("other")
}

/// `2xx` for 204.
pub(super) const fn status_class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
