//! How a filter finds its cases: along the order, from the few that one condition leaves, or by
//! looking into the data of up to 10,000.
//!
//! A value without an index is compared here and not by the database, so both databases, and cases
//! that were written before a field was indexed, mean the same by "equal".

use std::cmp::Ordering;
use std::collections::BTreeSet;

use sea_orm::QueryResult;
use serde_json::{Map, Value};

use super::condition::{Condition, Indexed};
use super::filter::{CaseFilter, CaseSort, DataFilter, TooWide};
use super::narrow::{Source, common, sources};
use crate::domain::data;
use crate::domain::ids::{CaseId, CaseTypeId, WorkspaceId};
use crate::domain::search::value_key;
use crate::store::error::StoreError;
use crate::store::rows::Columns;
use crate::store::statement::{CHUNK, int, list, sql, text, uuid};
use crate::store::tx::Tx;

/// Most cases whose data is looked at.
pub const MOST_CANDIDATES: u64 = 10_000;

/// The place of a case in an order.
pub(super) type Place = (Value, CaseId);

/// A filter with the way to its cases. Good inside the transaction that it was made in.
pub struct Selection {
    pub(super) filter: CaseFilter,
    pub(super) workspace: WorkspaceId,
    pub(super) way: Way,
}

/// The way to the cases.
pub(super) enum Way {
    /// Along the index of the order; a short way only if there is a source to turn to.
    Walk(Vec<(DataFilter, Vec<CaseTypeId>)>, Option<Source>),
    /// From the few cases of a source.
    Few(Vec<(DataFilter, Vec<CaseTypeId>)>, Source),
    /// These, in order.
    Given(Vec<Place>),
}

/// Places in the order that a filter wants.
pub(super) fn compare(filter: &CaseFilter, a: &Place, b: &Place) -> Ordering {
    let values = match (a.0.as_i64(), b.0.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.0.as_str().cmp(&b.0.as_str()),
    };
    let order = values.then(a.1.cmp(&b.1));
    if filter.descending { order.reverse() } else { order }
}

/// A case type of the workspace, and which of its fields are indexed by now.
struct Scope {
    id: CaseTypeId,
    indexed: BTreeSet<String>,
    filling: BTreeSet<String>,
}

impl Tx {
    /// Finds the way to the cases that a filter leaves.
    pub async fn select_cases(
        &self,
        workspace: WorkspaceId,
        filter: CaseFilter,
    ) -> Result<Result<Selection, TooWide>, StoreError> {
        let scope = if filter.data.is_empty() { Vec::new() } else { self.scope(workspace, &filter).await? };
        let mut indexed = Vec::with_capacity(filter.data.len());
        for data in &filter.data {
            indexed.push(self.indexed(data, &scope).await?);
        }
        let looked_at = indexed.iter().find(|data| !data.pure);
        let too_wide = looked_at.map(|data| TooWide {
            path: data.data.path.clone(),
            filling: scope.iter().any(|one| one.filling.contains(data.data.path.first())),
        });
        let source = self.narrowest(sources(workspace, &filter, &indexed)).await?;
        let owned = |indexed: &[Indexed<'_>]| {
            indexed.iter().map(|one| (one.data.clone(), one.ready.clone())).collect::<Vec<_>>()
        };
        let Some(too_wide) = too_wide else {
            let owned = owned(&indexed);
            let way = match source {
                Some(source) => Way::Few(owned, source),
                None => Way::Walk(owned, common(workspace, &filter, &indexed)),
            };
            return Ok(Ok(Selection { filter, workspace, way }));
        };
        let condition = filter.condition(workspace, &indexed);
        let places = self.places(&filter.sort, condition, source.as_ref(), MOST_CANDIDATES + 1).await?;
        if places.len() as u64 > MOST_CANDIDATES {
            return Ok(Err(too_wide));
        }
        let mut given = self.with_data(&filter.data, places).await?;
        given.sort_unstable_by(|a, b| compare(&filter, a, b));
        Ok(Ok(Selection { filter, workspace, way: Way::Given(given) }))
    }

    /// The case types that a filter may find cases of.
    async fn scope(&self, workspace: WorkspaceId, filter: &CaseFilter) -> Result<Vec<Scope>, StoreError> {
        let statement = "SELECT id, key, indexed FROM case_type WHERE workspace_id = $1 ORDER BY id";
        let mut scope = Vec::new();
        for row in self.all(sql(statement, vec![uuid(workspace.0)])).await? {
            let mut columns = Columns::of("case_type", &row)?;
            let key: String = columns.get()?;
            if filter.case_type.as_ref().is_some_and(|wanted| *wanted != key) {
                continue;
            }
            let id = CaseTypeId(columns.id());
            scope.push(Scope { id, indexed: columns.json()?, filling: self.fillings_of(id).await? });
        }
        Ok(scope)
    }

