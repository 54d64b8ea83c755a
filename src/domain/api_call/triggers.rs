//! Reads what fires a field besides the refresh button: `trigger`, `watch` and `schedule`.
//!
//! The three belong together: `on_update` fires when a watched value changes, `scheduled` when
//! the schedule is due. What is watched may be left to inference, unless the field refers to the
//! data as a whole: then nobody but the builder can say which change matters.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::case_type::Context;
use crate::domain::case_type::findings::{Findings, unknown_word};
use crate::domain::case_type::reader::Reader;
use crate::domain::data::article_and_type;
use crate::domain::problem::{code, join};
use crate::domain::schedule::{LONGEST_LINE, Line, Schedule, Zone};
use crate::domain::trigger::Trigger;
use crate::domain::watch::{WatchPath, WatchRoot};

/// What templates read below `case`.
const CASE_MEMBERS: [&str; 8] =
    ["id", "reference", "title", "status", "custom_status", "assignee", "type", "created_at"];

/// Paths of one field.
const MOST_PATHS: usize = 200;
/// Ten years, in seconds: longer is a slip of the keyboard.
pub const LONGEST_AGE: u64 = 315_360_000;
/// Triggers of the contract that have no source of events yet.
const LATER_TRIGGERS: [&str; 2] = ["webhook", "workflow"];

/// A trigger or a list of them; twice the same counts once.
pub fn read_triggers(field: &mut Reader<'_, '_>) -> Option<Vec<Trigger>> {
    let at = field.at("trigger");
    let listed = match field.get("trigger") {
        None => return Some(vec![Trigger::OnCreate]),
        Some(text @ Value::String(_)) => vec![(at, text)],
        Some(Value::Array(items)) => items.iter().enumerate().map(|(n, item)| (join(&at, n), item)).collect(),
        Some(other) => {
            field.wrong_type("trigger", "a text or an array of texts", other);
            return None;
        }
    };
    if listed.is_empty() {
        let message = "is empty: leave it out, or give `[\"manual\"]` for a field that only runs when asked";
        field.problem("trigger", code::OUT_OF_RANGE, message);
        return None;
    }
    let mut triggers = Vec::new();
    let count = listed.len();
    let mut good = 0;
    for (pointer, value) in listed {
        if let Some(trigger) = read_trigger(value, pointer, field.findings) {
            good += 1;
            if !triggers.contains(&trigger) {
                triggers.push(trigger);
            }
        }
    }
    (good == count).then_some(triggers)
}

fn read_trigger(value: &Value, pointer: String, findings: &mut Findings) -> Option<Trigger> {
    let Value::String(word) = value else {
        findings.problem(pointer, code::WRONG_TYPE, "expected a text such as `on_create`");
        return None;
    };
    let known = Trigger::ALL.map(Trigger::as_str);
    let trigger = Trigger::parse(word);
    if trigger.is_none() && LATER_TRIGGERS.contains(&word.as_str()) {
        let message =
            format!("the trigger `{word}` comes with a later version: use `{}`", known.join("`, `"));
        findings.problem(pointer, code::NOT_SUPPORTED_YET, message);
    } else if trigger.is_none() {
        findings.problem(pointer, code::INVALID, unknown_word(word, "a trigger", &known));
    }
    trigger
}

/// The paths of `watch`, in the order in which they were given; none when it is absent.
pub fn read_watch(field: &mut Reader<'_, '_>, context: &Context<'_>) -> Option<Vec<WatchPath>> {
    let items = field.list("watch", MOST_PATHS)?;
    if items.is_empty() {
        let message = "is empty: list the values whose change shall fire the field, or leave it out, then they are \
                       those that the request and `when` refer to";
        field.problem("watch", code::OUT_OF_RANGE, message);
        return None;
    }
    let at = field.at("watch");
    let mut paths: Vec<WatchPath> = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let pointer = join(&at, n);
        let Some(path) = read_path(item, &pointer, field.findings) else { continue };
        check_path(&path, pointer, context, field.findings);
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    Some(paths)
}

fn read_path(item: &Value, pointer: &str, findings: &mut Findings) -> Option<WatchPath> {
    let Value::String(text) = item else {
        let message = format!("expected a text such as `vat_number`, found {}", article_and_type(item));
        findings.problem(pointer, code::WRONG_TYPE, message);
        return None;
    };
    let path = if is_foreign(text) { Err(FOREIGN.to_owned()) } else { WatchPath::parse(text) };
    path.map_err(|why| findings.problem(pointer, code::INVALID, why)).ok()
}

