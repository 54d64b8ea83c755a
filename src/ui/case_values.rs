//! Values of a case on its page, each with the mark of where it came from.
//!
//! A page has room for so much and no more ([`Room`]): what does not fit is cut, says so, and
//! leads to the whole of it.
//!
//! [`Room`]: crate::ui::case_room::Room

use std::collections::BTreeMap;

use serde_json::Value;

use super::case_room::{Room, within, written};
use super::labels;
use super::moment::Moment;
use super::value::{Shown, cut};
use super::words::case as w;
use crate::domain::case::{ProvenanceEntry, Source};
use crate::domain::case_type::CaseType;
use crate::domain::clock::Instant;
use crate::domain::ids::CaseId;
use crate::service::CaseView;

/// Characters of one value.
const LONGEST: usize = 1_000;
const LONGEST_BLOCK: usize = 6_000;
/// Characters of a value that stands beside others.
const LINE: usize = 200;
/// Characters of all values of a case together, as far as each has a line.
const ALL: usize = 60_000;
/// Bytes of a value beside its texts, and of one that is written short.
const AROUND: usize = 520;
pub const LEAST: usize = 440;
/// Bytes of the name and of the beginning of a value that is written short.
const SHORT: usize = 60;

/// Where a value came from, as it is shown beside it.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The id of its icon.
    pub icon: &'static str,
    /// `from VAT check`, `typed by Ada`.
    pub words: String,
    /// When.
    pub moment: Moment,
    /// The same with the exact time.
    pub exact: String,
    /// The run, if it was one.
    pub run: Option<String>,
    /// Only the icon is seen: what is around it says the same, or it is what everybody expects.
    pub quiet: bool,
}

/// A value on the page.
#[derive(Debug, Clone)]
pub struct ValueView {
    /// Its path.
    pub path: String,
    /// Its name: the plain field's, else the end of its path in words.
    pub name: String,
    /// What people may read about it: its description, else its path.
    pub hint: Option<String>,
    /// What is read.
    pub text: String,
    /// Whether there is nothing.
    pub nothing: bool,
    /// A list or object as JSON; says how large it is.
    pub block: Option<String>,
    /// Yes or no, which is an answer by itself.
    pub holds: Option<bool>,
    /// It wants a whole line.
    pub wide: bool,
    /// Whether it may be opened as an address.
    pub link: bool,
    /// Where the whole of it is, when it was cut.
    pub more: Option<String>,
    /// Where it came from.
    pub mark: Option<Mark>,
}

/// What reading values off a case needs.
pub struct Values<'v> {
    pub view: &'v CaseView,
    pub case_type: &'v CaseType,
    pub now: Instant,
    provenance: BTreeMap<&'v str, &'v ProvenanceEntry>,
}

impl<'v> Values<'v> {
    /// Of a case.
    pub fn new(view: &'v CaseView, case_type: &'v CaseType, now: Instant) -> Self {
        let provenance = view.provenance.iter().map(|(path, entry)| (path.as_str(), entry)).collect();
        Self { view, case_type, now, provenance }
    }

