//! What a provider says is left of its limit: the headers `RateLimit` (both drafts of the IETF)
//! and `X-RateLimit-*`. It is shown, not obeyed: `Retry-After` and our own limits are.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;

/// What the provider said last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Calls in its window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Calls that are left of it.
    pub remaining: u64,
    /// When it begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_at: Option<Instant>,
    /// When it said so.
    pub at: Instant,
}

/// A reset beyond this many seconds is an instant in Unix time.
const UNIX: u64 = 1_000_000_000;
/// The first second that RFC 3339 cannot write: no provider means it.
const YEAR_10000: u64 = 253_402_300_800;

impl Quota {
    /// Reads it from an answer's headers; none: the answer says nothing about it.
    pub fn read<'h>(
        headers: &(impl Iterator<Item = (&'h str, &'h str)> + Clone),
        now: Instant,
    ) -> Option<Self> {
        let find = |name: &str| {
            let mut found = headers.clone().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value)
        };
        let parts = find("ratelimit").map(parameters).unwrap_or_default();
        let part = |names: [&str; 2]| {
            let found = parts.iter().find(|(name, _)| names.contains(&name.as_str()));
            found.and_then(|(_, value)| value.parse().ok())
        };
        let header = |name: &str| {
            let value =
                find(&format!("ratelimit-{name}")).or_else(|| find(&format!("x-ratelimit-{name}")))?;
            // `100, 100;w=60`: what holds first.
            value.split([',', ';']).next()?.trim().parse().ok()
        };
        let remaining = part(["r", "remaining"]).or_else(|| header("remaining"))?;
        let reset: Option<u64> = part(["t", "reset"]).or_else(|| header("reset"));
        Some(Self {
            limit: part(["limit", "q"]).or_else(|| header("limit")),
            remaining,
            reset_at: reset.and_then(|reset| instant(reset, now)),
            at: now,
        })
    }
}

fn instant(reset: u64, now: Instant) -> Option<Instant> {
    if reset >= YEAR_10000 {
        return None;
    }
    let seconds = i64::try_from(reset).ok()?;
    if reset >= UNIX {
        return Instant::from_timestamp(seconds, 0);
    }
    now.checked_add_signed(TimeDelta::try_seconds(seconds)?)
}

/// `"default";r=50;t=30` and `limit=100, remaining=50, reset=5`.
fn parameters(value: &str) -> Vec<(String, String)> {
    let parts = value.split([';', ',']).filter_map(|part| part.split_once('='));
    parts.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)]) -> Option<(Option<u64>, u64, Option<i64>)> {
        let now = Instant::from_timestamp(1_700_000_000, 0).unwrap();
        let quota = Quota::read(&headers.iter().copied(), now)?;
        Some((quota.limit, quota.remaining, quota.reset_at.map(|at| at.timestamp() - now.timestamp())))
    }

    #[test]
    fn the_spellings_of_a_quota() {
        let table: [(&[(&str, &str)], _); 10] = [
            (&[("ratelimit", "\"default\";r=50;t=30")], Some((None, 50, Some(30)))),
            (&[("RateLimit", "limit=100, remaining=50, reset=5")], Some((Some(100), 50, Some(5)))),
            (
                &[
                    ("ratelimit-limit", "100, 100;w=60"),
                    ("ratelimit-remaining", "7"),
                    ("ratelimit-reset", "9"),
                ],
                Some((Some(100), 7, Some(9))),
            ),
            (
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000060")],
                Some((None, 0, Some(60))),
            ),
            (&[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "soon")], Some((None, 12, None))),
            (
                &[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "18446744073709551615")],
                Some((None, 12, None)),
            ),
            (
                &[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "253402300800")],
                Some((None, 12, None)),
            ),
            (&[("x-ratelimit-remaining", "-1")], None),
            (&[("x-ratelimit-limit", "100")], None),
            (&[], None),
        ];
        for (headers, expected) in table {
            assert_eq!(read(headers), expected, "{headers:?}");
        }
    }
}
