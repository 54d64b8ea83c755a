//! Requests that may be sent twice and have their effect once.
//!
//! A use case that takes an `Option<Once>` calls [`first`] at the start of its transaction and
//! [`keep`] at its end, so the key and the effect are there together or not at all. A repetition
//! comes out as [`ServiceError::Repeated`], which holds what to answer it with. What is refused is
//! kept afterwards, by [`Keys::refused`]: nothing was done, so nothing can fall apart.

use super::error::ServiceError;
use super::vault::Vault;
use crate::domain::clock::SharedClock;
use crate::domain::ids::{TokenId, WorkspaceId};
use crate::domain::once::{BodyMark, Kept, Once, Repeat};
use crate::store::{Store, StoreError, Tx};

/// The keys of all workspaces.
pub struct Keys {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    pub(super) vault: Vault,
}

impl Keys {
    /// A request with a key that has come just now.
    pub fn request(
        &self,
        workspace: WorkspaceId,
        token: TokenId,
        (path, key): (String, String),
        body: &[u8],
    ) -> Once {
        let place = [&workspace.to_string(), &token.to_string(), path.as_str(), key.as_str()];
        let body = BodyMark::new(&self.vault.keys(), &place, body);
        Once { workspace, token, path, key, body, at: self.clock.now() }
    }

    /// What the same request came to before.
    pub async fn find(&self, once: &Once) -> Result<Option<Kept>, ServiceError> {
        match self.store.read().await?.find_once(once).await? {
            Some(Repeat::Same(kept)) => Ok(Some(kept)),
            Some(Repeat::OtherBody) => Err(ServiceError::KeyReused),
            None => Ok(None),
        }
    }

    /// Keeps that a request was refused, unless its key has come to something by now.
    pub async fn refused(&self, once: Once, status: u16, code: &str) -> Result<(), ServiceError> {
        let kept = Kept::refused(status, code);
        let write =
            self.store.write(move |tx| Box::pin(async move { tx.keep_once(&once, &kept).await.map(drop) }));
        Ok(write.await?)
    }

    /// Changes the status that replays get: the first request waited for its runs to end.
    pub async fn raise(&self, once: Once, status: u16) -> Result<(), ServiceError> {
        let write: Result<(), StoreError> =
            self.store.write(move |tx| Box::pin(async move { tx.raise_once(&once, status).await })).await;
        Ok(write?)
    }
}

/// Refuses to do again what a request with this key has done; one that is under way in another
/// process is waited for. Call it before anything is looked at that may be a reason to refuse.
pub(super) async fn first(tx: &Tx, once: Option<&Once>) -> Result<(), ServiceError> {
    let Some(once) = once else { return Ok(()) };
    tx.hold_once(once).await?.map_or(Ok(()), |repeat| Err(repeat.into()))
}

/// Keeps what the request came to. Should another one with this key have been faster, the work
/// of this one is undone with its transaction.
pub(super) async fn keep(tx: &Tx, once: Option<&Once>, kept: Kept) -> Result<(), ServiceError> {
    let Some(once) = once else { return Ok(()) };
    if tx.keep_once(once, &kept).await? { Ok(()) } else { first(tx, Some(once)).await }
}

impl From<Repeat> for ServiceError {
    fn from(repeat: Repeat) -> Self {
        match repeat {
            Repeat::Same(kept) => Self::Repeated(Box::new(kept)),
            Repeat::OtherBody => Self::KeyReused,
        }
    }
}
