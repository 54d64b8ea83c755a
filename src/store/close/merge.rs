//! Reports merged into their cases, in memory: pure, so that what fits is decided in one place.
//!
//! A success that does not fit the case (a target below a text, too many bytes) becomes a
//! failure of its run and leaves the case as it was.

use serde_json::Value;

use super::closing::{CaseEffect, Closing, CommitLimits, Ending, Verdict};
use crate::domain::case::{Provenance, ProvenanceEntry, Source};
use crate::domain::clock::Instant;
use crate::domain::data::{self, DataPath};
use crate::domain::failure::{Failure, FailureCode, Follow, RunError};
use crate::domain::ids::CaseTypeId;
use crate::domain::mapping::{Write, is_empty};
use crate::domain::overrides::Overrides;
use crate::domain::run::RunStatus;
use crate::store::case_index::Keys;

/// A case while the closings of a batch are merged into it.
pub(super) struct Merging {
    pub(super) data: Value,
    pub(super) provenance: Provenance,
    pub(super) overrides: Overrides,
    /// The current version of its type.
    pub(super) version: i64,
    /// Its revision before the batch.
    pub(super) revision: i64,
    /// Its type.
    pub(super) case_type: CaseTypeId,
    /// The fields of it that are indexed.
    pub(super) indexed: Vec<String>,
    /// Their values before the batch.
    pub(super) keys: Keys,
    /// Whether data was written.
    pub(super) changed: bool,
    /// How much its revision grows.
    pub(super) steps: i64,
    /// When it was changed last.
    pub(super) at: Instant,
}

/// One closing as it will be written.
pub(super) struct Settled<'c> {
    pub(super) closing: &'c Closing,
    /// How the run ended, if it did: not as it was reported where the data did not fit.
    pub(super) ending: Option<Ending>,
    /// Data paths that it wrote.
    pub(super) written: Vec<String>,
    /// Data paths that it left to the person who set them.
    pub(super) kept_manual: Vec<String>,
    pub(super) output: Option<(String, Value)>,
    /// Whether a watched value differs from what the request was made from.
    pub(super) inputs_changed: bool,
    /// Whether its failure counts for its lane's circuit.
    pub(super) counted: bool,
}

impl<'c> Settled<'c> {
    fn new(closing: &'c Closing, ending: Option<Ending>) -> Self {
        let (written, kept_manual) = (Vec::new(), Vec::new());
        Self { closing, ending, written, kept_manual, output: None, inputs_changed: false, counted: false }
    }
}

/// What one success did to its case.
#[derive(Default)]
struct Merged {
    written: Vec<String>,
    kept_manual: Vec<String>,
    output: Option<(String, Value)>,
}

/// Merges one closing into its case. What does not fit turns the success into a failure.
pub(super) fn settle<'c>(closing: &'c Closing, case: &mut Merging, limits: CommitLimits) -> Settled<'c> {
    case.steps += 2;
    case.at = case.at.max(closing.at);
    let Verdict::Ended(ending) = &closing.verdict else { return Settled::new(closing, None) };
    let mut ending = ending.clone();
    let Some(effect) = ending.effect.take() else { return Settled::new(closing, Some(ending)) };
    match merge(closing, &effect, ending.cached_from.is_some(), case, limits) {
        Ok(Merged { written, kept_manual, output }) => {
            let ending = Ending { effect: Some(effect), ..ending };
            Settled { written, kept_manual, output, ..Settled::new(closing, Some(ending)) }
        }
        Err(detail) => {
            let response = closing.attempt.as_ref().and_then(|attempt| attempt.response.as_ref());
            let http_status = response.map(|response| response.status);
            let failure = Failure { http_status, ..Failure::new(FailureCode::MappingFailed, detail) };
            let attempt = closing.attempt.as_ref().map_or(1, |attempt| attempt.number);
            let error = RunError::new(failure, &effect.provider, attempt, closing.at, Follow::Over);
            let failed = Ending { status: RunStatus::Failed, error: Some(error), ..ending };
            Settled::new(closing, Some(failed))
        }
    }
}

fn merge(
    closing: &Closing,
    effect: &CaseEffect,
    cached: bool,
    case: &mut Merging,
    limits: CommitLimits,
) -> Result<Merged, String> {
    let mut overrides = case.overrides.clone();
    for target in effect.clears.iter().filter(|target| is_as_seen(closing, case, target)) {
        overrides.clear(target);
    }
    let mut merged = Merged::default();
    merged.kept_manual.extend(effect.kept.iter().map(ToString::to_string));
    let mut data = case.data.clone();
    for Write { target, value, if_empty } in &effect.writes {
        if overrides.holds(target) {
            merged.kept_manual.push(target.to_string());
        } else if !if_empty || is_empty(data::get(&data, target)) {
            data::set(&mut data, target, value.clone())
                .map_err(|error| format!("target `{target}`: {error}"))?;
            merged.written.push(target.to_string());
        }
    }
    if let Some((name, value)) = &effect.output {
        limits.check_output(name, value)?;
        if DataPath::parse_exact(name).is_ok_and(|path| overrides.holds(&path)) {
            merged.kept_manual.push(name.clone());
        } else {
            merged.written.push(name.clone());
            merged.output = Some((name.clone(), value.clone()));
        }
    }
    limits.check_data(&data)?;
    case.data = data;
    case.overrides = overrides;
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
    for path in &merged.written {
        case.provenance.set(path, entry.clone());
    }
    Ok(merged)
}

/// The override was there when the attempt began, and nobody has set another value since.
fn is_as_seen(closing: &Closing, case: &Merging, target: &DataPath) -> bool {
    closing.seen.overrides.holds(target)
        && data::get(&closing.seen.data, target) == data::get(&case.data, target)
}
