//! Cached answers of providers: forgotten on request, on all processes at once.
//!
//! The answers themselves are the engine's. A purge raises an epoch in the database, and what
//! was stored before is not found any more; its memory is given back as it ages.

use super::actor::Actor;
use super::error::ServiceError;
use super::plans::Plans;
use crate::domain::ids::{CaseTypeKey, FieldKey};
use crate::store::{PurgeScope, Store};

/// Which answers shall be forgotten; nothing named: all of the workspace.
#[derive(Debug, Clone, Default)]
pub struct CachePurge {
    /// Those of the fields of this case type.
    pub case_type: Option<CaseTypeKey>,
    /// Those of this field of it.
    pub field: Option<FieldKey>,
    /// Those of this connection.
    pub connection: Option<String>,
}

/// Use cases around cached answers.
#[derive(Clone)]
pub struct CachedAnswers {
    pub(super) store: Store,
    pub(super) plans: Plans,
}

impl CachedAnswers {
    /// Forgets answers. Runs that ask from now on are not answered with them.
    pub async fn purge(&self, actor: &Actor, purge: CachePurge) -> Result<(), ServiceError> {
        let workspace = actor.workspace;
        let scope = self.scope(actor, purge).await?;
        self.store
            .write(move |tx| Box::pin(async move { Ok(tx.raise_purge_epoch(workspace, &scope).await?) }))
            .await
    }

    async fn scope(&self, actor: &Actor, purge: CachePurge) -> Result<PurgeScope, ServiceError> {
        if purge.field.is_some() && purge.case_type.is_none() {
            let detail = "`field` needs `case_type` beside it: keys of fields are unique in their case type.";
            return Err(ServiceError::BadQuery(detail.to_owned()));
        }
        if let Some(connection) = &purge.connection {
            if purge.case_type.is_some() {
                let detail = "`connection` stands alone: leave `case_type` and `field` out, or leave it out.";
                return Err(ServiceError::BadQuery(detail.to_owned()));
            }
            let key = connection.parse().map_err(|_| ServiceError::NotFound("connection"))?;
            let now = self.store.read().await?.connection_now(actor.workspace, &key).await?;
            return now.map(|now| PurgeScope::Connection(now.id)).ok_or(ServiceError::NotFound("connection"));
        }
        let Some(key) = purge.case_type else { return Ok(PurgeScope::Workspace) };
        let plan = self.plans.now(actor.workspace, &key).await?;
        let plan = plan.ok_or(ServiceError::NotFound("case type"))?;
        let Some(field) = purge.field else { return Ok(PurgeScope::CaseType(plan.id)) };
        if plan.case_type.api_calls().all(|(known, _)| *known != field) {
            return Err(ServiceError::NotFound("field"));
        }
        Ok(PurgeScope::Field(plan.id, field))
    }
}
