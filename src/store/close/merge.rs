//! Reports merged into their cases, in memory: pure, so that what fits is decided in one place.
//!
//! A success that does not fit the case (a target below a text, too many bytes) becomes a
//! failure of its run and leaves the case as it was.

use serde_json::Value;

use super::closing::{CaseEffect, Closing, CommitLimits, Ending, Verdict};
use crate::domain::case::{Provenance, ProvenanceEntry, Source};
use crate::domain::clock::Instant;
use crate::domain::data;
use crate::domain::failure::{Failure, FailureCode, Follow, RunError};
use crate::domain::run::RunStatus;

/// A case while the closings of a batch are merged into it.
pub(super) struct Merging {
    pub(super) data: Value,
    pub(super) provenance: Provenance,
    /// Whether data was written.
    pub(super) changed: bool,
    /// How much its revision grows.
    pub(super) steps: i64,
    /// When it was changed last.
    pub(super) at: Instant,
}

impl Merging {
    /// A case as it is now, before anything is merged into it.
    pub(super) fn of(data: Value, provenance: Provenance, at: Instant) -> Self {
        Self { data, provenance, changed: false, steps: 0, at }
    }
}

/// One closing as it will be written.
pub(super) struct Settled<'c> {
    pub(super) closing: &'c Closing,
    /// How the run ended, if it did: not as it was reported where the data did not fit.
    pub(super) ending: Option<Ending>,
    /// Data paths that it wrote.
    pub(super) written: Vec<String>,
    pub(super) output: Option<(String, Value)>,
}

/// Merges one closing into its case. What does not fit turns the success into a failure.
pub(super) fn settle<'c>(closing: &'c Closing, case: &mut Merging, limits: CommitLimits) -> Settled<'c> {
    case.steps += 2;
    case.at = case.at.max(closing.at);
    let Verdict::Ended(ending) = &closing.verdict else {
        return Settled { closing, ending: None, written: Vec::new(), output: None };
    };
    let mut ending = ending.clone();
    let Some(effect) = ending.effect.take() else {
        return Settled { closing, ending: Some(ending), written: Vec::new(), output: None };
    };
    match merge(closing, &effect, ending.cached_from.is_some(), case, limits) {
        Ok(written) => Settled {
            closing,
            ending: Some(Ending { effect: Some(effect.clone()), ..ending }),
            written,
            output: effect.output,
        },
        Err(detail) => {
            let response = closing.attempt.as_ref().and_then(|attempt| attempt.response.as_ref());
            let http_status = response.map(|response| response.status);
            let failure = Failure { http_status, ..Failure::new(FailureCode::MappingFailed, detail) };
            let attempt = closing.attempt.as_ref().map_or(1, |attempt| attempt.number);
            let error = RunError::new(failure, &effect.provider, attempt, closing.at, Follow::Over);
            let failed = Ending { status: RunStatus::Failed, error: Some(error), ..ending };
            Settled { closing, ending: Some(failed), written: Vec::new(), output: None }
        }
    }
}

fn merge(
    closing: &Closing,
    effect: &CaseEffect,
    cached: bool,
    case: &mut Merging,
    limits: CommitLimits,
) -> Result<Vec<String>, String> {
    if let Some((name, value)) = &effect.output {
        check_size(value, limits.output_bytes, &format!("the output variable `{name}`"))?;
    }
    let mut data = case.data.clone();
    for (path, value) in &effect.writes {
        data::set(&mut data, path, value.clone()).map_err(|error| format!("target `{path}`: {error}"))?;
    }
    check_size(&data, limits.case_bytes, "the data of the case")?;
    case.data = data;
    case.changed = true;
    let entry = ProvenanceEntry {
        source: Source::Run,
        by: None,
        run_id: Some(closing.run_id),
        field: Some(closing.field.to_string()),
        at: closing.at,
        fetched_at: Some(effect.fetched_at),
        cached: Some(cached),
    };
    let mut written: Vec<String> = effect.writes.iter().map(|(path, _)| path.to_string()).collect();
    written.extend(effect.output.iter().map(|(name, _)| name.clone()));
    for path in &written {
        case.provenance.set(path, entry.clone());
    }
    Ok(written)
}

fn check_size(value: &Value, limit: usize, what: &str) -> Result<(), String> {
    let bytes = serde_json::to_string(value).map_or(usize::MAX, |text| text.len());
    if bytes > limit {
        return Err(format!("{what} would take {bytes} bytes; at most {limit} are kept"));
    }
    Ok(())
}
