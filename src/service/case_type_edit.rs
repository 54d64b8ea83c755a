//! What a new version of a case type does to runs that have not begun.
//!
//! They would take the new version, so those whose field it does not run any more end, and the
//! others are granted the retries that it grants. A begun run keeps its version, and what lies
//! in cases stays. Who fires by the older version a moment later is met at the claim, where the
//! engine looks at the version once more.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::ServiceError;
use super::plan::Plan;
use crate::domain::api_call::ApiCall;
use crate::domain::case_type::CaseType;
use crate::domain::clock::Instant;
use crate::domain::failure::RunError;
use crate::domain::ids::{CaseId, CaseTypeId, ConnectionKey, EndpointKey, FieldKey};
use crate::domain::run::Reason;
use crate::domain::watch::{Sight, WatchRoot};
use crate::store::{CaseTypeRow, Tx};

const REMOVED: &str =
    "The field was taken out of the case type before this run began. There is nothing to do.";
const DISABLED: &str = "The field was switched off before this run began. To run it, switch it on in its case type and \
     refresh it.";

/// What an API Call field said in the version before. It is read from the stored form, which
/// must not stand in the way of the version that mends it.
#[derive(Deserialize)]
struct Before {
    key: FieldKey,
    #[serde(rename = "type")]
    kind: String,
    enabled: Option<bool>,
    retry: Option<u32>,
    #[serde(default)]
    api_config: Value,
}

/// What differs for runs that wait.
#[derive(Debug, Default, PartialEq, Eq)]
struct Edit {
    removed: Vec<FieldKey>,
    disabled: Vec<FieldKey>,
    /// Retries by field, where they differ.
    retries: Vec<(FieldKey, u32)>,
    /// Fields that may call somebody else now.
    moved: Vec<FieldKey>,
    /// The params are others; credentials may be among them, those of a connection too.
    params: bool,
}

impl Edit {
    fn between(before: &Value, after: &CaseType) -> Self {
        let mut edit = Self::default();
        let fields = before["fields"].as_array().into_iter().flatten();
        let fields = fields.filter_map(|field| Before::deserialize(field).ok());
        edit.params = before["params"].as_object().cloned().unwrap_or_default() != after.params;
        for old in fields.filter(|field| field.kind == "api_call") {
            let new = after.field(old.key.as_str()).and_then(|field| field.api_call());
            if new.is_some_and(|new| edit.params || has_moved(&old.api_config, new)) {
                edit.moved.push(old.key.clone());
            }
            match new {
                None => edit.removed.push(old.key),
                Some(new) if !new.enabled && old.enabled != Some(false) => edit.disabled.push(old.key),
                Some(new) if old.retry != Some(new.retry) => edit.retries.push((old.key, new.retry)),
                Some(_) => {}
            }
        }
        edit
    }
}

/// Whether what says where a field's calls go is another one now.
fn has_moved(before: &Value, after: &ApiCall) -> bool {
    let mut now = Map::new();
    after.request.write(&mut now);
    let connection = after.connection.as_ref().map(ConnectionKey::as_str);
    let endpoint = after.endpoint.as_ref().map(EndpointKey::as_str);
    let was = |name: &str| before.get(name).and_then(Value::as_str);
    // What an endpoint gives stands in no definition; that one is as good.
    let url = before.get("url") != now.get("url") && (endpoint.is_none() || was("url").is_some());
    url || was("connection") != connection || was("endpoint") != endpoint
}

