//! Runs by hand: repeat one that has ended, cancel one that has not.

use super::actor::Actor;
use super::error::ServiceError;
use super::once;
use super::plan::Plan;
use super::runs::Runs;
use crate::domain::api_call::ApiCall;
use crate::domain::case::Case;
use crate::domain::failure::RunError;
use crate::domain::ids::RunId;
use crate::domain::once::{Kept, Once};
use crate::domain::run::{Fired, NewRun, Priority, Run};
use crate::domain::trigger::Trigger;
use crate::store::Repeatable;

impl Runs {
    /// Repeats a run that has ended; answers the run to follow, a new one unless a run of the
    /// field waits that has not begun: then it is that one.
    ///
    /// The idempotency key goes with it when nobody knows whether the last request was acted
    /// upon; the engine drops it should the request turn out to be another one. `new_key`: it
    /// does not go with it in any case.
    pub async fn retry(
        &self,
        actor: &Actor,
        id: RunId,
        new_key: bool,
        repeat: Option<Once>,
    ) -> Result<Run, ServiceError> {
        loop {
            if let Some(run) = self.retry_now(actor, id, new_key, repeat.clone()).await? {
                return Ok(run);
            }
        }
    }

    /// None: the case type was changed at the same moment.
    async fn retry_now(
        &self,
        actor: &Actor,
        id: RunId,
        new_key: bool,
        repeat: Option<Once>,
    ) -> Result<Option<Run>, ServiceError> {
        let tx = self.cases.store.read().await?;
        let old = tx.find_run(actor.workspace, id).await?.ok_or(ServiceError::NotFound("run"))?;
        if !old.status.is_ended() {
            return Err(ServiceError::InProgress(
                "the run has not ended: wait for its end, or cancel it first".to_owned(),
            ));
        }
        let case = tx.find_case(actor.workspace, old.case_id).await?.ok_or(ServiceError::NotFound("case"))?;
        let kept = tx.repeatable(id).await?;
        drop(tx);
        let plan = self.cases.plans.version(case.case.case_type_id, case.case_type_version).await?;
        let plan = plan.ok_or(ServiceError::NotFound("case"))?;
        let call = callable(&plan, &old)?;
        let kept = Repeatable { kept_key: kept.kept_key.filter(|_| !new_key), ..kept };
        let new = self.repetition(actor, old, &case.case, &plan, call, kept);
        self.enqueue(actor, new, repeat).await
    }

    fn repetition(
        &self,
        actor: &Actor,
        old: Run,
        case: &Case,
        plan: &Plan,
        call: &ApiCall,
        kept: Repeatable,
    ) -> NewRun {
        let now = self.cases.clock.now();
        let why = Fired { trigger: Trigger::Manual, priority: Priority::Manual, by: actor.by(), at: now };
        let id = RunId(self.cases.rng.uuid(now));
        NewRun {
            force: old.force,
            overwrite: old.overwrite,
            old: kept.old,
            retry_of: Some(old.id),
            kept_key: kept.kept_key,
            input: old.input,
            ..NewRun::new(id, case, plan.under(), &old.field, call, why)
        }
    }

    async fn enqueue(
        &self,
        actor: &Actor,
        new: NewRun,
        repeat: Option<Once>,
    ) -> Result<Option<Run>, ServiceError> {
        let (workspace, case, now) = (actor.workspace, new.case_id, new.created_at);
        let run = self
            .cases
            .store
            .write(move |tx| {
                Box::pin(async move {
                    tx.hold_cases([case]).await?;
                    once::first(tx, repeat.as_ref()).await?;
                    let row = tx.find_case(workspace, case).await?.ok_or(ServiceError::NotFound("case"))?;
                    if row.case_type_version != new.case_type_version {
                        return Ok(None);
                    }
                    let followed = tx.fire(&[new]).await?.pop().ok_or(ServiceError::NotFound("run"))?;
                    tx.touch_case(case, now).await?;
                    once::keep(tx, repeat.as_ref(), Kept::accepted(followed.run())).await?;
                    let run = tx.find_run(workspace, followed.run()).await?;
                    Ok::<_, ServiceError>(Some(run.ok_or(ServiceError::NotFound("run"))?))
                })
            })
            .await?;
        self.cases.store.signals().changed([case]);
        Ok(run)
    }

    /// Cancels a run that waits or works. An answer that is under way is dropped, and the field
    /// shows again what it showed before.
    pub async fn cancel(&self, actor: &Actor, id: RunId, repeat: Option<Once>) -> Result<Run, ServiceError> {
        let (workspace, now) = (actor.workspace, self.cases.clock.now());
        let run = self
            .cases
            .store
            .write(move |tx| {
                Box::pin(async move {
                    once::first(tx, repeat.as_ref()).await?;
                    let run = tx.find_run(workspace, id).await?.ok_or(ServiceError::NotFound("run"))?;
                    tx.hold_cases([run.case_id]).await?;
                    let run = tx.find_run(workspace, id).await?.ok_or(ServiceError::NotFound("run"))?;
                    if run.status.is_ended() {
                        let status = run.status.as_str();
                        let detail = format!("the run has ended ({status}): there is nothing to cancel");
                        return Err(ServiceError::RunEnded(detail));
                    }
                    let sentence = "Somebody cancelled this run. Refresh the field to run it again.";
                    let error = RunError::cancelled(sentence, run.attempt, now);
                    tx.cancel_run(run.case_id, id, &error).await?;
                    once::keep(tx, repeat.as_ref(), Kept::done(format!("/v1/runs/{id}"))).await?;
                    tx.find_run(workspace, id).await?.ok_or(ServiceError::NotFound("run"))
                })
            })
            .await?;
        self.cases.store.signals().withdrawn(run.case_id);
        Ok(run)
    }
}

/// The field as it is now, if it can run.
fn callable<'p>(plan: &'p Plan, old: &Run) -> Result<&'p ApiCall, ServiceError> {
    let field = plan.case_type.field(old.field.as_str()).and_then(|field| field.api_call());
    let call = field.ok_or(ServiceError::NotFound("field"))?;
    if call.enabled { Ok(call) } else { Err(ServiceError::field_disabled(&old.field)) }
}
