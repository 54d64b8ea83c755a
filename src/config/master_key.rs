//! The master keys: from the settings, or from their file, which is made at the first start.
//!
//! The file holds one key per line: the first seals, more are there only while the key is being
//! changed (`key_change.rs`, the only place that ever writes to a file that is there). One that is there and cannot be used stops the
//! start: a new key beside a database with secrets would make those unreadable for ever.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

use super::sections::Security;
use crate::domain::clock::Rng;
use crate::domain::keyring::Keyring;
use crate::domain::sealing::{InvalidMasterKey, MasterKey};

/// The keys, and where they are from.
#[derive(Debug)]
pub struct LoadedKeys {
    /// The keys.
    pub keys: Keyring,
    /// The file that was made for a new one just now.
    pub created: Option<PathBuf>,
    /// The file that they are in; none: they are settings.
    pub file: Option<PathBuf>,
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// `security.master_key` is no key.
    #[error("security.master_key or security.previous_master_keys cannot be used: {0}")]
    Setting(InvalidMasterKey),
    /// There is none, and each process on the database would make another one.
    #[error(
        "with PostgreSQL all processes need the same master key, so none is made: set \
         DOSSIER__SECURITY__MASTER_KEY (`openssl rand -base64 32` makes one), or put it into {}",
        path.display()
    )]
    Missing {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// The file holds no key.
    #[error(
        "the master key file {} holds no key ({source}); put the copy that you kept in its place. \
         Only when no secret was ever stored may you delete it to have a new one made",
        path.display()
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// What a key looks like.
        source: InvalidMasterKey,
    },
    /// The file cannot be read or made.
    #[error("the master key file {} cannot be {verb} ({source}); check its folder and permissions", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried: `read` or `made`.
        verb: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// The key of `security.master_key`, else those of `security.master_key_file`, else, where one may
/// be made, a new one, which is written there with mode 0600. Beside it, those of
/// `security.previous_master_keys`.
pub fn load_or_create(
    security: &Security,
    may_create: bool,
    rng: &dyn Rng,
) -> Result<LoadedKeys, MasterKeyError> {
    let path = security.master_key_file.as_path();
    let file = security.master_key.is_none().then(|| path.to_owned());
    if let Some(keys) = read_keys(security)? {
        return Ok(LoadedKeys { keys, created: None, file });
    }
    if !may_create {
        return Err(MasterKeyError::Missing { path: path.to_owned() });
    }
    let key = MasterKey::generate(rng);
    match create(path, &key) {
        Ok(()) => {
            let keys = Keyring::new(key, previous(security)?);
            Ok(LoadedKeys { keys, created: Some(path.to_owned()), file })
        }
        // Another process was quicker: its key counts.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match read_keys(security)? {
            Some(keys) => Ok(LoadedKeys { keys, created: None, file }),
            None => Err(file_error(path, "read", error)),
        },
        Err(error) => Err(file_error(path, "made", error)),
    }
}

/// The keys as settings and file have them now; none: there is no file yet.
pub fn read_keys(security: &Security) -> Result<Option<Keyring>, MasterKeyError> {
    let mut others = previous(security)?;
    if let Some(text) = &security.master_key {
        let key = MasterKey::parse(text.expose()).map_err(MasterKeyError::Setting)?;
        return Ok(Some(Keyring::new(key, others)));
    }
    let Some(mut keys) = read(&security.master_key_file)? else { return Ok(None) };
    let first = keys.remove(0);
    keys.append(&mut others);
    Ok(Some(Keyring::new(first, keys)))
}

fn previous(security: &Security) -> Result<Vec<MasterKey>, MasterKeyError> {
    let Some(texts) = &security.previous_master_keys else { return Ok(Vec::new()) };
    parse_list(texts.expose()).map_err(MasterKeyError::Setting)
}

/// Keys with commas between them.
pub(super) fn parse_list(texts: &str) -> Result<Vec<MasterKey>, InvalidMasterKey> {
    texts.split(',').filter(|text| !text.trim().is_empty()).map(MasterKey::parse).collect()
}

pub(super) fn file_error(path: &Path, verb: &'static str, source: io::Error) -> MasterKeyError {
    MasterKeyError::File { path: path.to_owned(), verb, source }
}

/// The keys in a file, one per line, of which there is at least one; none: there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<MasterKey>>, MasterKeyError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound && !is_link(path) => return Ok(None),
        Err(error) => return Err(file_error(path, "read", error)),
    };
    warn_when_others_can_read(path);
    let lines = |text: &str| {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let keys = lines.map(MasterKey::parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(InvalidMasterKey) } else { Ok(keys) }
    };
    std::str::from_utf8(&bytes)
        .map_err(|_| InvalidMasterKey)
        .and_then(lines)
        .map(Some)
        .map_err(|source| MasterKeyError::Content { path: path.to_owned(), source })
}

/// A link that leads nowhere (a volume that is not mounted) is not a missing file.
fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn create(path: &Path, key: &MasterKey) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let text = key.encode();
    let written = file.write_all(text.expose().as_bytes()).and_then(|()| file.write_all(b"\n"));
    written.and_then(|()| file.sync_all()).inspect_err(|_| {
        // Made by us a moment ago and of no use: left there it would stop every later start.
        let _ = fs::remove_file(path);
    })
}

#[cfg(unix)]
fn warn_when_others_can_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others can read the master key file; run chmod 600 on it");
    }
}

#[cfg(not(unix))]
fn warn_when_others_can_read(_path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::SecretText;

    struct Sevens;

    impl Rng for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    struct Eights;

    impl Rng for Eights {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(8);
        }
    }

    fn security(file: PathBuf) -> Security {
        Security { master_key: None, previous_master_keys: None, master_key_file: file, admin_token: None }
    }

    #[test]
    fn the_file_is_made_once_and_then_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/master.key");
        let first = load_or_create(&security(path.clone()), true, &Sevens).unwrap();
        assert_eq!(first.created.as_ref(), Some(&path));
        let second = load_or_create(&security(path.clone()), true, &Eights).unwrap();
        assert_eq!(second.created, None);
        assert_eq!(second.keys.ids(), first.keys.ids());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn the_setting_wins_and_makes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let hex = "ab".repeat(32);
        let security = Security { master_key: Some(SecretText::from(hex)), ..security(path.clone()) };
        let loaded = load_or_create(&security, true, &Sevens).unwrap();
        assert_eq!(loaded.created, None);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_cannot_be_used_stops_the_start_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        for content in [&b""[..], b"not-a-key-but-confidential", &[0xff, 0xfe]] {
            let path = folder.path().join("master.key");
            fs::write(&path, content).unwrap();
            let error = load_or_create(&security(path.clone()), true, &Sevens).unwrap_err().to_string();
            assert!(error.contains("master.key") && !error.contains("confidential"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        let error = load_or_create(&security(folder.path().to_owned()), true, &Sevens).unwrap_err();
        assert!(matches!(error, MasterKeyError::File { verb: "read", .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        std::os::unix::fs::symlink(folder.path().join("gone"), &path).unwrap();
        assert!(load_or_create(&security(path), true, &Sevens).is_err());
    }
}
