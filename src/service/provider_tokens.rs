//! Tokens that providers gave us: kept sealed, shared by all processes, opened where they are used.
//!
//! What is kept is a convenience: a row that cannot be read is as good as none. Whoever opens or
//! fetches a token tells the logs of it first.

use std::time::Duration;

use super::error::ServiceError;
use super::vault::{Vault, place_of_provider_token};
use crate::domain::clock::{Instant, SharedClock};
use crate::domain::ids::{WorkerId, WorkspaceId};
use crate::domain::secret::SecretText;
use crate::store::{KeptToken, ProviderTokenId, Store};

/// How long a process holds a row to fetch a token, unless it holds it again.
const HOLD: Duration = Duration::from_secs(15);

/// Where a token is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenPlace {
    /// Its tenant.
    pub workspace: WorkspaceId,
    /// What it is asked with.
    pub id: ProviderTokenId,
}

/// A token, open. Its `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct ProviderToken {
    /// The token itself.
    pub text: SecretText,
    /// Counts the tokens of its place.
    pub version: i64,
    /// When the provider gave it.
    pub fetched_at: Instant,
    /// Until when it is good.
    pub expires_at: Instant,
}

/// What is kept in a place now.
#[derive(Debug)]
pub struct FoundToken {
    /// Counts the tokens of the place; 0: there was none yet.
    pub version: i64,
    /// The token, good or not, unless there is none.
    pub token: Option<ProviderToken>,
}

/// The tokens of all workspaces. Cheap to clone.
#[derive(Clone)]
pub struct ProviderTokens {
    store: Store,
    clock: SharedClock,
    vault: Vault,
}

impl ProviderTokens {
    /// On this database.
    pub fn new(store: Store, clock: SharedClock, vault: Vault) -> Self {
        Self { store, clock, vault }
    }

    /// The place of a token that is asked with these parts, on all processes the same.
    pub fn place(&self, workspace: WorkspaceId, parts: &[&[u8]]) -> TokenPlace {
        let all: Vec<&[u8]> = [&b"provider_token"[..], workspace.0.as_bytes()]
            .into_iter()
            .chain(parts.iter().copied())
            .collect();
        TokenPlace { workspace, id: ProviderTokenId(self.vault.number(&all)) }
    }

    /// What is kept there.
    pub async fn find(&self, place: TokenPlace) -> Result<FoundToken, ServiceError> {
        let row = self.store.read().await?.provider_token(place.workspace, place.id).await?;
        let Some(row) = row else { return Ok(FoundToken { version: 0, token: None }) };
        let version = row.version;
        Ok(FoundToken { version, token: row.token.and_then(|kept| self.opened(place, version, &kept)) })
    }

    fn opened(&self, place: TokenPlace, version: i64, kept: &KeptToken) -> Option<ProviderToken> {
        let aad = place_of_provider_token(place.workspace, place.id, version);
        match self.vault.open(&aad, &kept.sealed, None) {
            Ok(text) => {
                let KeptToken { fetched_at, expires_at, .. } = *kept;
                let token = ProviderToken { text, version, fetched_at, expires_at };
                self.tell_logs(&token);
                Some(token)
            }
            Err(error) => {
                tracing::debug!(%error, "a kept token cannot be read; a new one is fetched");
                None
            }
        }
    }

    /// Takes the row, to fetch the token after `version`; `false`: another process does, or has
    /// done so. Taking it again makes the hold longer.
    pub async fn hold(
        &self,
        place: TokenPlace,
        version: i64,
        holder: WorkerId,
    ) -> Result<bool, ServiceError> {
        let now = self.clock.now();
        let span = (now, now + HOLD);
        let TokenPlace { workspace, id } = place;
        let held = self.store.write(move |tx| {
            Box::pin(async move { tx.hold_provider_token(workspace, id, version, holder, span).await })
        });
        held.await.map_err(ServiceError::Store)
    }

    /// From now on no log line shows this token.
    pub fn tell_logs(&self, token: &ProviderToken) {
        self.vault.hears_of(token.text.expose());
    }

    /// Keeps the token that was fetched after `version`. An error, or a lost hold, leaves it in the
    /// hands of whoever fetched it: `false`.
    pub async fn keep(&self, place: TokenPlace, holder: WorkerId, token: &ProviderToken) -> bool {
        let kept = self.write(place, holder, token).await;
        if let Err(error) = &kept {
            tracing::warn!(%error, "a token could not be kept");
        }
        kept.unwrap_or(false)
    }

    async fn write(
        &self,
        place: TokenPlace,
        holder: WorkerId,
        token: &ProviderToken,
    ) -> Result<bool, ServiceError> {
        let TokenPlace { workspace, id } = place;
        let version = token.version;
        let aad = place_of_provider_token(workspace, id, version);
        let sealed = self.vault.seal(&aad, token.text.expose())?;
        let kept = KeptToken { sealed, fetched_at: token.fetched_at, expires_at: token.expires_at };
        let written = self.store.write(move |tx| {
            Box::pin(async move { tx.keep_provider_token(workspace, id, version, holder, &kept).await })
        });
        written.await.map_err(ServiceError::Store)
    }

    /// Lets go of the row without a new token. Where that cannot be written, the hold ends by itself.
    pub async fn let_go(&self, place: TokenPlace, holder: WorkerId) {
        let TokenPlace { workspace, id } = place;
        let gone = self.store.write(move |tx| {
            Box::pin(async move { tx.let_go_of_provider_token(workspace, id, holder).await })
        });
        if let Err(error) = gone.await {
            tracing::debug!(%error, "the row of a token stays held for a while");
        }
    }

    /// The provider did not accept this token with a request that left at `sent`; one that was fetched
    /// later stays.
    pub async fn spoil(&self, place: TokenPlace, version: i64, sent: Instant) -> Result<(), ServiceError> {
        let TokenPlace { workspace, id } = place;
        let spoilt = self.store.write(move |tx| {
            Box::pin(async move { tx.spoil_provider_token(workspace, id, version, sent).await })
        });
        spoilt.await.map_err(ServiceError::Store)
    }
}
