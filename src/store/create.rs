//! Creating cases: a batch of them, with their first runs and what they are found by, in a few
//! statements.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::StoreError;
use super::kept_case_types::KeptCaseType;
use super::once;
use super::run_inserts;
use super::statement::{CHUNK, int, json, maybe_text, ms, sql, text, tuples, uuid};
use super::tx::Tx;
use super::{case_index, case_words};
use crate::domain::case::{Case, Provenance};
use crate::domain::ids::CaseTypeId;
use crate::domain::once::{Kept, Once, Repeat};
use crate::domain::run::NewRun;

/// A case to create.
#[derive(Debug, Clone)]
pub struct NewCase {
    /// The case.
    pub case: Case,
    /// The version of its type that data and runs were made by.
    pub case_type_version: i64,
    /// Its data, without output variables.
    pub data: Map<String, Value>,
    /// Output variables that were given at creation.
    pub outputs: Vec<(String, Value)>,
    /// Where the data came from.
    pub provenance: Provenance,
    /// The runs that its creation fires.
    pub runs: Vec<NewRun>,
    /// The key of the request, if it has one, and what is kept under it; its location is the
    /// case's own.
    pub once: Option<(Once, Kept)>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It is there, and its runs wait.
    Created,
    /// Its case type was deleted, or has another version by now; nothing was written.
    TypeChanged,
    /// Another case of the workspace has that reference; nothing was written.
    ReferenceTaken,
    /// A request with its key was there before; nothing was written.
    Replayed(Repeat),
}

/// Of several requests with one key the first that makes its case counts; when its reference is
/// taken, the next one has its turn.
pub(super) async fn create(tx: &Tx, cases: &[Box<NewCase>]) -> Result<Vec<CreateOutcome>, StoreError> {
    let types = tx.keep_case_types(cases.iter().map(|new| new.case.case_type_id)).await?;
    let changed = |new: &NewCase| {
        let current = types.get(&new.case.case_type_id).map(|kept| kept.version);
        (current != Some(new.case_type_version)).then_some(CreateOutcome::TypeChanged)
    };
    let mut outcomes: Vec<Option<CreateOutcome>> = cases.iter().map(|new| changed(new)).collect();
    while outcomes.contains(&None) {
        let open: Vec<(usize, &NewCase)> = (0..).zip(cases).map(|(at, new)| (at, &**new)).collect();
        let open: Vec<_> = open.into_iter().filter(|(at, _)| outcomes[*at].is_none()).collect();
        let keys: Vec<_> =
            open.iter().filter_map(|(_, new)| new.once.as_ref()).map(|(once, kept)| (once, kept)).collect();
        let entered = once::enter(tx, &keys).await?;
        let may = |new: &NewCase| {
            new.once
                .as_ref()
                .is_none_or(|(_, kept)| kept.location.as_ref().is_some_and(|at| entered.contains(at)))
        };
        let (first, later): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, new)| may(new));
        let created =
            create_first(tx, &first.iter().map(|(_, new)| *new).collect::<Vec<_>>(), &types).await?;
        for (at, new) in first {
            let made = created.contains(&new.case.id.0);
            outcomes[at] = Some(if made { CreateOutcome::Created } else { CreateOutcome::ReferenceTaken });
        }
        for (at, new) in later {
            if let Some((once, _)) = &new.once {
                outcomes[at] = tx.find_once(once).await?.map(CreateOutcome::Replayed);
            }
        }
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// Creates cases whose keys are their own by now; answers the ids of those that are there.
async fn create_first(
    tx: &Tx,
    cases: &[&NewCase],
    types: &BTreeMap<CaseTypeId, KeptCaseType>,
) -> Result<HashSet<Uuid>, StoreError> {
    let mut created = HashSet::with_capacity(cases.len());
    for chunk in cases.chunks(CHUNK) {
        created.extend(insert_cases(tx, chunk).await?);
    }
    let (accepted, refused): (Vec<&NewCase>, Vec<&NewCase>) =
        cases.iter().partition(|new| created.contains(&new.case.id.0));
    let first_runs: Vec<&NewRun> = accepted.iter().flat_map(|new| &new.runs).collect();
    run_inserts::insert(tx, &first_runs).await?;
    let words = |new: &&NewCase| (new.case.workspace, new.case.id, case_words::of(&new.case));
    case_words::add(tx, accepted.iter().map(words)).await?;
    let keys = accepted.iter().filter_map(|new| {
        let indexed = &types.get(&new.case.case_type_id)?.indexed;
        Some((new.case.case_type_id, new.case.id, case_index::keys(indexed, &new.data)))
    });
    case_index::add(tx, keys).await?;
    for new in accepted {
        for (name, value) in &new.outputs {
            super::cases::put_output(tx, new.case.id, name, value).await?;
        }
    }
    for (once, _) in refused.iter().filter_map(|new| new.once.as_ref()) {
        once::leave(tx, once).await?;
    }
    Ok(created)
}

async fn insert_cases(tx: &Tx, cases: &[&NewCase]) -> Result<Vec<Uuid>, StoreError> {
    let mut values = Vec::with_capacity(cases.len() * 15);
    for new in cases {
        let case = &new.case;
        values.extend([
            uuid(case.id.0),
            uuid(case.workspace.0),
            uuid(case.case_type_id.0),
            maybe_text(case.reference.clone()),
            maybe_text(case.title.clone()),
            text(case.status.as_str()),
            maybe_text(case.custom_status.clone()),
            maybe_text(case.assignee.clone()),
            json(&new.data),
            json(&new.provenance),
            int(case.version),
            int(case.revision),
            ms(case.created_at),
            ms(case.updated_at),
            text(case_words::line(&case_words::of(case))),
        ]);
    }
    let statement = format!(
        "INSERT INTO cases (id, workspace_id, case_type_id, reference, title, status, custom_status, assignee, \
         data, provenance, version, revision, created_at, updated_at, words) VALUES {} \
         ON CONFLICT DO NOTHING RETURNING id",
        tuples(cases.len(), 15, 1)
    );
    let rows = tx.all(sql(statement, values)).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}
