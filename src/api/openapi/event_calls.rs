//! The calls that tell what happened to cases, and how the fields of many stand.

use utoipa::openapi::HttpMethod;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::call::{Call, call, text};
use super::calls::case_filters;
use super::shapes::{is, key, list, uuid};
use crate::api::present::event::EventView;
use crate::api::present::summary::SummaryView;
use crate::domain::event::EventMark;
use crate::domain::token::Role::Viewer;

/// Counts per field and status.
pub fn summary() -> Vec<Call> {
    let call = call(
        HttpMethod::Get,
        "/v1/case-types/{key}/summary",
        "summarize_case_type",
        "Counts how the fields of its cases stand.",
    );
    let call = call.path("key", "Key of the case type.", key());
    vec![case_filters(call).answers(200, "Counts per field and status.", is::<SummaryView>(), &[])]
}

/// Streams and lists of events.
pub fn events() -> Vec<Call> {
    let of_case = call(
        HttpMethod::Get,
        "/v1/cases/{id}/events",
        "case_events",
        "Tells what happens to a case, as server-sent events; as JSON, what happened.",
    );
    let of_all = call(
        HttpMethod::Get,
        "/v1/events",
        "events",
        "Tells what happens to all cases, as server-sent events; as JSON, what happened.",
    );
    vec![told(of_case.path("id", "The case.", uuid())), told(of_all)]
}

fn told(call: Call) -> Call {
    let order = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["at", "-at"]));
    let id = ObjectBuilder::new().schema_type(Type::String).pattern(Some(EventMark::PATTERN));
    let pages = list::<EventView>();
    call.needs(Viewer)
        .header("Last-Event-ID", "The stream begins behind this event; a list takes none.")
        .query("after", "The same, for who cannot send a header.", id)
        .query("sort", "Of the list, as the others below are: newest first (`-at`) unless asked.", order)
        .pages()
        .answers_either(
            200,
            "A stream that does not end, or a page of events.",
            [("text/event-stream", text()), ("application/json", pages.into())],
        )
}
