//! Older cases are looked through when a field is indexed, and once for the search.
//!
//! A save of a case type does the first steps itself, so that with a few hundred cases the field
//! can be used at once; the sweep does the rest, some thousand cases each time. Until a walk is
//! done the field is filtered by looking into cases, up to 10,000, as if it had no index: what is
//! found is always all.

use crate::store::{Store, StoreError};

/// Steps in the wake of a save.
const AT_ONCE: usize = 8;
/// Steps in one tick of the sweep.
const AT_A_TICK: usize = 40;

/// The first steps, after a save that is committed: should they fail, the sweep does them.
pub(super) async fn begin(store: &Store) {
    if let Err(error) = steps(store, AT_ONCE).await {
        tracing::warn!(%error, "older cases could not be indexed; it is tried again");
    }
}

/// Goes on with what is to be looked through.
pub async fn go_on(store: &Store) -> Result<(), StoreError> {
    steps(store, AT_A_TICK).await
}

async fn steps(store: &Store, most: usize) -> Result<(), StoreError> {
    if !store.read().await?.is_filling().await? {
        return Ok(());
    }
    for _ in 0..most {
        if !store.write_later(|tx| Box::pin(async move { tx.fill().await })).await? {
            break;
        }
    }
    Ok(())
}
