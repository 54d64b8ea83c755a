//! Who uses a secret: fields and connections as they are now, and runs that keep an older version.

use std::collections::{BTreeMap, BTreeSet};

use super::connection_plans::ConnectionPlans;
use super::error::ServiceError;
use super::plans::Plans;
use crate::domain::ids::{SecretName, WorkspaceId};
use crate::store::Tx;

/// Who uses a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretUser {
    /// A field of a case type.
    Field {
        /// Key of the case type.
        case_type: String,
        /// Key of the field.
        field: String,
    },
    /// A connection, by its key.
    Connection(String),
}

impl SecretUser {
    /// The key of the case type, or `connection:<key>`.
    pub fn thing(&self) -> String {
        match self {
            Self::Field { case_type, .. } => case_type.clone(),
            Self::Connection(key) => format!("connection:{key}"),
        }
    }
}

/// By secret, the fields and connections that use it.
pub(super) async fn users_in(
    tx: &Tx,
    plans: &Plans,
    connections: &ConnectionPlans,
    workspace: WorkspaceId,
) -> Result<BTreeMap<String, Vec<SecretUser>>, ServiceError> {
    let mut users: BTreeMap<String, Vec<SecretUser>> = BTreeMap::new();
    for plan in plans.all_current_in(tx, workspace).await? {
        for (field, call) in plan.case_type.api_calls() {
            let user = SecretUser::Field { case_type: plan.key.to_string(), field: field.to_string() };
            for secret in &call.secrets {
                users.entry(secret.clone()).or_default().push(user.clone());
            }
        }
    }
    for plan in connections.all_in(tx, workspace).await? {
        let connection = plan.connection();
        let secrets: BTreeSet<&String> = connection.secrets().collect();
        for secret in secrets {
            let user = SecretUser::Connection(connection.key.to_string());
            users.entry(secret.clone()).or_default().push(user);
        }
    }
    Ok(users)
}

/// The case types of which a begun run keeps a version that uses the secret.
pub(super) async fn users_under_way(
    tx: &Tx,
    plans: &Plans,
    workspace: WorkspaceId,
    name: &SecretName,
) -> Result<Vec<String>, ServiceError> {
    let mut users = BTreeSet::new();
    for (id, version) in tx.versions_under_way(workspace).await? {
        let plan = plans.version_in(tx, id, version).await?;
        users.extend(
            plan.filter(|plan| plan.secrets().contains(name.as_str())).map(|plan| plan.key.to_string()),
        );
    }
    Ok(users.into_iter().collect())
}
