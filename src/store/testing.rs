//! A store of its own for a test, gone with its folder.

use std::sync::Arc;

use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::close::CommitLimits;
use super::database::{Store, StoreSettings};
use crate::domain::clock::Rng;

struct Zero;

impl Rng for Zero {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// An empty store, and the folder in which it lies as long as that is held.
pub(super) async fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let limits = CommitLimits { case_bytes: 1 << 20, output_bytes: 1 << 20 };
    let url = format!("sqlite://{}", folder.path().join("dossier.db").display());
    let settings = StoreSettings { url, wait_for_disk: false, limits };
    let store = Store::open(&settings, Arc::new(Zero), &TaskTracker::new()).await.unwrap();
    (folder, store)
}
