//! `dossier demo`: the whole service in a scratch folder, with a provider of its own, a sample
//! workspace and twenty cases that fill themselves in. It needs no network.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::parts::{App, AppOptions, default_workspace};
use super::serve::told_to_stop;
use super::system::{SystemClock, SystemRng};
use crate::config::Settings;
use crate::domain::clock::{Rng as _, SharedClock};
use crate::domain::ids::SecretName;
use crate::domain::secret::SecretText;
use crate::domain::token;
use crate::sandbox::{self, Demo};
use crate::service::{Actor, PutSecret, Services};
use crate::telemetry::LogRedactor;
use anyhow::Context as _;

/// Runs the demo until the process is told to stop, then removes its folder.
pub async fn demo(mut settings: Settings, log: LogRedactor) -> anyhow::Result<()> {
    let clock: SharedClock = Arc::new(SystemClock);
    let rng = Arc::new(SystemRng::default());
    let (provider, server) = sandbox::start("127.0.0.1:0".parse()?, clock.clone()).await?;
    let handle = server.handle();
    #[expect(
        clippy::disallowed_methods,
        reason = "the provider lives as long as the process, outside the product"
    )]
    tokio::spawn(server);

    let folder = scratch_folder(&rng.uuid(clock.now()).simple().to_string())?;
    let token = token::generate(&*rng);
    settings.database.url = format!("sqlite://{}", folder.join("dossier.db").display());
    settings.security.master_key = None;
    settings.security.master_key_file = folder.join("master.key");
    settings.security.admin_token = Some(token.clone());
    settings.network.allow.push(provider.to_string());

    let options = AppOptions { serves: true, ticks: true };
    let app = App::start(&settings, options, clock, rng, &log).await?;
    let address = app.address.context("the demo serves")?;
    let cases = fill(&app.services, token.expose(), Demo::at(provider)?).await?;
    print(&guide(&format!("http://{address}"), &token, &format!("http://{provider}"), &cases));
    told_to_stop().await?;
    app.stop(Duration::from_secs(2)).await;
    handle.stop(false).await;
    std::fs::remove_dir_all(&folder).ok();
    Ok(())
}

fn scratch_folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("dossier-demo-{name}"));
    std::fs::create_dir_all(&folder).with_context(|| format!("{} could not be made", folder.display()))?;
    Ok(folder)
}

/// Sets up the sample workspace through the same services that the API uses; answers reference
/// and id of each case.
async fn fill(services: &Services, token: &str, demo: Demo) -> anyhow::Result<Vec<(String, String)>> {
    let actor = actor(services, token).await?;
    for secret in demo.secrets {
        let name: SecretName = secret.name.parse()?;
        let put = PutSecret::new(secret.value, &secret.hosts, true)?;
        services.secrets.put(&actor, name, put).await?;
    }
    for case_type in demo.case_types {
        services.case_types.create(&actor, &case_type).await?;
    }
    let mut cases = Vec::with_capacity(demo.cases.len());
    for demo in demo.cases {
        let (view, _) = services.cases.create(&actor, &demo.case).await?;
        cases.push((view.case.reference.unwrap_or_default(), view.case.id.to_string()));
    }
    Ok(cases)
}

async fn actor(services: &Services, token: &str) -> anyhow::Result<Actor> {
    let workspace = default_workspace()?;
    let actor = services.access.authenticate(token).await?;
    actor.with_context(|| format!("the token of the workspace `{workspace}` was not accepted"))
}

/// What to open and what to try.
fn guide(api: &str, token: &SecretText, provider: &str, cases: &[(String, String)]) -> String {
    let token = token.expose();
    let id = |reference: &str| {
        let found = cases.iter().find(|(known, _)| known == reference);
        found.map_or("", |(_, id)| id.as_str()).to_owned()
    };
    let (first, loan) = (id("KYB-1001"), id("LOAN-2001"));
    format!(
        r#"
Dossier is running with a made-up provider and {count} cases that fill themselves in.

  API       {api}     (description: {api}/openapi.json)
  Provider  {provider}     (what it offers: {provider}/sandbox)

In another terminal:

  export DOSSIER={api} TOKEN={token}

  # A case: its data filled in, the state of each field, where every value came from
  curl -s -H "Authorization: Bearer $TOKEN" $DOSSIER/v1/cases/{first}

  # All cases; those whose VAT check failed; those that wait for input
  curl -s -H "Authorization: Bearer $TOKEN" "$DOSSIER/v1/cases?limit=20"
  curl -s -H "Authorization: Bearer $TOKEN" "$DOSSIER/v1/cases?field.vat_check=failed"
  curl -s -H "Authorization: Bearer $TOKEN" "$DOSSIER/v1/cases?field.vat_check=skipped:missing_input"

  # A new case, answered when its fields are filled in
  curl -s -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -H "Prefer: wait=10" \
    -d '{{"case_type": "company_onboarding", "title": "My own", "data": {{"country": "BE", "vat_number": "BE1929457088"}}}}' \
    $DOSSIER/v1/cases

  # The refresh button of one field, and the history behind it
  curl -s -H "Authorization: Bearer $TOKEN" -H "Prefer: wait=10" -X POST \
    $DOSSIER/v1/cases/{loan}/fields/credit_score/refresh
  curl -s -H "Authorization: Bearer $TOKEN" "$DOSSIER/v1/runs?limit=5"

  # Trouble at the provider, and back to normal
  curl -s -X PUT -H "Content-Type: application/json" -d '{{"fault": "503"}}' {provider}/sandbox/settings
  curl -s -X PUT -H "Content-Type: application/json" -d '{{"fault": null, "latency_ms": 0}}' {provider}/sandbox/settings

Ctrl+C ends the demo and removes its data.
"#,
        count = cases.len()
    )
}

#[expect(clippy::print_stdout, reason = "the guide is what the command is for")]
fn print(text: &str) {
    println!("{text}");
}
