//! The caller's own workspace: its name, and the params that its case types share.
//!
//! Other params count at once here and within seconds elsewhere. They end holds and move waiting
//! runs to other lanes, as other params of a case type do; they fire nothing.

use serde_json::{Map, Value};

use super::actor::Actor;
use super::audit;
use super::case_type_edit;
use super::error::ServiceError;
use super::plan::Plan;
use super::plans::Plans;
use super::precondition;
use crate::domain::audit::{AuditAction, AuditChange, AuditKind};
use crate::domain::case::merge_patch;
use crate::domain::case_type::check_params;
use crate::domain::case_type::findings::Findings;
use crate::domain::clock::SharedClock;
use crate::domain::expected::Expected;
use crate::domain::problem::code;
use crate::store::{Store, Tx, WorkspaceRow};

/// Bytes of the params as JSON.
const MOST_BYTES: usize = 256 * 1024;

/// What shall change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkspacePatch {
    /// What people see.
    pub name: Option<String>,
    /// A merge patch of the params, an object or null: null removes one, or all of them.
    pub params: Option<Value>,
}

/// Use cases around the caller's workspace. Cheap to clone.
#[derive(Clone)]
pub struct Workspaces {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    pub(super) plans: Plans,
}

impl Workspaces {
    /// The workspace.
    pub async fn get(&self, actor: &Actor) -> Result<WorkspaceRow, ServiceError> {
        find(&self.store.read().await?, actor).await
    }

    /// All workspaces, by key: for the command line.
    pub async fn all(&self) -> Result<Vec<WorkspaceRow>, ServiceError> {
        Ok(self.store.read().await?.list_workspaces().await?)
    }

    /// Changes the workspace, if it is as expected.
    pub async fn patch(
        &self,
        actor: &Actor,
        patch: WorkspacePatch,
        expected: Expected,
    ) -> Result<WorkspaceRow, ServiceError> {
        let (this, actor) = (self.clone(), actor.clone());
        let row = self
            .store
            .write(move |tx| Box::pin(async move { this.write(tx, &actor, patch, &expected).await }))
            .await?;
        self.plans.other_params(&row).await;
        // Runs that were held or parked may go on.
        self.store.signals().wake();
        Ok(row)
    }

    async fn write(
        &self,
        tx: &Tx,
        actor: &Actor,
        patch: WorkspacePatch,
        expected: &Expected,
    ) -> Result<WorkspaceRow, ServiceError> {
        tx.hold(crate::store::Edited::Definitions(actor.workspace)).await?;
        let before = find(tx, actor).await?;
        let mut params = Value::Object(before.params.clone());
        if let Some(patch) = patch.params {
            merge_patch(&mut params, &patch);
        }
        let params = if let Value::Object(params) = params { params } else { Map::new() };
        check(&params)?;
        precondition::check_workspace(tx, &before, expected).await?;
        let name = patch.name.unwrap_or_else(|| before.name.clone());
        if name == before.name && params == before.params {
            return Ok(before);
        }
        if params != before.params {
            self.lead_elsewhere(tx, &before, &params).await?;
        }
        let now = self.clock.now();
        let row =
            WorkspaceRow { name, params, version: before.version + 1, updated_at: now, ..before.clone() };
        tx.update_workspace(&row).await?;
        let shown = |row: &WorkspaceRow| serde_json::json!({"name": row.name, "params": row.params});
        let change = AuditChange::of(AuditKind::Workspace, AuditAction::Changed, row.key.as_str())
            .with_id(row.id.0)
            .with_versions(Some(before.version), Some(row.version))
            .with_changed(audit::paths(&shown(&before), &shown(&row)));
        tx.add_audit(row.id, &actor.author(), &change, now).await?;
        Ok(row)
    }

    /// What other params mean for the fields that read them.
    async fn lead_elsewhere(
        &self,
        tx: &Tx,
        before: &WorkspaceRow,
        params: &Map<String, Value>,
    ) -> Result<(), ServiceError> {
        let plans = self.plans.all_current_in(tx, before.id).await?;
        let typed = plans.iter().filter(|plan| takes_credentials_along(plan, &before.params, params));
        let users: Vec<String> = typed.map(|plan| plan.key.to_string()).collect();
        if !users.is_empty() {
            let detail = format!(
                "fields of {} have credentials typed into their `auth` for the address that these params give them now: \
                 make them secrets, or take them out, before the params lead elsewhere",
                users.join(", ")
            );
            return Err(ServiceError::InUse { detail, users });
        }
        for plan in &plans {
            case_type_edit::other_params(tx, plan, (&before.params, params), self.clock.now()).await?;
        }
        Ok(())
    }
}

/// Whether a credential that was typed into a field would go to another lane, that is, origin.
fn takes_credentials_along(plan: &Plan, before: &Map<String, Value>, after: &Map<String, Value>) -> bool {
    let (before, after) = (plan.params_over(before), plan.params_over(after));
    plan.case_type.api_calls().any(|(field, call)| {
        let lane = |params| call.lane(params, &plan.key, field);
        !plan.credentials(field).is_empty() && lane(&before) != lane(&after)
    })
}

async fn find(tx: &Tx, actor: &Actor) -> Result<WorkspaceRow, ServiceError> {
    tx.get_workspace(actor.workspace).await?.ok_or(ServiceError::NotFound("workspace"))
}

fn check(params: &Map<String, Value>) -> Result<(), ServiceError> {
    let mut findings = Findings::default();
    check_params(params, "/params", &mut findings);
    if serde_json::to_string(params).map_or(usize::MAX, |text| text.len()) > MOST_BYTES {
        let message = format!("are too large: at most {MOST_BYTES} bytes of JSON are kept");
        findings.problem("/params".to_owned(), code::OUT_OF_RANGE, message);
    }
    if findings.problems.is_empty() { Ok(()) } else { Err(ServiceError::Invalid(findings.problems)) }
}
