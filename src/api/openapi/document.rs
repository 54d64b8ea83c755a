//! Puts the `OpenAPI` document together, once per process.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, PathItem, PathsBuilder};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths, RefOr};

use super::call::{BEARER, Call};
use super::{bodies, calls, connection, connection_test, console, links, people_calls};
use crate::api::error::ApiError;
use crate::api::present;
use crate::api::query::{NoParameters, Params};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| build().to_pretty_json().unwrap_or_default());

/// Members that an answer of this name may leave out; all others are always there.
const SOMETIMES: [(&str, &[&str]); 7] = [
    ("Case", &["provenance"]),
    ("CaseType", &["description"]),
    ("CaseTypeVersion", &["description"]),
    ("Connection", &["description", "base_url", "auth", "timeout", "rate_limit", "tls", "redact"]),
    ("ConnectionBreaker", &["endpoints"]),
    ("Summary", &["partial", "total_at_least"]),
    ("Refusal", &["errors", "users", "changed"]),
];

/// Bodies that are sent to us: what may be left out is said by their types.
const SENT: [&str; 26] = [
    "CaseTypeDefinition",
    "SectionDefinition",
    "FieldDefinition",
    "ScheduleDefinition",
    "ApiConfig",
    "ErrorMapping",
    "ConnectionDefinition",
    "RateLimitDefinition",
    "WindowDefinition",
    "BreakerDefinition",
    "EndpointDefinition",
    "TlsDefinition",
    "ClientCertificateDefinition",
    "NewCase",
    "CasePatch",
    "Refresh",
    "RefreshOfSeveral",
    "RunRetry",
    "NoMembers",
    "PutSecret",
    "TokenRequest",
    "FieldTestRequest",
    "RecordedResponse",
    "WorkspacePatch",
    "NewPerson",
    "PersonPatch",
];

/// The document as JSON text.
pub fn openapi_json() -> String {
    DOCUMENT.clone()
}

/// Answers the document.
pub async fn document(_: Params<NoParameters>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().content_type("application/json").body(DOCUMENT.as_str()))
}

fn build() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Dossier")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Case management whose cases fill themselves in by calling HTTP APIs."));
    let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("dsr_…").build();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas())
        .security_scheme(BEARER, SecurityScheme::Http(bearer));
    OpenApiBuilder::new().info(info.build()).paths(paths()).components(Some(components.build())).build()
}

fn paths() -> Paths {
    let mut items: Vec<(&'static str, PathItem)> = Vec::new();
    for call in calls::all() {
        let (path, item) = (call.path, item(call));
        match items.iter_mut().find(|(known, _)| *known == path) {
            Some((_, known)) => known.merge_operations(item),
            None => items.push((path, item)),
        }
    }
    let mut paths =
        items.into_iter().fold(PathsBuilder::new(), |paths, (path, item)| paths.path(path, item)).build();
    links::add(&mut paths);
    paths
}

fn item(call: Call) -> PathItem {
    let method: HttpMethod = call.method.clone();
    PathItem::new(method, call.build())
}

fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = Vec::new();
    add::<present::case::CaseAnswer>(&mut schemas);
    add::<present::run::RunDetail>(&mut schemas);
    add::<present::schedule::ScheduleAnswer>(&mut schemas);
    add::<present::secret::SecretAnswer>(&mut schemas);
    add::<present::token::TokenView>(&mut schemas);
    add::<present::person::PersonView>(&mut schemas);
    add::<people_calls::NewPerson>(&mut schemas);
    add::<people_calls::PersonPatch>(&mut schemas);
    add::<present::workspace::WorkspaceView>(&mut schemas);
    add::<present::audit::AuditView>(&mut schemas);
    add::<present::event::EventView>(&mut schemas);
    add::<present::summary::SummaryView>(&mut schemas);
    add::<bodies::WorkspacePatch>(&mut schemas);
    add::<present::token::NewTokenView>(&mut schemas);
    add::<bodies::CaseType>(&mut schemas);
    add::<bodies::CaseTypeDefinition>(&mut schemas);
    add::<bodies::CaseTypeVersion>(&mut schemas);
    add::<connection::Connection>(&mut schemas);
    add::<connection::ConnectionDefinition>(&mut schemas);
    add::<present::connection_health::HealthView>(&mut schemas);
    add::<present::console::TestedView>(&mut schemas);
    add::<console::FieldTestRequest>(&mut schemas);
    add::<present::connection_test::ConnectionTestView>(&mut schemas);
    add::<connection_test::ConnectionTestRequest>(&mut schemas);
    add::<bodies::NewCase>(&mut schemas);
    add::<bodies::CasePatch>(&mut schemas);
    add::<bodies::Refresh>(&mut schemas);
    add::<bodies::RefreshOfSeveral>(&mut schemas);
    add::<bodies::Runs>(&mut schemas);
    add::<bodies::RunRetry>(&mut schemas);
    add::<bodies::NoMembers>(&mut schemas);
    add::<bodies::PutSecret>(&mut schemas);
    add::<bodies::TokenRequest>(&mut schemas);
    add::<bodies::Health>(&mut schemas);
    add::<bodies::Refusal>(&mut schemas);
    schemas.sort_by(|(a, _), (b, _)| a.cmp(b));
    schemas.dedup_by(|(a, _), (b, _)| a == b);
    for (name, schema) in &mut schemas {
        always_there(name, schema);
    }
    schemas
}

fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// Answers hold all their members, null where they say nothing.
fn always_there(name: &str, schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    if SENT.contains(&name) {
        return;
    }
    let sometimes =
        SOMETIMES.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, members)| *members);
    let always = object.properties.keys().filter(|member| !sometimes.contains(&member.as_str()));
    object.required = always.cloned().collect();
}
