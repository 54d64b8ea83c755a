//! Case types as they are run: compiled once per version and shared.
//!
//! A version never changes, so its plan is kept until memory is wanted for others, or a connection
//! whose endpoints it takes over has changed. Which version is the current one is remembered for
//! up to 5 s, and known at once where it was saved; so whoever writes by a remembered version names it,
//! and the transaction refuses it when it is not the current one. So are the params of workspaces, which change
//! without a version of the case type: a plan is then made anew around the same compiled definition.

use std::sync::Arc;

use moka::future::Cache;
use serde_json::{Map, Value};

use super::access::REMEMBERED;
use super::compiled::{compile, parse};
use super::endpoint_uses::{Leaned, are_current};
use super::error::ServiceError;
use super::plan::Plan;
use super::shared_params::{Shared, SharedParams, keep_greater};
use super::vault::Vault;
use crate::domain::ids::{CaseTypeId, CaseTypeKey, ConnectionKey, WorkspaceId};
use crate::domain::problem::Problem;
use crate::store::{CaseTypeRow, Store, Tx, WorkspaceRow};

const PLANS: u64 = 1_000;
const TYPES: u64 = 10_000;

/// All plans. Cheap to clone.
#[derive(Clone)]
pub struct Plans {
    pub(super) store: Store,
    pub(super) vault: Vault,
    versions: Cache<(CaseTypeId, i64), Arc<Plan>>,
    current: Cache<(WorkspaceId, CaseTypeKey), (CaseTypeId, i64)>,
    latest: Cache<CaseTypeId, i64>,
    shared: SharedParams,
}

impl Plans {
    /// On this database.
    pub fn new(store: Store, vault: Vault) -> Self {
        Self {
            store,
            vault,
            versions: Cache::new(PLANS),
            current: Cache::builder().max_capacity(TYPES).time_to_live(REMEMBERED).build(),
            latest: Cache::builder().max_capacity(TYPES).time_to_live(REMEMBERED).build(),
            shared: SharedParams::new(),
        }
    }

    /// The current version of the case type with this key.
    pub async fn current(
        &self,
        workspace: WorkspaceId,
        key: &CaseTypeKey,
    ) -> Result<Option<Arc<Plan>>, ServiceError> {
        if let Some((id, version)) = self.current.get(&(workspace, key.clone())).await
            && let Some(plan) = self.version(id, version).await?
        {
            return Ok(Some(plan));
        }
        let tx = self.store.read().await?;
        let Some(row) = tx.find_case_type(workspace, key).await? else { return Ok(None) };
        self.saved(&row).await;
        self.of_row(&tx, row).await.map(Some)
    }

    /// As [`Plans::current`], as it is in the database now.
    pub async fn now(
        &self,
        workspace: WorkspaceId,
        key: &CaseTypeKey,
    ) -> Result<Option<Arc<Plan>>, ServiceError> {
        self.current.invalidate(&(workspace, key.clone())).await;
        self.current(workspace, key).await
    }

    /// The current version of the case type with this id.
    pub async fn by_id_current(&self, id: CaseTypeId) -> Result<Option<Arc<Plan>>, ServiceError> {
        if let Some(version) = self.latest.get(&id).await
            && let Some(plan) = self.version(id, version).await?
        {
            return Ok(Some(plan));
        }
        let tx = self.store.read().await?;
        let Some(row) = tx.get_case_type(id).await? else { return Ok(None) };
        self.saved(&row).await;
        self.of_row(&tx, row).await.map(Some)
    }

    /// The current version of the case type with this id, as this transaction sees it.
    pub async fn current_in(&self, tx: &Tx, id: CaseTypeId) -> Result<Option<Arc<Plan>>, ServiceError> {
        match tx.current_version(id).await? {
            Some(version) => self.version_in(tx, id, version).await,
            None => Ok(None),
        }
    }

    /// The current version of the case type with this id, as it is in the database now.
    pub async fn by_id_now(&self, id: CaseTypeId) -> Result<Option<Arc<Plan>>, ServiceError> {
        self.latest.invalidate(&id).await;
        self.by_id_current(id).await
    }

    /// The current versions of all case types of a workspace, by key.
    pub async fn all_current(&self, workspace: WorkspaceId) -> Result<Vec<Arc<Plan>>, ServiceError> {
        let tx = self.store.read().await?;
        self.all_current_in(&tx, workspace).await
    }

    /// As [`Plans::all_current`], inside a transaction.
    pub async fn all_current_in(
        &self,
        tx: &Tx,
        workspace: WorkspaceId,
    ) -> Result<Vec<Arc<Plan>>, ServiceError> {
        let mut plans = Vec::new();
        for (id, version) in tx.list_current_versions(workspace).await? {
            plans.extend(self.version_in(tx, id, version).await?);
        }
        Ok(plans)
    }

