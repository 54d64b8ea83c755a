//! What an API Call field says about itself: why, when and how often it runs.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Map, Value};

use crate::domain::case_type::Context;
use crate::domain::case_type::findings::unknown_word;
use crate::domain::case_type::reader::Reader;
use crate::domain::data::DataPath;
use crate::domain::firing::OldUse;
use crate::domain::mapping::{ErrorMapping, Mapping};
use crate::domain::problem::{code, join};
use crate::domain::template::Expression;
use crate::domain::trigger::Trigger;
use crate::domain::watch::{WatchPath, WatchSet};

use super::compiler::Compiler;
use super::config;
use super::doubts;
use super::request::Request;

/// Members that stand at the field, beside `api_config`.
pub const FIELD_MEMBERS: [&str; 9] =
    ["trigger", "watch", "schedule", "when", "retry", "timeout", "cache_duration", "visibility", "enabled"];

/// Retries after the first attempt when the definition does not say.
const RETRIES: u32 = 3;
/// Ten years: longer is a slip of the keyboard.
const LONGEST_CACHE_SECONDS: u64 = 315_360_000;

/// A field that fetches, compiled.
#[derive(Debug)]
pub struct ApiCall {
    /// What fires it, besides the refresh button; never empty.
    pub triggers: Vec<Trigger>,
    /// False: never runs, shown as disabled.
    pub enabled: bool,
    /// The condition under which it runs; none: always.
    pub when: Option<Expression>,
    /// Retries after the first attempt, 0 to 10.
    pub retry: u32,
    /// Milliseconds for one attempt; none: the connection's, else the product's default.
    pub timeout_ms: Option<u64>,
    /// Seconds an answer may be shared; 0: not at all.
    pub cache_duration: u64,
    /// What it sends.
    pub request: Request,
    /// Which values of the answer go where.
    pub mapping: Mapping,
    /// Where the provider puts its own error.
    pub error_mapping: ErrorMapping,
    /// Replaces the rule that 2xx is a success.
    pub success_when: Option<Expression>,
    /// Replaces the rule which statuses may be retried.
    pub retry_when: Option<Expression>,
    /// The member of `data` that gets the whole answer, and the root that reads it.
    pub output_variable: Option<String>,
    /// Dotted paths that request and `when` read, as far as they are static.
    pub references: BTreeSet<String>,
    /// Names of the secrets that the request uses.
    pub secrets: BTreeSet<String>,
    /// The values that it looks at, given or inferred.
    pub watch: WatchSet,
    /// Everything of a case that request and `when` read, as far as it is static.
    pub needs: Vec<WatchPath>,
    /// Every place in `data` that it writes.
    pub targets: Vec<DataPath>,
    /// Its targets that a person's change overrides: all but those that its request reads.
    pub pinnable: Vec<DataPath>,
    /// What its `when` reads of the data before a change.
    pub old: OldUse,
    /// The members of `api_config` after the request as they are shown.
    normal: Map<String, Value>,
}

impl ApiCall {
    /// Reads the members that only API Call fields have.
    pub fn read(field: &mut Reader<'_, '_>, context: &Context<'_>) -> Option<Self> {
        let outputs = context.outputs_without(own_output(field));
        let mut compiler = Compiler::new(context, &outputs);
        let triggers = read_triggers(field);
        field.later("watch");
        field.later("schedule");
        let when = compiler.when(field);
        let condition = std::mem::take(&mut compiler.references);
        let retry =
            field.whole("retry", 0..=10).and_then(|retry| u32::try_from(retry).ok()).unwrap_or(RETRIES);
        let timeout_ms = field.whole("timeout", 1..=300_000);
        let cache_duration = read_cache_duration(field);
        let enabled = field.flag("enabled").unwrap_or(true);
        let config = config::read(field, &mut compiler, &outputs)?;
        let Compiler { mut references, secrets, .. } = compiler;
        let own = own_targets(&config.mapping, config.output_variable.as_deref());
        let read: Vec<_> = references.iter().filter_map(|path| WatchPath::inferred(path, &outputs)).collect();
        let pinnable = own.iter().filter(|own| !read.iter().any(|path| path.touches(own))).cloned().collect();
        references.extend(condition);
        let inferred = references.iter().filter_map(|path| WatchPath::inferred(path, &outputs));
        let inferred = inferred.filter(|path| !own.iter().any(|target| path.lies_in(target)));
        let needs = references.iter().filter_map(|path| WatchPath::referenced(path, &outputs)).collect();
        let watch = WatchSet::new(inferred, own.clone());
        let old = when.as_ref().map(|when| OldUse::of_references(when.references())).unwrap_or_default();
        let call = Self {
            triggers: triggers?,
            enabled,
            when,
            retry,
            timeout_ms,
            cache_duration,
            request: config.request,
            mapping: config.mapping,
            error_mapping: config.error_mapping,
            success_when: config.success_when,
            retry_when: config.retry_when,
            output_variable: config.output_variable,
            references,
            secrets: secrets.keys().cloned().collect(),
            watch,
            needs,
            targets: own,
            pinnable,
            old,
            normal: config.normal,
        };
        let at = field.at("api_config");
        doubts::look(&call, &secrets, &at, context, field.findings);
        Some(call)
    }

