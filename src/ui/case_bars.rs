//! How a field stands over all cases that match: a thin bar, and a legend whose parts filter.
//!
//! The numbers are those that the filters give. Statuses exclude each other and make the bar;
//! *cached* and *stale* are said of data beside the status, so they are shades inside of what is
//! up to date and have numbers of their own.

use super::case_columns::Columns;
use super::list_query::ListQuery;
use super::words::case_list as w;
use crate::domain::case_type::CaseType;
use crate::domain::run::FieldStatus;

/// Bars of one page.
const MOST: usize = 12;

/// The least that a part is wide, in thousandths, so that a single failed case is seen.
const THINNEST: u64 = 8;

/// How many cases have a field in each state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldCounts {
    /// The field.
    pub key: String,
    /// By status.
    pub statuses: Vec<(FieldStatus, u64)>,
    /// With data from the cache.
    pub cached: u64,
    /// With data that is out of date.
    pub stale: u64,
}

/// The counts of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// The cases that were counted.
    pub total: u64,
    /// Whether there may be more.
    pub partial: bool,
    /// By field.
    pub fields: Vec<FieldCounts>,
}

/// The bars above a list.
#[derive(Debug, Clone, Default)]
pub struct Bars {
    /// One a field.
    pub fields: Vec<Bar>,
    /// Why they may tell too little.
    pub partial: Option<String>,
    /// What has no bar.
    pub more: Option<String>,
    /// They are still being counted; where they are waited for.
    pub counting: Option<String>,
}

/// The bar of a field.
#[derive(Debug, Clone)]
pub struct Bar {
    /// The field's name.
    pub name: String,
    /// Its pieces, from the left.
    pub pieces: Vec<Piece>,
    /// Its legend.
    pub parts: Vec<Part>,
}

/// A piece of a bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its colour.
    pub class: &'static str,
    /// Where it begins, in percent.
    pub x: String,
    /// How wide it is, in percent.
    pub width: String,
    /// Where a click leads.
    pub url: String,
}

/// A part of a legend: a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its colour.
    pub class: &'static str,
    /// Its icon.
    pub icon: &'static str,
    /// What it is called.
    pub word: &'static str,
    /// How many cases.
    pub count: String,
    /// The list filtered by it; the list without that filter where it is set.
    pub url: String,
    /// Whether it is set.
    pub set: bool,
}

/// The states in the order of the bar: what filters by them, colour, icon.
const LOOKS: [(FieldStatus, &str, &str); 7] = [
    (FieldStatus::Succeeded, "good", "check"),
    (FieldStatus::Running, "running", "ring"),
    (FieldStatus::Queued, "waiting", "clock"),
    (FieldStatus::Failed, "failed", "cross"),
    (FieldStatus::Skipped, "skipped", "dash"),
    (FieldStatus::NeverRun, "never", "hollow"),
    (FieldStatus::Disabled, "never", "slash"),
];

impl Bars {
    /// The bars of the fields that are shown first, then of others, as far as there is room.
    /// Without counts they are there, and empty.
    pub fn new(
        case_type: &CaseType,
        columns: &Columns<'_>,
        counts: Option<&Counts>,
        view: &ListQuery,
    ) -> Self {
        if counts.is_some_and(|counts| counts.total == 0) {
            return Self::default();
        }
        let counted = |key: &str| counts.map(|all| all.fields.iter().find(|field| field.key == key));
        let calls: Vec<_> = case_type.fields.iter().filter(|field| field.api_call().is_some()).collect();
        let keys = calls.iter().map(|field| field.key.as_str());
        let (shown, others): (Vec<&str>, Vec<&str>) = keys.partition(|key| columns.shows_field(key));
        let mut kept: Vec<&str> = shown.into_iter().chain(others).take(MOST).collect();
        let more = calls.len() - kept.len();
        let bars =
            calls.iter().filter(|field| take(&mut kept, field.key.as_str())).filter_map(
                |field| match counted(field.key.as_str()) {
                    Some(counts) => Some(Bar::new(&field.name, counts?, view)),
                    None => Some(Bar { name: field.name.clone(), pieces: Vec::new(), parts: Vec::new() }),
                },
            );
        Self {
            fields: bars.collect(),
            partial: counts.filter(|counts| counts.partial).map(|counts| w::partial(counts.total)),
            more: (more > 0).then(|| w::more_bars(more)),
            counting: counts.is_none().then(|| view.awaited_url()),
        }
    }
}

