//! The addresses of a case's page: what its query asks for, and the links that lead back to it.
//!
//! `view` is the query of the list that the visitor came from; it goes along on every link, so
//! that previous and next mean the cases of that list.

use url::form_urlencoded::{Serializer, parse};

use super::case_room::written;
use super::list_page::case_query;
use super::list_query::ListQuery;
use super::posted::Form;
use crate::domain::ids::{CaseId, FieldKey};
use crate::service::CaseQuery;

/// Bytes of a list's query that go along, as they are written on a page.
const LONGEST_VIEW: usize = 2_000;

/// Which part of a case a form changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Title, reference, status, assignee.
    Case,
    /// The plain fields of a section; none: those that stand in no section.
    Section(Option<String>),
    /// The values that an API Call field fills.
    Field(FieldKey),
    /// What no field names.
    Additional,
}

impl Scope {
    /// As it stands in addresses and forms. A section's key never begins with a colon.
    pub fn word(&self) -> String {
        match self {
            Self::Case => ":case".to_owned(),
            Self::Section(None) => ":other".to_owned(),
            Self::Section(Some(key)) => key.clone(),
            Self::Field(key) => format!(":field.{key}"),
            Self::Additional => ":additional".to_owned(),
        }
    }

    /// The scope with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word.strip_prefix(':') {
            None => Self::Section(Some(word.to_owned())),
            Some("case") => Self::Case,
            Some("other") => Self::Section(None),
            Some("additional") => Self::Additional,
            Some(field) => Self::Field(field.strip_prefix("field.")?.parse().ok()?),
        })
    }

    /// The id of its part of the page.
    pub fn anchor(&self) -> String {
        match self {
            Self::Case => "about".to_owned(),
            Self::Section(None) => "section-other".to_owned(),
            Self::Section(Some(key)) => format!("section-of-{key}"),
            Self::Field(key) => card_anchor(key.as_str()),
            Self::Additional => "additional".to_owned(),
        }
    }
}

/// The id of a field's card.
pub fn card_anchor(field: &str) -> String {
    format!("card-{field}")
}

/// Which entries of the activity are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shows {
    /// Everything.
    #[default]
    All,
    /// What people and programs changed.
    Edits,
    /// What fields fetched.
    Runs,
}

impl Shows {
    /// As it stands in addresses.
    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Edits => "edits",
            Self::Runs => "runs",
        }
    }
}

/// What the address of the page says.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The query of the list.
    pub view: Option<String>,
    /// What is being edited.
    pub edit: Option<Scope>,
    /// The path whose input is looked for first.
    pub at: Option<String>,
    /// The field that is to run with input.
    pub input: Option<FieldKey>,
    /// The field whose card is shown whole, however full the page is.
    pub open: Option<String>,
    /// Which activity is shown.
    pub activity: Shows,
    /// What the form before has done.
    pub done: Option<String>,
}

impl Asked {
    /// Reads a query string. What means nothing is left out: a page is shown all the same.
    pub fn parse(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in parse(query.as_bytes()) {
            match &*name {
                "view" => asked.view = view(&value),
                "edit" => asked.edit = Scope::parse(&value),
                "at" => asked.at = Some(value.into_owned()),
                "input" => asked.input = value.parse().ok(),
                "open" => asked.open = Some(value.into_owned()),
                "activity" => {
                    let all = [Shows::All, Shows::Edits, Shows::Runs];
                    asked.activity = all.into_iter().find(|shows| shows.word() == value).unwrap_or_default();
                }
                "done" => asked.done = Some(value.into_owned()),
                _ => {}
            }
        }
        asked
    }

    /// What goes along in a form.
    pub fn of_form(form: &Form) -> Self {
        Self { view: form.text("view").and_then(view), ..Self::default() }
    }
}

fn view(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty() && written(text) <= LONGEST_VIEW)
}

