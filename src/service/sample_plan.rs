//! A case type that nobody has saved: one field over a connection, to try the connection out.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::compiled::{Typed, possible_secrets_of};
use super::error::ServiceError;
use super::known::known;
use super::plan::Plan;
use super::plans::Plans;
use crate::domain::case_type::CaseType;
use crate::domain::ids::{CaseTypeId, CaseTypeKey, ConnectionKey, EndpointKey, FieldKey, WorkspaceId};
use crate::domain::problem::{Problem, code};
use crate::store::StoreError;

/// What the case type, its field and the field's output variable are called.
const NAME: &str = "connection_test";

/// A field to try a connection out with.
pub struct SamplePlan {
    /// The case type.
    pub plan: Arc<Plan>,
    /// The field.
    pub field: FieldKey,
}

impl Plans {
    /// A field that takes over the endpoint, or else gets the base URL. `params` are those of the
    /// case type, over the workspace's. An endpoint that is not there is refused at `/endpoint`.
    pub async fn over_connection(
        &self,
        workspace: WorkspaceId,
        connection: &ConnectionKey,
        endpoint: Option<&EndpointKey>,
        params: &Map<String, Value>,
    ) -> Result<SamplePlan, ServiceError> {
        let tx = self.store.read().await?;
        let mut known = known(&tx, workspace).await?;
        let over = known.connections.get(connection.as_str()).ok_or(ServiceError::NotFound("connection"))?;
        let mut config = json!({"connection": connection, "output_variable": NAME});
        let own = endpoint.and_then(|key| over.endpoints.get(key.as_str()));
        if own.is_none_or(|own| !own.contains_key("response_mapping")) {
            config["response_mapping"] = json!({});
        }
        match (endpoint, &over.base_url) {
            (Some(endpoint), _) => config["endpoint"] = json!(endpoint),
            (None, Some(base)) => config["url"] = json!(base.as_str()),
            (None, None) => {
                let message = "the connection has no `base_url` that could be called: set it first";
                return Err(ServiceError::invalid("", code::INVALID, message));
            }
        }
        // A secret that is gone is the test's to tell.
        for endpoint in over.endpoints.values() {
            possible_secrets_of(endpoint, &mut known.secrets);
        }
        let field = json!({"key": NAME, "type": "api_call", "api_config": config});
        let definition = json!({"key": NAME, "params": params, "fields": [field]});
        let parsed = CaseType::parse(&definition, &known);
        let case_type = parsed.map_err(|found| ServiceError::Invalid(as_asked(found)))?.case_type;
        let mut all = known.params;
        all.extend(case_type.params.clone());
        let plan = Plan {
            id: CaseTypeId(uuid::Uuid::nil()),
            workspace,
            key: name::<CaseTypeKey>()?,
            version: 0,
            case_type: Arc::new(case_type),
            params: Arc::new(Value::Object(all)),
            params_version: i64::MAX,
            typed: Arc::new(Typed::default()),
            leans_on: Vec::new(),
        };
        Ok(SamplePlan { plan: Arc::new(plan), field: name::<FieldKey>()? })
    }
}

fn name<K: std::str::FromStr>() -> Result<K, ServiceError> {
    let unreadable = || StoreError::Unavailable(format!("`{NAME}` is no key"));
    NAME.parse().map_err(|_| unreadable().into())
}

/// Problems of the field as problems of what was asked for.
fn as_asked(problems: Vec<Problem>) -> Vec<Problem> {
    let moved = problems.into_iter().map(|problem| {
        let ours = problem.pointer.starts_with("/params");
        let pointer = if ours { problem.pointer } else { "/endpoint".to_owned() };
        Problem { pointer, ..problem }
    });
    moved.collect()
}
