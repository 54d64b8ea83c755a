//! Every call of the API, in the order of `routes.rs`.

use utoipa::PartialSchema as _;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{HttpMethod, Required};

use super::access_calls;
use super::bodies;
use super::call::{Call, call, text};
use super::connection::{actions as connection_actions, connections};
use super::connection_test::connection_test;
use super::console::console;
use super::event_calls;
use super::people_calls;
use super::run_calls::{runs, schedules};
use super::shapes::{flag, is, key, list, uuid};
use crate::api::present::case::CaseAnswer;
use crate::api::present::run::RunView;
use crate::api::present::secret::SecretAnswer;
use crate::api::present::token::{NewTokenView, TokenView};
use crate::api::present::words;
use crate::domain::token::Role::{Admin, Builder, Operator, Viewer};
use crate::metrics::CONTENT_TYPE;

const JSON: &[&str] = &["application/json"];
const PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

/// All calls.
pub fn all() -> Vec<Call> {
    let cases = [cases(), one_case(), event_calls::events(), refreshes()].into_iter().flatten();
    let types =
        [cache(), case_types(), one_case_type(), event_calls::summary(), console()].into_iter().flatten();
    let access =
        [secrets(), tokens(), people_calls::people(), access_calls::workspace(), access_calls::audit()]
            .into_iter()
            .flatten();
    let others = [connections(), connection_actions(), connection_test(), runs(), schedules()]
        .into_iter()
        .flatten()
        .chain(access)
        .chain(service());
    types.chain(cases).chain(others).collect()
}

fn cache() -> Vec<Call> {
    let call = call(
        HttpMethod::Delete,
        "/v1/cache",
        "purge_cache",
        "Forgets the cached answers of a field, of a case type, of a connection, or all.",
    );
    vec![
        call.needs(Builder)
            .query("case_type", "Only those of fields of this case type.", key())
            .query("field", "Only those of this field; needs `case_type`.", key())
            .query("connection", "Only those of this connection.", key())
            .answers_nothing(204, "No run is answered with them any more.", &[])
            .refuses(404),
    ]
}

fn case_types() -> Vec<Call> {
    vec![
        call(HttpMethod::Get, "/v1/case-types", "list_case_types", "Lists the case types, by key.")
            .needs(Viewer)
            .pages()
            .answers(200, "A page of case types.", list::<bodies::CaseType>(), &[]),
        call(HttpMethod::Post, "/v1/case-types", "create_case_type", "Saves a new case type.")
            .needs(Builder)
            .body(JSON, Required::True, is::<bodies::CaseTypeDefinition>())
            .answers(201, "It is saved.", is::<bodies::CaseType>(), &["Location", "ETag"]),
    ]
}

fn one_case_type() -> Vec<Call> {
    let key = |call: Call| call.path("key", "Key of the case type.", key());
    vec![
        key(call(HttpMethod::Get, "/v1/case-types/{key}", "get_case_type", "Reads a case type."))
            .needs(Viewer)
            .reads_again()
            .answers(200, "Its current version.", is::<bodies::CaseType>(), &["ETag"]),
        key(call(
            HttpMethod::Put,
            "/v1/case-types/{key}",
            "put_case_type",
            "Saves a case type under its key.",
        ))
        .needs(Builder)
        .expects()
        .makes_only()
        .body(JSON, Required::True, is::<bodies::CaseTypeDefinition>())
        .answers(200, "It has a new version, or is the same as before.", is::<bodies::CaseType>(), &["ETag"])
        .answers(201, "It is new.", is::<bodies::CaseType>(), &["Location", "ETag"])
        .refuses(409),
        key(call(
            HttpMethod::Delete,
            "/v1/case-types/{key}",
            "delete_case_type",
            "Removes an unused case type.",
        ))
        .needs(Builder)
        .expects()
        .answers_nothing(204, "It is gone.", &[])
        .refuses(409),
        key(call(
            HttpMethod::Get,
            "/v1/case-types/{key}/versions",
            "list_case_type_versions",
            "Lists the versions of a case type, newest first.",
        ))
        .needs(Viewer)
        .pages()
        .answers(200, "A page of versions.", list::<bodies::CaseTypeVersion>(), &[]),
    ]
}

fn cases() -> Vec<Call> {
    let sorts =
        ["created_at", "updated_at", "reference", "title"].map(|sort| [sort.to_owned(), format!("-{sort}")]);
    let sort = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(sorts.concat()));
    let include = ["outputs", "provenance", "outputs,provenance", "provenance,outputs"];
    let include = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(include));
    vec![
        case_filters(call(
            HttpMethod::Get,
            "/v1/cases",
            "list_cases",
            "Lists cases, newest first unless sorted.",
        ))
        .query("case_type", "Key of the case type.", key())
        .query("sort", "With `-` for descending order.", sort)
        .query("include", "What items shall hold beside the usual.", include)
        .pages()
        .answers(200, "A page of cases.", list::<CaseAnswer>(), &[]),
        call(HttpMethod::Post, "/v1/cases", "create_case", "Makes a case and queues its first runs.")
            .needs(Operator)
            .waits()
            .body(JSON, Required::True, is::<bodies::NewCase>())
            .answers(201, "It is there.", is::<CaseAnswer>(), &["Location", "ETag"]),
    ]
}

