//! Authenticated encryption at rest: what is sealed can be opened only with the master key, in
//! the place for which it was sealed.
//!
//! Each secret has a random data key of its own, wrapped by the master key, so rotating the
//! master key (`rewrap`) touches 60 bytes per secret. Both layers are ChaCha20-Poly1305
//! (RFC 8439) over random nonces; the associated data binds the place (`place`), so a row that
//! was moved to another workspace, name or version does not open. This file does no I/O: the key
//! file is read in `config::master_key`.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretBox};

use super::clock::Rng;
use super::secret::{HIDDEN, SecretText};

pub(super) const KEY: usize = 32;
const NONCE: usize = 12;
const TAG: usize = 16;
pub(super) const ID: usize = 4;
const WRAPPED: usize = KEY + TAG;
/// First byte of the encoding; another layout gets another number.
const VERSION: u8 = 1;
const HEADER: usize = 1 + ID + NONCE + WRAPPED + NONCE;

/// The key that wraps all data keys, and its id.
pub struct MasterKey {
    pub(super) id: [u8; ID],
    pub(super) key: SecretBox<[u8; KEY]>,
}

/// A text that is no master key. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes as base64 (44 characters) or as hex (64 characters)")]
pub struct InvalidMasterKey;

impl MasterKey {
    fn new(key: &[u8; KEY]) -> Self {
        let mut id = [0; ID];
        id.copy_from_slice(&digest(&SHA256, key).as_ref()[..ID]);
        Self { id, key: SecretBox::init_with(|| *key) }
    }

    /// A new random key.
    pub fn generate(rng: &dyn Rng) -> Self {
        Self::new(&random_key(rng))
    }

    /// Reads base64 (either alphabet, with or without padding) or hex; blanks around it are
    /// ignored.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        let text = text.trim();
        let bare = text.trim_end_matches('=');
        let bytes = if text.len() == 2 * KEY {
            hex::decode(text).ok()
        } else {
            BASE64_STANDARD_NO_PAD.decode(bare).or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(bare)).ok()
        };
        let bytes = Zeroizing::new(bytes.ok_or(InvalidMasterKey)?);
        let key: &[u8; KEY] = bytes.as_slice().try_into().map_err(|_| InvalidMasterKey)?;
        Ok(Self::new(key))
    }

    /// The key as base64, for the key file.
    pub fn encode(&self) -> SecretText {
        SecretText::from(BASE64_STANDARD.encode(self.key.expose_secret()))
    }

    /// Tells keys apart without telling the key: the first 8 hex digits of its SHA-256.
    pub fn id(&self) -> String {
        hex::encode(self.id)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({}, {HIDDEN})", self.id())
    }
}

/// Something sealed: safe to store anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    key_id: [u8; ID],
    wrap_nonce: [u8; NONCE],
    wrapped_key: [u8; WRAPPED],
    nonce: [u8; NONCE],
    ciphertext: Vec<u8>,
}

/// Bytes that are no sealed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sealed value, or one of a later version")]
pub struct NotSealed;

/// Why a sealed value did not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Sealed with another master key.
    #[error("sealed with master key {sealed_with}, but the master key in use is {in_use}")]
    WrongKey {
        /// Id of the key it was sealed with.
        sealed_with: String,
        /// Id of the key at hand.
        in_use: String,
    },
    /// Changed, cut, or moved from another place.
    #[error("the sealed value was changed or belongs to another place")]
    Tampered,
}

/// A failure of the cipher, which takes at most 256 GiB and so does not occur here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value could not be encrypted")]
pub struct SealError;

impl Sealed {
    /// Id of the master key that opens this.
    pub fn key_id(&self) -> String {
        hex::encode(self.key_id)
    }

    /// Version byte, key id, wrapping nonce, wrapped key, nonce, ciphertext with its tag.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.ciphertext.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.key_id);
        bytes.extend_from_slice(&self.wrap_nonce);
        bytes.extend_from_slice(&self.wrapped_key);
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.ciphertext);
        bytes
    }

    /// Reads what [`Sealed::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotSealed> {
        let (version, rest) = bytes.split_first().ok_or(NotSealed)?;
        let (key_id, rest) = rest.split_first_chunk().ok_or(NotSealed)?;
        let (wrap_nonce, rest) = rest.split_first_chunk().ok_or(NotSealed)?;
        let (wrapped_key, rest) = rest.split_first_chunk().ok_or(NotSealed)?;
        let (nonce, ciphertext) = rest.split_first_chunk().ok_or(NotSealed)?;
        if *version != VERSION || ciphertext.len() < TAG {
            return Err(NotSealed);
        }
        Ok(Self {
            key_id: *key_id,
            wrap_nonce: *wrap_nonce,
            wrapped_key: *wrapped_key,
            nonce: *nonce,
            ciphertext: ciphertext.to_vec(),
        })
    }

    /// The bytes as base64, for places that hold text.
    pub fn to_text(&self) -> String {
        BASE64_STANDARD.encode(self.to_bytes())
    }

    /// Reads what [`Sealed::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<Self, NotSealed> {
        Self::from_bytes(&BASE64_STANDARD.decode(text).map_err(|_| NotSealed)?)
    }
}

