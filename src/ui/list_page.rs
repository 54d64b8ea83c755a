//! One page of a list of cases, and the views before and behind it.
//!
//! A page is bound to the place of a row, not to a number, so it stays put while rows come and go.
//! The page before one is read from the other end and turned round; where that comes to the
//! beginning, it is the first page, whole.

use super::case_bars::{Counts, FieldCounts};
use super::list_query::{ALL_TYPES, ListQuery, Spot};
use super::refusal::Refusal;
use super::words::case_list as w;
use crate::domain::data::DataPath;
use crate::domain::ids::{CaseTypeKey, FieldKey};
use crate::service::{Actor, CaseQuery, CaseView, FieldSummary, PageRequest, Services};

/// A page.
#[derive(Debug, Clone)]
pub struct ListPage {
    /// Its cases.
    pub cases: Vec<CaseView>,
    /// The number of its first row; none: not known.
    pub from: Option<u64>,
    /// The page before it.
    pub previous: Option<ListQuery>,
    /// The page behind it.
    pub next: Option<ListQuery>,
    /// How many cases match in all, and whether there are more.
    pub total: (u64, bool),
}

impl ListPage {
    /// Reads the page of a view, of so many rows, and of one case type how its fields stand, which
    /// tells how many match: neither waits for the other.
    pub async fn of(
        services: &Services,
        actor: &Actor,
        key: Option<&CaseTypeKey>,
        view: &ListQuery,
        rows: u64,
    ) -> Result<(Self, Option<Counts>), Refusal> {
        let Some(key) = key else {
            return Ok((Self::read(services, actor, view, rows, true).await?, None));
        };
        let list = Self::read(services, actor, view, rows, false);
        let (list, counts) = tokio::try_join!(list, counts(services, actor, key, view))?;
        Ok((Self { total: (counts.total, counts.partial), ..list }, Some(counts)))
    }

    async fn read(
        services: &Services,
        actor: &Actor,
        view: &ListQuery,
        rows: u64,
        count: bool,
    ) -> Result<Self, Refusal> {
        let query = case_query(view);
        let (backwards, cursor, from) = match &view.spot {
            Spot::First => (false, None, Some(1)),
            Spot::After(place, from) => (false, Some(place.clone()), *from),
            Spot::Before(place, from) => (true, Some(place.clone()), *from),
        };
        let request = PageRequest { limit: rows, cursor, count };
        let asked = if backwards { query.clone().reversed() } else { query.clone() };
        let page = services.cases.list(actor, asked, request).await?;
        let more = page.next.is_some();
        if backwards && !more {
            return Err(Refusal::elsewhere(view.first().url()));
        }
        let at_least = page.total_at_least.map(|least| (least, true));
        let total = page.total.map(|total| (total, false)).or(at_least).unwrap_or_default();
        let mut cases = page.items;
        if backwards {
            cases.reverse();
        }
        Ok(Self {
            previous: cases.first().filter(|_| view.spot != Spot::First).map(|first| {
                let from = from.map(|from| from.saturating_sub(rows).max(1));
                view.at(Spot::Before(query.clone().reversed().after(&first.case), from))
            }),
            next: cases.last().filter(|_| more || backwards).map(|last| {
                view.at(Spot::After(query.after(&last.case), from.map(|from| from + cases.len() as u64)))
            }),
            cases,
            from,
            total,
        })
    }
}

impl ListPage {
    /// `1–50 of 1,234 cases`.
    pub fn range(&self) -> String {
        let (total, at_least) = self.total;
        w::range(self.from, self.cases.len() as u64, &w::total(total, at_least))
    }
}

/// How the fields of all cases of a type stand that match.
async fn counts(
    services: &Services,
    actor: &Actor,
    key: &CaseTypeKey,
    view: &ListQuery,
) -> Result<Counts, Refusal> {
    // The type is named by the key; the order is nothing to a count.
    let query = CaseQuery { case_type: None, ..case_query(view) };
    let summary = services.cases.summary(actor, key, query).await?;
    let field = |(key, of): &(FieldKey, FieldSummary)| FieldCounts {
        key: key.to_string(),
        statuses: of.statuses.clone(),
        cached: of.cached,
        stale: of.stale,
    };
    Ok(Counts {
        total: summary.total,
        partial: summary.more,
        fields: summary.fields.iter().map(field).collect(),
    })
}

/// What the view asks the services for.
pub fn case_query(view: &ListQuery) -> CaseQuery {
    let (fields, data) = (view.fields.iter(), view.data.iter());
    CaseQuery {
        case_type: view.case_type.clone().filter(|key| key != ALL_TYPES),
        status: view.status,
        assignee: view.assignee.clone(),
        q: view.q.clone(),
        data: data
            .filter_map(|(path, value)| Some((DataPath::parse_exact(path).ok()?, value.clone())))
            .collect(),
        fields: fields
            .map(|choice| (choice.key.clone(), choice.word.clone(), choice.reason.clone()))
            .collect(),
        sort: view.sort,
        descending: view.descending,
        ..CaseQuery::default()
    }
}
