//! A row of a list of cases: what stands in its cells.
//!
//! A cell of an API Call field is an icon, the first values that it wrote, its state in words and
//! its age, and leads to the field's card. All is cut to one line: a list is to be scanned.

use serde_json::{Map, Value};

use super::case_address::card_anchor;
use super::case_columns::{Column, Columns, Shows};
use super::labels;
use super::list_query::ListQuery;
use super::moment::{Moment, Short};
use super::state::{Badge, StateView, Tone};
use super::value::{Shown, cut};
use super::words::values::quoted;
use super::words::{case as words, case_list as w};
use crate::domain::api_call::ApiCall;
use crate::domain::case_type::CaseType;
use crate::domain::clock::Instant;
use crate::domain::data::DataPath;
use crate::domain::field::{Field, PlainType};
use crate::domain::run::{FieldState, FieldStatus};
use crate::service::CaseView;

/// Characters of a value that a cell shows.
const LONGEST: usize = 60;
/// … of one of several values.
const LONGEST_PART: usize = 28;
/// Characters of a summary that a narrow cell shows.
const FITS: usize = 20;
/// Characters of the sentence of a failure.
const LONGEST_SENTENCE: usize = 120;
/// Bytes of a page that the cells' links may spend on the list that they were opened from; where
/// its address is longer than that, the row's own link knows it alone.
const CARRIED: usize = 60_000;
/// Values that an enrichment cell tells.
const PARTS: usize = 2;

/// A case in the list.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its page, which knows the list that it was opened from.
    pub url: String,
    /// What people call it.
    pub name: String,
    /// What stands in the columns.
    pub cells: Vec<Cell>,
    /// Whether a field has failed or is out of date.
    pub wants_refresh: bool,
}

