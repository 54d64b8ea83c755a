//! API tokens: 256 random bits that people carry, and the role that says what they may do.
//!
//! A token is shown once, when it is made; rows hold its SHA-256 only. That is enough, and no
//! slow password hash is needed, because nobody can guess 256 random bits. This file does not
//! know workspaces or expiry: those are columns beside the hash.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::clock::Rng;
use super::secret::SecretText;

/// What every generated token starts with, so that a leaked one is recognised in a text.
pub const PREFIX: &str = "dsr_";

/// The SHA-256 of a token, as it is stored.
pub type TokenHash = [u8; 32];

/// A new token: `dsr_` and 32 random bytes in URL-safe base64 (43 characters).
pub fn generate(rng: &dyn Rng) -> SecretText {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    SecretText::from(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

/// The hash under which a token is stored and looked up. It takes any text: a token from
/// `security.admin_token` need not have the prefix.
pub fn hash(token: &str) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

/// True when both hashes are equal; takes the same time wherever they differ.
pub fn matches(stored: &TokenHash, presented: &TokenHash) -> bool {
    stored.ct_eq(presented).into()
}

/// What the bearer of a token may do; each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Works on cases and refreshes fields.
    Operator,
    /// Also case types, connections and secrets.
    Builder,
    /// Also tokens, people and the workspace.
    Admin,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Builder, Self::Admin];

    /// The spelling in rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Builder => "builder",
            Self::Admin => "admin",
        }
    }

    /// The role with this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// True when this role may do what `needed` may.
    pub fn allows(self, needed: Self) -> bool {
        self >= needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;

    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (at, byte) in (0..).zip(bytes) {
                *byte = at;
            }
        }
    }

    #[test]
    fn a_token_is_the_prefix_and_256_bits() {
        let token = generate(&Counting);
        assert_eq!(token.expose(), "dsr_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
        assert_eq!(format!("{token:?}"), "[hidden]");
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            hex::encode(hash("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(matches(&hash("abc"), &hash("abc")));
        assert!(!matches(&hash("abc"), &hash("abd")));
    }

    #[test]
    fn a_role_allows_itself_and_what_is_below() {
        for (at, role) in Role::ALL.into_iter().enumerate() {
            for (below, needed) in Role::ALL.into_iter().enumerate() {
                assert_eq!(role.allows(needed), at >= below, "{role:?} {needed:?}");
            }
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        for unknown in ["", "Admin", "owner", "viewer "] {
            assert_eq!(Role::parse(unknown), None, "{unknown}");
        }
    }
}
