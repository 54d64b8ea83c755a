//! What the templates of an attempt read: the case's data and the other roots.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::occasion::{Occasion, root_run};
use super::prepare::Output;
use crate::domain::clock::rfc3339;
use crate::domain::template::Scope;
use crate::service::{Opened, Plan};
use crate::store::ClaimedCase;

/// The case's data, output variables included.
pub(super) fn data(case: &ClaimedCase, outputs: &[Output]) -> Arc<Value> {
    let mut data = case.data.clone();
    if !outputs.is_empty()
        && let Value::Object(members) = Arc::make_mut(&mut data)
    {
        members.extend(outputs.iter().map(|(name, value, _)| (name.clone(), value.clone())));
    }
    data
}

/// The roots of an attempt's templates.
pub(super) fn scope(
    run: &Occasion<'_>,
    plan: &Plan,
    data: &Arc<Value>,
    outputs: &[Output],
    secrets: &Opened,
) -> Scope {
    let now = run.sealed_at;
    let secrets = Arc::new(Value::Object(secrets.values.clone()));
    let mut scope = Scope::new()
        .with("data", data.clone())
        .with("case", Arc::new(run.case.case.root()))
        .with("input", Arc::new(run.input.cloned().unwrap_or_else(|| Value::Object(Map::new()))))
        .with("params", plan.params.clone())
        .with("secret", secrets.clone())
        .with("secrets", secrets)
        .with("run", root_run(run, run.attempt))
        .with("workflow_run_id", Arc::new(Value::from(run.idempotency_key)))
        .with("now", Arc::new(Value::String(rfc3339(now))))
        .with("now_unix", Arc::new(json!(now.timestamp())));
    if let Some(old) = run.old {
        scope.set("old", old.clone());
    }
    for (name, value, failed) in outputs {
        let value = if *failed { Value::Null } else { value.clone() };
        scope.set(name, Arc::new(value));
    }
    scope
}