/// The associated data of a place, e.g. `["secret", workspace, name, version]`. Each part is
/// preceded by its length, so that no two lists give the same text.
pub fn place(parts: &[&str]) -> String {
    parts.iter().fold(String::new(), |text, part| format!("{text}{}:{part};", part.len()))
}

/// Encrypts `plain` for the place `aad`.
pub fn seal(master: &MasterKey, rng: &dyn Rng, aad: &str, plain: &[u8]) -> Result<Sealed, SealError> {
    let data_key = random_key(rng);
    let nonce = random_nonce(rng);
    let ciphertext = encrypt(&data_key, nonce, aad, plain)?;
    let (wrap_nonce, wrapped_key) = wrap(master, rng, aad, &data_key)?;
    Ok(Sealed { key_id: master.id, wrap_nonce, wrapped_key, nonce, ciphertext })
}

/// Decrypts a text that was sealed for the place `aad`.
pub fn open(master: &MasterKey, aad: &str, sealed: &Sealed) -> Result<SecretText, OpenError> {
    let data_key = unwrap_key(master, aad, sealed)?;
    let plain = decrypt(&data_key, sealed.nonce, aad, &sealed.ciphertext)?;
    std::str::from_utf8(&plain).map(|text| SecretText::from(text.to_owned())).map_err(|_| OpenError::Tampered)
}

/// The same value under another master key; its ciphertext stays.
pub fn rewrap(
    old: &MasterKey,
    new: &MasterKey,
    rng: &dyn Rng,
    aad: &str,
    sealed: &Sealed,
) -> Result<Sealed, OpenError> {
    let data_key = unwrap_key(old, aad, sealed)?;
    let (wrap_nonce, wrapped_key) = wrap(new, rng, aad, &data_key).map_err(|_| OpenError::Tampered)?;
    Ok(Sealed { key_id: new.id, wrap_nonce, wrapped_key, ..sealed.clone() })
}

type DataKey = Zeroizing<[u8; KEY]>;

fn random_key(rng: &dyn Rng) -> DataKey {
    let mut key = Zeroizing::new([0; KEY]);
    rng.fill(key.as_mut_slice());
    key
}

fn random_nonce(rng: &dyn Rng) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    rng.fill(&mut nonce);
    nonce
}

/// A wrapped key never opens as a value, nor a value as a key.
fn wrapping(aad: &str) -> String {
    format!("key;{aad}")
}

fn wrap(
    master: &MasterKey,
    rng: &dyn Rng,
    aad: &str,
    data_key: &DataKey,
) -> Result<([u8; NONCE], [u8; WRAPPED]), SealError> {
    let nonce = random_nonce(rng);
    let wrapped = encrypt(master.key.expose_secret(), nonce, &wrapping(aad), data_key.as_slice())?;
    Ok((nonce, wrapped.try_into().map_err(|_| SealError)?))
}

fn unwrap_key(master: &MasterKey, aad: &str, sealed: &Sealed) -> Result<DataKey, OpenError> {
    if sealed.key_id != master.id {
        return Err(OpenError::WrongKey { sealed_with: sealed.key_id(), in_use: master.id() });
    }
    let key = decrypt(master.key.expose_secret(), sealed.wrap_nonce, &wrapping(aad), &sealed.wrapped_key)?;
    let mut data_key = Zeroizing::new([0; KEY]);
    if key.len() != KEY {
        return Err(OpenError::Tampered);
    }
    data_key.copy_from_slice(&key);
    Ok(data_key)
}

fn cipher(key: &[u8; KEY]) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key).ok().map(LessSafeKey::new)
}

fn encrypt(key: &[u8; KEY], nonce: [u8; NONCE], aad: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
    // The tag's room is there from the start: growing would leave a copy of the plain text behind.
    let mut buffer = Vec::with_capacity(plain.len() + TAG);
    buffer.extend_from_slice(plain);
    let cipher = cipher(key).ok_or(SealError)?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    cipher.seal_in_place_append_tag(nonce, Aad::from(aad), &mut buffer).map_err(|_| SealError)?;
    Ok(buffer)
}

