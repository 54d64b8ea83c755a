//! The calls of runs and schedules.

use utoipa::PartialSchema as _;
use utoipa::openapi::{HttpMethod, Required};

use super::bodies;
use super::call::{Call, call, text};
use super::shapes::{is, key, list, uuid};
use crate::api::present::run::{RunDetail, RunView};
use crate::api::present::schedule::ScheduleAnswer;
use crate::api::present::words;
use crate::domain::token::Role::{Builder, Operator, Viewer};

/// The run history.
pub fn runs() -> Vec<Call> {
    vec![
        call(HttpMethod::Get, "/v1/runs", "list_runs", "Lists runs, newest first.")
            .needs(Viewer)
            .query("case", "Runs of this case.", uuid())
            .query("case_type", "Runs of cases of this type.", key())
            .query("field", "Runs of fields with this key.", key())
            .query("connection", "Runs over this connection.", key())
            .query("status", "Runs that stand here.", words::RunStatus::schema())
            .query("trigger", "Runs with this reason to run.", words::Trigger::schema())
            .query("error", "Runs whose last error is this.", words::FailureCode::schema())
            .query("batch", "Runs of this batch.", uuid())
            .query("secret", "Runs that sent this secret: `<name>`, or `<name>:<version>`.", text())
            .query("since", "Queued at this time or later.", words::Time::schema())
            .query("until", "Queued before this time.", words::Time::schema())
            .pages()
            .answers(200, "A page of runs.", list::<RunView>(), &[]),
        call(HttpMethod::Get, "/v1/runs/{id}", "get_run", "Reads a run with its attempts.")
            .needs(Viewer)
            .path("id", "The run.", uuid())
            .answers(200, "The run.", is::<RunDetail>(), &[]),
        call(HttpMethod::Post, "/v1/runs/{id}/retry", "retry_run", "Repeats a run that has ended.")
            .needs(Operator)
            .path("id", "The run.", uuid())
            .body(&["application/json"], Required::False, is::<bodies::RunRetry>())
            .answers(202, "The new run is queued.", is::<RunView>(), &["Location"])
            .refuses(409),
        call(HttpMethod::Post, "/v1/runs/{id}/cancel", "cancel_run", "Cancels a run that waits or works.")
            .needs(Operator)
            .path("id", "The run.", uuid())
            .takes_nothing()
            .answers(200, "The run, cancelled.", is::<RunView>(), &[])
            .refuses(409),
    ]
}

/// Schedules.
pub fn schedules() -> Vec<Call> {
    let act = |url, id, summary| {
        call(HttpMethod::Post, url, id, summary).path("id", "The schedule.", uuid()).takes_nothing()
    };
    vec![
        call(HttpMethod::Get, "/v1/schedules", "list_schedules", "Lists schedules, oldest first.")
            .needs(Viewer)
            .query("case_type", "Schedules of this case type.", key())
            .query("field", "Schedules of fields with this key.", key())
            .pages()
            .answers(200, "A page of schedules.", list::<ScheduleAnswer>(), &[]),
        call(HttpMethod::Get, "/v1/schedules/{id}", "get_schedule", "Reads a schedule.")
            .needs(Viewer)
            .path("id", "The schedule.", uuid())
            .answers(200, "The schedule.", is::<ScheduleAnswer>(), &[]),
        act("/v1/schedules/{id}/run", "run_schedule", "Fires all matching cases now.")
            .needs(Operator)
            .answers(202, "A tick has begun.", is::<ScheduleAnswer>(), &["Location"])
            .refuses(409),
        act("/v1/schedules/{id}/pause", "pause_schedule", "Holds a schedule and ends its tick.")
            .needs(Builder)
            .answers(200, "It is paused.", is::<ScheduleAnswer>(), &[]),
        act("/v1/schedules/{id}/resume", "resume_schedule", "Lets a schedule go on from now.")
            .needs(Builder)
            .answers(200, "It is not paused.", is::<ScheduleAnswer>(), &[]),
    ]
}
