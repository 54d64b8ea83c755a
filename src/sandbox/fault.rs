//! Trouble on demand: how it is asked for and what it does to a call.
//!
//! A fault is written `KIND` or `KIND=N`: `503` always, `503=2` twice and then the true answer,
//! `slow=1500` milliseconds late. Four places can ask for one; the first that does wins: the
//! header `X-Sandbox-Fault`, the query parameter `sandbox_fault`, the settings, the company that
//! the call is about.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An HTTP error, always or for the first `times` calls about the same thing.
    Status { status: u16, times: Option<u32> },
    /// The true answer, late.
    Slow(Duration),
    /// No answer while anybody would wait for one.
    Timeout,
    /// 200 and JSON that does not parse.
    Garbage,
    /// 200 and a page for people where JSON was promised.
    Html,
    /// 200 and a connection that ends in the middle of the body.
    Cut,
}

/// Every spelling and what it does, for people.
pub const SPELLINGS: [(&str, &str); 7] = [
    ("503", "answers that status on every call; any status from 400 to 599"),
    ("503=2", "answers that status twice, then the true answer, then from the start again"),
    ("429=1", "a 429 or 503 comes with `Retry-After: 2`"),
    ("slow=1500", "the true answer, 1500 ms late; at most 60000"),
    ("timeout", "no answer for ten minutes"),
    ("garbage", "200 with a JSON content type and a body that does not parse"),
    ("html", "200 with a maintenance page; `cut`: the connection ends in the middle of the body"),
];

/// The longest wait that can be asked for.
pub const MAX_WAIT: Duration = Duration::from_mins(1);

/// A text that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no fault; GET /sandbox lists them")]
pub struct UnknownFault(pub String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let (kind, number) = text.split_once('=').map_or((text, None), |(kind, n)| (kind, Some(n)));
        let fault = match (kind, number) {
            ("timeout", None) => Some(Self::Timeout),
            ("garbage", None) => Some(Self::Garbage),
            ("html", None) => Some(Self::Html),
            ("cut", None) => Some(Self::Cut),
            ("slow", Some(number)) => slow(number),
            (status, times) => failing(status, times),
        };
        fault.ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

fn slow(number: &str) -> Option<Fault> {
    let wait = Duration::from_millis(number.parse().ok()?);
    (wait <= MAX_WAIT).then_some(Fault::Slow(wait))
}

fn failing(status: &str, times: Option<&str>) -> Option<Fault> {
    let status = status.parse().ok().filter(|status| (400..600).contains(status))?;
    let times = match times {
        Some(number) => Some(number.parse().ok().filter(|times| *times > 0)?),
        None => None,
    };
    Some(Fault::Status { status, times })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status, times: None } => write!(f, "{status}"),
            Self::Status { status, times: Some(times) } => write!(f, "{status}={times}"),
            Self::Slow(wait) => write!(f, "slow={}", wait.as_millis()),
            Self::Timeout => f.write_str("timeout"),
            Self::Garbage => f.write_str("garbage"),
            Self::Html => f.write_str("html"),
            Self::Cut => f.write_str("cut"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_back_as_it_was_written() {
        for text in ["503", "429=1", "404", "slow=1500", "slow=60000", "timeout", "garbage", "html", "cut"] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_by_name() {
        for text in
            ["", "399", "600", "503=", "503=0", "503=-1", "slow", "slow=60001", "slow=x", "timeout=1", "on"]
        {
            assert_eq!(text.parse::<Fault>(), Err(UnknownFault(text.to_owned())), "{text}");
        }
    }
}
