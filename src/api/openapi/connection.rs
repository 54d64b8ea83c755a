//! Connections: their bodies and their calls.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use utoipa::openapi::{HttpMethod, Required};
use utoipa::{ToSchema, openapi::RefOr, openapi::schema::Schema};
use uuid::Uuid;

use super::call::{Call, call};
use super::connection_parts::{ConnectionUser, EndpointDefinition, Redirects, TlsDefinition};
use super::shapes::{is, key, list};
use crate::api::present::case_type::ProblemView;
use crate::api::present::connection_health::HealthView;
use crate::api::present::words::{ConnectionStatus, Time};
use crate::domain::token::Role::{Builder, Viewer};

/// A provider, set up once.
#[derive(ToSchema)]
#[schema(example = json!({
    "key": "registry",
    "name": "Company registry",
    "base_url": "https://registry.example/v1",
    "headers": {"Accept": "application/json"},
    "timeout": 5000,
    "rate_limit": {"windows": [{"limit": 20, "period": 1}], "concurrency": 4},
}))]
#[expect(dead_code, reason = "it only describes")]
pub struct ConnectionDefinition {
    /// Unique in the workspace. In a PUT it may be left out.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,63}$")]
    key: Option<String>,
    /// The key, unless given.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// What the paths of fields follow: absolute, without credentials, query and fragment.
    #[schema(min_length = 1, max_length = 2048)]
    base_url: Option<String>,
    /// Templates of `params` and secrets; a field's own header of that name goes first.
    headers: Option<BTreeMap<String, Value>>,
    /// How requests are authorised, unless the field says: its `type` (`none`, `bearer`, `basic`, `api_key`, `oauth2_client_credentials`,
    /// `oauth2_password` or `token_request`) and what that takes.
    auth: Option<Map<String, Value>>,
    /// Milliseconds for one attempt, unless the field says.
    #[schema(minimum = 1, maximum = 300_000)]
    timeout: Option<u32>,
    rate_limit: Option<RateLimitDefinition>,
    breaker: Option<BreakerDefinition>,
    /// Requests that fields take over, by key.
    endpoints: Option<BTreeMap<String, EndpointDefinition>>,
    /// How far redirects are followed; `same_host`, unless given.
    redirects: Option<Redirects>,
    /// Paths (RFC 9535) of what nobody may see of any of its answers.
    #[schema(max_items = 20)]
    redact: Option<Vec<String>>,
    tls: Option<TlsDefinition>,
    /// Anything that its owner wants to note.
    metadata: Option<Map<String, Value>>,
}

/// What a provider bears at most; one window may be written as `limit` and `period`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct RateLimitDefinition {
    /// Each of them holds.
    #[schema(max_items = 10)]
    windows: Option<Vec<WindowDefinition>>,
    /// Calls in flight.
    #[schema(minimum = 1, maximum = 1_000_000)]
    concurrency: Option<u32>,
    #[schema(minimum = 1, maximum = 1_000_000)]
    limit: Option<u32>,
    #[schema(minimum = 1, maximum = 2_678_400)]
    period: Option<u32>,
}

/// In no span of `period` seconds more than `limit` calls.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct WindowDefinition {
    #[schema(minimum = 1, maximum = 1_000_000)]
    limit: u32,
    #[schema(minimum = 1, maximum = 2_678_400)]
    period: u32,
}

/// When a provider counts as down.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct BreakerDefinition {
    /// Failures in a row; 5, unless given.
    #[schema(minimum = 1, maximum = 1000)]
    failures: Option<u32>,
    /// Seconds until a probe; 30, unless given.
    #[schema(minimum = 1, maximum = 86_400)]
    open_seconds: Option<u32>,
    /// `connection`, unless given.
    scope: Option<BreakerScope>,
}

/// What has a circuit of its own.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes")]
pub enum BreakerScope {
    Connection,
    Endpoint,
}