impl Bars {
    /// Keeps the first bars, and says that there are more.
    pub fn keep(&mut self, most: usize) {
        let more = self.fields.len().saturating_sub(most);
        self.fields.truncate(most);
        if more > 0 {
            self.more = Some(w::NO_ROOM_FOR_BARS.to_owned());
        }
    }
}

/// Takes a key out of a list; whether it was in it.
fn take(keys: &mut Vec<&str>, key: &str) -> bool {
    let before = keys.len();
    keys.retain(|known| *known != key);
    keys.len() < before
}

impl Bar {
    fn new(name: &str, counts: &FieldCounts, view: &ListQuery) -> Self {
        let of = |status| {
            counts.statuses.iter().find(|(known, _)| *known == status).map_or(0, |(_, count)| *count)
        };
        let stale = counts.stale.min(of(FieldStatus::Succeeded));
        let cached = counts.cached.min(of(FieldStatus::Succeeded) - stale);
        let mut pieces = Vec::new();
        let mut parts = Vec::new();
        for (status, class, icon) in LOOKS {
            let (word, count) = (status.as_str(), of(status));
            parts.push((word, class, icon, count));
            if status == FieldStatus::Succeeded {
                pieces.extend([("succeeded", class, count - stale - cached), ("cached", "cached", cached)]);
                pieces.push(("stale", "stale", stale));
                parts.extend([
                    ("cached", "cached", "copy", counts.cached),
                    ("stale", "stale", "warn", counts.stale),
                ]);
            } else {
                pieces.push((word, class, count));
            }
        }
        let part = |(word, class, icon, count)| {
            let set = is_set(view, &counts.key, word);
            let url = view.with_field(&counts.key, Some(word).filter(|_| !set)).url();
            Part { class, icon, word: spoken(word), count: w::number(count), url, set }
        };
        let told =
            parts.into_iter().filter(|(word, .., count)| *count > 0 || is_set(view, &counts.key, word));
        Self { name: name.to_owned(), pieces: laid(&pieces, counts, view), parts: told.map(part).collect() }
    }
}

fn is_set(view: &ListQuery, key: &str, word: &str) -> bool {
    view.fields.iter().any(|choice| choice.key == key && choice.word == word && choice.reason.is_none())
}

fn spoken(word: &str) -> &'static str {
    match word {
        "cached" => w::CACHED,
        "stale" => w::STALE,
        word => FieldStatus::parse(word).map_or(w::NEVER_RUN, w::field_status),
    }
}

