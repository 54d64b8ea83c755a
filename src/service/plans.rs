//! Case types as they are run: compiled once per version and shared.
//!
//! A version never changes, so its plan is kept until memory is wanted for others, or a connection
//! whose endpoints it takes over has changed. Which version
//! is the current one is remembered for up to 5 s, and known at once where it was saved.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Arc;

use moka::future::Cache;
use serde_json::Value;

use super::access::REMEMBERED;
use super::compiled::{Typed, compile, parse};
use super::endpoint_uses::{Leaned, Version, are_current};
use super::error::ServiceError;
use super::vault::Vault;
use crate::domain::case_type::CaseType;
use crate::domain::ids::{CaseTypeId, CaseTypeKey, ConnectionKey, FieldKey, WorkspaceId};
use crate::domain::problem::Problem;
use crate::domain::run::Under;
use crate::domain::secret::SecretText;
use crate::store::{CaseTypeRow, Store, Tx};

const PLANS: u64 = 1_000;
const TYPES: u64 = 10_000;

/// One version of a case type, ready to run.
pub struct Plan {
    /// The case type.
    pub id: CaseTypeId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its key.
    pub key: CaseTypeKey,
    /// The version.
    pub version: i64,
    /// The definition, compiled; literal credentials are open in it.
    pub case_type: Arc<CaseType>,
    /// What templates read as `params`: the case type's over the workspace's.
    pub params: Arc<Value>,
    pub(super) typed: Typed,
    /// The connections whose endpoints are in it, in the versions that it was made from.
    pub(super) leans_on: Vec<(ConnectionKey, Version)>,
}

impl Plan {
    /// What runs are queued under.
    pub fn under(&self) -> Under<'_> {
        Under { version: self.version, params: &self.params }
    }

    /// The credentials that were typed into a field, which nothing shown may hold.
    pub fn credentials(&self, field: &FieldKey) -> &[SecretText] {
        self.typed.get(field).map_or(&[], Vec::as_slice)
    }

    /// Whether credentials that were typed into a field go wherever this connection leads.
    pub fn types_credentials_over(&self, connection: &ConnectionKey) -> bool {
        self.case_type.api_calls().any(|(key, call)| {
            call.connection.as_ref() == Some(connection)
                && call.request.url.literal_origin().is_none()
                && !self.credentials(key).is_empty()
        })
    }

    /// Names of the secrets that any of its fields uses.
    pub fn secrets(&self) -> BTreeSet<&str> {
        self.case_type.api_calls().flat_map(|(_, call)| &call.secrets).map(String::as_str).collect()
    }

    /// Keys of the connections that any of its fields names.
    pub fn connections(&self) -> BTreeSet<&ConnectionKey> {
        self.case_type.api_calls().filter_map(|(_, call)| call.connection.as_ref()).collect()
    }
}

/// All plans. Cheap to clone.
#[derive(Clone)]
pub struct Plans {
    pub(super) store: Store,
    pub(super) vault: Vault,
    versions: Cache<(CaseTypeId, i64), Arc<Plan>>,
    current: Cache<(WorkspaceId, CaseTypeKey), (CaseTypeId, i64)>,
    latest: Cache<CaseTypeId, i64>,
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
        {
            return Ok(Some(plan));
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
            return Ok(Some(plan));
        }
        match tx.case_type_version(id, version).await? {
            Some(row) => self.of_row(tx, row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn of_row(&self, tx: &Tx, row: CaseTypeRow) -> Result<Arc<Plan>, ServiceError> {
        if let Some(plan) = self.kept(tx, (row.id, row.version)).await? {
            return Ok(plan);
        }
        let leaned = Leaned::load(tx, row.workspace, &row.definition).await?;
        let (case_type, typed) = compile(&row, &leaned, &self.vault)?;
        let mut params = tx.get_workspace(row.workspace).await?.map(|row| row.params).unwrap_or_default();
        params.extend(case_type.params.clone());
        let plan = Arc::new(Plan {
            id: row.id,
            workspace: row.workspace,
            key: row.key,
            version: row.version,
            case_type: Arc::new(case_type),
            params: Arc::new(Value::Object(params)),
            typed,
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

async fn keep_greater<K, V>(cache: &Cache<K, V>, key: K, value: V)
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Ord + Clone + Send + Sync + 'static,
{
    let greater = |entry: Option<moka::Entry<K, V>>| {
        let old = entry.map(moka::Entry::into_value);
        std::future::ready(old.map_or(value.clone(), |old| old.max(value)))
    };
    cache.entry(key).and_upsert_with(greater).await;
}
