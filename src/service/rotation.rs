//! Another master key: everything sealed is sealed anew under it, while processes work.
//!
//! Only the data keys are wrapped anew (60 bytes each), a few rows at a time, each where nobody
//! has written it since it was read. Rows say by which key they are sealed, so whoever is stopped
//! on the way just goes on. The last transaction looks once more that nothing is left, and only
//! then says in the database that the new key is the one.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::compiled::compile;
use super::connection_plans;
use super::endpoint_uses::Leaned;
use super::error::ServiceError;
use super::sealed_members::{SEALED_MARK, sealed_member, sealed_text};
use super::services::Services;
use super::vault::{Vault, master_keys_in, place_of_secret};
use crate::domain::audit::{AuditAction, AuditChange, AuditKind, Author};
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseTypeId, ConnectionId, SecretId};
use crate::domain::sealing::Sealed;
use crate::store::{Edited, Tx};

/// Rows in one transaction.
const STEP: u32 = 50;

/// What was sealed anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Secrets.
    pub secrets: usize,
    /// Versions of case types with typed credentials.
    pub case_types: usize,
    /// Connections with typed credentials.
    pub connections: usize,
}

impl Rotated {
    /// How many there were.
    pub fn total(self) -> usize {
        self.secrets + self.case_types + self.connections
    }

    fn add(&mut self, other: Self) {
        self.secrets += other.secrets;
        self.case_types += other.case_types;
        self.connections += other.connections;
    }
}

/// How the master keys at hand go with a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCheck {
    /// Whether anything is sealed.
    pub sealed: bool,
    /// Ids of keys that something is sealed with, and that are not at hand.
    pub missing: BTreeSet<String>,
    /// Ids of keys that the database was used with, and that nothing at hand proves to be.
    pub unproved: BTreeSet<String>,
}

/// Looks whether the master keys are those of the database. Where it knows none yet, the key
/// that seals now becomes the one.
pub async fn check_keys(services: &Services) -> Result<KeyCheck, ServiceError> {
    let (vault, now) = (services.vault.clone(), services.clock.now());
    services.store.write(move |tx| Box::pin(async move { check(tx, &vault, now).await })).await
}

/// The same, and nothing is written.
pub async fn compare_keys(services: &Services) -> Result<KeyCheck, ServiceError> {
    let tx = services.store.read().await?;
    Ok(compare(&tx, &services.vault).await?.0)
}

async fn check(tx: &Tx, vault: &Vault, now: Instant) -> Result<KeyCheck, ServiceError> {
    tx.hold(Edited::Access).await?;
    let (check, is_new) = compare(tx, vault).await?;
    if is_new {
        tx.put_key_check(&vault.check()?, now).await?;
    }
    Ok(check)
}

/// `true`: the database knows no key yet, and may come to know the one that seals now.
async fn compare(tx: &Tx, vault: &Vault) -> Result<(KeyCheck, bool), ServiceError> {
    let keys = vault.keys();
    let sealed = master_keys_in(tx).await?;
    let checks = tx.key_checks().await?;
    let missing: BTreeSet<String> = sealed.iter().filter(|id| !keys.knows(id)).cloned().collect();
    let unproved = checks.iter().filter(|check| !keys.proves(check)).map(Sealed::key_id);
    let unproved = unproved.collect();
    let is_ours = sealed.is_empty() || sealed.contains(&keys.current().id());
    let is_new = checks.is_empty() && missing.is_empty() && is_ours;
    Ok((KeyCheck { sealed: !sealed.is_empty(), missing, unproved }, is_new))
}

/// Takes the key that seals now for the one of the database: nothing is sealed with another one.
pub async fn adopt(services: &Services) -> Result<(), ServiceError> {
    let (vault, now) = (services.vault.clone(), services.clock.now());
    let written = services.store.write(move |tx| {
        Box::pin(async move {
            tx.hold(Edited::Access).await?;
            if master_keys_in(tx).await?.is_empty() {
                tx.put_key_check(&vault.check()?, now).await?;
            }
            Ok(())
        })
    });
    written.await
}

/// Seals everything anew that is not sealed with the key that seals now. Needs the keys that it is
/// sealed with.
pub async fn rotate(services: &Services) -> Result<Rotated, ServiceError> {
    let mut all = Rotated::default();
    loop {
        let pass = Rotated {
            secrets: secrets(services).await?,
            case_types: case_types(services).await?,
            connections: connections(services).await?,
        };
        all.add(pass);
        if pass.total() == 0 && finish(services).await? {
            return Ok(all);
        }
    }
}

