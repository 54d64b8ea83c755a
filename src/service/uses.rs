//! When tokens, sessions and secrets were used last.
//!
//! A use is noted in memory, which costs a request or a run no more than a lock; the sweep writes
//! what is new, each thing at most once a minute. What is shown is the later of both.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;

use crate::domain::clock::Instant;
use crate::domain::ids::{SecretName, SessionId, TokenId, WorkspaceId};
use crate::store::{Store, StoreError};

/// Between two writes for one thing.
const APART: TimeDelta = TimeDelta::minutes(1);

/// After so long without a use a thing is forgotten here.
const FORGOTTEN: TimeDelta = TimeDelta::hours(1);

/// What is used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Thing {
    Token(TokenId),
    Session(SessionId),
    Secret(WorkspaceId, SecretName),
}

#[derive(Debug, Clone, Copy)]
struct Use {
    at: Instant,
    written: Option<Instant>,
}

impl Use {
    fn is_due(&self) -> bool {
        self.written.is_none_or(|written| self.at - written >= APART)
    }
}

/// The last uses that this process knows of. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Uses(Arc<Mutex<HashMap<Thing, Use>>>);

impl Uses {
    fn known(&self) -> MutexGuard<'_, HashMap<Thing, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, thing: Thing, at: Instant) {
        self.known()
            .entry(thing)
            .and_modify(|last| last.at = last.at.max(at))
            .or_insert(Use { at, written: None });
    }

    /// A token was used.
    pub(super) fn token(&self, id: TokenId, at: Instant) {
        self.note(Thing::Token(id), at);
    }

    /// A session was used.
    pub(super) fn session(&self, id: SessionId, at: Instant) {
        self.note(Thing::Session(id), at);
    }

    /// A secret was used.
    pub(super) fn secret(&self, workspace: WorkspaceId, name: SecretName, at: Instant) {
        self.note(Thing::Secret(workspace, name), at);
    }

    /// When a token was used last, which a row says, too.
    pub(super) fn of_token(&self, id: TokenId, row: Option<Instant>) -> Option<Instant> {
        row.max(self.known().get(&Thing::Token(id)).map(|last| last.at))
    }

    /// When a session was used last, which a row says, too.
    pub(super) fn of_session(&self, id: SessionId, row: Instant) -> Instant {
        self.known().get(&Thing::Session(id)).map_or(row, |last| last.at.max(row))
    }

    /// When a secret was used last, which a row says, too.
    pub(super) fn of_secret(
        &self,
        workspace: WorkspaceId,
        name: &SecretName,
        row: Option<Instant>,
    ) -> Option<Instant> {
        row.max(self.known().get(&Thing::Secret(workspace, name.clone())).map(|last| last.at))
    }

    /// Writes the uses of at least a minute after the one that was written last.
    pub async fn write(&self, store: &Store, now: Instant) -> Result<(), StoreError> {
        let mut due: Vec<(Thing, Instant)> = {
            let mut known = self.known();
            known.retain(|_, last| last.is_due() || now - last.at < FORGOTTEN);
            known
                .iter()
                .filter(|(_, last)| last.is_due())
                .map(|(thing, last)| (thing.clone(), last.at))
                .collect()
        };
        if due.is_empty() {
            return Ok(());
        }
        // In one order, so that two processes do not wait for one another.
        due.sort();
        let rows = due.clone();
        let written: Result<(), StoreError> = store
            .write_later(move |tx| {
                Box::pin(async move {
                    for (thing, at) in &rows {
                        match thing {
                            Thing::Token(id) => tx.token_used(*id, *at).await?,
                            Thing::Session(id) => tx.session_used(*id, *at).await?,
                            Thing::Secret(workspace, name) => tx.secret_used(*workspace, name, *at).await?,
                        }
                    }
                    Ok(())
                })
            })
            .await;
        written?;
        let mut known = self.known();
        for (thing, at) in due {
            if let Some(last) = known.get_mut(&thing) {
                last.written = Some(at);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Instant {
        DateTime::from_timestamp(1_795_253_400 + seconds, 0).unwrap()
    }

    #[test]
    fn a_use_is_due_once_a_minute() {
        for (written, used, due) in
            [(None, 0, true), (Some(0), 59, false), (Some(0), 60, true), (Some(60), 0, false)]
        {
            let last = Use { at: at(used), written: written.map(at) };
            assert_eq!(last.is_due(), due, "{last:?}");
        }
    }

    #[test]
    fn the_later_use_is_shown() {
        let (uses, id) = (Uses::default(), TokenId(Uuid::nil()));
        assert_eq!(uses.of_token(id, None), None);
        assert_eq!(uses.of_token(id, Some(at(1))), Some(at(1)));
        uses.token(id, at(5));
        uses.token(id, at(4));
        assert_eq!(uses.of_token(id, Some(at(1))), Some(at(5)));
        assert_eq!(uses.of_token(id, Some(at(9))), Some(at(9)));
    }
}
