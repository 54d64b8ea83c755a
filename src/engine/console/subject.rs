//! What is tried, and on which case: a stored one as it is now, or one that is made up.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Map, Value};

use super::request::{Sample, Wanted};
use crate::domain::case::{Case, CaseStatus};
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseId, CaseTypeKey, FieldKey, RunId, WorkspaceId};
use crate::domain::overrides::Overrides;
use crate::domain::problem::code;
use crate::domain::trigger::Trigger;
use crate::engine::context::{Engine, Stop};
use crate::engine::occasion::Occasion;
use crate::engine::prepare::{self, Output};
use crate::service::{Actor, Plan, ServiceError};
use crate::store::{CaseRow, ClaimedCase};

/// What is tried.
pub(in crate::engine) struct Subject {
    pub(in crate::engine) plan: Arc<Plan>,
    pub(super) field: FieldKey,
    pub(super) case: ClaimedCase,
    pub(in crate::engine) outputs: Vec<Output>,
    id: RunId,
    idempotency_key: String,
    workspace: WorkspaceId,
    input: Option<Value>,
    at: Instant,
}

impl Subject {
    /// Finds the field, as it is saved or as it was sent, and the case.
    pub(super) async fn find(
        engine: &Engine,
        actor: &Actor,
        (case_type, field): (&CaseTypeKey, &FieldKey),
        wanted: &Wanted,
    ) -> Result<Self, Stop> {
        let workspace = actor.workspace;
        let plan = match &wanted.field {
            Some(definition) => Some(engine.plans.with_field(workspace, case_type, field, definition).await?),
            None => engine.plans.now(workspace, case_type).await?,
        };
        let plan = plan.ok_or(ServiceError::NotFound("case type"))?;
        Self::of_plan(engine, (plan, field), &wanted.sample, wanted.input.clone()).await
    }

    /// A field of this plan on this sample.
    pub(in crate::engine) async fn of_plan(
        engine: &Engine,
        (plan, field): (Arc<Plan>, &FieldKey),
        sample: &Sample,
        input: Option<Value>,
    ) -> Result<Self, Stop> {
        let workspace = plan.workspace;
        let call = prepare::called(&plan, field).map_err(|_| ServiceError::NotFound("field"))?;
        let (case, outputs) = match sample {
            Sample::Case(id) => {
                let case = stored(engine, workspace, &plan, *id).await?;
                let outputs = prepare::outputs(engine, *id, call, &plan).await?;
                (case, outputs)
            }
            Sample::Data(data) => made_up(engine, workspace, &plan, data),
        };
        // Of the year 1970: an id that no run has, and another one for each test.
        let id = engine.rng.uuid(DateTime::UNIX_EPOCH);
        Ok(Self {
            field: field.clone(),
            plan,
            case,
            outputs,
            id: RunId(id),
            idempotency_key: id.to_string(),
            workspace,
            input,
            at: engine.clock.now(),
        })
    }

    /// What its templates read in place of a run.
    pub(in crate::engine) fn occasion(&self) -> Occasion<'_> {
        Occasion {
            id: self.id,
            workspace: self.workspace,
            field: &self.field,
            trigger: Trigger::Manual,
            attempt: 1,
            idempotency_key: &self.idempotency_key,
            input: self.input.as_ref(),
            overwrite: false,
            old: None,
            sealed_at: self.at,
            credentials_epoch: None,
            case: &self.case,
        }
    }
}

async fn stored(
    engine: &Engine,
    workspace: WorkspaceId,
    plan: &Plan,
    id: CaseId,
) -> Result<ClaimedCase, ServiceError> {
    let found = engine.store.read().await?.find_case(workspace, id).await?;
    let CaseRow { case, data, overrides, .. } = found.ok_or(ServiceError::NotFound("case"))?;
    if case.case_type_id != plan.id {
        let message = format!(
            "the case is of the type `{}`, not `{}`: give one of this type",
            case.case_type, plan.key
        );
        return Err(ServiceError::invalid("/case_id", code::INVALID, message));
    }
    Ok(ClaimedCase { case, data: Arc::new(Value::Object(data)), overrides })
}

/// A case that holds the sample and nothing else.
fn made_up(
    engine: &Engine,
    workspace: WorkspaceId,
    plan: &Plan,
    data: &Map<String, Value>,
) -> (ClaimedCase, Vec<Output>) {
    let at = engine.clock.now();
    let case = Case {
        id: CaseId(engine.rng.uuid(DateTime::UNIX_EPOCH)),
        workspace,
        case_type_id: plan.id,
        case_type: plan.key.clone(),
        reference: None,
        title: None,
        status: CaseStatus::InProgress,
        custom_status: None,
        assignee: None,
        version: 1,
        revision: 1,
        created_at: at,
        updated_at: at,
    };
    let names = plan.case_type.outputs();
    let (outputs, data): (Map<_, _>, Map<_, _>) =
        data.clone().into_iter().partition(|(name, _)| names.contains(name));
    let outputs = outputs.into_iter().map(|(name, value)| (name, value, false)).collect();
    (ClaimedCase { case, data: Arc::new(Value::Object(data)), overrides: Overrides::default() }, outputs)
}
