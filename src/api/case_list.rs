//! Which cases a list shows, and in which order: the query of `GET /v1/cases`.

use super::present::case::Includes;
use super::query::{Parameters, Query, one_of};
use crate::domain::case::CaseStatus;
use crate::domain::data::DataPath;
use crate::domain::failure::FailureCode;
use crate::domain::ids::is_key;
use crate::domain::run::{FieldStatus, Reason, WaitingFor};
use crate::service::{CaseQuery, PageRequest};
use crate::store::CaseSort;

/// A field's answer came from the cache: no status, but filtered like one.
const CACHED: &str = "cached";
/// The same for data that is out of date.
const STALE: &str = "stale";

/// Characters of a search.
const LONGEST_SEARCH: usize = 200;

const INCLUDES: [&str; 2] = ["outputs", "provenance"];

const SORTS: [(&str, CaseSort); 4] = [
    ("created_at", CaseSort::CreatedAt),
    ("updated_at", CaseSort::UpdatedAt),
    ("reference", CaseSort::Reference),
    ("title", CaseSort::Title),
];

/// A list as it is asked for.
pub struct CaseList {
    /// Filters and order.
    pub query: CaseQuery,
    /// Which page of it.
    pub page: PageRequest,
    /// What its items show beside the usual.
    pub includes: Includes,
}

impl Parameters for CaseList {
    fn read(query: &mut Query) -> Self {
        let case_type = query.key("case_type");
        let filters = filters(query);
        let (sort, descending) = sort(query);
        let include = include(query);
        let includes = |name: &str| include.iter().any(|included| included == name);
        Self {
            query: CaseQuery { case_type, sort, descending, ..filters },
            includes: Includes { outputs: includes("outputs"), provenance: includes("provenance") },
            page: PageRequest::read(query),
        }
    }
}

/// Which cases of a case type are summed up.
pub struct SummaryFilters(pub CaseQuery);

impl Parameters for SummaryFilters {
    fn read(query: &mut Query) -> Self {
        Self(filters(query))
    }
}

/// The filters that lists and summaries have in common.
fn filters(query: &mut Query) -> CaseQuery {
    let fields = query.prefixed("field.", "field.<key>");
    let fields = fields.into_iter().filter_map(|(key, value)| field(query, key, &value)).collect();
    let values = query.prefixed("data.", "data.<path>");
    let data = values.into_iter().filter_map(|(path, value)| data(query, &path, value)).collect();
    let allowed = format!("at most {LONGEST_SEARCH} characters");
    CaseQuery {
        status: query.word("status", CaseStatus::ALL, CaseStatus::as_str),
        custom_status: query.text("custom_status"),
        assignee: query.text("assignee"),
        reference: query.text("reference"),
        updated_since: query.instant("updated_since"),
        q: query
            .parsed("q", &allowed, |text| (text.chars().count() <= LONGEST_SEARCH).then(|| text.to_owned())),
        fields,
        data,
        ..CaseQuery::default()
    }
}

/// A path in the data, and the value that must be there.
fn data(query: &mut Query, path: &str, value: String) -> Option<(DataPath, String)> {
    let parsed = DataPath::parse_exact(path).ok();
    if parsed.is_none() {
        query.refuse(&format!("data.{path}"), "`data.` and a dotted path in the data of cases");
    }
    if value.contains('\0') {
        query.refuse(&format!("data.{path}"), "a text without NUL");
        return None;
    }
    Some((parsed?, value))
}

/// Newest first unless asked.
fn sort(query: &mut Query) -> (CaseSort, bool) {
    let allowed = format!("{}, with `-` before it for descending order", one_of(SORTS.map(|(name, _)| name)));
    let asked = query.parsed("sort", &allowed, |text| {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let (_, sort) = SORTS.into_iter().find(|(word, _)| *word == name)?;
        Some((sort, descending))
    });
    asked.unwrap_or((CaseSort::CreatedAt, true))
}

fn include(query: &mut Query) -> Vec<String> {
    let allowed = "`outputs`, `provenance` or both, separated by a comma";
    let asked = query.parsed("include", allowed, |text| {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        names.iter().all(|name| INCLUDES.contains(&name.as_str())).then_some(names)
    });
    asked.unwrap_or_default()
}

