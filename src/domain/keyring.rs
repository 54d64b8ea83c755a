//! The master keys that a process knows: the one that it seals with, and earlier ones that still
//! open what has not been sealed anew.
//!
//! More than one is known only while the master key is being changed. A key is recognised by the
//! four bytes of its id; that it is the right one is proved by a check value (`check`,
//! `proves`), since a text that somebody made up could have the same id.

use std::fmt;

use super::clock::Rng;
use super::keyed::KeyedHash;
use super::sealing::{self, MasterKey, OpenError, SealError, Sealed};
use super::secret::SecretText;

/// Master keys.
pub struct Keyring {
    current: MasterKey,
    previous: Vec<MasterKey>,
}

impl From<MasterKey> for Keyring {
    fn from(current: MasterKey) -> Self {
        Self::new(current, Vec::new())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys()).finish()
    }
}

/// What every check value says.
const CHECK: &[u8] = b"dossier";

impl Keyring {
    /// The key to seal with, and others that may be needed to open; equal ones count once.
    pub fn new(current: MasterKey, others: Vec<MasterKey>) -> Self {
        let mut previous: Vec<MasterKey> = Vec::new();
        for key in others {
            if key.id() != current.id() && previous.iter().all(|known| known.id() != key.id()) {
                previous.push(key);
            }
        }
        Self { current, previous }
    }

    /// The key that seals.
    pub fn current(&self) -> &MasterKey {
        &self.current
    }

    /// Ids of all keys, the one that seals first.
    pub fn ids(&self) -> Vec<String> {
        self.keys().map(MasterKey::id).collect()
    }

    /// Whether there is a key with this id.
    pub fn knows(&self, id: &str) -> bool {
        self.keys().any(|key| key.id() == id)
    }

    fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The key that a value was sealed with, else the current one, which then says so.
    fn key_of(&self, sealed: &Sealed) -> &MasterKey {
        let id = sealed.key_id();
        self.keys().find(|key| key.id() == id).unwrap_or(&self.current)
    }

    /// Encrypts for the place `aad`, under the current key.
    pub fn seal(&self, rng: &dyn Rng, aad: &str, plain: &[u8]) -> Result<Sealed, SealError> {
        sealing::seal(&self.current, rng, aad, plain)
    }

    /// Decrypts what was sealed for the place `aad` under any of the keys.
    pub fn open(&self, aad: &str, sealed: &Sealed) -> Result<SecretText, OpenError> {
        sealing::open(self.key_of(sealed), aad, sealed)
    }

    /// The same value under the current key; none when it is so already.
    pub fn rewrap(&self, rng: &dyn Rng, aad: &str, sealed: &Sealed) -> Result<Option<Sealed>, OpenError> {
        if sealed.key_id() == self.current.id() {
            return Ok(None);
        }
        sealing::rewrap(self.key_of(sealed), &self.current, rng, aad, sealed).map(Some)
    }

    /// A hash of these parts under each key, the current one first.
    pub fn hashes(&self, parts: &[&[u8]]) -> Vec<KeyedHash> {
        self.keys().map(|key| key.hash(parts)).collect()
    }

    /// A value that only the current key opens, to recognise it by.
    pub fn check(&self, rng: &dyn Rng) -> Result<Sealed, SealError> {
        self.seal(rng, &place_of_check(&self.current.id()), CHECK)
    }

    /// Whether one of the keys is the one that a check value was made with.
    pub fn proves(&self, check: &Sealed) -> bool {
        let text = self.open(&place_of_check(&check.key_id()), check);
        text.is_ok_and(|text| text.expose().as_bytes() == CHECK)
    }
}

fn place_of_check(id: &str) -> String {
    sealing::place(&["key_check", id])
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    struct Counting(AtomicU8);

    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn key(number: u8) -> MasterKey {
        MasterKey::parse(&hex::encode([number; 32])).unwrap()
    }

    #[test]
    fn what_an_earlier_key_sealed_opens_and_moves() {
        let rng = Counting(AtomicU8::new(1));
        let old = Keyring::from(key(1));
        let both = Keyring::new(key(2), vec![key(1), key(2), key(1)]);
        let new = Keyring::from(key(2));
        assert_eq!(both.ids(), [key(2).id(), key(1).id()]);
        let sealed = old.seal(&rng, "a", b"correct-horse").unwrap();
        assert_eq!(both.open("a", &sealed).unwrap().expose(), "correct-horse");
        assert!(new.open("a", &sealed).is_err());
        let moved = both.rewrap(&rng, "a", &sealed).unwrap().unwrap();
        assert_eq!(new.open("a", &moved).unwrap().expose(), "correct-horse");
        assert!(old.open("a", &moved).is_err());
        assert_eq!(both.rewrap(&rng, "a", &moved).unwrap(), None);
        assert!(new.rewrap(&rng, "a", &sealed).is_err());
    }

    #[test]
    fn a_check_value_is_opened_by_its_own_key_only() {
        let rng = Counting(AtomicU8::new(1));
        let check = Keyring::from(key(1)).check(&rng).unwrap();
        assert!(Keyring::from(key(1)).proves(&check));
        assert!(Keyring::new(key(2), vec![key(1)]).proves(&check));
        assert!(!Keyring::from(key(2)).proves(&check));
        let mut bytes = check.to_bytes();
        bytes.extend([0]);
        assert!(!Keyring::from(key(1)).proves(&Sealed::from_bytes(&bytes).unwrap()));
    }
}