const FOREIGN: &str = "is not a path here: write names with dots, such as `address.city`, and an item of an array by \
                       its number, such as `items.0.name`";

/// A JSONPath or a placeholder. As names of members they would be legal, and would never match.
fn is_foreign(text: &str) -> bool {
    text == "$"
        || text.starts_with("$.")
        || text.split('.').any(|word| word == "*")
        || text.contains(['[', ']', '{', '}'])
}

/// Looks up the first name of a path, as far as it can be known.
fn check_path(path: &WatchPath, pointer: String, context: &Context<'_>, findings: &mut Findings) {
    let name = path.segments().first().map_or("", String::as_str);
    match (path.root(), &context.named) {
        (WatchRoot::Case, _) if !CASE_MEMBERS.contains(&name) => {
            findings.problem(
                pointer,
                code::UNKNOWN_REFERENCE,
                unknown_word(name, "a member of `case`", &CASE_MEMBERS),
            );
        }
        (WatchRoot::Params, _) => {
            let message =
                "a change of params fires nothing: it only marks the field's data as made from other inputs";
            findings.doubt(pointer, message);
        }
        (WatchRoot::Data, Some(named)) if !named.contains(name) => {
            let known: Vec<_> = named.iter().map(String::as_str).collect();
            let what = "data that this case type names (`additional_data` is false)";
            findings.problem(pointer, code::UNKNOWN_REFERENCE, unknown_word(name, what, &known));
        }
        _ => {}
    }
}

/// Asks for `watch` where what fires the field cannot be inferred. `references`: what its request
/// and `when` read; the data as a whole or by a computed key is `data` alone.
pub fn ask_for_watch(field: &mut Reader<'_, '_>, triggers: &[Trigger], references: &BTreeSet<String>) {
    let whole = references.contains("data");
    if whole && triggers.contains(&Trigger::OnUpdate) && field.get("watch").is_none() {
        let message = "is missing: the field refers to `data` as a whole or by a computed key, so list the values \
                       whose change shall fire it";
        field.problem("watch", code::REQUIRED, message);
    }
}

/// The schedule, which goes with the trigger `scheduled` and only with it. `triggers`: none when
/// they could not be read.
pub fn read_schedule(field: &mut Reader<'_, '_>, triggers: Option<&[Trigger]>) -> Option<Schedule> {
    let scheduled = triggers.map(|triggers| triggers.contains(&Trigger::Scheduled));
    let at = field.at("schedule");
    let Some(value) = field.get("schedule") else {
        if scheduled == Some(true) {
            field.missing(
                "schedule",
                "the trigger `scheduled` needs one, such as `{\"cron\": \"0 6 * * 1\"}`",
            );
        }
        return None;
    };
    if scheduled == Some(false) {
        field.problem(
            "schedule",
            code::INVALID,
            "has no effect: add `scheduled` to `trigger`, or leave it out",
        );
    }
    let mut members = Reader::open(value, at, field.findings)?;
    if members.get("cron").is_none() {
        members.missing("cron", "a line of five fields; `0 6 * * 1` is every Monday at 06:00");
    }
    let line = parsed(&mut members, "cron", Line::parse);
    let zone = match members.get("timezone") {
        None => Some(Zone::UTC),
        Some(_) => parsed(&mut members, "timezone", Zone::parse),
    };
    let older_than = members.whole("older_than", 1..=LONGEST_AGE);
    let include_closed = members.flag("include_closed").unwrap_or(false);
    members.finish(|_| None);
    let mut schedule = Schedule::new(line?, zone?);
    schedule.older_than = older_than;
    schedule.include_closed = include_closed;
    Some(schedule)
}

fn parsed<T>(
    members: &mut Reader<'_, '_>,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let parsed = parse(members.text(name, LONGEST_LINE)?);
    parsed.map_err(|why| members.problem(name, code::INVALID, why)).ok()
}

/// A schedule as it is shown, defaults filled in.
pub fn schedule_form(schedule: &Schedule) -> Value {
    let mut form = Map::new();
    form.insert("cron".into(), schedule.cron.as_str().into());
    form.insert("timezone".into(), schedule.timezone.as_str().into());
    if let Some(seconds) = schedule.older_than {
        form.insert("older_than".into(), seconds.into());
    }
    form.insert("include_closed".into(), schedule.include_closed.into());
    form.into()
}
