//! What an attempt needs before its first template: the plan of its version, its connection as it
//! is now, its secrets, and the roots that its templates read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::context::{Engine, Stop};
use super::occasion::Occasion;
use super::roots::{data, scope};
use crate::domain::api_call::ApiCall;
use crate::domain::auth::Auth;
use crate::domain::connection::Connection;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::firing::MAX_DEPTH;
use crate::domain::ids::{CaseId, FieldKey};
use crate::domain::overrides::Overrides;
use crate::domain::redact::{Label, Redactor, credentials_in};
use crate::domain::run::{FieldStatus, Reason};
use crate::domain::secret::SecretText;
use crate::domain::template::Scope;
use crate::domain::watch::WatchRoot;
use crate::service::{ConnectionPlan, OpenFailed, Opened, Plan};
use crate::store::ClaimedRun;

/// Milliseconds for one attempt when neither the field nor its connection names any.
pub(super) const DEFAULT_TIMEOUT_MS: u64 = 30_000;

/// Everything that an attempt reads.
pub(super) struct Prepared {
    /// The case type at the version that the run keeps.
    pub(super) plan: Arc<Plan>,
    /// Key of the field.
    pub(super) field: String,
    /// The field's connection as it is now.
    connection: Option<ConnectionPlan>,
    /// The roots.
    pub(super) scope: Scope,
    /// The case's data, output variables included.
    pub(super) data: Arc<Value>,
    /// The secrets that the request uses, opened.
    pub(super) secrets: Opened,
    /// Knows every secret of this attempt, but not what its templates make of them.
    redactor: Redactor,
    /// Mapped values that the run leaves alone.
    pub(super) overrides: Overrides,
    /// Sent with methods that are not safe to repeat.
    pub(super) idempotency_key: String,
}

impl Prepared {
    /// Takes another key, before anything is sent.
    pub(super) fn take_key(&mut self, key: String) {
        self.scope.set("workflow_run_id", Arc::new(Value::String(key.clone())));
        self.idempotency_key = key;
    }

    /// Knows every secret of this attempt, and what its templates have made of them so far.
    pub(super) fn redactor(&self) -> Redactor {
        let made = self.scope.made_of_secrets();
        made.iter()
            .fold(self.redactor.clone(), |redactor, text| redactor.with_value(&Label::Hidden, text.expose()))
    }

    /// The field's configuration; it was there when this was made.
    pub(super) fn call(&self) -> Option<&ApiCall> {
        self.plan.case_type.field(&self.field).and_then(|field| field.api_call())
    }

    /// The connection, ready to use.
    pub(super) fn plan_of_connection(&self) -> Option<ConnectionPlan> {
        self.connection.clone()
    }

    /// The field's connection, whatever the URL.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref().map(ConnectionPlan::connection)
    }

    /// The connection, when a request of this URL stays with its provider: to another origin
    /// neither headers nor credentials of it go along.
    pub(super) fn connection_for(&self, url: &Url) -> Option<&Connection> {
        self.connection().filter(|connection| connection.reaches(url))
    }

    /// The secrets that go with a request of this URL, and their versions.
    pub(super) fn secrets_for(&self, url: &Url) -> BTreeMap<String, i64> {
        let over_connection = self.connection_for(url).is_some();
        let own = |name: &str| self.call().is_some_and(|call| call.secrets.contains(name));
        let versions = self.secrets.versions.iter().filter(|(name, _)| over_connection || own(name));
        versions.map(|(name, version)| (name.clone(), *version)).collect()
    }

    /// How a request of this URL proves who it is: as the field says, else as its connection does.
    pub(super) fn auth_for(&self, url: &Url) -> &Auth {
        match self.call().map(|call| &call.request.auth) {
            None => &Auth::None,
            Some(Auth::Inherited) => self.connection_for(url).map_or(&Auth::None, |it| &it.auth),
            Some(own) => own,
        }
    }

    /// The field says nothing of its own about how it proves who it is.
    pub(super) fn inherits_auth(&self) -> bool {
        self.call().is_some_and(|call| matches!(call.request.auth, Auth::Inherited))
    }

    /// Whether the request may differ from attempt to attempt by what it reads outside `auth`.
    pub(super) fn varies(&self) -> bool {
        self.call().is_some_and(|call| call.request.varies)
            || self.connection().is_some_and(|connection| !connection.header_secrets.is_empty())
    }

    /// Seconds for which an answer may be kept and shared; 0: not at all.
    pub(super) fn cache_seconds(&self) -> u64 {
        self.call().map_or(0, |call| call.cache_duration)
    }

    /// Milliseconds for one attempt.
    pub(super) fn timeout_ms(&self) -> u64 {
        let inherited = || self.connection().and_then(|connection| connection.timeout_ms);
        self.call().and_then(|call| call.timeout_ms).or_else(inherited).unwrap_or(DEFAULT_TIMEOUT_MS)
    }
}