/// What stands in a cell.
#[derive(Debug, Clone)]
pub enum Cell {
    /// Nothing.
    Nothing,
    /// A text, and all of it where it was cut.
    Text(String, Option<String>),
    /// A number.
    Number(String),
    /// How far a case has come, and in the workspace's own words.
    Status(&'static str, Option<String>),
    /// A time.
    Time(Moment),
    /// How many fields stand so: icon, class, number, word.
    States(Vec<(&'static str, &'static str, usize, &'static str)>),
    /// An API Call field.
    Field(Box<FieldCell>),
}

/// What stands in the cell of an API Call field.
#[derive(Debug, Clone)]
pub struct FieldCell {
    /// Its card on the case's page.
    pub url: String,
    /// The state.
    pub view: StateView,
    /// The values in one line, or why there are none; empty: neither.
    pub summary: String,
    /// What does not fit beside it: the sentence of the failure, or the summary when it is long.
    pub full: Option<String>,
    /// Whether the values are older than the last run.
    pub old: bool,
    /// The first badge.
    pub badge: Option<Badge>,
    /// The call went well, and what it answered first is no.
    pub says_no: bool,
}

impl FieldCell {
    /// The state in words, up to its time.
    pub fn word(&self) -> &str {
        &self.view.before
    }

    /// The time of the state, without what script writes again anyway.
    pub fn age(&self) -> Option<Short> {
        self.view.moment.map(Moment::in_short)
    }
}

impl Row {
    /// The row of a case under these columns. `view` is the list as it is filtered and sorted.
    pub fn new(
        case: &CaseView,
        columns: &Columns<'_>,
        types: &Types<'_>,
        view: &ListQuery,
        now: Instant,
    ) -> Self {
        let id = case.case.id.to_string();
        let name = case.case.reference.clone().or_else(|| case.case.title.clone());
        let name = name.unwrap_or_else(|| w::unnamed(&id[id.len().saturating_sub(8)..]));
        let around = around(view);
        let carried = around.len() * columns.cells() <= CARRIED;
        let page = format!("/cases/{id}{}", if carried { around.as_str() } else { "" });
        let cells = columns.shown().map(|column| cell(case, column, types, &page, now)).collect();
        let wants = |state: &FieldState| state.status == FieldStatus::Failed || is_stale(state);
        Self {
            url: format!("/cases/{id}{around}"),
            name: cut(&name, LONGEST),
            cells,
            wants_refresh: case.fields.iter().any(|(_, state)| wants(state)),
            id,
        }
    }
}

impl Row {
    /// Leaves out what a row can do without: what is shown on hover, and the list that it was opened from.
    pub fn shorten(&mut self) {
        let bare = format!("/cases/{}", self.id);
        for cell in &mut self.cells {
            match cell {
                Cell::Text(_, full) => *full = None,
                Cell::Field(field) => {
                    field.full = None;
                    let card = field.url.find('#').map(|at| field.url.split_off(at)).unwrap_or_default();
                    field.url = format!("{bare}{card}");
                }
                _ => {}
            }
        }
        self.url = bare;
    }
}

/// Whether a refresh would bring a field newer data.
pub fn is_stale(state: &FieldState) -> bool {
    state.stale && state.status == FieldStatus::Succeeded
}

/// What the address of a case's page knows of the list around it.
fn around(view: &ListQuery) -> String {
    let around = view.first().query();
    let around: String = url::form_urlencoded::byte_serialize(around.as_bytes()).collect();
    if around.is_empty() { around } else { format!("?view={around}") }
}

/// The names of case types by their keys.
pub type Types<'a> = std::collections::BTreeMap<&'a str, &'a CaseType>;

fn cell(case: &CaseView, column: &Column<'_>, types: &Types<'_>, page: &str, now: Instant) -> Cell {
    match &column.shows {
        Shows::Title => text(case.case.title.as_deref()),
        Shows::Assignee => text(case.case.assignee.as_deref()),
        Shows::Type => {
            let key = case.case.case_type.as_str();
            text(Some(types.get(key).map_or(key, |case_type| &case_type.name)))
        }
        Shows::Status => {
            let custom = case.case.custom_status.as_deref();
            Cell::Status(words::status(case.case.status), custom.map(|word| cut(word, LONGEST_PART)))
        }
        Shows::Created => Cell::Time(Moment::age(case.case.created_at, now)),
        Shows::Updated => Cell::Time(Moment::age(case.case.updated_at, now)),
        Shows::States => states(case, now),
        Shows::Plain(field, kind) => plain(field, *kind, &case.data),
        Shows::Call(field, call) => called(case, (field, call), types, page, now),
    }
}

fn text(whole: Option<&str>) -> Cell {
    let Some(whole) = whole.filter(|whole| !whole.trim().is_empty()) else { return Cell::Nothing };
    let short = cut(whole, LONGEST);
    // What is very long is not repeated in full either.
    let full = (short != whole).then(|| cut(whole, 10 * LONGEST));
    Cell::Text(short, full)
}

fn plain(field: &Field, kind: PlainType, data: &Map<String, Value>) -> Cell {
    let value = data.get(field.key.as_str());
    let shown = Shown::told(value, LONGEST);
    if shown.nothing {
        return Cell::Nothing;
    }
    if shown.number {
        return Cell::Number(shown.text);
    }
    let options = field.plain().map(|plain| plain.options.as_slice()).unwrap_or_default();
    let option = options.iter().find(|option| Some(option.value.as_str()) == value.and_then(Value::as_str));
    match (kind, value, option) {
        (_, _, Some(option)) => text(Some(&option.name)),
        (_, Some(Value::String(whole)), None) => text(Some(whole)),
        _ => Cell::Text(shown.text, None),
    }
}

/// Each state with the number of fields that stand so, the worst first.
fn states(case: &CaseView, now: Instant) -> Cell {
    let mut found: Vec<(&'static str, &'static str, usize, &'static str)> = Vec::new();
    for (_, state) in &case.fields {
        let view = StateView::new(state, now, str::to_owned);
        let word = w::field_status(state.status);
        let icon = if view.tone == Tone::Waiting { "clock" } else { view.icon };
        match found.iter_mut().find(|(.., known)| *known == word) {
            Some((_, _, count, _)) => *count += 1,
            None => found.push((icon, view.tone.class(), 1, word)),
        }
    }
    let rank =
        |class: &str| ["failed", "running", "waiting", "good"].iter().position(|known| *known == class);
    found.sort_by_key(|(_, class, ..)| rank(class).unwrap_or(usize::MAX));
    if found.is_empty() { Cell::Nothing } else { Cell::States(found) }
}

fn called(
    case: &CaseView,
    (field, call): (&Field, &ApiCall),
    types: &Types<'_>,
    page: &str,
    now: Instant,
) -> Cell {
    let found = case.fields.iter().find(|(key, _)| *key == field.key);
    let Some((key, state)) = found else { return Cell::Nothing };
    let case_type = types.get(case.case.case_type.as_str());
    let view = StateView::new(state, now, |path| input_name(path, case_type.copied()));
    let values = summary(call, &case.data);
    let failed = view.tone == Tone::Failed;
    let summary = match &state.error {
        Some(error) if failed && values.is_empty() => w::failure(error.code, error.http_status).to_owned(),
        _ => values,
    };
    let sentence =
        state.error.as_ref().filter(|_| failed).map(|error| cut(&quoted(error.happened()), LONGEST_SENTENCE));
    let long = summary.chars().nth(FITS).is_some();
    Cell::Field(Box::new(FieldCell {
        full: sentence.or_else(|| Some(summary.clone()).filter(|_| long)),
        url: format!("{page}#{}", card_anchor(key.as_str())),
        says_no: view.tone == Tone::Good && first_value(call, &case.data) == Some(&Value::Bool(false)),
        old: failed || state.status == FieldStatus::Disabled,
        badge: view.badges.first().copied(),
        view,
        summary,
    }))
}

/// The first values that a field wrote, in one line.
fn summary(call: &ApiCall, data: &Map<String, Value>) -> String {
    let values = call.mapping.targets().iter().filter_map(|target| {
        let target = &target.path;
        let value = value_at(data, target).filter(|value| !value.is_null())?;
        let most = if value.is_object() { LONGEST } else { LONGEST_PART };
        let shown = Shown::told(Some(value), most).text;
        let told =
            if value.is_boolean() { w::named(&labels::human(&target.to_string()), &shown) } else { shown };
        Some(told).filter(|told| !told.is_empty())
    });
    values.take(PARTS).collect::<Vec<_>>().join(" · ")
}

/// The first value that a field is to write.
fn first_value<'a>(call: &ApiCall, data: &'a Map<String, Value>) -> Option<&'a Value> {
    value_at(data, &call.mapping.targets().first()?.path)
}

fn value_at<'a>(data: &'a Map<String, Value>, path: &DataPath) -> Option<&'a Value> {
    let mut members = path.segments().iter();
    let first = data.get(members.next()?)?;
    members.try_fold(first, |value, member| value.get(member))
}