    /// The value at a dotted path.
    pub fn get(&self, path: &str) -> Option<&'v Value> {
        let mut segments = path.split('.');
        let first = self.view.data.get(segments.next()?)?;
        segments.try_fold(first, |value, segment| value.as_object()?.get(segment))
    }

    /// How people name a path: by its plain field, by the field that fetches it, else in words.
    pub fn named(&self, path: &str) -> String {
        let path = path.strip_prefix("data.").unwrap_or(path);
        if let Some(field) = self.case_type.field(path).filter(|field| field.plain().is_some()) {
            return field.name.clone();
        }
        let root = path.split('.').next().unwrap_or_default();
        let fetched =
            self.case_type.api_calls().find(|(_, call)| call.output_variable.as_deref() == Some(root));
        fetched.map_or_else(|| labels::in_full(path), |(key, _)| self.field_name(key.as_str()))
    }

    /// The name of a field, as far as there is still such a field.
    pub fn field_name(&self, key: &str) -> String {
        self.case_type.field(key).map_or_else(|| key.to_owned(), |field| field.name.clone())
    }

    /// Who put the value at a path there: the entry of the path, of what it lies in, or the
    /// newest of those below it.
    pub fn entry(&self, path: &str) -> Option<&'v ProvenanceEntry> {
        let ways = path.match_indices('.').map(|(at, _)| &path[..at]).collect::<Vec<_>>();
        let mut above = std::iter::once(path).chain(ways.into_iter().rev());
        let found = above.find_map(|path| self.provenance.get(path)).copied();
        found.or_else(|| {
            let below = format!("{path}.");
            let inner = self.provenance.range(&*below..).take_while(|(known, _)| known.starts_with(&below));
            inner.map(|(_, entry)| *entry).max_by_key(|entry| entry.at)
        })
    }

    /// The mark of a value.
    pub fn mark(&self, path: &str) -> Option<Mark> {
        self.entry(path).map(|entry| self.mark_of(entry))
    }

    fn mark_of(&self, entry: &ProvenanceEntry) -> Mark {
        let by = entry.by.as_deref();
        let (icon, words) = match entry.source {
            Source::Run => {
                let field = entry.field.as_deref().map(|key| self.field_name(key)).unwrap_or_default();
                ("fetched", w::from_run(&field, entry.cached == Some(true)))
            }
            Source::Person => ("person", w::typed_by(by)),
            Source::Api => ("program", w::set_by(by)),
            Source::Initial => ("start", w::given_by(by)),
            Source::Default => ("start", w::DEFAULT.to_owned()),
        };
        let at = entry.fetched_at.unwrap_or(entry.at);
        let exact = format!("{words}, {}", Moment::full(at, self.now).text());
        let run = entry.run_id.map(|run| format!("/runs/{run}"));
        Mark { icon, words, moment: Moment::age(at, self.now), exact, run, quiet: true }
    }

    /// Characters of one value: the more fields, the fewer.
    fn longest(&self) -> usize {
        (ALL / self.case_type.fields.len().max(1)).clamp(LINE, LONGEST)
    }

    /// The value at a path, as far as there is room for it.
    pub fn show(&self, path: &str, room: &mut Room) -> ValueView {
        let field = self.case_type.field(path).filter(|field| field.plain().is_some());
        let value = self.get(path);
        let plain = field.and_then(|field| field.plain());
        let chosen = plain.zip(value.and_then(Value::as_str)).and_then(|(plain, chosen)| {
            plain.options.iter().find(|option| option.value == chosen).map(|option| option.name.clone())
        });
        let shown = Shown::whole(value);
        let text = chosen.unwrap_or(shown.text);
        let most = if shown.block { LONGEST_BLOCK } else { self.longest() };
        let block = value.filter(|_| shown.block).map(|value| in_brief(value, text.len()));
        let mut view = ValueView {
            path: path.to_owned(),
            name: field.map_or_else(|| labels::human(path), |field| field.name.clone()),
            hint: match field {
                Some(field) => field.description.as_deref().map(|hint| cut(hint, 300)),
                None => Some(path.to_owned()),
            },
            holds: value.and_then(Value::as_bool),
            nothing: shown.nothing,
            wide: shown.block || text.chars().nth(LINE).is_some(),
            link: is_link(&text),
            more: None,
            mark: self.mark(path).filter(|_| !shown.nothing),
            text: cut(&text, most),
            block,
        };
        if !room.take(view.weight()) {
            view = view.short();
            room.spend(LEAST);
        }
        if view.text.len() < text.len() {
            view.more = Some(whole_url(self.view.case.id, path));
            view.link = false;
        }
        view
    }
}

impl ValueView {
    /// Bytes that it takes on the page.
    pub fn weight(&self) -> usize {
        let around = written(&self.name);
        let hint = self.hint.as_deref().map_or(0, written);
        let stays = self.block.as_deref().map_or(0, |brief| written(&self.path) + written(brief));
        let linked = if self.link { written(&self.text) } else { 0 };
        let mark = self.mark.as_ref().map_or(0, |mark| written(&mark.words) + written(&mark.exact));
        AROUND + around + stays + hint + written(&self.text) + linked + mark
    }

    /// Its name and how it begins.
    fn short(self) -> Self {
        Self {
            name: within(&self.name, SHORT),
            hint: None,
            text: within(&self.text, SHORT),
            block: None,
            mark: None,
            link: false,
            ..self
        }
    }
}

/// Where the whole of a value is read.
pub fn whole_url(case: CaseId, path: &str) -> String {
    let path = url::form_urlencoded::Serializer::new(String::new()).append_pair("path", path).finish();
    format!("/cases/{case}/data?{path}")
}

/// What a large value begins with, and its size where it is much.
fn in_brief(value: &Value, bytes: usize) -> String {
    let told = Shown::told(Some(value), LINE / 2).text;
    if bytes < LONGEST { told } else { w::in_brief(&told, &w::size(bytes)) }
}

/// Names the values of one card so that none is called like another.
pub fn name_apart(values: &mut [ValueView], case_type: &CaseType) {
    let fetched =
        |value: &&mut ValueView| case_type.field(&value.path).is_none_or(|field| field.plain().is_none());
    let fetched: Vec<&mut ValueView> = values.iter_mut().filter(fetched).collect();
    let paths: Vec<String> = fetched.iter().map(|value| value.path.clone()).collect();
    for (value, name) in fetched.into_iter().zip(labels::told_apart(&paths)) {
        value.name = name;
    }
}

/// Only what a browser opens as a page; anything else could be script.
fn is_link(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_become_links() {
        assert!(is_link("https://a.example/x") && is_link("http://a.example"));
        for text in ["javascript:alert(1)", "//a.example", "data:text/html,x", "https://a b"] {
            assert!(!is_link(text), "{text}");
        }
    }
}
