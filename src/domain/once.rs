//! A request that may be sent twice and has its effect once: the key that its sender gave it, and
//! what is kept of what it did.
//!
//! Kept is enough to answer it again, never an answer's body: the status, and where the thing
//! is that it made or which runs it queued. This file knows neither headers nor rows.

use chrono::TimeDelta;
use ring::digest::{SHA256, digest};

use super::clock::Instant;
use super::ids::{RunId, TokenId, WorkspaceId};

/// How long a key is good for.
pub const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// Characters of a key.
const LONGEST_KEY: usize = 255;

/// SHA-256 of a request's body, byte by byte.
pub type BodyHash = [u8; 32];

/// The hash of a body.
pub fn body_hash(body: &[u8]) -> BodyHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, body).as_ref());
    hash
}

/// Whether a text can be a key: 1 to 255 visible ASCII characters.
pub fn is_key(text: &str) -> bool {
    (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A request with a key. Two that differ in workspace, token, path or key have nothing to do
/// with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The workspace that its token opens.
    pub workspace: WorkspaceId,
    /// The token that it came with.
    pub token: TokenId,
    /// Method and path: `POST /v1/cases`.
    pub path: String,
    /// The key, as it was sent.
    pub key: String,
    /// What its body was.
    pub body_hash: BodyHash,
    /// When it came.
    pub at: Instant,
}

/// What the first request with a key came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The status that it was answered with.
    pub status: u16,
    /// Why it was refused; none: it was not.
    pub code: Option<String>,
    /// Where the thing is that it made or changed: `/v1/cases/0193…`.
    pub location: Option<String>,
    /// The runs that it queued or joined.
    pub runs: Vec<RunId>,
}

impl Kept {
    /// Something was made, and stands at `location`: 201.
    pub fn created(location: String) -> Self {
        Self { status: 201, code: None, location: Some(location), runs: Vec::new() }
    }

    /// One run was queued or joined, which stands at `/v1/runs/{id}`: 202.
    pub fn accepted(run: RunId) -> Self {
        Self { status: 202, code: None, location: Some(format!("/v1/runs/{run}")), runs: vec![run] }
    }

    /// Several runs were queued or joined: 202.
    pub fn accepted_all(runs: Vec<RunId>) -> Self {
        Self { status: 202, code: None, location: None, runs }
    }

    /// Something was done to the thing at `location`: 200.
    pub fn done(location: String) -> Self {
        Self { status: 200, ..Self::created(location) }
    }

    /// Nothing was done.
    pub fn refused(status: u16, code: &str) -> Self {
        Self { status, code: Some(code.to_owned()), location: None, runs: Vec::new() }
    }

    /// The same with the runs that it queued on the way.
    #[must_use]
    pub fn with_runs(self, runs: Vec<RunId>) -> Self {
        Self { runs, ..self }
    }
}

/// A request whose key was used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// By the very same request.
    Same(Kept),
    /// By one with another body.
    OtherBody,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii() {
        let longest = "x".repeat(255);
        for good in ["k", "8e03978e-40d5-43e8-bc93-6894a57f9324", "\"quoted\"", "~!", &longest] {
            assert!(is_key(good), "{good}");
        }
        for bad in ["", "a b", "a\tb", "ключ", "\u{7f}", &(longest + "x")] {
            assert!(!is_key(bad), "{bad}");
        }
    }

    #[test]
    fn bodies_are_told_apart_byte_by_byte() {
        assert_ne!(body_hash(b"{}"), body_hash(b"{ }"));
        // FIPS 180-2: the hash of nothing.
        assert!(hex::encode(body_hash(b"")).starts_with("e3b0c44298fc1c14"));
    }
}