/// What people call the place of an input: the field's name where it is one.
fn input_name(path: &str, case_type: Option<&CaseType>) -> String {
    let path = path.strip_prefix("data.").unwrap_or(path);
    let first = path.split('.').next().unwrap_or(path);
    let field = case_type.and_then(|case_type| case_type.field(first)).filter(|_| first == path);
    field.map_or_else(|| labels::in_full(path), |field| field.name.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::case_type::Known;

    fn case_type() -> CaseType {
        let body = json!({"key": "kyb", "fields": [
            {"key": "vat_number", "type": "text", "name": "VAT number"},
            {"key": "risk", "type": "select", "options": [{"value": "l", "name": "Low"}]},
            {"key": "amount", "type": "integer"},
            {"key": "check", "type": "api_call", "api_config": {
                "url": "https://a.example",
                "response_mapping": {"vat.valid": "$.v", "vat.name": "$.n", "vat.note": "$.o", "x": "$.x"}
            }},
        ]});
        CaseType::parse(&body, &Known::default()).unwrap().case_type
    }

    #[test]
    fn the_first_values_of_a_field_stand_in_one_line() {
        let case_type = case_type();
        let (_, call) = case_type.api_calls().next().unwrap();
        for (data, line) in [
            (json!({}), ""),
            (json!({"vat": {"valid": true, "name": "Acme\n SA", "note": "n"}}), "Valid: yes · Acme SA"),
            (json!({"vat": {"valid": null, "name": "", "note": "n"}, "x": 5}), "n · 5"),
            (json!({"vat": "text", "x": ["a", "b"]}), "a, b"),
        ] {
            let mut told = summary(call, data.as_object().unwrap());
            told.truncate(100);
            assert_eq!(told, line);
        }
    }

    #[test]
    fn plain_values_read_like_speech() {
        let case_type = case_type();
        let data = json!({"vat_number": "x".repeat(70), "risk": "l", "amount": 12_345_678_901_i64});
        let cell = |key: &str| {
            let field = case_type.field(key).unwrap();
            format!("{:?}", plain(field, field.plain().unwrap().kind, data.as_object().unwrap()))
        };
        assert!(cell("vat_number").contains("…") && cell("vat_number").contains(&"x".repeat(70)));
        assert_eq!(cell("risk"), r#"Text("Low", None)"#);
        assert_eq!(cell("amount"), r#"Number("12345678901")"#);
    }

    #[test]
    fn an_input_that_lacks_has_its_name() {
        let case_type = case_type();
        for (path, name) in
            [("data.vat_number", "VAT number"), ("vat.valid", "VAT valid"), ("old_name", "Old name")]
        {
            assert_eq!(input_name(path, Some(&case_type)), name);
        }
    }
}
