//! One page of a list of cases, and the views before and behind it.
//!
//! A page is bound to the place of a row, not to a number, so it stays put while rows come and go.
//! The page before one is read from the other end and turned round; where that comes to the
//! beginning, it is the first page, whole.

use chrono::TimeDelta;

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
    /// How many cases match in all, and whether there are more; none: they are being counted.
    pub total: Option<(u64, bool)>,
}

/// How long rows wait for what is counted beside them, in ms: they are the page. What comes later
/// is asked for by the page that lies open, and without script by a link.
const PATIENCE_MS: i64 = 60;

/// How long to wait for counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// Until they are there.
    Awaited,
    /// As long as rows may.
    Aside,
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
        counting: Counting,
    ) -> Result<(Self, Option<Counts>), Refusal> {
        let Some(key) = key else {
            return Ok((Self::read(services, actor, view, rows, true).await?, None));
        };
        let list = Self::read(services, actor, view, rows, false);
        let (list, counts) = tokio::try_join!(list, counts(services, actor, key, view, counting))?;
        let total = counts.as_ref().map(|counts| (counts.total, counts.partial)).or(list.total);
        Ok((Self { total, ..list }, counts))
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
        let rows_end =
            from.filter(|_| !more && !backwards).map(|from| from.saturating_sub(1) + page.items.len() as u64);
        let total = page.total.or(rows_end).map(|total| (total, false)).or(at_least);
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
        let total = self.total.map(|(total, at_least)| w::total(total, at_least));
        w::range(self.from, self.cases.len() as u64, total.as_deref())
    }
}

/// How the fields of all cases of a type stand that match; none: that takes longer.
async fn counts(
    services: &Services,
    actor: &Actor,
    key: &CaseTypeKey,
    view: &ListQuery,
    counting: Counting,
) -> Result<Option<Counts>, Refusal> {
    let (cases, query) = (&services.cases, case_query(view));
    let until = services.clock.now() + TimeDelta::milliseconds(PATIENCE_MS);
    let summary = match counting {
        Counting::Awaited => Some(cases.summary(actor, key, query).await?),
        Counting::Aside => cases.summary_until(until, actor, key, query).await?,
    };
    let Some(summary) = summary else { return Ok(None) };
    let field = |(key, of): &(FieldKey, FieldSummary)| FieldCounts {
        key: key.to_string(),
        statuses: of.statuses.clone(),
        cached: of.cached,
        stale: of.stale,
    };
    let fields = summary.fields.iter().map(field).collect();
    Ok(Some(Counts { total: summary.total, partial: summary.more, fields }))
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
