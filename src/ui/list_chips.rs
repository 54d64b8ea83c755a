//! The filters of a list as chips, each with the view that does without it.

use super::list_query::{FieldChoice, ListQuery};
use super::value::cut;
use super::words::{case as words, case_list as w};
use crate::domain::case_type::CaseType;

/// Characters of what somebody typed.
const LONGEST: usize = 60;

/// A filter that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    /// What is filtered by.
    pub name: String,
    /// What it must be.
    pub value: String,
    /// The view without it.
    pub url: String,
}

/// All filters of a view.
pub fn chips(view: &ListQuery, case_type: Option<&CaseType>) -> Vec<Chip> {
    let chip = |name: &str, value: &str, without: &ListQuery| Chip {
        name: name.to_owned(),
        value: cut(value, LONGEST),
        url: without.url(),
    };
    let first = view.first();
    let q = view.q.as_deref().map(|q| chip(w::SEARCH, q, &ListQuery { q: None, ..first.clone() }));
    let status = view
        .status
        .map(|status| chip(w::STATUS, words::status(status), &ListQuery { status: None, ..first.clone() }));
    let assignee = view.assignee.as_deref();
    let assignee =
        assignee.map(|name| chip(w::ASSIGNEE, name, &ListQuery { assignee: None, ..first.clone() }));
    let fields = view.fields.iter().map(|choice| {
        chip(&name(case_type, &choice.key), &said(choice), &view.with_field(&choice.key, None))
    });
    let data =
        view.data.iter().map(|(path, value)| chip(&name(case_type, path), value, &view.without_data(path)));
    q.into_iter().chain(status).chain(assignee).chain(fields).chain(data).collect()
}

/// What people call a field.
fn name(case_type: Option<&CaseType>, key: &str) -> String {
    let field = case_type.and_then(|case_type| case_type.field(key));
    cut(field.map_or(key, |field| &field.name), LONGEST)
}

fn said(choice: &FieldChoice) -> String {
    let word = w::field_word(&choice.word);
    choice.reason.as_deref().map_or_else(|| word.to_owned(), |why| w::because(word, &w::reason(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_can_be_taken_off_alone() {
        let view = ListQuery::parse("q=a&status=closed&field.vat=failed:timeout&data.a=<b>&cursor=c&from=51")
            .unwrap();
        let told: Vec<String> = chips(&view, None)
            .iter()
            .map(|chip| format!("{}={} {}", chip.name, chip.value, chip.url))
            .collect();
        assert_eq!(
            told,
            [
                "Search=a /cases?status=closed&field.vat=failed%3Atimeout&data.a=%3Cb%3E",
                "Status=Closed /cases?q=a&field.vat=failed%3Atimeout&data.a=%3Cb%3E",
                "vat=failed (timeout) /cases?q=a&status=closed&data.a=%3Cb%3E",
                "a=<b> /cases?q=a&status=closed&field.vat=failed%3Atimeout",
            ]
        );
    }
}
