//! Case types while cases of them are made: what a creating transaction goes by, and keeps as it is.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::QueryResult;

use super::case_index::read_indexed;
use super::error::StoreError;
use super::statement::{list, sql, uuid};
use super::tx::Tx;
use crate::domain::ids::CaseTypeId;

/// A case type while cases of it are made.
#[derive(Debug, Clone)]
pub(super) struct KeptCaseType {
    /// Its current version.
    pub(super) version: i64,
    /// Its indexed fields.
    pub(super) indexed: Vec<String>,
}

impl Tx {
    /// Those of these case types that are there, as they are now; until the commit nobody deletes or
    /// changes them.
    pub(super) async fn keep_case_types(
        &self,
        types: impl IntoIterator<Item = CaseTypeId>,
    ) -> Result<BTreeMap<CaseTypeId, KeptCaseType>, StoreError> {
        let types: BTreeSet<CaseTypeId> = types.into_iter().collect();
        let (ids, lock) = (list(types.len(), 1), self.dialect().for_share());
        let statement =
            format!("SELECT id, version, indexed FROM case_type WHERE id IN ({ids}) ORDER BY id{lock}");
        let rows = self.all(sql(statement, types.into_iter().map(|id| uuid(id.0)).collect())).await?;
        let kept = |row: &QueryResult| {
            let id = CaseTypeId(row.try_get_by_index(0)?);
            let indexed = read_indexed(id, &row.try_get_by_index::<String>(2)?)?;
            Ok((id, KeptCaseType { version: row.try_get_by_index(1)?, indexed }))
        };
        rows.iter().map(kept).collect()
    }
}
