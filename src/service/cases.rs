//! Cases: create, read, change, delete. Lists of them are in `case_lists.rs`.
//!
//! Creating a case queues the runs of its `on_create` fields in the same transaction and
//! returns: no service ever waits for a provider.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::actor::Actor;
use super::case_body::CaseBody;
use super::change::{self, Patch};
use super::error::ServiceError;
use super::plan::Plan;
use super::plans::Plans;
use super::precondition;
use super::summary::Summaries;
use super::views::CaseView;
use crate::domain::case::{Case, CaseStatus, Provenance, ProvenanceEntry, Source};
use crate::domain::case_type::Origin;
use crate::domain::clock::{SharedClock, SharedRng};
use crate::domain::data::DataPath;
use crate::domain::expected::Expected;
use crate::domain::ids::{CaseId, CaseTypeKey, RunId};
use crate::domain::once::{Kept, Once};
use crate::domain::problem::{Problem, code};
use crate::domain::run::{Fired, NewRun, Priority};
use crate::domain::trigger::Trigger;
use crate::store::{CommitLimits, CreateOutcome, NewCase, Store};

/// Use cases around cases.
#[derive(Clone)]
pub struct Cases {
    pub(super) store: Store,
    pub(super) plans: Plans,
    pub(super) clock: SharedClock,
    pub(super) rng: SharedRng,
    pub(super) limits: CommitLimits,
    pub(super) summaries: Summaries,
}

impl Cases {
    /// Creates a case from a request body; answers it with the runs that it queued. With a key
    /// it is created once.
    pub async fn create(
        &self,
        actor: &Actor,
        body: &Value,
        once: Option<Once>,
    ) -> Result<(CaseView, Vec<RunId>), ServiceError> {
        let body = CaseBody::read(body)?;
        let Some(key) = body.case_type.clone() else {
            let message = "`case_type` is missing: name the type of the case";
            return Err(ServiceError::Invalid(vec![Problem::new("/case_type", code::REQUIRED, message)]));
        };
        // What is remembered of a case type may be older than what another process made of it.
        let mut plan = self.plan_for(actor, &key).await?;
        loop {
            let new = match self.new_case(actor, &plan, body.clone()) {
                Err(refused) if self.is_current(&plan).await? => return Err(refused),
                new => new.ok(),
            };
            if let Some(new) = new
                && let Some(created) = self.create_new(actor, new, once.clone()).await?
            {
                return Ok(created);
            }
            self.plans.gone(&plan).await;
            plan = self.plan_for(actor, &key).await?;
        }
    }

    async fn is_current(&self, plan: &Plan) -> Result<bool, ServiceError> {
        let current = self.store.read().await?.current_version(plan.id).await?;
        Ok(current == Some(plan.version))
    }

    /// None: the case type is another one by now.
    async fn create_new(
        &self,
        actor: &Actor,
        mut new: NewCase,
        once: Option<Once>,
    ) -> Result<Option<(CaseView, Vec<RunId>)>, ServiceError> {
        let (id, reference) = (new.case.id, new.case.reference.clone());
        let runs: Vec<RunId> = new.runs.iter().map(|run| run.id).collect();
        new.once = once.map(|once| (once, Kept::created(format!("/v1/cases/{id}")).with_runs(runs.clone())));
        match self.store.create_case(new).await? {
            CreateOutcome::Created => Ok(Some((self.get_after(actor, id).await?, runs))),
            CreateOutcome::TypeChanged => Ok(None),
            CreateOutcome::ReferenceTaken => Err(reference_taken(reference.as_deref())),
            CreateOutcome::Replayed(repeat) => Err(repeat.into()),
        }
    }

    async fn plan_for(&self, actor: &Actor, key: &str) -> Result<Arc<Plan>, ServiceError> {
        let plan = match key.parse::<CaseTypeKey>() {
            Ok(key) => self.plans.current(actor.workspace, &key).await?,
            Err(_) => None,
        };
        plan.ok_or_else(|| {
            let message = format!("there is no case type `{key}`: create it first, or check the spelling");
            ServiceError::Invalid(vec![Problem::new("/case_type", code::UNKNOWN_REFERENCE, message)])
        })
    }

