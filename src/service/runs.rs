//! The run history.

use std::collections::BTreeMap;

use super::actor::Actor;
use super::cases::Cases;
use super::error::ServiceError;
use super::page::{Page, PageRequest};
use crate::domain::ids::{CaseId, RunId};
use crate::domain::run::{Attempt, Run};
use crate::store::{CaseName, RunFilter};

/// Use cases around runs.
#[derive(Clone)]
pub struct Runs {
    pub(super) cases: Cases,
}

impl Runs {
    /// A page of runs, newest first.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: RunFilter,
        page: PageRequest,
    ) -> Result<Page<Run>, ServiceError> {
        let before = page.after::<RunId>()?;
        let tx = self.cases.store.read().await?;
        let mut found = tx.list_runs(actor.workspace, &filter, before, page.limit + 1).await?;
        let counted = if page.count {
            Some(tx.count_runs(actor.workspace, &filter, page.most_counted()).await?)
        } else {
            None
        };
        let next = page.cut(&mut found, |last| last.id);
        Ok(Page::new(found, next, counted))
    }

    /// One run with its attempts.
    pub async fn get(&self, actor: &Actor, id: RunId) -> Result<(Run, Vec<Attempt>), ServiceError> {
        let tx = self.cases.store.read().await?;
        let run = tx.find_run(actor.workspace, id).await?.ok_or(ServiceError::NotFound("run"))?;
        let attempts = tx.attempts(id).await?;
        Ok((run, attempts))
    }

    /// What the cases of these runs are called, as far as they are there.
    pub async fn case_names(
        &self,
        actor: &Actor,
        runs: &[Run],
    ) -> Result<BTreeMap<CaseId, CaseName>, ServiceError> {
        let cases = runs.iter().map(|run| run.case_id).collect();
        Ok(self.cases.store.read().await?.case_names(actor.workspace, &cases).await?)
    }
}
