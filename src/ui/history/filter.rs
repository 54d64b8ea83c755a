//! Which runs are shown, as the address says it. What cannot be understood is said beside its input, and
//! then nothing is shown: a typing error must not show everything.

use chrono::{NaiveDate, TimeDelta};
use url::form_urlencoded::Serializer;

use crate::domain::clock::{Instant, parse_instant};
use crate::domain::failure::FailureCode;
use crate::domain::ids::{CaseId, SecretName, is_key};
use crate::domain::run::RunStatus;
use crate::domain::trigger::Trigger;
use crate::store::RunFilter;
use crate::ui::posted::Form;
use crate::ui::words::runs as w;

/// The inputs, in the order of the page, with their labels.
pub const INPUTS: [(&str, &str); 11] = [
    ("case", w::CASE),
    ("case_type", w::CASE_TYPE),
    ("field", w::FIELD),
    ("connection", w::CONNECTION),
    ("status", w::STATUS),
    ("trigger", w::TRIGGER),
    ("error", w::ERROR),
    ("since", w::SINCE),
    ("until", w::UNTIL),
    ("batch", w::BATCH),
    ("secret", w::SECRET),
];

/// What the address says.
#[derive(Debug, Default)]
pub struct Filters {
    /// What was typed or chosen, by input.
    typed: Vec<(&'static str, String)>,
    /// What of it cannot be understood, and why.
    pub wrong: Vec<(&'static str, &'static str)>,
    /// What it means.
    pub filter: RunFilter,
    /// The page of the list.
    pub cursor: Option<String>,
}

/// A filter that is on, and the address without it.
#[derive(Debug, PartialEq, Eq)]
pub struct Chip {
    /// What it is about.
    pub label: &'static str,
    /// What it says.
    pub value: String,
    /// The list without it.
    pub without: String,
}

impl Filters {
    /// Reads a query string.
    pub fn read(query: &str) -> Self {
        let form = Form::parse(query.as_bytes());
        let typed = INPUTS.iter().filter_map(|(name, _)| Some((*name, form.text(name)?.to_owned())));
        let mut this = Self { typed: typed.collect(), ..Self::default() };
        this.cursor = form.text("cursor").map(str::to_owned);
        this.filter = RunFilter {
            case: this.parsed("case", w::NOT_AN_ID, |text| text.parse().ok().map(CaseId)),
            case_type: this.parsed("case_type", w::NOT_A_KEY, key),
            field: this.parsed("field", w::NOT_A_KEY, key),
            connection: this.parsed("connection", w::NOT_A_KEY, key),
            status: this.parsed("status", w::NOT_A_WORD, RunStatus::parse),
            trigger: this.parsed("trigger", w::NOT_A_WORD, Trigger::parse),
            error: this.parsed("error", w::NOT_A_WORD, FailureCode::parse),
            batch: this.parsed("batch", w::NOT_AN_ID, |text| text.parse().ok()),
            secret: this.parsed("secret", w::NOT_A_SECRET, secret),
            since: this.parsed("since", w::NOT_A_TIME, |text| instant(text, 0)),
            until: this.parsed("until", w::NOT_A_TIME, |text| instant(text, 1)),
        };
        this
    }

    fn parsed<T>(
        &mut self,
        name: &'static str,
        why: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.typed(name)?;
        let value = read(text);
        if value.is_none() {
            self.wrong.push((name, why));
        }
        value
    }

    /// What was typed into an input.
    pub fn typed(&self, name: &str) -> Option<&str> {
        self.typed.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
    }

    /// What is wrong with an input.
    pub fn wrong(&self, name: &str) -> Option<&'static str> {
        self.wrong.iter().find(|(known, _)| *known == name).map(|(_, why)| *why)
    }

    /// Whether any filter is on.
    pub fn any(&self) -> bool {
        !self.typed.is_empty()
    }

    /// The address of the list with these filters.
    pub fn url(&self) -> String {
        self.url_without("", None)
    }

    /// The address of another page of it.
    pub fn url_at(&self, cursor: &str) -> String {
        self.url_without("", Some(cursor))
    }

    /// Those that are on; `says` puts a value into words.
    pub fn chips(&self, says: impl Fn(&str, &str) -> Option<String>) -> Vec<Chip> {
        let label = |name| INPUTS.iter().find(|(known, _)| *known == name).map_or("", |(_, label)| *label);
        let chip = |(name, text): &(&'static str, String)| Chip {
            label: label(*name),
            value: says(name, text).unwrap_or_else(|| text.clone()),
            without: self.url_without(name, None),
        };
        self.typed.iter().map(chip).collect()
    }

    fn url_without(&self, left_out: &str, cursor: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.typed.iter().filter(|(name, _)| *name != left_out));
        query.extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
        let query = query.finish();
        if query.is_empty() { "/runs".to_owned() } else { format!("/runs?{query}") }
    }
}

fn key(text: &str) -> Option<String> {
    is_key(text).then(|| text.to_owned())
}

/// `vies_token`, or `vies_token:3`.
fn secret(text: &str) -> Option<(SecretName, Option<i64>)> {
    match text.split_once(':') {
        None => Some((text.parse().ok()?, None)),
        Some((name, version)) => Some((name.parse().ok()?, Some(version.parse().ok().filter(|it| *it > 0)?))),
    }
}

/// A time, or a day in UTC: its beginning, or that of the one so many days later.
fn instant(text: &str, later: i64) -> Option<Instant> {
    if let Some(at) = parse_instant(text) {
        return Some(at);
    }
    let day: NaiveDate = text.parse().ok()?;
    let day = day.checked_add_signed(TimeDelta::days(later))?;
    // Years beyond four digits are no times of ours.
    (1..10_000)
        .contains(&chrono::Datelike::year(&day))
        .then(|| day.and_time(chrono::NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_and_each_can_be_taken_out() {
        let filters = Filters::read(
            "status=failed&field=+vat_check+&error=&since=2026-11-21&until=2026-11-21&x=1&cursor=c",
        );
        assert!(filters.wrong.is_empty() && filters.any());
        assert_eq!((filters.filter.status, filters.filter.error), (Some(RunStatus::Failed), None));
        let span = filters.filter.until.unwrap() - filters.filter.since.unwrap();
        assert_eq!(span, TimeDelta::days(1));
        assert_eq!(
            filters.url_at("a b"),
            "/runs?field=vat_check&status=failed&since=2026-11-21&until=2026-11-21&cursor=a+b"
        );
        let chips = filters.chips(|name, _| (name == "status").then(|| "Failed".to_owned()));
        assert_eq!(
            chips[1],
            Chip {
                label: w::STATUS,
                value: "Failed".to_owned(),
                without: "/runs?field=vat_check&since=2026-11-21&until=2026-11-21".to_owned(),
            }
        );
        assert_eq!(Filters::read("").url(), "/runs");
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (name, text) in [
            ("case", "1"),
            ("case_type", "A"),
            ("field", "<script>"),
            ("status", "done"),
            ("trigger", "Manual"),
            ("error", "oops"),
            ("since", "today"),
            ("until", "2026-02-30"),
            ("until", "+99999-01-01"),
            ("batch", "x"),
            ("secret", "a:0"),
        ] {
            let query = Serializer::new(String::new()).append_pair(name, text).finish();
            let filters = Filters::read(&query);
            assert!(filters.wrong(name).is_some(), "{name} {text}");
            assert_eq!(filters.typed(name), Some(text));
        }
    }
}
