//! What the case of a run is called, and where it is.

use std::collections::BTreeMap;

use crate::domain::ids::CaseId;
use crate::store::CaseName;
use crate::ui::value::cut;
use crate::ui::words::runs as w;

/// Characters of a name.
const LONGEST: usize = 120;

/// A case as a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCase {
    /// Its page; none: it was deleted.
    pub url: Option<String>,
    /// The first thing to know it by.
    pub name: String,
    /// Its title, when that is not its name.
    pub title: Option<String>,
}

impl NamedCase {
    /// A case by the names that were found.
    pub fn of(id: CaseId, names: &BTreeMap<CaseId, CaseName>) -> Self {
        let Some(CaseName { reference, title }) = names.get(&id).cloned() else {
            return Self { url: None, name: w::DELETED_CASE.to_owned(), title: None };
        };
        let url = Some(format!("/cases/{id}"));
        let (reference, title) = (reference.map(|it| cut(&it, LONGEST)), title.map(|it| cut(&it, LONGEST)));
        match (reference, title) {
            (Some(name), title) => Self { url, name, title },
            (None, Some(name)) => Self { url, name, title: None },
            (None, None) => Self { url, name: w::UNNAMED_CASE.to_owned(), title: None },
        }
    }
}