    /// Adds the members that only API Call fields have, defaults filled in. What is inherited
    /// or inferred when absent stays absent.
    pub fn write(&self, form: &mut Map<String, Value>) {
        form.insert(
            "trigger".into(),
            self.triggers.iter().map(|trigger| Value::from(trigger.as_str())).collect(),
        );
        if let Some(when) = &self.when {
            form.insert("when".into(), when.source().into());
        }
        form.insert("retry".into(), self.retry.into());
        if let Some(timeout) = self.timeout_ms {
            form.insert("timeout".into(), timeout.into());
        }
        form.insert("cache_duration".into(), self.cache_duration.into());
        form.insert("enabled".into(), self.enabled.into());
        let mut config = Map::new();
        self.request.write(&mut config);
        config.extend(self.normal.clone());
        form.insert("api_config".into(), config.into());
    }

    /// How long an answer counts as fresh: what its schedule says, else how long it may be
    /// shared; none: for ever.
    pub fn fresh_for(&self) -> Option<TimeDelta> {
        let seconds = Some(self.cache_duration).filter(|seconds| *seconds > 0)?;
        TimeDelta::try_seconds(i64::try_from(seconds).ok()?)
    }

    /// True when this trigger fires the field.
    pub fn fires_on(&self, trigger: Trigger) -> bool {
        self.triggers.contains(&trigger)
    }
}

/// Every place in `data` that the field writes.
fn own_targets(mapping: &Mapping, output_variable: Option<&str>) -> Vec<DataPath> {
    let output = output_variable.and_then(|name| DataPath::parse(name).ok());
    mapping.targets().iter().map(|target| target.path.clone()).chain(output).collect()
}

/// The field's own output variable, which its own templates cannot read.
fn own_output<'v>(field: &mut Reader<'v, '_>) -> Option<&'v str> {
    field.get("api_config")?.get("output_variable")?.as_str()
}

/// A trigger or a list of them; twice the same counts once.
fn read_triggers(field: &mut Reader<'_, '_>) -> Option<Vec<Trigger>> {
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
        if let Some(trigger) = read_trigger(value, pointer, field) {
            good += 1;
            if !triggers.contains(&trigger) {
                triggers.push(trigger);
            }
        }
    }
    (good == count).then_some(triggers)
}

fn read_trigger(value: &Value, pointer: String, field: &mut Reader<'_, '_>) -> Option<Trigger> {
    let findings = &mut *field.findings;
    let Value::String(word) = value else {
        findings.problem(pointer, code::WRONG_TYPE, "expected a text such as `on_create`");
        return None;
    };
    match Trigger::parse(word) {
        Some(trigger @ (Trigger::OnCreate | Trigger::Manual)) => Some(trigger),
        _ if LATER_TRIGGERS.contains(&word.as_str()) => {
            let message =
                format!("the trigger `{word}` comes with a later version: use `on_create` or `manual`");
            findings.problem(pointer, code::NOT_SUPPORTED_YET, message);
            None
        }
        _ => {
            let known: Vec<_> = Trigger::ALL.iter().map(|trigger| trigger.as_str()).collect();
            findings.problem(pointer, code::INVALID, unknown_word(word, "a trigger", &known));
            None
        }
    }
}

/// Triggers of the contract that have no source of events yet.
const LATER_TRIGGERS: [&str; 4] = ["on_update", "scheduled", "webhook", "workflow"];

fn read_cache_duration(field: &mut Reader<'_, '_>) -> u64 {
    let seconds = field.whole("cache_duration", 0..=LONGEST_CACHE_SECONDS).unwrap_or(0);
    if seconds > 0 {
        let message = "caching comes with a later version: leave it out or give 0";
        field.problem("cache_duration", code::NOT_SUPPORTED_YET, message);
    }
    seconds
}
