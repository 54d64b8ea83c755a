//! Words by which cases are found: those of reference and title, as `domain/search.rs` folds them.
//!
//! Which words a case has follows from its row, so those that go are named one by one and the table
//! needs no index by case. Words come in statements of few sizes, filled up with repetitions, so
//! that few statements are prepared.

use std::collections::BTreeSet;

use sea_orm::Value;

use super::error::StoreError;
use super::statement::{list, sql, text, tuples, uuid};
use super::tx::Tx;
use crate::domain::case::Case;
use crate::domain::ids::{CaseId, WorkspaceId};
use crate::domain::search::case_words;

/// Rows in one statement.
const SIZES: [usize; 4] = [4, 16, 64, 256];

/// The words of a case.
pub(super) fn of(case: &Case) -> BTreeSet<String> {
    case_words(case.reference.as_deref(), case.title.as_deref())
}

/// Words in a line, each behind a space: one that begins with `ab` stands where ` ab` is found.
pub(super) fn line(words: &BTreeSet<String>) -> String {
    words.iter().flat_map(|word| [" ", word]).collect()
}

/// Adds words; those that are there stay.
pub(super) async fn add(
    tx: &Tx,
    words: impl IntoIterator<Item = (WorkspaceId, CaseId, BTreeSet<String>)>,
) -> Result<(), StoreError> {
    let rows = words.into_iter().flat_map(|(workspace, case, words)| {
        words.into_iter().map(move |word| vec![uuid(workspace.0), text(word), uuid(case.0)])
    });
    insert_new(tx, "INSERT INTO case_word (workspace_id, word, case_id)", rows.collect()).await
}

/// Takes words away.
pub(super) async fn remove(
    tx: &Tx,
    workspace: WorkspaceId,
    case: CaseId,
    words: &BTreeSet<String>,
) -> Result<(), StoreError> {
    if words.is_empty() {
        return Ok(());
    }
    let statement = format!(
        "DELETE FROM case_word WHERE workspace_id = $1 AND case_id = $2 AND word IN ({})",
        list(words.len(), 3)
    );
    let values = [uuid(workspace.0), uuid(case.0)].into_iter().chain(words.iter().map(text));
    tx.execute(sql(statement, values.collect())).await.map(drop)
}

/// Makes the words of a case those that it has after a change.
pub(super) async fn change(tx: &Tx, before: &Case, after: &Case) -> Result<(), StoreError> {
    let (old, new) = (of(before), of(after));
    if old == new {
        return Ok(());
    }
    remove(tx, after.workspace, after.id, &(&old - &new)).await?;
    let statement = "UPDATE cases SET words = $2 WHERE id = $1";
    tx.execute(sql(statement, vec![uuid(after.id.0), text(line(&new))])).await?;
    add(tx, [(after.workspace, after.id, &new - &old)]).await
}

/// Inserts rows of a table that has a key and takes no row twice.
pub(super) async fn insert_new(tx: &Tx, into: &str, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
    let most = SIZES[SIZES.len() - 1];
    for chunk in rows.chunks(most) {
        let Some(last) = chunk.last() else { continue };
        let size = SIZES.into_iter().find(|size| *size >= chunk.len()).unwrap_or(most);
        let filled = chunk.iter().chain(std::iter::repeat_n(last, size - chunk.len()));
        let statement = format!("{into} VALUES {} ON CONFLICT DO NOTHING", tuples(size, last.len(), 1));
        tx.execute(sql(statement, filled.flatten().cloned().collect())).await?;
    }
    Ok(())
}
