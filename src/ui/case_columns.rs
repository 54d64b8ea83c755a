//! The columns of a list of cases: which there are, which are shown, and what stands in them.
//!
//! Columns are named in addresses by ids that never clash: `title`, `data.<key>` for a plain field,
//! `field.<key>` for an API Call field. The reference is no choice: it leads to the case.

use crate::domain::api_call::ApiCall;
use crate::domain::case_type::CaseType;
use crate::domain::field::{Field, FieldKind, PlainType, Visibility};
use crate::store::CaseSort;
use crate::ui::value::cut;
use crate::ui::words::case_list as w;

/// Columns of one page: more are neither legible nor a small page.
pub const MOST: usize = 12;

/// Rows of a page: half as many where many columns hold what was fetched, so that it stays small.
const ROWS: u64 = 50;
const FEWER_ROWS: u64 = 25;

/// Characters of a label in a card.
const LONGEST_LABEL: usize = 28;
/// … of a name in the menu.
const LONGEST_SHORT: usize = 40;

/// Columns that are shown unless others are chosen.
const USUAL_PLAIN: usize = 2;
const USUAL_CALLS: usize = 6;

/// What a column shows.
#[derive(Debug, Clone)]
pub enum Shows<'a> {
    /// What the case is about.
    Title,
    /// Its type.
    Type,
    /// How far it has come.
    Status,
    /// Who works on it.
    Assignee,
    /// When it was made.
    Created,
    /// When it last changed.
    Updated,
    /// How many of its fields stand how.
    States,
    /// The value of a plain field.
    Plain(&'a Field, PlainType),
    /// An API Call field.
    Call(&'a Field, &'a ApiCall),
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column<'a> {
    /// Its id in addresses.
    pub id: String,
    /// What stands above it.
    pub name: &'a str,
    /// What stands in it.
    pub shows: Shows<'a>,
    /// Whether it is chosen.
    pub chosen: bool,
}

impl<'a> Column<'a> {
    fn new(id: impl Into<String>, name: &'a str, shows: Shows<'a>) -> Self {
        Self { id: id.into(), name, shows, chosen: false }
    }

    /// What stands beside its cells where rows stand as cards; the title speaks for itself.
    pub fn label(&self) -> String {
        if matches!(self.shows, Shows::Title) { String::new() } else { cut(self.name, LONGEST_LABEL) }
    }

    /// What it is called in the menu, in which all stand that there may be.
    pub fn short(&self) -> String {
        cut(self.name, LONGEST_SHORT)
    }

    /// Whether it holds numbers, which stand on the right.
    pub fn is_number(&self) -> bool {
        matches!(self.shows, Shows::Plain(_, PlainType::Number | PlainType::Integer))
    }

    /// The order that its head leads to.
    pub fn sort(&self) -> Option<CaseSort> {
        match self.shows {
            Shows::Title => Some(CaseSort::Title),
            Shows::Created => Some(CaseSort::CreatedAt),
            Shows::Updated => Some(CaseSort::UpdatedAt),
            _ => None,
        }
    }

    /// In which part of the menu it stands.
    fn group(&self) -> Group {
        match self.shows {
            Shows::Plain(..) => Group::Data,
            Shows::Call(..) => Group::Fields,
            _ => Group::Case,
        }
    }
}

/// A part of the menu of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Case,
    Data,
    Fields,
}

/// All columns of a list.
#[derive(Debug, Clone)]
pub struct Columns<'a>(Vec<Column<'a>>);

impl<'a> Columns<'a> {
    /// Those of a case type, or of cases of all types; `chosen` names those to show, none: the
    /// usual ones.
    pub fn new(case_type: Option<&'a CaseType>, chosen: Option<&[String]>) -> Self {
        let mut columns = all(case_type);
        let usual = usual(&columns);
        let wanted = |id: &String| chosen.map_or_else(|| usual.contains(id), |chosen| chosen.contains(id));
        let mut left = MOST;
        for column in &mut columns {
            column.chosen = left > 0 && wanted(&column.id);
            left -= usize::from(column.chosen);
        }
        Self(columns)
    }

    /// Those that are shown.
    pub fn shown(&self) -> impl Iterator<Item = &Column<'a>> {
        self.0.iter().filter(|column| column.chosen)
    }

    /// How many rows a page under them has.
    pub fn rows(&self) -> u64 {
        let fetched = self.shown().filter(|column| column.group() == Group::Fields).count();
        if fetched > USUAL_CALLS { FEWER_ROWS } else { ROWS }
    }

    /// The class of a table whose fetched values stand in so few columns that each may be wide.
    pub fn wide(&self) -> &'static str {
        match self.shown().filter(|column| column.group() == Group::Fields).count() {
            0..=3 => " three",
            4 => " four",
            _ => "",
        }
    }

    /// How many cells of API Call fields a page under them may have.
    pub fn cells(&self) -> usize {
        let fetched = self.shown().filter(|column| column.group() == Group::Fields).count();
        fetched * usize::try_from(self.rows()).unwrap_or(usize::MAX)
    }

    /// Whether this API Call field is shown.
    pub fn shows_field(&self, key: &str) -> bool {
        self.shown().any(|column| matches!(column.shows, Shows::Call(field, _) if field.key.as_str() == key))
    }

    /// The menu: its parts that hold anything, under their names.
    pub fn menu(&self) -> Vec<(&'static str, Vec<&Column<'a>>)> {
        let groups = [
            (Group::Case, w::COLUMNS_OF_CASES),
            (Group::Fields, w::COLUMNS_OF_FIELDS),
            (Group::Data, w::COLUMNS_OF_DATA),
        ];
        let of = |group| self.0.iter().filter(|column| column.group() == group).collect::<Vec<_>>();
        let menu = groups.into_iter().map(|(group, name)| (name, of(group)));
        menu.filter(|(_, columns)| !columns.is_empty()).collect()
    }
}