async fn secrets(services: &Services) -> Result<usize, ServiceError> {
    let (mut done, mut after) = (0, SecretId(Uuid::nil()));
    loop {
        let vault = services.vault.clone();
        let work = services.store.write_later(move |tx| {
            Box::pin(async move {
                let rows = tx.secrets_not_under(&vault.keys().current().id(), after, STEP).await?;
                for row in &rows {
                    let place = place_of_secret(row.workspace, &row.name, row.version);
                    if let Some(sealed) = vault.rewrap(&place, &row.sealed)? {
                        tx.rewrap_secret(row, &sealed).await?;
                    }
                }
                Ok::<_, ServiceError>((rows.len(), rows.last().map(|row| row.id)))
            })
        });
        let (found, Some(last)) = work.await? else { return Ok(done) };
        done += found;
        after = last;
    }
}

async fn case_types(services: &Services) -> Result<usize, ServiceError> {
    let (mut done, mut after) = (0, (CaseTypeId(Uuid::nil()), 0));
    loop {
        let vault = services.vault.clone();
        let work = services.store.write_later(move |tx| {
            Box::pin(async move {
                let rows = tx.versions_with(SEALED_MARK, after, STEP).await?;
                let mut moved = 0;
                for row in &rows {
                    let learning = vault.learning();
                    let leaned = Leaned::load(tx, row.workspace, &row.definition).await?;
                    let opened = compile(row, &leaned, &learning).map(drop);
                    if let Some(definition) = rewrap(&row.definition, &learning, opened)? {
                        tx.rewrap_version(row, &definition).await?;
                        moved += 1;
                    }
                }
                Ok::<_, ServiceError>((moved, rows.last().map(|row| (row.id, row.version))))
            })
        });
        let (moved, Some(last)) = work.await? else { return Ok(done) };
        done += moved;
        after = last;
    }
}

async fn connections(services: &Services) -> Result<usize, ServiceError> {
    let (mut done, mut after) = (0, ConnectionId(Uuid::nil()));
    loop {
        let vault = services.vault.clone();
        let work = services.store.write_later(move |tx| {
            Box::pin(async move {
                let rows = tx.connections_with(SEALED_MARK, after, STEP).await?;
                let mut moved = 0;
                for row in &rows {
                    let learning = vault.learning();
                    let opened = connection_plans::compile(row, &learning).map(drop);
                    if let Some(definition) = rewrap(&row.definition, &learning, opened)? {
                        tx.rewrap_connection(row, &definition).await?;
                        moved += 1;
                    }
                }
                Ok::<_, ServiceError>((moved, rows.last().map(|row| row.id)))
            })
        });
        let (moved, Some(last)) = work.await? else { return Ok(done) };
        done += moved;
        after = last;
    }
}

/// A definition whose sealed members are all under the key that seals now; none: they are so already. They have just
/// been opened as they are for use, which told the vault their places; what was not opened stops the change.
fn rewrap(
    definition: &Value,
    vault: &Vault,
    opened: Result<(), ServiceError>,
) -> Result<Option<Value>, ServiceError> {
    let (mut definition, mut moved) = (definition.clone(), false);
    let mut rest = vec![&mut definition];
    while let Some(value) = rest.pop() {
        if let Some((text, sealed)) =
            sealed_text(value).and_then(|text| Some((text, Sealed::from_text(text).ok()?)))
        {
            let Some(place) = vault.learned(text) else {
                let never =
                    ServiceError::Sealing("a sealed member of a definition is never opened".to_owned());
                return Err(opened.err().unwrap_or(never));
            };
            if let Some(sealed) = vault.rewrap(&place, &sealed)? {
                *value = sealed_member(&sealed);
                moved = true;
            }
            continue;
        }
        match value {
            Value::Array(items) => rest.extend(items),
            Value::Object(members) => rest.extend(members.values_mut()),
            _ => {}
        }
    }
    Ok(moved.then_some(definition))
}

/// Says that the new key is the one; `false`: something was sealed with another one meanwhile.
async fn finish(services: &Services) -> Result<bool, ServiceError> {
    let (vault, now) = (services.vault.clone(), services.clock.now());
    let finished = services.store.write(move |tx| {
        Box::pin(async move {
            tx.hold(Edited::Access).await?;
            let id = vault.keys().current().id();
            if master_keys_in(tx).await?.iter().any(|other| *other != id) {
                return Ok::<_, ServiceError>(false);
            }
            let known = tx.key_checks().await?;
            if known.len() == 1 && known.iter().all(|check| check.key_id() == id) {
                return Ok(true);
            }
            tx.put_key_check(&vault.check()?, now).await?;
            let change = AuditChange::of(AuditKind::MasterKey, AuditAction::Rotated, id);
            for workspace in tx.list_workspaces().await? {
                tx.add_audit(workspace.id, &Author::command(), &change, now).await?;
            }
            Ok(true)
        })
    });
    finished.await
}
