//! Fields by hand: refresh one, several or all of a case.

use serde_json::{Map, Value};

use super::actor::Actor;
use super::cases::Cases;
use super::error::ServiceError;
use super::once;
use super::plan::Plan;
use crate::domain::api_call::ApiCall;
use crate::domain::case::Case;
use crate::domain::case_type::findings::unknown_word;
use crate::domain::ids::{CaseId, FieldKey, RunId};
use crate::domain::once::{Kept, Once};
use crate::domain::problem::code;
use crate::domain::run::{Fired, NewRun, Priority, Run};
use crate::domain::trigger::Trigger;

/// What a refresh says.
#[derive(Debug, Clone, Default)]
pub struct RefreshRequest {
    /// The root `input` of the field's templates.
    pub input: Option<Map<String, Value>>,
    /// Skip the cache look-up.
    pub force: bool,
    /// Clear overrides when the run succeeds.
    pub overwrite: bool,
    /// Which fields, for a refresh of the case.
    pub fields: Option<Vec<FieldKey>>,
    /// The key of the request, if it has one.
    pub once: Option<Once>,
}

/// Use cases around fields.
#[derive(Clone)]
pub struct Fields {
    pub(super) cases: Cases,
}

impl Fields {
    /// Refreshes one field; answers the run to follow.
    pub async fn refresh(
        &self,
        actor: &Actor,
        case: CaseId,
        field: &FieldKey,
        request: RefreshRequest,
    ) -> Result<Run, ServiceError> {
        let request = RefreshRequest { fields: Some(vec![field.clone()]), ..request };
        let kept = |runs: Vec<RunId>| match runs[..] {
            [run] => Kept::accepted(run),
            _ => Kept::accepted_all(runs),
        };
        let queued = self.queue(actor, case, request, kept).await;
        let mut runs = queued.map_err(|error| match error {
            // The only thing in its body that can be wrong here came from the path.
            ServiceError::Invalid(_) => ServiceError::NotFound("field"),
            other => other,
        })?;
        runs.pop().ok_or(ServiceError::NotFound("run"))
    }

    /// Refreshes the named fields of a case; without names every field that is switched on,
    /// except those that only ever run by hand.
    pub async fn refresh_all(
        &self,
        actor: &Actor,
        case: CaseId,
        request: RefreshRequest,
    ) -> Result<Vec<Run>, ServiceError> {
        self.queue(actor, case, request, Kept::accepted_all).await
    }

    async fn queue(
        &self,
        actor: &Actor,
        case: CaseId,
        request: RefreshRequest,
        kept: fn(Vec<RunId>) -> Kept,
    ) -> Result<Vec<Run>, ServiceError> {
        loop {
            if let Some(runs) = self.queue_now(actor, case, &request, kept).await? {
                return Ok(runs);
            }
        }
    }

    /// None: the case type was changed at the same moment.
    async fn queue_now(
        &self,
        actor: &Actor,
        case: CaseId,
        request: &RefreshRequest,
        kept: fn(Vec<RunId>) -> Kept,
    ) -> Result<Option<Vec<Run>>, ServiceError> {
        let view = self.cases.get(actor, case).await?;
        let version = view.case_type_version;
        let plan = self.cases.plans.version(view.case.case_type_id, version).await?;
        let plan = plan.ok_or(ServiceError::NotFound("case"))?;
        let firings = chosen(&plan, request.fields.as_deref())?
            .into_iter()
            .map(|(key, call)| self.manual_run(actor, &view.case, &plan, key, call, request))
            .collect::<Vec<_>>();
        let (workspace, now, once) = (actor.workspace, self.cases.clock.now(), request.once.clone());
        self.cases
            .store
            .write(move |tx| {
                Box::pin(async move {
                    tx.hold_cases([case]).await?;
                    once::first(tx, once.as_ref()).await?;
                    let row = tx.find_case(workspace, case).await?.ok_or(ServiceError::NotFound("case"))?;
                    if row.case_type_version != version {
                        return Ok(None);
                    }
                    let mut runs = Vec::with_capacity(firings.len());
                    for followed in tx.fire(&firings).await? {
                        runs.extend(tx.find_run(workspace, followed.run()).await?);
                    }
                    if !runs.is_empty() {
                        tx.touch_case(case, now).await?;
                    }
                    let ids = runs.iter().map(|run: &Run| run.id).collect();
                    once::keep(tx, once.as_ref(), kept(ids)).await?;
                    Ok::<_, ServiceError>(Some(runs))
                })
            })
            .await
    }

    fn manual_run(
        &self,
        actor: &Actor,
        case: &Case,
        plan: &Plan,
        key: &FieldKey,
        call: &ApiCall,
        request: &RefreshRequest,
    ) -> NewRun {
        let now = self.cases.clock.now();
        let why = Fired { trigger: Trigger::Manual, priority: Priority::Manual, by: actor.by(), at: now };
        NewRun {
            input: request.input.clone().map(Value::Object),
            force: request.force,
            overwrite: request.overwrite,
            ..NewRun::new(RunId(self.cases.rng.uuid(now)), case, plan.under(), key, call, why)
        }
    }
}

/// The fields that a refresh means.
fn chosen<'p>(
    plan: &'p Plan,
    named: Option<&[FieldKey]>,
) -> Result<Vec<(&'p FieldKey, &'p ApiCall)>, ServiceError> {
    let Some(named) = named else {
        let automatic = |call: &ApiCall| call.enabled && call.triggers.iter().any(|t| *t != Trigger::Manual);
        return Ok(plan.case_type.api_calls().filter(|(_, call)| automatic(call)).collect());
    };
    let mut found = Vec::with_capacity(named.len());
    for (at, key) in named.iter().enumerate() {
        let field = plan.case_type.api_calls().find(|(known, _)| *known == key);
        let (key, call) = field.ok_or_else(|| unknown_field(plan, at, key))?;
        if !call.enabled {
            return Err(ServiceError::field_disabled(key));
        }
        if !found.iter().any(|(known, _): &(&FieldKey, &ApiCall)| *known == key) {
            found.push((key, call));
        }
    }
    Ok(found)
}

fn unknown_field(plan: &Plan, at: usize, key: &FieldKey) -> ServiceError {
    let known: Vec<_> = plan.case_type.api_calls().map(|(key, _)| key.as_str()).collect();
    let message = unknown_word(key.as_str(), "an API Call field of this case type", &known);
    ServiceError::invalid(&format!("/fields/{at}"), code::UNKNOWN_REFERENCE, message)
}
