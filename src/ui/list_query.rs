//! The view of a list of cases, as its address says it: what is filtered, in which order, with
//! which columns, and which page of it.
//!
//! The address is all there is: a page is made from it, and every link of the page is an address
//! again, made here. What is unknown is let go, since an address may be older than what it names;
//! what cannot be read at all is refused.

use std::fmt::Write as _;

use url::form_urlencoded;

use super::refusal::Refusal;
use super::words::case_list as w;
use crate::domain::case::CaseStatus;
use crate::store::CaseSort;

/// Where the list stands.
pub const PATH: &str = "/cases";

/// The cases of all types: no key of a type is spelt so.
pub const ALL_TYPES: &str = "*";

/// Bytes of an address, without the place of its page; each link of a page repeats it.
const LONGEST: usize = 2_000;

/// The orders, as addresses spell them.
const SORTS: [(&str, CaseSort); 4] = [
    ("created_at", CaseSort::CreatedAt),
    ("updated_at", CaseSort::UpdatedAt),
    ("reference", CaseSort::Reference),
    ("title", CaseSort::Title),
];

/// A condition on the state of a field: `field.<key>=<word>[:<reason>]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChoice {
    /// The field.
    pub key: String,
    /// A status, `cached` or `stale`.
    pub word: String,
    /// Why.
    pub reason: Option<String>,
}

impl FieldChoice {
    fn read(key: &str, value: &str) -> Self {
        let (word, reason) = value.split_once(':').map_or((value, None), |(word, why)| (word, Some(why)));
        Self { key: key.to_owned(), word: word.to_owned(), reason: reason.map(str::to_owned) }
    }

    fn value(&self) -> String {
        self.reason.as_ref().map_or_else(|| self.word.clone(), |reason| format!("{}:{reason}", self.word))
    }
}

/// Which page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Spot {
    /// The first.
    #[default]
    First,
    /// The one after a place, and the number of its first row when the links were followed.
    After(String, Option<u64>),
    /// The one that ends before a place, likewise.
    Before(String, Option<u64>),
}

/// A view.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    /// The key of a case type, [`ALL_TYPES`], or nothing: the first one.
    pub case_type: Option<String>,
    /// Words of reference and title.
    pub q: Option<String>,
    /// How far the cases have come.
    pub status: Option<CaseStatus>,
    /// Who works on them.
    pub assignee: Option<String>,
    /// Conditions on fields, one a field.
    pub fields: Vec<FieldChoice>,
    /// Conditions on values, by path.
    pub data: Vec<(String, String)>,
    /// The order.
    pub sort: CaseSort,
    /// Greatest first.
    pub descending: bool,
    /// The columns; none: the usual ones.
    pub cols: Option<Vec<String>>,
    /// Which page.
    pub spot: Spot,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            case_type: None,
            q: None,
            status: None,
            assignee: None,
            fields: Vec::new(),
            data: Vec::new(),
            sort: CaseSort::CreatedAt,
            descending: true,
            cols: None,
            spot: Spot::First,
        }
    }
}