    fn new_case(&self, actor: &Actor, plan: &Plan, body: CaseBody) -> Result<NewCase, ServiceError> {
        let now = self.clock.now();
        let given = body.data.unwrap_or_default();
        let data = plan.case_type.check_data(&given, Origin::Creation).map_err(ServiceError::Invalid)?;
        let by = actor.by();
        let mut provenance = Provenance::whole(ProvenanceEntry::by(Source::Initial, &by, now));
        for name in data.keys().filter(|name| !given.contains_key(*name)) {
            provenance.set(name, ProvenanceEntry::by(Source::Default, &by, now));
        }
        let (outputs, data) = change::split_outputs(data, plan, &[]);
        change::check_sizes(&data, &outputs, self.limits)?;
        let case = Case {
            id: CaseId(self.rng.uuid(now)),
            workspace: actor.workspace,
            case_type_id: plan.id,
            case_type: plan.key.clone(),
            reference: body.reference.flatten(),
            title: body.title.flatten(),
            status: body.status.unwrap_or(CaseStatus::InProgress),
            custom_status: body.custom_status.flatten(),
            assignee: body.assignee.flatten(),
            version: 1,
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        let runs = self.first_runs(&case, plan, &by);
        let case_type_version = plan.version;
        Ok(NewCase { case, case_type_version, data, outputs, provenance, runs, once: None })
    }

    /// One run for every field that fires on creation.
    fn first_runs(&self, case: &Case, plan: &Plan, by: &str) -> Vec<NewRun> {
        let fires =
            plan.case_type.api_calls().filter(|(_, call)| call.enabled && call.fires_on(Trigger::OnCreate));
        fires
            .map(|(key, call)| {
                let why = Fired {
                    trigger: Trigger::OnCreate,
                    priority: Priority::Triggered,
                    by: by.to_owned(),
                    at: case.created_at,
                };
                NewRun::new(RunId(self.rng.uuid(case.created_at)), case, plan.under(), key, call, why)
            })
            .collect()
    }

    /// One case.
    pub async fn get(&self, actor: &Actor, id: CaseId) -> Result<CaseView, ServiceError> {
        let tx = self.store.read().await?;
        let snapshot = tx.find_snapshot(actor.workspace, id).await?.ok_or(ServiceError::NotFound("case"))?;
        drop(tx);
        let (id, version) = (snapshot.row.case.case_type_id, snapshot.row.case_type_version);
        let plan = self.plans.version(id, version).await?;
        let plan = plan.ok_or(ServiceError::NotFound("case"))?;
        Ok(CaseView::new(snapshot, &plan, self.clock.now()))
    }

    /// One case that was just changed: that it cannot be read takes nothing back.
    async fn get_after(&self, actor: &Actor, id: CaseId) -> Result<CaseView, ServiceError> {
        self.get(actor, id).await.map_err(|error| match error {
            ServiceError::Store(error) => error.after_commit().into(),
            other => other,
        })
    }

    /// Changes a case, if it is as expected, by a merge patch (RFC 7396) of its members, and fires
    /// what the change fires. `pins`: mapped targets that it changes become overrides.
    pub async fn patch(
        &self,
        actor: &Actor,
        id: CaseId,
        body: &Value,
        pins: bool,
        expected: Expected,
    ) -> Result<CaseView, ServiceError> {
        let body = CaseBody::read(body)?;
        let current = self.get(actor, id).await?;
        self.patch_from(actor, &current, body, pins, (expected, None)).await
    }

    /// Changes a case by a merge patch that was made of what somebody has `seen`; mapped targets
    /// that it changes become overrides. Refused as [`ServiceError::VersionMismatch`] when the case
    /// is at another version, or when a run has written since then what the patch changes.
    pub async fn patch_seen(
        &self,
        actor: &Actor,
        seen: &CaseView,
        body: &Value,
    ) -> Result<CaseView, ServiceError> {
        let expected = Expected::OneOf(vec![seen.case.version]);
        self.patch_from(actor, seen, CaseBody::read(body)?, true, (expected, Some(seen.data.clone()))).await
    }

    async fn patch_from(
        &self,
        actor: &Actor,
        current: &CaseView,
        body: CaseBody,
        pins: bool,
        (expected, seen): (Expected, Option<Map<String, Value>>),
    ) -> Result<CaseView, ServiceError> {
        let id = current.case.id;
        if body.case_type.as_deref().is_some_and(|key| key != current.case.case_type.as_str()) {
            let message =
                "the type of a case cannot be changed: leave `case_type` out, or send the case's own";
            return Err(ServiceError::Invalid(vec![Problem::new("/case_type", code::INVALID, message)]));
        }
        let reference = body.reference.clone().flatten();
        let patch = Patch { actor: actor.clone(), case: id, body, pins: pins && actor.overrides, seen };
        let this = self.clone();
        let written = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    precondition::check_case(tx, patch.actor.workspace, id, &expected).await?;
                    change::patch(tx, &this, patch).await
                })
            })
            .await;
        match written {
            Err(ServiceError::Store(crate::store::StoreError::Duplicate(_))) => {
                Err(reference_taken(reference.as_deref()))
            }
            Err(error) => Err(error),
            Ok(()) => self.get_after(actor, id).await,
        }
    }

    /// Gives an overridden target back to the runs of its field, if the case is as expected.
    pub async fn clear_override(
        &self,
        actor: &Actor,
        id: CaseId,
        path: &DataPath,
        expected: Expected,
    ) -> Result<(), ServiceError> {
        let (actor, path, now) = (actor.clone(), path.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    precondition::check_case(tx, actor.workspace, id, &expected).await?;
                    change::clear_override(tx, &actor, id, &path, now).await
                })
            })
            .await
    }

    /// Deletes a case, if it is as expected; runs that wait are cancelled, an answer in flight is
    /// dropped.
    pub async fn delete(&self, actor: &Actor, id: CaseId, expected: Expected) -> Result<(), ServiceError> {
        let (workspace, now) = (actor.workspace, self.clock.now());
        let found = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    precondition::check_case(tx, workspace, id, &expected).await?;
                    Ok::<_, ServiceError>(tx.delete_case(workspace, id, now).await?)
                })
            })
            .await?;
        self.store.signals().withdrawn(id);
        if !found {
            return Err(ServiceError::NotFound("case"));
        }
        self.store.case_deleted(workspace, id);
        Ok(())
    }
}

fn reference_taken(reference: Option<&str>) -> ServiceError {
    let reference = reference.unwrap_or_default();
    ServiceError::AlreadyExists(format!("another case has the reference `{reference}`: choose another one"))
}
