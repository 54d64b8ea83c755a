//! The right of a case's page: what happened to it, newest first.

use super::case_address::{Here, Shows};
use super::case_values::Values;
use super::moment::Moment;
use super::refusal::Refusal;
use super::state::Tone;
use super::value::cut;
use super::words::case as w;
use crate::domain::clock::Instant;
use crate::domain::run::{Run, RunStatus};
use crate::service::{Actor, PageRequest, Services};
use crate::store::RunFilter;

/// Entries that are shown.
const MOST: u64 = 40;
/// Paths that one entry names.
const NAMED: usize = 6;

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Entry {
    pub tone: Tone,
    pub icon: &'static str,
    /// Who, or which field.
    pub who: String,
    /// What they did.
    pub did: String,
    /// What it touched.
    pub what: Vec<String>,
    /// How many more.
    pub more: usize,
    pub moment: Moment,
    /// The run.
    pub url: Option<String>,
    at: Instant,
}

/// What is shown of it.
#[derive(Debug, Clone)]
pub struct Activity {
    pub entries: Vec<Entry>,
    /// Address, word, whether it is this one.
    pub choices: Vec<(String, &'static str, bool)>,
    /// All runs of the case.
    pub runs: String,
}

/// Reads what happened to a case.
pub async fn activity(
    services: &Services,
    actor: &Actor,
    values: &Values<'_>,
    here: &Here,
) -> Result<Activity, Refusal> {
    let mut entries = Vec::new();
    if here.activity != Shows::Edits {
        let filter = RunFilter { case: Some(here.id), ..RunFilter::default() };
        let page = PageRequest { limit: MOST, ..PageRequest::default() };
        let runs = services.runs.list(actor, filter, page).await?;
        entries.extend(runs.items.iter().map(|run| of_run(run, values)));
    }
    if here.activity != Shows::Runs {
        entries.push(created(values));
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    entries.truncate(usize::try_from(MOST).unwrap_or(usize::MAX));
    let all = [(Shows::All, w::ALL), (Shows::Edits, w::EDITS), (Shows::Runs, w::RUNS)];
    let choices = all.map(|(shows, word)| {
        let url = Here { activity: shows, ..here.clone() }.page(&[], "activity");
        (url, word, shows == here.activity)
    });
    Ok(Activity { entries, choices: choices.into(), runs: format!("/runs?case={}", here.id) })
}

fn of_run(run: &Run, values: &Values<'_>) -> Entry {
    let (tone, icon) = match run.status {
        RunStatus::Queued => (Tone::Waiting, "clock"),
        RunStatus::Running => (Tone::Running, "ring"),
        RunStatus::Succeeded => (Tone::Good, "check"),
        RunStatus::Failed => (Tone::Failed, "cross"),
        RunStatus::Skipped | RunStatus::Cancelled => (Tone::Quiet, "dash"),
    };
    let at = run.ended_at.or(run.started_at).unwrap_or(run.created_at);
    let mut what = Vec::new();
    if run.status == RunStatus::Succeeded && !run.written.is_empty() {
        what.push(w::wrote(run.written.len()));
    }
    what.push(w::trigger(run.trigger).to_owned());
    Entry {
        tone,
        icon,
        who: values.field_name(run.field.as_str()),
        did: w::run(run.status).to_owned(),
        what,
        more: 0,
        moment: Moment::age(at, values.now),
        url: Some(format!("/runs/{}", run.id)),
        at,
    }
}

fn created(values: &Values<'_>) -> Entry {
    let at = values.view.case.created_at;
    Entry {
        tone: Tone::Quiet,
        icon: "plus",
        who: w::SOMEBODY.to_owned(),
        did: w::WAS_CREATED.to_owned(),
        what: Vec::new(),
        more: 0,
        moment: Moment::age(at, values.now),
        url: None,
        at,
    }
}

/// Paths as people read them, as far as they are named.
#[expect(dead_code, reason = "edits come with the events")]
fn named(paths: &[String], values: &Values<'_>) -> (Vec<String>, usize) {
    let names = paths.iter().take(NAMED).map(|path| cut(&values.named(path), 60)).collect();
    (names, paths.len().saturating_sub(NAMED))
}
