//! Changing the master key in its file, so that whoever is stopped on the way loses nothing.
//!
//! The file is replaced as a whole, never written over: it holds the old key, then the new one
//! before the old one, then the new one alone. A change that was begun is gone on with and never
//! begun anew. Two at once are kept apart by a lock on a file beside it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::master_key::{MasterKeyError, file_error, read};
use crate::domain::clock::Rng;
use crate::domain::sealing::MasterKey;

/// A change under way: old and new key are in the file.
pub struct KeyChange {
    path: PathBuf,
    /// Held until it is over, or this process dies.
    _lock: File,
}

/// Begins a change of the key in this file, or goes on with one that was begun. None: there is no
/// file.
pub fn change_key(path: &Path, rng: &dyn Rng) -> Result<Option<KeyChange>, MasterKeyError> {
    if read(path)?.is_none() {
        return Ok(None);
    }
    let lock = lock(path).map_err(|error| file_error(path, "changed", error))?;
    // Read again: whoever held the lock may just have ended a change.
    let mut keys = read(path)?.unwrap_or_default();
    if keys.len() == 1 {
        keys.insert(0, MasterKey::generate(rng));
        replace(path, &keys).map_err(|error| file_error(path, "changed", error))?;
    }
    Ok(Some(KeyChange { path: path.to_owned(), _lock: lock }))
}

impl KeyChange {
    /// Takes the old keys out of the file.
    pub fn end(self) -> Result<(), MasterKeyError> {
        let mut keys = read(&self.path)?.unwrap_or_default();
        keys.truncate(1);
        replace(&self.path, &keys).map_err(|error| file_error(&self.path, "changed", error))
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(beside(path, ".lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::other("another `dossier secrets rotate-key` is at work: wait for its end"))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Either the old file is there or the new one, whole and on the disk.
fn replace(path: &Path, keys: &[MasterKey]) -> io::Result<()> {
    let new = beside(path, ".new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    for key in keys {
        file.write_all(key.encode().expose().as_bytes())?;
        file.write_all(b"\n")?;
    }
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
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

    fn ids(path: &Path) -> Vec<String> {
        read(path).unwrap().unwrap().iter().map(MasterKey::id).collect()
    }

    #[test]
    fn a_change_goes_on_where_it_was_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rng) = (folder.path().join("master.key"), Counting(AtomicU8::new(1)));
        assert!(change_key(&path, &rng).unwrap().is_none());
        let old = MasterKey::generate(&rng);
        fs::write(&path, old.encode().expose()).unwrap();
        // What an earlier one left behind that was stopped before it had replaced the file.
        fs::write(beside(&path, ".new"), "half a k").unwrap();
        let change = change_key(&path, &rng).unwrap().unwrap();
        let both = ids(&path);
        assert_eq!((both.len(), both[1].as_str()), (2, old.id().as_str()));
        let refused = change_key(&path, &rng).err().unwrap().to_string();
        assert!(refused.contains("another `dossier secrets rotate-key`"), "{refused}");
        drop(change);
        let change = change_key(&path, &rng).unwrap().unwrap();
        assert_eq!(ids(&path), both, "it is not begun anew");
        change.end().unwrap();
        assert_eq!(ids(&path), both[..1]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
