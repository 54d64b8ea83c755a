//! Taking due runs into the hands of a worker, in order of priority, and keeping them there.
//!
//! A claim begins an attempt: it counts it, fixes the case type version at the first one, and
//! gives the worker everything that the attempt reads. A run whose predecessor of the same
//! field still lives is passed over.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::QueryResult;
use serde_json::Value;
use uuid::Uuid;

use super::dialect::Dialect;
use super::error::StoreError;
use super::rows::Columns;
use super::statement::{CHUNK, int, list, ms, sql, uuid};
use super::tx::Tx;
use crate::domain::case::{Case, CaseStatus};
use crate::domain::clock::Instant;
use crate::domain::ids::{
    CaseId, CaseTypeId, CaseTypeKey, FieldKey, LeaseToken, RunId, WorkerId, WorkspaceId,
};
use crate::domain::overrides::Overrides;
use crate::domain::run::Priority;
use crate::domain::trigger::Trigger;

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who asks.
    pub worker: WorkerId,
    /// Proves the hold later.
    pub token: LeaseToken,
    /// Now.
    pub now: Instant,
    /// When the hold ends unless it is renewed.
    pub until: Instant,
    /// At most so many runs.
    pub limit: u32,
}

/// A run that a worker holds.
#[derive(Debug, Clone)]
pub struct ClaimedRun {
    /// The run.
    pub id: RunId,
    /// Its tenant.
    pub workspace: WorkspaceId,
    /// The case's type.
    pub case_type_id: CaseTypeId,
    /// The version that the run keeps from its first attempt on.
    pub case_type_version: i64,
    /// Its field.
    pub field: FieldKey,
    /// Why it runs.
    pub trigger: Trigger,
    /// This attempt, counted from 1.
    pub attempt: u32,
    /// Attempts that it may make.
    pub attempts_max: u32,
    /// Answers 429 so far.
    pub limited: u32,
    /// Workers lost so far.
    pub lost: u32,
    /// The same over all attempts.
    pub idempotency_key: String,
    /// Of the request that it was begun with, where that is known: its own, or that of the run
    /// whose key it keeps.
    pub fingerprint: Option<Vec<u8>>,
    /// The member `input` of the refresh.
    pub input: Option<Value>,
    /// Skip the cache look-up.
    pub force: bool,
    /// Clear overrides when it succeeds.
    pub overwrite: bool,
    /// Its place in the queue.
    pub priority: Priority,
    /// How many mapped writes led here.
    pub depth: u32,
    /// The run whose mapping fired this one.
    pub parent_run_id: Option<RunId>,
    /// What `when` reads as `old`.
    pub old: Option<Arc<Value>>,
    /// The run that this one repeats by hand.
    pub retry_of: Option<RunId>,
    /// Whether the case's creation is among what fired it.
    pub on_create: bool,
    /// `now` of its templates: when its first attempt was claimed.
    pub sealed_at: Instant,
    /// When this attempt was claimed.
    pub claimed_at: Instant,
    /// Proves the hold.
    pub token: LeaseToken,
    /// Its case as it is now.
    pub case: ClaimedCase,
}

/// What an attempt reads of its case.
#[derive(Debug, Clone)]
pub struct ClaimedCase {
    /// The case.
    pub case: Case,
    /// Its data, an object without output variables; shared, since it can be large.
    pub data: Arc<Value>,
    /// Mapped values that somebody set by hand.
    pub overrides: Overrides,
}

const RUN_COLUMNS: &str = "id, workspace_id, case_id, case_type_id, case_type_version, field, trigger, attempt, \
     attempts_max, limited, lost, idempotency_key, fingerprint, input, force, overwrite, priority, depth, parent_run_id, \
     old, retry_of, COALESCE(joined, '') LIKE '%\"on_create\"%', sealed_at";

/// Ids of the `$5` runs to take at `$4`. Each priority is searched by itself: so the index leads
/// past what waits for later, and a hundred thousand retries to come cost a claim nothing.
fn first_due(dialect: Dialect) -> String {
    let of_priority = |priority: &Priority| {
        format!(
            "SELECT * FROM (SELECT due.id, due.priority, due.due_at FROM run AS due JOIN cases ON cases.id = due.case_id \
               WHERE due.status = 'queued' \
               AND due.priority = {} AND due.due_at <= $4 AND (due.begun OR NOT EXISTS (SELECT 1 FROM run AS before \
                 WHERE before.case_id = due.case_id AND before.field = due.field AND before.begun \
                 AND before.status IN ('queued', 'running'))) ORDER BY due.due_at LIMIT $5{}) AS first",
            priority.rank(),
            dialect.skip_locked("due, cases")
        )
    };
    let each: Vec<String> = Priority::ALL.iter().map(of_priority).collect();
    format!("SELECT id FROM ({}) AS due ORDER BY priority, due_at LIMIT $5", each.join(" UNION ALL "))
}

pub(super) async fn claim(tx: &Tx, claim: &Claim) -> Result<Vec<ClaimedRun>, StoreError> {
    let statement = format!(
        "UPDATE run SET status = 'running', waiting_for = NULL, due_at = NULL, not_before = NULL, \
           case_type_version = CASE WHEN begun THEN case_type_version ELSE \
             COALESCE((SELECT version FROM case_type WHERE case_type.id = run.case_type_id), case_type_version) END, \
           begun = TRUE, attempt = attempt + 1, worker_id = $1, lease_token = $2, lease_until = $3, \
           started_at = COALESCE(started_at, $4), sealed_at = COALESCE(sealed_at, $4) \
         WHERE id IN ({}) RETURNING {RUN_COLUMNS}",
        first_due(tx.dialect())
    );
    let values =
        vec![uuid(claim.worker.0), uuid(claim.token.0), ms(claim.until), ms(claim.now), int(claim.limit)];
    let rows = tx.all(sql(statement, values)).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let cases = cases_of(tx, &rows).await?;
    rows.iter().filter_map(|row| claimed_run(row, claim, &cases).transpose()).collect()
}