    /// One version of a case type.
    pub async fn version(&self, id: CaseTypeId, version: i64) -> Result<Option<Arc<Plan>>, ServiceError> {
        if let Some(plan) = self.versions.get(&(id, version)).await
            && plan.leans_on.is_empty()
            && let Some(shared) = self.shared.known(plan.workspace).await
        {
            return Ok(Some(self.fitted(plan, &shared).await));
        }
        let tx = self.store.read().await?;
        self.version_in(&tx, id, version).await
    }

    /// As [`Plans::version`], inside a transaction.
    pub async fn version_in(
        &self,
        tx: &Tx,
        id: CaseTypeId,
        version: i64,
    ) -> Result<Option<Arc<Plan>>, ServiceError> {
        if let Some(plan) = self.kept(tx, (id, version)).await? {
            let shared = self.shared.read(tx, plan.workspace).await?;
            return Ok(Some(self.fitted(plan, &shared).await));
        }
        match tx.case_type_version(id, version).await? {
            Some(row) => self.of_row(tx, row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn of_row(&self, tx: &Tx, row: CaseTypeRow) -> Result<Arc<Plan>, ServiceError> {
        let shared = self.shared.read(tx, row.workspace).await?;
        if let Some(plan) = self.kept(tx, (row.id, row.version)).await? {
            return Ok(self.fitted(plan, &shared).await);
        }
        let leaned = Leaned::load(tx, row.workspace, &row.definition).await?;
        let (case_type, typed) = compile(&row, &leaned, &self.vault)?;
        let params = Map::clone(&shared.params).into_iter().chain(case_type.params.clone()).collect();
        let plan = Arc::new(Plan {
            id: row.id,
            workspace: row.workspace,
            key: row.key,
            version: row.version,
            case_type: Arc::new(case_type),
            params: Arc::new(Value::Object(params)),
            params_version: shared.version,
            typed: Arc::new(typed),
            leans_on: leaned.versions,
        });
        self.versions.insert((plan.id, plan.version), plan.clone()).await;
        Ok(plan)
    }

    /// The plan that is kept of a version, as long as the endpoints in it are the current ones.
    async fn kept(&self, tx: &Tx, version: (CaseTypeId, i64)) -> Result<Option<Arc<Plan>>, ServiceError> {
        let Some(plan) = self.versions.get(&version).await else { return Ok(None) };
        Ok(are_current(tx, plan.workspace, &plan.leans_on).await?.then_some(plan))
    }

    /// The first reason why a version would not hold together if this connection had this
    /// definition.
    pub(super) async fn problem_with(
        &self,
        tx: &Tx,
        plan: &Plan,
        connection: (&ConnectionKey, &Value),
    ) -> Result<Option<Problem>, ServiceError> {
        let Some(row) = tx.case_type_version(plan.id, plan.version).await? else { return Ok(None) };
        let leaned = Leaned::load_with(tx, row.workspace, &row.definition, connection).await?;
        let (parsed, _) = parse(&row, &leaned, &self.vault)?;
        Ok(parsed.err().and_then(|problems| problems.into_iter().next()))
    }

    /// The plan with these params, unless it has later ones.
    async fn fitted(&self, plan: Arc<Plan>, shared: &Shared) -> Arc<Plan> {
        if plan.params_version >= shared.version {
            return plan;
        }
        let plan = Arc::new(plan.with_params(shared));
        self.versions.insert((plan.id, plan.version), plan.clone()).await;
        plan
    }

    /// Remembers the params of a workspace that was changed.
    pub(super) async fn other_params(&self, row: &WorkspaceRow) {
        let shared = Shared { version: row.version, params: Arc::new(row.params.clone()) };
        self.shared.keep(row.id, shared).await;
    }

    /// Remembers which version is current. An older one never replaces a newer one, so that who
    /// read before a save does not undo it.
    pub async fn saved(&self, row: &CaseTypeRow) {
        keep_greater(&self.current, (row.workspace, row.key.clone()), (row.id, row.version)).await;
        keep_greater(&self.latest, row.id, row.version).await;
    }

    /// Forgets a case type that was deleted.
    pub async fn removed(&self, row: &CaseTypeRow) {
        self.forget(row.workspace, &row.key, row.id).await;
    }

    /// Forgets a case type that another process has deleted.
    pub async fn gone(&self, plan: &Plan) {
        self.forget(plan.workspace, &plan.key, plan.id).await;
    }

    async fn forget(&self, workspace: WorkspaceId, key: &CaseTypeKey, id: CaseTypeId) {
        self.current.invalidate(&(workspace, key.clone())).await;
        self.latest.invalidate(&id).await;
    }
}
