//! Which of a filter's conditions few cases meet: the list begins with those.
//!
//! The planners cannot know: SQLite counts nothing beforehand, and neither knows what a text in a
//! filter leaves. So each condition that has an index of its own is counted up to a small number.
//! Where one has no more, its cases are taken and put in order; where none has, the list walks
//! along the index of its order, and what it looks for is not rare. It may stand far off all the
//! same, or conditions that each leave many leave nothing together. So a walk that tests words or
//! fields goes a short way only; what it does not find is taken from what all sources have in common,
//! which is read from indexes alone.

use super::condition::{Condition, Indexed};
use super::filter::{CaseFilter, FieldFilter, FieldWord};
use crate::domain::case::CaseStatus;
use crate::domain::ids::{CaseTypeId, WorkspaceId};
use crate::domain::search;
use crate::store::error::StoreError;
use crate::store::statement::{int, ms, sql, text, uuid};
use crate::store::tx::Tx;

/// As many cases are few, where a walk along the order would find the others soon.
const FEW: u64 = 1_000;
/// … and where several conditions together may leave none, so that a walk would not end.
const FEW_OF_SEVERAL: u64 = 20_000;

const STATES: &str = "status IN ('succeeded', 'failed', 'skipped', 'never_run')";

/// A SELECT of `case_id` from a table that knows some of the cases, and what it is of.
pub(super) type Source = Box<dyn Fn(&mut Condition) -> String + Send + Sync>;

/// The sources that the conditions of a filter have.
pub(super) fn sources(workspace: WorkspaceId, filter: &CaseFilter, indexed: &[Indexed<'_>]) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for word in &filter.words {
        let word = word.clone();
        sources.push(Box::new(move |condition| {
            let workspace = condition.bind(uuid(workspace.0));
            let (from, to) = (condition.bind(text(&*word)), condition.bind(text(search::behind(&word))));
            format!("SELECT case_id FROM case_word WHERE workspace_id = {workspace} AND word >= {from} AND word < {to}")
        }));
    }
    for data in indexed.iter().filter(|data| data.pure) {
        let (field, keys, types) =
            (data.data.path.first().to_owned(), data.data.keys.clone(), data.ready.clone());
        sources.push(Box::new(move |condition| {
            let types = condition.bind_all(types.iter().map(|id| uuid(id.0)));
            let field = condition.bind(text(&*field));
            let keys = condition.bind_all(keys.iter().map(text));
            format!(
                "SELECT case_id FROM case_index WHERE case_type_id IN ({types}) AND field = {field} AND value IN ({keys})"
            )
        }));
    }
    sources.extend(filter.fields.iter().filter_map(|field| of_field(workspace, field)));
    sources.extend(columns(workspace, filter));
    sources
}

/// What the sources of words, values and states have in common, and that of columns which leave
/// little; none if only columns are asked for: a walk tests those quickly.
pub(super) fn common(workspace: WorkspaceId, filter: &CaseFilter, indexed: &[Indexed<'_>]) -> Option<Source> {
    let of_columns = CaseFilter {
        assignee: filter.assignee.clone(),
        custom_status: filter.custom_status.clone(),
        status: filter.status,
        ..CaseFilter::default()
    };
    let asked =
        CaseFilter { words: filter.words.clone(), fields: filter.fields.clone(), ..CaseFilter::default() };
    let mut all = sources(workspace, &asked, indexed);
    all.extend(filter.fields.iter().filter_map(never_run));
    if all.is_empty() {
        return None;
    }
    all.extend(columns(workspace, &of_columns));
    Some(Box::new(move |condition| {
        let each = all.iter().map(|source| format!("SELECT case_id FROM ({}) AS source", source(condition)));
        each.collect::<Vec<_>>().join(" INTERSECT ")
    }))
}

/// Cases where no ended run has touched a field: too many to count, but soon set apart.
fn never_run(filter: &FieldFilter) -> Option<Source> {
    if filter.word != FieldWord::NeverRun {
        return None;
    }
    let (field, types) = (filter.field.clone(), filter.enabled_in.clone());
    Some(Box::new(move |condition| {
        let types = condition.bind_all(types.iter().map(|id| uuid(id.0)));
        let field = condition.bind(text(&*field));
        format!(
            "SELECT id AS case_id FROM cases WHERE case_type_id IN ({types}) EXCEPT SELECT case_id FROM field_state \
             WHERE case_type_id IN ({types}) AND field = {field} AND status IN ('succeeded', 'failed', 'skipped')"
        )
    }))
}

/// Of the columns of cases that have indexes.
fn columns(workspace: WorkspaceId, filter: &CaseFilter) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    let texts = [
        ("reference", filter.reference.clone()),
        ("assignee", filter.assignee.clone()),
        ("custom_status", filter.custom_status.clone()),
        ("status", filter.status.map(CaseStatus::as_str).map(str::to_owned)),
    ];
    for (column, value) in texts {
        let Some(value) = value else { continue };
        sources.push(Box::new(move |condition| {
            let (workspace, value) = (condition.bind(uuid(workspace.0)), condition.bind(text(&*value)));
            format!("SELECT id AS case_id FROM cases WHERE workspace_id = {workspace} AND {column} = {value}")
        }));
    }
    if let Some(since) = filter.updated_since {
        sources.push(Box::new(move |condition| {
            let (workspace, since) = (condition.bind(uuid(workspace.0)), condition.bind(ms(since)));
            format!(
                "SELECT id AS case_id FROM cases WHERE workspace_id = {workspace} AND updated_at >= {since}"
            )
        }));
    }
    if let Some(key) = filter.case_type.clone() {
        sources.push(Box::new(move |condition| {
            let (workspace, key) = (condition.bind(uuid(workspace.0)), condition.bind(text(&*key)));
            format!(
                "SELECT id AS case_id FROM cases WHERE case_type_id = \
                 (SELECT id FROM case_type WHERE workspace_id = {workspace} AND key = {key})"
            )
        }));
    }
    sources
}