fn all(case_type: Option<&CaseType>) -> Vec<Column<'_>> {
    let mut columns = vec![Column::new("title", w::CASE_TITLE, Shows::Title)];
    if case_type.is_none() {
        columns.push(Column::new("type", w::TYPE, Shows::Type));
    }
    columns.push(Column::new("status", w::STATUS, Shows::Status));
    columns.push(Column::new("assignee", w::ASSIGNEE, Shows::Assignee));
    let Some(case_type) = case_type else {
        columns.push(Column::new("fields", w::FIELDS, Shows::States));
        columns.extend(times());
        return columns;
    };
    let fields = case_type.fields.iter().filter(|field| field.visibility != Visibility::Hidden);
    let (mut plain, mut calls) = (Vec::new(), Vec::new());
    for field in fields {
        match &field.kind {
            FieldKind::Plain(value) => {
                let id = format!("data.{}", field.key);
                plain.push(Column::new(id, &field.name, Shows::Plain(field, value.kind)));
            }
            FieldKind::ApiCall(call) => {
                let id = format!("field.{}", field.key);
                calls.push(Column::new(id, &field.name, Shows::Call(field, call)));
            }
        }
    }
    // What was fetched comes first: it is what people look at the list for.
    columns.extend(calls);
    columns.extend(plain);
    columns.extend(times());
    columns
}

fn times<'a>() -> [Column<'a>; 2] {
    [
        Column::new("created_at", w::CREATED, Shows::Created),
        Column::new("updated_at", w::CHANGED, Shows::Updated),
    ]
}

/// The ids of the columns that nobody has to choose.
fn usual(columns: &[Column<'_>]) -> Vec<String> {
    let first = |group: Group, most: usize| {
        columns
            .iter()
            .filter(move |column| column.group() == group)
            .take(most)
            .map(|column| column.id.clone())
    };
    let case = ["title", "type", "status", "assignee", "fields", "updated_at"].map(str::to_owned);
    case.into_iter().chain(first(Group::Data, USUAL_PLAIN)).chain(first(Group::Fields, USUAL_CALLS)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::case_type::Known;

    fn case_type(fields: &Value) -> CaseType {
        CaseType::parse(&json!({"key": "loan", "fields": fields}), &Known::default()).unwrap().case_type
    }

    fn shown(columns: &Columns<'_>) -> Vec<String> {
        columns.shown().map(|column| column.id.clone()).collect()
    }

    fn some_fields() -> Value {
        let call = json!({"url": "https://a.example", "response_mapping": {"x": "$.x"}});
        json!([
            {"key": "score", "type": "api_call", "api_config": call},
            {"key": "a", "type": "text"},
            {"key": "secret", "type": "text", "visibility": "hidden"},
            {"key": "b", "type": "integer"},
            {"key": "c", "type": "date"},
        ])
    }

    #[test]
    fn the_usual_columns_are_few_and_any_may_be_chosen() {
        let case_type = case_type(&some_fields());
        let usual = Columns::new(Some(&case_type), None);
        assert_eq!(
            shown(&usual),
            ["title", "status", "assignee", "field.score", "data.a", "data.b", "updated_at"]
        );
        assert_eq!(usual.rows(), 50);
        assert!(usual.shows_field("score") && usual.shown().any(Column::is_number));
        let chosen = ["data.c", "field.score", "field.gone", "data.secret"].map(str::to_owned);
        assert_eq!(shown(&Columns::new(Some(&case_type), Some(&chosen))), ["field.score", "data.c"]);
        assert_eq!(usual.cells(), 50);
        assert_eq!(shown(&Columns::new(Some(&case_type), Some(&[]))), [""; 0]);
        assert_eq!(
            shown(&Columns::new(None, None)),
            ["title", "type", "status", "assignee", "fields", "updated_at"]
        );
    }

    #[test]
    fn no_page_has_more_columns_than_are_legible() {
        let fields: Vec<Value> = (0..40).map(|n| json!({"key": format!("f{n}"), "type": "text"})).collect();
        let case_type = case_type(&fields.into());
        let chosen: Vec<String> = (0..40).map(|n| format!("data.f{n}")).collect();
        let columns = Columns::new(Some(&case_type), Some(&chosen));
        assert_eq!(columns.shown().count(), MOST);
        assert_eq!(columns.menu().len(), 2);
    }
}
