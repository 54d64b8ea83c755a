//! A field that fetches, in words: when it runs, what it sends, what the answer fills in.
//!
//! It is told by the definition as it is shown, in which credentials are hidden; only what a
//! definition leaves to be inferred comes from the compiled plan.

use serde_json::{Map, Value};

use crate::domain::api_call::ApiCall;
use crate::domain::clock::Instant;
use crate::service::ScheduleView;
use crate::ui::history::state::plain;
use crate::ui::moment::Moment;
use crate::ui::state::{StateView, Tone};
use crate::ui::value::cut;
use crate::ui::words::case_types as w;
use crate::ui::words::cron;
use crate::ui::words::moments::{span, took};

/// Targets that are listed of a field.
pub const MOST_TARGETS: usize = 100;
/// Characters of a text of a definition.
const LONGEST: usize = 600;

/// A field that fetches.
pub struct CallView {
    pub key: String,
    pub name: String,
    pub description: Option<String>,
    pub section: Option<String>,
    pub visibility: Option<&'static str>,
    pub state: StateView,
    pub triggers: Vec<&'static str>,
    pub watches: Vec<String>,
    pub inferred: bool,
    pub schedule: Option<ScheduleWords>,
    pub when: Option<String>,
    pub connection: Option<String>,
    pub endpoint: Option<String>,
    pub method: Option<String>,
    pub url: Option<String>,
    pub auth: String,
    pub retries: String,
    pub timeout: Option<String>,
    pub cache: String,
    pub success_when: Option<String>,
    pub retry_when: Option<String>,
    pub output: Option<String>,
    pub mapping: Vec<MappingRow>,
}

/// When it runs by itself.
pub struct ScheduleWords {
    pub words: Option<String>,
    pub cron: String,
    pub timezone: String,
    pub rules: Vec<String>,
    pub next: Vec<Moment>,
}

/// A target and where its value comes from.
pub struct MappingRow {
    pub target: String,
    pub source: String,
    pub rules: Vec<String>,
}

impl CallView {
    /// Of a field's definition.
    pub fn new(field: &Value, call: Option<&ApiCall>, schedule: Option<&ScheduleView>, now: Instant) -> Self {
        let config = &field["api_config"];
        let text = |value: &Value| value.as_str().map(|text| cut(text, LONGEST));
        let key = text(&field["key"]).unwrap_or_default();
        let enabled = field["enabled"].as_bool().unwrap_or(true);
        let given = strings(&field["watch"]);
        let triggers = strings(&field["trigger"]);
        // What it looks at matters only where a change fires it.
        let watched = || call.map(|call| call.watch.paths().iter().map(ToString::to_string).collect());
        let asks = triggers.iter().any(|trigger| trigger == "on_update");
        Self {
            name: text(&field["name"]).unwrap_or_else(|| key.clone()),
            key,
            description: text(&field["description"]),
            section: text(&field["section"]),
            visibility: field["visibility"].as_str().and_then(w::visibility),
            state: if enabled {
                plain(Tone::Good, "check", w::ON)
            } else {
                plain(Tone::Quiet, "slash", w::OFF)
            },
            inferred: given.is_empty(),
            watches: if given.is_empty() && asks { watched().unwrap_or_default() } else { given },
            triggers: triggers.iter().filter_map(|trigger| w::trigger(trigger)).collect(),
            schedule: schedule_words(&field["schedule"], schedule, now),
            when: text(&field["when"]),
            connection: text(&config["connection"]),
            endpoint: text(&config["endpoint"]),
            method: text(&config["method"]),
            url: text(&config["url"]),
            auth: auth(config),
            retries: w::retries(field["retry"].as_u64().unwrap_or_default()),
            timeout: field["timeout"].as_i64().map(took),
            cache: match field["cache_duration"].as_i64() {
                Some(seconds) if seconds > 0 => span(seconds),
                _ => w::NO_CACHE.to_owned(),
            },
            success_when: text(&config["success_when"]),
            retry_when: text(&config["retry_when"]),
            output: text(&config["output_variable"]),
            mapping: config["response_mapping"].as_object().map(mapping).unwrap_or_default(),
        }
    }
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// The kind alone: what proves who we are is no business of a page.
fn auth(config: &Value) -> String {
    match config["auth"]["type"].as_str() {
        Some(kind) => w::auth(kind).to_owned(),
        None if config["connection"].is_string() => w::OF_CONNECTION.to_owned(),
        None => w::auth("none").to_owned(),
    }
}

fn schedule_words(schedule: &Value, view: Option<&ScheduleView>, now: Instant) -> Option<ScheduleWords> {
    let cron = schedule["cron"].as_str()?;
    let older = schedule["older_than"].as_i64().map(|seconds| w::older_than(&span(seconds)));
    let closed = schedule["include_closed"].as_bool().unwrap_or(false).then(|| w::INCLUDE_CLOSED.to_owned());
    let next = view.map_or(&[][..], |view| &view.next);
    Some(ScheduleWords {
        words: cron::line(cron),
        cron: cron.to_owned(),
        timezone: schedule["timezone"].as_str().unwrap_or("UTC").to_owned(),
        rules: older.into_iter().chain(closed).collect(),
        next: next.iter().map(|at| Moment::full(*at, now)).collect(),
    })
}

fn mapping(rules: &Map<String, Value>) -> Vec<MappingRow> {
    let row = |(target, rule): (&String, &Value)| {
        let of = crate::ui::history::source_of(rules, target).unwrap_or_default();
        let members = rule.as_object().into_iter().flatten();
        let others = members.filter(|(name, _)| !["path", "value", "from"].contains(&name.as_str()));
        let rules = others.map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}: {text}"),
            None => format!("{name}: {value}"),
        });
        MappingRow { target: target.clone(), source: of, rules: rules.collect() }
    };
    rules.iter().take(MOST_TARGETS).map(row).collect()
}
