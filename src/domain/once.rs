//! A request that may be sent twice and has its effect once: the key that its sender gave it, and
//! what is kept of what it did.
//!
//! Kept is enough to answer it again, never an answer's body: the status, and where the thing
//! is that it made or which runs it queued. This file knows neither headers nor rows.

use chrono::TimeDelta;

use super::clock::Instant;
use super::ids::{RunId, TokenId, WorkspaceId};
use super::keyed::{KeyedHash, is_of_one_key};
use super::keyring::Keyring;
use super::sealing;

/// How long a key is good for.
pub const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// Characters of a key.
const LONGEST_KEY: usize = 255;

/// Tells a request's body from others byte by byte, and tells nothing of it to whoever has not the
/// master key: a body may hold a password, of which a plain hash could be guessed.
///
/// There is one hash for each master key that is known, the one that seals first. Only that one is
/// kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyMark(Vec<KeyedHash>);

impl BodyMark {
    /// Of a body that was sent to this place: the same one elsewhere has another mark.
    pub fn new(keys: &Keyring, place: &[&str], body: &[u8]) -> Self {
        let place = sealing::place(place);
        Self(keys.hashes(&[place.as_bytes(), body]))
    }

    /// What is kept of it.
    pub fn kept(&self) -> &[u8] {
        self.0.first().map_or(&[], |hash| hash.as_slice())
    }

    /// Whether the mark that was kept is of another body. One that cannot be compared is not said to
    /// be: it was made with a master key that is gone. What holds then is the key of the request.
    pub fn differs_from(&self, kept: &[u8]) -> bool {
        let comparable = self.0.iter().find(|hash| is_of_one_key(hash.as_slice(), kept));
        comparable.is_some_and(|hash| hash.as_slice() != kept)
    }
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
    pub body: BodyMark,
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
    use crate::domain::sealing::MasterKey;

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

    fn key(number: u8) -> MasterKey {
        MasterKey::parse(&hex::encode([number; 32])).unwrap()
    }

    #[test]
    fn bodies_are_told_apart_byte_by_byte() {
        let keys = Keyring::from(key(1));
        let mark = |body: &[u8]| BodyMark::new(&keys, &["a", "b"], body);
        let kept = mark(b"{}");
        assert!(!mark(b"{}").differs_from(kept.kept()));
        assert!(mark(b"{ }").differs_from(kept.kept()));
        // The same password in two requests does not show.
        assert_ne!(BodyMark::new(&keys, &["a", "c"], b"{}").kept(), kept.kept());
    }

    #[test]
    fn a_mark_needs_the_master_key() {
        let of = |keys: &Keyring, body: &[u8]| BodyMark::new(keys, &["a"], body);
        let (old, new) = (Keyring::from(key(1)), Keyring::from(key(2)));
        let kept = of(&old, b"{}");
        // The id of the key and 32 bytes of which no part is the plain hash of the body (FIPS 180-2).
        assert_eq!(kept.kept().len(), 36);
        let plain = ring::digest::digest(&ring::digest::SHA256, b"{}");
        assert!(!kept.kept().windows(8).any(|part| plain.as_ref().windows(8).any(|other| other == part)));
        assert_ne!(kept.kept()[4..], of(&new, b"{}").kept()[4..]);

        // While the master key is changed both compare; when the old one is gone nothing is refused.
        let both = Keyring::new(key(2), vec![key(1)]);
        assert!(!of(&both, b"{}").differs_from(kept.kept()) && of(&both, b"[]").differs_from(kept.kept()));
        assert_eq!(of(&both, b"{}").kept(), of(&new, b"{}").kept());
        for body in [&b"{}"[..], b"[]"] {
            assert!(!of(&new, body).differs_from(kept.kept()));
            assert!(!of(&new, body).differs_from(b""));
        }
    }
}