/// `None` when the case is gone: its deletion has cancelled the run in another transaction.
fn claimed_run(
    row: &QueryResult,
    claim: &Claim,
    cases: &HashMap<Uuid, ClaimedCase>,
) -> Result<Option<ClaimedRun>, StoreError> {
    let mut columns = Columns::of("run", row)?;
    let workspace = WorkspaceId(columns.get()?);
    let Some(case) = cases.get(&columns.get::<Uuid>()?) else { return Ok(None) };
    let (case_type_id, case_type_version) = (CaseTypeId(columns.get()?), columns.get()?);
    let field = columns.word(|text| text.parse::<FieldKey>().ok())?;
    let trigger = columns.word(Trigger::parse)?;
    Ok(Some(ClaimedRun {
        id: RunId(columns.id()),
        workspace,
        case_type_id,
        case_type_version,
        field,
        trigger,
        attempt: columns.count()?,
        attempts_max: columns.count()?,
        limited: columns.count()?,
        lost: columns.count()?,
        idempotency_key: columns.get()?,
        fingerprint: columns.get()?,
        input: columns.maybe_json()?,
        force: columns.get()?,
        overwrite: columns.get()?,
        priority: columns.priority()?,
        depth: columns.count()?,
        parent_run_id: columns.get::<Option<Uuid>>()?.map(RunId),
        old: columns.maybe_json()?.map(Arc::new),
        retry_of: columns.get::<Option<Uuid>>()?.map(RunId),
        on_create: columns.get::<bool>()? || trigger == Trigger::OnCreate,
        sealed_at: columns.at()?,
        claimed_at: claim.now,
        token: claim.token,
        case: case.clone(),
    }))
}

async fn cases_of(tx: &Tx, runs: &[QueryResult]) -> Result<HashMap<Uuid, ClaimedCase>, StoreError> {
    let mut ids = runs.iter().map(|row| row.try_get_by_index(2)).collect::<Result<Vec<Uuid>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    let statement = format!(
        "SELECT cases.id, cases.workspace_id, case_type_id, key, reference, title, status, custom_status, assignee, \
         cases.version, revision, cases.created_at, cases.updated_at, data, overrides FROM cases \
         JOIN case_type ON case_type.id = case_type_id WHERE cases.id IN ({})",
        list(ids.len(), 1)
    );
    let rows = tx.all(sql(statement, ids.into_iter().map(uuid).collect())).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of("cases", row)?;
            let case = case(&mut columns)?;
            let data = Arc::new(Value::Object(columns.json()?));
            Ok((columns.id(), ClaimedCase { case, data, overrides: columns.json()? }))
        })
        .collect()
}

/// The columns that `cases_of` and the readers of cases begin with.
pub(super) fn case(columns: &mut Columns<'_>) -> Result<Case, StoreError> {
    Ok(Case {
        id: CaseId(columns.id()),
        workspace: WorkspaceId(columns.get()?),
        case_type_id: CaseTypeId(columns.get()?),
        case_type: columns.word(|text| text.parse::<CaseTypeKey>().ok())?,
        reference: columns.get()?,
        title: columns.get()?,
        status: columns.word(CaseStatus::parse)?,
        custom_status: columns.get()?,
        assignee: columns.get()?,
        version: columns.get()?,
        revision: columns.get()?,
        created_at: columns.at()?,
        updated_at: columns.at()?,
    })
}

impl Tx {
    /// Renews what a worker holds; answers the runs that it does not hold any more. A run of its
    /// name that it does not work on is left to the sweep.
    pub async fn renew_leases(
        &self,
        worker: WorkerId,
        held: &[RunId],
        until: Instant,
    ) -> Result<Vec<RunId>, StoreError> {
        let mut renewed = Vec::with_capacity(held.len());
        for chunk in held.chunks(CHUNK) {
            let statement = format!(
                "UPDATE run SET lease_until = $1 WHERE worker_id = $2 AND status = 'running' AND id IN ({}) RETURNING id",
                list(chunk.len(), 3)
            );
            let values = [ms(until), uuid(worker.0)].into_iter().chain(chunk.iter().map(|run| uuid(run.0)));
            for row in self.all(sql(statement, values.collect())).await? {
                renewed.push(row.try_get_by_index::<Uuid>(0)?);
            }
        }
        Ok(held.iter().filter(|run| !renewed.contains(&run.0)).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[tokio::test]
    async fn a_claim_does_not_look_at_runs_that_wait_for_later() {
        let (_folder, store) = testing::store().await;
        let tx = store.read().await.unwrap();
        let values = [0; 5].map(int).to_vec();
        let steps =
            tx.all(sql(format!("EXPLAIN QUERY PLAN {}", first_due(Dialect::Sqlite)), values)).await.unwrap();
        let steps: Vec<String> = steps.iter().map(|row| row.try_get_by_index(3).unwrap()).collect();
        let searched = steps
            .iter()
            .filter(|step| step.starts_with("SEARCH due USING INDEX run_due (priority=? AND due_at<"));
        assert_eq!(searched.count(), Priority::ALL.len(), "{steps:#?}");
        assert!(!steps.iter().any(|step| step.starts_with("SCAN due USING")), "{steps:#?}");
    }
}