/// An output variable: its name, its value, and whether the run that should have renewed it failed.
pub(super) type Output = (String, Value, bool);

/// Gathers it, or says why there is nothing to do.
pub(super) async fn prepare(engine: &Engine, run: &ClaimedRun) -> Result<Prepared, Stop> {
    if run.depth > MAX_DEPTH {
        let detail = format!(
            "this run is number {} of a chain of fields that set each other off; at most {MAX_DEPTH} may follow one change",
            run.depth
        );
        return Err(Failure::new(FailureCode::ChainTooDeep, detail).into());
    }
    let plan = engine.plans.version(run.case_type_id, run.case_type_version).await?;
    let plan = plan.ok_or(Stop::Cancelled(Reason::FieldRemoved))?;
    let call = called(&plan, &run.field)?;
    if !call.enabled && run.attempt == 1 {
        return Err(Stop::Cancelled(Reason::Disabled));
    }
    let outputs = outputs(engine, run.case.case.id, call, &plan).await?;
    gather(engine, &run.into(), plan, &outputs).await
}

/// The field's configuration in this version.
pub(super) fn called<'p>(plan: &'p Plan, field: &FieldKey) -> Result<&'p ApiCall, Stop> {
    let field = plan.case_type.field(field.as_str());
    field.and_then(|field| field.api_call()).ok_or(Stop::Cancelled(Reason::FieldRemoved))
}

/// Puts it together under this plan.
pub(super) async fn gather(
    engine: &Engine,
    run: &Occasion<'_>,
    plan: Arc<Plan>,
    outputs: &[Output],
) -> Result<Prepared, Stop> {
    let call = called(&plan, run.field)?;
    let connection = connection(engine, run, call).await?;
    let secrets = open(engine, run, call, connection.as_ref()).await?;
    let redactor = redactor(&plan, run.field, connection.as_ref(), &secrets);
    let data = data(run.case, outputs);
    let scope = scope(run, &plan, &data, outputs, &secrets);
    let (field, idempotency_key) = (run.field.to_string(), run.idempotency_key.to_owned());
    let overrides = if run.overwrite { Overrides::default() } else { run.case.overrides.clone() };
    Ok(Prepared { plan, field, connection, scope, data, secrets, redactor, overrides, idempotency_key })
}

/// The field's connection as it is now.
async fn connection(
    engine: &Engine,
    run: &Occasion<'_>,
    call: &ApiCall,
) -> Result<Option<ConnectionPlan>, Stop> {
    let Some(key) = &call.connection else { return Ok(None) };
    let found = engine.connections.current(run.workspace, key).await?;
    let Some((plan, _)) = found else {
        let detail =
            format!("the connection `{key}` does not exist any more: set it with PUT /v1/connections/{key}");
        return Err(Failure::new(FailureCode::ConnectionDisabled, detail).into());
    };
    if call.request.url.is_relative() && plan.connection().base_url.is_none() {
        let detail =
            format!("the connection `{key}` has no `base_url` that the url of the field could follow");
        return Err(Failure::new(FailureCode::TemplateFailed, detail).into());
    }
    Ok(Some(plan))
}