/// Applies a new version to the runs that have not begun; answers the cases whose runs ended.
pub(super) async fn apply(
    tx: &Tx,
    before: &CaseTypeRow,
    after: &CaseType,
    now: Instant,
) -> Result<Vec<CaseId>, ServiceError> {
    let edit = Edit::between(&before.definition, after);
    let mut touched = Vec::new();
    for (fields, reason, sentence) in
        [(&edit.removed, Reason::FieldRemoved, REMOVED), (&edit.disabled, Reason::Disabled, DISABLED)]
    {
        let error = RunError::cancelled(sentence, 0, now);
        touched.extend(tx.cancel_unbegun(before.id, fields, reason, &error).await?);
    }
    for (field, retries) in &edit.retries {
        tx.grant_attempts(before.id, field, 1 + retries).await?;
    }
    let workspace = tx.get_workspace(before.workspace).await?.map(|row| row.params).unwrap_or_default();
    let params = Value::Object(workspace.clone().into_iter().chain(after.params.clone()).collect());
    for field in &edit.moved {
        let call = after.field(field.as_str()).and_then(|field| field.api_call());
        if let Some(call) = call {
            let lane = call.lane(&params, &before.key, field);
            let target = (call.connection.as_ref(), call.endpoint.as_ref());
            tx.move_unbegun(before.id, field, target, &lane, now).await?;
        }
    }
    for (field, call) in after.api_calls().filter(|(_, call)| edit.params || call.brings_credentials()) {
        tx.end_hold(before.workspace, &call.lane(&params, &before.key, field), now).await?;
    }
    tx.raise_credentials_epoch(before.workspace).await?;
    let old = before.definition["params"].as_object().cloned().unwrap_or_default();
    let over = |params: &Map<String, Value>| {
        Value::Object(workspace.clone().into_iter().chain(params.clone()).collect())
    };
    mark_params(tx, before.id, after, (&over(&old), &over(&after.params))).await?;
    Ok(touched)
}

/// What other params of the workspace do to the waiting runs and the data of a case type.
pub(super) async fn other_params(
    tx: &Tx,
    plan: &Plan,
    (before, after): (&Map<String, Value>, &Map<String, Value>),
    now: Instant,
) -> Result<(), ServiceError> {
    let (old, new) = (plan.params_over(before), plan.params_over(after));
    if old == new {
        return Ok(());
    }
    for (field, call) in plan.case_type.api_calls() {
        let lane = call.lane(&new, &plan.key, field);
        if lane != call.lane(&old, &plan.key, field) {
            let target = (call.connection.as_ref(), call.endpoint.as_ref());
            tx.move_unbegun(plan.id, field, target, &lane, now).await?;
        }
        tx.end_hold(plan.workspace, &lane, now).await?;
    }
    tx.raise_credentials_epoch(plan.workspace).await?;
    mark_params(tx, plan.id, &plan.case_type, (&old, &new)).await
}

/// Marks data that was made from params which are now others. Nothing fires: every case of the
/// type would.
async fn mark_params(
    tx: &Tx,
    id: CaseTypeId,
    after: &CaseType,
    (old, new): (&Value, &Value),
) -> Result<(), ServiceError> {
    if old == new {
        return Ok(());
    }
    let nothing = Value::Null;
    let sight = |params| Sight { data: &nothing, case: &nothing, params };
    for (field, call) in after.api_calls() {
        let (then, now) = (call.watch.fingerprints(&sight(old)), call.watch.fingerprints(&sight(new)));
        let params = call.watch.paths().iter().filter(|path| path.root() == WatchRoot::Params);
        for path in params.map(ToString::to_string) {
            if let Some(hash) = now.get(&path).filter(|hash| then.get(&path) != Some(*hash)) {
                tx.mark_inputs_of_type(id, field, &path, hash).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::case_type::Known;

    fn case_type(fields: &Value) -> CaseType {
        CaseType::parse(&json!({"key": "t", "fields": fields}), &Known::default()).unwrap().case_type
    }

    fn call(key: &str, enabled: bool, retry: u32) -> Value {
        let config = json!({"url": "https://a.example/x", "response_mapping": {key: "$.x"}});
        json!({"key": key, "type": "api_call", "enabled": enabled, "retry": retry, "api_config": config})
    }

    #[test]
    fn only_what_runs_that_wait_would_notice_is_an_edit() {
        let before = case_type(&json!([
            call("same", true, 3),
            call("gone", true, 3),
            call("plain", true, 3),
            call("off", true, 3),
            call("still_off", false, 3),
            call("on", false, 3),
            call("eager", true, 3),
            {"key": "note", "type": "text"},
        ]));
        let after = case_type(&json!([
            call("same", true, 3),
            {"key": "plain", "type": "text"},
            call("off", false, 1),
            call("still_off", false, 3),
            call("on", true, 3),
            call("eager", true, 5),
            call("new", true, 3),
        ]));
        let edit = Edit::between(&before.normal_form(), &after);
        let keys = |keys: &[FieldKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(keys(&edit.removed), ["gone", "plain"]);
        assert_eq!(keys(&edit.disabled), ["off"]);
        assert_eq!(edit.retries.len(), 1);
        assert_eq!((edit.retries[0].0.as_str(), edit.retries[0].1), ("eager", 5));
        assert_eq!(Edit::between(&after.normal_form(), &after), Edit::default());
    }
}