impl ListQuery {
    /// Reads the query of an address.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let mut view = Self::default();
        let (mut after, mut before, mut from) = (None, None, None);
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let given =
                Some(value.trim().to_owned()).filter(|value| !value.is_empty() && !value.contains('\0'));
            match (&*name, given) {
                // The form of columns sends an empty one first, so that none can be chosen, too.
                ("cols", given) => {
                    let cols = view.cols.get_or_insert_default();
                    cols.extend(given.iter().flat_map(|ids| ids.split(',')).map(str::to_owned));
                }
                (_, None) => {}
                ("type", given) => view.case_type = given,
                ("q", given) => view.q = given,
                ("status", Some(word)) => view.status = Some(status(&word)?),
                ("assignee", given) => view.assignee = given,
                ("sort", Some(word)) => (view.sort, view.descending) = sort(&word)?,
                ("cursor", given) => after = given,
                ("before", given) => before = given,
                ("from", Some(number)) => from = number.parse().ok(),
                (name, Some(value)) => view.condition(name, value),
            }
        }
        view.spot = match (after, before) {
            (Some(place), _) => Spot::After(place, from),
            (None, Some(place)) => Spot::Before(place, from),
            (None, None) => Spot::First,
        };
        if view.first().query().len() > LONGEST {
            return Err(Refusal::wrong(w::TOO_LONG));
        }
        Ok(view)
    }

    fn condition(&mut self, name: &str, value: String) {
        if let Some(key) = name.strip_prefix("field.") {
            self.fields.retain(|choice| choice.key != key);
            self.fields.push(FieldChoice::read(key, &value));
        } else if let Some(path) = name.strip_prefix("data.") {
            self.data.retain(|(known, _)| known != path);
            self.data.push((path.to_owned(), value));
        }
    }

    /// What it says, in a fixed order: what stands in an address, and hidden in a form.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = self.filters();
        if let Some(cols) = &self.cols {
            pairs.push(("cols".to_owned(), cols.join(",")));
        }
        let (place, from) = match &self.spot {
            Spot::First => (None, &None),
            Spot::After(place, from) => (Some(("cursor", place)), from),
            Spot::Before(place, from) => (Some(("before", place)), from),
        };
        pairs.extend(place.map(|(name, place)| (name.to_owned(), place.clone())));
        pairs.extend(from.map(|from| ("from".to_owned(), from.to_string())));
        pairs
    }

    /// Type, filters and order.
    fn filters(&self) -> Vec<(String, String)> {
        let texts = [
            ("type", self.case_type.clone()),
            ("q", self.q.clone()),
            ("status", self.status.map(|status| status.as_str().to_owned())),
            ("assignee", self.assignee.clone()),
        ];
        let given = texts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let fields = self.fields.iter().map(|choice| (format!("field.{}", choice.key), choice.value()));
        let data = self.data.iter().map(|(path, value)| (format!("data.{path}"), value.clone()));
        let sort = ("sort".to_owned(), self.sort_word());
        let sort = Some(sort).filter(|_| (self.sort, self.descending) != (CaseSort::CreatedAt, true));
        given.chain(fields).chain(data).chain(sort).collect()
    }

    /// What a form that has inputs of these names hides beside them; names that end in a dot stand
    /// for all that begin so. The page is left out: another view begins at its first.
    pub fn hidden(&self, but: &[&str]) -> Vec<(String, String)> {
        let pairs = Self { spot: Spot::First, ..self.clone() }.pairs();
        pairs.into_iter().filter(|(name, _)| !but.contains(&name.as_str())).collect()
    }

    /// The query of its address.
    pub fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.pairs()).finish()
    }

    /// Its address.
    pub fn url(&self) -> String {
        let (mut url, query) = (PATH.to_owned(), self.query());
        if !query.is_empty() {
            // Writing to a text does not fail.
            let _ = write!(url, "?{query}");
        }
        url
    }

    /// The same with its counts, however long they take.
    pub fn awaited_url(&self) -> String {
        let url = self.url();
        format!("{url}{}counts=awaited", if url.contains('?') { '&' } else { '?' })
    }

    /// The same from its first page on.
    #[must_use]
    pub fn first(&self) -> Self {
        Self { spot: Spot::First, ..self.clone() }
    }

    /// The same on another page.
    #[must_use]
    pub fn at(&self, spot: Spot) -> Self {
        Self { spot, ..self.clone() }
    }

    /// Another type, of which columns and conditions of this one mean nothing.
    #[must_use]
    pub fn of_type(&self, key: &str) -> Self {
        let kept = self.first();
        Self { case_type: Some(key.to_owned()), fields: Vec::new(), data: Vec::new(), cols: None, ..kept }
    }

    /// With this state of a field; none: with any.
    #[must_use]
    pub fn with_field(&self, key: &str, word: Option<&str>) -> Self {
        let mut view = self.first();
        view.fields.retain(|choice| choice.key != key);
        view.fields.extend(word.map(|word| FieldChoice::read(key, word)));
        view
    }

    /// Without a condition on a value.
    #[must_use]
    pub fn without_data(&self, path: &str) -> Self {
        let mut view = self.first();
        view.data.retain(|(known, _)| known != path);
        view
    }

    /// Without any filter, in the same order and with the same columns.
    #[must_use]
    pub fn unfiltered(&self) -> Self {
        let (case_type, cols) = (self.case_type.clone(), self.cols.clone());
        Self { case_type, sort: self.sort, descending: self.descending, cols, ..Self::default() }
    }

    /// With the columns that nobody has to choose.
    #[must_use]
    pub fn usual_columns(&self) -> Self {
        Self { cols: None, ..self.first() }
    }

    /// Whether any filter is set.
    pub fn is_filtered(&self) -> bool {
        self.q.is_some()
            || self.status.is_some()
            || self.assignee.is_some()
            || !self.fields.is_empty()
            || !self.data.is_empty()
    }

    /// In this order; the other way round when it is so already. Times begin with the latest.
    #[must_use]
    pub fn sorted(&self, by: CaseSort) -> Self {
        let times = matches!(by, CaseSort::CreatedAt | CaseSort::UpdatedAt);
        let descending = if self.sort == by { !self.descending } else { times };
        Self { sort: by, descending, ..self.first() }
    }

    fn sort_word(&self) -> String {
        let name = SORTS.iter().find(|(_, by)| *by == self.sort).map_or("created_at", |(name, _)| name);
        if self.descending { format!("-{name}") } else { name.to_owned() }
    }
}

