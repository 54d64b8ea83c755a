//! Pages of what a filter leaves, and how much that is.
//!
//! A page begins after the last row of the one before it (by sort value, then id), so it stays put
//! while rows arrive.

use serde_json::Value;

use super::condition::{Condition, Indexed};
use super::filter::CaseFilter;
use super::narrow::Source;
use super::select::{Place, Selection, Way, compare, from, place};
use crate::domain::ids::CaseId;
use crate::store::cases::{CASE_COLUMNS, CaseRow, CaseSnapshot, case_row};
use crate::store::error::StoreError;
use crate::store::statement::{CHUNK, int, list, sql, text, uuid};
use crate::store::tx::Tx;

/// So many cases a walk goes along before it turns to a source.
const FAR: u64 = 5_000;

impl Selection {
    /// What was asked for.
    pub fn filter(&self) -> &CaseFilter {
        &self.filter
    }

    fn condition(&self) -> Condition {
        let indexed: Vec<_> = match &self.way {
            Way::Walk(data, _) | Way::Few(data, _) => {
                data.iter().map(|(data, ready)| Indexed { data, ready: ready.clone(), pure: true }).collect()
            }
            Way::Given(_) => Vec::new(),
        };
        self.filter.condition(self.workspace, &indexed)
    }

    /// What all cases that match are among.
    fn source(&self) -> Option<&Source> {
        match &self.way {
            Way::Walk(_, source) => source.as_ref(),
            Way::Few(_, source) => Some(source),
            Way::Given(_) => None,
        }
    }
}

/// Where a page is looked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Along {
    /// Along the order, up to this place if there is one.
    Order(Option<Place>),
    /// Among the cases of the source.
    Source,
}

impl Tx {
    /// A page of cases, those after `after` (sort value and id).
    pub async fn list_cases(
        &self,
        selection: &Selection,
        after: Option<(Value, CaseId)>,
        limit: u64,
    ) -> Result<Vec<CaseSnapshot>, StoreError> {
        let rows = if let Way::Given(places) = &selection.way {
            self.given_rows(selection, places, after, limit).await?
        } else {
            self.rows(selection, after, limit).await?
        };
        self.snapshots(rows).await
    }

    async fn rows(
        &self,
        selection: &Selection,
        after: Option<Place>,
        limit: u64,
    ) -> Result<Vec<CaseRow>, StoreError> {
        let read = async |along| {
            let (statement, values) = self.page(selection, after.clone(), limit, along);
            let rows = self.all(sql(statement, values)).await?;
            rows.iter().map(case_row).collect::<Result<Vec<_>, StoreError>>()
        };
        match &selection.way {
            Way::Walk(_, None) => read(Along::Order(None)).await,
            Way::Walk(_, Some(_)) => {
                let edge = self.edge(selection, after.clone()).await?;
                let whole = edge.is_none();
                let rows = read(Along::Order(edge)).await?;
                if whole || rows.len() as u64 >= limit { Ok(rows) } else { read(Along::Source).await }
            }
            Way::Few(..) | Way::Given(_) => read(Along::Source).await,
        }
    }

    /// The place where a walk has gone far enough; none: the order ends before.
    pub(super) async fn edge(
        &self,
        selection: &Selection,
        after: Option<Place>,
    ) -> Result<Option<Place>, StoreError> {
        let sort = selection.filter.sort;
        let mut condition = CaseFilter::default().condition(selection.workspace, &[]);
        let (operator, direction) = ways(&selection.filter);
        if let Some(after) = after {
            beyond(&selection.filter, operator, &after, &mut condition);
        }
        let column = sort.column();
        let statement = format!(
            "SELECT cases.id, {column} FROM cases{} WHERE {} ORDER BY {column} {direction}, cases.id {direction} \
             LIMIT 1 OFFSET {FAR}",
            self.dialect().by_index(sort.index()),
            condition.all()
        );
        let row = self.one(sql(statement, condition.values)).await?;
        row.map(|row| place(&row, sort)).transpose()
    }

