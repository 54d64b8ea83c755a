//! What an API Call field says about itself: why, when and how often it runs.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use chrono::TimeDelta;
use serde_json::{Map, Value};

use crate::domain::auth::Auth;
use crate::domain::case_type::Context;
use crate::domain::case_type::reader::Reader;
use crate::domain::data::DataPath;
use crate::domain::firing::OldUse;
use crate::domain::ids::{CaseTypeKey, ConnectionKey, EndpointKey, FieldKey};
use crate::domain::lane::LaneKey;
use crate::domain::mapping::{ErrorMapping, Mapping};
use crate::domain::redact::HiddenPaths;
use crate::domain::schedule::Schedule;
use crate::domain::template::Expression;
use crate::domain::trigger::Trigger;
use crate::domain::watch::{WatchPath, WatchSet};

use super::address;
use super::compiler::Compiler;
use super::config;
use super::doubts;
use super::request::Request;
use super::triggers::{LONGEST_AGE, ask_for_watch, read_schedule, read_triggers, read_watch, schedule_form};

/// Members that stand at the field, beside `api_config`.
pub const FIELD_MEMBERS: [&str; 9] =
    ["trigger", "watch", "schedule", "when", "retry", "timeout", "cache_duration", "visibility", "enabled"];

/// Retries after the first attempt when the definition does not say.
const RETRIES: u32 = 3;

/// A field that fetches, compiled.
#[derive(Debug)]
pub struct ApiCall {
    /// What fires it, besides the refresh button; never empty.
    pub triggers: Vec<Trigger>,
    /// False: never runs, shown as disabled.
    pub enabled: bool,
    /// When it is due by itself; there exactly when `scheduled` is among the triggers.
    pub schedule: Option<Schedule>,
    /// The condition under which it runs; none: always.
    pub when: Option<Expression>,
    /// Retries after the first attempt, 0 to 10.
    pub retry: u32,
    /// Milliseconds for one attempt; none: the connection's, else the product's default.
    pub timeout_ms: Option<u64>,
    /// Seconds an answer may be shared; 0: not at all.
    pub cache_duration: u64,
    /// The provider that it goes to, where that is set up once.
    pub connection: Option<ConnectionKey>,
    /// The endpoint of it that gives what the field leaves out.
    pub endpoint: Option<EndpointKey>,
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
    /// Places of its answers that nobody may see.
    pub redact: HiddenPaths,
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
    /// The paths of `watch` as they were given; empty when they are inferred.
    watch_given: Vec<WatchPath>,
    /// The members of `api_config` after the request as they are shown.
    normal: Map<String, Value>,
    /// Where its calls go, once somebody has asked, when that is written out.
    origin: OnceLock<LaneKey>,
    /// … and when params say it: by these.
    by_params: Mutex<Option<(Value, Option<LaneKey>)>>,
}

impl ApiCall {
    /// Reads the members that only API Call fields have.
    pub fn read(field: &mut Reader<'_, '_>, context: &Context<'_>) -> Option<Self> {
        let outputs = context.outputs_without(own_output(field));
        let mut compiler = Compiler::new(context, &outputs);
        let triggers = read_triggers(field);
        let watch_given = read_watch(field, context).unwrap_or_default();
        let schedule = read_schedule(field, triggers.as_deref());
        let when = compiler.when(field);
        let condition = std::mem::take(&mut compiler.references);
        let retry =
            field.whole("retry", 0..=10).and_then(|retry| u32::try_from(retry).ok()).unwrap_or(RETRIES);
        let timeout_ms = field.whole("timeout", 1..=300_000);
        let cache_duration = field.whole("cache_duration", 0..=LONGEST_AGE).unwrap_or(0);
        let enabled = field.flag("enabled").unwrap_or(true);
        let config = config::read(field, &mut compiler, &outputs)?;
        let Compiler { mut references, secrets, .. } = compiler;
        let own = own_targets(&config.mapping, config.output_variable.as_deref());
        let pinnable = unread(&own, &references, &outputs);
        references.extend(condition);
        ask_for_watch(field, triggers.as_deref().unwrap_or_default(), &references);
        let needs = references.iter().filter_map(|path| WatchPath::referenced(path, &outputs)).collect();
        let watch = if watch_given.is_empty() {
            inferred(&references, &outputs, own.clone())
        } else {
            WatchSet::new(watch_given.iter().cloned(), own.clone())
        };
        let old = when.as_ref().map(|when| OldUse::of_references(when.references())).unwrap_or_default();
        let call = Self {
            triggers: triggers?,
            enabled,
            schedule,
            when,
            retry,
            timeout_ms,
            cache_duration,
            connection: config.connection,
            endpoint: config.endpoint,
            request: config.request,
            mapping: config.mapping,
            error_mapping: config.error_mapping,
            success_when: config.success_when,
            retry_when: config.retry_when,
            redact: config.redact,
            output_variable: config.output_variable,
            references,
            secrets: secrets.keys().cloned().collect(),
            watch,
            needs,
            targets: own,
            pinnable,
            old,
            watch_given,
            normal: config.normal,
            origin: OnceLock::new(),
            by_params: Mutex::default(),
        };
        doubts::look(&call, &secrets, context, field);
        Some(call)
    }

