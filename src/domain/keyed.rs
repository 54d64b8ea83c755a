//! What a master key makes of texts without sealing them: numbers and hashes that all processes with the
//! key agree upon, and that are of no use to whoever has not.
//!
//! Each purpose has a key of its own (HMAC-SHA256, RFC 2104), so that none shares anything with another
//! or with what wraps data keys. Nothing here can be undone; what must be read again is sealed.

use ring::hmac;
use secrecy::ExposeSecret as _;

use super::sealing::{ID, KEY, MasterKey};

/// HMAC-SHA256 under a key that is derived from a master key, behind the id of that one.
pub type KeyedHash = [u8; ID + KEY];

/// Whether two such hashes, as they were kept, are of the same master key.
pub fn is_of_one_key(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.get(..ID).is_some_and(|id| other.starts_with(id))
}

impl MasterKey {
    /// A number that stands for these parts: the same in all processes that have this key.
    pub fn number(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut number = [0; 16];
        number.copy_from_slice(&self.hmac(b"dossier numbers", parts).as_ref()[..16]);
        number
    }

    /// A hash of these parts that nobody can compare with guesses who has not this key, behind the id
    /// of the key.
    pub fn hash(&self, parts: &[&[u8]]) -> KeyedHash {
        let mut hash = [0; ID + KEY];
        hash[..ID].copy_from_slice(&self.id);
        hash[ID..].copy_from_slice(self.hmac(b"dossier hashes", parts).as_ref());
        hash
    }

    fn hmac(&self, purpose: &[u8], parts: &[&[u8]]) -> hmac::Tag {
        let derived = hmac::Key::new(hmac::HMAC_SHA256, self.key.expose_secret());
        let derived = hmac::sign(&derived, purpose);
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()));
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> MasterKey {
        MasterKey::parse(&hex::encode([number; KEY])).unwrap()
    }

    #[test]
    fn numbers_and_hashes_are_of_their_key_their_purpose_and_their_parts() {
        let (one, other) = (key(1), key(2));
        assert_eq!((one.number(&[b"a"]), one.hash(&[b"a"])), (one.number(&[b"a"]), one.hash(&[b"a"])));
        assert_ne!(one.number(&[b"a"]), other.number(&[b"a"]));
        assert_ne!(one.hash(&[b"a"])[ID..], other.hash(&[b"a"])[ID..]);
        assert_ne!(one.hash(&[b"ab", b"c"]), one.hash(&[b"a", b"bc"]));
        assert_ne!(one.hash(&[b"a"])[ID..][..16], one.number(&[b"a"]));
    }

    #[test]
    fn only_hashes_of_one_key_are_compared() {
        let kept = key(1).hash(&[b"a"]);
        assert!(is_of_one_key(&key(1).hash(&[b"b"]), &kept));
        for other in [&key(2).hash(&[b"a"])[..], &kept[..35], b"", &kept[ID..]] {
            assert!(!is_of_one_key(other, &kept) && !is_of_one_key(&kept, other));
        }
    }
}