/// `<status>[:<reason>]`, `cached` or `stale` of one field.
fn field(query: &mut Query, key: String, value: &str) -> Option<(String, String, Option<String>)> {
    let (word, reason) = value.split_once(':').map_or((value, None), |(word, reason)| (word, Some(reason)));
    let name = format!("field.{key}");
    if !is_key(&key) {
        query.refuse(&name, "`field.` and the key of a field");
        return None;
    }
    let known = FieldStatus::parse(word).is_some() || [CACHED, STALE].contains(&word);
    if !known {
        let words = FieldStatus::ALL.iter().map(|status| status.as_str()).chain([CACHED, STALE]);
        query.refuse(
            &name,
            &format!("{}, a status with `:` and its reason after it if wanted", one_of(words)),
        );
        return None;
    }
    if let Some(reason) = reason.filter(|reason| !is_reason(word, reason)) {
        query
            .refuse(&name, &format!("a status and one of its reasons; `{reason}` is none that `{word}` has"));
        return None;
    }
    Some((key, word.to_owned(), reason.map(str::to_owned)))
}

/// Why a field can be skipped, has failed or waits.
fn is_reason(status: &str, reason: &str) -> bool {
    match FieldStatus::parse(status) {
        Some(FieldStatus::Skipped) => Reason::parse(reason).is_some(),
        Some(FieldStatus::Failed) => FailureCode::parse(reason).is_some(),
        Some(FieldStatus::Queued) => WaitingFor::parse(reason).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CaseList, String> {
        Query::parse(text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_newest_cases_come_first_without_outputs_unless_asked() {
        let CaseList { query, page, includes } = read("").unwrap();
        assert!(query.sort == CaseSort::CreatedAt && query.descending);
        assert!(!includes.outputs && !includes.provenance && query.fields.is_empty());
        assert_eq!(page.limit, 50);
    }

    #[test]
    fn filters_sort_and_includes_are_read() {
        let text = "case_type=loan&status=closed&reference=KYB-1042&sort=-title&include=provenance,outputs&limit=2\
                    &field.vat_check=skipped:missing_input&field.score=failed:timeout&field.bank=cached";
        let CaseList { query, page, includes } = read(text).unwrap();
        assert_eq!(query.case_type.as_deref(), Some("loan"));
        assert_eq!(query.status, Some(CaseStatus::Closed));
        assert_eq!(query.reference.as_deref(), Some("KYB-1042"));
        assert!(query.sort == CaseSort::Title && query.descending);
        assert!(includes.outputs && includes.provenance);
        let expected = [
            ("vat_check".to_owned(), "skipped".to_owned(), Some("missing_input".to_owned())),
            ("score".to_owned(), "failed".to_owned(), Some("timeout".to_owned())),
            ("bank".to_owned(), "cached".to_owned(), None),
        ];
        assert_eq!(query.fields, expected);
        assert_eq!(page.limit, 2);
    }

    #[test]
    fn words_and_values_are_read() {
        let query = read("q=acme+1042&data.address.city=Gent&data.amount=5").unwrap().query;
        assert_eq!(query.q.as_deref(), Some("acme 1042"));
        let data: Vec<_> = query.data.iter().map(|(path, value)| format!("{path}={value}")).collect();
        assert_eq!(data, ["address.city=Gent", "amount=5"]);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let long = format!("q={}", "x".repeat(201));
        for wrong in [
            long.as_str(),
            "data.=1",
            "data.a..b=1",
            "data.a=%00",
            "data.a=1&data.a=2",
            "status=open",
            "sort=age",
            "sort=--title",
            "include=all",
            "include=",
            "updated_since=yesterday",
            "case_type=A-B",
            "field.vat_check=done",
            "field.vat_check=succeeded:timeout",
            "field.vat_check=skipped:",
            "field.vat_check=cached:x",
            "field.=queued",
            "field.A=queued",
            "field.a=queued&field.a=failed",
            "fields.a=queued",
            "q=x&limit=0",
        ] {
            let error = read(wrong).map(|_| ()).unwrap_err();
            assert!(error.starts_with("400 malformed_request: "), "{wrong}: {error}");
        }
    }
}
