//! Values of indexed fields, by which lists are filtered at any size.
//!
//! Which fields those are stands in `case_type.indexed`, and whoever writes data reads it in the
//! same transaction: so no writer that knows an older version of the case type leaves a value out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::case_words::insert_new;
use super::error::StoreError;
use super::statement::{json, sql, text, uuid};
use super::tx::Tx;
use crate::domain::ids::{CaseId, CaseTypeId};
use crate::domain::search::value_key;

/// Keys of values by field.
pub(super) type Keys = BTreeMap<String, String>;

/// What is kept of the data of a case whose type has these fields indexed.
pub(super) fn keys(indexed: &[String], data: &Map<String, Value>) -> Keys {
    let key = |field: &String| Some((field.clone(), value_key(data.get(field)?)?));
    indexed.iter().filter_map(key).collect()
}

/// Adds values; those that are there stay.
pub(super) async fn add(
    tx: &Tx,
    cases: impl IntoIterator<Item = (CaseTypeId, CaseId, Keys)>,
) -> Result<(), StoreError> {
    let rows = cases.into_iter().flat_map(|(case_type, case, keys)| {
        keys.into_iter()
            .map(move |(field, key)| vec![uuid(case_type.0), text(field), text(key), uuid(case.0)])
    });
    insert_new(tx, "INSERT INTO case_index (case_type_id, field, value, case_id)", rows.collect()).await
}

/// Takes values away.
pub(super) async fn remove(
    tx: &Tx,
    case_type: CaseTypeId,
    case: CaseId,
    keys: &Keys,
) -> Result<(), StoreError> {
    for (field, key) in keys {
        let statement =
            "DELETE FROM case_index WHERE case_type_id = $1 AND field = $2 AND value = $3 AND case_id = $4";
        let values = vec![uuid(case_type.0), text(field), text(key), uuid(case.0)];
        tx.execute(sql(statement, values)).await?;
    }
    Ok(())
}

/// Makes the values of a case those that it has after a change.
pub(super) async fn change(
    tx: &Tx,
    (case_type, case): (CaseTypeId, CaseId),
    before: &Keys,
    after: Keys,
) -> Result<(), StoreError> {
    let gone = before.iter().filter(|(field, key)| after.get(*field) != Some(key));
    let gone: Keys = gone.map(|(field, key)| (field.clone(), key.clone())).collect();
    remove(tx, case_type, case, &gone).await?;
    let new = after.into_iter().filter(|(field, key)| before.get(field) != Some(key)).collect();
    add(tx, [(case_type, case, new)]).await
}

impl Tx {
    /// The fields of a case type that are indexed.
    pub(super) async fn indexed_fields(&self, case_type: CaseTypeId) -> Result<Vec<String>, StoreError> {
        let statement = "SELECT indexed FROM case_type WHERE id = $1";
        match self.one(sql(statement, vec![uuid(case_type.0)])).await? {
            Some(row) => read_indexed(case_type, &row.try_get_by_index::<String>(0)?),
            None => Ok(Vec::new()),
        }
    }

    /// Says which fields of a case type are indexed from now on. What is written from now on is
    /// found; older cases are looked through by [`Tx::fill`]. Values of fields that are indexed no
    /// more go in the same way. Nobody adds a case meanwhile.
    pub async fn set_indexed(&self, case_type: CaseTypeId, fields: &[&str]) -> Result<(), StoreError> {
        self.hold_case_type(case_type).await?;
        let before = self.indexed_fields(case_type).await?;
        let (gone, new): (Vec<_>, Vec<_>) = (
            before.iter().filter(|field| !fields.contains(&field.as_str())).cloned().collect(),
            fields.iter().filter(|field| !before.iter().any(|old| old == *field)).collect(),
        );
        if gone.is_empty() && new.is_empty() {
            return Ok(());
        }
        let statement = "UPDATE case_type SET indexed = $2 WHERE id = $1";
        self.execute(sql(statement, vec![uuid(case_type.0), json(fields)])).await?;
        for field in gone.iter().map(String::as_str).chain(new.into_iter().copied()) {
            let statement = "INSERT INTO filling (case_type_id, field) VALUES ($1, $2) \
                 ON CONFLICT (case_type_id, field) DO UPDATE SET after_id = NULL";
            self.execute(sql(statement, vec![uuid(case_type.0), text(field)])).await?;
        }
        Ok(())
    }
}

/// The fields that `case_type.indexed` lists.
pub(super) fn read_indexed(case_type: CaseTypeId, list: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(list).map_err(|error| StoreError::Corrupt {
        table: "case_type",
        id: case_type.0,
        reason: error.to_string(),
    })
}