fn status(word: &str) -> Result<CaseStatus, Refusal> {
    CaseStatus::parse(word).ok_or_else(|| Refusal::wrong(w::UNREADABLE))
}

fn sort(word: &str) -> Result<(CaseSort, bool), Refusal> {
    let (name, descending) = word.strip_prefix('-').map_or((word, false), |name| (name, true));
    let found = SORTS.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, by)| (by, descending)).ok_or_else(|| Refusal::wrong(w::UNREADABLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_view_and_a_view_an_address() {
        for address in [
            "/cases",
            "/cases?type=loan&q=acme+sa&status=closed&assignee=ada%40x.example",
            "/cases?field.vat=failed%3Atimeout&data.a.b=%3Cb%3E&sort=title&cols=title%2Cfield.vat",
            "/cases?type=*&sort=-updated_at&cols=",
            "/cases?cursor=abc&from=51",
            "/cases?before=abc",
        ] {
            let query = address.strip_prefix("/cases").unwrap().trim_start_matches('?');
            assert_eq!(ListQuery::parse(query).unwrap().url(), address);
        }
    }

    #[test]
    fn what_a_form_leaves_empty_is_not_filtered_by() {
        let view =
            ListQuery::parse("q=++&status=&assignee=&cols=&cols=title&cols=field.a,field.b&other=1").unwrap();
        assert!(!view.is_filtered());
        assert_eq!(view.url(), "/cases?cols=title%2Cfield.a%2Cfield.b");
        assert_eq!(ListQuery::parse("").unwrap().cols, None);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for bad in ["status=open", "sort=age", "sort=--title", &format!("q={}", "x".repeat(2_000))] {
            assert!(ListQuery::parse(bad).is_err(), "{bad}");
        }
        // The place of a page is no filter: a long title in it ends no list.
        let place = format!("q={}&cursor={}", "x".repeat(1_900), "y".repeat(2_700));
        assert!(ListQuery::parse(&place).is_ok());
    }

    #[test]
    fn another_view_begins_at_its_first_page() {
        let view =
            ListQuery::parse("type=loan&q=a&field.vat=failed&data.x=1&cols=title&cursor=c&from=51").unwrap();
        for (other, address) in [
            (view.with_field("vat", None), "/cases?type=loan&q=a&data.x=1&cols=title"),
            (
                view.with_field("vat", Some("stale")),
                "/cases?type=loan&q=a&field.vat=stale&data.x=1&cols=title",
            ),
            (view.without_data("x"), "/cases?type=loan&q=a&field.vat=failed&cols=title"),
            (view.unfiltered(), "/cases?type=loan&cols=title"),
            (view.of_type("kyb"), "/cases?type=kyb&q=a"),
            (view.unfiltered().sorted(CaseSort::CreatedAt), "/cases?type=loan&sort=created_at&cols=title"),
            (view.unfiltered().sorted(CaseSort::UpdatedAt), "/cases?type=loan&sort=-updated_at&cols=title"),
            (view.unfiltered().sorted(CaseSort::Title), "/cases?type=loan&sort=title&cols=title"),
        ] {
            assert_eq!(other.url(), address);
        }
        let hidden = view.hidden(&["q", "cols"]);
        let names: Vec<&str> = hidden.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["type", "field.vat", "data.x"]);
    }
}
