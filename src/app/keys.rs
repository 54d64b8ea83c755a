//! Whether the master keys at hand are those of the database, and another one in their place.
//!
//! A wrong key never gets as far as sealing something: what was sealed with the right one would
//! stay, and nobody could read both.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio_util::task::TaskTracker;

use super::parts::open_unchecked;
use super::system::{SystemClock, SystemRng};
use crate::config::{self, LoadedKeys, Settings};
use crate::domain::clock::{SharedClock, SharedRng};
use crate::service::{self, KeyCheck, Rotated, Services};
use crate::telemetry::LogRedactor;

const REMEDY: &str = "put the key back, or give it as DOSSIER__SECURITY__MASTER_KEY";

/// Stops the start with keys that are not those of the database, and overwrites nothing.
pub(super) async fn check(services: &Services, loaded: &LoadedKeys, shared: bool) -> anyhow::Result<()> {
    let check = service::check_keys(services).await?;
    if check.missing.is_empty() && check.unproved.is_empty() {
        return Ok(());
    }
    if check.missing.is_empty() && !check.sealed && !shared {
        // The key was changed before anything was sealed with it, which nobody has to know of.
        return Ok(service::adopt(services).await?);
    }
    refuse(&check, loaded)
}

/// Stops a copy of this file before its first row when the master keys at hand are not those of the
/// file: the database that it goes to could not be opened with them. The file is only read.
pub(super) async fn check_source(settings: &Settings, log: &LogRedactor, from: &str) -> anyhow::Result<()> {
    let (clock, rng): (SharedClock, SharedRng) =
        (Arc::new(SystemClock::default()), Arc::new(SystemRng::default()));
    // The database that the copy goes to needs a key that is there; none is made for it.
    config::load_master_key(&settings.security, false, &*rng)?;
    let mut source = settings.clone();
    from.clone_into(&mut source.database.url);
    let tasks = TaskTracker::new();
    let (services, loaded) = open_unchecked(&source, &clock, &rng, log, &tasks).await?;
    let check = service::compare_keys(&services).await;
    close(services, tasks).await;
    let check = check?;
    if check.missing.is_empty() && check.unproved.is_empty() { Ok(()) } else { refuse(&check, &loaded) }
}

fn refuse(check: &KeyCheck, loaded: &LoadedKeys) -> anyhow::Result<()> {
    let KeyCheck { sealed, missing, unproved } = check;
    if let Some(path) = &loaded.created {
        // Made by us a moment ago and of no use: left there it would pass for the right one.
        std::fs::remove_file(path).ok();
        let path = path.display();
        bail!(
            "the master key is missing ({path}), but the database holds secrets that were sealed with it: {REMEDY}"
        );
    }
    let (ours, known) =
        (loaded.keys.current().id(), listed(if missing.is_empty() { unproved } else { missing }));
    if missing.is_empty() && unproved.contains(&ours) {
        bail!(
            "the master key {ours} has the id of the one that this database was used with, but it is another key: {REMEDY}"
        );
    }
    if !sealed {
        bail!(
            "the master key {ours} is not the one that the other processes on this database use ({known}): {REMEDY}. Nothing \
             is sealed yet, so where all of them shall have this one, run `dossier secrets rotate-key` with it"
        );
    }
    bail!(
        "the master key {ours} is not the one that the secrets in the database were sealed with ({known}): {REMEDY}; where \
         the key is being changed, give the old one as DOSSIER__SECURITY__PREVIOUS_MASTER_KEYS"
    )
}

fn listed(ids: &BTreeSet<String>) -> String {
    ids.iter().cloned().collect::<Vec<_>>().join(", ")
}

/// What `dossier secrets rotate-key` did.
#[derive(Debug)]
pub(super) struct Changed {
    /// Id of the key that everything is sealed with now.
    pub(super) key: String,
    /// What was sealed anew.
    pub(super) rotated: Rotated,
    /// Where the operator has to take something out.
    pub(super) left_over: Option<String>,
}

/// Seals everything anew: with a new key, made here, where the key is in a file of this machine;
/// else with the key that the settings name first.
pub(super) async fn rotate(settings: &Settings, log: &LogRedactor) -> anyhow::Result<Changed> {
    let (clock, rng): (SharedClock, SharedRng) =
        (Arc::new(SystemClock::default()), Arc::new(SystemRng::default()));
    let shared = settings.database.is_shared();
    let in_file = settings.security.master_key.is_none();
    let path = &settings.security.master_key_file;
    // A database without its key is refused before a file is touched.
    let tasks = TaskTracker::new();
    let (services, loaded) = open_unchecked(settings, &clock, &rng, log, &tasks).await?;
    let checked = permitted(&services, &loaded).await;
    close(services, tasks).await;
    checked?;
    let change = if in_file && !shared { config::change_key(path, &*rng)? } else { None };
    let tasks = TaskTracker::new();
    let (services, loaded) = open_unchecked(settings, &clock, &rng, log, &tasks).await?;
    let rotated = service::rotate(&services).await;
    close(services, tasks).await;
    let rotated = rotated
        .context("the change of the master key is not finished; run the command again to go on with it")?;
    let several = loaded.keys.ids().len() > 1;
    if let Some(change) = change {
        change.end()?;
        return Ok(Changed { key: loaded.keys.current().id(), rotated, left_over: None });
    }
    let place = if in_file {
        format!("the further lines of {}", path.display())
    } else {
        "security.previous_master_keys".to_owned()
    };
    Ok(Changed { key: loaded.keys.current().id(), rotated, left_over: Some(place).filter(|_| several) })
}

async fn permitted(services: &Services, loaded: &LoadedKeys) -> anyhow::Result<()> {
    let check = service::check_keys(services).await?;
    if !check.missing.is_empty() || (check.sealed && !check.unproved.is_empty()) {
        return refuse(&check, loaded);
    }
    Ok(())
}

async fn close(services: Services, tasks: TaskTracker) {
    services.store.stop().await;
    tasks.close();
    tasks.wait().await;
}
