//! Bodies that are sent to us, and the few shapes of answers that have no struct.
//!
//! Their readers live in the services and collect every problem; this only describes them.

use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::field::FieldDefinition;
use crate::api::error::Code;
use crate::api::present::case_type::ProblemView;
use crate::api::present::run::RunView;
use crate::api::present::words::{CaseStatus, Role, Time};

/// The template of a case: sections, params and fields.
#[derive(ToSchema)]
#[schema(example = json!({
    "key": "company",
    "name": "Company",
    "fields": [
        {"key": "vat_number", "type": "text", "required": true},
        {"key": "company_name", "type": "text"},
        {"key": "vat_check", "type": "api_call", "retry": 5, "api_config": {
            "url": "https://registry.example/companies/{data.vat_number}",
            "response_mapping": {"company_name": {"path": "$.name", "transform": "value | title"}},
        }},
    ],
}))]
#[expect(dead_code, reason = "it only describes")]
pub struct CaseTypeDefinition {
    /// Unique in the workspace. In a PUT it may be left out.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,63}$")]
    key: Option<String>,
    /// The key, unless given.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    #[schema(max_length = 2000)]
    description: Option<String>,
    sections: Option<Vec<SectionDefinition>>,
    /// What templates read as `params`.
    params: Option<Map<String, Value>>,
    /// Plain fields and API Call fields.
    fields: Option<Vec<FieldDefinition>>,
    /// Whether `data` may hold members that no field names; true unless given.
    additional_data: Option<bool>,
}

/// A part of a case's page.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct SectionDefinition {
    /// A key or a UUID.
    #[schema(min_length = 1)]
    key: String,
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
}

/// A case type: its definition in normal form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct CaseType {
    id: Uuid,
    key: String,
    name: String,
    /// Only when given.
    description: Option<String>,
    sections: Vec<SectionDefinition>,
    params: Map<String, Value>,
    fields: Vec<FieldDefinition>,
    additional_data: bool,
    /// Counts up with each change.
    version: i64,
    created_at: Time,
    updated_at: Time,
    /// What is legal but doubtful; only a save looks.
    warnings: Vec<ProblemView>,
}

/// A case type as one of its versions said it, in normal form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct CaseTypeVersion {
    id: Uuid,
    key: String,
    name: String,
    /// Only when given.
    description: Option<String>,
    sections: Vec<SectionDefinition>,
    params: Map<String, Value>,
    fields: Vec<FieldDefinition>,
    additional_data: bool,
    version: i64,
    /// When this version was saved.
    created_at: Time,
    /// Who saved it, e.g. `token:ops`.
    created_by: String,
}

/// How a run is repeated.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct RunRetry {
    /// Whether it gets an idempotency key of its own in any case; false unless given.
    new_key: Option<bool>,
}

/// The body of an action that takes no members; best left out.
#[derive(ToSchema)]
pub struct NoMembers {}

/// A new case.
#[derive(ToSchema)]
#[schema(example = json!({
    "case_type": "company",
    "reference": "KYB-1042",
    "title": "Acme SA",
    "data": {"vat_number": "BE0123456789"},
}))]
#[expect(dead_code, reason = "it only describes")]
pub struct NewCase {
    /// Key of its type.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,63}$")]
    case_type: String,
    /// Unique in the workspace.
    #[schema(min_length = 1, max_length = 200)]
    reference: Option<String>,
    #[schema(min_length = 1, max_length = 500)]
    title: Option<String>,
    status: Option<CaseStatus>,
    #[schema(min_length = 1, max_length = 200)]
    custom_status: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    assignee: Option<String>,
    data: Option<Map<String, Value>>,
}

/// A merge patch of a case: null removes, objects merge.
#[derive(ToSchema)]
#[schema(example = json!({"assignee": "ana", "data": {"vat_number": "BE0987654321"}}))]
#[expect(dead_code, reason = "it only describes")]
pub struct CasePatch {
    #[schema(min_length = 1, max_length = 200)]
    reference: Option<String>,
    #[schema(min_length = 1, max_length = 500)]
    title: Option<String>,
    status: Option<CaseStatus>,
    #[schema(min_length = 1, max_length = 200)]
    custom_status: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    assignee: Option<String>,
    data: Option<Map<String, Value>>,
}

/// How one field is refreshed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct Refresh {
    /// The root `input` of the field's templates.
    input: Option<Map<String, Value>>,
    /// Skip the cache look-up.
    force: Option<bool>,
    /// Clear overrides when the run succeeds.
    overwrite: Option<bool>,
}

/// Which fields of a case are refreshed, and how.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct RefreshOfSeveral {
    /// Keys of fields; all that do not only run by hand, unless given.
    fields: Option<Vec<String>>,
    /// The root `input` of the fields' templates.
    input: Option<Map<String, Value>>,
    /// Skip the cache look-up.
    force: Option<bool>,
    /// Clear overrides when the runs succeed.
    overwrite: Option<bool>,
}

/// The runs that a refresh queued, or joined.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct Runs {
    runs: Vec<RunView>,
}

/// A secret's value and where it may go.
#[derive(ToSchema)]
#[schema(example = json!({"value": "a key of the registry", "hosts": ["registry.example"]}))]
#[expect(dead_code, reason = "it only describes")]
pub struct PutSecret {
    /// 8 to 16,384 bytes; from 1 byte on with `"redact": false`.
    #[schema(min_length = 1, max_length = 16384)]
    value: String,
    /// Hosts, each with an optional port; none unless given.
    hosts: Option<Vec<String>>,
    /// Whether it is replaced wherever it appears; true unless given.
    redact: Option<bool>,
}

/// A new token.
#[derive(ToSchema)]
#[schema(example = json!({"name": "nightly import", "role": "operator", "overrides": false}))]
#[expect(dead_code, reason = "it only describes")]
pub struct TokenRequest {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    role: Role,
    /// Whether a PATCH with it makes overrides; true unless given.
    overrides: Option<bool>,
    /// Never, unless given.
    expires_at: Option<Time>,
}

/// What shall change of the workspace: a merge patch (RFC 7396); what is absent stays.
#[derive(ToSchema)]
#[schema(example = json!({"params": {"registry": "https://registry.example"}}))]
#[expect(dead_code, reason = "it only describes")]
pub struct WorkspacePatch {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// What templates read as `params`, below those of the case type; a null within removes one, null
    /// itself all.
    params: Option<Map<String, Value>>,
}

/// That all is well.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct Health {
    /// `ok`.
    status: String,
}

/// Why a call was refused (RFC 9457).
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct Refusal {
    /// `about:blank`: the title is that of the status.
    r#type: String,
    title: String,
    status: u16,
    /// What happened and what to do.
    detail: String,
    code: CodeWord,
    /// Also in the header `X-Request-Id` and in the log.
    request_id: Option<String>,
    /// What is wrong, place by place; only where a body is at fault.
    #[schema(required = false)]
    errors: Option<Vec<ProblemView>>,
    /// Who uses it; only with `in_use`.
    #[schema(required = false)]
    users: Option<Vec<String>>,
    /// Dotted paths of what was changed since, as far as known; only with `version_mismatch`.
    #[schema(required = false)]
    changed: Option<Vec<String>>,
}

/// The words of [`Code`].
pub struct CodeWord;

impl utoipa::PartialSchema for CodeWord {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        let words = Code::ALL.iter().map(|code| code.as_str());
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
    }
}

impl ToSchema for CodeWord {
    fn name() -> std::borrow::Cow<'static, str> {
        std::borrow::Cow::Borrowed("Code")
    }
}
