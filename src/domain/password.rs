//! Passwords as they are kept: argon2id, as a PHC string that names its own parameters.
//!
//! The parameters are those that OWASP recommends (Password Storage Cheat Sheet, argon2id: 19 MiB,
//! two passes, one lane). Hashing takes tens of milliseconds on purpose: call it where that is no
//! harm. What was kept with other parameters is still verified with those.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use subtle::ConstantTimeEq;

use super::clock::Rng;
use super::secret::SecretText;

/// KiB of memory, passes, lanes.
type Cost = (u32, u32, u32);

const COST: Cost = (19 * 1024, 2, 1);

const SALT: usize = 16;
const HASH: usize = 32;

/// A password could not be hashed, or what was kept of it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a password cannot be hashed or compared: {0}")]
pub struct UnusableHash(String);

/// What is kept of a password: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
pub fn hash(password: &SecretText, rng: &dyn Rng) -> Result<String, UnusableHash> {
    let mut salt = [0; SALT];
    rng.fill(&mut salt);
    let hash = derive(password.expose(), &salt, COST, HASH)?;
    let (m, t, p) = COST;
    let (salt, hash) = (BASE64_STANDARD_NO_PAD.encode(salt), BASE64_STANDARD_NO_PAD.encode(hash));
    Ok(format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${hash}"))
}

/// Whether a password is the one that was kept.
pub fn verify(password: &SecretText, kept: &str) -> Result<bool, UnusableHash> {
    let (cost, [salt, hash]) = read(kept).ok_or_else(|| UnusableHash("no hash that we made".to_owned()))?;
    let derived = derive(password.expose(), &salt, cost, hash.len())?;
    Ok(derived.ct_eq(&hash).into())
}

/// Something to compare with where there is no password, so that it takes as long.
pub fn nothing() -> String {
    let (m, t, p) = COST;
    let (salt, hash) = ("A".repeat(22), "A".repeat(43));
    format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${hash}")
}

/// Cost, salt and hash.
fn read(kept: &str) -> Option<(Cost, [Vec<u8>; 2])> {
    let rest = kept.strip_prefix("$argon2id$v=19$m=")?;
    let (cost, rest) = rest.split_once('$')?;
    let (m, cost) = cost.split_once(",t=")?;
    let (t, p) = cost.split_once(",p=")?;
    let (salt, hash) = rest.split_once('$')?;
    let decode = |text| BASE64_STANDARD_NO_PAD.decode(text).ok();
    Some(((m.parse().ok()?, t.parse().ok()?, p.parse().ok()?), [decode(salt)?, decode(hash)?]))
}

fn derive(password: &str, salt: &[u8], cost: Cost, length: usize) -> Result<Vec<u8>, UnusableHash> {
    let unusable = |error: argon2::Error| UnusableHash(error.to_string());
    let params = Params::new(cost.0, cost.1, cost.2, Some(length)).map_err(unusable)?;
    let mut hash = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut hash)
        .map_err(unusable)?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Rng for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn text(text: &str) -> SecretText {
        SecretText::from(text.to_owned())
    }

    #[test]
    fn a_password_is_known_again_and_no_other_is() {
        let kept = hash(&text("correct horse"), &Fixed).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$"), "{kept}");
        assert_eq!(verify(&text("correct horse"), &kept), Ok(true));
        assert_eq!(verify(&text("Correct horse"), &kept), Ok(false));
        assert_eq!(verify(&text(""), &nothing()), Ok(false));
    }

    #[test]
    fn what_others_made_is_verified_with_their_cost() {
        // The reference implementation: echo -n password | argon2 somesalt -id -t 2 -k 256 -p 1 -l 32 -e
        let kept = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert_eq!(verify(&text("password"), kept), Ok(true));
        for bad in ["", "x", "$argon2i$v=19$m=1,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=1,t=1$AAAA$AAAA"] {
            assert!(verify(&text("password"), bad).is_err(), "{bad}");
        }
    }
}