/// Pieces side by side. What would be too thin to see is widened at the cost of the widest.
fn laid(pieces: &[(&str, &'static str, u64)], counts: &FieldCounts, view: &ListQuery) -> Vec<Piece> {
    let total: u64 = pieces.iter().map(|(.., count)| count).sum();
    if total == 0 {
        return Vec::new();
    }
    let pieces = pieces.iter().filter(|(.., count)| *count > 0);
    let mut widths: Vec<_> =
        pieces.map(|piece| (piece, (piece.2.saturating_mul(1_000) / total).max(THINNEST))).collect();
    let sum: u64 = widths.iter().map(|(_, width)| width).sum();
    if let Some((_, widest)) = widths.iter_mut().max_by_key(|(_, width)| *width) {
        *widest = (*widest + 1_000).saturating_sub(sum);
    }
    let mut x = 0;
    let laid = widths.into_iter().map(|((word, class, _), width)| {
        let url = view.with_field(&counts.key, Some(word)).url();
        let piece = Piece { class, x: percent(x), width: percent(width), url };
        x += width;
        piece
    });
    laid.collect()
}

/// Thousandths as percent: `12.5%`.
fn percent(thousandths: u64) -> String {
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::case_type::Known;

    fn counts(statuses: &[(FieldStatus, u64)], cached: u64, stale: u64) -> FieldCounts {
        FieldCounts { key: "vat".into(), statuses: statuses.to_vec(), cached, stale }
    }

    #[test]
    fn a_bar_is_full_and_nothing_in_it_is_too_thin_to_see() {
        let counts = counts(&[(FieldStatus::Succeeded, 199_990), (FieldStatus::Failed, 10)], 100, 3);
        let bar = Bar::new("VAT", &counts, &ListQuery::default());
        let widths: Vec<(&str, &str)> =
            bar.pieces.iter().map(|piece| (piece.class, piece.width.as_str())).collect();
        assert_eq!(widths, [("good", "97.6%"), ("cached", "0.8%"), ("stale", "0.8%"), ("failed", "0.8%")]);
        assert_eq!(bar.pieces[3].x, "99.2%");
        assert_eq!(bar.pieces[3].url, "/cases?field.vat=failed");
    }

    #[test]
    fn a_legend_tells_what_the_filters_give_and_takes_them_off_again() {
        let counts = counts(&[(FieldStatus::Succeeded, 1_200), (FieldStatus::Failed, 10)], 1_250, 0);
        let view = ListQuery::parse("q=a&field.vat=queued").unwrap();
        let bar = Bar::new("VAT", &counts, &view);
        let told: Vec<String> = bar
            .parts
            .iter()
            .map(|part| format!("{} {} {} {}", part.count, part.word, part.set, part.url))
            .collect();
        assert_eq!(
            told,
            [
                "1,200 up to date false /cases?q=a&field.vat=succeeded",
                "1,250 cached false /cases?q=a&field.vat=cached",
                "0 waiting true /cases?q=a",
                "10 failed false /cases?q=a&field.vat=failed",
            ]
        );
    }

    #[test]
    fn many_fields_leave_room_for_the_list() {
        let call = |n| json!({"url": "https://a.example", "response_mapping": {(format!("v{n}")): "$.v"}});
        let fields: Vec<Value> = (0..20)
            .map(|n| json!({"key": format!("f{n}"), "type": "api_call", "api_config": call(n)}))
            .collect();
        let body = json!({"key": "kyb", "fields": fields});
        let case_type = CaseType::parse(&body, &Known::default()).unwrap().case_type;
        let columns = Columns::new(Some(&case_type), Some(&["field.f19".to_owned()]));
        let field = |n| FieldCounts {
            key: format!("f{n}"),
            statuses: vec![(FieldStatus::NeverRun, 1)],
            ..FieldCounts::default()
        };
        let counts = Counts { total: 1, partial: true, fields: (0..20).map(field).collect() };
        let bars = Bars::new(&case_type, &columns, Some(&counts), &ListQuery::default());
        let names: Vec<&str> = bars.fields.iter().map(|bar| bar.name.as_str()).collect();
        assert_eq!((names.len(), names[0], names[11]), (12, "f0", "f19"));
        assert!(bars.partial.is_some() && bars.more.unwrap().starts_with("8 more"));

        let awaited = Bars::new(&case_type, &columns, None, &ListQuery::default());
        let again: Vec<&str> = awaited.fields.iter().map(|bar| bar.name.as_str()).collect();
        assert_eq!(again, names, "bars that are still counted keep their places");
        assert_eq!(awaited.counting.as_deref(), Some("/cases?counts=awaited"));
        assert!(awaited.fields.iter().all(|bar| bar.pieces.is_empty() && bar.parts.is_empty()));
    }
}
