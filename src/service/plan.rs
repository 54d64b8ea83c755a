//! A case type as it is run: one version of it, compiled.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::compiled::Typed;
use super::endpoint_uses::Version;
use super::shared_params::Shared;
use super::typed_headers;
use crate::domain::case_type::CaseType;
use crate::domain::ids::{CaseTypeId, CaseTypeKey, ConnectionKey, FieldKey, WorkspaceId};
use crate::domain::run::Under;
use crate::domain::secret::SecretText;

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
    pub(super) params_version: i64,
    pub(super) typed: Arc<Typed>,
    /// The connections whose endpoints are in it, in the versions that it was made from.
    pub(super) leans_on: Vec<(ConnectionKey, Version)>,
}

impl Plan {
    /// What templates read as `params`, were those of the workspace these.
    pub fn params_over(&self, workspace: &Map<String, Value>) -> Value {
        Value::Object(workspace.clone().into_iter().chain(self.case_type.params.clone()).collect())
    }

    /// The same with params of a later version of the workspace.
    pub(super) fn with_params(&self, workspace: &Shared) -> Self {
        Self {
            id: self.id,
            workspace: self.workspace,
            key: self.key.clone(),
            version: self.version,
            case_type: self.case_type.clone(),
            params: Arc::new(self.params_over(&workspace.params)),
            params_version: workspace.version,
            typed: self.typed.clone(),
            leans_on: self.leans_on.clone(),
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
                && ((call.request.url.literal_origin().is_none() && self.types_headers(key))
                    || (call.request.follows_its_connection() && !self.credentials(key).is_empty()))
        })
    }

    /// Whether a credential was typed into the field's own headers.
    fn types_headers(&self, key: &FieldKey) -> bool {
        let form = self.case_type.normal_form();
        let fields = form["fields"].as_array().into_iter().flatten();
        let own = fields.filter(|field| field["key"] == key.as_str());
        own.into_iter().any(|field| typed_headers::types_any(field.pointer("/api_config/headers")))
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
