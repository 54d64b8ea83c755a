//! Links that sign somebody in: printed by their command, by the demo, and at a first start on a
//! terminal.
//!
//! Such a link is good once, for an hour. It leads to the address that the settings say, which is
//! where the process listens that serves the same database.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context as _;

use super::commands::{known_workspace, print, with_services};
use super::parts::default_workspace;
use crate::config::Settings;
use crate::domain::ids::WorkspaceKey;
use crate::domain::secret::SecretText;
use crate::service::{ServiceError, Services};
use crate::telemetry::LogRedactor;

/// `dossier sign-in-link`: prints the link.
pub async fn print_sign_in_link(
    settings: &Settings,
    log: &LogRedactor,
    workspace: Option<&WorkspaceKey>,
    email: Option<&str>,
) -> anyhow::Result<()> {
    let token = with_services(settings, log, async |services, _| {
        let default = default_workspace()?;
        if workspace.is_none_or(|key| *key == default) {
            services.access.ensure_workspace(&default).await?;
        }
        let workspace = known_workspace(services, workspace).await?;
        services.people.link_in(workspace, email).await.map_err(|error| match (error, email) {
            (ServiceError::NotFound(_), Some(email)) => {
                anyhow::anyhow!("nobody in this workspace has the e-mail {email}; add them first")
            }
            (error, _) => error.into(),
        })
    })
    .await?;
    Ok(print(&link(settings.server.listen, &token))?)
}

/// For the demo: signs in the admin of the sample workspace.
pub(super) async fn demo_link(services: &Services, listens: SocketAddr) -> anyhow::Result<String> {
    let key = default_workspace()?;
    let workspace = services.access.workspace(&key).await?.context("the workspace of the demo is there")?;
    Ok(link(listens, &services.people.link_in(workspace.id, None).await?))
}

/// Tells somebody who sits at the terminal how to come in, where nobody has come in yet.
pub(super) async fn greet(services: &Services, listens: SocketAddr) -> anyhow::Result<()> {
    if !stderr().is_terminal() {
        return Ok(());
    }
    let key = default_workspace()?;
    let Some(workspace) = services.access.workspace(&key).await? else { return Ok(()) };
    if let Some(token) = services.people.first_link(workspace.id).await? {
        let link = link(listens, &token);
        // A terminal that is gone is nobody's trouble.
        writeln!(stderr().lock(), "Open {link} to sign in; the link is good once, for an hour.").ok();
    }
    Ok(())
}

/// Who listens everywhere is found on this machine, too.
fn link(listens: SocketAddr, token: &SecretText) -> String {
    let ip = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}/sign-in/{}", SocketAddr::new(ip, listens.port()), token.expose())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_an_address_that_can_be_opened() {
        let token = SecretText::from("t".to_owned());
        for (listens, expected) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/sign-in/t"),
            ("0.0.0.0:80", "http://127.0.0.1:80/sign-in/t"),
            ("[::]:8080", "http://[::1]:8080/sign-in/t"),
            ("192.0.2.1:8080", "http://192.0.2.1:8080/sign-in/t"),
        ] {
            assert_eq!(link(listens.parse().unwrap(), &token), expected);
        }
    }
}
