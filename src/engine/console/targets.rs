//! What each target of the mapping would get, and what becomes of the whole.
//!
//! Every target is looked at, also where another one fails. The run takes all or none: its
//! failure is that of the first target that fails.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::subject::Subject;
use crate::domain::answer::Answer;
use crate::domain::data;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::mapping::Offer;
use crate::domain::run::words;
use crate::domain::template::equal;
use crate::engine::judge::excerpt;
use crate::engine::map::{aside, fits, without_value};
use crate::engine::prepare::Prepared;
use crate::store::CommitLimits;

words! {
    /// What would become of a target.
    TargetVerdict {
        /// It would be written.
        Set = "set",
        /// It holds that value already.
        Unchanged = "unchanged",
        /// It would be left as it is.
        Keep = "keep",
        /// It does not get its value, and so the run fails.
        Failed = "failed",
    }
}

/// What an answer is to a case, target by target.
#[derive(Debug, Default)]
pub struct MappingTested {
    /// In the order of the mapping.
    pub targets: Vec<TargetTested>,
}

/// One target.
#[derive(Debug)]
pub struct TargetTested {
    /// Its dotted path.
    pub target: String,
    /// Its source gave something.
    pub found: bool,
    /// The value that the mapping makes of it; none: there is none.
    pub value: Option<Value>,
    /// What would become of it.
    pub verdict: TargetVerdict,
    /// What the case holds there now.
    pub old: Option<Value>,
    /// Why it did not get its value.
    pub error: Option<String>,
}

/// Maps a success; with the failure of the whole, if it does not fit.
pub(in crate::engine) async fn map(
    prepared: &Arc<Prepared>,
    subject: &Subject,
    answer: Answer,
    limits: CommitLimits,
) -> Result<(MappingTested, Option<Failure>), Failure> {
    let Some(call) = prepared.call() else { return Ok((MappingTested::default(), None)) };
    let (http_status, body_excerpt) = (Some(answer.status), excerpt(&answer));
    let (prepared, data) = (prepared.clone(), subject.case.data.clone());
    let work = move || whole(&prepared, &data, &answer, limits);
    let (mapping, failure) = aside(call.mapping.needs_thread(), work).await?;
    Ok((mapping, failure.map(|failure| Failure { http_status, body_excerpt, ..failure })))
}

fn whole(
    prepared: &Prepared,
    data: &Value,
    answer: &Answer,
    limits: CommitLimits,
) -> (MappingTested, Option<Failure>) {
    let mut mapping = MappingTested::default();
    let Some(call) = prepared.call() else { return (mapping, None) };
    let (mut first, mut after) = (None, data.clone());
    for offer in call.mapping.offers(answer, &prepared.scope, &prepared.data) {
        let path = &offer.target.path;
        let (target, failure) = one(prepared, offer);
        if let (TargetVerdict::Set, Some(value)) = (target.verdict, &target.value) {
            // Targets do not overlap, and the way to each was looked at.
            let _ = data::set(&mut after, path, value.clone());
        }
        first = first.or(failure);
        mapping.targets.push(target);
    }
    let output = || match &call.output_variable {
        Some(name) => limits.check_output(name, &answer.body_value()),
        None => Ok(()),
    };
    let size = || output().and_then(|()| limits.check_data(&after)).err();
    let failure = first.or_else(|| Some(Failure::new(FailureCode::MappingFailed, size()?)));
    (mapping, failure)
}

/// One target, and what its failure means for the run.
fn one(prepared: &Prepared, offer: Offer<'_>) -> (TargetTested, Option<Failure>) {
    let Offer { target, found, value, full } = offer;
    let path = &target.path;
    let pinned = prepared.overrides.holds(path);
    let old = data::get(&prepared.data, path);
    let value = value.map_err(|error| without_value(&error)).and_then(|value| {
        let written = value.as_ref().filter(|_| !full);
        written.map_or(Ok(()), |value| fits(prepared, path, value))?;
        Ok(value)
    });
    let verdict = match &value {
        _ if pinned => TargetVerdict::Keep,
        Err(_) => TargetVerdict::Failed,
        Ok(None) => TargetVerdict::Keep,
        Ok(Some(_)) if full => TargetVerdict::Keep,
        Ok(Some(value)) if equal(value, old.unwrap_or(&Value::Null)) => TargetVerdict::Unchanged,
        Ok(Some(_)) => TargetVerdict::Set,
    };
    let (value, failure) = match value {
        Ok(value) => (value, None),
        Err(failure) => (None, Some(failure)),
    };
    let error = failure.as_ref().map(|failure| failure.detail.clone());
    let tested = TargetTested { target: path.to_string(), found, value, verdict, old: old.cloned(), error };
    (tested, failure.filter(|_| !pinned))
}
