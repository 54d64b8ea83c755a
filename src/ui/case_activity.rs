//! The right of a case's page: what happened to it, newest first.

use super::case_address::{Here, Shows};
use super::case_values::Values;
use super::moment::Moment;
use super::refusal::Refusal;
use super::state::Tone;
use super::value::cut;
use super::words::case as w;
use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventKind};
use crate::domain::run::{Run, RunStatus};
use crate::service::{Actor, PageRequest, Services};
use crate::store::RunFilter;

/// Entries that are shown.
const MOST: u64 = 40;
/// Events that are read at once, and how often.
const AT_ONCE: u64 = 200;
const PAGES: usize = 3;
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
    let page = PageRequest { limit: MOST, ..PageRequest::default() };
    let mut entries = Vec::new();
    if here.activity != Shows::Edits {
        let filter = RunFilter { case: Some(here.id), ..RunFilter::default() };
        let runs = services.runs.list(actor, filter, page.clone()).await?;
        entries.extend(runs.items.iter().map(|run| of_run(run, values)));
    }
    if here.activity != Shows::Runs {
        let events = edits(services, actor, here).await?;
        entries.extend(events.iter().map(|event| of_edit(event, values)));
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

/// What people and programs changed, newest first. The ends of runs stand among the events, too,
/// so a few pages of them are read.
async fn edits(services: &Services, actor: &Actor, here: &Here) -> Result<Vec<Event>, Refusal> {
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let mut page = PageRequest { limit: AT_ONCE, ..PageRequest::default() };
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let events = services.events.of_case(actor, here.id, &page, true).await?;
        let edits = [EventKind::CaseCreated, EventKind::CaseChanged];
        found.extend(events.items.into_iter().filter(|event| edits.contains(&event.kind)));
        page.cursor = events.next;
        if found.len() >= most || page.cursor.is_none() {
            break;
        }
    }
    found.truncate(most);
    Ok(found)
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
        who: cut(&values.field_name(run.field.as_str()), 80),
        did: did(run, values),
        what,
        more: 0,
        moment: Moment::age(at, values.now),
        url: Some(format!("/runs/{}", run.id)),
        at,
    }
}

/// How a run stands or ended; one that lacks a value says which.
fn did(run: &Run, values: &Values<'_>) -> String {
    if run.status == RunStatus::Skipped && !run.missing.is_empty() {
        let names: Vec<String> = run.missing.iter().map(|path| cut(&values.named(path), 60)).collect();
        return w::lacked(&names);
    }
    w::run(run.status).to_owned()
}

fn of_edit(event: &Event, values: &Values<'_>) -> Entry {
    let created = event.kind == EventKind::CaseCreated;
    let (what, more) = if created { (Vec::new(), 0) } else { named(&event.paths, values) };
    Entry {
        tone: Tone::Quiet,
        icon: if created { "plus" } else { "person" },
        who: cut(&w::who(event.by.as_deref()), 80),
        did: if created { w::WAS_CREATED } else { w::CHANGED }.to_owned(),
        what,
        more,
        moment: Moment::age(event.at, values.now),
        url: None,
        at: event.at,
    }
}

/// Paths as people read them, as far as they are named.
fn named(paths: &[String], values: &Values<'_>) -> (Vec<String>, usize) {
    let names = paths.iter().take(NAMED).map(|path| cut(&values.named(path), 60)).collect();
    (names, paths.len().saturating_sub(NAMED))
}