/// A connection: its definition in normal form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct Connection {
    id: Uuid,
    key: String,
    name: String,
    /// Only when given.
    description: Option<String>,
    /// Only when given.
    base_url: Option<String>,
    headers: BTreeMap<String, Value>,
    /// Only when given; typed credentials read as `[hidden]`.
    auth: Option<Map<String, Value>>,
    /// Only when given.
    timeout: Option<u32>,
    /// Only when given.
    rate_limit: Option<RateLimitDefinition>,
    breaker: BreakerDefinition,
    endpoints: BTreeMap<String, EndpointDefinition>,
    redirects: Redirects,
    /// Only when given.
    redact: Option<Vec<String>>,
    /// Only when given; a typed key reads as `[hidden]`.
    tls: Option<TlsDefinition>,
    metadata: Map<String, Value>,
    status: ConnectionStatus,
    /// The fields that use it.
    used_by: Vec<ConnectionUser>,
    /// Counts up with each change of the definition.
    version: i64,
    created_at: Time,
    updated_at: Time,
    /// What is legal but doubtful; only a save looks.
    warnings: Vec<ProblemView>,
}

fn shown() -> RefOr<Schema> {
    is::<Connection>()
}

fn one(method: HttpMethod, url: &'static str, id: &'static str, summary: &'static str) -> Call {
    call(method, url, id, summary).path("key", "Key of the connection.", key())
}

fn act(url: &'static str, id: &'static str, summary: &'static str, done: &'static str) -> Call {
    one(HttpMethod::Post, url, id, summary).needs(Builder).takes_nothing().answers(
        200,
        done,
        shown(),
        &["ETag", "Idempotent-Replayed"],
    )
}

/// Connections.
pub fn connections() -> Vec<Call> {
    const JSON: &[&str] = &["application/json"];
    vec![
        call(HttpMethod::Get, "/v1/connections", "list_connections", "Lists the connections, by key.")
            .needs(Viewer)
            .pages()
            .answers(200, "A page of connections.", list::<Connection>(), &[]),
        call(HttpMethod::Post, "/v1/connections", "create_connection", "Saves a new connection.")
            .needs(Builder)
            .body(JSON, Required::True, is::<ConnectionDefinition>())
            .answers(201, "It is saved.", shown(), &["Location", "ETag", "Idempotent-Replayed"]),
        one(HttpMethod::Get, "/v1/connections/{key}", "get_connection", "Reads a connection.")
            .needs(Viewer)
            .answers(200, "Its current version.", shown(), &["ETag"]),
        one(HttpMethod::Put, "/v1/connections/{key}", "put_connection", "Saves a connection under its key.")
            .needs(Builder)
            .expects()
            .makes_only()
            .body(JSON, Required::True, is::<ConnectionDefinition>())
            .answers(200, "It has a new version, or is the same as before.", shown(), &["ETag"])
            .answers(201, "It is new.", shown(), &["Location", "ETag"])
            .refuses(409),
        one(
            HttpMethod::Delete,
            "/v1/connections/{key}",
            "delete_connection",
            "Removes an unused connection.",
        )
        .needs(Builder)
        .expects()
        .answers_nothing(204, "It is gone.", &[])
        .refuses(409),
        one(
            HttpMethod::Get,
            "/v1/connections/{key}/health",
            "get_connection_health",
            "Says how a connection does.",
        )
        .needs(Viewer)
        .answers(200, "Its lane now, and a sample of its last calls.", is::<HealthView>(), &[]),
    ]
}

/// What is done to them by hand.
pub fn actions() -> Vec<Call> {
    const ONE_CIRCUIT: &str =
        "Only that of this endpoint, where each has its own (`breaker.scope` is `endpoint`); else all.";
    vec![
        act(
            "/v1/connections/{key}/enable",
            "enable_connection",
            "Switches a connection on; a hold ends.",
            "It is on.",
        ),
        act(
            "/v1/connections/{key}/disable",
            "disable_connection",
            "Switches a connection off: automatic runs wait, manual ones fail.",
            "It is off.",
        ),
        act(
            "/v1/connections/{key}/resume",
            "resume_connection",
            "Lets a connection go on that is on hold, or pauses after a 429.",
            "It is neither on hold nor paused.",
        ),
        act(
            "/v1/connections/{key}/breaker/open",
            "open_breaker",
            "Opens the circuit by hand: no call goes out for a while.",
            "It is open.",
        )
        .query("endpoint", ONE_CIRCUIT, key()),
        act(
            "/v1/connections/{key}/breaker/close",
            "close_breaker",
            "Closes the circuit by hand: calls go out again.",
            "It is closed.",
        )
        .query("endpoint", ONE_CIRCUIT, key()),
    ]
}
