//! What a run did to each target of its field. Where the whole answer is kept, it is mapped
//! again, by the plan of the version that the run took, to show what each target got.
//!
//! The run alone says what was written: nothing here decides it again. Values that templates make
//! from the case are not shown, since the case may have changed.

use std::sync::Arc;

use actix_web::web;
use serde_json::{Map, Value};

use super::state::plain;
use crate::domain::answer::Answer;
use crate::domain::failure::FailureCode;
use crate::domain::run::{Attempt, Run, RunStatus};
use crate::domain::template::Scope;
use crate::service::Plan;
use crate::ui::masked::{Piece, pieces};
use crate::ui::state::{StateView, Tone};
use crate::ui::value::{Shown, cut};
use crate::ui::words::runs as w;

/// Characters of a value in a cell.
const LONGEST_VALUE: usize = 200;
/// Targets that are listed.
const MOST: usize = 150;

/// A target.
pub struct TargetRow {
    pub target: String,
    /// Where its value comes from, as the builder wrote it.
    pub from: Option<String>,
    pub value: Option<Vec<Piece>>,
    pub became: StateView,
}

/// The targets of a run.
pub struct Targets {
    pub rows: Vec<TargetRow>,
    /// Whether the answer was mapped again.
    pub again: bool,
}

/// What the answer offers to a target.
struct Offered {
    target: String,
    value: Option<Value>,
    error: Option<String>,
}

impl Targets {
    /// Of a run that has ended, with its attempts; `plan` is that of its version, `definition` what that
    /// version says of the field's mapping.
    pub async fn of(
        run: &Run,
        attempts: &[Attempt],
        plan: Option<Arc<Plan>>,
        rules: &Map<String, Value>,
    ) -> Self {
        let offers = match (plan.filter(|_| was_mapped(run)), answer(attempts)) {
            (Some(plan), Some(answer)) => again(plan, run, answer).await,
            _ => None,
        };
        let rows = match &offers {
            Some(offers) => offers
                .iter()
                .map(|offer| row(run, offer, rules))
                .chain(output(run, offers))
                .take(MOST)
                .collect(),
            None => told(run, rules).into_iter().take(MOST).collect(),
        };
        Self { rows, again: offers.is_some() }
    }
}

/// Whether its last answer came as far as the mapping.
fn was_mapped(run: &Run) -> bool {
    let misfit = run.error.as_ref().is_some_and(|error| error.code == FailureCode::MappingFailed);
    run.status == RunStatus::Succeeded || misfit
}

/// The last answer, where it is kept as a whole.
fn answer(attempts: &[Attempt]) -> Option<Answer> {
    let response = attempts.iter().rev().find_map(|attempt| attempt.response.as_ref())?;
    let body = response.body.as_deref().filter(|_| !response.truncated)?;
    Answer::read(response.status, response.headers.clone(), body.as_bytes()).ok()
}

/// Maps it again, beside the requests: patterns over large answers may take a while.
async fn again(plan: Arc<Plan>, run: &Run, answer: Answer) -> Option<Vec<Offered>> {
    let field = run.field.clone();
    let work = move || {
        let call = plan.case_type.field(field.as_str())?.api_call()?;
        let scope = Scope::new().with("params", plan.params.clone());
        let offers = call.mapping.offers(&answer, &scope, &Value::Null).map(|offer| {
            let (value, error) = match offer.value {
                Ok(value) => (value.filter(|_| offer.target.needs.iter().all(of_answer)), None),
                Err(error) => (None, Some(error.detail())),
            };
            Offered { target: offer.target.path.to_string(), value, error }
        });
        Some(offers.collect())
    };
    web::block(work).await.ok().flatten()
}

/// Whether a template reads it from the answer.
#[expect(clippy::ptr_arg, reason = "it is asked of each text of a set")]
fn of_answer(path: &String) -> bool {
    ["body", "headers", "status"].contains(&path.split('.').next().unwrap_or_default())
}

fn row(run: &Run, offer: &Offered, rules: &Map<String, Value>) -> TargetRow {
    let has = |paths: &[String]| paths.contains(&offer.target);
    let failed = run.status == RunStatus::Failed;
    let became = if has(&run.written) {
        plain(Tone::Good, "check", w::WRITTEN)
    } else if has(&run.kept_manual) {
        plain(Tone::Quiet, "person", w::KEPT_MANUAL)
    } else if let Some(error) = offer.error.as_ref().filter(|_| failed) {
        plain(Tone::Failed, "cross", error.clone())
    } else {
        plain(Tone::Quiet, "dash", w::LEFT)
    };
    let value = offer.value.as_ref().map(|value| pieces(&Shown::line(Some(value), LONGEST_VALUE).text));
    TargetRow { from: source(rules, &offer.target), target: offer.target.clone(), value, became }
}

/// What was written and is no target: the output variable.
fn output(run: &Run, offers: &[Offered]) -> Vec<TargetRow> {
    let other = |path: &&String| !offers.iter().any(|offer| offer.target == **path);
    let row = |path: &String| TargetRow {
        target: path.clone(),
        from: Some(w::OUTPUT.to_owned()),
        value: None,
        became: plain(Tone::Good, "check", w::WRITTEN),
    };
    run.written.iter().filter(other).map(row).collect()
}

/// What the run itself tells.
fn told(run: &Run, rules: &Map<String, Value>) -> Vec<TargetRow> {
    let written = run.written.iter().map(|path| (path, plain(Tone::Good, "check", w::WRITTEN)));
    let kept = run.kept_manual.iter().map(|path| (path, plain(Tone::Quiet, "person", w::KEPT_MANUAL)));
    let row = |(path, became): (&String, StateView)| TargetRow {
        target: path.clone(),
        from: source(rules, path),
        value: None,
        became,
    };
    written.chain(kept).map(row).collect()
}

/// The path or template of a target.
pub fn source(rules: &Map<String, Value>, target: &str) -> Option<String> {
    let rule = rules.get(target).or_else(|| rules.get(&format!("data.{target}")))?;
    let text = |rule: &Value| rule.as_str().map_or_else(|| rule.to_string(), str::to_owned);
    let whole = match rule {
        Value::Object(members) => {
            let part = members.get("path").or_else(|| members.get("value")).map(text);
            let from = members.get("from").map(text).filter(|from| from != "body");
            let parts: Vec<_> = from.into_iter().chain(part).collect();
            parts.join(" ")
        }
        rule => text(rule),
    };
    Some(cut(&whole, LONGEST_VALUE))
}