/// Where the page of a case is, with what goes along.
#[derive(Debug, Clone)]
pub struct Here {
    /// The case.
    pub id: CaseId,
    /// The query of the list.
    pub view: Option<String>,
    /// Which activity is shown.
    pub activity: Shows,
}

impl Here {
    /// Of this case.
    pub fn new(id: CaseId, asked: &Asked) -> Self {
        Self { id, view: asked.view.clone(), activity: asked.activity }
    }

    /// The page of another case in the same list.
    pub fn other(&self, id: CaseId) -> String {
        Self { id, ..self.clone() }.page(&[], "")
    }

    /// The page, with more in its query, at a part of it.
    pub fn page(&self, more: &[(&str, &str)], anchor: &str) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in more {
            query.append_pair(name, value);
        }
        if self.activity != Shows::All && !more.iter().any(|(name, _)| *name == "activity") {
            query.append_pair("activity", self.activity.word());
        }
        if let Some(view) = &self.view {
            query.append_pair("view", view);
        }
        let query = query.finish();
        let hash = if anchor.is_empty() { "" } else { "#" };
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/cases/{}{mark}{query}{hash}{anchor}", self.id)
    }

    /// The page with a form open in it, which opens at its first input: browsers do that only where
    /// the address names no part of the page.
    pub fn edit(&self, scope: &Scope) -> String {
        self.page(&[("edit", &scope.word())], "")
    }

    /// The same, where one form has no room for all: it begins at the input of this path.
    pub fn edit_at(&self, scope: &Scope, at: &str) -> String {
        self.page(&[("edit", &scope.word()), ("at", at)], &scope.anchor())
    }

    /// An address below the case that forms are sent to: `/refresh`.
    pub fn below(&self, rest: &str) -> String {
        format!("/cases/{}{rest}", self.id)
    }

    /// The list that the visitor came from.
    pub fn list(&self) -> String {
        self.view.as_ref().map_or_else(|| "/cases".to_owned(), |view| format!("/cases?{view}"))
    }
}

/// What a list was asked for, as far as it decides which cases stand beside which; of an address
/// that is no list's: all cases.
pub fn list_query(view: Option<&str>) -> CaseQuery {
    let all = CaseQuery { descending: true, ..CaseQuery::default() };
    view.and_then(|view| ListQuery::parse(view).ok()).map_or(all, |view| case_query(&view))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::case::CaseStatus;
    use crate::store::CaseSort;

    #[test]
    fn what_an_address_asks_is_read_and_written_again() {
        let id: CaseId = "019a0000-0000-7000-8000-000000000000".parse().unwrap();
        for scope in [
            Scope::Case,
            Scope::Section(None),
            Scope::Section(Some("identity".into())),
            Scope::Field("vat_check".parse().unwrap()),
            Scope::Additional,
        ] {
            let here = Here { id, view: Some("status=draft&q=a b".into()), activity: Shows::Runs };
            let url = here.edit(&scope);
            assert!(!url.contains('#'), "{url}");
            let asked = Asked::parse(url.split_once('?').unwrap().1);
            assert_eq!(asked.edit, Some(scope));
            assert_eq!(asked.view.as_deref(), Some("status=draft&q=a b"));
            assert_eq!(asked.activity, Shows::Runs);
        }
        assert!(Scope::parse(":nonsense").is_none());
        assert!(Asked::parse(&format!("view={}", "x".repeat(3_000))).view.is_none());
    }

    #[test]
    fn the_query_of_a_list_says_which_cases_stand_beside_each_other() {
        let query = list_query(Some("status=draft&field.score=failed:timeout&sort=-title&q=x"));
        assert_eq!(query.status, Some(CaseStatus::Draft));
        assert_eq!(query.fields, [("score".into(), "failed".into(), Some("timeout".into()))]);
        assert!(query.descending && query.sort == CaseSort::Title);
        for none in [None, Some("sort=nonsense"), Some("status=nonsense")] {
            let plain = list_query(none);
            assert!(plain.descending && plain.sort == CaseSort::CreatedAt && plain.status.is_none());
        }
    }
}
