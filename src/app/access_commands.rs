//! The commands that show who may come in and what was changed, and that change the master key.

use anyhow::bail;

use super::commands::{known_workspace, print, with_services};
use super::keys::{self, Changed};
use crate::config::Settings;
use crate::domain::clock::rfc3339;
use crate::domain::ids::WorkspaceKey;
use crate::service::{Rotated, Verified};
use crate::telemetry::LogRedactor;

/// `dossier workspace list`: one line each, key and name.
pub async fn list_workspaces(settings: &Settings, log: &LogRedactor) -> anyhow::Result<()> {
    let rows = with_services(settings, log, async |services, _| Ok(services.workspaces.all().await?)).await?;
    let lines: Vec<String> = rows.iter().map(|row| format!("{}\t{}", row.key, row.name)).collect();
    if lines.is_empty() { Ok(()) } else { Ok(print(&lines.join("\n"))?) }
}

/// `dossier secrets list`: one line each, without values.
pub async fn list_secrets(
    settings: &Settings,
    log: &LogRedactor,
    workspace: Option<&WorkspaceKey>,
) -> anyhow::Result<()> {
    let infos = with_services(settings, log, async |services, _| {
        let workspace = known_workspace(services, workspace).await?;
        Ok(services.secrets.list_in(workspace).await?)
    })
    .await?;
    let mut lines = vec!["name\tversion\tupdated_at\tlast_used_at\thosts".to_owned()];
    lines.extend(infos.iter().map(|info| {
        let hosts: Vec<_> = info.hosts.iter().map(ToString::to_string).collect();
        let used = info.last_used_at.map_or_else(|| "never".to_owned(), rfc3339);
        format!("{}\t{}\t{}\t{used}\t{}", info.name, info.version, rfc3339(info.updated_at), hosts.join(","))
    }));
    Ok(print(&lines.join("\n"))?)
}

/// `dossier secrets rotate-key`.
pub async fn rotate_key(settings: &Settings, log: &LogRedactor) -> anyhow::Result<()> {
    let Changed { key, rotated, left_over } = Box::pin(keys::rotate(settings, log)).await?;
    let Rotated { secrets, case_types, connections } = rotated;
    let text = format!(
        "Everything is sealed with the master key {key}. Sealed anew: {secrets} secrets, credentials of {case_types} versions \
         of case types and of {connections} connections."
    );
    let more = match left_over {
        Some(place) => format!(" The old key is of no use any more: take it out of {place}."),
        None if rotated.total() == 0 && settings.security.master_key.is_some() => {
            " To change it, set a new one as security.master_key and the old one as security.previous_master_keys \
             on every process, then run this again."
                .to_owned()
        }
        None => String::new(),
    };
    Ok(print(&format!("{text}{more}"))?)
}

/// `dossier audit verify`: an error when a chain is broken.
pub async fn verify_audit(
    settings: &Settings,
    log: &LogRedactor,
    workspace: Option<WorkspaceKey>,
) -> anyhow::Result<()> {
    let verified = with_services(settings, log, async |services, _| {
        let mut verified = Vec::new();
        for row in services.workspaces.all().await? {
            if workspace.as_ref().is_none_or(|key| *key == row.key) {
                verified.push((row.key, services.audit.verify(row.id).await?));
            }
        }
        Ok(verified)
    })
    .await?;
    if let (Some(key), true) = (workspace, verified.is_empty()) {
        bail!("there is no workspace `{key}`");
    }
    let mut broken = Vec::new();
    for (key, Verified { last, broken: why }) in verified {
        match why {
            None => print(&format!(
                "The audit of `{key}` is whole: {} entries, the last with hash {}.",
                last.number,
                hex::encode(last.hash)
            ))?,
            Some(why) => broken.push(format!("the audit of `{key}` is broken: {why}")),
        }
    }
    if broken.is_empty() { Ok(()) } else { bail!(broken.join("\n")) }
}