    /// Adds the members that only API Call fields have, defaults filled in. What is inherited
    /// or inferred when absent stays absent.
    pub fn write(&self, form: &mut Map<String, Value>) {
        form.insert(
            "trigger".into(),
            self.triggers.iter().map(|trigger| Value::from(trigger.as_str())).collect(),
        );
        if !self.watch_given.is_empty() {
            form.insert(
                "watch".into(),
                self.watch_given.iter().map(|path| Value::from(path.to_string())).collect(),
            );
        }
        if let Some(schedule) = &self.schedule {
            form.insert("schedule".into(), schedule_form(schedule));
        }
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
        if let Some(connection) = &self.connection {
            config.insert("connection".into(), connection.as_str().into());
        }
        if let Some(endpoint) = &self.endpoint {
            config.insert("endpoint".into(), endpoint.as_str().into());
        }
        self.request.write(&mut config);
        config.extend(self.normal.clone());
        form.insert("api_config".into(), config.into());
    }

    /// How long an answer counts as fresh: what its schedule says, else how long it may be
    /// shared; none: for ever.
    pub fn fresh_for(&self) -> Option<TimeDelta> {
        let older_than = self.schedule.as_ref().and_then(|schedule| schedule.older_than);
        let seconds = older_than.or(Some(self.cache_duration).filter(|seconds| *seconds > 0))?;
        TimeDelta::try_seconds(i64::try_from(seconds).ok()?)
    }

    /// Whether its requests bear credentials of its own: no connection stands for them.
    pub const fn brings_credentials(&self) -> bool {
        self.connection.is_none() || !matches!(self.request.auth, Auth::Inherited)
    }

    /// The lane of its runs: the connection, else the origin of its url. Where params say that, it is worked out
    /// once for as long as they stay the same.
    pub fn lane(&self, params: &Value, case_type: &CaseTypeKey, field: &FieldKey) -> LaneKey {
        if let Some(connection) = &self.connection {
            return LaneKey::of_connection(connection.as_str());
        }
        let lane = match self.request.url.literal_origin() {
            Some(origin) => Some(self.origin.get_or_init(|| LaneKey::of_origin(origin)).clone()),
            None => self.lane_by_params(params),
        };
        lane.unwrap_or_else(|| LaneKey::of_field(case_type, field))
    }

    fn lane_by_params(&self, params: &Value) -> Option<LaneKey> {
        let mut known = self.by_params.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((of, lane)) if of == params => lane.clone(),
            _ => {
                let members = params.as_object().cloned().unwrap_or_default();
                let lane = address::origin(&self.request.url, &members).map(|url| LaneKey::of_origin(&url));
                *known = Some((params.clone(), lane.clone()));
                lane
            }
        }
    }

    /// True when this trigger fires the field.
    pub fn fires_on(&self, trigger: Trigger) -> bool {
        self.triggers.contains(&trigger)
    }
}

/// What request and `when` refer to, less what the field writes itself.
fn inferred(references: &BTreeSet<String>, outputs: &[String], own: Vec<DataPath>) -> WatchSet {
    let paths = references.iter().filter_map(|path| WatchPath::inferred(path, outputs));
    let foreign: Vec<_> = paths.filter(|path| !own.iter().any(|target| path.lies_in(target))).collect();
    WatchSet::new(foreign, own)
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

/// The targets that the request does not read.
fn unread(own: &[DataPath], references: &BTreeSet<String>, outputs: &[String]) -> Vec<DataPath> {
    let read: Vec<_> = references.iter().filter_map(|path| WatchPath::inferred(path, outputs)).collect();
    own.iter().filter(|own| !read.iter().any(|path| path.touches(own))).cloned().collect()
}
