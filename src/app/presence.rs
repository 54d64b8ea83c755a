//! Which processes work on a SQLite database, told by a lock on the file `<database>.processes`.
//!
//! Every process that works holds it shared for as long as it lives; the operating system takes it
//! away when it dies, however it dies. Who gets it alone at its start knows that nobody else
//! lives, so what is still marked as running is nobody's and is given back at once, without
//! waiting for the leases to end. A process that is only stopped (SIGSTOP) keeps its lock: its
//! runs are taken over when their leases end, as always.
//!
//! It decides nothing about who may write: that stays with leases and their tokens. Where files
//! cannot be locked, and on any other database, leases alone count.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::admission::database_file;
use crate::store::StoreError;

/// That this process lives; gone when dropped.
pub(super) struct Presence {
    _lock: Option<File>,
}

impl Presence {
    /// Joins the processes on this database; `take_over` is done first when there is none. Waits
    /// while another one that begins does that. Claim nothing before.
    pub(super) async fn begin<F>(url: &str, take_over: impl FnOnce() -> F) -> anyhow::Result<Self>
    where
        F: Future<Output = Result<(), StoreError>>,
    {
        if !url.starts_with("sqlite:") {
            return Ok(Self { _lock: None });
        }
        let path = lock_file(url);
        let lock = match lock(&path) {
            Ok((lock, alone)) => {
                if alone {
                    take_over().await?;
                }
                share(lock).await
            }
            Err(error) => Err(error),
        };
        let lock = lock.inspect_err(|error| {
            tracing::warn!(%error, path = %path.display(), "the file cannot be locked; leases alone say who lives");
        });
        Ok(Self { _lock: lock.ok() })
    }
}

/// Keeps all others from beginning on a SQLite database for as long as the answer is held; none:
/// somebody is on it.
pub(super) fn alone(url: &str) -> io::Result<Option<File>> {
    let (lock, alone) = lock(&lock_file(url))?;
    Ok(alone.then_some(lock))
}

/// The open file, and whether nobody else holds it.
fn lock(path: &Path) -> io::Result<(File, bool)> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok((file, true)),
        Err(TryLockError::WouldBlock) => Ok((file, false)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Another process may get it alone in the moment between the two locks: this one holds nothing
/// yet that could be taken from it.
async fn share(file: File) -> io::Result<File> {
    let shared = tokio::task::spawn_blocking(move || file.lock_shared().map(|()| file)).await;
    shared.map_err(io::Error::other)?
}

/// Beside the database.
fn lock_file(url: &str) -> PathBuf {
    let mut path = database_file(url).into_os_string();
    path.push(".processes");
    PathBuf::from(path)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn only_the_first_of_those_that_live_takes_over() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("dossier.db").display());
        let count = Cell::new(0);
        let begin = || {
            Presence::begin(&url, || {
                count.set(count.get() + 1);
                async { Ok(()) }
            })
        };
        let first = begin().await.unwrap();
        assert_eq!(count.get(), 1);
        let second = begin().await.unwrap();
        drop(first);
        let third = begin().await.unwrap();
        assert_eq!(count.get(), 1, "the second lives");
        drop((second, third));
        begin().await.unwrap();
        assert_eq!(count.get(), 2);
    }

    #[tokio::test]
    async fn where_no_file_can_be_made_leases_decide() {
        let never = || async { unreachable!("nobody knows whether another one lives") };
        for url in ["sqlite:///nowhere/at/all/dossier.db", "postgres://localhost/dossier"] {
            Presence::begin(url, never).await.unwrap();
        }
    }
}