fn one_case() -> Vec<Call> {
    let id = |call: Call| call.path("id", "The case.", uuid());
    vec![
        id(call(HttpMethod::Get, "/v1/cases/{id}", "get_case", "Reads a case."))
            .needs(Viewer)
            .waits()
            .reads_again()
            .answers(200, "The case.", is::<CaseAnswer>(), &["ETag"]),
        id(call(
            HttpMethod::Patch,
            "/v1/cases/{id}",
            "patch_case",
            "Changes a case by a merge patch (RFC 7396).",
        ))
        .needs(Operator)
        .query("override", "`false`: mapped values that it changes do not become overrides.", flag())
        .expects()
        .body(PATCH, Required::True, is::<bodies::CasePatch>())
        .answers(200, "The case as it is now.", is::<CaseAnswer>(), &["ETag"])
        .refuses(409),
        id(call(
            HttpMethod::Delete,
            "/v1/cases/{id}/overrides/{path}",
            "clear_override",
            "Gives an overridden target back to the runs of its field.",
        ))
        .needs(Operator)
        .path("path", "The target, such as `address.city`.", text())
        .expects()
        .answers_nothing(204, "It is no override any more; the value stays.", &[]),
        id(call(HttpMethod::Delete, "/v1/cases/{id}", "delete_case", "Deletes a case with its data."))
            .needs(Operator)
            .expects()
            .answers_nothing(204, "It is gone.", &[]),
    ]
}

/// The filters that lists and summaries have in common.
pub(super) fn case_filters(call: Call) -> Call {
    let search = ObjectBuilder::new().schema_type(Type::String).max_length(Some(200));
    call.needs(Viewer)
        .query("status", "How far they have come.", words::CaseStatus::schema())
        .query("custom_status", "… in the workspace's own words.", text())
        .query("assignee", "Who works on them.", text())
        .query("reference", "The one with this reference.", text())
        .query("updated_since", "Changed at this time or later.", words::Time::schema())
        .query(
            "field.{key}",
            "State of the field `key`: `<status>[:<reason>]`, `cached` or `stale`. May be given for several fields.",
            text(),
        )
        .query(
            "data.{path}",
            "The value at `path` in the data: equals the JSON scalar, or the text. May be given for several paths.",
            text(),
        )
        .query("q", "Beginnings of words of reference and title; all must be there.", search)
}

fn refreshes() -> Vec<Call> {
    vec![
        call(
            HttpMethod::Post,
            "/v1/cases/{id}/refresh",
            "refresh_case",
            "Refreshes several or all fields of a case.",
        )
        .needs(Operator)
        .path("id", "The case.", uuid())
        .waits()
        .body(JSON, Required::False, is::<bodies::RefreshOfSeveral>())
        .answers(200, "All runs have ended.", is::<bodies::Runs>(), &[])
        .answers(202, "Runs are queued.", is::<bodies::Runs>(), &[]),
        call(
            HttpMethod::Post,
            "/v1/cases/{id}/fields/{key}/refresh",
            "refresh_field",
            "Refreshes one field now.",
        )
        .needs(Operator)
        .path("id", "The case.", uuid())
        .path("key", "Key of the field.", key())
        .waits()
        .body(JSON, Required::False, is::<bodies::Refresh>())
        .answers(200, "The run has ended.", is::<RunView>(), &["Location"])
        .answers(202, "The run is queued.", is::<RunView>(), &["Location"]),
    ]
}

fn secrets() -> Vec<Call> {
    vec![
        call(HttpMethod::Get, "/v1/secrets", "list_secrets", "Lists secrets, by name and without values.")
            .needs(Viewer)
            .pages()
            .answers(200, "A page of secrets.", list::<SecretAnswer>(), &[]),
        call(HttpMethod::Put, "/v1/secrets/{name}", "put_secret", "Sets or replaces a secret.")
            .needs(Builder)
            .path("name", "Its name.", key())
            .makes_only()
            .body(JSON, Required::True, is::<bodies::PutSecret>())
            .answers(200, "It has a new value.", is::<SecretAnswer>(), &[])
            .answers(201, "It is new.", is::<SecretAnswer>(), &["Location"]),
        call(HttpMethod::Delete, "/v1/secrets/{name}", "delete_secret", "Removes an unused secret.")
            .needs(Builder)
            .path("name", "Its name.", key())
            .answers_nothing(204, "It is gone.", &[])
            .refuses(409),
    ]
}

fn tokens() -> Vec<Call> {
    vec![
        call(HttpMethod::Get, "/v1/tokens", "list_tokens", "Lists tokens, oldest first and without values.")
            .needs(Admin)
            .pages()
            .answers(200, "A page of tokens.", list::<TokenView>(), &[]),
        call(HttpMethod::Post, "/v1/tokens", "create_token", "Makes a token and shows it this once.")
            .needs(Admin)
            .body(JSON, Required::True, is::<bodies::TokenRequest>())
            .answers(201, "It is good from now on.", is::<NewTokenView>(), &["Location"]),
        call(HttpMethod::Delete, "/v1/tokens/{id}", "delete_token", "Withdraws a token.")
            .needs(Admin)
            .path("id", "The token.", uuid())
            .answers_nothing(204, "It is good no longer.", &[]),
    ]
}

fn service() -> Vec<Call> {
    let any = || ObjectBuilder::new().schema_type(Type::Object);
    vec![
        call(HttpMethod::Get, "/health/live", "live", "Says that the process lives.").answers(
            200,
            "It does.",
            is::<bodies::Health>(),
            &[],
        ),
        call(HttpMethod::Get, "/health/ready", "ready", "Says whether the database serves.")
            .answers(200, "It does.", is::<bodies::Health>(), &[])
            .refuses(503),
        call(HttpMethod::Get, "/openapi.json", "openapi", "This document.")
            .answers(200, "OpenAPI 3.1.", any(), &[])
            .refuses(400),
        call(HttpMethod::Get, "/metrics", "metrics", "Counts of this process, for Prometheus.")
            .answers_as(CONTENT_TYPE, 200, "OpenMetrics text.", text(), &[])
            .refuses(400),
    ]
}