/// The secrets of the field and those of its connection that the request can need.
async fn open(
    engine: &Engine,
    run: &Occasion<'_>,
    call: &ApiCall,
    connection: Option<&ConnectionPlan>,
) -> Result<Opened, Stop> {
    let mut names = call.secrets.clone();
    if let Some(connection) = connection.map(ConnectionPlan::connection) {
        names.extend(connection.header_secrets.union(&connection.tls.secrets).cloned());
        if matches!(call.request.auth, Auth::Inherited) {
            names.extend(connection.auth_secrets.iter().cloned());
        }
    }
    engine.secrets.open(run.workspace, &names, run.credentials_epoch).await.map_err(|failed| match failed {
        OpenFailed::Missing(name) => {
            let detail = format!("the secret `{name}` does not exist: set it with PUT /v1/secrets/{name}");
            Failure::new(FailureCode::SecretMissing, detail).into()
        }
        OpenFailed::Unreadable(detail) => Failure::new(FailureCode::SecretMissing, detail).into(),
        OpenFailed::Store(error) => Stop::from(error),
    })
}

fn redactor(
    plan: &Plan,
    field: &FieldKey,
    connection: Option<&ConnectionPlan>,
    secrets: &Opened,
) -> Redactor {
    let typed = connection.map_or(&[][..], ConnectionPlan::credentials);
    let literals = plan.credentials(field).iter().chain(typed);
    let call = plan.case_type.field(field.as_str()).and_then(|field| field.api_call());
    let inherited = connection.into_iter().flat_map(|plan| &plan.connection().headers);
    let own = call.into_iter().flat_map(|call| &call.request.headers);
    let headers = inherited.chain(own).filter_map(|(name, value)| Some((name, value.literal()?)));
    let in_headers = headers.flat_map(|(name, value)| credentials_in(name, value));
    let typed = literals.map(SecretText::expose).chain(in_headers);
    let known = secrets.labels().chain(typed.map(|text| (Label::Hidden, text)));
    let places = [connection.map(|plan| &plan.connection().redact), call.map(|call| &call.redact)];
    places.into_iter().flatten().fold(Redactor::new(known), Redactor::with_paths)
}

/// The output variables that the field may read or watches; after a failed run of theirs they read null.
pub(super) async fn outputs(
    engine: &Engine,
    case: CaseId,
    call: &ApiCall,
    plan: &Plan,
) -> Result<Vec<Output>, Stop> {
    let names = plan.case_type.outputs();
    let reads = |path: &String| {
        let mut words = path.split('.');
        let first = words.next().unwrap_or_default();
        let name = if first == "data" { words.next() } else { Some(first) };
        name.is_none_or(|name| names.contains(name))
    };
    let watched = call.watch.paths().iter().filter(|path| path.root() == WatchRoot::Data);
    let looks = watched.filter_map(|path| path.segments().first()).any(|name| names.contains(name));
    let mapped = call.mapping.targets().iter().any(|target| target.needs.iter().any(reads));
    if names.is_empty() || !(looks || mapped || call.references.iter().any(reads)) {
        return Ok(Vec::new());
    }
    let tx = engine.store.read().await?;
    let kept = tx.outputs(case).await?;
    let states = tx.field_rows(case).await?;
    let failed = |name: &str| {
        let maker =
            plan.case_type.api_calls().find(|(_, call)| call.output_variable.as_deref() == Some(name));
        maker.is_some_and(|(key, _)| {
            states.iter().any(|row| row.field == *key && row.state.status == FieldStatus::Failed)
        })
    };
    Ok(kept
        .into_iter()
        .map(|(name, value)| {
            let failed = failed(&name);
            (name, value, failed)
        })
        .collect())
}