    /// The statement of a page.
    pub(super) fn page(
        &self,
        selection: &Selection,
        after: Option<Place>,
        limit: u64,
        along: Along,
    ) -> (String, Vec<sea_orm::Value>) {
        let filter = &selection.filter;
        let mut condition = selection.condition();
        let column = filter.sort.column();
        let (operator, direction) = ways(filter);
        if let Some(after) = after {
            beyond(filter, operator, &after, &mut condition);
        }
        let source = if along == Along::Source { selection.source() } else { None };
        if let Along::Order(Some(edge)) = along {
            beyond(filter, if filter.descending { ">" } else { "<" }, &edge, &mut condition);
        }
        let from = from(source, &mut condition, &self.dialect().by_index(filter.sort.index()));
        let limit = condition.bind(int(i64::try_from(limit).unwrap_or(i64::MAX)));
        let statement = format!(
            "{}SELECT {CASE_COLUMNS} {} WHERE {} ORDER BY {column} {direction}, cases.id {direction} LIMIT {limit}",
            from.with,
            from.tables,
            condition.all()
        );
        (statement, condition.values)
    }

    async fn given_rows(
        &self,
        selection: &Selection,
        places: &[Place],
        after: Option<Place>,
        limit: u64,
    ) -> Result<Vec<CaseRow>, StoreError> {
        let behind = |place: &&Place| {
            after.as_ref().is_none_or(|after| compare(&selection.filter, place, after).is_gt())
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let page: Vec<CaseId> = places.iter().filter(behind).take(limit).map(|place| place.1).collect();
        let mut rows = Vec::with_capacity(page.len());
        for chunk in page.chunks(CHUNK) {
            let statement = format!(
                "SELECT {CASE_COLUMNS} FROM cases JOIN case_type ON case_type.id = cases.case_type_id \
                 WHERE cases.id IN ({})",
                list(chunk.len(), 1)
            );
            let found = self.all(sql(statement, chunk.iter().map(|id| uuid(id.0)).collect())).await?;
            let mut found = found.iter().map(case_row).collect::<Result<Vec<_>, _>>()?;
            found.sort_by_key(|row| chunk.iter().position(|id| *id == row.case.id));
            rows.append(&mut found);
        }
        Ok(rows)
    }

    /// How many cases match, counted up to `most`.
    pub async fn count_cases(&self, selection: &Selection, most: u64) -> Result<u64, StoreError> {
        if let Way::Given(places) = &selection.way {
            return Ok((places.len() as u64).min(most));
        }
        let mut condition = selection.condition();
        let from = from(selection.source(), &mut condition, "");
        let most = condition.bind(int(i64::try_from(most).unwrap_or(i64::MAX)));
        let statement = format!(
            "{}SELECT COUNT(*) FROM (SELECT 1 {} WHERE {} LIMIT {most}) AS found",
            from.with,
            from.tables,
            condition.all()
        );
        self.number(sql(statement, condition.values)).await
    }

    /// Up to `most` of the cases that match, in no order.
    pub async fn matching_cases(&self, selection: &Selection, most: u64) -> Result<Vec<CaseId>, StoreError> {
        if let Way::Given(places) = &selection.way {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            return Ok(places.iter().take(most).map(|place| place.1).collect());
        }
        let (sort, condition) = (&selection.filter.sort, selection.condition());
        let places = self.places(sort, condition, selection.source(), most).await?;
        Ok(places.into_iter().map(|place| place.1).collect())
    }
}

/// How an order compares, and its direction.
fn ways(filter: &CaseFilter) -> (&'static str, &'static str) {
    if filter.descending { ("<", "DESC") } else { (">", "ASC") }
}

/// Leaves what stands on this side of a place.
fn beyond(filter: &CaseFilter, operator: &str, (value, id): &Place, condition: &mut Condition) {
    let column = filter.sort.column();
    let value = value.as_i64().map_or_else(|| text(value.as_str().unwrap_or_default()), int);
    let (value, id) = (condition.bind(value), condition.bind(uuid(id.0)));
    // The first half is what an index can begin with.
    condition.parts.push(format!(
        "{column} {operator}= {value} AND ({column} {operator} {value} OR cases.id {operator} {id})"
    ));
}