fn decrypt(
    key: &[u8; KEY],
    nonce: [u8; NONCE],
    aad: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let cipher = cipher(key).ok_or(OpenError::Tampered)?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    let length = cipher
        .open_in_place(nonce, Aad::from(aad), buffer.as_mut_slice())
        .map_err(|_| OpenError::Tampered)?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// Different bytes at every call, the same in every test run.
    struct Counting(AtomicU8);

    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn rng() -> Counting {
        Counting(AtomicU8::new(1))
    }

    #[test]
    fn a_sealed_value_opens_in_its_place_and_with_its_key_only() {
        let rng = rng();
        let master = MasterKey::generate(&rng);
        let aad = place(&["secret", "acme", "vies_token", "1"]);
        for plain in ["", "x", "correct-horse-battery", &"ä".repeat(8_000)] {
            let sealed = seal(&master, &rng, &aad, plain.as_bytes()).unwrap();
            assert_eq!(open(&master, &aad, &sealed).unwrap().expose(), plain);
            let elsewhere = place(&["secret", "acme", "vies_token", "2"]);
            assert_eq!(open(&master, &elsewhere, &sealed).unwrap_err(), OpenError::Tampered);
            assert_eq!(Sealed::from_bytes(&sealed.to_bytes()).unwrap(), sealed);
            assert_eq!(Sealed::from_text(&sealed.to_text()).unwrap(), sealed);
        }
    }

    #[test]
    fn a_wrong_key_is_named() {
        let rng = rng();
        let (master, other) = (MasterKey::generate(&rng), MasterKey::generate(&rng));
        let sealed = seal(&master, &rng, "a", b"correct-horse").unwrap();
        let error = open(&other, "a", &sealed).unwrap_err().to_string();
        assert!(error.contains(&master.id()) && error.contains(&other.id()), "{error}");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let rng = rng();
        let master = MasterKey::generate(&rng);
        let bytes = seal(&master, &rng, "a", b"correct-horse").unwrap().to_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let opened = Sealed::from_bytes(&changed).map(|sealed| open(&master, "a", &sealed));
            match (at, opened) {
                (0, Err(NotSealed))
                | (1..=4, Ok(Err(OpenError::WrongKey { .. })))
                | (5.., Ok(Err(OpenError::Tampered))) => {}
                (_, other) => panic!("byte {at}: {other:?}"),
            }
        }
        for length in 0..bytes.len() {
            let opened = Sealed::from_bytes(&bytes[..length]).map(|sealed| open(&master, "a", &sealed));
            assert!(!matches!(opened, Ok(Ok(_))), "cut to {length}");
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let rng = rng();
        let master = MasterKey::generate(&rng);
        let once = seal(&master, &rng, "a", b"correct-horse").unwrap();
        let twice = seal(&master, &rng, "a", b"correct-horse").unwrap();
        assert!(once.ciphertext != twice.ciphertext && once.wrapped_key != twice.wrapped_key);
    }

    #[test]
    fn rewrapping_changes_the_key_and_keeps_the_value() {
        let rng = rng();
        let (old, new) = (MasterKey::generate(&rng), MasterKey::generate(&rng));
        let sealed = seal(&old, &rng, "a", b"correct-horse").unwrap();
        let moved = rewrap(&old, &new, &rng, "a", &sealed).unwrap();
        assert_eq!(moved.key_id(), new.id());
        assert_eq!(open(&new, "a", &moved).unwrap().expose(), "correct-horse");
        assert!(open(&old, "a", &moved).is_err());
        assert!(rewrap(&new, &old, &rng, "a", &sealed).is_err());
        assert!(rewrap(&old, &new, &rng, "b", &sealed).is_err());
    }

    #[test]
    fn a_master_key_is_read_from_base64_and_hex() {
        let key = MasterKey::generate(&rng());
        let base64 = key.encode();
        let hex = hex::encode(key.key.expose_secret());
        let unpadded = base64.expose().trim_end_matches('=').to_owned();
        let url_safe = unpadded.replace('+', "-").replace('/', "_");
        for text in [base64.expose(), &hex, &hex.to_uppercase(), &unpadded, &url_safe, &format!("  {hex}\n")]
        {
            assert_eq!(MasterKey::parse(text).unwrap().id(), key.id());
        }
        assert_eq!(format!("{key:?}"), format!("MasterKey({}, [hidden])", key.id()));
        for bad in ["", "short", &"a".repeat(63), &"g".repeat(64), &"A".repeat(42), &"A".repeat(86)] {
            assert_eq!(MasterKey::parse(bad).unwrap_err(), InvalidMasterKey, "{bad}");
        }
    }

    #[test]
    fn places_do_not_run_into_each_other() {
        assert_ne!(place(&["a", "bc"]), place(&["ab", "c"]));
        assert_ne!(place(&["a;1:b"]), place(&["a", "b"]));
    }
}
