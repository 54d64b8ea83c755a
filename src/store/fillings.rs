//! What older cases still lack in words and indexes, brought up in small steps.
//!
//! A step looks at the cases behind the last one, oldest first, holds them and writes what is
//! missing. Whoever writes a case meanwhile does the same for it, so steps and writers may come in
//! any order. A field that is indexed no more has its values taken away in the same walk. Several
//! processes that fill at once do no harm.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::case_index::{self, Keys};
use super::case_words;
use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, sql, text, uuid};
use super::tx::Tx;
use crate::domain::ids::{CaseId, CaseTypeId, WorkspaceId};
use crate::domain::search::case_words as words_of;

/// Cases in one step; with their data, so not too many.
const STEP: usize = 250;

/// A walk that is under way; no `field`: that for the words.
struct Filling {
    case_type: CaseTypeId,
    field: String,
    after: Option<Uuid>,
}

/// What a step sees of a case.
struct Seen {
    id: Uuid,
    workspace: WorkspaceId,
    reference: Option<String>,
    title: Option<String>,
    data: Map<String, Value>,
}

impl Tx {
    /// The fields of a case type whose older cases are still looked through.
    pub(super) async fn fillings_of(&self, case_type: CaseTypeId) -> Result<BTreeSet<String>, StoreError> {
        let statement = "SELECT field FROM filling WHERE case_type_id = $1";
        let rows = self.all(sql(statement, vec![uuid(case_type.0)])).await?;
        rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
    }

    /// Whether there is anything to fill.
    pub async fn is_filling(&self) -> Result<bool, StoreError> {
        Ok(self.one(sql("SELECT 1 FROM filling LIMIT 1", Vec::new())).await?.is_some())
    }

    /// One step of the first walk; `false`: there is nothing to do.
    pub async fn fill(&self) -> Result<bool, StoreError> {
        let statement =
            "SELECT case_type_id, field, after_id FROM filling ORDER BY case_type_id, field LIMIT 1";
        let Some(row) = self.one(sql(statement, Vec::new())).await? else { return Ok(false) };
        let mut columns = Columns::of("filling", &row)?;
        let filling =
            Filling { case_type: CaseTypeId(columns.id()), field: columns.get()?, after: columns.get()? };
        if filling.field.is_empty() && filling.after.is_none() {
            self.find_indexed(filling.case_type).await?;
        }
        let seen = self.next_cases(&filling).await?;
        if filling.field.is_empty() {
            let words = |seen: &Seen| words_of(seen.reference.as_deref(), seen.title.as_deref());
            for seen in &seen {
                let statement = "UPDATE cases SET words = $2 WHERE id = $1";
                self.execute(sql(statement, vec![uuid(seen.id), text(case_words::line(&words(seen)))]))
                    .await?;
            }
            case_words::add(self, seen.iter().map(|seen| (seen.workspace, CaseId(seen.id), words(seen))))
                .await?;
        } else {
            self.fill_field(&filling, &seen).await?;
        }
        if let Some(last) = seen.last().filter(|_| seen.len() == STEP) {
            let statement = "UPDATE filling SET after_id = $3 WHERE case_type_id = $1 AND field = $2";
            let values = vec![uuid(filling.case_type.0), text(&*filling.field), uuid(last.id)];
            self.execute(sql(statement, values)).await?;
        } else {
            let statement = "DELETE FROM filling WHERE case_type_id = $1 AND field = $2";
            let values = vec![uuid(filling.case_type.0), text(&*filling.field)];
            self.execute(sql(statement, values)).await?;
        }
        Ok(true)
    }

    /// Finds the fields that were indexed in the definition before indexes were kept.
    async fn find_indexed(&self, case_type: CaseTypeId) -> Result<(), StoreError> {
        let Some(row) = self.get_case_type(case_type).await? else { return Ok(()) };
        let fields = row.definition["fields"].as_array().into_iter().flatten();
        let indexed = fields.filter(|field| field["index"] == true).filter_map(|field| field["key"].as_str());
        self.set_indexed(case_type, &indexed.collect::<Vec<_>>()).await
    }

    async fn fill_field(&self, filling: &Filling, seen: &[Seen]) -> Result<(), StoreError> {
        let (case_type, field) = (filling.case_type, filling.field.clone());
        let is_indexed = self.indexed_fields(case_type).await?.contains(&field);
        let fields = [field];
        let keys = seen.iter().map(|seen| (CaseId(seen.id), case_index::keys(&fields, &seen.data)));
        let keys: Vec<(CaseId, Keys)> = keys.filter(|(_, keys)| !keys.is_empty()).collect();
        if is_indexed {
            return case_index::add(self, keys.into_iter().map(|(case, keys)| (case_type, case, keys))).await;
        }
        for (case, keys) in &keys {
            case_index::remove(self, case_type, *case, keys).await?;
        }
        Ok(())
    }

    /// The next cases of a walk, held, as they are once they are held.
    async fn next_cases(&self, filling: &Filling) -> Result<Vec<Seen>, StoreError> {
        let limit = int(i64::try_from(STEP).unwrap_or(i64::MAX));
        let values =
            || vec![uuid(filling.case_type.0), uuid(filling.after.unwrap_or_default()), limit.clone()];
        let next = "case_type_id = $1 AND id > $2 ORDER BY id LIMIT $3";
        let ids = self.all(sql(format!("SELECT id FROM cases WHERE {next}"), values())).await?;
        let ids = ids.iter().map(|row| Ok(CaseId(row.try_get_by_index(0)?)));
        self.hold_cases(ids.collect::<Result<Vec<_>, StoreError>>()?).await?;
        let statement = format!("SELECT id, workspace_id, reference, title, data FROM cases WHERE {next}");
        let rows = self.all(sql(statement, values())).await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::of("cases", row)?;
                Ok(Seen {
                    id: columns.id(),
                    workspace: WorkspaceId(columns.get()?),
                    reference: columns.get()?,
                    title: columns.get()?,
                    data: columns.json()?,
                })
            })
            .collect()
    }
}
