//! Case types as they are run: compiled once per version and shared.
//!
//! A version never changes, so its plan is kept until memory is wanted for others. Which version
//! is the current one is remembered for up to 5 s, and known at once where it was saved. So are
//! the params of workspaces, which change without a version of the case type: a plan is then made
//! anew around the same compiled definition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use moka::future::Cache;
use serde_json::{Map, Value};

use super::access::REMEMBERED;
use super::credentials::{self, Home};
use super::error::ServiceError;
use super::shared_params::{Shared, SharedParams, keep_greater};
use super::vault::Vault;
use crate::domain::case_type::{CaseType, Known};
use crate::domain::ids::{CaseTypeId, CaseTypeKey, ConnectionKey, FieldKey, WorkspaceId, is_key};
use crate::domain::run::Under;
use crate::domain::secret::SecretText;
use crate::store::{CaseTypeRow, Store, StoreError, Tx, WorkspaceRow};

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
    /// The version of the workspace that `params` are of.
    params_version: i64,
    typed: Arc<BTreeMap<FieldKey, Vec<SecretText>>>,
}

impl Plan {
    /// What templates read as `params`, were those of the workspace these.
    pub fn params_over(&self, workspace: &Map<String, Value>) -> Value {
        Value::Object(workspace.clone().into_iter().chain(self.case_type.params.clone()).collect())
    }

    /// The same with params of a later version of the workspace.
    fn with_params(&self, workspace: &Shared) -> Self {
        Self {
            id: self.id,
            workspace: self.workspace,
            key: self.key.clone(),
            version: self.version,
            case_type: self.case_type.clone(),
            params: Arc::new(self.params_over(&workspace.params)),
            params_version: workspace.version,
            typed: self.typed.clone(),
        }
    }

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
    store: Store,
    vault: Vault,
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
        if let Some(plan) = self.versions.get(&(id, version)).await {
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
        if let Some(plan) = self.versions.get(&(row.id, row.version)).await {
            return Ok(self.fitted(plan, &shared).await);
        }
        let (case_type, typed) = compile(&row, &self.vault)?;
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
        });
        self.versions.insert((plan.id, plan.version), plan.clone()).await;
        Ok(plan)
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
        self.current.invalidate(&(row.workspace, row.key.clone())).await;
        self.latest.invalidate(&row.id).await;
    }
}

/// Compiles a stored definition, and opens the credentials in it.
pub fn compile(
    row: &CaseTypeRow,
    vault: &Vault,
) -> Result<(CaseType, BTreeMap<FieldKey, Vec<SecretText>>), ServiceError> {
    let home = Home { vault, workspace: row.workspace, case_type: &row.key };
    let mut definition = row.definition.clone();
    let typed = credentials::open(&mut definition, home)?;
    // A version that was saved is compiled even when a secret of it is gone by now: the run
    // then fails with `secret_missing`, instead of the whole case type. Likewise a connection.
    let mut known = Known::default();
    possible_secrets(&definition, &mut known.secrets);
    let fields = definition["fields"].as_array().into_iter().flatten();
    let named = fields.filter_map(|field| field["api_config"]["connection"].as_str());
    known.connections = named.map(|key| (key.to_owned(), None)).collect();
    let parsed = CaseType::parse(&definition, &known).map_err(|problems| StoreError::Corrupt {
        table: "case_type_version",
        id: row.id.0,
        reason: format!("version {}: {}", row.version, ServiceError::Invalid(problems)),
    })?;
    Ok((parsed.case_type, typed))
}

/// Every word of every text that speaks of secrets.
pub(super) fn possible_secrets(value: &Value, words: &mut BTreeMap<String, Vec<String>>) {
    match value {
        Value::String(text) if text.contains("secret") => {
            let all = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
            words.extend(all.filter(|word| is_key(word)).map(|word| (word.to_owned(), Vec::new())));
        }
        Value::Array(items) => items.iter().for_each(|item| possible_secrets(item, words)),
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            possible_secrets(&Value::String(name.clone()), words);
            possible_secrets(member, words);
        }),
        _ => {}
    }
}