/// Of the states of a field. That no run has touched it stands nowhere.
fn of_field(workspace: WorkspaceId, filter: &FieldFilter) -> Option<Source> {
    let (field, types) = (filter.field.clone(), filter.enabled_in.clone());
    let expired = filter.expired.clone();
    let word = filter.word;
    let of_states = move |condition: &mut Condition, types: &[CaseTypeId], more: &str| {
        let types = condition.bind_all(types.iter().map(|id| uuid(id.0)));
        let field = condition.bind(text(&*field));
        format!(
            "SELECT case_id FROM field_state WHERE case_type_id IN ({types}) AND field = {field} AND {more}"
        )
    };
    match word {
        FieldWord::NeverRun | FieldWord::Disabled => None,
        FieldWord::Running => Some(Box::new(move |condition| {
            let workspace = condition.bind(uuid(workspace.0));
            format!(
                "SELECT case_id FROM run WHERE workspace_id = {workspace} AND status = 'running' AND lease_until > 0"
            )
        })),
        FieldWord::Queued(_) => Some(Box::new(move |condition| {
            let workspace = condition.bind(uuid(workspace.0));
            let waits = |parked: &str| {
                format!(
                    "SELECT case_id FROM run WHERE workspace_id = {workspace} AND status = 'queued' AND {parked}"
                )
            };
            format!("{} UNION ALL {}", waits("NOT parked"), waits("parked"))
        })),
        FieldWord::Ended(status, _) => Some(Box::new(move |condition| {
            let status = condition.bind(text(status));
            of_states(condition, &types, &format!("status = {status}"))
        })),
        FieldWord::Cached => Some(Box::new(move |condition| {
            of_states(condition, &types, &format!("{STATES} AND cached = TRUE"))
        })),
        FieldWord::Stale => Some(Box::new(move |condition| {
            let all = format!("{STATES} AND cached IN (FALSE, TRUE)");
            let mut parts = vec![of_states(condition, &types, &format!("{all} AND inputs_changed = TRUE"))];
            for (case_type, at) in &expired {
                let at = condition.bind(ms(*at));
                let old = format!("{all} AND inputs_changed = FALSE AND fetched_at <= {at}");
                parts.push(of_states(condition, &[*case_type], &old));
            }
            parts.join(" UNION ALL ")
        })),
    }
}

impl Tx {
    /// The source with the fewest cases, if they are few.
    pub(super) async fn narrowest(&self, sources: Vec<Source>) -> Result<Option<Source>, StoreError> {
        let few = if sources.len() > 1 { FEW_OF_SEVERAL } else { FEW };
        let mut best: Option<(u64, Source)> = None;
        for source in sources {
            let mut condition = Condition::default();
            let select = source(&mut condition);
            let most = condition.bind(int(i64::try_from(few).unwrap_or(i64::MAX) + 1));
            let statement =
                format!("SELECT COUNT(*) FROM (SELECT 1 FROM ({select}) AS source LIMIT {most}) AS counted");
            let count = self.number(sql(statement, condition.values)).await?;
            let fewer = best.as_ref().is_none_or(|(least, _)| count < *least);
            if count <= few && fewer {
                best = Some((count, source));
            }
        }
        Ok(best.map(|(_, source)| source))
    }
}