    async fn indexed<'f>(&self, data: &'f DataFilter, scope: &[Scope]) -> Result<Indexed<'f>, StoreError> {
        let field = (data.path.segments().len() == 1).then(|| data.path.first());
        let is_ready = |one: &Scope| {
            field.is_some_and(|field| one.indexed.contains(field) && !one.filling.contains(field))
        };
        let mut pure = true;
        for other in scope.iter().filter(|one| !is_ready(one)) {
            pure &= self.count_up_to("cases WHERE case_type_id = $1", other.id.0, 1).await? == 0;
        }
        let ready = scope.iter().filter(|one| is_ready(one)).map(|one| one.id).collect();
        Ok(Indexed { data, ready, pure })
    }

    /// Up to `most` cases that meet a condition, with their places in an order; in none themselves.
    pub(super) async fn places(
        &self,
        sort: &CaseSort,
        mut condition: Condition,
        source: Option<&Source>,
        most: u64,
    ) -> Result<Vec<Place>, StoreError> {
        let from = from(source, &mut condition, "");
        let most = condition.bind(int(i64::try_from(most).unwrap_or(i64::MAX)));
        let statement = format!(
            "{}SELECT cases.id, {} {} WHERE {} LIMIT {most}",
            from.with,
            sort.column(),
            from.tables,
            condition.all()
        );
        let rows = self.all(sql(statement, condition.values)).await?;
        rows.iter().map(|row| place(row, *sort)).collect()
    }

    /// Those of the cases whose data is as the filters want it.
    async fn with_data(&self, filters: &[DataFilter], places: Vec<Place>) -> Result<Vec<Place>, StoreError> {
        let mut found = Vec::new();
        for chunk in places.chunks(CHUNK) {
            let ids = chunk.iter().map(|(_, id)| uuid(id.0));
            let statement = format!("SELECT id, data FROM cases WHERE id IN ({})", list(chunk.len(), 1));
            let mut cases = std::collections::HashMap::with_capacity(chunk.len());
            for row in self.all(sql(statement, ids.clone().collect())).await? {
                let mut columns = Columns::of("cases", &row)?;
                cases.insert(columns.id(), columns.json::<Map<String, Value>>()?);
            }
            for name in filters.iter().map(|filter| filter.path.first()) {
                let statement = format!(
                    "SELECT case_id, value FROM case_output WHERE name = $1 AND case_id IN ({})",
                    list(chunk.len(), 2)
                );
                let values = [text(name)].into_iter().chain(ids.clone()).collect();
                for row in self.all(sql(statement, values)).await? {
                    let mut columns = Columns::of("case_output", &row)?;
                    if let Some(data) = cases.get_mut(&columns.id()) {
                        data.insert(name.to_owned(), columns.json()?);
                    }
                }
            }
            for place in chunk {
                let matches = cases.remove(&place.1.0).is_some_and(|data| holds(filters, data));
                found.extend(matches.then(|| place.clone()));
            }
        }
        Ok(found)
    }
}

fn holds(filters: &[DataFilter], data: Map<String, Value>) -> bool {
    let data = Value::Object(data);
    filters.iter().all(|filter| {
        let key = data::get(&data, &filter.path).and_then(value_key);
        key.is_some_and(|key| filter.keys.contains(&key))
    })
}

pub(super) fn place(row: &QueryResult, sort: CaseSort) -> Result<Place, StoreError> {
    let mut columns = Columns::of("cases", row)?;
    let value = match sort {
        CaseSort::CreatedAt | CaseSort::UpdatedAt => Value::from(columns.get::<i64>()?),
        CaseSort::Reference | CaseSort::Title => Value::from(columns.get::<String>()?),
    };
    Ok((value, CaseId(columns.id())))
}

/// What a SELECT of cases begins with, and its tables.
pub(super) struct From {
    pub(super) with: String,
    pub(super) tables: String,
}

/// Cases with their types, taken from a source if there is one, else with what `hint` says of the
/// index to use. CROSS JOIN is an order that SQLite keeps to; to PostgreSQL it is a join like any.
pub(super) fn from(source: Option<&Source>, condition: &mut Condition, hint: &str) -> From {
    condition.parts.push("case_type.id = cases.case_type_id".to_owned());
    match source {
        None => From { with: String::new(), tables: format!("FROM cases{hint} CROSS JOIN case_type") },
        Some(source) => {
            let select = source(condition);
            condition.parts.push("cases.id = hit.case_id".to_owned());
            From {
                with: format!("WITH hit (case_id) AS (SELECT DISTINCT case_id FROM ({select}) AS source) "),
                tables: "FROM hit CROSS JOIN cases CROSS JOIN case_type".to_owned(),
            }
        }
    }
}
